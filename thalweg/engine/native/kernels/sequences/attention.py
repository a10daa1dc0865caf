"""Attention and its adjoint: by hand, as the scores of some queries for some keys at a time stay in the core's cache.

For more keys, a query's sums are kept up to date as the next are looked at (online softmax: Milakov and Gimelshein,
arXiv 1805.02867; FlashAttention, arXiv 2205.14135).
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, float_bits, floats, select, stack
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.rowwise import ordered
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg import gemm
from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.linalg.hashing import halves, uniform

F32, U32 = np.float32, np.uint32
MASKED, NOBODY = F32(-1e9), F32(-9e8)  # a masked score; if the largest is below the second, all are masked
QUERIES, KEYS = 64, 256  # at a time
AHEAD = KEYS + 16  # floats between two queries' scores, no power of 2

_scores = stack(QUERIES * AHEAD)
_slopes = stack(QUERIES * AHEAD)
_along = stack(QUERIES)


@inlined
def looked_at(first, queries, all_queries, keys, mask, causal, window):
    """The first key that one of these queries may look at, and the one behind the last; all where a query may have
    none, as it then looks at all of them."""
    start, stop = 0, keys
    if mask == 0 and (window == 0 or all_queries <= keys):
        if causal:
            stop = min(keys, first + queries)
        elif window:
            stop = min(keys, first + queries + window - 1)
        if window:
            start = max(0, first - window + 1)
    return start, stop


@inlined
def bounds(query, begin, n, causal, window):
    """Of n keys from `begin`, the first that a query may look at, and the one behind the last."""
    low, high = 0, n
    if window:
        low = min(max(query - window + 1 - begin, 0), n)
        high = min(max(query + window - begin, low), n)
    if causal:
        high = min(max(query + 1 - begin, low), high)
    return low, high


@inlined
def scaled(x, n, mask, scale):
    """x = scale·x, −10⁹ where the mask is 0; the largest. A NaN may or may not win."""
    y, m, top = floats(x, n), floats(mask, n), ordered(float_bits(F32(-np.inf)))
    for j in range(n):
        score = select(m[j] != F32(0), scale * y[j], MASKED) if mask else scale * y[j]
        y[j] = score
        top = max(top, ordered(float_bits(score)))
    return bits_float(ordered(top))


@inlined
def fill(x, low, high, n, value):
    """x = value before `low` and from `high` on"""
    floats(x, low)[:] = value
    floats(x + 4 * high, n - high)[:] = value


@compiled
def powers(x, n, low, high, mask, scale, top):
    """x = e^(score − largest) for a query's keys; the largest so far, which was `top`, and Σ x."""
    most = max(top, scaled(x + 4 * low, high - low, mask + 4 * low if mask else 0, scale))
    outside = low > 0 or high < n
    most = max(most, MASKED) if outside else most
    y, total = floats(x + 4 * low, high - low), F32(0)
    for j in range(high - low):
        power = maths.exp(y[j] - most)
        y[j] = power
        total += power
    if outside:
        power = maths.exp(MASKED - most)
        fill(x, low, high, n, power)
        total += power * F32(n - high + low)
    return most, total


@compiled
def drop(x, n, rate, key, counter):
    """x = 0 with probability `rate`"""
    y = floats(x, n)
    for j in range(n):
        y[j] = select(uniform(key, counter + U32(j)) >= rate, y[j], F32(0))


@inlined
def rescale(x, n, factor):
    """x = factor·x"""
    y = floats(x, n)
    for j in range(n):
        y[j] *= factor


@kernel
def attention(
    q, k, v, mask, o, sums, queries, keys, heads, groups, depth, width, mask_row, mask_head, mask_query, causal,
    window, stream, scale: float, rate: float, *, rows, first_row, seed, iteration,
):  # fmt: skip
    """o = softmax(scale·q·kᵀ)·v, and the largest score and the sum of each query"""
    factor, dropped, share = F32(scale), F32(rate), F32(1.0 - rate)
    hashed = halves(seed, iteration, stream)
    scores, ld_k, ld_v, ld_o = _scores(), groups * depth, groups * width, heads * width
    for row in range(rows):
        for head in range(heads):
            group = head // (heads // groups)
            keys_of = k + 4 * (row * keys * ld_k + group * depth)
            values_of = v + 4 * (row * keys * ld_v + group * width)
            masks = mask + 4 * (row * mask_row + head * mask_head)
            counters = ((first_row + row) * heads + head) * queries
            for first in range(0, queries, QUERIES):
                m = min(QUERIES, queries - first)
                at = q + 4 * ((row * queries + first) * heads + head) * depth
                to = o + 4 * ((row * queries + first) * heads + head) * width
                place = sums + 4 * ((row * heads + head) * 2 * queries + first)
                tops, totals = floats(place, m), floats(place + 4 * queries, m)
                start, stop = looked_at(first, m, queries, keys, mask, causal, window)
                for begin in range(start, stop, KEYS):
                    n = min(KEYS, stop - begin)
                    gemm.product(
                        at, heads * depth, 1, keys_of + 4 * begin * ld_k, ld_k, 1, scores, AHEAD, 0, 0, 0, m, n, depth
                    )
                    for i in range(m):
                        x, old = scores + 4 * i * AHEAD, F32(-np.inf) if begin == start else tops[i]
                        low, high = bounds(first + i, begin, n, causal, window)
                        masked = masks + 4 * ((first + i) * mask_query + begin) if mask else 0
                        top, total = powers(x, n, low, high, masked, factor, old)
                        tops[i] = top
                        if begin > start:
                            less = maths.exp(old - top)
                            total += less * totals[i]
                            rescale(to + 4 * i * ld_o, width, less)
                        totals[i] = total
                        if rate:
                            counter = U32((counters + first + i) * keys + begin)
                            low, high = (low, high) if top > NOBODY else (0, n)  # otherwise 0 outside
                            drop(x + 4 * low, high - low, dropped, hashed, U32(counter + low))
                    gemm.gemm(
                        scores, AHEAD, 1, values_of + 4 * begin * ld_v, ld_v, to, ld_o, 0, begin > start, m, width, n
                    )
                for i in range(m):
                    rescale(to + 4 * i * ld_o, width, F32(1) / (totals[i] * share))


