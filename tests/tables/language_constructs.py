"""Constructs of the kernels' language, each in a kernel of words and reals, which Python runs as well."""

import math

import numpy as np

from thalweg.engine.native.language.callables import compiled, independent, inlined
from thalweg.engine.native.layouts.record import Record

F32, I32, U32, U64 = np.float32, np.int32, np.uint32, np.uint64
TABLE, PAIR = (3, 5, 7), (2.5, -1.5)


class Counts(Record):
    even: int
    odd: int
    seen: int


class Sums(Record):
    total: float
    largest: float


@compiled
def counted(counts, x):
    if x % 2:
        counts.odd += 1
    else:
        counts.even += 1
    return counts.seen


@compiled
def twice(x):
    return x + x


@inlined
def both(x, y=3):
    return x * y, x - y


@compiled
def applied(function, x):
    return function(x)


@compiled
def early(x):
    if x > 3:
        return x
    for k in range(10):
        if k * k > x:
            return k
    return -1


@compiled
def nothing(x, n):
    for k in range(n):
        x[k] = k


# --- constructs -------------------------------------------------------------------------------------------------


def powers(o, c, s, f):
    for i in range(13):
        c[i], c[i + 13], c[i + 26] = f[i] ** 1, f[i] ** 2, f[i] ** 3


def mixed(o, c, s, f):
    for i in range(13):
        for j in range(13):
            x, y = s[i], s[j]
            c[13 * i + j] = f[i] * y + x


def signs(o, c, s, f):
    for i in range(13):
        o[i], o[i + 13], o[i + 26] = -s[i], +s[i], ~s[i]
        c[i] = -f[i]


def negation(o, c, s, f):
    for i in range(13):
        o[i], o[i + 13] = not s[i], not f[i]


def conjunctions(o, c, s, f):
    for i in range(13):
        for j in range(13):
            x, y = s[i], s[j]
            o[13 * i + j] = (x > 0 and y > 0) or (x < 0 and not y > 2)


def a_chain(o, c, s, f):
    for i in range(13):
        for j in range(13):
            x, y = s[i], s[j]
            o[13 * i + j] = 0 < x <= y < 9


def a_choice(o, c, s, f):
    for i in range(13):
        for j in range(13):
            x, y = f[i], f[j]
            c[13 * i + j] = x if x > y else y


def a_choice_of_tuples(o, c, s, f):
    for i in range(13):
        a, b = (s[i], 1) if s[i] > 2 else (2, s[i])
        o[2 * i], o[2 * i + 1] = a, b


def if_elif_else(o, c, s, f):
    for i in range(13):
        if s[i] < 0:
            o[i] = 1
        elif s[i] < 3:
            o[i] = 2
        else:
            o[i] = 3


def repetition(o, c, s, f):
    n, k = s[9], 0
    while n > 0:
        n = n // 2
        k += 1
    o[0] = k


def while_with_break_and_continue(o, c, s, f):
    k = 0
    while True:
        k += 1
        if k % 2:
            continue
        if k > 20:
            break
        o[k] = k


def for_with_a_step(o, c, s, f):
    for k in range(20, 3, -4):
        o[k] = k
    for k in range(30, 60, 7):
        o[k] = k


def for_with_a_step_that_is_not_known(o, c, s, f):
    for n in range(2):
        step = 3 - 6 * n
        for k in range(50, 50 + 4 * step, step):
            o[k] = k


def for_with_break(o, c, s, f):
    for k in range(100):
        if k * k > s[9]:
            break
        o[k] = k


def for_over_what_is_known(o, c, s, f):
    k = 0
    for n in TABLE:
        o[k] = n
        k += 1  # noqa: SIM113 - enumerate is not in the language


def several_results(o, c, s, f):
    for i in range(13):
        o[2 * i], o[2 * i + 1] = both(s[i])
        a, b = both(s[i], 2)
        o[40 + i] = a + b


def an_argument_by_name(o, c, s, f):
    o[0], o[1] = both(s[4], y=9)


def early_returns(o, c, s, f):
    for i in range(13):
        o[i] = early(s[i])


def a_function_as_an_argument(o, c, s, f):
    o[0], c[0] = applied(twice, s[5]), applied(twice, f[3])


def types_of_calls(o, c, s, f):
    o[0], c[0] = twice(s[5]), twice(f[3])


def no_result(o, c, s, f):
    nothing(o, 12)


def tuples(o, c, s, f):
    t = (s[1], s[2], s[3])
    for k in range(3):
        o[k] = t[k]
    o[4], o[5] = len(t), t[2]


def stars(o, c, s, f):
    t = (s[1], s[2])
    o[0], o[1], o[2] = (*t, 9)


def a_wider_type_later(o, c, s, f):
    x = 1
    for i in range(4):
        c[i] = x
        x = x * 1.5


