"""The smooth activations: a scalar function for each value and slope, and the loops that vectorise over them.

A result may overwrite its operand. LLVM vectorises a loop over two arrays behind a check that they don't overlap, and
takes a scalar loop if they do; so the case of one array has a loop of its own. The loops are inlined into each kernel
because numba can't keep a function on disk that is handed another as an argument.
"""

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, floats, select, unknown
from thalweg.engine.native.layouts.state import ROWS
from thalweg.engine.native.linalg import mathematics as maths

F32 = np.float32

scalar = numba.njit(inline="always", **FLAGS)


@scalar
def each(function, h, a, n, arguments):
    """a = f(h; arguments), element by element.

    On AVX2, LLVM makes of "store a choice between x and what lies there" a masked store of x, which takes some
    processors six times as long. The 1 of which it doesn't know that it is one hides what lies there.
    """
    y = floats(a, n)
    if h == a:
        one = unknown(F32(1))
        for i in range(n):
            y[i] = function(y[i] * one, arguments)
    else:
        x = floats(h, n)
        for i in range(n):
            y[i] = function(x[i], arguments)


@scalar
def each_adjoint(slope, v, da, dh, n, arguments):
    """dh = da·f'(v; arguments), element by element."""
    x, y = floats(v, n), floats(dh, n)
    if da == dh:
        for i in range(n):
            y[i] *= slope(x[i], arguments)
    else:
        d = floats(da, n)
        for i in range(n):
            y[i] = d[i] * slope(x[i], arguments)


@scalar
def value(function, o, s, arguments):
    """The kernel of an activation a = f(h; arguments)."""
    each(function, o[0], o[1], s[ROWS] * o[2], arguments)


@scalar
def adjoint(slope, o, s, arguments):
    """The kernel of its adjoint, dh = da·f'(v; arguments)."""
    each_adjoint(slope, o[0], o[1], o[2], s[ROWS] * o[3], arguments)


@scalar
def at_least(h, low):
    """max(h, low); NaN where h is."""
    return select(h < low, low, h)


@scalar
def at_most(h, high):
    """min(h, high); NaN where h is."""
    return select(h > high, high, h)


@scalar
def between(h, low, high):
    """h kept between low and high; NaN where h is."""
    return at_most(at_least(h, low), high)


@scalar
def sigmoid_value(h, k):
    return maths.sigmoid(h)


@scalar
def sigmoid_slope(a, k):
    return a * (F32(1) - a)


def sigmoid(o, c, s, f):
    value(sigmoid_value, o, s, ())


def sigmoid_adjoint(o, c, s, f):
    adjoint(sigmoid_slope, o, s, ())


@scalar
def log_sigmoid_value(h, k):
    return -maths.softplus(-h)


@scalar
def log_sigmoid_slope(a, k):
    return -maths.expm1(a)


def log_sigmoid(o, c, s, f):
    value(log_sigmoid_value, o, s, ())


def log_sigmoid_adjoint(o, c, s, f):
    adjoint(log_sigmoid_slope, o, s, ())


@scalar
def tanh_value(h, k):
    return maths.tanh(h)


@scalar
def tanh_slope(a, k):
    return F32(1) - a * a


def tanh(o, c, s, f):
    value(tanh_value, o, s, ())


def tanh_adjoint(o, c, s, f):
    adjoint(tanh_slope, o, s, ())


@scalar
def tanh_shrink_value(h, k):
    return maths.tanh_shrink(h)


@scalar
def tanh_shrink_slope(h, k):
    t = maths.tanh(h)
    return t * t


def tanh_shrink(o, c, s, f):
    value(tanh_shrink_value, o, s, ())


def tanh_shrink_adjoint(o, c, s, f):
    adjoint(tanh_shrink_slope, o, s, ())


@scalar
def softplus_value(h, k):
    return maths.softplus(h)


@scalar
def softplus_slope(a, k):
    return -maths.expm1(-a)


def softplus(o, c, s, f):
    value(softplus_value, o, s, ())


def softplus_adjoint(o, c, s, f):
    adjoint(softplus_slope, o, s, ())


@scalar
def softsign_value(h, k):
    return h / (F32(1) + abs(h))


@scalar
def softsign_slope(a, k):
    rest = F32(1) - abs(a)
    return rest * rest


def softsign(o, c, s, f):
    value(softsign_value, o, s, ())


def softsign_adjoint(o, c, s, f):
    adjoint(softsign_slope, o, s, ())


@scalar
def exponential_value(h, k):
    return maths.exp(h)


@scalar
def exponential_slope(a, k):
    return a


def exponential(o, c, s, f):
    value(exponential_value, o, s, ())


def exponential_adjoint(o, c, s, f):
    adjoint(exponential_slope, o, s, ())


@scalar
def silu_value(h, k):
    return h * maths.sigmoid(h)


@scalar
def silu_slope(h, k):
    h = between(h, F32(-100), F32(100))  # beyond, infinity times 0 would be NaN
    s = maths.sigmoid(h)
    return s + s * h * (F32(1) - s)


def silu(o, c, s, f):
    value(silu_value, o, s, ())


def silu_adjoint(o, c, s, f):
    adjoint(silu_slope, o, s, ())


@scalar
def gelu_value(h, k):
    share, _ = maths.normal(h)
    return h * share


@scalar
def gelu_slope(h, k):
    h = between(h, F32(-14), F32(14))
    share, density = maths.normal(h)
    return share + h * density


