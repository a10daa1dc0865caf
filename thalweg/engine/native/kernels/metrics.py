"""Running float64 sums for metrics: by hand, as several sums are added in one pass over the predictions and targets.

Operands: p, y, sums; sizes: elements of a row, classes.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.losses.class_numbers import NO_CLASS, class_of
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.linalg import mathematics as maths

F32 = np.float32


@kernel
def equal_matches(p, y, sums, size, *, rows):
    """sums += Σ [ŷ = y]"""
    n = rows * size
    p, y = floats(p, n), floats(y, n)
    result = 0
    for i in range(n):
        result += p[i] == y[i]
    doubles(sums, 1)[0] += result


@kernel
def binary_matches(p, y, sums, size, threshold: float, *, rows):
    """sums += Σ [(ŷ > threshold) = y]"""
    n = rows * size
    p, y, threshold = floats(p, n), floats(y, n), F32(threshold)
    result = 0
    for i in range(n):
        result += (F32(1) if p[i] > threshold else F32(0)) == y[i]
    doubles(sums, 1)[0] += result


@compiled
def argmax(v, first, classes):
    """The index of the first of the largest."""
    best = 0
    for j in range(1, classes):
        if v[first + j] > v[first + best]:
            best = j
    return best


@kernel
def categorical_matches(p, y, sums, size, classes, *, rows):
    """sums += Σ [argmax ŷ = argmax y]"""
    n = rows * size
    p, y = floats(p, n), floats(y, n)
    result = 0
    for first in range(0, n, classes):
        result += argmax(p, first, classes) == argmax(y, first, classes)
    doubles(sums, 1)[0] += result


@kernel
def sparse_matches(p, y, sums, size, classes, *, rows):
    """sums += Σ [argmax ŷ = y]"""
    n = rows * size
    p, y = floats(p, n), floats(y, n // classes)
    result = 0
    for r in range(n // classes):
        result += F32(argmax(p, r * classes, classes)) == y[r]
    doubles(sums, 1)[0] += result


@compiled
def exceeded_by_fewer(p, first, classes, own, k):
    """Whether fewer than k of a row's predictions exceed that of class `own`."""
    value, larger = p[first + own], 0
    for j in range(first, first + classes):
        larger += p[j] > value
    return larger < k and np.isfinite(value)


@kernel
def top_matches(p, y, sums, size, classes, k, *, rows):
    """sums += Σ [fewer than k predictions exceed ŷ[argmax y]]"""
    n = rows * size
    p, y = floats(p, n), floats(y, n)
    result = 0
    for first in range(0, n, classes):
        result += exceeded_by_fewer(p, first, classes, argmax(y, first, classes), k)
    doubles(sums, 1)[0] += result


@kernel
def sparse_top_matches(p, y, sums, size, classes, k, *, rows):
    """sums += Σ [fewer than k predictions exceed ŷ[y]]"""
    n = rows * size
    p, y = floats(p, n), floats(y, n // classes)
    result = 0
    for r in range(n // classes):
        own = class_of(y[r], classes)
        if own != NO_CLASS:
            result += exceeded_by_fewer(p, r * classes, classes, own, k)
    doubles(sums, 1)[0] += result


@kernel
def confusion_counts(p, y, sums, size, classes, class_id, top_k, threshold: float, *, rows):
    """sums += TP, FP, FN, TN"""
    n = rows * size
    p, y, sums, threshold = floats(p, n), floats(y, n), doubles(sums, 4), F32(threshold)
    for i in range(n):
        j = i % classes
        if class_id >= 0 and j != class_id:
            continue
        positive = p[i] > threshold
        if top_k and positive:
            larger = 0
            for k in range(classes):
                other = p[i - j + k]
                larger += other > p[i] or (other == p[i] and k < j)
            positive = larger < top_k
        sums[(0 if positive else 2) + (0 if y[i] != F32(0) else 1)] += 1.0


@kernel
def class_counts(p, y, sums, size, classes, columns, threshold: float, *, rows):
    """sums += right, predicted and actual rows of each class"""
    n = rows * size
    lines = n // classes
    p, y, sums, threshold = floats(p, n), floats(y, lines * columns), doubles(sums, 3 * classes), F32(threshold)
    for r in range(lines):
        first = r * classes
        top = p[first + argmax(p, first, classes)]
        for j in range(classes):
            value = p[first + j]
            positive = value > threshold if threshold >= F32(0) else value >= top and abs(value) > F32(1e-9)
            truth = np.float64(y[r * columns + j]) if columns == classes else 1.0 * (y[r] == F32(j))
            sums[j] += truth if positive else 0.0
            sums[classes + j] += 1.0 if positive else 0.0
            sums[2 * classes + j] += truth


@kernel
def score_histogram(p, y, sums, size, classes, buckets, by_output, logits, *, rows):
    """sums += Σ y, Σ (1 − y) in each bucket of ŷ"""
    n = rows * size
    p, y = floats(p, n), floats(y, n)
    sums = doubles(sums, 2 * buckets * (classes if by_output else 1))
    for i in range(n):
        value = maths.sigmoid(p[i]) if logits else p[i]
        value = value if value < F32(1) else F32(1)
        value = value if value > F32(0) else F32(0)  # NaN too
        bucket = max(np.int64(np.ceil(value * F32(buckets - 1))) - 1, 0)
        place = (i % classes * 2 * buckets if by_output else 0) + bucket
        sums[place] += y[i]
        sums[place + buckets] += F32(1) - y[i]


@kernel
def moments(p, y, sums, size, *, rows):
    """sums += Σ ŷ, Σ y, Σ ŷ², Σ y², Σ ŷ·y, for each output"""
    p, y, sums = floats(p, rows * size), floats(y, rows * size), doubles(sums, 5 * size)
    for r in range(rows):
        for j in range(size):
            a, b = np.float64(p[r * size + j]), np.float64(y[r * size + j])
            sums[j] += a
            sums[size + j] += b
            sums[2 * size + j] += a * a
            sums[3 * size + j] += b * b
            sums[4 * size + j] += a * b
