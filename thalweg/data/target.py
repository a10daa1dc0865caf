"""The column to predict: its task, its classes or its scale, and the rows to learn it from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.data.cells import FEW, Array, Column, column_of, magnitude, meant, number_text, objects
from thalweg.data.labels import Label, label_codes
from thalweg.data.notations.quantities import PLAIN_OR_TIMES, Style
from thalweg.data.numerals import numbers_in_text, numbers_of, refuse_infinite, warn_of_missing
from thalweg.data.reading import plain_number
from thalweg.data.recipe import TASKS, Task, recipe
from thalweg.data.tables import Table, read_table
from thalweg.errors import ArgumentError, BadRowsError, DataError, ModelFileError, ShapeError
from thalweg.support.extras import need
from thalweg.support.naming import suggesting

ROWS_PER_CLASS = 5
"""Integers are classes only if each stands, on average, for this many rows."""
DIGITS = 15
"""Numbers of up to so many digits are different as float64, too."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a prediction. `Target.of` reads it from a table's column.

    >>> from thalweg.data import read_table
    >>> Target.of(read_table("examples/penguins.csv"), "target")  # doctest: +ELLIPSIS
    Target(name='target', task='multiclass', classes=('Adelie', 'Chinstrap', 'Gentoo'), ...)

    Attributes:
        name: the column.
        task: "binary", "multiclass" or "regression".
        classes: the labels, sorted, as in the table (str, int, float or bool); a binary network gives the probability
            of the second. Empty for regression.
        mean, scale: a regression target is learned as (y - mean) / scale; 0 and 1 for classes.
        missing: how many rows lack a target; nothing can be learned from them, and they are left out.
        why: how the task was decided, for people.
        notation, unit, forgiving: how a regression's targets were written, as text wrote them, and whether odd cells
            among them are missing; each later cell is read so (`thalweg.data.reading`).
    """

    name: str
    task: Task
    classes: tuple[Label, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    missing: int = 0
    why: str = ""
    notation: str = ""
    unit: str = ""
    forgiving: bool = False

    @classmethod
    def of(cls, table: Any, name: str, task: str | None = None) -> Self:
        """The target of a whole table, so that a class whose rows are all held out is known too.

        Args:
            table: all rows, before they are split: a Table, or anything that `read_table` takes.
            name: the column to predict.
            task: overrides what `infer_task` would decide.

        Raises:
            DataError: no such column, no values, one value only, more than two for "binary", nearly as many classes
                as rows, an infinite value, or text where numbers are needed (named, with its row).
            ArgumentError: an unknown task.
        """
        asked = None if task is None else recipe(task).task
        table = read_table(table)
        column = _usable(table, name)
        if column.kind == "date":
            raise DataError(f"the column {name!r} holds dates, which can't be a target; turn them into numbers or text")
        if column.unit and task != "regression" and not column.forgiving:
            column = _named(column)
        if column.kind == "text" and (task == "regression" or (task is None and column.origin != "category")):
            texts = column.counts()
            column = numbers_in_text(table, name, column, texts, meant(column, counts=texts)) or column
        counts = _label_counts(column)
        if len(counts) == 1:
            _refuse_merged(name, column)
        decided, why = _decide(column, counts, name)
        chosen = asked or decided
        if asked:
            why = words.Said("as asked for")
        missing = int(column.missing().sum())
        if chosen == "regression":
            numbers, odd = _numbers(table, name, column, column.style, column.forgiving)
            if odd:
                warn_of_missing(table, name, column.style, column, odd)
            mean, scale = _moments(numbers[~np.isnan(numbers)])
            missing = int(np.isnan(numbers).sum())
            return cls(name, chosen, (), mean, scale, missing, why, column.notation, column.unit, column.forgiving)
        _refuse_merged(name, column)
        _check_classes(name, chosen, len(counts), len(column.values) - missing)
        classes = sorted(counts)
        if column.written and column.exact:
            classes = [column.written.get(float(label), label) for label in classes]
        return cls(name, chosen, tuple(classes), missing=missing, why=why)

    @property
    def outputs(self) -> int:
        """How many units the last layer has: one for a number or two classes, otherwise one per class."""
        return recipe(self.task).units(len(self.classes))

    def fitted(self, table: Table) -> Self:
        """The same target with mean and scale of these rows, the training rows; the classes stay those of all rows."""
        if self.task != "regression":
            return self
        numbers = self.numbers(table)
        present = numbers[~np.isnan(numbers)]
        if not len(present):
            raise DataError(f"the target column {self.name!r} holds no values in the rows to train on")
        mean, scale = _moments(present)
        return replace(self, mean=mean, scale=scale)

    def encode(self, table: Table) -> Array:
        """The targets to train on: float32 (rows, 1), standardised, for regression; float32 (rows, 1) of 0 and 1 for
        two classes; int64 (rows,) of class numbers for several.

        Raises:
            DataError: a row's target is missing, or is none of the classes.
        """
        lost = np.flatnonzero(self.missing_in(table))
        if len(lost):
            raise DataError(f"row {table.row_number(lost[0])} has no value in the target column {self.name!r}")
        if self.task == "regression":
            return np.ascontiguousarray((self.numbers(table) - self.mean) / self.scale, dtype=np.float32)[:, None]
        codes = self._codes(table, _usable(table, self.name))
        return codes.astype(np.float32)[:, None] if self.task == "binary" else codes

    def numbers(self, table: Table) -> Array:
        """A regression's targets in their own unit: float64 (rows,), NaN where missing; DataError for text."""
        column = _usable(table, self.name)
        return _numbers(table, self.name, column, Style(self.notation, self.unit), self.forgiving)[0]

    def missing_in(self, table: Table) -> NDArray[np.bool_]:
        """Which rows have no target: (rows,)."""
        if self.task == "regression":
            return np.isnan(self.numbers(table))
        column = _usable(table, self.name)
        return np.asarray(label_codes(self.classes, column) == -2)

    def _codes(self, table: Table, column: Column) -> Array:
        """Class numbers (rows,) of labels, whether the column holds text, numbers or truth values."""
        codes = label_codes(self.classes, column)
        unknown = np.flatnonzero(codes < 0)
        if len(unknown):
            known = ", ".join(map(label_text, self.classes[:12])) + (", …" if len(self.classes) > 12 else "")
            found = zip(unknown.tolist(), column.take(unknown).as_text(), strict=True)
            cells = {table.row_number(row): text for row, text in found}
            raise BadRowsError(
                {row: f"row {row} has {text} in the target column {self.name!r}" for row, text in cells.items()},
                f", which is none of its classes ({known})",
            )
        return codes

    def decode(self, y_pred: Array) -> Array:
        """Predictions as the user writes them: (rows,), of labels in their own type, or numbers in their own unit.

        Args:
            y_pred: the network's output, (rows, outputs); for two classes the probability of the second, which 0.5 or
                more means.
        """
        y_pred = self._checked(y_pred)
        if self.task == "regression":
            return y_pred[:, 0].astype(np.float64) * self.scale + self.mean
        codes = y_pred.argmax(axis=1) if y_pred.shape[1] > 1 else (y_pred[:, 0] >= 0.5).astype(np.int64)
        labels = labels_array(self.classes)
        decoded: Array = labels[codes]
        return decoded

    def probabilities(self, y_pred: Array) -> dict[Label, Array]:
        """Each class's probability, (rows,) per class; ArgumentError for regression."""
        if self.task == "regression":
            raise ArgumentError(f"the target {self.name!r} is a number: a regression has no class probabilities")
        y_pred = self._checked(y_pred)
        if y_pred.shape[1] == 1:
            return {self.classes[0]: 1 - y_pred[:, 0], self.classes[1]: y_pred[:, 0]}
        return {label: y_pred[:, code] for code, label in enumerate(self.classes)}

    def _checked(self, y_pred: Array) -> Array:
        y_pred = np.asarray(y_pred)
        shaped = y_pred[:, None] if y_pred.ndim == 1 else y_pred
        if shaped.ndim != 2 or shaped.shape[1] not in {self.outputs, len(self.classes) or 1}:
            raise ShapeError(f"y_pred has shape {y_pred.shape}; for {self.name!r} it has to be (rows, {self.outputs})")
        return shaped

    def to_json(self) -> dict[str, Any]:
        kept = ["name", "task", "classes", "mean", "scale", "missing", "why"]
        kept += ["notation", "unit", "forgiving"] * (self.task == "regression")
        return {key: getattr(self, key) for key in kept} | {"classes": list(self.classes)}

    @classmethod
    def from_json(cls, stored: object) -> Self:
        """Raises ModelFileError if `stored` doesn't come from `to_json`."""
        if not isinstance(stored, Mapping) or stored.get("task") not in TASKS:
            raise ModelFileError("the model's target is damaged: it has no known task")
        classes, task = stored.get("classes"), stored["task"]
        numbers = [stored.get(key) for key in ("mean", "scale", "missing")]
        if (
            not all(isinstance(stored.get(key), str) for key in ("name", "why"))
            or not isinstance(classes, list)
            or not all(
                isinstance(label, str | int) or (isinstance(label, float) and abs(label) < 2**63) for label in classes
            )
            or not all(isinstance(number, int | float) and np.isfinite(number) for number in numbers)
            or stored["scale"] <= 0
            or not {"binary": len(classes) == 2, "multiclass": len(classes) > 1, "regression": not classes}[task]
        ):
            raise ModelFileError(f"the model's target is damaged: {dict(stored)}")
        name, why, missing = stored["name"], stored["why"], int(stored["missing"])
        written = [stored.get("notation", PLAIN_OR_TIMES), stored.get("unit", ""), stored.get("forgiving", False)]
        if not all(isinstance(part, kind) for part, kind in zip(written, (str, str, bool), strict=True)):
            raise ModelFileError(f"the model's target is damaged: {dict(stored)}")
        return cls(name, task, tuple(classes), float(stored["mean"]), float(stored["scale"]), missing, why, *written)


