"""Trees as loops: the questions of all trees are answered first, each once; then a row goes from answer to answer.

What is told of a tree is how many leaves it has and, for each of its splits in preorder, the number of its question
and how many leaves are on its left. That is enough: the left child of split n is split n + 1, the right one is
n + (leaves on its left), and what has one leaf is a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.program.instructions.forest import BITS, COLUMN, MISSING, PLACE, ROOT, SKIP, THRESHOLD, Forest
from thalweg.program.ir.instruction import Buffer
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.indices import Index, Looked, Variable, of
from thalweg.program.loops.nests import (
    FLOAT,
    TRUTH,
    Apply,
    Array,
    Element,
    Expression,
    Let,
    Local,
    Number,
    Position,
    Set,
    Step,
    Store,
    While,
    nest,
)

DOUBLE, WHOLE = np.dtype(np.float64), np.dtype(np.int32)
BYTE = 8  # bits
Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Questions:
    """What the splits of trees ask: pairs of a column and what a number is compared with.

    Attributes:
        right, left: of numbers, with a limit; what is less or equal goes left, and what is missing right, or left.
        sets: of categories, with a row of `members`.
        members: (rows, bytes): bit j says whether the code j − 1 goes left, bit 0 whether all others do.
        number: of the question of each split, counted through all three.
    """

    right: Numbers
    left: Numbers
    sets: Numbers
    members: Numbers
    number: Numbers

    @property
    def count(self) -> int:
        return len(self.right) + len(self.left) + len(self.sets)


def asked(splits: Numbers, sets: Numbers) -> Questions:
    """The questions of nodes that split, each once. sets: (m, words)."""
    bits = (sets.astype(np.int64)[:, :, None] >> np.arange(BITS) & 1).reshape(len(sets), -1)
    used = 1 + int(np.flatnonzero(bits.any(axis=0)).max(initial=0))
    members, row = np.unique(np.packbits(bits[:, : used + 1], axis=1, bitorder="little"), axis=0, return_inverse=True)
    column, limit, of_set = splits[:, COLUMN], splits[:, THRESHOLD].copy(), splits[:, COLUMN] < 0
    limit[of_set] = row.reshape(-1)[limit[of_set].astype(int)]
    kinds = [~of_set & (splits[:, MISSING] <= 0), ~of_set & (splits[:, MISSING] > 0), of_set]
    number, found, count = np.zeros(len(splits), int), [], 0
    for kind in kinds:
        pairs = np.column_stack([np.where(of_set, -1 - column, column), limit])[kind]
        each, place = np.unique(pairs, axis=0, return_inverse=True)
        number[kind] = count + place.reshape(-1)
        count += len(each)
        found.append(each)
    right, left, of_sets = found
    return Questions(right, left, of_sets, members, number)


class ForestLoops:
    """Writes the loops of a forest.

    nodes, trees, values, sets: its tables, whose trees are in the order of their nodes.
    """

    def __init__(
        self, storage: Storage, i: Forest, nodes: Numbers, trees: Numbers, values: Numbers, sets: Numbers
    ) -> None:
        self.storage, self.names, self.i = storage, storage.names, i
        split = nodes[:, SKIP] > 0
        self.asked = asked(nodes[split], sets)
        self.codes = BITS * sets.shape[1] - 1  # that sets know
        self.lefts = nodes[split, SKIP].astype(int) // 2
        self.leaves = np.add.reduceat(~split, trees[:, ROOT].astype(int))
        self.places = trees[:, PLACE].astype(int)
        self.values = values[nodes[~split, THRESHOLD].astype(int)]
        self.answers = storage.memory(max(1, self.asked.count), TRUTH)
        self.sums = storage.memory(i.y.size, DOUBLE)

    def steps(self) -> list[Step]:
        (row,) = self.names.variables([self.storage.rows])
        (k,) = self.names.variables([self.i.y.size])
        base, y = Element(self.array(self.i.base), of(k)), self.array(self.i.y)
        begun = nest([k], [Store(self.sums, of(k), converted(base, DOUBLE))])
        ended = nest([k], [Store(y, of(row) * k.count + of(k), Element(self.sums, of(k)))])
        return nest([row], [*self.answered(row), *begun, *self.walked(), *ended])

    def array(self, buffer: Buffer) -> Array:
        return self.storage.array_of(buffer.storage)

    def table(self, numbers: Numbers, name: str) -> Array:
        """Whole numbers in the smallest type that holds them."""
        kind = np.min_scalar_type(int(numbers.max(initial=0)))
        return self.storage.table(numbers.astype(kind if kind.itemsize < WHOLE.itemsize else WHOLE), name)

    def looked(self, numbers: Numbers, at: Index, name: str) -> Index:
        """The index that a table has at a place."""
        return of(Looked(Element(self.table(numbers, name), at), 1 + int(numbers.max())))

    def answered(self, row: Variable) -> list[Step]:
        """Which questions are answered by yes: by going left."""
        found, first = [], 0
        for kind, pairs in (("right", self.asked.right), ("left", self.asked.left), ("sets", self.asked.sets)):
            if len(pairs):
                (q,) = self.names.variables([len(pairs)])
                column = self.looked(pairs[:, 0].astype(int), of(q), "columns")
                x = Element(self.array(self.i.x), of(row) * self.i.x.size + column)
                lets, answer = self.in_set(x, pairs[:, 1].astype(int), q) if kind == "sets" else ([], None)
                if answer is None:
                    limit = Element(self.storage.table(pairs[:, 1].astype(FLOAT), "limits"), of(q))
                    answer = Apply("less_equal", (x, limit), TRUTH)
                    if kind == "left":  # so is NaN
                        answer = Apply("logical_not", (Apply("greater", (x, limit), TRUTH),), TRUTH)
                found += nest([q], [*lets, Store(self.answers, of(q) + first, answer)])
            first += len(pairs)
        return found

    def in_set(self, x: Expression, rows: Numbers, q: Variable) -> tuple[list[Step], Expression]:
        """Whether a code is in a set, after what that takes."""
        code, bit = self.names.local(FLOAT), self.names.local(WHOLE, "n")
        width = self.asked.members.shape[1]
        last = min(self.codes, BYTE * width - 1)  # codes from there on are in no set
        ends = (("greater_equal", 0), ("less", self.codes))
        known, end = (Apply(f, (code, Number(np.float32(n), FLOAT)), TRUTH) for f, n in ends)
        inside = Apply("logical_and", (known, end), TRUTH)
        own = Apply("minimum", (code, Number(np.float32(last - 1), FLOAT)), FLOAT) if last < self.codes else code
        place = Apply("add", (converted(own, WHOLE), whole(1)), WHOLE)
        byte, rest = of(Looked(bit, last + 1)).split(BYTE)
        members = self.storage.table(self.asked.members, "members")
        member = Element(members, self.looked(rows, of(q), "sets") * width + byte)
        shifted = Apply("right_shift", (converted(member, WHOLE), Position(rest, WHOLE)), WHOLE)
        truth = Apply("not_equal", (Apply("bitwise_and", (shifted, whole(1)), WHOLE), whole(0)), TRUTH)
        return [Let(code, x), Let(bit, Apply("where", (inside, place, whole(0)), WHOLE))], truth

    def walked(self) -> list[Step]:
        """Adds the values of the leaves that are reached."""
        tree, k = self.names.variables([len(self.leaves), self.values.shape[1]])
        root, first, split, leaf, size, left = (self.names.local(WHOLE, "n") for _ in range(6))
        yes = self.names.local(TRUTH)
        begun: list[Step] = [Let(root, whole(0), changes=True), Let(first, whole(0), changes=True)]
        leaves = converted(Element(self.table(self.leaves, "leaves"), of(tree)), WHOLE)
        down = self.down(split, leaf, size, left, yes)
        values = self.storage.table(self.values.astype(FLOAT), "values")
        value = Element(values, of(Looked(leaf, len(self.values))) * k.count + of(k))
        place = self.looked(self.places, of(tree), "places") * k.count + of(k)
        body: list[Step] = [
            Let(split, root, changes=True),
            Let(leaf, first, changes=True),
            Let(size, leaves, changes=True),
            *down,
            *nest([k], [Store(self.sums, place, converted(value, DOUBLE), adds=True)]),
            Set(root, Apply("add", (root, Apply("subtract", (leaves, whole(1)), WHOLE)), WHOLE)),
            Set(first, Apply("add", (first, leaves), WHOLE)),
        ]
        return [*begun, *nest([tree], body)]

    def down(self, split: Local, leaf: Local, size: Local, left: Local, yes: Local) -> list[Step]:
        """From a root to a leaf."""
        if not len(self.lefts):
            return []
        at = of(Looked(split, len(self.lefts)))
        answer = Element(self.answers, self.looked(self.asked.number, at, "questions"))

        def moved(local: Local, if_yes: Expression, if_no: Expression) -> Step:
            return Set(local, Apply("add", (local, Apply("where", (yes, if_yes, if_no), WHOLE)), WHOLE))

        rest = Apply("subtract", (size, left), WHOLE)
        body: list[Step] = [
            Let(left, converted(Element(self.table(self.lefts, "lefts"), at), WHOLE)),
            Let(yes, answer),
            Set(size, Apply("where", (yes, left, rest), WHOLE)),
            moved(split, whole(1), left),
            moved(leaf, whole(0), left),
        ]
        return [While(Apply("greater", (size, whole(1)), TRUTH), body)]


def whole(number: int) -> Number:
    return Number(number, WHOLE)


def converted(e: Expression, dtype: np.dtype[Any]) -> Expression:
    return Apply("astype", (e,), dtype)


def forest(storage: Storage, i: Forest) -> list[Step] | None:
    """The loops of a forest; None if its tables aren't known, or its trees don't follow one another."""
    tables = [storage.array_of(b.storage).numbers for b in (i.nodes, i.trees, i.values, *([i.sets] if i.sets else []))]
    shapes = [i.nodes.shape, i.trees.shape, i.values.shape, *([i.sets.shape] if i.sets else [])]
    known = [np.reshape(table, shape) for table, shape in zip(tables, shapes, strict=True) if table is not None]
    if len(known) < len(tables):
        return None
    nodes, trees, values, sets = [*known, np.zeros((1, 1))][:4]
    return ForestLoops(storage, i, nodes, trees[np.argsort(trees[:, ROOT])], values, sets).steps()