def gelu(o, c, s, f):
    value(gelu_value, o, s, ())


def gelu_adjoint(o, c, s, f):
    adjoint(gelu_slope, o, s, ())


@scalar
def gelu_approximate_value(h, k):
    return h * maths.sigmoid(h * (F32(1.5957691216) + F32(0.0713548162) * (h * h)))


@scalar
def gelu_approximate_slope(h, k):
    h = between(h, F32(-30), F32(30))
    s = maths.sigmoid(h * (F32(1.5957691216) + F32(0.0713548162) * (h * h)))
    return s + s * (F32(1) - s) * h * (F32(1.5957691216) + F32(0.2140644487) * (h * h))


def gelu_approximate(o, c, s, f):
    value(gelu_approximate_value, o, s, ())


def gelu_approximate_adjoint(o, c, s, f):
    adjoint(gelu_approximate_slope, o, s, ())


@scalar
def mish_value(h, k):
    gate, _ = maths.mish_gate(h)
    return h * gate


@scalar
def mish_slope(h, k):
    h = between(h, F32(-100), F32(100))  # beyond, infinity times 0 would be NaN
    gate, slope = maths.mish_gate(h)
    return gate + h * slope


def mish(o, c, s, f):
    value(mish_value, o, s, ())


def mish_adjoint(o, c, s, f):
    adjoint(mish_slope, o, s, ())


@scalar
def golu_value(h, k):
    h = at_least(h, F32(-4.5))  # below, the gate is 0
    return h * maths.exp(-maths.exp(-h))


@scalar
def golu_slope(h, k):
    h = at_least(h, F32(-4.5))
    e = maths.exp(-h)
    return maths.exp(-e) * (F32(1) + h * e)


def golu(o, c, s, f):
    value(golu_value, o, s, ())


def golu_adjoint(o, c, s, f):
    adjoint(golu_slope, o, s, ())


@scalar
def elu_value(h, k):
    return select(h > F32(0), h, k * maths.expm1(h))


@scalar
def elu_slope(a, k):
    return select(a > F32(0), F32(1), a + k)


def elu(o, c, s, f):
    value(elu_value, o, s, F32(c[0]))


def elu_adjoint(o, c, s, f):
    adjoint(elu_slope, o, s, F32(c[0]))


@scalar
def celu_value(h, k):
    return select(h > F32(0), h, k * maths.expm1(h / k))


@scalar
def celu_slope(a, k):
    return select(a > F32(0), F32(1), a / k + F32(1))


def celu(o, c, s, f):
    value(celu_value, o, s, F32(c[0]))


def celu_adjoint(o, c, s, f):
    adjoint(celu_slope, o, s, F32(c[0]))


@scalar
def selu_value(h, k):
    return select(h > F32(0), F32(1.05070099) * h, F32(1.75809934) * maths.expm1(h))


@scalar
def selu_slope(a, k):
    return select(a > F32(0), F32(1.05070099), a + F32(1.75809934))


def selu(o, c, s, f):
    value(selu_value, o, s, ())


def selu_adjoint(o, c, s, f):
    adjoint(selu_slope, o, s, ())


@scalar
def squareplus_value(h, k):
    return at_least(h, F32(0)) + F32(0.5) * k / (np.sqrt(h * h + k) + abs(h))


@scalar
def squareplus_slope(a, k):
    b = k / (F32(4) * (a * a))  # infinite where a² is 0
    return F32(1) / (F32(1) + b)


def squareplus(o, c, s, f):
    value(squareplus_value, o, s, F32(c[0]))


def squareplus_adjoint(o, c, s, f):
    adjoint(squareplus_slope, o, s, F32(c[0]))


@scalar
def gaussian_value(h, k):
    return maths.exp(-(h * h))


@scalar
def gaussian_slope(h, k):
    h = between(h, F32(-100), F32(100))
    return F32(-2) * h * maths.exp(-(h * h))


def gaussian(o, c, s, f):
    value(gaussian_value, o, s, ())


def gaussian_adjoint(o, c, s, f):
    adjoint(gaussian_slope, o, s, ())


@scalar
def sine_value(h, k):
    return maths.sin(h)


@scalar
def sine_slope(h, k):
    return maths.cos(h)


def sine(o, c, s, f):
    value(sine_value, o, s, ())


def sine_adjoint(o, c, s, f):
    adjoint(sine_slope, o, s, ())


@scalar
def arctan_value(h, k):
    return maths.atan(h)


@scalar
def arctan_slope(h, k):
    return F32(1) / (F32(1) + h * h)


def arctan(o, c, s, f):
    value(arctan_value, o, s, ())


def arctan_adjoint(o, c, s, f):
    adjoint(arctan_slope, o, s, ())


@scalar
def bent_identity_value(h, k):
    x = between(h, F32(-1e9), F32(1e9))  # whose square is finite
    return h + F32(0.5) * h * (x / (np.sqrt(x * x + F32(1)) + F32(1)))


@scalar
def bent_identity_slope(h, k):
    x = between(h, F32(-1e9), F32(1e9))
    return F32(1) + F32(0.5) * x / np.sqrt(x * x + F32(1))


def bent_identity(o, c, s, f):
    value(bent_identity_value, o, s, ())


def bent_identity_adjoint(o, c, s, f):
    adjoint(bent_identity_slope, o, s, ())
