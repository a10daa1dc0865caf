"""Columns to matrix: what each column of a table is, fitted on the training rows and stored with the model."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from thalweg.data.cells import forced_number
from thalweg.data.columns import BooleanColumn, CategoryColumn, FittedColumn, NumberColumn, TextColumn, fit_column
from thalweg.data.dates import DateColumn
from thalweg.data.fitted import LeftOut, Scale
from thalweg.data.labels import Label
from thalweg.data.notations.quantities import PLAIN_OR_TIMES
from thalweg.data.sources import nearest
from thalweg.data.tables import Table, read_table
from thalweg.data.target import Target, infer_task, split_rows
from thalweg.errors import ArgumentError, BadRowsError, DataError, ModelFileError
from thalweg.tabular.single_row import SingleRow

__all__ = ["ColumnSummary", "Features", "Target", "infer_task", "split_rows"]

T = TypeVar("T")
Result = TypeVar("Result")
_KINDS: dict[str, type[FittedColumn]] = {
    "number": NumberColumn,
    "category": CategoryColumn,
    "date": DateColumn,
    "boolean": BooleanColumn,
    "text": TextColumn,
    "left out": LeftOut,
}
_ADDED = {"notation": "", "unit": "", "odd": 0, "forgiving": False}  # what columns of runs made before lack
_KIND_OF = {column: kind for kind, column in _KINDS.items()}


class ColumnSummary(NamedTuple):
    """One row of `Features.describe`."""

    name: str
    kind: str
    """number, category, date, boolean, text or "left out"."""
    understood: str
    """Range, categories or span as seen in the training rows, or why the column is left out."""
    features: int
    """How many columns of the matrix it becomes."""
    missing: int
    """How many of the training rows lack it."""


@dataclass(frozen=True)
class Features:
    """The columns of a table, fitted on the training rows, and the matrix they make of any rows.

    * **numbers** are scaled by mean and standard deviation, both taken after clipping the outermost 1 % on either side,
      and smoothly clipped to ±3 (see `Scale`); a missing number is replaced by the training median
    * **booleans** and **two categories** become one column of -1 and +1
    * **categories** (text) become one-hot: the 100 most frequent, and one column for all rarer ones if there are more.
      A category that the training rows lack counts as rare if there is such a column, otherwise it is 0 everywhere
    * **dates** become a scaled day, the season on a circle, the day of the week, and the time of day on a circle
    * a column with missing cells in the training rows gets another column, 1 where the cell is missing
    * **free text**, sentences that differ in nearly every row, becomes weights of its words, pairs of words and pieces
      of words, hashed into 2,560 columns (see `thalweg.data.notations.texts`)
    * constant columns, columns without values, and other text that differs in (nearly) every row are left out

    Text follows one set of rules in every format (`thalweg.data.reading`): text that is nothing but numbers, truth
    values or dates becomes numbers, booleans or dates. How it was written is stored, and each later cell is read alone
    by that: day first or month first, with a decimal comma or without, with these units and no others. A column of text
    that is half numbers or dates is named in a ThalwegWarning. Whole numbers that all spell dates, 20201231, are dates
    if there are more than 20 or the name says so. A column that was yes and no in training may be true and false later,
    or 1 and 0, and vice versa; a category is found by its meaning, 7 for "7.0" or "007", if only one has it. Whole
    numbers beyond 2^53 and versions are text, and a categorical type is never read otherwise.

    >>> from thalweg.data import read_table
    >>> table = read_table("examples/penguins.csv")
    >>> target = Target.of(table, "target")
    >>> train, test = split_rows(table["target"], target.task, test_share=0.25, seed=0)
    >>> features = Features.fit(table.take(train), target)
    >>> features.feature_names[:5]
    ['island=Biscoe', 'island=Dream', 'island=Torgersen', 'bill_length_mm', 'bill_length_mm is missing']
    >>> features.matrix(table.take(test)).shape, features.targets(table.take(test)).shape
    ((86, 13), (86,))

    Attributes:
        columns: the fitted columns, in the table's order, including those left out.
        target: the target; None if there is none.
        rows: the number of training rows.
    """

    columns: tuple[FittedColumn, ...]
    target: Target | None
    rows: int

    @classmethod
    def fit(
        cls,
        table: Any,
        target: str | Target | None = None,
        task: str | None = None,
        ignore: Sequence[str] = (),
        categories: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ) -> Self:
        """Fit the columns on the rows of `table`, which should be the training rows only.

        Args:
            table: the training rows, a Table or anything that `read_table` takes, such as a pandas frame. Rows without
                a target are ignored.
            target: a `Target` of the whole table, whose mean and scale are recomputed from these rows; or a column's
                name, for a target of these rows alone; or None, for no target.
            task: "binary", "multiclass" or "regression", with a name, to override what the column suggests.
            ignore: columns not to use.
            categories: columns to take as categories whatever they hold, such as numeric codes.
            numbers: columns, maybe the target, to take as numbers whatever they hold: cells that are none are missing.

        Raises:
            DataError: an unknown column; an infinite number, or text among numbers (named, with its row); a column of
                lists or structs that is not ignored; no column is left to learn from.
        """
        table = with_numbers(read_table(table), numbers, categories)
        target = _target_of(table, target, task)
        for name in (*ignore, *categories):
            table.column(name)
        if target is not None:
            if target.name in ignore or target.name in categories:
                raise ArgumentError(f"the target {target.name!r} can't be among the columns to ignore or to take apart")
            table = table.take(np.flatnonzero(~target.missing_in(table)))
        skipped = {*ignore, *([target.name] if target else [])}
        names = [name for name in table.names if name not in skipped]
        columns = tuple(for_each(names, lambda name: fit_column(name, table, name in categories, name in numbers)))
        if not any(column.features for column in columns):
            reasons = "; ".join(f"{column.name}: {column.understood}" for column in columns[:6])
            text = any(isinstance(column, LeftOut) and "free text" in column.reason for column in columns)
            turn = "; text is learned from if it is sentences: turn other text into numbers or categories" * text
            raise DataError(f"{table.source} has no column to learn from{f' ({reasons})' if reasons else ''}{turn}")
        return cls(columns, target, table.rows)

    @property
    def feature_names(self) -> list[str]:
        """The matrix columns' names: "age", "age is missing", "sex=male", …"""
        return [feature for column in self.columns for feature in column.features]

    @cached_property
    def used(self) -> dict[str, FittedColumn]:
        """The columns that the matrix is made of, by name."""
        return {column.name: column for column in self.columns if column.features}

    def check_columns(self, table: Table, remedy: str = "") -> None:
        """Raises DataError if the table lacks a column; `remedy`, of the first, is the end of the message."""
        absent = [name for name in self.used if name not in table]
        if absent:
            shown = ", ".join(map(repr, absent[:5])) + (", …" if len(absent) > 5 else "")
            hint = nearest(absent[0], table.names) if len(absent) == 1 else ""
            raise DataError(
                f"{table.source} lacks {shown}, which the model was trained with{hint}{remedy.format(absent[0])}"
            )

    def matrix(self, table: Any) -> NDArray[np.float32]:
        """The network's input, float32 (rows, features), C-contiguous and finite.

        `table` is a Table or anything that `read_table` takes. Columns are found by name: their order and further
        columns don't matter, and the target need not be there.

        Raises:
            DataError: a column is missing, is of another kind than in training, or holds text or infinity where it held
                numbers (named, with its row).
        """
        table = read_table(table)
        if not table.rows and not table.names:  # a list of no rows
            return np.zeros((0, len(self.feature_names)), dtype=np.float32)
        self.check_columns(table)
        ends = list(accumulate(len(column.features) for column in self.used.values()))
        out = np.zeros((table.rows, ends[-1] if ends else 0), dtype=np.float32)
        parts = zip(self.used.values(), [0, *ends], ends, strict=False)
        for_each(parts, lambda part: part[0].write(table.column(part[0].name), table, out[:, part[1] : part[2]]))
        return out

    def of_row(self, row: Mapping[str, Any] | None, familiar: bool = False) -> NDArray[np.float32] | None:
        """The matrix of a single row, as `row_of` gives it, without a table: faster, and the same to the bit. None for
        a row that has to be read as a table, such as one with an error in it, and for none.

        familiar: rows with cells such as no training row had, which estimators warn of, have to be, too.
        """
        return None if row is None else self._rows[familiar].matrix(row)

    def of_rows(self, rows: Sequence[Mapping[str, Any]]) -> tuple[NDArray[np.float32], list[int], dict[int, list[str]]]:
        """The matrix of rows, each read by itself as `of_row` does; which of them have to be read as a table; and, of
        the others, the columns whose cells say nothing (`unknown`), by row."""
        return self._rows[False].matrix_of(rows)

    @cached_property
    def _rows(self) -> dict[bool, SingleRow]:
        columns = list(self.used.values())
        return {familiar: SingleRow(columns, familiar) for familiar in (False, True)}

    def __getstate__(self) -> dict[str, Any]:
        """What was fitted, without what follows from it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def targets(self, table: Any) -> NDArray[Any]:
        """The targets: float32 (rows, 1), standardised, for regression; float32 (rows, 1) of 0 and 1 for two classes;
        int64 (rows,) of class numbers for several. DataError for a missing or an unknown target, with its row."""
        return self._known_target().encode(read_table(table))

    def decode(self, y_pred: NDArray[Any]) -> NDArray[Any]:
        """Predictions (rows, outputs) as the user's own labels or numbers: (rows,)."""
        return self._known_target().decode(y_pred)

    def probabilities(self, y_pred: NDArray[Any]) -> dict[Label, NDArray[Any]]:
        """Each class's probability: (rows,) by label."""
        return self._known_target().probabilities(y_pred)

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns whose cells have to be kept as text when a table is read, so that each is read as in training:
        `read_table(path, text=features.kept)`."""
        names = [c.name for c in self.columns if isinstance(c, CategoryColumn | TextColumn) or _noted(c)]
        return (*names, self.target.name) if self.target is not None else tuple(names)

    def unseen(self, table: Any) -> dict[str, list[str]]:
        """The categories of a table, by column, that the training rows lack and that the network can't tell apart."""
        table = read_table(table)
        columns = [c for c in self.columns if isinstance(c, CategoryColumn) and c.name in table]
        cells = [table.column(c.name) for c in columns]
        found = [one.as_text()[c.unknown(one)].tolist() for c, one in zip(columns, cells, strict=True)]
        return {c.name: sorted(set(texts)) for c, texts in zip(columns, found, strict=True) if texts}

    def unknown(self, table: Table) -> dict[int, list[str]]:
        """The columns of each row whose cells say nothing though they aren't missing: a category that the training
        rows lack, or an odd cell among numbers, which counts as missing. Rows without such cells aren't in it."""
        found: dict[int, list[str]] = defaultdict(list)
        for name, column in self.used.items():
            rows: Sequence[int] = ()
            if isinstance(column, CategoryColumn):
                rows = np.flatnonzero(column.unknown(table.column(name))).tolist()
            elif isinstance(column, NumberColumn) and column.forgiving:
                rows = column.numbers(table.column(name), table)[1]
            for row in rows:
                found[row].append(name)
        return dict(found)

    def describe(self) -> list[ColumnSummary]:
        """How each column was understood, in the table's order, without the target."""
        return [
            ColumnSummary(column.name, _KIND_OF[type(column)], column.understood, len(column.features), column.missing)
            for column in self.columns
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values that `json` writes and reads back without loss."""
        columns = [{"kind": _KIND_OF[type(column)], **dataclasses.asdict(column)} for column in self.columns]
        for column in columns:
            if "categories" in column:
                column["categories"] = list(column["categories"])
        return {"rows": self.rows, "target": self.target.to_json() if self.target else None, "columns": columns}

    @classmethod
    def from_json(cls, stored: object) -> Self:
        """The features that `to_json` described; ModelFileError, naming the part concerned, for anything else."""
        if not isinstance(stored, Mapping) or not isinstance(stored.get("columns"), list):
            raise ModelFileError("the model's table columns are damaged: there is no list of columns")
        target = None if stored.get("target") is None else Target.from_json(stored["target"])
        columns = tuple(_column_from_json(column) for column in stored["columns"])
        return cls(columns, target, _read("int", stored.get("rows"), "rows"))

    def _known_target(self) -> Target:
        if self.target is None:
            raise ArgumentError("these features were fitted without a target")
        return self.target


def _noted(column: FittedColumn) -> bool:
    """Whether it is read in another way than the plain one."""
    return isinstance(column, NumberColumn | DateColumn) and column.notation not in ("", PLAIN_OR_TIMES)


def with_numbers(table: Table, numbers: Sequence[str], categories: Sequence[str] = ()) -> Table:
    """The table with these columns as numbers, whatever they seemed to be.

    Raises:
        DataError: there is no such column, or none of its cells is a number. ArgumentError: it is to be a category too.
    """
    both = [name for name in numbers if name in categories]
    if both:
        raise ArgumentError(f"the column {both[0]!r} can't be a number and a category: give one of them")
    forced = {name: forced_number(name, table.column(name)) for name in numbers}
    return table.with_columns(forced) if forced else table


def for_each(things: Iterable[T], use: Callable[[T], Result]) -> list[Result]:
    """`use` of each; the bad rows that any of them finds are reported together."""
    results: list[Result] = []
    errors: list[BadRowsError] = []
    for thing in things:
        try:
            results.append(use(thing))
        except BadRowsError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else BadRowsError.together(errors)
    return results


def at_least_one(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix, or a row of zeros if it has none: neither networks nor trees take an empty one."""
    return x if len(x) else np.zeros((1, x.shape[1]), x.dtype)


def without_bad_rows(table: Table, use: Callable[[Table], object], least_rows: int = 1) -> tuple[Table, list[str]]:
    """The rows for which `use` raises no BadRowsError, and what is wrong with each of the others; raises if fewer than
    `least_rows` are left.

    >>> table = Table.of({"x": [1.0, 2.0, float("inf"), 4.0], "y": ["a", "b", "a", "b"]})
    >>> without_bad_rows(table, lambda rows: Features.fit(rows, "y"))
    (<Table of 3 rows: x (number), y (text)>, ["row 3 of the column 'x' holds inf"])
    """
    skipped: list[str] = []
    while True:
        try:
            use(table)
        except BadRowsError as error:
            rows = [row for row in range(table.rows) if table.row_number(row) not in error.problems]
            if len(rows) < least_rows:
                raise
            skipped += error.problems.values()
            table = table.take(rows)
        else:
            return table, skipped


def _target_of(table: Table, target: str | Target | None, task: str | None) -> Target | None:
    if isinstance(target, str):
        return Target.of(table, target, task)
    if task is not None:
        raise ArgumentError(f"task={task!r} goes with the name of a target column; a Target has its task already")
    return None if target is None else target.fitted(table)


def _column_from_json(stored: object) -> FittedColumn:
    kind = stored.get("kind") if isinstance(stored, Mapping) else None
    if not isinstance(stored, Mapping) or kind not in _KINDS:
        raise ModelFileError(f"the model's table columns are damaged: a column of the unknown kind {kind!r}")
    made = _KINDS[kind]
    where = f"the column {stored.get('name')!r}"
    fields = _fields(made, {key: value for key, value in stored.items() if key != "kind"}, where)
    try:
        return made(**fields)
    except ValueError as error:
        raise ModelFileError(f"the model's table columns are damaged: {where}: {error}") from error


def _fields(made: type, stored: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The arguments of a dataclass, each checked against its annotation."""
    types = {field.name: str(field.type) for field in dataclasses.fields(made)}
    if made is NumberColumn and "odd" not in stored and not stored.get("notation") and not stored.get("unit"):
        stored = {**stored, "notation": PLAIN_OR_TIMES}
    stored = {name: value for name, value in _ADDED.items() if name in types} | dict(stored)
    if types.keys() != stored.keys():
        odd = ", ".join(sorted(types.keys() ^ stored.keys()))
        raise ModelFileError(f"the model's table columns are damaged: {where} lacks, or should not have, {odd}")
    return {name: _read(types[name], value, f"{name} of {where}") for name, value in stored.items()}


def _read(annotation: str, value: Any, where: str) -> Any:
    if annotation == "Scale" and isinstance(value, Mapping):
        scale = Scale(**_fields(Scale, value, where))
        if scale.scale < 0:
            raise ModelFileError(f"the model's table columns are damaged: {where} is negative")
        return scale
    check, make = _CHECKS.get(annotation, (None, None))
    if check is None or make is None or not check(value):
        raise ModelFileError(f"the model's table columns are damaged: {where} is {value!r}, not a {annotation}")
    return make(value)


_CHECKS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "str": (lambda value: isinstance(value, str), lambda value: value),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0, int),
    "bool": (lambda value: isinstance(value, bool), bool),
    "float": (lambda value: type(value) in (int, float) and math.isfinite(value), float),
    "tuple[str, ...]": (lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value), tuple),
}
