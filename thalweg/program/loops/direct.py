"""Loops of instructions that have better ones than those of their references: no windows of images are written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution, Window
from thalweg.program.instructions.embedding import EmbeddingGradient
from thalweg.program.instructions.forest import Forest
from thalweg.program.instructions.images.pooling import (
    AveragePooling,
    AveragePoolingAdjoint,
    MaxPooling,
    MaxPoolingAdjoint,
    counted,
)
from thalweg.program.instructions.linear import Affine
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.forests import forest
from thalweg.program.loops.indices import Index, Looked, Variable, flat, of, within
from thalweg.program.loops.nests import (
    FLOAT,
    TRUTH,
    Apply,
    Array,
    Condition,
    Element,
    Expression,
    If,
    Let,
    Number,
    Set,
    Step,
    Store,
    When,
    indices,
    nest,
    within_ids,
)

ZERO_FLOAT = Number(np.float32(0), FLOAT)


def times(one: Expression, other: Expression) -> Expression:
    return Apply("multiply", (one, other), FLOAT)


def seen(elements: list[Variable], conditions: tuple[Condition, ...], body: list[Step]) -> list[Step]:
    """What is done for the elements of a window that are on the image."""
    return nest(elements, [If(conditions, body)] if conditions else body)


class Direct:
    """Writes the loops of one instruction."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.names = storage, storage.names

    def array(self, buffer: Buffer) -> Array:
        return self.storage.array_of(buffer.storage)

    def variables(self, *counts: int) -> list[Variable]:
        return self.names.variables(counts)

    def filled(self, buffer: Buffer, bias: Buffer | None = None) -> list[Step]:
        """The array with zeros, or the bias along its last axis."""
        array = self.array(buffer)
        width = 1 if bias is None else bias.size
        r, c = self.variables(array.size // width, width)
        value = ZERO_FLOAT if bias is None else Element(self.array(bias), of(c))
        return nest([r, c], [Store(array, flat(indices([r, c]), (r.count, c.count)), value)])

    def affine(self, i: Affine) -> list[Step]:
        """h = b, then row by row of W: h += x[k]·W[k]"""
        inputs, units = i.W.shape
        x, W, h = self.array(i.x), self.array(i.W), self.array(i.h)
        r, k, j = self.variables(h.size // units, inputs, units)
        xk = self.names.local(FLOAT)
        index = of(r) * units + of(j)
        added = Store(h, index, times(xk, Element(W, of(k) * units + of(j))), adds=True)
        begun = Store(h, index, ZERO_FLOAT if i.b is None else Element(self.array(i.b), of(j)))
        inner: list[Step] = [Let(xk, Element(x, of(r) * inputs + of(k))), *nest([j], [added])]
        return nest([r], [*nest([j], [begun]), *nest([k], inner)])

    def over(
        self, window: Window, image: tuple[int, ...], places: tuple[int, ...]
    ) -> tuple[list[Variable], list[Variable], tuple[Condition, ...], Index, Index]:
        """Of windows: variables of rows and places, and of the window's elements; when these are on the image; where
        the pixel lies, and the place, both without channels."""
        n, i, j = self.variables(self.storage.rows, *places[:2])
        a, b = self.variables(*window.size)
        ends = [
            of(place) * s + of(k) * d + -before
            for place, k, s, d, before in zip(
                (i, j), (a, b), window.strides, window.dilation, window.before, strict=True
            )
        ]
        conditions = tuple(Condition(e, 0, size) for e, size in zip(ends, image, strict=False))
        inside = [within(e, size) for e, size in zip(ends, image, strict=False)]
        pixel = flat([of(n), *inside], (n.count, *image[:2]))
        place = flat(indices([n, i, j]), (n.count, *places[:2]))
        return [n, i, j], [a, b], tuple(c for c in conditions if not c.always), pixel, place

    def convolved(self, x: Buffer, W: Buffer, h: Buffer, window: Window, groups: int, into: str) -> list[Step]:
        """The three products of a convolution of x to h: `into` names the one that is summed. W (kernel, in, out)."""
        channels, outputs = x.shape[-1] // groups, h.shape[-1] // groups
        places, elements, conditions, pixel, place = self.over(window, x.shape, h.shape)
        c, g, o = self.variables(channels, groups, outputs)
        kernel = flat(indices([*elements, c]), (*window.size, channels)) * (groups * outputs)
        at = {
            "x": (self.array(x), pixel * x.shape[-1] + of(g) * channels + of(c)),
            "W": (self.array(W), kernel + of(g) * outputs + of(o)),
            "h": (self.array(h), place * h.shape[-1] + of(g) * outputs + of(o)),
        }
        one, other = (Element(*at[name]) for name in at if name != into)
        added = Store(*at[into], times(one, other), adds=True)
        body = nest([c, g, o], [added])
        return nest(places, seen(elements, conditions, body))

    def convolution(self, i: Convolution) -> list[Step]:
        return self.filled(i.h, i.b) + self.convolved(i.x, i.W, i.h, i.window, i.groups, "h")

    def kernel_gradient(self, i: KernelGradient) -> list[Step]:
        return self.filled(i.dW) + self.convolved(i.x, i.dW, i.dh, i.window, i.groups, "W")

    def transposed(self, i: TransposedConvolution) -> list[Step]:
        return self.filled(i.h, i.b) + self.convolved(i.h, i.W, i.x, i.window, i.groups, "x")

    def pooling(self, i: MaxPooling | AveragePooling) -> list[Step]:
        """The most, or the sum, of what each window sees."""
        channels = i.x.shape[-1]
        function, first = ("maximum", -np.inf) if isinstance(i, MaxPooling) else ("add", 0)
        places, elements, conditions, pixel, place = self.over(i.window, i.x.shape, i.a.shape)
        (c,) = self.variables(channels)
        result: Expression
        result = total = self.names.local(FLOAT, "s")
        x = Element(self.array(i.x), pixel * channels + of(c))
        inner = seen(elements, conditions, [Set(total, Apply(function, (total, x), FLOAT))])
        if isinstance(i, AveragePooling):
            result = Apply("divide", (total, self.shares(i.window, i.x.shape, places)), FLOAT)
        begun = Let(total, Number(np.float32(first), FLOAT), changes=True)
        return nest([*places, c], [begun, *inner, Store(self.array(i.a), place * channels + of(c), result)])

    def max_pooling_adjoint(self, i: MaxPoolingAdjoint) -> list[Step]:
        channels = i.x.shape[-1]
        places, elements, conditions, pixel, place = self.over(i.window, i.x.shape, i.a.shape)
        (c,) = self.variables(channels)
        rest = self.names.local(FLOAT, "s")  # the derivative, until the element is found to which it belongs
        found = self.names.local(np.dtype(np.int64), "n")
        own, at = place * channels + of(c), pixel * channels + of(c)
        alike = Apply("equal", (Element(self.array(i.x), at), Element(self.array(i.a), own)), TRUTH)
        first = Apply("logical_and", (Apply("equal", (found, Number(0, found.dtype)), TRUTH), alike), TRUTH)
        add: list[Step] = [Store(self.array(i.dx), at, rest, adds=True), Set(found, Number(1, found.dtype))]
        body: list[Step] = [When(first, add)]
        inner = seen(elements, conditions, body)
        begun: list[Step] = [
            Let(rest, Element(self.array(i.da), own)),
            Let(found, Number(0, found.dtype), changes=True),
        ]
        return self.filled(i.dx) + nest([*places, c], [*begun, *inner])

    def shares(self, window: Window, image: tuple[int, ...], places: list[Variable]) -> Expression:
        """How many elements of the image the window at a place covers."""
        counts = counted(window, image)[..., 0].astype(np.float32)
        if (counts == counts.flat[0]).all():
            return Number(counts.flat[0], FLOAT)
        return Element(self.storage.table(counts), flat(indices(places[1:]), counts.shape))

    def average_pooling_adjoint(self, i: AveragePoolingAdjoint) -> list[Step]:
        channels = i.dx.shape[-1]
        places, elements, conditions, pixel, place = self.over(i.window, i.dx.shape, i.da.shape)
        (c,) = self.variables(channels)
        share = self.names.local(FLOAT)
        da = Element(self.array(i.da), place * channels + of(c))
        step: Step = Store(self.array(i.dx), pixel * channels + of(c), share, adds=True)
        inner = seen(elements, conditions, [step])
        begun = Let(share, Apply("divide", (da, self.shares(i.window, i.dx.shape, places)), FLOAT))
        return self.filled(i.dx) + nest([*places, c], [begun, *inner])

    def embedding_gradient(self, i: EmbeddingGradient) -> list[Step]:
        entries, width = i.dW.shape
        ids = self.array(i.ids)
        r, j = self.variables(ids.size, width)
        number = Element(ids, of(r))
        row = of(Looked(Apply("astype", (number,), np.dtype(np.int64)), entries))
        dh = Element(self.array(i.dh), of(r) * width + of(j))
        body = nest([j], [Store(self.array(i.dW), row * width + of(j), dh, adds=True)])
        begun = self.filled(i.dW)
        if i.counts is not None:
            begun += self.filled(i.counts)
            body = [Store(self.array(i.counts), row, Number(np.float32(1), FLOAT), adds=True), *body]
        return begun + nest([r], [When(within_ids(number, entries), body)])

    def forest(self, i: Forest) -> list[Step] | None:
        return forest(self.storage, i)


DIRECT: dict[type[Instruction], Callable[[Direct, Any], list[Step] | None]] = {
    Affine: Direct.affine, Convolution: Direct.convolution, KernelGradient: Direct.kernel_gradient,
    TransposedConvolution: Direct.transposed, MaxPooling: Direct.pooling, MaxPoolingAdjoint: Direct.max_pooling_adjoint,
    AveragePooling: Direct.pooling, AveragePoolingAdjoint: Direct.average_pooling_adjoint,
    EmbeddingGradient: Direct.embedding_gradient, Forest: Direct.forest,
}  # fmt: skip
"""An instruction's class → its loops; None where those of its reference have to do."""
