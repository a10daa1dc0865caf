"""Statements as loops: what is read more than once, or isn't elementwise, gets an array, or a number of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.program.graphs.traced_program import Assignment, Statement
from thalweg.program.graphs.traced_values import Value, walk
from thalweg.program.ir.instruction import Buffer
from thalweg.program.loops.elements import LEAVES, VIEWS, Body, Elements, Storage
from thalweg.program.loops.heavy import HEAVY
from thalweg.program.loops.indices import Index, aligned, flat, of
from thalweg.program.loops.nests import Array, Block, Element, Let, Local, Number, Step, Store, nest

QUICK = (
    "add", "subtract", "multiply", "negative", "absolute", "maximum", "minimum", "where", "astype", "less", "equal",
    "less_equal", "greater", "greater_equal", "not_equal", "logical_and", "logical_or", "logical_not",
)  # fmt: skip
"""What may be computed twice rather than kept."""
SLOW = 10  # as many quick functions take as long as another one


@dataclass(frozen=True)
class End:
    """Where a value goes."""

    value: Value
    place: Array | Local
    adds: bool = False


@dataclass(frozen=True)
class Nest:
    """Loops that write the elements of arrays: what they read, and the index at which they write."""

    steps: list[Step]
    loads: list[tuple[Array, Index]]
    index: Index
    targets: list[Array]


class Fused:
    """One statement."""

    def __init__(self, storage: Storage, statement: Statement) -> None:
        self.storage, self.names, self.statement = storage, storage.names, statement
        self.elements = Elements(storage)
        self.steps: list[Step] = []
        self.merged: list[tuple[int, Array, Array]] = []
        self.made = [a for a in statement.assignments if not same_memory(a.buffer, a.value)]
        self.order = walk([a.value for a in self.made])
        self.roots, self.elements.shared = chosen(self.order, [(a.value, storage.shape(a.buffer)) for a in self.made])

    # --- the whole

    def block(self) -> Block:
        read = [self.elements.array(v) for v in self.order if v.function == "name"]
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
                    self.steps += HEAVY[v.function](self.elements, v, place)
                else:
                    self.append(self.elementwise([End(v, place)], v.shape))
                self.elements.stored[v] = place
        done = [a for a in self.made if direct.get(a.value) is self.storage.array_of(a.buffer.storage)]
        self.assign([a for a in self.made if a not in done])
        return Block(self.statement.instruction.formula, self.steps, self.merged)

    def place(self, v: Value) -> Array | Local:
        """Where what is kept for a while goes: a number has a name alone."""
        if v.size == 1:
            return self.names.local(v.dtype)
        return self.storage.memory(v.size, v.dtype)

    def assign(self, assignments: Sequence[Assignment]) -> None:
        """What is left to be written: elementwise, all at once what has one shape."""
        groups: dict[tuple[int, ...], list[Assignment]] = {}
        for a in assignments:
            groups.setdefault(self.storage.shape(a.buffer), []).append(a)
        ends = [[End(a.value, self.storage.array_of(a.buffer.storage), a.adds) for a in g] for g in groups.values()]
        nests = [self.elementwise(group, shape) for group, shape in zip(ends, groups, strict=True)]
        later: list[tuple[Array, Array, bool]] = []
        for number, (group, shape) in enumerate(zip(ends, groups, strict=True)):
            own = nests[number]
            targets = [end.place for end in group if isinstance(end.place, Array)]
            elsewhere = [
                (r, at)
                for r, at in own.loads
                for t in targets
                if r.overlaps(t) and not (r.lies_as(t) and at == own.index)
            ]
            after = [r for nest in nests[number + 1 :] for r, _ in nest.loads for t in targets if r.overlaps(t)]
            if elsewhere or after:  # what is overwritten is still to be read
                kept = [self.storage.memory(t.size, t.dtype) for t in targets]
                own = self.elementwise([End(e.value, k) for e, k in zip(group, kept, strict=True)], shape)
                later += [(t, k, e.adds) for t, k, e in zip(targets, kept, group, strict=True)]
            self.append(own)
        for target, kept_in, adds in later:
            (variable,) = self.names.variables([target.size])
            at = of(variable)
            self.steps += nest([variable], [Store(target, at, Element(kept_in, at), adds)])

    def append(self, made: Nest) -> None:
        """Notes which arrays may be written over others: element by element, once these are read."""
        self.steps += made.steps
        otherwise = {r for r, at in made.loads if at != made.index}
        alike = [r for r in dict.fromkeys(r for r, _ in made.loads) if r not in otherwise]  # in one order each time
        pairs = [(t, r) for t in made.targets for r in alike if t.size == r.size and t.dtype == r.dtype]
        self.merged += [(len(self.steps) - 1, t, r) for t, r in pairs]

    def elementwise(self, ends: Sequence[End], shape: tuple[int, ...]) -> Nest:
        """One nest that computes the elements of values, all of a shape."""
        variables, at = self.elements.domain([end.value for end in ends], shape)
        body, index = Body(), flat(at, shape)
        values = [self.elements.element(end.value, aligned(at, end.value.shape), body) for end in ends]
        stores: list[Step] = []
        targets = []
        for end, value in zip(ends, values, strict=True):
            if isinstance(end.place, Local):
                return Nest([*body.lets, Let(end.place, value)], body.loads, index, [])
            if len(ends) > 1 and not isinstance(value, Local | Number):  # all are computed before any is written
                local = self.names.local(end.place.dtype)
                body.lets.append(Let(local, value))
                value = local
            stores.append(Store(end.place, index, value, end.adds))
            targets.append(end.place)
        return Nest(nest(variables, [*body.lets, *stores]), body.loads, index, targets)


def fused(storage: Storage, statement: Statement) -> Block:
    """A statement as loops: none where it only gives an array another shape."""
    return Fused(storage, statement).block()


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
        uses[v][shape, v.shape] = float(math.prod(shape))
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
                    domain *= int(o.size) / int(v.size)
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
