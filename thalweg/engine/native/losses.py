"""Losses and their derivatives. Sums over a block are taken in float64.

Operands of a loss: p, y, weight (0: none), sums; sizes: elements of a row, classes, 1 for a plain sum over the batch;
constants: coefficient, label smoothing. A loss gradient has the place of its result instead of the sums.
"""

import numba
import numpy as np

from thalweg.engine.native import mathematics as maths
from thalweg.engine.native.llvm import FLAGS, doubles, floats
from thalweg.engine.native.rowwise import softmax_rows
from thalweg.engine.native.state import BATCH_ROWS, LANE, LANES, ROWS
from thalweg.engine.native.updates import share

F32 = np.float32
EPSILON = F32(1e-7)
ONE = F32(1)


# --- losses of one output by itself ------------------------------------------------------------------------------


@numba.njit(inline="always", **FLAGS)
def total(function, o, c, s):
    """sums += coefficient·Σ w·f(y, p)"""
    size = o[4]
    rows = s[ROWS]
    p, y = floats(o[0], rows * size), floats(o[1], rows * size)
    smoothing = F32(c[1])
    result = 0.0
    if o[2] == 0:
        for i in range(rows * size):
            result += function(y[i], p[i], smoothing)
    else:
        weight = floats(o[2], rows)
        for r in range(rows):
            row = 0.0
            for i in range(r * size, (r + 1) * size):
                row += function(y[i], p[i], smoothing)
            result += weight[r] * row
    doubles(o[3], 1)[0] += result * c[0] * (s[BATCH_ROWS] if o[6] else 1)


@numba.njit(inline="always", **FLAGS)
def slopes(function, o, c, s):
    """dp = scale·w·f'(y, p)"""
    size = o[4]
    rows = s[ROWS]
    p, y, dp = floats(o[0], rows * size), floats(o[1], rows * size), floats(o[3], rows * size)
    smoothing = F32(c[1])
    scale = F32(scale_of(o, c, s))
    if o[2] == 0:
        for i in range(rows * size):
            dp[i] = scale * function(y[i], p[i], smoothing)
    else:
        weight = floats(o[2], rows)
        for r in range(rows):
            for i in range(r * size, (r + 1) * size):
                dp[i] = scale * weight[r] * function(y[i], p[i], smoothing)


@numba.njit(inline="always", **FLAGS)
def scale_of(o, c, s):
    return c[0] if o[6] else c[0] / s[BATCH_ROWS]


@numba.njit(inline="always", **FLAGS)
def squared_value(y, p, smoothing):
    return np.float64((p - y) * (p - y))


@numba.njit(inline="always", **FLAGS)
def squared_slope(y, p, smoothing):
    return F32(2) * (p - y)


@numba.njit(inline="always", **FLAGS)
def absolute_value(y, p, smoothing):
    return np.float64(abs(p - y))


@numba.njit(inline="always", **FLAGS)
def absolute_slope(y, p, smoothing):
    e = p - y
    return ONE if e > F32(0) else (-ONE if e < F32(0) else e)  # 0 stays 0, NaN stays NaN


@numba.njit(inline="always", **FLAGS)
def clipped(p):
    p = EPSILON if p < EPSILON else p
    return ONE - EPSILON if p > ONE - EPSILON else p  # in this order NaN stays NaN


@numba.njit(inline="always", **FLAGS)
def binary_value(y, p, smoothing):
    y = y * (ONE - smoothing) + F32(0.5) * smoothing
    q = clipped(p)
    return np.float64(-(y * maths.log(q) + (ONE - y) * maths.log(ONE - q)))


@numba.njit(inline="always", **FLAGS)
def binary_slope(y, p, smoothing):
    y = y * (ONE - smoothing) + F32(0.5) * smoothing
    q = clipped(p)
    slope = (q - y) / (q * (ONE - q))
    return F32(0) if p < EPSILON or p > ONE - EPSILON else slope


@numba.njit(inline="always", **FLAGS)
def binary_logits_value(y, p, smoothing):
    y = y * (ONE - smoothing) + F32(0.5) * smoothing
    return np.float64(maths.softplus(p) - p * y)


