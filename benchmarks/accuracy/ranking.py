"""Ranks, ratios and wins, from the records. A method's score on a table is its mean over the splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.records import Key, Record, succeeded
from benchmarks.accuracy.scores import ranks

SOLVED = 0.005  # of error by the best method: what is left is a few rows, and ratios of it would decide every mean
Scores = NDArray[np.float64]


def complete(records: dict[Key, Record], tables: Iterable[str], splits: Sequence[int]) -> list[str]:
    """The methods that have been measured on all these tables and splits, in the order of the records."""
    have = {key for key, record in records.items() if "failed" not in record}
    wanted = [(table, seed) for table in tables for seed in splits]
    names = dict.fromkeys(record["method"] for record in succeeded(records.values()))
    return [name for name in names if wanted and all((name, table, seed) in have for table, seed in wanted)]


@dataclass(frozen=True)
class Comparison:
    """Methods that all have the same tables and splits. Arrays are (tables, methods)."""

    records: dict[Key, Record]
    methods: Sequence[str]
    tables: Sequence[str]
    splits: Sequence[int]

    def values(self, name: str, tables: Sequence[str]) -> Scores:
        """Means over the splits of what the records have by this name."""
        return np.array([[self.mean(name, method, table) for method in self.methods] for table in tables])

    def mean(self, name: str, method: str, table: str) -> float:
        return float(np.mean([self.records[method, table, seed][name] for seed in self.splits]))

    def of_task(self, task: str) -> list[str]:
        first = self.methods[0], self.splits[0]
        return [table for table in self.tables if self.records[first[0], table, first[1]]["task"] == task]

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

    def ranked(self, scores: Scores) -> Scores:
        """Mean rank of each method over the tables; 1 is the best, ties share."""
        return np.mean([ranks(row) for row in scores], axis=0)

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


def partial(records: dict[Key, Record], whole: Sequence[str], tables: Iterable[str]) -> dict[str, Comparison]:
    """Methods without all tables: each compared with the complete ones, on the tables that it has in all its splits."""
    found = {}
    names = dict.fromkeys(record["method"] for record in succeeded(records.values()))
    for name in (name for name in names if name not in whole):
        splits = sorted({seed for method, _, seed in records if method == name})
        here = [t for t in tables if complete_on(records, [name, *whole], t, splits)]
        if here:
            found[name] = Comparison(records, [*whole, name], here, splits)
    return found


def complete_on(records: dict[Key, Record], methods: Sequence[str], table: str, splits: Sequence[int]) -> bool:
    def has(key: Key) -> bool:
        return key in records and "failed" not in records[key]

    return all(has((method, table, seed)) for method in methods for seed in splits)
