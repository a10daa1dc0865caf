"""A forest as a layer, so that its tables are weights of a model: saved, loaded and printed as such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ModelFileError, ShapeError
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.forest import MISSING, PLACE, ROOT, SKIP, Forest
from thalweg.program.instructions.linear import Affine
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import arguments
from thalweg.tabular.forests.conversion import FIELDS, Tables

Array = NDArray[Any]


@arguments
class ForestLayer(Layer):
    """y = base + Σ values[leaf(tree, x)]: see `thalweg.program.instructions.forest.Forest`. Nothing is trained.

    Args:
        columns: for each column that the trees ask, the one of the input; or several, of zeros and at most a one, whose
            place among them is a code, and −1 stands for none.
        nodes, trees, leaves, width, outputs, depth: of the tables.
        sets: rows and words of the sets, or None.
    """

    columns: Sequence[Sequence[int]]
    nodes: int
    trees: int
    leaves: int
    width: int
    outputs: int
    depth: int
    sets: Sequence[int] | None = None
    name: str | None = None

    @classmethod
    def of(cls, tables: Tables, columns: Sequence[Sequence[int]], name: str) -> Self:
        """The layer of these tables; `filled` gives it their numbers when its model is built."""
        sizes = {"nodes": len(tables.nodes), "trees": len(tables.trees), "leaves": len(tables.values)}
        sets = list(tables.sets.shape) if tables.sets.size else None
        width, outputs = tables.values.shape[1], len(tables.base)
        listed = [list(own) for own in columns]
        return cls(listed, **sizes, width=width, outputs=outputs, depth=tables.depth, sets=sets, name=name)

    def filled(self, tables: Tables) -> None:
        """Sets the weights."""
        sets = [tables.sets] if self.sets is not None else []
        self.set_weights([tables.nodes, tables.trees, tables.values, tables.base, *sets])

    def build(self, input_shape: Shape) -> None:
        used = [k for own in self.columns for k in own]
        if len(input_shape) != 1 or not all(0 <= k < input_shape[0] for k in used):
            raise ShapeError(f"{self.name} asks for columns that an input of shape {('rows', *input_shape)} hasn't")
        shapes: dict[str, Shape] = {"nodes": (self.nodes, FIELDS), "trees": (self.trees, 2)}
        shapes |= {"values": (self.leaves, self.width), "base": (self.outputs,)}
        shapes |= {} if self.sets is None else {"sets": tuple(self.sets)}
        self.tables = {key: self.add_weight(key, s, "zeros", trainable=False) for key, s in shapes.items()}

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        z = x if self.columns == [[k] for k in range(x.size)] else self.compact(program, x)
        y = program.value("y", (self.outputs,))
        t = self.tables
        of = t["nodes"], t["trees"], t["values"], t["base"], t.get("sets")
        return program.append(Forest(z, *of, y, self.depth))

    def compact(self, program: Builder, x: Buffer) -> Buffer:
        """The columns that the trees ask, as a product that is exact: Σ (place + 1)·x − 1 for codes."""
        W, b = np.zeros((x.size, len(self.columns))), np.zeros(len(self.columns))
        for column, own in enumerate(self.columns):
            W[own, column] = np.arange(1, 1 + len(own))
            b[column] = -(len(own) > 1)
        z = program.value("z", (len(self.columns),))
        return program.append(Affine(x, program.constant(W), program.constant(b), z))

    def check(self) -> None:
        """Raises ModelFileError unless every step leads from a node to one after it, and every number is there."""
        nodes, trees, values, _, *more = (np.asarray(w) for w in self.get_weights())
        sets = more[0] if more else np.zeros((0, 1))
        if not (np.isfinite(trees).all() and np.isfinite(values).all() and sound(self, nodes, trees, sets)):
            raise ModelFileError(f"{self.name} is damaged: it holds trees that lead nowhere")


def sound(layer: ForestLayer, nodes: Array, trees: Array, sets: Array) -> bool:
    """Whether trees follow one another, are in preorder and of the depth that they claim, and ask for what is there."""
    if not np.isfinite(nodes[:, [0, SKIP, MISSING]]).all() or np.isnan(nodes[:, 1]).any():
        return False
    column, skip = nodes[:, 0].astype(np.int64), nodes[:, SKIP].astype(np.int64)
    leaf, of_set = skip == 0, column < 0
    asked = np.where(of_set, -1 - column, column)
    roots, places = trees[:, ROOT].astype(np.int64), trees[:, PLACE].astype(np.int64)
    ends = np.append(roots[1:], len(nodes))
    owner = np.repeat(np.arange(len(trees)), np.maximum(ends - roots, 0))
    if roots[0] != 0 or len(owner) != len(nodes) or (ends <= roots).any() or leaf.sum() != layer.leaves:
        return False
    at = np.arange(len(nodes))
    split, right = at[~leaf], (at + skip)[~leaf]
    rows = nodes[~leaf & of_set, 1]
    return bool(
        ((asked >= 0) & (asked < len(layer.columns))).all()
        and ((places >= 0) & (places < layer.outputs // layer.width)).all()
        and (nodes[leaf, 1] == np.arange(layer.leaves)).all()
        and ((right > split + 1) & (right < ends[owner[split]])).all()
        and ((rows >= 0) & (rows < len(sets)) & (rows == np.floor(rows))).all()
        and ((sets >= 0) & (sets < 2**24)).all()
        and depth_of(roots, leaf, skip) == layer.depth
    )


def depth_of(roots: Array, leaf: Array, skip: Array) -> int:
    """How many nodes are above a leaf, at most; −1 if the trees aren't in preorder, each node once."""
    seen, depth, level = len(roots), 0, roots[~leaf[roots]]
    while len(level) and seen <= len(leaf):
        below = np.concatenate([level + 1, level + skip[level]])
        seen, depth, level = seen + len(below), depth + 1, below[~leaf[below]]
    return depth if seen == len(leaf) else -1
