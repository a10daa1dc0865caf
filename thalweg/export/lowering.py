"""Statements as loops: what is read more than once, or isn't elementwise, gets an array, or a number of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from thalweg.export.elements import LEAVES, VIEWS, Body, Elements, Storage
from thalweg.export.graph import Value, walk
from thalweg.export.heavy import HEAVY
from thalweg.export.indices import Index, aligned, flat, of
from thalweg.export.loops import Array, Block, Element, Let, Local, Number, Step, Store, nest
from thalweg.export.statements import Statement
from thalweg.program.ir.instruction import Buffer

QUICK = (
    "add", "subtract", "multiply", "negative", "absolute", "maximum", "minimum", "where", "astype", "less", "equal",
    "less_equal", "greater", "greater_equal", "not_equal", "logical_and", "logical_or", "logical_not",
)  # fmt: skip
"""What may be computed twice rather than kept."""
SLOW = 10  # as many quick functions take as long as another one


class Lowered(Elements):
    """One statement."""

    def __init__(self, storage: Storage, statement: Statement) -> None:
        super().__init__(storage)
        self.statement = statement
        self.steps: list[Step] = []
        self.made = [a for a in statement.assignments if not same_memory(a.buffer, a.value)]
        self.order = walk([a.value for a in self.made])
        self.roots, self.shared = chosen(self.order, [(a.value, storage.shape(a.buffer)) for a in self.made])

    # --- the whole

    def block(self) -> Block:
        read = [self.array(v) for v in self.order if v.function == "name"]
        direct: dict[Value, Array] = {}
        for a in self.made:
            target = self.storage.array_of(a.buffer.storage)
            fits = a.value.size == target.size and a.value.dtype == target.dtype and not a.adds
            if a.value in self.roots and fits and not any(target.overlaps(r) for r in read) and a.value not in direct:
                direct[a.value] = target
        for v in self.order:
            if v in self.roots:
                place = direct.get(v) or self.place(v)
                if v.function in HEAVY:
                    self.steps += HEAVY[v.function](self, v, place)
                else:
                    self.elementwise([(v, place, False)], v.shape)
                self.stored[v] = place
        merged = self.assign(
            [a for a in self.made if direct.get(a.value) is not self.storage.array_of(a.buffer.storage)]
        )
        return Block(self.statement.instruction.formula, self.steps, merged=merged)

    def place(self, v: Value) -> Array | Local:
        """Where what is kept for a while goes: a number has a name alone."""
        if v.size == 1:
            return self.names.local(v.dtype)
        return self.storage.memory(v.size, v.dtype)

    def assign(self, assignments: Sequence[Any]) -> list[tuple[Array, Array]]:
        """What is left to be written: elementwise, all at once what has one shape."""
        groups: dict[tuple[int, ...], list[Any]] = {}
        for a in assignments:
            groups.setdefault(self.storage.shape(a.buffer), []).append(a)
        targets = [self.storage.array_of(a.buffer.storage) for a in assignments]
        later: list[tuple[Array, Array, bool]] = []
        merged: list[tuple[Array, Array]] = []
        for number, (shape, group) in enumerate(groups.items()):
            ends = [(a.value, self.storage.array_of(a.buffer.storage), a.adds) for a in group]
            before = len(self.steps)
            loads, index = self.elementwise(ends, shape)
            unsafe = len(groups) > 1 and number < len(groups) - 1
            if unsafe or any(r.overlaps(t) and (r is not t or at != index) for r, at in loads for t in targets):
                del self.steps[before:]
                kept = [self.storage.memory(t.size, t.dtype) for _, t, _ in ends]
                self.elementwise([(v, k, False) for (v, _, _), k in zip(ends, kept, strict=True)], shape)
                later += [(t, k, adds) for (_, t, adds), k in zip(ends, kept, strict=True)]
            elif before == 0:
                own = [t for _, t, _ in ends]
                alike = {r for r, at in loads if at == index} - {r for r, at in loads if at != index}
                merged += [(t, r) for t in own for r in alike if t.size == r.size and t.dtype == r.dtype]
        for target, kept_in, adds in later:
            (variable,) = self.names.variables([target.size])
            at = of(variable)
            self.steps += nest([variable], [Store(target, at, Element(kept_in, at), adds)])
        return merged

    def elementwise(
        self, ends: Sequence[tuple[Value, Array | Local, bool]], shape: tuple[int, ...]
    ) -> tuple[list[tuple[Array, Index]], Index]:
        """One nest that computes the elements of values, all of a shape; returns what it reads, and where it writes."""
        variables, at = self.domain([v for v, _, _ in ends], shape)
        body, index = Body(), flat(at, shape)
        values = [self.element(v, aligned(at, v.shape), body) for v, _, _ in ends]
        stores: list[Step] = []
        for (_, place, adds), value in zip(ends, values, strict=True):
            if isinstance(place, Local):
                self.steps += [*body.lets, Let(place, value)]
                return body.loads, index
            if len(ends) > 1 and not isinstance(value, Local | Number):  # all are computed before any is written
                local = self.names.local(place.dtype)
                body.lets.append(Let(local, value))
                value = local
            stores.append(Store(place, index, value, adds))
        self.steps += nest(variables, [*body.lets, *stores])
        return body.loads, index


def lowered(storage: Storage, statement: Statement) -> Block:
    """A statement as loops: none where it only gives an array another shape."""
    return Lowered(storage, statement).block()


def same_memory(buffer: Buffer, value: Value) -> bool:
    """Whether a value is the buffer itself, under another shape."""
    while value.function == "reshape":
        (value,) = value.operands
    return value.function == "name" and value.options["buffer"] is buffer.storage


# --- what is kept


def chosen(order: Sequence[Value], ends: Iterable[tuple[Value, tuple[int, ...]]]) -> tuple[set[Value], set[Value]]:
    """(values that are kept in arrays, values that have a name within their loop)."""
    uses: dict[Value, dict[Any, float]] = {v: {} for v in order}  # where it is read, and how many elements are there
    guarded: set[Value] = set()
    readers = dict.fromkeys(order, 0)
    cost: dict[Value, int] = {}
    for v in order:
        own = 0 if v.function in (*LEAVES, *VIEWS) else 1 if v.function in QUICK else SLOW
        cost[v] = own + (0 if v.function in HEAVY else sum(cost[o] for o in v.operands))
    for v, shape in ends:
        uses[v][shape, v.shape] = float(np.prod(shape))
        readers[v] += 1
    roots: set[Value] = set()
    for v in reversed(order):
        if is_root(v, uses[v], v in guarded and readers[v] > 1, cost[v]):
            roots.add(v)
            inner: dict[Any, float] = {v: whole(v)}
        else:
            inner = uses[v]
        for number, o in enumerate(v.operands):
            readers[o] += 1
            if (v in guarded and v not in roots) or v.function in ("pad", "concatenate"):
                guarded.add(o)
            view = v.function in VIEWS or v.function == "matmul"
            for key, domain in inner.items():
                if v.function in ("pad", "concatenate"):
                    domain *= o.size / v.size
                place = (key, v, number) if view else (key, o.shape) if o.shape != v.shape else key
                uses[o][place] = max(uses[o].get(place, 0), domain)
            if v.function in ("argsort", "lexsort") and o.function != "name":
                uses[o][v, "sorted"] = uses[o][v, "other"] = 1e30  # it is read as an array
    elementwise = {v for v in order if v.function not in (*LEAVES, *VIEWS) and v not in roots}
    return roots, {v for v in elementwise if readers[v] > 1}


def whole(v: Value) -> float:
    """How many elements of its operands it reads."""
    if v.function == "matmul":
        return float(v.size * v.operands[0].shape[-1])
    return float(max([v.size, *(o.size for o in v.operands)] if v.function in HEAVY else [v.size]))


def is_root(v: Value, uses: dict[Any, float], guarded: bool, cost: int) -> bool:
    if v.function in LEAVES:
        return False
    if v.function in HEAVY:
        return True
    if any(domain >= 1e30 for domain in uses.values()):
        return True
    repeated = len(uses) > 1 or max(uses.values(), default=0) > v.size
    if v.function in VIEWS:
        return repeated and v.function == "concatenate" and len(v.operands) > 2 and cost > 0
    return guarded or (repeated and cost > 1)