@numba.njit(inline="always", **FLAGS)
def binary_logits_slope(y, p, smoothing):
    y = y * (ONE - smoothing) + F32(0.5) * smoothing
    return maths.sigmoid(p) - y


def squared_error(o, c, s, f):
    total(squared_value, o, c, s)


def squared_error_gradient(o, c, s, f):
    slopes(squared_slope, o, c, s)


def absolute_error(o, c, s, f):
    total(absolute_value, o, c, s)


def absolute_error_gradient(o, c, s, f):
    slopes(absolute_slope, o, c, s)


def binary_crossentropy(o, c, s, f):
    total(binary_value, o, c, s)


def binary_crossentropy_gradient(o, c, s, f):
    slopes(binary_slope, o, c, s)


def binary_crossentropy_logits(o, c, s, f):
    total(binary_logits_value, o, c, s)


def binary_crossentropy_logits_gradient(o, c, s, f):
    slopes(binary_logits_slope, o, c, s)


# --- losses over the classes of a row ------------------------------------------------------------------------------


@numba.njit(inline="always", **FLAGS)
def target(y, r, j, classes, sparse, smoothing):
    """The (smoothed) target of class j in row r, from class numbers or from one-hot rows."""
    if sparse:
        return ONE if np.int64(y[r]) == j else F32(0)
    return y[r * classes + j] * (ONE - smoothing) + smoothing / F32(classes)


