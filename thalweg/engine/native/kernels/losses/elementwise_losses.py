"""The losses of one output by itself: a function (y, p, three constants) → (value, slope), and its two kernels.

The name of a function is that of its kernel and `_of`: `activated.py` finds it by that.
"""

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS
from thalweg.engine.native.kernels.activations import each, sigmoid_value
from thalweg.engine.native.kernels.losses.loss_loops import F32, ONE, total, total_and_slopes
from thalweg.engine.native.layouts.state import ROWS
from thalweg.engine.native.linalg import mathematics as maths

ZERO = F32(0)
EPSILON = F32(1e-7)
LN_2 = F32(np.log(2))


@numba.njit(inline="always", **FLAGS)
def clipped(p):
    p = EPSILON if p < EPSILON else p
    return ONE - EPSILON if p > ONE - EPSILON else p  # in this order NaN stays NaN


@numba.njit(inline="always", **FLAGS)
def power(x, exponent):
    """x ≥ 0 to an exponent; x⁰ is 1."""
    return ONE if exponent == ZERO else maths.exp(exponent * maths.log(x))


@numba.njit(inline="always", **FLAGS)
def smoothed(y, smoothing):
    return y * (ONE - smoothing) + F32(0.5) * smoothing


@numba.njit(inline="always", **FLAGS)
def signed(y):
    return -ONE if y == ZERO else y


@numba.njit(forceinline=True, **FLAGS)
def squared_error_of(y, p, k1, k2, k3):
    e = p - y
    return e * e, F32(2) * e


@numba.njit(forceinline=True, **FLAGS)
def absolute_error_of(y, p, k1, k2, k3):
    return abs(p - y), maths.sign(p - y)


@numba.njit(forceinline=True, **FLAGS)
def percentage_error_of(y, p, k1, k2, k3):
    size = abs(y)
    scale = F32(100) / (EPSILON if size < EPSILON else size)
    return abs(p - y) * scale, maths.sign(p - y) * scale


@numba.njit(forceinline=True, **FLAGS)
def squared_logarithmic_error_of(y, p, k1, k2, k3):
    q = ONE + (EPSILON if p < EPSILON else p)
    e = maths.log(q) - maths.log(ONE + (EPSILON if y < EPSILON else y))
    return e * e, (ZERO if p < EPSILON else F32(2) * e / q)


@numba.njit(forceinline=True, **FLAGS)
def log_cosh_of(y, p, k1, k2, k3):
    """Of small errors by the series x²/2 − x⁴/12 + x⁶/45 − 17x⁸/2520, which loses no digits."""
    e = p - y
    size, square = abs(e), e * e
    near = square * (F32(0.5) - square * (F32(1 / 12) - square * (F32(1 / 45) - square * F32(17 / 2520))))
    far = size + (maths.softplus(F32(-2) * size) - LN_2)
    return (near if size < F32(0.3) else far), maths.tanh(e)


@numba.njit(forceinline=True, **FLAGS)
def huber_of(y, p, delta, k2, k3):
    e = p - y
    size = abs(e)
    slope = -delta if e < -delta else e
    return (
        delta * size - F32(0.5) * delta * delta if size > delta else F32(0.5) * e * e,
        delta if e > delta else slope,
    )


@numba.njit(forceinline=True, **FLAGS)
def quantile_of(y, p, q, k2, k3):
    e = p - y
    below = -q if e < ZERO else e
    return (ONE - q) * e if e > ZERO else -q * e, ONE - q if e > ZERO else below


@numba.njit(forceinline=True, **FLAGS)
def poisson_of(y, p, k1, k2, k3):
    q = p + EPSILON
    return p - y * maths.log(q), ONE - y / q


@numba.njit(forceinline=True, **FLAGS)
def kl_divergence_of(y, p, k1, k2, k3):
    y = EPSILON if y < EPSILON else y
    y = ONE if y > ONE else y
    q = EPSILON if p < EPSILON else p
    q = ONE if q > ONE else q
    ratio = y / q
    return y * maths.log(ratio), (ZERO if p < EPSILON or p > ONE else -ratio)


@numba.njit(forceinline=True, **FLAGS)
def hinge_of(y, p, k1, k2, k3):
    t = signed(y)
    margin = ONE - t * p
    return (ZERO if margin < ZERO else margin), (-t if margin > ZERO else ZERO)


@numba.njit(forceinline=True, **FLAGS)
def squared_hinge_of(y, p, k1, k2, k3):
    t = signed(y)
    margin = ONE - t * p
    margin = ZERO if margin < ZERO else margin
    return margin * margin, F32(-2) * t * margin


@numba.njit(forceinline=True, **FLAGS)
def binary_crossentropy_of(y, p, smoothing, k2, k3):
    y, q = smoothed(y, smoothing), clipped(p)
    slope = (q - y) / (q * (ONE - q))
    return (
        -(y * maths.log(q) + (ONE - y) * maths.log(ONE - q)),
        ZERO if p < EPSILON or p > ONE - EPSILON else slope,
    )


