"""scikit-learn's fitted trees as the tables of `thalweg.program.instructions.forest.Forest`.

A threshold is rounded down to float32, in which the columns are, so that no row goes another way; categories become
sets of codes; leaves are rounded, their sums are float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ThalwegError
from thalweg.program.instructions.forest import BITS

Array = NDArray[Any]

FIELDS = 4
"""Of a node."""
MOST_NODES = 2**24
"""Float32 holds no larger number of each node."""


@dataclass(frozen=True)
class Tables:
    """A forest's operands: see `Forest`.

    Attributes:
        nodes: (n, 4). trees: (count, 2). values: (leaves, width). base: (outputs,). sets: (m, words), maybe none.
        depth: nodes above a leaf, at most.
    """

    nodes: Array
    trees: Array
    values: Array
    base: Array
    sets: Array
    depth: int


@dataclass(frozen=True)
class Grown:
    """Trees that lie one after the other, each from its root on; left and right are −1 for a leaf.

    Attributes:
        roots: (count,). left, right, column, threshold, missing: (nodes,). values: (nodes, width).
        categories: (nodes,): the row of `sets` that a node asks, or −1.
        sets: (m, codes + 1), whether a code goes left; the first is for unknown ones.
    """

    roots: Array
    left: Array
    right: Array
    column: Array
    threshold: Array
    missing: Array
    values: Array
    categories: Array
    sets: Array

    @classmethod
    def together(cls, parts: Sequence[Grown]) -> Grown:
        """All of them, one after the other."""
        first = np.cumsum([0, *(len(part.left) for part in parts)])
        sets = np.cumsum([0, *(len(part.sets) for part in parts)])
        codes = max(part.sets.shape[1] for part in parts)

        def moved(name: str, by: Array) -> Array:
            each = (getattr(part, name) for part in parts)
            return np.concatenate([np.where(own < 0, own, own + n) for own, n in zip(each, by, strict=False)])

        def joined(name: str) -> Array:
            return np.concatenate([getattr(part, name) for part in parts])

        padded = [  # codes that a set doesn't know are unknown
            np.hstack([part.sets, np.repeat(part.sets[:, :1], codes - part.sets.shape[1], axis=1)]) for part in parts
        ]
        return cls(
            roots=moved("roots", first),
            left=moved("left", first),
            right=moved("right", first),
            column=joined("column"),
            threshold=joined("threshold"),
            missing=joined("missing"),
            values=joined("values"),
            categories=moved("categories", sets),
            sets=np.concatenate(padded),
        )

    def tables(self, places: Array, base: Array) -> Tables:
        """Their nodes in preorder, with the place of each tree."""
        if len(self.left) >= MOST_NODES:
            raise ThalwegError(f"a forest of {len(self.left):,} nodes is too large: float32 counts {MOST_NODES:,}")
        levels = self.levels()
        leaf = self.left < 0
        size = np.ones(len(leaf), np.int64)
        for level in reversed(levels):
            size[level] += size[self.left[level]] + size[self.right[level]]
        roots = np.cumsum([0, *size[self.roots][:-1]])
        at = np.empty(len(leaf), np.int64)
        at[self.roots] = roots
        for level in levels:
            at[self.left[level]] = at[level] + 1
            at[self.right[level]] = at[level] + 1 + size[self.left[level]]
        nodes = np.zeros((len(leaf), FIELDS), np.float32)
        of_set = self.categories >= 0
        nodes[at, 0] = np.where(leaf, 0, np.where(of_set, -1 - self.column, self.column))
        nodes[at, 1] = np.where(of_set, self.categories, rounded_down(self.threshold))
        nodes[at, 2] = np.where(leaf, 0, at[self.right] - at)
        nodes[at, 3] = ~leaf & ~of_set & self.missing
        order = np.argsort(at)
        ends = order[leaf[order]]
        nodes[nodes[:, 2] == 0, 1] = np.arange(len(ends))
        trees = np.column_stack([roots, places]).astype(np.float32)
        values = self.values[ends].astype(np.float32)
        return Tables(nodes, trees, values, np.asarray(base, np.float32), packed(self.sets), len(levels))

    def levels(self) -> list[Array]:
        """The nodes that split, level by level."""
        found, level = [], self.roots[self.left[self.roots] >= 0]
        while len(level):
            found.append(level)
            below = np.concatenate([self.left[level], self.right[level]])
            level = below[self.left[below] >= 0]
        return found


def rounded_down(thresholds: Array) -> Array:
    """The largest float32 numbers that aren't above them: what is compared with one is on the same side of both.

    >>> rounded_down(np.array([0.1, 0.5])).tolist()
    [0.09999999403953552, 0.5]
    """
    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
        return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def packed(sets: Array) -> Array:
    """Rows of 0 and 1 as words of 24 bits, the lowest first.

    >>> packed(np.array([[0, 1, 1]])).tolist()
    [[6.0]]
    """
    words = max(1, -(-sets.shape[1] // BITS))
    padded = np.zeros((len(sets), words * BITS))
    padded[:, : sets.shape[1]] = sets
    held: Array = padded.reshape(len(sets), words, BITS) @ 2.0 ** np.arange(BITS)
    return held.astype(np.float32)


# --- scikit-learn's trees --------------------------------------------------------------------------------------------


def of_boosting(model: Any) -> list[Grown]:
    """The trees of a fitted HistGradientBoosting for each of its outputs; they add to its baseline."""
    columns, codes = asked_columns(model)
    return [of_predictors(trees, columns, codes) for trees in zip(*model._predictors, strict=True)]


def asked_columns(model: Any) -> tuple[Array, list[Array | None]]:
    """By the number of a column in the trees, the column of the matrix; and its codes in the matrix if it has some."""
    count, coded = model.n_features_in_, model.is_categorical_
    if coded is None:
        return np.arange(count), [None] * count
    encoder = model._preprocessor.named_transformers_["encoder"]
    known = [np.asarray(own, np.float64) for own in encoder.categories_]
    columns = np.concatenate([np.flatnonzero(coded), np.flatnonzero(~coded)])
    codes: list[Array | None] = [own[~np.isnan(own)].astype(np.int64) for own in known]
    return columns, [*codes, *[None] * (count - len(codes))]


def of_predictors(trees: Sequence[Any], columns: Array, codes: Sequence[Array | None]) -> Grown:
    """Trees of HistGradientBoosting."""
    nodes = np.concatenate([tree.nodes for tree in trees])
    counts, sets = ([len(getattr(t, name)) for t in trees] for name in ("nodes", "raw_left_cat_bitsets"))
    first, first_set = (np.cumsum([0, *own[:-1]]) for own in (counts, sets))
    leaf, of_set = nodes["is_leaf"].astype(bool), nodes["is_categorical"].astype(bool)
    missing = nodes["missing_go_to_left"].astype(bool)
    column = np.where(leaf, 0, nodes["feature_idx"])
    left, right = (
        np.where(leaf, -1, nodes[side].astype(np.int64) + np.repeat(first, counts)) for side in ("left", "right")
    )
    asking = np.flatnonzero(of_set)
    bits = np.concatenate([tree.raw_left_cat_bitsets for tree in trees]).astype("<u4").view(np.uint8)
    row = (nodes["bitset_idx"].astype(np.int64) + np.repeat(first_set, counts))[asking]
    known = np.unpackbits(bits[row], axis=1, bitorder="little")
    most = max((int(own.max(initial=-1)) for own in codes if own is not None), default=-1)
    held = np.repeat(missing[asking, None], most + 2, axis=1)
    for number, own in enumerate(codes):
        if own is not None:
            rows = np.flatnonzero(column[asking] == number)
            held[np.ix_(rows, 1 + own)] = known[rows, : len(own)]
    categories = np.full(len(nodes), -1)
    categories[asking] = np.arange(len(asking))
    threshold, values = nodes["num_threshold"], nodes["value"][:, None]
    return Grown(first, left, right, columns[column], threshold, missing, values, categories, held)


def of_trees(estimators: Sequence[Any], values: Sequence[Array], missing: float | None) -> Grown:
    """scikit-learn's decision trees, with the values of their nodes (nodes, width).

    `missing` is what stands for a NaN if that is replaced before it reaches them.
    """
    return Grown.together([of_tree(one.tree_, own, missing) for one, own in zip(estimators, values, strict=True)])


def of_tree(tree: Any, values: Array, missing: float | None) -> Grown:
    """A decision tree."""
    nodes = tree.__getstate__()["nodes"]
    left, right = (nodes[side].astype(np.int64) for side in ("left_child", "right_child"))
    leaf, threshold = left < 0, nodes["threshold"]
    goes = nodes["missing_go_to_left"].astype(bool) if missing is None else missing <= threshold
    column, none = np.where(leaf, 0, nodes["feature"]), np.full(len(nodes), -1)
    none_asked = np.zeros((0, 1), bool)
    return Grown(np.zeros(1, np.int64), left, right, column, threshold, goes, values, none, none_asked)


__all__ = ["Grown", "Tables", "asked_columns", "of_boosting", "of_trees", "rounded_down"]
