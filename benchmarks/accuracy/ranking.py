"""Ranks, ratios and wins, from the records. A method's score on a table is its mean over the splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.records import Key, Record, succeeded
from benchmarks.accuracy.scores import ranks

SOLVED = 0.005  # of error by the best method: what is left is a few rows, and ratios of it would decide every mean
REFERENCE, DEFAULT, FAST = "CatBoost", "thalweg balanced", "thalweg fast"
Scores = NDArray[np.float64]
Splits = Mapping[str, Sequence[int]]  # of each table


def is_ours(name: str) -> bool:
    return name.startswith("thalweg ")


def measured(records: dict[Key, Record], method: str, tables: Iterable[str]) -> Splits:
    """The splits of each of these tables on which the method has been measured; tables without one are left out."""
    found: dict[str, list[int]] = {table: [] for table in tables}
    for record in succeeded(records.values()):
        if record["method"] == method and record["table"] in found:
            found[record["table"]].append(record["split"])
    return {table: sorted(splits) for table, splits in found.items() if splits}


def complete(records: dict[Key, Record], splits: Splits) -> list[str]:
    """The methods that have been measured on all these tables and splits, in the order of the records."""
    have = {key for key, record in records.items() if "failed" not in record}
    wanted = [(table, seed) for table, seeds in splits.items() for seed in seeds]
    names = dict.fromkeys(record["method"] for record in succeeded(records.values()))
    return [name for name in names if wanted and all((name, table, seed) in have for table, seed in wanted)]


@dataclass(frozen=True)
class Comparison:
    """Methods that all have the same tables and splits. Arrays are (tables, methods)."""

    records: dict[Key, Record]
    methods: Sequence[str]
    splits: Splits

    @property
    def tables(self) -> list[str]:
        return list(self.splits)

    def values(self, name: str, tables: Sequence[str]) -> Scores:
        """Means over the splits of what the records have by this name."""
        return np.array([[self.mean(name, method, table) for method in self.methods] for table in tables])

    def mean(self, name: str, method: str, table: str) -> float:
        return float(np.mean([self.records[method, table, seed][name] for seed in self.splits[table]]))

    def of_task(self, task: str) -> list[str]:
        first = self.methods[0]
        return [t for t, seeds in self.splits.items() if self.records[first, t, seeds[0]]["task"] == task]

    @cached_property
    def errors(self) -> Scores:
        """Error of classes, nRMSE of numbers: every table."""
        classes = set(self.of_task("classes"))
        rows = [self.values("error" if table in classes else "nrmse", [table]) for table in self.tables]
        return np.concatenate(rows)

    @cached_property
    def losses(self) -> Scores:
        """Log-loss: the tables with classes."""
        return self.values("log_loss", self.of_task("classes")).reshape(-1, len(self.methods))

    @cached_property
    def solved(self) -> list[str]:
        """Tables with classes on which the best method has hardly an error."""
        least = dict(zip(self.tables, self.errors.min(axis=1), strict=True))
        return [table for table in self.of_task("classes") if least[table] < SOLVED]

    def ranked(self, scores: Scores, among: Sequence[str] | None = None) -> dict[str, float]:
        """Mean rank over the tables of each of these methods among themselves; 1 is the best, ties share."""
        names = list(self.methods if among is None else among)
        places = [self.methods.index(name) for name in names]
        found = np.mean([ranks(row[places]) for row in scores], axis=0)
        return dict(zip(names, found.tolist(), strict=True))

    def field(self, name: str) -> list[str]:
        """The methods that one is ranked among: those of other libraries, and a single one of thalweg's.

        That is the method itself, or the default: several of thalweg's, which resemble each other, would take ranks
        from the others by their number.
        """
        own = name if is_ours(name) else DEFAULT
        return [other for other in self.methods if other == own or not is_ours(other)]

    def rank(self, name: str, scores: Scores) -> float:
        return self.ranked(scores, self.field(name))[name]

    def ratios(self, name: str, reference: str) -> Scores:
        """Mean over the tables of 100·log(score / the reference's), roughly percent. Solved tables are left out."""
        task = "numbers" if name == "nrmse" else "classes"
        tables = [table for table in self.of_task(task) if table not in self.solved]
        if not tables:
            return np.full(len(self.methods), np.nan)
        scores = self.values(name, tables)
        theirs = scores[:, [self.methods.index(reference)]]
        return np.asarray(100 * np.log(scores / theirs).mean(axis=0))

    def wins(self, reference: str) -> tuple[list[int], list[int]]:
        """On how many tables each method has less error than the reference, and on how many as much."""
        theirs = self.errors[:, [self.methods.index(reference)]]
        return (self.errors < theirs).sum(axis=0).tolist(), (self.errors == theirs).sum(axis=0).tolist()

    def total(self, name: str) -> Scores:
        """The sum over the tables: one fit of each."""
        return self.values(name, self.tables).sum(axis=0)


def partial(records: dict[Key, Record], whole: Comparison) -> dict[str, Comparison]:
    """The other methods, each beside those of a comparison, on the tables and splits that it shares with them."""
    found = {}
    names = dict.fromkeys(record["method"] for record in succeeded(records.values()))
    for name in (name for name in names if name not in whole.methods):
        own = measured(records, name, whole.tables)
        shared = {table: [s for s in whole.splits[table] if s in splits] for table, splits in own.items()}
        shared = {table: splits for table, splits in shared.items() if splits}
        if shared:
            found[name] = Comparison(records, [*whole.methods, name], shared)
    return found