@numba.njit(forceinline=True, **FLAGS)
def binary_crossentropy_logits_of(y, h, smoothing, k2, k3):
    y = smoothed(y, smoothing)
    return maths.softplus(h) - h * y, maths.sigmoid(h) - y


@numba.njit(forceinline=True, **FLAGS)
def binary_focal_crossentropy_of(y, p, smoothing, gamma, alpha):
    y, q = smoothed(y, smoothing), clipped(p)
    entropy = -(y * maths.log(q) + (ONE - y) * maths.log(ONE - q))
    inner = ZERO if p < EPSILON or p > ONE - EPSILON else (q - y) / (q * (ONE - q))
    missing = y * (ONE - p) + (ONE - y) * p
    focus = power(missing, gamma)
    outer = ZERO if gamma == ZERO else gamma * power(missing, gamma - ONE) * (ONE - F32(2) * y)
    balance = y * alpha + (ONE - y) * (ONE - alpha) if alpha >= ZERO else ONE
    return balance * focus * entropy, balance * (focus * inner + outer * entropy)


@numba.njit(forceinline=True, **FLAGS)
def binary_focal_crossentropy_logits_of(y, h, smoothing, gamma, alpha):
    p = maths.sigmoid(h)
    value, slope = binary_focal_crossentropy_of(y, p, smoothing, gamma, alpha)
    return value, slope * p * (ONE - p)


@numba.njit(inline="always", **FLAGS)
def write_sigmoid(o, s):
    """a = σ(h), where something reads it."""
    if o[5]:
        each(sigmoid_value, o[0], o[5], s[ROWS] * o[6], ())


def squared_error(o, c, s, f):
    total(squared_error_of, o, c, s)


def squared_error_gradient(o, c, s, f):
    total_and_slopes(squared_error_of, o, c, s)


def absolute_error(o, c, s, f):
    total(absolute_error_of, o, c, s)


def absolute_error_gradient(o, c, s, f):
    total_and_slopes(absolute_error_of, o, c, s)


def percentage_error(o, c, s, f):
    total(percentage_error_of, o, c, s)


def percentage_error_gradient(o, c, s, f):
    total_and_slopes(percentage_error_of, o, c, s)


def squared_logarithmic_error(o, c, s, f):
    total(squared_logarithmic_error_of, o, c, s)


def squared_logarithmic_error_gradient(o, c, s, f):
    total_and_slopes(squared_logarithmic_error_of, o, c, s)


def log_cosh(o, c, s, f):
    total(log_cosh_of, o, c, s)


def log_cosh_gradient(o, c, s, f):
    total_and_slopes(log_cosh_of, o, c, s)


def huber(o, c, s, f):
    total(huber_of, o, c, s)


def huber_gradient(o, c, s, f):
    total_and_slopes(huber_of, o, c, s)


def quantile(o, c, s, f):
    total(quantile_of, o, c, s)


def quantile_gradient(o, c, s, f):
    total_and_slopes(quantile_of, o, c, s)


def poisson(o, c, s, f):
    total(poisson_of, o, c, s)


def poisson_gradient(o, c, s, f):
    total_and_slopes(poisson_of, o, c, s)


def kl_divergence(o, c, s, f):
    total(kl_divergence_of, o, c, s)


def kl_divergence_gradient(o, c, s, f):
    total_and_slopes(kl_divergence_of, o, c, s)


def hinge(o, c, s, f):
    total(hinge_of, o, c, s)


def hinge_gradient(o, c, s, f):
    total_and_slopes(hinge_of, o, c, s)


def squared_hinge(o, c, s, f):
    total(squared_hinge_of, o, c, s)


def squared_hinge_gradient(o, c, s, f):
    total_and_slopes(squared_hinge_of, o, c, s)


def binary_crossentropy(o, c, s, f):
    total(binary_crossentropy_of, o, c, s)


def binary_crossentropy_gradient(o, c, s, f):
    total_and_slopes(binary_crossentropy_of, o, c, s)


def binary_crossentropy_logits(o, c, s, f):
    total(binary_crossentropy_logits_of, o, c, s)


def binary_crossentropy_logits_gradient(o, c, s, f):
    total_and_slopes(binary_crossentropy_logits_of, o, c, s)
    write_sigmoid(o, s)


def binary_focal_crossentropy(o, c, s, f):
    total(binary_focal_crossentropy_of, o, c, s)


def binary_focal_crossentropy_gradient(o, c, s, f):
    total_and_slopes(binary_focal_crossentropy_of, o, c, s)


def binary_focal_crossentropy_logits(o, c, s, f):
    total(binary_focal_crossentropy_logits_of, o, c, s)


def binary_focal_crossentropy_logits_gradient(o, c, s, f):
    total_and_slopes(binary_focal_crossentropy_logits_of, o, c, s)
    write_sigmoid(o, s)
