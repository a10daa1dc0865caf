"""Decision trees: each row falls through all of them, and the values of the leaves that it reaches are added up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction

COLUMN, THRESHOLD, SKIP, MISSING = range(4)
"""What a node holds."""
ROOT, PLACE = range(2)
"""What a tree holds."""
BITS = 24
"""Of a word in `sets`: more than a float32 can hold would be lost."""
POWERS = 2.0 ** np.arange(BITS + 1)


class Forest(Instruction):
    """y[p·width + k] = base[p·width + k] + Σ values[leaf(tree, x), k], over the trees of place p

    x (rows, columns), nodes (n, 4), trees (count, 2), values (leaves, width), base (outputs,), sets (m, words) →
    y (rows, outputs). A tree is its first node and its place. Nodes are in preorder, and each holds:

    * column: a number of x, or −1 − c for a column c of categories, as codes 0, 1, …
    * threshold: what is less or equal goes left; of a column of categories the row of `sets` that says which go left;
      of a leaf its number among all leaves, which is the row of its values
    * skip: how many nodes the right child comes after this one; the left child is the next. 0 for a leaf
    * missing: 1 if a NaN goes left. It isn't asked for categories

    Bit j of a row of `sets`, 24 to a word, says whether the code j − 1 goes left; bit 0 stands for all other codes and
    NaN. `depth` is how many nodes above a leaf there are at most. The derivative is 0.
    """

    x: Buffer
    nodes: Buffer
    trees: Buffer
    values: Buffer
    base: Buffer
    sets: Buffer | None
    y: Buffer
    depth: int

    name = "forest"
    writes = ("y",)
    shapes = "x: rows c; nodes: n 4; trees: t 2; values: leaves k; base: m; sets: s w; y: rows m"

    @property
    def formula(self) -> str:
        sets = "" if self.sets is None else f", {self.sets}"
        return f"{self.y} = {self.base} + Σ {self.values}[leaf({self.x}; {self.nodes}{sets})] over {self.trees}"

    @property
    def sizes(self) -> dict[str, int]:
        sizes = {"columns": self.x.size, "entries": self.nodes.shape[0], "count": self.trees.shape[0]}
        words = 0 if self.sets is None else self.sets.shape[1]
        more = {"outputs": self.y.size, "width": self.values.shape[1], "words": words, "depth": self.depth}
        return sizes | more

    @property
    def fits(self) -> bool:
        return self.y.size % self.values.shape[1] == 0

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        yield from ()

    def reference(
        self, xp: Any, x: Array, nodes: Array, trees: Array, values: Array, base: Array, sets: Array | None
    ) -> Array:
        at = xp.zeros((x.shape[0], 1), x.dtype) + trees[:, ROOT]
        for _ in range(self.depth):
            column, threshold, skip, missing = (xp.take(nodes[:, k], at.astype(int)) for k in range(4))
            v = xp.take_along_axis(x, xp.where(column < 0, -1 - column, column).astype(int), axis=1)
            left = xp.where(v == v, v <= threshold, missing > 0)
            if sets is not None:
                left = xp.where(column < 0, goes_left(xp, v, xp.where(column < 0, threshold, 0), sets), left)
            at = at + xp.where(left, xp.minimum(skip, 1), skip)
        leaves = xp.take(values, xp.take(nodes[:, THRESHOLD], at.astype(int)).astype(int), axis=0)
        places = trees[:, PLACE, None] == xp.arange(self.y.size // self.values.shape[1])
        sums = xp.moveaxis(leaves, 1, 2) @ places.astype(values.dtype)
        return base + xp.moveaxis(sums, 1, 2).reshape(x.shape[0], -1)

    def flops(self, rows: int) -> int:
        """As if a row looked at all nodes of a small tree, which is what vectors do, or at some of a large one."""
        count, nodes = self.trees.shape[0], self.nodes.shape[0]
        return rows * count * (4 * min(64, nodes // count) + self.values.shape[1])


def goes_left(xp: Any, codes: Array, row: Array, sets: Array) -> Array:
    """Whether codes are in their rows of `sets`."""
    words = sets.shape[1]
    known = (codes >= 0) & (codes < BITS * words - 1)
    bit = xp.where(known, xp.floor(xp.where(known, codes, 0)) + 1, 0)
    word = xp.floor(bit / BITS)
    powers = xp.asarray(POWERS, sets.dtype)
    place = (bit - BITS * word).astype(int)
    held = xp.take(sets.reshape(-1), (row * words + word).astype(int))
    upper = xp.floor(held / xp.take(powers, place + 1))
    inside: Array = xp.floor(held / xp.take(powers, place)) - 2 * upper > 0
    return inside
