"""float32 exp, log, tanh, erf and others that LLVM vectorises when called in a loop; angles.py has sin and cos.

NumPy's and math's functions would call the C library once per element. Here every function is a polynomial without
branches, inlined into its caller. NaN and infinity propagate as IEEE 754 requires.

The sums are written with multiply_add, which fixes their order: the compiler may not optimise a correction away.
"""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, float_bits, multiply_add, select
from thalweg.engine.native.language.callables import inlined
from thalweg.engine.native.linalg.angles import NEAR, atan, atan2, cos, near_cos, near_sin, polynomial, sin  # noqa: F401

_f = np.float32
_d = np.float64
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
DIGIT = _d(16777216.0)  # 2²⁴
SQRT_HALF_BITS = _i(0x3F3504F3)


@inlined
def sign(x):
    """1, 0 or −1. 0 stays 0, NaN stays NaN."""
    return select(x > _f(0), _f(1), select(x < _f(0), _f(-1), x))


@inlined
def _reduced(x, rounding):
    """A float whose lowest bits are k = round(x / ln 2), and r = x − k·ln 2 (Cody and Waite's reduction)."""
    shifted = multiply_add(x, LOG2_E, rounding)
    k = multiply_add(shifted, _f(1), -rounding)
    return shifted, multiply_add(k, -LN2_LOW, multiply_add(k, -LN2_HIGH, x))


@inlined
def _expm1_near_0(r):
    """eʳ − 1 = r + r²·p(r) for |r| up to ½·ln 2; p of degree 4 with the smallest error relative to eʳ, 3e-9."""
    p = polynomial(r, 1.3814593e-3, 8.3687194e-3, 4.1668389e-2, 1.6666521e-1, 4.9999994e-1)
    return multiply_add(p, r * r, r)


@inlined
def _exp_in_range(x):
    """eˣ = 2ᵏ·eʳ for x in −87.3 … 88.7: 2ᵏ is added to the exponent's bits. Error: 1 ulp.

    Outside the range, and for NaN, the result is arbitrary.
    """
    shifted, r = _reduced(x, ROUNDING)
    return bits_float(float_bits(_expm1_near_0(r) + _f(1)) + (float_bits(shifted) << _i(23)))


@inlined
def exp(x):
    """eˣ. Error: 1 ulp; infinity above 88.72, and 0 below −87.34, where the result would be denormal."""
    y = _f(0) if x < EXP_MIN else _exp_in_range(x)
    return y if x <= EXP_MAX else x + INFINITY  # infinity, or NaN if x is


@inlined
def _log1p_near_0(f):
    """ln(1 + f) = f − f²/2 + f³·p(f) for 1 + f in √½ … √2, with the polynomial of Cephes' logf."""
    p = polynomial(
        f, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
        2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )  # fmt: skip
    square = f * f
    return p * f * square, _f(-0.5) * square


@inlined
def log(x):
    """ln x = k·ln 2 + ln m with x = 2ᵏ·m and m in √½ … √2. Error: 1 ulp. ln 0 = −∞, ln of a negative number is NaN."""
    tiny = x < SMALLEST_NORMAL
    scaled = x * _f(8388608) if tiny else x  # a denormal times 2²³ is normal
    bits = _i(float_bits(scaled) - SQRT_HALF_BITS)  # sums of int32 are of 64 bits, which would halve the vectors
    k = _f(_i(bits >> _i(23)))
    f = bits_float((bits & _i(0x7FFFFF)) + SQRT_HALF_BITS) - _f(1)
    k = k - _f(23) if tiny else k
    cubic, square = _log1p_near_0(f)
    y = multiply_add(k, LN2_HIGH, f + (square + multiply_add(k, LN2_LOW, cubic)))
    y = y if x < INFINITY else x  # infinity and NaN
    y = -INFINITY if x == _f(0) else y
    return NAN if x < _f(0) else y


@inlined
def sigmoid(x):
    """σ(x) = 1 / (1 + 2ᵏ·eʳ) with −x = k·ln 2 + r. Error: 2 ulp; 0 below −88.4, where 2ᵏ is infinite.

    2ᵏ is a factor here, so that NaN propagates; x is only clipped so that k is a valid exponent.
    """
    y = _f(-87.3) if -x < _f(-87.3) else -x
    y = _f(88.7) if y > _f(88.7) else y
    shifted, r = _reduced(y, ROUNDING + _f(127))
    power = bits_float(float_bits(shifted) << _i(23))
    return _f(1) / multiply_add(_expm1_near_0(r) + _f(1), power, _f(1))


@inlined
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
    positive = _f(0) if x < _f(0) else x  # NaN if x is
    return positive + (base + (f + (square + cubic)))


