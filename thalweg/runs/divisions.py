"""Which rows of a table are held out: at random, whole groups, or the latest; once, or in turn as folds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.data.cells import Array, text_column
from thalweg.data.tables import Table
from thalweg.data.target import Target, split_rows
from thalweg.errors import ArgumentError, BadRowsError, DataError

TRIES = 20
"""Groups are drawn so often; the draw whose classes are most alike in both parts is taken."""


@dataclass(frozen=True)
class Division:
    """How rows are held out.

    Attributes:
        share: of the rows, to test on.
        group: a column; rows of one group stay together.
        time: a column; the latest rows are tested on.
        seed: of the draw.
    """

    share: float
    group: str | None = None
    time: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.group is not None and self.time is not None:
            raise ArgumentError("rows are held out by --group or by --time: give one of them")

    def once(self, table: Table, target: Target) -> tuple[Array, Array]:
        """Row numbers to train on and to test on, both sorted; rows without a target are in neither."""
        y = table[target.name]
        if self.group is not None:
            return _by_group(group_codes(table, self.group), _codes(table, target), self.share, self.seed)
        if self.time is not None:
            known = np.flatnonzero(~target.missing_in(table))
            return _latest(known, times(table, self.time)[known], self.share, self.time)
        return split_rows(y, target.task, self.share, self.seed)

    def folds(self, table: Table, target: Target, count: int) -> Iterator[tuple[Array, Array]]:
        """`count` divisions: each row is tested on once; with `time`, each part after the first, by all before it."""
        codes = _codes(table, target)
        rows = np.flatnonzero(codes >= 0)
        if len(rows) < 2 * count:
            raise DataError(f"{len(rows)} rows with a target are too few for {count} folds: give fewer --folds")
        if self.time is not None:
            yield from _in_order(rows, times(table, self.time)[rows], count, self.time)
            return
        groups = None if self.group is None else group_codes(table, self.group)[rows]
        if groups is not None and len(np.unique(groups)) < count:
            raise DataError(f"the column {self.group!r} has {len(np.unique(groups))} groups, too few for {count} folds")
        classes = codes[rows] if target.task != "regression" else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class of fewer rows than folds is missing from some of them
            for train, test in _splitter(classes, groups, count, self.seed).split(rows, classes, groups):
                yield rows[train], rows[test]


def group_codes(table: Table, name: str) -> Array:
    """The number of each row's group: int64 (rows,); rows without one are groups of their own."""
    column = table.column(name)
    if column.kind == "other":
        raise DataError(f"the column {name!r} holds {column.holds} values, which can't be groups")
    cells = column.as_text()
    numbering: dict[object, int] = {}
    keys = (row if cell is None else cell for row, cell in enumerate(cells))
    return np.fromiter((numbering.setdefault(key, len(numbering)) for key in keys), np.int64, len(cells))


def times(table: Table, name: str) -> Array:
    """When each row was: dates, or numbers such as a year, (rows,)."""
    column = table.column(name)
    if column.kind == "text":
        column = text_column(column.values.tolist())
    if column.kind not in ("date", "number", "integer"):
        held = column.holds or column.kind
        raise DataError(f"the column {name!r} holds {held} values; --time takes dates, or numbers such as a year")
    lost = np.flatnonzero(column.missing()).tolist()
    if lost:
        problems = {
            table.row_number(row): f"row {table.row_number(row)} has no value in the column {name!r}" for row in lost
        }
        raise BadRowsError(problems, ", by which rows are held out")
    return column.values


def _codes(table: Table, target: Target) -> Array:
    """Class numbers, or 0 for numbers; -1 for a row without a target: int64 (rows,)."""
    known = ~target.missing_in(table)
    codes = np.where(known, 0, -1)
    if target.task != "regression":
        codes[known] = target.encode(table.take(np.flatnonzero(known))).ravel().astype(np.int64)
    return codes


def _by_group(groups: Array, codes: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Whole groups, drawn until the test part has its share of the rows as nearly as they allow."""
    rows = np.flatnonzero(codes >= 0)
    _, groups = np.unique(groups[rows], return_inverse=True)
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise DataError(
            "all rows are of one group, so none can be held out: --group takes a column with several values"
        )
    of_class = np.zeros((len(sizes), codes.max(initial=0) + 1))
    np.add.at(of_class, (groups, codes[rows]), 1)
    draws = (_drawn(sizes, share, np.random.default_rng((seed, number))) for number in range(TRIES))
    chosen = min(draws, key=lambda test: _unlike(of_class, test, share))
    held = chosen[groups]
    return rows[~held], rows[held]


def _drawn(sizes: Array, share: float, random: np.random.Generator) -> Array:
    """Which groups to test on, bool (groups,): in random order, as many as come nearest to the share of the rows."""
    order = random.permutation(len(sizes))
    ends = np.cumsum(sizes[order])
    count = 1 + int(abs(ends[:-1] - share * ends[-1]).argmin())
    test = np.zeros(len(sizes), bool)
    test[order[:count]] = True
    return test


def _unlike(of_class: Array, test: Array, share: float) -> float:
    """How far the test part is from its share of each class; a class that is in the test part only is the worst."""
    held, total = of_class[test].sum(axis=0), of_class.sum(axis=0)
    missing = np.count_nonzero((held == total) & (total > 0))
    return float(missing + abs(held - share * total).sum() / total.sum())


def _latest(rows: Array, when: Array, share: float, name: str) -> tuple[Array, Array]:
    """The latest rows are the test part; rows of one moment stay together."""
    moments, counts = np.unique(when, return_counts=True)
    if len(moments) < 2:
        raise DataError(f"the column {name!r} has one value in all rows: --time takes a column with several")
    later = len(rows) - np.cumsum(counts)[:-1]  # rows after each moment but the last
    cut = moments[int(abs(later - share * len(rows)).argmin())]
    return rows[when <= cut], rows[when > cut]


def _in_order(rows: Array, when: Array, count: int, name: str) -> Iterator[tuple[Array, Array]]:
    """`count` + 1 stretches of time with about as many rows; each but the first is tested on, by those before it."""
    order = np.argsort(when, kind="stable")
    cuts = np.unique(when[order[[len(rows) * k // (count + 1) for k in range(1, count + 1)]]])
    cuts = cuts[cuts > when[order[0]]]
    if len(cuts) < count:
        raise DataError(f"the column {name!r} has too few different values for {count} folds in order of time")
    for begin, end in zip(cuts, [*cuts[1:], None], strict=True):
        yield rows[when < begin], rows[(when >= begin) & (True if end is None else when < end)]


def _splitter(classes: Array | None, groups: Array | None, count: int, seed: int) -> Any:
    """scikit-learn's splitter for rows with these classes and groups."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if groups is not None:
        return GroupKFold(count) if classes is None else StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    stratified = classes is not None and int(np.bincount(classes).max()) >= count
    return (StratifiedKFold if stratified else KFold)(count, shuffle=True, random_state=seed)
