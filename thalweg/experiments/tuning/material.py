"""The rows of a search: those to learn from and to choose by, and those set apart for the final judgement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.data.recipe import Recipe, recipe
from thalweg.data.tables import Table, read_table
from thalweg.data.target import Target, split_rows
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.experiments.tuning.jury import Jury, Metric, coolest
from thalweg.experiments.tuning.space import Candidate
from thalweg.support.frames import as_array
from thalweg.tabular.blueprint import Blueprint
from thalweg.tabular.design import design
from thalweg.tabular.features import Features, with_numbers
from thalweg.tabular.qualities import Settings

Array = NDArray[Any]
TARGET = "target"  # the name of a target that is given as an array
MOST_JUDGING = 20_000  # rows that trials are judged on: more would take longer than the first cycles, and tell little


@dataclass(frozen=True)
class Part:
    """x (rows, features), and y as class numbers (rows,) or as standardised numbers (rows, 1)."""

    x: Array
    y: Array

    def take(self, rows: Array) -> Part:
        """These rows, in this order."""
        return Part(self.x[rows], self.y[rows])


class Recent:
    """What was made last for some parts, so that candidates that learn from the same rows share it."""

    MOST = 3

    def __init__(self) -> None:
        self.found: dict[int, tuple[Part, Blueprint]] = {}
        self.lock = Lock()

    def of(self, part: Part, make: Callable[[], Blueprint]) -> Blueprint:
        """What was made for this part, or is made now."""
        with self.lock:
            if id(part) not in self.found:
                self.found[id(part)] = part, make()
                if len(self.found) > self.MOST:
                    del self.found[next(iter(self.found))]
            return self.found[id(part)][1]


@dataclass(frozen=True)
class Material:
    """The rows, with their columns understood.

    Attributes:
        features: fitted on the rows of `learn`, without their targets, except for a number's mean and deviation.
        learn: the rows to learn from and to choose by, in random order. test: the rows set apart.
        rows: the numbers of these rows in the table, in the same order.
        validation_share: the share of `learn` by which trials are judged.
    """

    features: Features
    learn: Part
    test: Part
    rows: tuple[Array, Array]
    validation_share: float
    seed: int
    designs: Recent = field(default_factory=Recent, compare=False)

    @classmethod
    def of(
        cls,
        table: Table,
        target: str,
        task: str | None,
        ignore: Sequence[str],
        categories: Sequence[str],
        shares: tuple[float, float],
        seed: int,
        numbers: Sequence[str] = (),
    ) -> Material:
        """From a table; `ignore` are columns not to use, `shares` those of test and validation rows."""
        for name, share in zip(("test_share", "validation_share"), shares, strict=True):
            if not 0 < share < 1:
                raise ArgumentError(f"{name} has to lie between 0 and 1, got {share!r}")
        table = with_numbers(table, numbers, categories)
        found = Target.of(table, target, task)
        learn, test = split_rows(table[target], found.task, shares[0], seed)
        learn = np.random.default_rng(seed).permutation(learn)
        rows, apart = table.take(learn), table.take(test)
        numeric = [name for name in numbers if name != target]
        features = Features.fit(rows, found, ignore=ignore, categories=categories, numbers=numeric)
        return cls(features, part(features, rows), part(features, apart), (learn, test), shares[1], seed)

    @property
    def task(self) -> Recipe:
        """What the target asks of a network."""
        return recipe(self.target.task)

    @property
    def target(self) -> Target:
        """The column to predict."""
        assert self.features.target is not None
        return self.features.target

    def division(self) -> tuple[Part, Part]:
        """The rows that trials learn from, and those that they are judged on."""
        share = min(self.validation_share, MOST_JUDGING / len(self.learn.y))
        first, second = split_rows(self.learn.y, self.target.task, share, self.seed)
        shuffled = np.random.default_rng(self.seed).permutation(first)
        return self.learn.take(shuffled), self.learn.take(second)

    def folds(self, count: int, seed: int) -> Iterator[tuple[Part, Part]]:
        """Divisions in which each row of `learn` is held out once; each fold has its share of every class."""
        rng = np.random.default_rng([self.seed, seed, count])
        order = rng.permutation(len(self.learn.y))
        order = order[np.argsort(self.learn.y.ravel()[order], kind="stable")]
        fold = np.empty(len(order), np.int64)
        fold[order] = np.arange(len(order)) % count
        for number in range(count):
            held = np.flatnonzero(fold == number)
            yield self.learn.take(rng.permutation(np.flatnonzero(fold != number))), self.learn.take(held)

    def blueprint(self, learn: Part, candidate: Candidate) -> Blueprint:
        """The network of a candidate that learns from these rows."""
        full = self.designs.of(learn, lambda: self.design(learn))
        numbers, edges = ((), ()) if candidate.numbers == "plain" else (full.numbers, full.edges)
        edges = edges if candidate.numbers == "coded" else ()
        return replace(full, numbers=numbers, edges=edges, settings=candidate.settings)

    def design(self, learn: Part) -> Blueprint:
        """The estimators' network for these rows, with codes of the numbers."""
        return design(self.features, learn.x, learn.y.ravel(), Settings(), None, self.seed)

    def jury(self, held: Part, metric: Metric, candidate: Candidate) -> Jury:
        """Judges a candidate's network by these rows."""
        return Jury.of(self.target, held.y, self.learn.y, metric, coolest(candidate.loss))

    def fingerprint(self) -> str:
        """Differs for other rows, columns or shares."""
        found = blake2b(digest_size=16)
        for array in (self.learn.x, self.learn.y, self.test.y):
            found.update(repr((array.shape, str(array.dtype))).encode())
            found.update(np.ascontiguousarray(array).data)
        found.update(repr((self.target.classes, self.validation_share, self.seed)).encode())
        return found.hexdigest()


def part(features: Features, rows: Table) -> Part:
    """The rows as a network takes them."""
    y = features.targets(rows)
    assert features.target is not None
    return Part(features.matrix(rows), y if features.target.task == "regression" else y.ravel().astype(np.int64))


def as_table(x: Any, y: ArrayLike | None, target: str | None) -> tuple[Table, str]:
    """One table of all that is given, and the name of its target.

    Args:
        x: a table or anything that `read_table` takes; or an array (rows, columns), whose columns become x0, x1, …
        y: (rows,) targets, unless `target` names a column of x.
    """
    if (y is None) == (target is None):
        raise ArgumentError("tune needs either y, the targets, or target, the name of a column of x")
    is_array = isinstance(x, (np.ndarray, list)) or (hasattr(x, "__array__") and not hasattr(x, "columns"))
    if is_array:
        array = as_array(np.asarray(x), "x")
        if array.ndim != 2:
            raise ShapeError(f"x has to be a table, or an array (rows, columns), got the shape {array.shape}")
        x = Table.of({f"x{place}": array[:, place] for place in range(array.shape[1])}, "the array x")
    table = read_table(x)
    if target is not None:
        table.column(target)
        return table, target
    targets = as_array(np.asarray(y), "y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.shape != (table.rows,):
        raise ShapeError(f"y has to hold one target for each of the {table.rows} rows of x, got {targets.shape}")
    if TARGET in table:
        raise DataError(f"x has a column {TARGET!r} already: give target={TARGET!r} and no y, or rename it")
    columns = {name: table.column(name) for name in table.names}
    return Table({**columns, TARGET: Table.of({TARGET: targets}).column(TARGET)}, table.source), TARGET
