"""The activations made of straight or square pieces: a scalar function for each value and slope."""

import numpy as np

from thalweg.engine.native.compiler.llvm import select
from thalweg.engine.native.kernels.activations import adjoint, at_least, at_most, between, scalar, value

F32 = np.float32


@scalar
def inside(a, low, high):
    """1 between low and high, where the slope is not 0; otherwise 0."""
    return select(a > low, select(a < high, F32(1), F32(0)), F32(0))


@scalar
def relu_value(h, k):
    return at_least(h, F32(0))


@scalar
def relu_slope(a, k):
    return select(a > F32(0), F32(1), F32(0))


def relu(o, c, s, f):
    value(relu_value, o, s, ())


def relu_adjoint(o, c, s, f):
    adjoint(relu_slope, o, s, ())


@scalar
def general_relu_value(h, k):
    slope, top, low = k
    below = slope * (at_most(h, low) - low)
    return select(h > low, at_most(h, top), below)


@scalar
def general_relu_slope(h, k):
    slope, top, low = k
    at_low = select(low == F32(0), select(top == F32(np.inf), slope, F32(0)), F32(0))
    return select(h > low, select(h < top, F32(1), F32(0)), select(h < low, slope, at_low))


def general_relu(o, c, s, f):
    value(general_relu_value, o, s, (F32(c[0]), F32(c[1]), F32(c[2])))


def general_relu_adjoint(o, c, s, f):
    adjoint(general_relu_slope, o, s, (F32(c[0]), F32(c[1]), F32(c[2])))


@scalar
def leaky_relu_value(h, k):
    return select(h > F32(0), h, k * h)


@scalar
def leaky_relu_slope(h, k):
    return select(h > F32(0), F32(1), k)


def leaky_relu(o, c, s, f):
    value(leaky_relu_value, o, s, F32(c[0]))


def leaky_relu_adjoint(o, c, s, f):
    adjoint(leaky_relu_slope, o, s, F32(c[0]))


@scalar
def relu6_value(h, k):
    return between(h, F32(0), F32(6))


@scalar
def relu6_slope(a, k):
    return inside(a, F32(0), F32(6))


def relu6(o, c, s, f):
    value(relu6_value, o, s, ())


def relu6_adjoint(o, c, s, f):
    adjoint(relu6_slope, o, s, ())


@scalar
def hard_sigmoid_value(h, k):
    return between(h * F32(1 / 6) + F32(0.5), F32(0), F32(1))


@scalar
def hard_sigmoid_slope(a, k):
    return F32(1 / 6) * inside(a, F32(0), F32(1))


def hard_sigmoid(o, c, s, f):
    value(hard_sigmoid_value, o, s, ())


def hard_sigmoid_adjoint(o, c, s, f):
    adjoint(hard_sigmoid_slope, o, s, ())


@scalar
def hard_silu_value(h, k):
    return h * between(h * F32(1 / 6) + F32(0.5), F32(0), F32(1))


@scalar
def hard_silu_slope(h, k):
    return select(h <= F32(-3), F32(0), select(h >= F32(3), F32(1), F32(1 / 3) * h + F32(0.5)))


def hard_silu(o, c, s, f):
    value(hard_silu_value, o, s, ())


def hard_silu_adjoint(o, c, s, f):
    adjoint(hard_silu_slope, o, s, ())


@scalar
def hard_tanh_value(h, k):
    return between(h, F32(-1), F32(1))


@scalar
def hard_tanh_slope(a, k):
    return inside(a, F32(-1), F32(1))


def hard_tanh(o, c, s, f):
    value(hard_tanh_value, o, s, ())


def hard_tanh_adjoint(o, c, s, f):
    adjoint(hard_tanh_slope, o, s, ())


@scalar
def hard_shrink_value(h, k):
    return select(abs(h) <= k, F32(0), h)


@scalar
def hard_shrink_slope(a, k):
    return select(a == F32(0), F32(0), F32(1))


def hard_shrink(o, c, s, f):
    value(hard_shrink_value, o, s, F32(c[0]))


def hard_shrink_adjoint(o, c, s, f):
    adjoint(hard_shrink_slope, o, s, F32(c[0]))


@scalar
def soft_shrink_value(h, k):
    return select(h > k, h - k, select(h < -k, h + k, F32(0) * h))  # NaN stays NaN


@scalar
def soft_shrink_slope(a, k):
    return select(a == F32(0), F32(0), F32(1))


def soft_shrink(o, c, s, f):
    value(soft_shrink_value, o, s, F32(c[0]))


def soft_shrink_adjoint(o, c, s, f):
    adjoint(soft_shrink_slope, o, s, F32(c[0]))


@scalar
def sparse_plus_value(h, k):
    root = F32(0.5) * between(h, F32(-1), F32(1)) + F32(0.5)
    return select(h >= F32(1), h, root * root)


@scalar
def sparse_plus_slope(a, k):
    return at_most(np.sqrt(a), F32(1))


def sparse_plus(o, c, s, f):
    value(sparse_plus_value, o, s, ())


def sparse_plus_adjoint(o, c, s, f):
    adjoint(sparse_plus_slope, o, s, ())


@scalar
def sparse_sigmoid_value(h, k):
    return between(F32(0.5) * h + F32(0.5), F32(0), F32(1))


@scalar
def sparse_sigmoid_slope(a, k):
    return F32(0.5) * inside(a, F32(0), F32(1))


def sparse_sigmoid(o, c, s, f):
    value(sparse_sigmoid_value, o, s, ())


def sparse_sigmoid_adjoint(o, c, s, f):
    adjoint(sparse_sigmoid_slope, o, s, ())


@scalar
def threshold_value(h, k):
    threshold, default = k
    return select(h <= threshold, default, h)


@scalar
def threshold_slope(h, k):
    return select(h > k[0], F32(1), F32(0))


def threshold(o, c, s, f):
    value(threshold_value, o, s, (F32(c[0]), F32(c[1])))


def threshold_adjoint(o, c, s, f):
    adjoint(threshold_slope, o, s, (F32(c[0]), F32(c[1])))


@scalar
def step_value(h, k):
    return select(h < F32(0), F32(0), select(h >= F32(0), F32(1), h))


@scalar
def step_slope(a, k):
    return F32(0) * a


def step(o, c, s, f):
    value(step_value, o, s, ())


def step_adjoint(o, c, s, f):
    adjoint(step_slope, o, s, ())
