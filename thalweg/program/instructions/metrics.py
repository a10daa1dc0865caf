"""Metrics: running float64 sums over predictions and targets, from which scores are computed at the end of an epoch."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from thalweg.program.instructions.losses.loss_instruction import class_numbers
from thalweg.program.ir.instruction import Array, Buffer, Instruction, Stated, rows_of, summed_at


class Total(Instruction):
    """sums += what this batch adds, from predictions `p` and targets `y`."""

    p: Buffer
    y: Buffer
    sums: Buffer

    writes = ("sums",)
    reduces = ("sums",)
    formula_text: ClassVar[str]
    by_class: ClassVar[bool] = True  # whether it has to know where a row, or the numbers of the classes, begin

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        """What each row adds: shape (rows, …)."""
        raise NotImplementedError

    @classmethod
    def options(cls) -> list[str]:
        """The names of the fields that a subclass adds."""
        return [field.name for field in fields(cls)[len(fields(Total)) :]]

    @property
    def formula(self) -> str:
        return f"{self.sums} += {self.formula_text.format(p=self.p, y=self.y)}"

    @property
    def sizes(self) -> dict[str, int]:
        own = {name: n for name in self.options() if isinstance(n := getattr(self, name), int)}
        return {"size": self.p.size} | ({"classes": self.p.shape[-1]} if self.by_class else {}) | own

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        total: Array = xp.asarray(self.value(xp, y, p).sum(dtype=np.float64))
        return total

    def flops(self, rows: int) -> int:
        return 2 * rows * self.p.size


class EqualMatches(Total):
    """sums += Σ [ŷ = y]"""

    name = "equal matches"
    by_class = False
    formula_text = "Σ [{p} = {y}]"

    @property
    def stated(self) -> Stated:
        return Stated("sums = where(p == y, 1, 0)", {"p": self.p, "y": self.y, "sums": self.sums})

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return p == y


class BinaryMatches(Total):
    """sums += Σ [(ŷ > threshold) = y]"""

    threshold: float = 0.5

    name = "binary matches"
    by_class = False
    formula_text = "Σ [({p} > threshold) = {y}]"

    @property
    def stated(self) -> Stated:
        text = "sums = where(where(p > threshold, 1, 0) == y, 1, 0)"
        return Stated(text, {"p": self.p, "y": self.y, "sums": self.sums}, {"threshold": self.threshold})

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return (p > self.threshold) == y


class CategoricalMatches(Total):
    """sums += Σ [argmax ŷ = argmax y]; the first of equal maxima counts."""

    name = "categorical matches"
    formula_text = "Σ [argmax {p} = argmax {y}]"
    shapes = "p: rows … n; y: rows … n; sums: 1"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return p.argmax(axis=-1) == y.argmax(axis=-1)


class SparseMatches(Total):
    """sums += Σ [argmax ŷ = y] for class numbers y; the first of equal maxima counts."""

    name = "sparse matches"
    formula_text = "Σ [argmax {p} = {y}]"
    shapes = "p: rows … n; y: rows … 1; sums: 1"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return p.argmax(axis=-1) == y[..., 0]


class SquaresAndTargets(Total):
    """sums += Σ (ŷ − y)², Σ y, Σ y² for each output, for R² = 1 − Σ(ŷ − y)²/Σ(y − mean y)²."""

    name = "squares and targets"
    by_class = False
    formula_text = "Σ ({p} − {y})², Σ {y}, Σ {y}²"

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        y, p = rows_of(y).astype(np.float64), rows_of(p).astype(np.float64)
        return xp.concatenate([((p - y) ** 2).sum(axis=0), y.sum(axis=0), (y * y).sum(axis=0)])


def classes_of(y: Array, p: Array) -> Array:
    """The class of each row: the target if it is a class number, otherwise the argmax of the target."""
    return y[..., 0].astype(int) if y.shape[-1] == 1 and p.shape[-1] > 1 else y.argmax(axis=-1)


class LargestMatches(Total):
    """Base: sums += Σ [fewer than k predictions exceed that of the class]; a NaN prediction is wrong."""

    k: int = 5

    def among_largest(self, xp: Any, p: Array, classes: Array) -> Array:
        """Whether the prediction of each row's class, (rows, …, 1), is among the k largest."""
        own = xp.take_along_axis(p, classes, axis=-1)
        return ((p > own).sum(axis=-1) < self.k) & xp.isfinite(own[..., 0])


class TopMatches(LargestMatches):
    """sums += Σ [fewer than k predictions exceed that of the class, argmax y]"""

    name = "top matches"
    formula_text = "Σ [{p}[argmax {y}] among the largest k]"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return self.among_largest(xp, p, classes_of(y, p)[..., None])


