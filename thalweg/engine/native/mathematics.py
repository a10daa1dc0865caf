"""float32 exp, log, tanh, sigmoid and softplus that LLVM vectorises when they are called in a loop.

numba's own np.exp and np.tanh call the C library once per element. Here every function is a polynomial without
branches, inlined into its caller. NaN and infinity pass through as IEEE 754 asks.

The sums are written with multiply_add, which fixes their order: the compiler may not merge a correction away.
"""

import numba
import numpy as np

from thalweg.engine.native.llvm import FLAGS, bits_float, float_bits, multiply_add

_f = np.float32
_i = np.int32

LOG2_E = _f(1.4426950408889634)
LN2_HIGH = _f(0.693359375)  # ln 2 = high + low; high has 9 bits, so k·high is exact for an exponent k
LN2_LOW = _f(-2.12194440e-4)
ROUNDING = _f(12582912.0)  # 1.5·2²³: a float this large has no fraction, and its lowest bits are an integer
EXP_MAX = _f(88.72283)  # the largest float with a finite exp
EXP_MIN = _f(-87.33654)  # the smallest float with a normal exp: below, exp is 0
INFINITY = _f(np.inf)
NAN = _f(np.nan)
SMALLEST_NORMAL = _f(1.1754944e-38)
SQRT_HALF_BITS = _i(0x3F3504F3)


@numba.njit(inline="always", **FLAGS)
def _exp_in_range(x):
    """eˣ for x in −87.3 … 88.7: 2ᵏ·eʳ with k = round(x / ln 2) and r = x − k·ln 2 (Cody and Waite's reduction).

    eʳ = 1 + r + r²·p(r), with the polynomial of Cephes' expf; 2ᵏ is added to the exponent's bits. Error: 1 ulp.
    Outside the range, and for NaN, the result is any number.
    """
    shifted = multiply_add(x, LOG2_E, ROUNDING)
    k = multiply_add(shifted, _f(1), -ROUNDING)
    r = multiply_add(k, -LN2_LOW, multiply_add(k, -LN2_HIGH, x))
    p = multiply_add(r, _f(1.9875691500e-4), _f(1.3981999507e-3))
    p = multiply_add(p, r, _f(8.3334519073e-3))
    p = multiply_add(p, r, _f(4.1665795894e-2))
    p = multiply_add(p, r, _f(1.6666665459e-1))
    p = multiply_add(p, r, _f(5.0000001201e-1))
    p = multiply_add(p, r * r, r) + _f(1)
    return bits_float(float_bits(p) + (float_bits(shifted) << _i(23)))


@numba.njit(inline="always", **FLAGS)
def exp(x):
    """eˣ. Error: 1 ulp; infinity above 88.72, and 0 below −87.34, where the result would be denormal."""
    y = _f(0) if x < EXP_MIN else _exp_in_range(x)
    return y if x <= EXP_MAX else x + INFINITY  # infinity, or NaN where x is


@numba.njit(inline="always", **FLAGS)
def _log1p_near_0(f):
    """ln(1 + f) = f − f²/2 + f³·p(f) for 1 + f in √½ … √2, with the polynomial of Cephes' logf."""
    p = multiply_add(f, _f(7.0376836292e-2), _f(-1.1514610310e-1))
    p = multiply_add(p, f, _f(1.1676998740e-1))
    p = multiply_add(p, f, _f(-1.2420140846e-1))
    p = multiply_add(p, f, _f(1.4249322787e-1))
    p = multiply_add(p, f, _f(-1.6668057665e-1))
    p = multiply_add(p, f, _f(2.0000714765e-1))
    p = multiply_add(p, f, _f(-2.4999993993e-1))
    p = multiply_add(p, f, _f(3.3333331174e-1))
    square = f * f
    return p * f * square, _f(-0.5) * square


@numba.njit(inline="always", **FLAGS)
def log(x):
    """ln x = k·ln 2 + ln m with x = 2ᵏ·m and m in √½ … √2. Error: 1 ulp. ln 0 = −∞, ln of a negative number is NaN."""
    tiny = x < SMALLEST_NORMAL
    scaled = x * _f(8388608) if tiny else x  # a denormal times 2²³ is normal
    bits = _i(float_bits(scaled) - SQRT_HALF_BITS)  # numba widens sums of int32, which would halve the vectors
    k = _f(_i(bits >> _i(23)))
    f = bits_float((bits & _i(0x7FFFFF)) + SQRT_HALF_BITS) - _f(1)
    k = k - _f(23) if tiny else k
    cubic, square = _log1p_near_0(f)
    y = multiply_add(k, LN2_HIGH, f + (square + multiply_add(k, LN2_LOW, cubic)))
    y = y if x < INFINITY else x  # infinity and NaN
    y = -INFINITY if x == _f(0) else y
    return NAN if x < _f(0) else y


@numba.njit(inline="always", **FLAGS)
def sigmoid(x):
    """σ(x) = 1 / (1 + e⁻ˣ). Error: 2 ulp; 0 below −88.7."""
    return _f(1) / (_f(1) + exp(-x))


@numba.njit(inline="always", **FLAGS)
def softplus(x):
    """ln(1 + eˣ) = max(x, 0) + ln(1 + u) with u = e^−|x|, which neither overflows nor loses a small eˣ.

    ln(1 + u) = ln 2 + ln(1 + (u − 1) / 2) where u > √2 − 1. Error: 2 ulp.
    """
    size = abs(x)
    u = _exp_in_range(-size) if size < -EXP_MIN else _f(0)
    large = u > _f(0.41421356)
    f = _f(0.5) * u - _f(0.5) if large else u
    base = _f(0.6931472) if large else _f(0)
    cubic, square = _log1p_near_0(f)
    positive = _f(0) if x < _f(0) else x  # NaN where x is
    return positive + (base + (f + (square + cubic)))


@numba.njit(inline="always", **FLAGS)
def tanh(x):
    """tanh x = 1 − 2 / (e²ˣ + 1) for x ≥ 0.625, and x + x³·p(x²) with the polynomial of Cephes' tanhf below.

    tanh is odd. Error: 2 ulp. (A single rational approximation takes 0.6 of the time, with an error of 5 ulp.)
    """
    s = x * x
    p = multiply_add(s, _f(-5.70498872745e-3), _f(2.06390887954e-2))
    p = multiply_add(p, s, _f(-5.37397155531e-2))
    p = multiply_add(p, s, _f(1.33314422036e-1))
    p = multiply_add(p, s, _f(-3.33332819422e-1))
    near = multiply_add(p * s, x, x)
    size = abs(x)
    twice = _f(20) if size > _f(10) else size + size
    far = _f(1) - _f(2) / (_exp_in_range(twice) + _f(1))
    far = -far if x < _f(0) else far
    return far if size >= _f(0.625) else near  # NaN is near