@compiled
def slopes(x, g, n, low, high, mask, scale, top, inverse, along, rate, share, key, counter):
    """x = the weights p of a query's keys, g = p·(g − along)·scale; with a rate, the weights and g are dropped."""
    y, d = floats(x + 4 * low, high - low), floats(g + 4 * low, high - low)
    factor, masked = scale, mask + 4 * low
    if mask:
        scaled(x + 4 * low, high - low, masked, scale)
        factor = F32(1)
    if rate:
        counted = U32(counter + low)
        for j in range(high - low):
            p = maths.exp(factor * y[j] - top) * inverse
            keep = select(uniform(key, counted + U32(j)) >= rate, share, F32(0))
            y[j] = p * keep
            d[j] = p * (d[j] * keep - along) * scale
    else:
        for j in range(high - low):
            p = maths.exp(factor * y[j] - top) * inverse
            y[j] = p
            d[j] = p * (d[j] - along) * scale
    if mask:
        m = floats(masked, high - low)
        for j in range(high - low):
            d[j] = select(m[j] != F32(0), d[j], F32(0))
    if low > 0 or high < n:
        power = maths.exp(MASKED - top) * inverse
        fill(g, low, high, n, F32(0))
        fill(x, low, high, n, power * share)
        if rate and power > F32(0):
            drop(x, low, rate, key, counter)
            drop(x + 4 * high, n - high, rate, key, U32(counter + high))


@compiled
def dot(x, y, n):
    """Σ x·y"""
    a, b, total = floats(x, n), floats(y, n), F32(0)
    for j in range(n):
        total += a[j] * b[j]
    return total


@kernel
def attention_adjoint(
    q, k, v, mask, o, sums, do, dq, dk, dv, queries, keys, heads, groups, depth, width, mask_row, mask_head, mask_query,
    causal, window, stream, scale: float, rate: float, *, rows, first_row, seed, iteration,
):  # fmt: skip
    """dv = pᵀ·do, ds = p·(do·vᵀ − Σ do·o)·scale, dq = ds·k, dk = dsᵀ·q"""
    factor, dropped, share = F32(scale), F32(rate), F32(1.0 / (1.0 - rate))
    hashed = halves(seed, iteration, stream)
    weights, errors, along = _scores(), _slopes(), floats(_along(), QUERIES)
    ld_q, ld_k, ld_v, ld_o = heads * depth, groups * depth, groups * width, heads * width
    for row in range(rows):
        if dk:
            floats(dk + 4 * row * keys * ld_k, keys * ld_k)[:] = 0
        if dv:
            floats(dv + 4 * row * keys * ld_v, keys * ld_v)[:] = 0
        for head in range(heads):
            group = head // (heads // groups)
            masks = mask + 4 * (row * mask_row + head * mask_head)
            counters = ((first_row + row) * heads + head) * queries
            for first in range(0, queries, QUERIES):
                m = min(QUERIES, queries - first)
                at = 4 * ((row * queries + first) * heads + head)
                place = sums + 4 * ((row * heads + head) * 2 * queries + first)
                tops, totals = floats(place, m), floats(place + 4 * queries, m)
                for i in range(m):
                    along[i] = dot(o + at * width + 4 * i * ld_o, do + at * width + 4 * i * ld_o, width)
                start, stop = looked_at(first, m, queries, keys, mask, causal, window)
                for begin in range(start, stop, KEYS):
                    n = min(KEYS, stop - begin)
                    of_k = 4 * ((row * keys + begin) * groups + group) * depth
                    of_v = 4 * ((row * keys + begin) * groups + group) * width
                    gemm.product(q + at * depth, ld_q, 1, k + of_k, ld_k, 1, weights, AHEAD, 0, 0, 0, m, n, depth)
                    gemm.product(do + at * width, ld_o, 1, v + of_v, ld_v, 1, errors, AHEAD, 0, 0, 0, m, n, width)
                    for i in range(m):
                        low, high = bounds(first + i, begin, n, causal, window)
                        masked = masks + 4 * ((first + i) * mask_query + begin) if mask else 0
                        counter = U32((counters + first + i) * keys + begin)
                        slopes(
                            weights + 4 * i * AHEAD, errors + 4 * i * AHEAD, n, low, high, masked, factor, tops[i],
                            F32(1) / totals[i], along[i], dropped, share, hashed, counter,
                        )  # fmt: skip
                    if dv:
                        gemm.gemm(weights, 1, AHEAD, do + at * width, ld_o, dv + of_v, ld_v, 0, 1, n, width, m)
                    if dq:
                        gemm.gemm(
                            errors, AHEAD, 1, k + of_k, ld_k, dq + at * depth, ld_q, 0, begin > start, m, depth, n
                        )
                    if dk:
                        gemm.gemm(errors, 1, AHEAD, q + at * depth, ld_q, dk + of_k, ld_k, 0, 1, n, depth, m)