@suggesting
def infer_task(table: Any, target: str) -> Task:
    """The task that a target column sets.

    * text and booleans: classes; text that is all numbers, more than 20 different ones: regression
    * two different values of any kind: "binary"
    * integers, also as floats: "multiclass" if they count 0, 1, 2, … or 1, 2, 3, … (or are -1, 0, 1) without a gap, are
      at most 20, and stand for 5 rows or more each on average: so people number classes. Others, such as grades 3 … 9
      or ages with gaps, are quantities
    * every other number: "regression"

    >>> infer_task(Table.of({"y": [0, 1, 2] * 5}), "y"), infer_task(Table.of({"y": [3, 4, 5] * 5}), "y")
    ('multiclass', 'regression')
    """
    return Target.of(table, target).task


@suggesting
def split_rows(y: Array, task: str, test_share: float, seed: int) -> tuple[Array, Array]:
    """Row numbers to train on and to test on, both sorted; a row whose `y` is missing (NaN, None) is in neither.

    Args:
        y: (rows,): a target column, labels or numbers.
        task: for "binary" and "multiclass" each part gets its share of every class. No class is in the test part only:
            a class's last or only row is trained on.
        test_share: 0 < test_share < 1.
        seed: 0 ≤ seed < 2³²; the same seed gives the same parts.

    Raises:
        DataError: one part would be empty.

    >>> train, test = split_rows(np.array([0, 0, 0, 0, 1, 1, 1, 1, 2]), "multiclass", 0.25, seed=0)
    >>> len(train), len(test), 8 in train
    (6, 3, True)
    """
    recipe(task)  # an unknown task raises
    if not 0 < test_share < 1:
        raise ArgumentError(f"test_share={test_share} must lie between 0 and 1, such as 0.2")
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed={seed} must lie between 0 and 2**32 - 1")
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ShapeError(f"y has shape {y.shape}; rows are split by one label each, (rows,)")
    column = column_of(y)
    rows = np.flatnonzero(~column.missing())
    tested = int(np.ceil(test_share * len(rows)))
    if len(rows) < 2 or tested >= len(rows):
        raise DataError(
            f"{len(rows)} rows with a target can't be split with test_share={test_share}: one part would be empty"
        )
    need("sklearn", "", "a division of rows")
    if task == "regression":
        from sklearn.model_selection import train_test_split

        train, test = train_test_split(rows, test_size=tested, random_state=seed)
        return np.sort(train), np.sort(test)
    test = rows[_held_out(_codes_of(column)[rows], tested, seed)]
    if not len(test):
        raise DataError(f"{len(rows)} rows are too few to test on: each class needs one row to train on")
    return np.setdiff1d(rows, test), np.sort(test)


