"""float32 sin, cos, arctan and others that LLVM vectorises when they are called in a loop; see mathematics.py."""

import numpy as np

from thalweg.engine.native.compiler.llvm import float_bits, multiply_add, power_of_two, select
from thalweg.engine.native.language.callables import compiled, inlined

_f = np.float32
_d = np.float64
_i = np.int32

INFINITY = _f(np.inf)
NAN = _f(np.nan)
DIGIT = _d(16777216.0)  # 2²⁴
ONE_BY_PI = _d(0.3183098861837907)
PI_HIGH = _d(3.141592653589793)  # π = high + low
PI_LOW = _d(1.2246467991473532e-16)
DOUBLE_ROUNDING = _d(6755399441055744.0)  # 1.5·2⁵²
DIGITS_OF_1_BY_PI = (5340353.0, 12003106.0, 693502.0, 1289192.0, 16423534.0, 14708145.0, 4902046.0, 2213920.0)
NEAR = _f(1048576.0)  # 2²⁰: up to here, near_sin and near_cos hold
ALMOST_HALF = _f(0.49999997)  # which doesn't round up the sum with an odd number beyond 2²³


@inlined
def polynomial(x, highest, *others):
    """The polynomial with these coefficients, by Horner's scheme."""
    p = _f(highest)
    for coefficient in others:
        p = multiply_add(p, x, _f(coefficient))
    return p


@inlined
def _sin_of_rest(r):
    """sin r for r in −π/2 … π/2."""
    s = r * r
    p = polynomial(s, 2.60576530e-6, -1.98095963e-4, 8.33306616e-3, -1.66666595e-1)
    return multiply_add(p * s, r, r)


@inlined
def _turned(x, quarter):
    """sin(x + quarter·π/2), quarter 0 or 1: ±sin(x − m·π) with the integer or half-integer m near x/π.

    The reduction is done in float64, where its error is negligible for |x| up to 2²⁰, and up to 10⁹ with fused
    multiply-add; beyond, the result is arbitrary.
    """
    half = _d(0.5 * quarter)
    wide = _d(x)
    k = multiply_add(multiply_add(multiply_add(wide, ONE_BY_PI, half), _d(1), DOUBLE_ROUNDING), _d(1), -DOUBLE_ROUNDING)
    m = multiply_add(k, _d(1), -half)
    rest = _f(multiply_add(m, -PI_LOW, multiply_add(m, -PI_HIGH, wide)))
    odd = _f(k - _d(2) * np.floor(_d(0.5) * k))
    y = _sin_of_rest(rest)
    y = select(odd > _f(0.5), -y, y)
    return select(abs(x) < INFINITY, y, NAN)


@inlined
def near_sin(x):
    """sin x for |x| up to 2²⁰. Error: 2 ulp. `sin` has a branch, so its loops aren't vectorised."""
    return _turned(x, 0)


@inlined
def near_cos(x):
    """cos x for |x| up to 2²⁰. Error: 2 ulp."""
    return _turned(x, 1)


@inlined
def _without_turns(t):
    """What is left of t half turns, t ≥ 0, without whole turns; exact."""
    return multiply_add(np.floor(_d(0.5) * t), _d(-2), t)


@compiled
def _turned_far(x, quarter):
    """The same for |x| from 2²⁰ on, by Payne and Hanek's reduction.

    Of |x|/π = 2ᵉ·m·0.d₀d₁d₂…, with a whole m and the digits d in the base 2²⁴, the products of m and a digit that are
    whole turns are left out; the four digits from there on suffice.
    """
    bits = _i(float_bits(x) & _i(0x7FFFFFFF))
    e = (bits >> 23) - 150
    first = max(e + 23, 24) // 24 - 1
    weight = _d(power_of_two(_i(e - 24 * (first + 1)))) * _d((bits & 0x7FFFFF) | 0x800000)
    a = _without_turns(weight * DIGITS_OF_1_BY_PI[first])
    b = _without_turns(weight / DIGIT * DIGITS_OF_1_BY_PI[first + 1])
    c = weight / DIGIT / DIGIT * DIGITS_OF_1_BY_PI[first + 2]
    d = weight / DIGIT / DIGIT / DIGIT * DIGITS_OF_1_BY_PI[first + 3]
    sum_of_two, half = multiply_add(a, _d(1), b), _d(0.5 * quarter)
    k = np.rint(sum_of_two + c + half)
    rest = multiply_add(sum_of_two, _d(1), -multiply_add(k, _d(1), -half))
    rest = multiply_add(multiply_add(rest, _d(1), c), _d(1), d)
    y = _sin_of_rest(_f(PI_HIGH * rest))
    negative = (k - _d(2) * np.floor(_d(0.5) * k) > _d(0.5)) != (x < _f(0) and quarter == 0)
    return -y if negative else y


@inlined
def sin(x):
    """sin x. Error: 2 ulp."""
    return _turned_far(x, 0) if NEAR < abs(x) < INFINITY else _turned(x, 0)


@inlined
def cos(x):
    """cos x. Error: 2 ulp."""
    return _turned_far(x, 1) if NEAR < abs(x) < INFINITY else _turned(x, 1)


@inlined
def cos_of_turns(x):
    """cos(2πx) = sin(2π(¼ − |r|)) with r = x − round(x). Error: 3 ulp.

    All in float32: an argument in turns loses nothing when whole turns are taken off.
    """
    r = x - np.floor(x + ALMOST_HALF)
    return _sin_of_rest(_f(6.2831853) * (_f(0.25) - abs(r)))


@inlined
def sin_of_turns(x):
    """sin(2πx), in the same way: sin(2πr) = ±sin(2π(½ − |r|)) where |r| > ¼."""
    r = x - np.floor(x + ALMOST_HALF)
    size = abs(r)
    y = _sin_of_rest(_f(6.2831853) * select(size > _f(0.25), _f(0.5) - size, size))
    return select(r < _f(0), -y, y)


@inlined
def atan(x):
    """arctan x = base + arctan z: z = x up to √2 − 1, (x − 1)/(x + 1) up to √2 + 1, and −1/x beyond. Error: 2 ulp."""
    size = abs(x)
    large, middle = size > _f(2.41421356), size > _f(0.41421356)
    above = select(large, _f(-1), select(middle, size - _f(1), size))
    below = select(large, size, select(middle, size + _f(1), _f(1)))
    base = select(large, _f(1.57079633), select(middle, _f(0.78539816), _f(0)))
    z = above / below
    s = z * z
    p = polynomial(s, -6.083375e-2, 1.0595972e-1, -1.4243845e-1, 1.9998489e-1, -3.3333316e-1)
    y = base + multiply_add(p * s, z, z)
    return select(x < _f(0), -y, y)


@inlined
def atan2(y, x):
    """The angle of the point (x, y), in −π … π, with the signs of 0 and of ∞ as in IEEE 754. Error: 3 ulp."""
    across, up = abs(x), abs(y)
    same = select(up == _f(0), _f(0), _f(1))  # both 0 or both infinite, where the quotient would be NaN
    angle = atan(select(up == across, same, up / across))
    angle = select(float_bits(x) < _i(0), _f(3.14159265) - angle, angle)
    return select(float_bits(y) < _i(0), -angle, angle)
