"""Conformance rows of attention: masks of every shape, causal or in a window, dropout, heads that share their keys."""

import numpy as np
from harness import OPTIONAL, ORDERED, SMOOTHED, TOTAL, TWICE, Case, Memory

from thalweg.program.instructions import attention as of
from thalweg.program.ir.instruction import Buffer, StepState


def operands(c: Case) -> tuple[tuple[Buffer, ...], Buffer | None, tuple[float, bool, int, float, int]]:
    """q, k and v, the mask, and the options; now and then with more queries and keys than are computed at a time."""
    seed, long = c.shape.seed, c.shape.seed % 7 == 0 and not c.smooth
    queries, keys = 1 + c.shape.width % 9, 1 + c.shape.units % 9
    if long:
        c.shape = c.shape._replace(rows=1 + c.shape.rows % 3)
        queries, keys = queries + 60, keys + (250, 500, 40)[seed // 7 % 3]
    groups, share = 1 + seed % 2, 1 + seed // 2 % 3
    depth, width = (1, 4, 8, 3, 16)[seed // 3 % 5], (4, 8, 1, 5)[seed // 5 % 4]
    if seed % 5 == 0:
        keys = queries
    q = c.normal("q", (queries, groups * share, depth))
    k, v = c.normal("k", (keys, groups, depth)), c.normal("v", (keys, groups, width))
    mask = None
    if c.has(OPTIONAL):
        shape = (groups * share if c.has(TOTAL) else 1, queries if c.has(TWICE) else 1, keys)
        mask = c.normal("mask", shape, per_row=not c.has(ORDERED))
        allowed = c.random.random(c.values[mask].shape) < 0.6
        c.values[mask] = (allowed & (c.random.random((*allowed.shape[:-1], 1)) < 0.8)).astype(np.float32)
    window = 1 + seed // 11 % 5 if c.has(SMOOTHED) else 0
    rate = (0.0, 0.0, 0.3)[seed // 13 % 3]
    return (q, k, v), mask, (depth**-0.5, seed // 2 % 2 == 1, window, rate, 7)


def attention(c: Case) -> of.Attention:
    (q, k, v), mask, how = operands(c)
    o = c.output("o", (*q.shape[:2], v.shape[-1]))
    i = of.Attention(q, k, v, mask, *how, o, c.output("sums", (q.shape[1], 2, q.shape[0])))

    def size(m: Memory, place: int) -> np.ndarray:
        """Also how much an error of a score would change."""
        found = i.reference(np, m[q], m[k], abs(m[v]), None if mask is None else m[mask], m.step)[place]
        return 3 * abs(found) + 3 * place

    c.magnitudes |= {"o": lambda m: size(m, 0), "sums": lambda m: size(m, 1)}
    return i


def attention_adjoint(c: Case) -> of.AttentionAdjoint:
    i = attention(c)
    step = StepState(
        rows=c.shape.rows, first_row=c.first_row, batch_rows=c.batch_rows, iteration=c.iteration, seed=c.shape.seed
    )
    given = [None if b is None else c.values[b].astype(np.float64) for b in (i.q, i.k, i.v, i.mask)]
    c.values[i.o], c.values[i.sums] = (x.astype(np.float32) for x in i.reference(np, *given, step))
    do = c.normal("do", i.o.shape)
    wanted = [c.output(f"d{b}", b.shape) for b in (i.q, i.k, i.v)]
    if c.has(TOTAL) and c.has(TWICE):  # only some
        wanted[c.shape.seed % 3] = None
    how = (i.scale, i.causal, i.window, i.rate, i.stream)
    back = of.AttentionAdjoint(i.q, i.k, i.v, i.mask, *how, i.o, i.sums, do, *wanted)
    magnitudes = dict.fromkeys(("o", "sums"))
    for name in magnitudes:
        del c.magnitudes[name]

    def size(m: Memory, place: int) -> np.ndarray:
        """Of the sums of the same terms without their signs."""
        one = of.Attention(i.q, i.k, i.v, i.mask, *how, i.o, i.sums)
        p, _ = one.scores(np, m[i.q], m[i.k], None if i.mask is None else m[i.mask])
        p = np.exp(p - p.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        factors, pull, v = one.kept(np, m.step), one.by_head(abs(m[do])), one.by_head(abs(m[i.v]), across=True)
        ds = p * (pull @ v * factors + (pull * one.by_head(abs(m[i.o]))).sum(axis=-1, keepdims=True)) * i.scale
        dq = ds @ one.by_head(abs(m[i.k]))
        dk = (ds.swapaxes(-1, -2) @ one.by_head(abs(m[i.q]))).sum(axis=2)
        dv = ((p * factors).swapaxes(-1, -2) @ pull).sum(axis=2)
        found = (dq.reshape(len(dq), -1, *dq.shape[3:]), dk, dv)[place]
        return 3 * found.transpose(0, 2, 1, 3)

    c.magnitudes |= {f"d{n}": lambda m, place=place: size(m, place) for place, n in enumerate("qkv")}
    return back


ROWS: dict[str, object] = {"attention": attention, "attention_adjoint": attention_adjoint}