def _held_out(codes: Array, tested: int, seed: int) -> Array:
    """Which of the rows with these classes (rows,) to test on, so that every class keeps a row to train on."""
    from sklearn.model_selection import train_test_split

    counts = np.bincount(codes)
    several = np.flatnonzero(counts[codes] > 1)  # scikit-learn refuses to stratify a class of one row
    if min(tested, len(several) - tested) >= np.count_nonzero(counts > 1) > 0:
        train, test = train_test_split(several, test_size=tested, random_state=seed, stratify=codes[several])
        classes, first = np.unique(codes[test], return_index=True)
        kept: Array = np.delete(test, first[~np.isin(classes, codes[train])])
        return kept
    # There are too few rows for a share of every class: the first row of each, in random order, is trained on.
    order = np.random.default_rng(seed).permutation(len(codes))
    spared = np.unique(codes[order], return_index=True)[1]
    return np.delete(order, spared)[:tested]


def _usable(table: Table, name: str) -> Column:
    column = table.column(name)
    if column.kind == "other":
        raise DataError(f"the column {name!r} holds {column.holds} values, which can't be a target")
    if column.kind not in ("text", "date"):
        refuse_infinite(table, name, column.values)
    return column


def _numbers(table: Table, name: str, column: Column, style: Style, forgiving: bool) -> tuple[Array, list[int]]:
    """The column as float64 (rows,), and which rows have odd cells; regression needs it."""
    numbers, odd = numbers_of(table, name, column, style, forgiving)
    refuse_infinite(table, name, numbers)
    return numbers, odd