@inlined
def _tanh_near_0(x):
    """tanh x − x = x³·p(x²) for |x| up to 0.625, with the polynomial of Cephes' tanhf."""
    s = x * x
    p = polynomial(s, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
    return p * s * x


@inlined
def _tanh_far(x):
    """tanh x = ±(1 − 2 / (e^2|x| + 1)), accurate from |x| = 0.625 on."""
    size = abs(x)
    twice = _f(20) if size > _f(10) else size + size
    far = _f(1) - _f(2) / (_exp_in_range(twice) + _f(1))
    return -far if x < _f(0) else far


@inlined
def tanh(x):
    """tanh x, a polynomial up to 0.625 and with eˣ beyond. Error: 2 ulp.

    (A single rational approximation takes 0.6 of the time, with an error of 5 ulp.)
    """
    near = x + _tanh_near_0(x)
    return _tanh_far(x) if abs(x) >= _f(0.625) else near  # NaN takes `near`


@inlined
def tanh_shrink(x):
    """x − tanh x, accurate for small x too. Error: 30 ulp."""
    return x - _tanh_far(x) if abs(x) >= _f(0.625) else -_tanh_near_0(x)


@inlined
def expm1(x):
    """eˣ − 1, accurate for small x too: 2ᵏ·(eʳ − 1) + (2ᵏ − 1), with the reduction of exp. Error: 2 ulp."""
    inside = select(x > _f(-30), select(x <= EXP_MAX, x, _f(0)), _f(0))
    shifted, r = _reduced(inside, ROUNDING)
    p = _expm1_near_0(r)
    exponent = _i(float_bits(shifted) << _i(23))
    large = bits_float(_i(float_bits(p + _f(1)) + exponent))  # eˣ: beyond 2²⁶ the 1 makes no difference
    scale = bits_float(_i(exponent + _i(0x3F800000)))
    y = select(x > _f(20), large, multiply_add(p, scale, scale - _f(1)))
    y = select(x <= _f(-30), _f(-1), y)
    return select(x <= EXP_MAX, y, x + INFINITY)  # infinity, or NaN if x is


@inlined
def log1p(x):
    """ln(1 + x), accurate for small x too. Error: 2 ulp. NaN below −1."""
    cubic, square = _log1p_near_0(x)
    near = (x > _f(-0.29)) & (x < _f(0.41))
    return select(near, x + (square + cubic), log(_f(1) + x))


@inlined
def normal(x):
    """(Φ(x), φ(x)): the standard normal distribution's share below x, accurate in both tails, and its density.

    For t = |x|: φ(t) = e^(−t²/2)/√(2π) with t² in two parts, as its rounding error would matter, and the share beyond t
    is e^(−t²/2)·R(t), where R is half the scaled complementary error function erfcx(t/√2): a polynomial in
    (t − 4)/(t + 4), over 1 + t. Error: 6 ulp; 0 below −13.2, where the result would be denormal.
    """
    t = select(abs(x) < _f(14), abs(x), _f(14))
    high = bits_float(_i(float_bits(t) & _i(-4096)))  # 12 bits: its square is exact
    rest = _f(-0.5) * (t - high) * (t + high)
    more = multiply_add(multiply_add(rest, _f(1 / 24), _f(1 / 6)), rest, _f(0.5))
    more = multiply_add(more * rest, rest, rest)  # e^rest − 1
    e = _exp_in_range(_f(-0.5) * (high * high))
    e = select(t > _f(13.2), _f(0), multiply_add(e, more, e))
    s = (t - _f(4)) / (t + _f(4))
    p = polynomial(
        s, -7.0540725232e-05, -5.7632141336e-05, 6.9494395931e-04, -3.0448919077e-04, -5.0056383467e-03,
        1.7940063002e-02, -3.2197065253e-02, 2.8600020190e-02, 1.3999586019e-02, -9.6703468502e-02, 4.7205320694e-01,
    )  # fmt: skip
    beyond = e * p / (_f(1) + t)
    share = select(x < _f(0), beyond, _f(1) - beyond)
    return select(x == x, share, x), select(x == x, e * _f(0.3989422804), x)


@inlined
def mish_gate(x):
    """(tanh(ln(1 + eˣ)), its derivative): n/(n + 2) and 4u(u + 1)/(n + 2)² with u = eˣ and n = u(u + 2). Error: 4 ulp.

    Beyond 20, they are 1 and 0.
    """
    u = exp(select(x > _f(20), _f(20), x))
    n = u * (u + _f(2))
    below = _f(1) / (n + _f(2))  # the only division: it takes as long as a dozen products
    slope = _f(4) * (u * (u + _f(1))) * (below * below)
    return n * below, select(x > _f(20), _f(0), slope)


@inlined
def erf(x):
    """2/√π·∫₀ˣ e^(−t²) dt: odd, a polynomial up to ¾, then 1 − 2·Φ(−√2·x). Error: 2 ulp."""
    s = x * x
    p = polynomial(
        s, 9.46125667e-5, -8.35536548e-4, 5.21668991e-3, -2.68647425e-2, 1.12837783e-1, -3.76126384e-1, 1.12837917,
    )  # fmt: skip
    share, _ = normal(_f(-1.41421356) * abs(x))
    far = _f(1) - _f(2) * share
    far = select(x < _f(0), -far, far)
    return select(abs(x) < _f(0.75), x * p, far)


@inlined
def sinh(x):
    """(eˣ − e⁻ˣ)/2, a polynomial up to 1. Error: 4 ulp."""
    s = x * x
    p = polynomial(s, 2.81743963e-6, 1.98360663e-4, 8.33335060e-3, 1.66666665e-1)
    root = exp(_f(0.5) * abs(x))  # eˣ itself would overflow too early
    far = multiply_add(_f(0.5) * root, root, _f(-0.5) / (root * root))
    return select(abs(x) < _f(1), multiply_add(p * s, x, x), select(x < _f(0), -far, far))


@inlined
def cosh(x):
    """(eˣ + e⁻ˣ)/2. Error: 4 ulp."""
    root = exp(_f(0.5) * abs(x))
    return multiply_add(_f(0.5) * root, root, _f(0.5) / (root * root))


@inlined
def power(x, y):
    """xʸ = e^(y·ln x) for x ≥ 0, NaN for negative x. The error grows with |y·ln x|: up to 90 ulp for the largest."""
    return exp(y * log(x))


@inlined
def signed_power(x, y):
    """xʸ for any x: for a finite negative x, y has to be whole. The error is that of `power`.

    As IEEE 754 has it, 1ʸ and x⁰ are 1 even for NaN, (−1)^±∞ is 1, and the sign of 0 counts where y is odd.
    """
    size = abs(x)
    exact = (size == _f(1)) & (y == y) | (y == _f(1))  # by the logarithm it would be 0·∞, or off at both ends
    size = select(exact, size, power(size, y))
    half, whole = _f(0.5) * y, y == np.floor(y)
    odd = whole & (half != np.floor(half))
    signed = select((float_bits(x) < _i(0)) & odd, -size, size)
    signed = select((x < _f(0)) & (x > -INFINITY) & (whole == False), NAN, signed)  # noqa: E712 — `not` branches
    return select((x == _f(1)) | (y == _f(0)), _f(1), signed)


@inlined
def _rest(x, y):
    """|x| mod |y| for a finite x and y ≠ 0, exactly, by long division with digits of 24 bits in float64.

    Nearly always there is one digit; 12, if x is among the largest floats and y among the smallest.
    """
    rest, by = _d(abs(x)), _d(abs(y))
    if by > rest:
        return rest
    unit = by
    while unit * DIGIT <= rest:
        unit = unit * DIGIT
    while True:
        rest = multiply_add(-np.floor(rest / unit), unit, rest)  # the product is exact
        rest = rest + unit if rest < _d(0) else rest  # the quotient had been rounded up to the next whole number
        if not unit > by:
            return rest
        unit = unit / DIGIT


@inlined
def _negative(x):
    """Whether the sign of a float, which may be −0 or −∞, is minus."""
    return float_bits(x) < _i(0)


@inlined
def mod(x, y):
    """The rest of a division, with the sign of y, as in Python. NaN for an infinite x, or y = 0."""
    if not abs(x) < INFINITY or y == _f(0):
        return NAN
    rest, by = _rest(x, y), _d(abs(y))
    if rest > _d(0) and _negative(x) != _negative(y):
        rest = by - rest
    return _f(-rest) if _negative(y) else _f(rest)


@inlined
def floor_divide(x, y):
    """⌊x/y⌋; x/y if y = 0, NaN for an infinite x."""
    if y == _f(0):
        return x / y
    if not abs(x) < INFINITY:
        return NAN
    rest = _rest(x, y)
    whole = np.floor((_d(abs(x)) - rest) / _d(abs(y)) + _d(0.5))
    if _negative(x) != _negative(y):
        return _f(-whole - _d(1)) if rest > _d(0) else _f(-whole)
    return _f(whole)


@inlined
def pochhammer(a, q, n):
    """(a; q)ₙ = Π (1 − a·qᵏ) for k < n, in float64, by the series of its logarithm, −Σ aᵏ·(1 − qⁿᵏ)/(k·(1 − qᵏ))."""
    # qⁿ is bounded from below, as its powers would otherwise become denormal numbers, which are slow.
    whole, total, a_k, q_k, whole_k = max(q**n, 1e-12), 0.0, 1.0, 1.0, 1.0
    for k in range(1, 25):  # as a < ½, accurate to one part in 10⁹
        a_k, q_k, whole_k = a_k * a, q_k * q, whole_k * whole
        total -= a_k * (1.0 - whole_k) / (k * (1.0 - q_k))
    return math.exp(total)


@inlined
def logcosh(x):
    """ln cosh x = |x| + ln(1 + e^−2|x|) − ln 2; for |x| below 0.3 the series x²/2 − x⁴/12 + … Error: 20 ulp."""
    size, square = abs(x), x * x
    near = square * (_f(0.5) - square * (_f(1 / 12) - square * (_f(1 / 45) - square * _f(17 / 2520))))
    far = size + (softplus(_f(-2) * size) - _f(0.6931472))
    return select(size < _f(0.3), near, far)
