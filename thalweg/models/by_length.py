"""Batches of rows of like length: for training and evaluation of a model that takes sequences of any length."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, TypeVar

import numpy as np

from thalweg.batches.arrays import split_place
from thalweg.batches.streams import Window, Windows
from thalweg.errors import ArgumentError
from thalweg.models.goals import spread
from thalweg.models.lengths import filling
from thalweg.models.lengths.filled import BUCKETS, Filled, Numbers, Sequences, like_rows
from thalweg.models.lengths.ragged import filler, listed
from thalweg.models.rows import given_inputs
from thalweg.program.ir.counter import permutation

C = TypeVar("C")  # a Compiled


def for_rows(compiled: C, x: Any) -> tuple[C, Sequences | None]:
    """The compiled model for rows of one length, and None; for rows of different lengths, itself and these.

    A model that takes rows of one length alone is itself what is wanted.
    """
    whole: Any = compiled
    places = whole.graph.any_length
    if not places:
        return compiled, None
    if isinstance(x, Filled):
        return whole.at([x.arrays[k].shape[1] for k in places], filled=True), None
    sequences = sequences_in(compiled, x)
    return (compiled, sequences) if sequences.one is None else (whole.at(sequences.one), None)


def sequences_in(compiled: Any, x: Any) -> Sequences:
    """The rows that the caller gave, checked."""
    graph = compiled.graph
    behind = graph.behind_inputs()
    fills = {k: filler(behind[k]) or 0.0 for k in graph.any_length}
    return Sequences.of(*given_inputs(graph, x), graph.shown_inputs, fills)


def one_batch(
    compiled: C, x: Any, y: Any = None, sample_weight: Any = None, training: bool = True, more: bool = False
) -> tuple[C, Any]:
    """The compiled model for rows that are one batch, and these: x, y and sample_weight.

    more: whether other batches follow, whose rows may have another length.
    """
    whole: Any = compiled
    if isinstance(x, Filled) or not whole.graph.any_length:
        return for_rows(compiled, x)[0], (x, y, sample_weight)
    sequences = sequences_in(compiled, x)
    if sequences.one is not None and not (more and by_bucket(whole, sequences.one)):
        return whole.at(sequences.one), (x, y, sample_weight)
    window = ByLength(compiled, sequences, y, sample_weight, len(sequences), training=training, fill=True).all_rows()
    return for_rows(compiled, window.x)[0], (window.x, window.y, window.sample_weight)


def by_bucket(whole: Any, sizes: tuple[int, ...]) -> bool:
    """Whether batches of one length are filled up, too: so that all have the same measure, and few have programs.

    Scores of outputs for each step are means over the steps of rows of one length, or over those of a mask.
    """
    if max(sizes) > BUCKETS[-1]:
        return False
    stepwise = any(s[:1] == (None,) for s in whole.graph.shown_outputs)
    known = [key for key in whole._facts.get("lengths", ()) if not key[-1]]
    return (stepwise or (bool(known) and (*sizes, False) not in known)) and filling.may_fill(whole)


class ByLength(Windows):
    """The rows of an epoch in batches, with targets and weights, filled up to the next length of `BUCKETS`.

    Shuffled, the rows are sorted by it, equal ones in random order, and cut into batches, which are taken in random
    order; a batch on the border of two lengths has the greater one. A smaller batch comes last, with the longest rows.

    Args:
        compiled: the model. x: the rows. batch: how many are one.
        shuffle: whether each epoch has a new order; otherwise rows come as they lie, each batch as long as its longest.
        training: whether the model learns from them. fill: whether rows of one length are filled up, too.
    """

    def __init__(
        self,
        compiled: Any,
        x: Sequences,
        y: Any,
        sample_weight: Any,
        batch: int,
        shuffle: bool = False,
        training: bool = False,
        fill: bool = False,
    ) -> None:
        self.fill = fill or x.one is None
        if self.fill:
            filling.check(compiled, training)
        self.compiled, self.x, self.batch, self.shuffle = compiled, x, batch, shuffle
        self.buckets = np.searchsorted(BUCKETS, x.lengths.max(axis=1))
        shown = compiled.graph.shown_outputs if self.fill else [()] * len(compiled.graph.shown_outputs)
        self.y = self.of_outputs(y, [s[:1] == (None,) for s in shown], "y")
        weighted = [s[:1] == (None,) and len(s) > 1 and by_step(sample_weight) for s in shown]
        self.sample_weight = self.of_outputs(sample_weight, weighted, "sample_weight", shared=True)

    def of_outputs(self, values: Any, stepwise: list[bool], what: str, shared: bool = False) -> Any:
        """Targets or weights of the outputs, as they can be taken row by row."""
        names = self.compiled.graph.output_names
        if values is None:
            return None
        if len(names) == 1:
            return like_rows(values, self.x, stepwise[0], what)
        given = spread(values, names, what, [True] * len(names), shared=shared, partial=True)
        return [
            None if v is None else like_rows(v, self.x, steps, f"{what} of {name!r}")
            for v, steps, name in zip(given, stepwise, names, strict=True)
        ]

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.x)

    def windows(self) -> Iterator[Window]:
        """The batches of the next epoch; those of one length that follow each other come together."""
        groups = self.groups()
        sizes = [self.size_of(group) for group in groups]
        begin = first = 0
        for k in range(1, len(groups) + 1):
            if k == len(groups) or sizes[k] != sizes[begin]:
                rows = np.concatenate(groups[begin:k])
                yield self.window(rows, first, sizes[begin])
                begin, first = k, first + len(rows)

    def groups(self) -> list[Numbers]:
        """The numbers of the rows of each batch of an epoch."""
        seed, epoch = self.compiled.seed, self.compiled.epochs_trained
        order = np.arange(self.rows)
        if self.shuffle:
            order = permutation(seed, epoch, self.rows)
            order = order[np.argsort(self.buckets[order], kind="stable")]
        groups = [order[at : at + self.batch] for at in range(0, self.rows, self.batch)]
        if self.shuffle:
            full = self.rows // self.batch
            groups[:full] = [groups[k] for k in permutation(seed + 1, epoch, full)]
        return groups

    def parts(self, share: float) -> tuple[ByLength, ByLength]:
        """The first rows, and the last ones, which are this share of all."""
        first = split_place(self.rows, share)
        return self.part(slice(0, first)), self.part(slice(first, None))

    def part(self, rows: slice) -> ByLength:
        """Some of the rows."""
        other = copy(self)
        other.x, other.buckets = self.x[rows], self.buckets[rows]
        other.y, other.sample_weight = selected(self.y, rows), selected(self.sample_weight, rows)
        return other

    def size_of(self, rows: Numbers) -> int:
        """The length to which these rows are filled up; 0 if all have the same."""
        return BUCKETS[self.buckets[rows].max()] if self.fill else 0

    def all_rows(self) -> Window:
        """All rows as one batch, in their order."""
        rows = np.arange(self.rows)
        return self.window(rows, 0, self.size_of(rows))

    def window(self, rows: Numbers, first: int, size: int) -> Window:
        """Some rows, from place `first` of the epoch on, filled up to a length."""
        y, weights = (
            [taken(v, rows, size) for v in values] if isinstance(values, list) else taken(values, rows, size)
            for values in (self.y, self.sample_weight)
        )
        x: Any = self.x.filled(rows, size) if size else [array[rows] for array in self.x.inputs]
        return Window(x if size or len(x) > 1 else x[0], y, weights, min(self.batch, self.rows), first, self.rows)


def selected(values: Any, rows: slice) -> Any:
    """Targets or weights of some rows; of several outputs a list."""
    if isinstance(values, list):
        return [selected(v, rows) for v in values]
    return None if values is None else values[rows]


def taken(values: Any, rows: Numbers, size: int) -> Any:
    """Some rows of targets or weights, filled up where they are for each step."""
    if values is None:
        return None
    return values[rows].filled(size) if hasattr(values, "filled") else values[rows]


def by_step(weights: Any) -> bool:
    """Whether weights are given for each step, rather than one for a row."""
    return listed(weights) is not None or getattr(weights, "ndim", 1) > 1


def refuse_with_lengths(recorded: bool, ordering: Any, team: Any) -> None:
    """Raises for what rows of different lengths don't allow in a fit."""
    if recorded or ordering is not None or team is not None:
        what = "a recording" if recorded else "a fit on several ranks" if ordering is None else "an ordering"
        raise ArgumentError(f"{what} needs rows of one length: fill them up (utils.pad_sequences), or leave it out")