class SparseTopMatches(LargestMatches):
    """sums += Σ [fewer than k predictions exceed that of class y]; a y that isn't a class never matches."""

    name = "sparse top matches"
    formula_text = "Σ [{p}[{y}] among the largest k]"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        labels, known = class_numbers(xp, y[..., :1], p.shape[-1])
        return self.among_largest(xp, p, labels) & known[..., 0]


class ConfusionCounts(Total):
    """sums += the true positives, false positives, false negatives, true negatives of ŷ > threshold.

    class_id ≥ 0: for this output alone. top_k > 0: only the k largest outputs of a row may be positive, the first among
    equals.
    """

    threshold: float = 0.5
    class_id: int = -1
    top_k: int = 0

    name = "confusion counts"
    formula_text = "TP, FP, FN, TN of ({p} > threshold) and {y}"

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = p.reshape(-1, self.p.shape[-1]), y.reshape(-1, self.p.shape[-1]) != 0
        positive = p > self.threshold
        if self.top_k:
            one, other = p[:, :, None], p[:, None, :]
            before = (other > one) | ((other == one) & xp.tri(p.shape[-1], k=-1, dtype=bool))
            positive = positive & (before.sum(axis=-1) < self.top_k)
        if self.class_id >= 0:
            positive, y = positive[:, self.class_id], y[:, self.class_id]
        pairs = ((positive, y), (positive, ~y), (~positive, y), (~positive, ~y))
        return xp.stack([(a & b).sum() for a, b in pairs])


class ClassCounts(Total):
    """sums += for each class: rows predicted and right, rows predicted, rows of the class.

    The outputs above the threshold are predicted; if it is negative, the largest outputs of a row that aren't 0.
    """

    threshold: float = -1.0

    name = "class counts"
    formula_text = "right, predicted and actual rows of each class, from {p} and {y}"

    @property
    def sizes(self) -> dict[str, int]:
        return super().sizes | {"columns": self.y.shape[-1]}

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = p.reshape(-1, self.p.shape[-1]), y.reshape(-1, self.y.shape[-1])
        if y.shape[-1] != p.shape[-1]:
            y = (y == xp.arange(p.shape[-1])).astype(p.dtype)
        positive = p > self.threshold
        if self.threshold < 0:
            positive = (p >= p.max(axis=-1, keepdims=True)) & (xp.abs(p) > 1e-9)
        return xp.concatenate([(positive * y).sum(axis=0), positive.sum(axis=0), y.sum(axis=0)])


class ScoreHistogram(Total):
    """sums += Σ y and Σ (1 − y) in each of `buckets` buckets of ŷ, ⌈ŷ·(buckets − 1)⌉ − 1; or so for each output."""

    buckets: int = 200
    by_output: int = 0
    logits: int = 0

    name = "score histogram"
    formula_text = "Σ {y}, Σ (1 − {y}) in each bucket of {p}"

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = p.reshape(-1, self.p.shape[-1]), y.reshape(-1, self.p.shape[-1])
        if self.logits:
            p = 1 / (1 + xp.exp(-p))
        bucket = xp.maximum(xp.ceil(xp.clip(p, 0, 1) * (self.buckets - 1)).astype(int) - 1, 0)
        output = xp.arange(p.shape[1]) if self.by_output else 0
        place = (2 * self.buckets * output + bucket).ravel()
        size = self.sums.size
        return summed_at(xp, place, y, size) + summed_at(xp, place + self.buckets, 1 - y, size)


class RowCorrelations(Total):
    """sums += Σ over rows of the correlation of y and ŷ along the last axis"""

    name = "row correlations"
    formula_text = "Σ corr({y}, {p})"
    shapes = "p: rows … n; y: rows … n; sums: 1"

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = (v.astype(np.float64) for v in (p, y))
        p, y = p - p.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
        return ((p * y).sum(axis=-1) / xp.sqrt((p * p).sum(axis=-1) * (y * y).sum(axis=-1))).sum()


class Moments(Total):
    """sums += Σ ŷ, Σ y, Σ ŷ², Σ y², Σ ŷ·y for each output"""

    name = "moments"
    by_class = False
    formula_text = "Σ {p}, Σ {y}, Σ {p}², Σ {y}², Σ {p}·{y}"

    def reference(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = rows_of(p).astype(np.float64), rows_of(y).astype(np.float64)
        return xp.concatenate([v.sum(axis=0) for v in (p, y, p * p, y * y, p * y)])
