"""Elements of the values of a graph, as expressions: elementwise functions are computed where they are read, and views
are index arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.graphs.sizes import Size
from thalweg.program.graphs.traced_values import Value
from thalweg.program.ir.instruction import Buffer
from thalweg.program.loops.indices import Index, Looked, Variable, aligned, flat, of, unravelled, within
from thalweg.program.loops.nests import (
    TABLE,
    Apply,
    Array,
    Condition,
    Drawn,
    Element,
    Expression,
    Guarded,
    Let,
    Local,
    Names,
    Number,
    Position,
    Step,
)

LEAVES = ("name", "constant", "step", "rows", "size", "arange")
VIEWS = ("reshape", "transpose", "slice", "pad", "concatenate", "broadcast_to", "take", "take_along_axis")


@dataclass(eq=False)
class Body:
    """The inside of a loop, as far as it is written: what has a name there, and what is read."""

    lets: list[Step] = field(default_factory=list)
    known: dict[tuple[Value, tuple[Index, ...]], Expression] = field(default_factory=dict)
    loads: list[tuple[Array, Index]] = field(default_factory=list)
    guards: int = 0  # conditions that we are under: what is read there can't be read before

    def load(self, array: Array, index: Index) -> Expression:
        self.loads.append((array, index))
        return Element(array, index)


class Storage:
    """The arrays of a program, and the names that are used.

    array_of: the array of a buffer that isn't a view.
    """

    def __init__(self, array_of: Callable[[Buffer], Array], names: Names, rows: int) -> None:
        self.array_of, self.names, self.rows = array_of, names, rows
        self.tables: dict[tuple[bytes, str], Array] = {}

    def table(self, numbers: np.ndarray[Any, Any], name: str = "") -> Array:
        """The array of constants, one for all that are alike."""
        numbers = np.ascontiguousarray(numbers)
        key = (numbers.tobytes(), numbers.dtype.str)
        if key not in self.tables:
            name = self.names.fresh("table_", name and f"_{name}")
            self.tables[key] = Array(name, numbers.size, numbers.dtype, TABLE, numbers.reshape(-1))
        return self.tables[key]

    def shape(self, buffer: Buffer) -> tuple[int, ...]:
        """The shape of what a buffer holds, with its rows."""
        return (*[self.rows] * buffer.per_row, *buffer.shape)

    def memory(self, size: int, dtype: Any) -> Array:
        return Array(self.names.fresh("part_"), size, np.dtype(dtype))


class Elements:
    """The values of one statement, some of which are kept.

    Attributes:
        stored: where a value is kept that needn't be computed again.
        shared: the values that have a name within their loop, as they are read more than once there.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage, self.names = storage, storage.names
        self.stored: dict[Value, Array | Local] = {}
        self.shared: set[Value] = set()

    def domain(self, values: Sequence[Value], shape: tuple[int, ...]) -> tuple[list[Variable], tuple[Index, ...]]:
        """Variables that count a shape, as few as possible, and the indices made of them."""
        return self.counted(shape, self.grouped(values, shape))

    def counted(
        self, shape: tuple[int, ...], groups: Sequence[Sequence[int]]
    ) -> tuple[list[Variable], tuple[Index, ...]]:
        """A variable for each group of axes, and the indices made of them."""
        sizes = [tuple(shape[axis] for axis in group) for group in groups]
        variables = self.names.variables([math.prod(group) for group in sizes])
        at = (i for variable, group in zip(variables, sizes, strict=True) for i in unravelled(of(variable), group))
        return variables, tuple(at)

    def grouped(self, values: Sequence[Value], shape: tuple[int, ...], gone: Sequence[int] = ()) -> list[list[int]]:
        """The axes that one variable can count: beside each other, of arrays that are read in order and have both or
        none; all of them `gone`, or none."""
        accesses: list[tuple[int, ...]] | None = []
        for v in values:
            found = self.accesses(v)
            accesses = None if found is None or accesses is None else accesses + found
        if accesses is None:
            return [[axis] for axis in range(len(shape))]
        wide = [(1,) * (len(shape) - len(s)) + s for s in accesses]
        groups: list[list[int]] = []
        last = -1  # the axis of the group that counts more than 1
        for axis, size in enumerate(shape):
            alike = all((s[axis] == size) == (s[last] == shape[last]) for s in wide)
            same = bool(groups) and (axis in gone) == (groups[-1][0] in gone)
            if not (same and (last < 0 or size == 1 or alike)):
                groups.append([])
                last = -1
            groups[-1].append(axis)
            last = axis if size > 1 else last
        return groups

    def accesses(self, v: Value) -> list[tuple[int, ...]] | None:
        """The shapes of the arrays that are read in order; None where others are."""
        if v in self.stored or v.function in ("name", "constant", "drawn"):
            return [v.shape]
        if v.function == "reshape":
            (x,) = v.operands
            return [v.shape] if x in self.stored or x.function in ("name", "constant") else None
        if v.function in VIEWS or v.function == "arange":
            return None
        found: list[tuple[int, ...]] = []
        for o in v.operands:
            inner = self.accesses(o)
            if inner is None:
                return None
            found += inner
        return found

    # --- elements

    def array(self, v: Value) -> Array:
        return self.storage.array_of(v.options["buffer"])

    def element(self, v: Value, at: tuple[Index, ...], body: Body) -> Expression:
        """The element of a value at a place."""
        place = self.stored.get(v)
        if isinstance(place, Local):
            return place
        if place is not None:
            return body.load(place, flat(at, v.shape))
        found = body.known.get((v, at))
        if found is None:
            found = self.computed(v, at, body)
            if v in self.shared and not body.guards:
                local = self.names.local(v.dtype)
                body.lets.append(Let(local, found))
                found = body.known[v, at] = local
        return found

    def computed(self, v: Value, at: tuple[Index, ...], body: Body) -> Expression:
        f = v.function
        if f in LEAVES or f == "drawn":
            return self.leaf(v, at, body)
        if f in VIEWS:
            return self.viewed(v, at, body)
        operands = tuple(self.element(o, aligned(at, o.shape), body) for o in v.operands)
        return Apply(f, operands, v.dtype)

    def leaf(self, v: Value, at: tuple[Index, ...], body: Body) -> Expression:
        match v.function:
            case "name":
                return body.load(self.array(v), flat(at, v.shape))
            case "constant":
                elements = v.options["elements"]
                first = elements.reshape(-1)[0]
                if elements.size == 1 or (elements == first).all():
                    return Number(first, v.dtype)
                if v.size == v.shape[-1] and v.dtype.kind == "i" and (np.diff(elements, 2) == 0).all():  # it counts
                    step = int(elements.reshape(-1)[1] - first)
                    return Position(at[-1] * step + int(first), v.dtype)
                return body.load(self.storage.table(elements), flat(at, v.shape))
            case "step" if v.ndim == 0:
                return Local(v.options["name"], v.dtype)
            case "drawn":
                return Drawn(v.options["stream"], flat(at, v.shape) + v.options["first"])
            case "step" | "arange":
                return Position(at[0], v.dtype)
            case "size" | "rows" if isinstance(self.storage.rows, Size):
                return Position(Index((), v.options.get("size", self.storage.rows)), v.dtype)
        raise ThalwegError("a program with an open number of rows has no loops")

    def viewed(self, v: Value, at: tuple[Index, ...], body: Body) -> Expression:
        x, options = v.operands[0], v.options
        match v.function:
            case "reshape":
                return self.element(x, unravelled(flat(at, v.shape), x.shape), body)
            case "broadcast_to":
                return self.element(x, aligned(at, x.shape), body)
            case "transpose":
                where = dict(zip(options["axes"], at, strict=True))
                return self.element(x, tuple(where[axis] for axis in range(x.ndim)), body)
            case "slice":
                moves = zip(at, options["starts"], options["steps"], strict=True)
                return self.element(x, tuple(i * step + start for i, start, step in moves), body)
            case "take":
                axis, (_, numbers) = options["axis"], v.operands
                where_ = self.looked(numbers, at[axis : axis + numbers.ndim], x.shape[axis], body)
                return self.element(x, (*at[:axis], where_, *at[axis + numbers.ndim :]), body)
            case "take_along_axis":
                axis, (_, numbers) = options["axis"], v.operands
                where_ = self.looked(numbers, aligned(at, numbers.shape), x.shape[axis], body)
                own = list(aligned(at, x.shape))
                own[axis] = where_
                return self.element(x, tuple(own), body)
            case "pad":
                return self.padded(v, at, body)
        return self.joined(v, at, body)

    def looked(self, numbers: Value, at: tuple[Index, ...], count: int, body: Body) -> Index:
        """The index that an element of an array of whole numbers is."""
        return of(Looked(self.element(numbers, at, body), count))

    def padded(self, v: Value, at: tuple[Index, ...], body: Body) -> Expression:
        (x,) = v.operands
        own = [index + -before for index, (before, _) in zip(at, v.options["widths"], strict=True)]
        conditions = tuple(c for c in (Condition(i, 0, n) for i, n in zip(own, x.shape, strict=True)) if not c.always)
        inner = tuple(within(i, n) for i, n in zip(own, x.shape, strict=True))
        outside = Number(v.dtype.type(v.options["value"]), v.dtype)
        return self.guarded(conditions, x, inner, outside, body)

    def joined(self, v: Value, at: tuple[Index, ...], body: Body) -> Expression:
        axis = v.options["axis"]
        index, end = at[axis], v.shape[axis]
        result: Expression | None = None
        for part in reversed(v.operands):
            start = end - part.shape[axis]
            own = (*at[:axis], within(index + -start, part.shape[axis]), *at[axis + 1 :])
            if index.low < end and index.high >= start and part.size:
                condition = Condition(index, index.low, end)
                conditions = () if result is None or condition.always else (condition,)
                result = self.guarded(conditions, part, own, result, body, v.dtype)
            end = start
        assert result is not None
        return result

    def guarded(
        self, conditions: tuple[Condition, ...], x: Value, at: tuple[Index, ...], outside: Any, body: Body,
        dtype: Any = None,
    ) -> Expression:  # fmt: skip
        """An element of x under conditions, and otherwise another number."""
        body.guards += 1
        inside = self.element(x, at, body)
        body.guards -= 1
        if dtype is not None and x.dtype != dtype:
            inside = Apply("astype", (inside,), dtype)
        return Guarded(conditions, inside, outside) if conditions else inside