def whole_numbers_of_32_bits(o, c, s, f):
    for i in range(13):
        o[i] = I32(s[i] & 0xFFFF) + I32(7)
        o[i + 13] = np.int64(U32(s[i] & 0xFFFF) >> U32(3))


def a_narrower_type_later(o, c, s, f):
    x = f[8]
    x = F32(x)
    c[0] = x * F32(0.1)
    for i in range(4):
        y = f[i] + 0.1
        c[i + 1] = y
        y = F32(y)
        c[i + 5] = y * F32(0.3)


def negative_numbers_of_32_bits(o, c, s, f):
    for i in range(13):
        o[i] = I32(-(s[i] & 0xFF))
        c[i] = I32(-(s[i] & 0xFF))


def of_32_bits_and_whole(o, c, s, f):
    for i in range(13):
        c[i] = F32(0.1) * (s[i] & 0xFF) + F32(0.3) / s[4]


def words_without_a_sign(o, c, s, f):
    for i in range(13):
        o[i] = np.int64((U64(s[i]) * U64(0x9E3779B97F4A7C15)) >> U64(33))


def of_32_bits(o, c, s, f):
    for i in range(13):
        c[i] = F32(f[i] if abs(f[i]) < 1e30 else 1.0) * F32(0.5) - F32(0.25)


def to_whole(o, c, s, f):
    for i in range(13):
        o[i] = int(f[i]) if abs(f[i]) < 1e9 else 0


def to_real(o, c, s, f):
    for i in range(13):
        c[i] = float(s[i])


def truths(o, c, s, f):
    for i in range(13):
        o[i], o[i + 13] = bool(s[i]), bool(f[i])


def min_max(o, c, s, f):
    for i in range(13):
        for j in range(13):
            x, y = s[i], s[j]
            o[13 * i + j] = min(x, y) - max(x, y, 3)


def sizes(o, c, s, f):
    for i in range(13):
        o[i], c[i] = abs(s[i]), abs(f[i])


def of_math(o, c, s, f):
    for i in range(13):
        x = abs(f[i]) if abs(f[i]) < 1e9 else 2.0
        c[i], c[i + 13] = math.sqrt(x), np.floor(x)
        c[i + 26], c[i + 39] = np.ceil(x), np.rint(x)
        o[i], o[i + 13] = math.floor(x), math.ceil(x)


def finite(o, c, s, f):
    o[0], o[1] = math.isfinite(f[0]), np.isfinite(f[6])


def an_array_s_part(o, c, s, f):
    x = o[4:9]
    for k in range(5):
        x[k] = k + 1
    o[20] = x.size


def an_array_filled(o, c, s, f):
    o[3:7] = 8
    o[10:14] = s[1:5]


def fields_of_a_record(o, c, s, f):
    counts, sums = Counts(o), Sums(c)
    for i in range(13):
        counts.seen = i + 1
        o[20 + i] = counted(counts, s[i])
        sums.total += s[i]
        sums.largest = max(sums.largest, f[i])
    c[5], o[5] = sums.total / counts.seen, counts.even - counts.odd


def places_of_fields(o, c, s, f):
    o[Counts.seen], o[Counts.odd], o[9] = 7, Counts.size, Counts(o).seen


def several_fields_at_once(o, c, s, f):
    counts = Counts(o)
    counts.even, counts.odd, o[7] = s[1], s[2], s[3]


def changed_in_place(o, c, s, f):
    o[3] = 5
    o[3] += 4
    o[3] *= 3
    x = 2
    x <<= 3
    o[4] = x


def independent_times_around(o, c, s, f):
    total = 0.0
    for k in independent(7):
        o[k] += s[k] * s[k]
        c[k] = f[k] if f[k] > f[k + 1] else twice(f[k + 1])
        total += f[k]
        for j in independent(2):
            c[7 + 2 * k + j] = f[k] + j
        if k == 3:
            continue
    for k in independent(11, 4, -2):
        o[20 + k] = k
    c[21] = total if total > 0 else 0.0


def known_in_advance(o, c, s, f):
    o[0], o[1] = TABLE[1] + 4, 7 // 2 if PAIR[0] > 0 else 1
    o[2], o[3] = 3 if applied is twice else 4, s[10] // 2**33 + (s[10] & 2**40)


def the_least_number_divided(o, c, s, f):
    least = s[0] - (1 << 62) - (1 << 62)
    o[0], o[1], o[2] = least // s[6], least % s[6], least // s[2]
    o[3], o[4], o[5] = least // -1, s[5] // -1, s[5] % -1


def left_from_a_loop_over_a_tuple(o, c, s, f):
    for k in range(5):
        for x in s[k], s[k + 1]:
            if x > 3:
                o[1] = x
                return
        while o[0] < 9:
            o[0] += 4
            if k == 1:
                break


def returned_by_the_first_time_around(o, c, s, f):
    o[2] = 4
    for k in (1, 2):
        o[k] = 5
        return
