"""Attention: means of values, weighted by how well the keys beside them answer to a query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, StepState

MASKED = -1e9  # the score of a key that a query may not look at, as in Keras


class OfAttention(Instruction):
    """Base of attention and its adjoint: how queries, keys and the mask lie, and the weights of the keys."""

    q: Buffer
    k: Buffer
    v: Buffer
    mask: Buffer | None
    scale: float
    causal: bool
    window: int
    rate: float
    stream: int

    @property
    def streams(self) -> tuple[int, ...]:
        return (self.stream,) if self.rate else ()

    @property
    def fits(self) -> bool:
        """The heads are a multiple of the groups; the mask has an axis of heads, of queries and of keys."""
        queries, heads, _ = self.q.shape
        keys, groups, _ = self.k.shape
        shape = (1, 1, keys) if self.mask is None else self.mask.shape
        apart = len(shape) == 3 and shape[0] in (1, heads) and shape[1] in (1, queries) and shape[2] == keys
        return heads % groups == 0 and apart

    @property
    def sizes(self) -> dict[str, int]:
        """Also how far apart the mask's numbers are for two rows, heads and queries: 0 where it is the same."""
        (queries, heads, depth), (keys, groups, width) = self.q.shape, self.v.shape
        steps = dict.fromkeys(("mask_row", "mask_head", "mask_query"), 0)
        if self.mask is not None:
            steps["mask_row"] = self.mask.size * self.mask.per_row
            steps["mask_head"] = self.mask.size // heads * (self.mask.shape[0] > 1)
            steps["mask_query"] = keys * (self.mask.shape[1] > 1)
        of = {"queries": queries, "keys": keys, "heads": heads, "groups": groups, "depth": depth, "width": width}
        return {**of, **steps, "causal": int(self.causal), "window": self.window, "stream": self.stream}

    @property
    def band(self) -> tuple[Array, Array]:
        """For each query, the first key that it may look at, and the one behind the last, whatever the mask says."""
        places, keys = np.arange(self.q.shape[0]), self.k.shape[0]
        first = np.maximum(places - self.window + 1, 0) if self.window else np.zeros_like(places)
        last = places + 1 if self.causal else places + self.window if self.window else np.full_like(places, keys)
        return np.minimum(first, keys), np.minimum(last, keys)

    @property
    def pairs(self) -> int:
        """How many pairs of a query and a key there are in a row, for all heads."""
        first, last = self.band
        return self.q.shape[1] * int(np.maximum(last - first, 0).sum())

    def by_head(self, x: Array, across: bool = False) -> Array:
        """(rows, T, heads, n) as (rows, groups, heads/groups, T, n); keys and values with an axis of 1 for the heads of
        a group. across: each matrix transposed."""
        T, heads, n = x.shape[1:]
        groups = self.k.shape[1]
        order = (0, 2, 3, 4, 1) if across else (0, 2, 3, 1, 4)
        return x.reshape(-1, T, groups, heads // groups, n).transpose(*order)

    def scores(self, xp: Any, q: Array, k: Array, mask: Array | None) -> tuple[Array, Array]:
        """The scores of all keys for each query, and whether it may look at them."""
        (queries, heads, _), (keys, groups, _) = self.q.shape, self.k.shape
        first, last = self.band
        places = np.arange(keys)
        allowed = ((places >= first[:, None]) & (places < last[:, None])).reshape(1, 1, 1, queries, keys)
        if mask is not None:
            heads, queries, _ = self.mask.shape  # type: ignore[union-attr]
            of = (groups, heads // groups) if heads > 1 else (1, 1)
            allowed = allowed & (mask != 0).reshape(-1, *of, queries, keys)
        scores = self.scale * (self.by_head(q) @ self.by_head(k, across=True))
        return xp.where(allowed, scores, MASKED), allowed

    def kept(self, xp: Any, step: StepState) -> Array | float:
        """The factors of the weights: 1, or by dropout 0 and 1/(1 − rate)."""
        if not self.rate:
            return 1.0
        (queries, heads, _), (keys, groups, _) = self.q.shape, self.k.shape
        keep = step.drawn(xp, self.stream, (heads, queries, keys)) >= np.float32(self.rate)
        factors: Array = xp.where(keep, 1 / (1 - self.rate), 0.0)
        return factors.reshape(-1, groups, heads // groups, queries, keys)

    @property
    def weights(self) -> str:
        """The weights as printed."""
        near = f", |i − j| < {self.window}" if self.window else ""
        limits = ("" if self.mask is None else f" where {self.mask}") + (", j ≤ i" if self.causal else "") + near
        text = f"softmax({self.scale:.4g}·{self.q}·{self.k}ᵀ{limits})"
        return f"keep/{1 - self.rate:g}·{text}" if self.rate else text


class Attention(OfAttention):
    """o = softmax(scale·q·kᵀ)·v for each row and head, the softmax over the keys

    q (rows, T, heads, d), k (rows, S, groups, d), v (rows, S, groups, n) → o (rows, T, heads, n). The heads of a group
    share keys and values. A query i looks at the keys j where the mask (heads or 1, T or 1, S), per row or not, isn't
    0; at j ≤ i if it is `causal`; at |i − j| < `window` unless that is 0. Other keys have the score −10⁹, so that a
    query that may look at none looks at all of them alike. With a `rate`, weights are dropped as by dropout.

    sums (heads, 2, T) has the largest score of each query, and Σ e^(score − largest): from these the adjoint computes
    the weights again.
    """

    o: Buffer
    sums: Buffer

    name = "attention"
    printed = "{o} = {weights}·{v}, {sums}"
    writes = ("o", "sums")
    shapes = "q: rows T heads d; k: rows S groups d; v: rows S groups n; o: rows T heads n; sums: rows heads 2 T"
    differentiates = ("q", "k", "v")

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dq, dk, dv = (d.into(value) if d.wants(value) else None for value in (self.q, self.k, self.v))
        if dq or dk or dv:
            how = (self.scale, self.causal, self.window, self.rate, self.stream)
            of = (self.q, self.k, self.v, self.mask, *how, self.o, self.sums)
            yield AttentionAdjoint(*of, d(self.o), dq, dk, dv)

    def shares(self, xp: Any, q: Array, k: Array, mask: Array | None) -> tuple[Array, Array, Array]:
        """The weights before dropout, (rows, groups, heads/groups, T, S); the largest score, and the sum of powers."""
        scores, _ = self.scores(xp, q, k, mask)
        top = scores.max(axis=-1, keepdims=True)
        powers = xp.exp(scores - top)
        total = powers.sum(axis=-1, keepdims=True)
        return powers / total, top, total

    def reference(self, xp: Any, q: Array, k: Array, v: Array, mask: Array | None, step: StepState) -> Any:
        p, top, total = self.shares(xp, q, k, mask)
        o = (p * self.kept(xp, step)) @ self.by_head(v)
        queries, heads, n = self.o.shape
        sums = xp.concatenate([x.reshape(-1, heads, 1, queries) for x in (top, total)], axis=2)
        return o.reshape(-1, heads, queries, n).transpose(0, 2, 1, 3), sums

    def flops(self, rows: int) -> int:
        return rows * self.pairs * (2 * self.q.shape[-1] + 2 * self.v.shape[-1] + 20 + 10 * (self.rate > 0))


class AttentionAdjoint(OfAttention):
    """dv = pᵀ·do, ds = p·(do·vᵀ − Σ do·o)·scale, dq = ds·k, dk = dsᵀ·q; p are the weights of `Attention`

    With dropout, dv is that of the weights that are kept, and do·vᵀ is dropped alike.
    """

    o: Buffer
    sums: Buffer
    do: Buffer
    dq: Buffer | None
    dk: Buffer | None
    dv: Buffer | None

    name = "attention adjoint"
    writes = ("dq", "dk", "dv")
    shapes = (
        "q: rows T heads d; k: rows S groups d; v: rows S groups n; o: rows T heads n; sums: rows heads 2 T; "
        "do: rows T heads n; dq: rows T heads d; dk: rows S groups d; dv: rows S groups n"
    )

    @property
    def formula(self) -> str:
        wanted = ", ".join(str(b) for b in (self.dq, self.dk, self.dv) if b is not None)
        return f"{wanted} = adjoints of {self.o} = {self.weights}·{self.v} from {self.do}, {self.sums}"

    def reference(
        self, xp: Any, q: Array, k: Array, v: Array, mask: Array | None, o: Array, sums: Array, do: Array,
        step: StepState,
    ) -> Any:  # fmt: skip
        (queries, heads, _), groups = self.q.shape, self.k.shape[1]
        scores, allowed = self.scores(xp, q, k, mask)
        top, total = (
            x.reshape(-1, groups, heads // groups, queries, 1)
            for x in xp.split(sums.reshape(-1, heads, 2, queries), 2, axis=2)
        )
        p, factors, pull = xp.exp(scores - top) / total, self.kept(xp, step), self.by_head(do)
        along = (pull * self.by_head(o)).sum(axis=-1, keepdims=True)
        ds = xp.where(allowed, p * ((pull @ self.by_head(v, across=True)) * factors - along), 0) * self.scale
        dq = dk = dv = None
        if self.dq is not None:
            dq = (ds @ self.by_head(k)).reshape(-1, heads, queries, q.shape[-1]).transpose(0, 2, 1, 3)
        if self.dk is not None:
            dk = (ds.swapaxes(-1, -2) @ self.by_head(q)).sum(axis=2).transpose(0, 2, 1, 3)
        if self.dv is not None:
            dv = ((p * factors).swapaxes(-1, -2) @ pull).sum(axis=2).transpose(0, 2, 1, 3)
        return dq, dk, dv

    def flops(self, rows: int) -> int:
        d, n = self.q.shape[-1], self.v.shape[-1]
        scored = self.dq is not None or self.dk is not None
        products = 2 * d + 2 * n * scored
        products += 2 * d * ((self.dq is not None) + (self.dk is not None)) + 2 * n * (self.dv is not None)
        return rows * (self.pairs * (products + 20 + 10 * (self.rate > 0)) + 2 * self.o.size)