def _named(column: Column) -> Column:
    """A few numbers with a unit as what they name: "3 doors" is a class; many, as they are."""
    lost = column.missing()
    if column.text is None or len(np.unique(column.values[~lost])) > FEW:
        return column
    text = column.text.copy()
    text[lost] = None
    return Column("text", text, origin="text")


def _label_counts(column: Column) -> Counter[Any]:
    """How many rows each label has, in its own type; missing cells are left out."""
    present = column.values[~column.missing()]
    if column.kind == "text":
        return Counter(present.tolist())
    if not column.exact:
        texts = column.as_text()[~column.missing()].tolist()
        plain = all(plain_number(text) is not None for text in set(texts))
        return Counter(map(int, texts) if plain else texts)
    convert = {"boolean": bool, "integer": int}.get(column.kind, float)
    labels, counts = np.unique(present, return_counts=True)
    return Counter(dict(zip(map(convert, labels.tolist()), counts.tolist(), strict=True)))


def _codes_of(column: Column) -> Array:
    """Any numbering of the different cells, 0 … n-1: (rows,)."""
    numbering: dict[Any, int] = {}
    cells = (column.values if column.exact else column.as_text()).tolist()
    return np.fromiter((numbering.setdefault(cell, len(numbering)) for cell in cells), int, len(cells))


def _moments(numbers: Array) -> tuple[float, float]:
    """Mean and standard deviation, the latter 1 where all numbers are equal."""
    unit = magnitude(numbers)
    parts = numbers / unit
    scale = float(parts.std()) * unit if parts.min() < parts.max() else 0.0
    return float(parts.mean()) * unit, scale or 1.0


def _decide(column: Column, counts: Counter[Any], name: str) -> tuple[Task, words.Said]:
    if not counts:
        raise DataError(f"the target column {name!r} holds no values")
    if len(counts) == 1:
        only = next(iter(counts))
        raise DataError(f"the target column {name!r} holds one value only, {only!r}: there is nothing to tell apart")
    count = len(counts)
    if count == 2:
        first, second = map(label_text, sorted(counts))
        return "binary", words.Said("two different values, {first} and {second}", first=first, second=second)
    if column.kind == "text":
        return "multiclass", words.Said("text with {count} different values", count=count)
    low, high = min(counts), max(counts)
    whole = all(float(label).is_integer() for label in counts)
    if not whole:
        return "regression", words.Said("numbers with {count} different values", count=count)
    low_text, high_text = label_text(low), label_text(high)
    span = words.Said(
        "integers from {low} to {high} with {count} different values", low=low_text, high=high_text, count=count
    )
    if count > FEW:
        return "regression", span
    counted = high - low == count - 1 and (low in (0, 1) or (low == -1 and high == 1))
    if counted and counts.total() >= ROWS_PER_CLASS * count:
        return "multiclass", words.Said(
            '{span}, numbered as classes are (task="regression" takes them as quantities)', span=span
        )
    return "regression", words.Said('{span}, taken as quantities (task="multiclass" takes them as classes)', span=span)


def _refuse_merged(name: str, column: Column) -> None:
    """Raises if numbers that were written as different ones have become one float64, which would be one class."""
    if column.kind != "number" or column.text is None:
        return
    met: dict[float, str] = {}
    for text, value in dict.fromkeys(zip(column.text.tolist(), column.values.tolist(), strict=True)):
        first = met.setdefault(value, text)
        if value == value and max(len(first), len(text)) > DIGITS and _written(first) != _written(text):
            raise DataError(
                f"the target column {name!r} holds {first} and {text}, which are one number to a computer: "
                "put a letter before each, so that they are text"
            )


def _written(text: str) -> Fraction | str:
    """What a text says, as exactly as it says it."""
    return text if plain_number(text) is None else Fraction(text)


def _check_classes(name: str, task: Task, classes: int, rows: int) -> None:
    if task == "binary" and classes != 2:
        raise DataError(f"the target column {name!r} holds {classes} different values; a binary task has two")
    if classes > FEW and classes > rows / 2:
        raise DataError(
            f"the target column {name!r} holds {classes} different values in {rows} rows: too many to be classes"
        )


def labels_array(labels: Sequence[Label]) -> Array:
    """The labels as an array of their own type: objects where NumPy would turn them into others."""
    array = np.array(labels)
    return array if array.dtype.kind != "U" and array.tolist() == list(labels) else objects(labels)


def label_text(label: Label) -> str:
    """A label for people: 3, not 3.0; True, not 1."""
    return number_text(label) if isinstance(label, float) else str(label)
