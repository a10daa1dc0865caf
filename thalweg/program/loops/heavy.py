"""Functions of arrays that aren't elementwise, as loops: sums and their like, products of matrices, running sums,
sorting, counting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.program.graphs.traced_values import Value
from thalweg.program.loops.elements import Body, Elements
from thalweg.program.loops.indices import ZERO, Index, Looked, Variable, flat, of
from thalweg.program.loops.nests import (
    Apply,
    Array,
    Element,
    Expression,
    Let,
    Local,
    Number,
    Position,
    Set,
    Sort,
    Step,
    Store,
    When,
    indices,
    nest,
)

COMBINED = {
    "sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum", "all": "logical_and", "any": "logical_or",
    "cumsum": "add", "cumprod": "multiply",
}  # fmt: skip
LONG = 256  # sums of more float32 than this are kept in float64


def first_of(function: str, dtype: np.dtype[Any]) -> Number:
    """What a function of many begins with."""
    if function in ("max", "min"):
        least: Any = -np.inf if dtype.kind == "f" else np.iinfo(dtype).min
        most: Any = np.inf if dtype.kind == "f" else np.iinfo(dtype).max
        return Number(dtype.type(least if function == "max" else most), dtype)
    return Number(dtype.type(function in ("prod", "cumprod", "all")), dtype)


def ended(place: Array | Local, index: Index, value: Expression) -> Step:
    return Let(place, value) if isinstance(place, Local) else Store(place, index, value)


def divided(s: Elements, v: Value) -> tuple[list[Variable], list[Variable], tuple[Index, ...], Index]:
    """Variables of what stays and of what is summed, the indices of an element, and where its result lies."""
    (x,) = v.operands
    axes = v.options["axis"]
    groups = s.grouped([x], x.shape, axes)
    every, at = s.counted(x.shape, groups)
    kept = [k for k, group in zip(every, groups, strict=True) if group[0] not in axes]
    gone = [k for k, group in zip(every, groups, strict=True) if group[0] in axes]
    return kept, gone, at, flat(indices(kept), tuple(k.count for k in kept))


def reduction(s: Elements, v: Value, place: Array | Local) -> list[Step]:
    (x,) = v.operands
    kept, gone, at, index = divided(s, v)
    body, count = Body(), math.prod(k.count for k in gone)
    element = s.element(x, at, body)
    start, combined = first_of(v.function, v.dtype), COMBINED[v.function]
    widely = v.function == "sum" and v.dtype == np.float32 and count > LONG
    inner = bool(kept) and x.ndim - 1 not in v.options["axis"] and kept[-1].count > 1
    kind = np.dtype(np.float64) if widely else v.dtype
    if v.function == "sum" and inner and isinstance(place, Array):
        sums = s.storage.memory(v.size, kind) if widely else place
        begun = nest(kept, [Store(sums, index, Number(kind.type(0), kind))])
        added = nest([*gone, *kept], [*body.lets, Store(sums, index, element, adds=True)])
        return begun + added + (nest(kept, [Store(place, index, Element(sums, index))]) if widely else [])
    total = s.names.local(kind, "s")
    step = Set(total, Apply(combined, (total, element), kind))
    return nest(
        kept,
        [
            Let(total, Number(kind.type(start.value), kind), changes=True),
            *nest(gone, [*body.lets, step]),
            ended(place, index, total),
        ],
    )


def best(s: Elements, v: Value, place: Array | Local) -> list[Step]:
    """The place of the largest or smallest element: the first of them, or of NaN."""
    (x,) = v.operands
    kept, gone, at, index = divided(s, v)
    most, where_ = s.names.local(x.dtype, "s"), s.names.local(v.dtype, "n")
    body = Body()
    element = s.element(x, at, body)
    own = s.names.local(x.dtype)
    better: Expression = Apply("greater" if v.function == "argmax" else "less", (own, most), np.dtype(bool))
    if x.dtype.kind == "f":
        known, unknown = (Apply(f, (o, o), np.dtype(bool)) for f, o in (("equal", most), ("not_equal", own)))
        better = Apply("logical_or", (better, Apply("logical_and", (unknown, known), np.dtype(bool))), np.dtype(bool))
    number = Position(flat(indices(gone), tuple(k.count for k in gone)), v.dtype)
    step = When(better, [Set(most, own), Set(where_, number)])
    return nest(
        kept,
        [
            Let(most, first_of("max" if v.function == "argmax" else "min", x.dtype), changes=True),
            Let(where_, Number(0, v.dtype), changes=True),
            *nest(gone, [*body.lets, Let(own, element), step]),
            ended(place, index, where_),
        ],
    )


def product(s: Elements, v: Value, place: Array | Local) -> list[Step]:
    """Over the elements of one row where those of the other matrix lie beside each other; else column by column."""
    a, b = v.operands
    *batch, i, j = s.names.variables(v.shape)
    (k,) = s.names.variables([a.shape[-1]])

    def at(x: Value, row: Variable, column: Variable) -> tuple[Index, ...]:
        own = batch[len(batch) - (x.ndim - 2) :] if x.ndim > 2 else []
        sizes = x.shape[:-2]
        outer = [ZERO if n == 1 else of(o) for o, n in zip(own, sizes, strict=True)]
        return (*outer, of(row), of(column))

    left, right, index = Body(), Body(), flat(indices([*batch, i, j]), v.shape)
    one, other = s.element(a, at(a, i, k), left), s.element(b, at(b, k, j), right)
    by_rows = isinstance(other, Element) and other.index.factor(j) == 1
    if j.count == 1 or not by_rows or isinstance(place, Local):
        total = s.names.local(v.dtype, "s")
        step = Set(total, Apply("add", (total, Apply("multiply", (one, other), v.dtype)), v.dtype))
        inner = nest([k], [*left.lets, *right.lets, step])
        begun = Let(total, first_of("sum", v.dtype), changes=True)
        return nest([*batch, i, j], [begun, *inner, ended(place, index, total)])
    factor = s.names.local(v.dtype)
    added = Store(place, index, Apply("multiply", (factor, other), v.dtype), adds=True)
    inner = [*left.lets, Let(factor, one), *nest([j], [*right.lets, added])]
    return nest([*batch, i], [*nest([j], [Store(place, index, first_of("sum", v.dtype))]), *nest([k], inner)])


def running(s: Elements, v: Value, place: Array | Local) -> list[Step]:
    (x,) = v.operands
    every = s.names.variables(v.shape)
    along = every[v.options["axis"]]
    total, body = s.names.local(v.dtype, "s"), Body()
    step = Set(total, Apply(COMBINED[v.function], (total, s.element(x, indices(every), body)), v.dtype))
    end = ended(place, flat(indices(every), v.shape), total)
    begun = Let(total, first_of(v.function, v.dtype), changes=True)
    if isinstance(place, Local):
        return [begun, *body.lets, step, end]
    return nest([k for k in every if k is not along], [begun, *nest([along], [*body.lets, step, end])])


def sorting(s: Elements, v: Value, place: Array | Local) -> list[Step]:
    """The numbers, or the numbers of the elements, are written and then sorted in place."""
    (x,) = v.operands
    every = s.names.variables(v.shape)
    along = every[v.options.get("axis", v.ndim - 1)]
    at, body = indices(every), Body()
    index = flat(at, v.shape)
    value = s.element(x, at, body) if v.function == "sort" else Position(of(along), v.dtype)
    begun = nest(every, [*body.lets, ended(place, index, value)])
    if isinstance(place, Local):
        return begun
    begin = flat([ZERO if k is along else of(k) for k in every], v.shape)
    stride = flat([Index((), 1) if k is along else ZERO for k in every], v.shape).first
    keys: tuple[tuple[Array, Index], ...] = ()
    if v.function != "sort":
        array = s.stored.get(x) or s.array(x)
        assert isinstance(array, Array)
        keys = tuple((array, begin + k * v.size) for k in range(x.size // v.size))
    return begun + nest([k for k in every if k is not along], [Sort(place, begin, along.count, stride, keys)])


def counting(s: Elements, v: Value, place: Array | Local) -> list[Step]:
    places, weights = v.operands
    (k,), (i,) = s.names.variables(v.shape), s.names.variables(places.shape)
    if isinstance(place, Local):  # all are counted there
        total = s.names.local(v.dtype, "s")
        body = Body()
        step = Set(total, Apply("add", (total, s.element(weights, (of(i),), body)), v.dtype))
        begun = Let(total, first_of("sum", v.dtype), changes=True)
        return [begun, *nest([i], [*body.lets, step]), Let(place, total)]
    body = Body()
    where_ = of(Looked(s.element(places, (of(i),), body), v.shape[0]))
    added = Store(place, where_, s.element(weights, (of(i),), body), adds=True)
    return nest([k], [Store(place, of(k), first_of("sum", v.dtype))]) + nest([i], [*body.lets, added])


HEAVY: dict[str, Callable[[Elements, Value, Array | Local], list[Step]]] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "all", "any"), reduction),
    "matmul": product, "argmax": best, "argmin": best, "cumsum": running, "cumprod": running, "sort": sorting,
    "argsort": sorting, "lexsort": sorting, "bincount": counting,
}  # fmt: skip
"""What makes the loops that compute a value into its place."""