@numba.njit(inline="always", **FLAGS)
def weight_of(o, r, size, classes):
    """The sample weight of row r of a (rows·positions, classes) matrix."""
    return ONE if o[2] == 0 else floats(o[2], r * classes // size + 1)[r * classes // size]


@numba.njit(**FLAGS)
def log_sum_exp(h, first, classes):
    top = h[first]
    for j in range(first + 1, first + classes):
        top = h[j] if not h[j] <= top else top
    result = F32(0)
    for j in range(first, first + classes):
        result += maths.exp(h[j] - top)
    return top + maths.log(result)


@numba.njit(**FLAGS)
def logits_total(sparse, o, c, s):
    """sums += coefficient·Σ w·Σ y·(log Σeʰ − h)"""
    size, classes = o[4], o[5]
    n = s[ROWS] * size
    h, smoothing = floats(o[0], n), F32(c[1])
    y = floats(o[1], n)
    result = 0.0
    for r in range(n // classes):
        top = log_sum_exp(h, r * classes, classes)
        row = 0.0
        if sparse:
            row = np.float64(top - h[r * classes + np.int64(y[r])])
        else:
            for j in range(classes):
                row += target(y, r, j, classes, sparse, smoothing) * (top - h[r * classes + j])
        result += weight_of(o, r, size, classes) * row
    doubles(o[3], 1)[0] += result * c[0] * (s[BATCH_ROWS] if o[6] else 1)


@numba.njit(**FLAGS)
def logits_slopes(sparse, o, c, s):
    """dh = scale·w·(softmax(h)·Σy − y)"""
    size, classes = o[4], o[5]
    n = s[ROWS] * size
    softmax_rows(o[0], o[3], n // classes, classes)
    y, dh, smoothing = floats(o[1], n), floats(o[3], n), F32(c[1])
    scale = F32(scale_of(o, c, s))
    for r in range(n // classes):
        factor = scale * weight_of(o, r, size, classes)
        first = r * classes
        if sparse:
            for j in range(first, first + classes):
                dh[j] *= factor
            dh[first + np.int64(y[r])] -= factor
        else:
            mass = F32(0)
            for j in range(classes):
                mass += target(y, r, j, classes, sparse, smoothing)
            for j in range(classes):
                dh[first + j] = factor * (dh[first + j] * mass - target(y, r, j, classes, sparse, smoothing))


@numba.njit(**FLAGS)
def probabilities_total(sparse, o, c, s):
    """sums += −coefficient·Σ w·Σ y·log(p/Σp)"""
    size, classes = o[4], o[5]
    n = s[ROWS] * size
    p, y, smoothing = floats(o[0], n), floats(o[1], n), F32(c[1])
    result = 0.0
    for r in range(n // classes):
        mass = F32(0)
        for j in range(classes):
            mass += p[r * classes + j]
        row = 0.0
        for j in range(classes):
            q = clipped(p[r * classes + j] / mass)
            row -= target(y, r, j, classes, sparse, smoothing) * maths.log(q)
        result += weight_of(o, r, size, classes) * row
    doubles(o[3], 1)[0] += result * c[0] * (s[BATCH_ROWS] if o[6] else 1)


@numba.njit(**FLAGS)
def probabilities_slopes(sparse, o, c, s):
    """dp = scale·w·(Σy − y/q)/Σp for q = p/Σp, over the classes whose q is not clipped"""
    size, classes = o[4], o[5]
    n = s[ROWS] * size
    p, y, dp, smoothing = floats(o[0], n), floats(o[1], n), floats(o[3], n), F32(c[1])
    scale = F32(scale_of(o, c, s))
    for r in range(n // classes):
        first, mass, truth = r * classes, F32(0), F32(0)
        for j in range(classes):
            mass += p[first + j]
        for j in range(classes):
            q = p[first + j] / mass
            inside = not (q < EPSILON or q > ONE - EPSILON)
            truth += target(y, r, j, classes, sparse, smoothing) if inside else F32(0)
        factor = scale * weight_of(o, r, size, classes) / mass
        for j in range(classes):
            q = p[first + j] / mass
            inside = not (q < EPSILON or q > ONE - EPSILON)
            dp[first + j] = factor * (truth - (target(y, r, j, classes, sparse, smoothing) / q if inside else F32(0)))


def categorical_crossentropy(o, c, s, f):
    probabilities_total(False, o, c, s)


def categorical_crossentropy_gradient(o, c, s, f):
    probabilities_slopes(False, o, c, s)


def sparse_categorical_crossentropy(o, c, s, f):
    probabilities_total(True, o, c, s)


def sparse_categorical_crossentropy_gradient(o, c, s, f):
    probabilities_slopes(True, o, c, s)


def categorical_crossentropy_logits(o, c, s, f):
    logits_total(False, o, c, s)


def categorical_crossentropy_logits_gradient(o, c, s, f):
    logits_slopes(False, o, c, s)


def sparse_categorical_crossentropy_logits(o, c, s, f):
    logits_total(True, o, c, s)


def sparse_categorical_crossentropy_logits_gradient(o, c, s, f):
    logits_slopes(True, o, c, s)


# --- penalties on weights ------------------------------------------------------------------------------------------


@numba.njit(inline="always", **FLAGS)
def own_part(size, offset, vector, s):
    """(first, after): the elements of a stretch of the parameter vector that lie in this lane's share of it."""
    first, after = share(vector, s[LANE], s[LANES])
    return min(max(first - offset, 0), size), max(min(after - offset, size), 0)


def penalty(o, c, s, f):
    """sums += rows·(l1·Σ|W| + l2·ΣW²)"""
    first, after = own_part(o[2], o[3], o[4], s)
    W = floats(o[0], o[2])
    absolute, squares = 0.0, 0.0
    for i in range(first, after):
        absolute += np.float64(abs(W[i]))
        squares += np.float64(W[i]) * np.float64(W[i])
    doubles(o[1], 1)[0] += s[BATCH_ROWS] * (c[0] * absolute + c[1] * squares)


def penalty_gradient(o, c, s, f):
    """dW += l1·sign(W) + 2·l2·W"""
    first, after = own_part(o[2], o[3], o[4], s)
    W, dW = floats(o[0], o[2]), floats(o[1], o[2])
    l1, l2 = F32(c[0]), F32(2 * c[1])
    for i in range(first, after):
        sign = ONE if W[i] > F32(0) else (-ONE if W[i] < F32(0) else F32(0))
        dW[i] += l1 * sign + l2 * W[i]
