"""Activations that act on one row at a time, over its last axis: softmax and its relatives, and gated linear units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.errors import ShapeError
from thalweg.program.formula.functions import sigmoid
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


class Rowwise(Instruction):
    """a = f(h), for each vector along the last axis. A subclass is one activation and defines its derivative."""

    h: Buffer
    a: Buffer

    writes = ("a",)
    shapes = "a: …; h: …"
    differentiates = ("h",)

    formula_text: ClassVar[str]  # of {h}
    slope_text: ClassVar[str]  # dh, of {a} or {h}, and {da}
    slope_of: ClassVar[str] = "a"
    cost: ClassVar[int] = 14

    def value(self, xp: Any, h: Array) -> Array:
        """f(h)"""
        raise NotImplementedError

    def pull(self, xp: Any, v: Array, da: Array) -> Array:
        """dh, from da and the operand named by `slope_of`."""
        raise NotImplementedError

    @classmethod
    def output_shape(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a for an h of this shape."""
        return shape

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.formula_text.format(h=self.h)}"

    @property
    def sizes(self) -> dict[str, int]:
        """Vectors in a row, and numbers in a vector of h."""
        return {"vectors": self.h.size // self.h.shape[-1], "n": self.h.shape[-1]}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield RowwiseAdjoint(self, getattr(self, self.slope_of), d(self.a), d.into(self.h))

    def reference(self, xp: Any, h: Array) -> Array:
        return self.value(xp, h)

    def flops(self, rows: int) -> int:
        return self.cost * rows * self.a.size


class RowwiseAdjoint(Instruction):
    """dh from da for the activation `of`, for each vector along the last axis."""

    of: Rowwise
    v: Buffer  # h or a
    da: Buffer
    dh: Buffer

    name = "adjoint"
    writes = ("dh",)

    @property
    def title(self) -> str:
        return f"{self.of.title} adjoint"

    @property
    def formula(self) -> str:
        return f"{self.dh} = {self.of.slope_text.format(h=self.v, a=self.v, da=self.da)}"

    @property
    def fits(self) -> bool:
        of = self.of
        pairs = ((self.v, getattr(of, of.slope_of)), (self.da, of.a), (self.dh, of.h))
        return all((one.shape, one.per_row) == (other.shape, other.per_row) for one, other in pairs)

    @property
    def sizes(self) -> dict[str, int]:
        return self.of.sizes

    def reference(self, xp: Any, v: Array, da: Array) -> Array:
        return self.of.pull(xp, v, da)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.dh.size


class Softmax(Rowwise):
    """a = e^(h − max h) / Σ e^(h − max h) over the last axis      h, a (rows, …, classes)"""

    name = "softmax"
    formula_text = "softmax({h})"
    slope_text = "{a}·({da} − Σ {da}·{a})"

    def value(self, xp: Any, h: Array) -> Array:
        e = xp.exp(h - h.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def pull(self, xp: Any, v: Array, da: Array) -> Array:
        return v * (da - (da * v).sum(axis=-1, keepdims=True))


class LogSoftmax(Rowwise):
    """a = h − ln Σ eʰ over the last axis      h, a (rows, …, classes)"""

    name = "log softmax"
    formula_text = "{h} − ln Σ e^{h}"
    slope_text = "{da} − e^{a}·Σ {da}"

    def value(self, xp: Any, h: Array) -> Array:
        below = h - h.max(axis=-1, keepdims=True)
        return below - xp.log(xp.exp(below).sum(axis=-1, keepdims=True))

    def pull(self, xp: Any, v: Array, da: Array) -> Array:
        return da - xp.exp(v) * da.sum(axis=-1, keepdims=True)


class Sparsemax(Rowwise):
    """a = max(h − τ, 0), with the τ that makes Σ a = 1 over the last axis      h, a (rows, …, classes)

    The point nearest to h on the probability simplex (Martins and Astudillo, ICML 2016); many elements are exactly 0.
    """

    name = "sparsemax"
    formula_text = "max({h} − τ, 0), Σ = 1"
    slope_text = "[{a} > 0]·({da} − mean of {da} where {a} > 0)"

    def value(self, xp: Any, h: Array) -> Array:
        top = h.max(axis=-1, keepdims=True)  # elements below top − 1 become 0
        falling = -xp.sort(-(h - top), axis=-1)
        sums = falling.cumsum(axis=-1) - 1
        counts = xp.arange(1, h.shape[-1] + 1)
        last = (falling * counts > sums).sum(axis=-1, keepdims=True) - 1
        tau = xp.take_along_axis(sums, xp.maximum(last, 0), axis=-1) / (last + 1)
        return xp.maximum(h - top - tau, 0)

    def pull(self, xp: Any, v: Array, da: Array) -> Array:
        support = v > 0
        mean = (da * support).sum(axis=-1, keepdims=True) / support.sum(axis=-1, keepdims=True)
        return support * (da - mean)


class Glu(Rowwise):
    """a = x·σ(g), x and g the two halves of h along its last axis      h (rows, …, 2n) → a (rows, …, n)"""

    name = "glu"
    shapes = "a: … n; h: … 2·n"
    formula_text = "x·σ(g), x and g the halves of {h}"
    slope_text = "({da}·σ(g), {da}·x·σ'(g)), x and g the halves of {h}"
    slope_of = "h"
    cost = 13

    @classmethod
    def output_shape(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        if shape[-1] % 2:
            raise ShapeError(f"glu halves the last axis, so its size has to be even, not {shape[-1]}")
        return (*shape[:-1], shape[-1] // 2)

    def value(self, xp: Any, h: Array) -> Array:
        x, g = xp.split(h, 2, axis=-1)
        return x * sigmoid(xp, g)

    def pull(self, xp: Any, v: Array, da: Array) -> Array:
        x, g = xp.split(v, 2, axis=-1)
        s = sigmoid(xp, g)
        return xp.concatenate([da * s, da * x * s * (1 - s)], axis=-1)
