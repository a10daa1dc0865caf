"""The fitted columns of a table: what each one learned from the training rows, and how it fills the matrix.

A column of the training rows decides once how its cells are read; from then on each cell is read alone, by that.

Every kind has `fit(name, column, table)`, `features` (the names of its matrix columns), `write(column, table, out)` and
`understood` (for people). A missing cell becomes a neutral value, and 1 in another column if the training rows had
missing cells too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from thalweg import words
from thalweg.data.cells import FEW, Array, Column, meant, number_text
from thalweg.data.dates import DateColumn, written_in_digits
from thalweg.data.fitted import LeftOut, Scale, fill, fill_coded, indicator, kind_changed
from thalweg.data.labels import label_codes
from thalweg.data.notations.quantities import PLAIN_OR_TIMES, SHARES, Style
from thalweg.data.notations.texts import (
    SORTS,
    WIDTH,
    counted_texts,
    is_free_text,
    kept_text,
    levels_of,
    weights_of,
    write_hashed,
)
from thalweg.data.numerals import (
    numbers_in_text,
    numbers_of,
    others_than,
    refuse_infinite,
    warn_of_identifiers,
    warn_of_missing,
    warn_of_odd_cells,
    warn_of_shares,
    warn_of_text,
)
from thalweg.data.reading import are_versions, looks_like_date
from thalweg.data.tables import Table
from thalweg.errors import DataError

MOST_CATEGORIES = 100
"""How many of a column's most frequent categories have their own matrix column; all others share one."""


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A scaled number; a missing one becomes the training rows' median."""

    name: str
    median: float
    low: float
    high: float
    scale: Scale
    missing: int = 0
    notation: str = ""  # how the training rows' text wrote the numbers, if not plainly: "1,234.5"
    unit: str = ""  # what it wrote with them: "kg", "NT$", "%"; several with commas between them
    odd: int = 0  # cells that were no numbers, among the missing ones
    forgiving: bool = False  # whether later odd cells are missing, too, as there were some or the user takes them so

    @classmethod
    def fit(cls, name: str, column: Column, table: Table) -> Self | LeftOut:
        values, odd = numbers_of(table, name, column, column.style, column.forgiving)
        refuse_infinite(table, name, values)
        present = values[~np.isnan(values)]
        missing = len(values) - len(present)
        if not len(present):
            return LeftOut.empty(name, missing)
        low, high = float(present.min()), float(present.max())
        if low == high and not missing:
            return LeftOut.constant(name, number_text(low))
        written = column.notation, column.unit
        return cls(name, _median(present), low, high, Scale.of(present), missing, *written, len(odd), column.forgiving)

    @property
    def features(self) -> list[str]:
        return [self.name] * (self.scale.scale > 0) + indicator(self.name, self.missing)

    @property
    def understood(self) -> str:
        low, median, high = (f"{v:.6g}" if abs(v) < 1e5 else number_text(v) for v in (self.low, self.median, self.high))
        noted = self.unit or self.notation not in ("", PLAIN_OR_TIMES)
        written = f"; written as {self.notation or '1234.5'}" * bool(noted)
        written += f" with {self.unit}" * bool(self.unit)
        written += f"; {self.odd:,} odd cell{'s' * (self.odd != 1)} taken as missing" * bool(self.odd)
        return (f"{low} to {high}, median {median}" if low != high else f"{low} or missing") + written

    @property
    def style(self) -> Style:
        """How later text has to write the numbers."""
        return Style(self.notation, self.unit)

    def numbers(self, column: Column, table: Table) -> tuple[Array, list[int]]:
        """The numbers of these rows, float64 (rows,), infinite ones included, and which rows have odd cells."""
        return numbers_of(table, self.name, column, self.style, self.forgiving)

    def write(self, column: Column, table: Table, out: Array) -> None:
        values, odd = self.numbers(column, table)
        refuse_infinite(table, self.name, values)
        if odd:
            warn_of_missing(table, self.name, self.style, column, odd)
        if column.texts is None and self.unit in SHARES:
            warn_of_shares(table, self.name, self.unit, values, self.low, self.high)
        fill(out, self.arranged, values)

    def arranged(self, xp: Any, values: Array) -> Iterator[Array]:
        """Its matrix columns, each (rows,), of numbers (rows,), NaN for a missing one."""
        missing = xp.isnan(values)
        if self.scale.scale > 0:
            yield self.scale.apply(xp.where(missing, self.median, values))
        if self.missing:
            yield missing


@dataclass(frozen=True, slots=True)
class BooleanColumn:
    """A truth value: +1 or -1, and 0 if missing."""

    name: str
    true_share: float
    missing: int = 0

    @classmethod
    def fit(cls, name: str, column: Column, table: Table) -> Self | LeftOut:
        values = _truths(name, column, table)
        present = values[~np.isnan(values)]
        missing = len(values) - len(present)
        if not len(present):
            return LeftOut.empty(name, missing)
        share = float(present.mean())
        if share in (0.0, 1.0) and not missing:
            return LeftOut.constant(name, "true" if share else "false")
        return cls(name, share, missing)

    @property
    def features(self) -> list[str]:
        return [self.name] * (0 < self.true_share < 1) + indicator(self.name, self.missing)

    @property
    def understood(self) -> str:
        return f"{self.true_share:.1%} true"

    def write(self, column: Column, table: Table, out: Array) -> None:
        fill(out, self.arranged, _truths(self.name, column, table))

    def arranged(self, xp: Any, values: Array) -> Iterator[Array]:
        """Its matrix columns, each (rows,), of 0, 1 and NaN (rows,)."""
        missing = xp.isnan(values)
        if 0 < self.true_share < 1:
            yield xp.where(missing, 0.0, 2 * values - 1)
        if self.missing:
            yield missing


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """Text. Two categories are one matrix column, +1 for the second and -1 for the first; more are one column each, of
    0 and 1. A missing cell and a category that the training rows lack are 0 in all of them; but if `rest` is true, the
    latter counts as one of the rare categories, which share a column."""

    name: str
    categories: tuple[str, ...]
    rest: bool = False
    missing: int = 0

    @classmethod
    def fit(cls, name: str, column: Column, table: Table, demanded: bool = False) -> Self | LeftOut:
        """`demanded`: the user calls it a category, so many different values are no reason to leave it out."""
        if column.origin == "text" and column.texts is None and column.kind == "number":
            raise DataError(
                f"the column {name!r} was read as numbers, and 1.10 may have been 1.1: to take it as a category, read "
                f"the table with read_table(…, text=[{name!r}])"
            )
        counts = column.counts()
        present, different = counts.total(), len(counts)
        missing = len(column.values) - present
        if not different:
            return LeftOut.empty(name, missing)
        if different == 1 and not missing:
            return LeftOut.constant(name, repr(next(iter(counts))))
        if not demanded and different == present > 2:
            why = words.Said("all {present} values differ, as in an id or free text", present=present)
            return LeftOut(name, why, missing)
        if not demanded and different > max(FEW, present / 2):
            why = words.Said(
                "{some} of {present} values differ, as in an id or free text", some=different, present=present
            )
            return LeftOut(name, why, missing)
        frequent = sorted(counts, key=lambda text: (-counts[text], text))[:MOST_CATEGORIES]
        return cls(name, tuple(sorted(frequent)), different > len(frequent), missing)

    @property
    def features(self) -> list[str]:
        shown = self.categories if len(self.categories) > 2 or self.rest else self.categories[1:]
        rest = [f"{self.name} is rare"] * self.rest
        return [f"{self.name}={category}" for category in shown] + rest + indicator(self.name, self.missing)

    @property
    def understood(self) -> str:
        shown = ", ".join(self.categories[:4]) + (", …" if len(self.categories) > 4 else "")
        return f"{len(self.categories)}{' most frequent' * self.rest} categories: {shown}"

    def codes(self, column: Column) -> Array:
        """Category numbers (rows,); -1 for a category that the training rows lack, -2 for a missing cell."""
        return label_codes(self.categories, column)

    def unknown(self, column: Column) -> Array:
        """Which cells (rows,) are of a category that the training rows lack, and that says nothing."""
        unknown: Array = self.codes(column) == -1
        return unknown & (not self.rest)

    def write(self, column: Column, table: Table, out: Array) -> None:
        if column.kind == "other":
            raise kind_changed(self.name, column, "text", table)
        fill_coded(out, self.arranged, self.codes(column), -2, len(self.categories))

    def arranged(self, xp: Any, codes: Array) -> Iterator[Array]:
        """Its matrix columns, each (rows,), of category numbers (rows,), −1 for an unknown one, −2 for none."""
        count = len(self.categories)
        if count > 2 or self.rest:
            shown = xp.where(codes == -1, count, codes) if self.rest else codes
            yield from (shown == k for k in range(count + self.rest))
        elif count == 2:
            yield xp.where(codes >= 0, 2.0 * codes - 1, 0.0)
        if self.missing:
            yield codes == -2


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Free text: its terms' weights, hashed into 2,560 matrix columns. A missing cell is 0 in all of them, as is a text
    whose terms the training rows lack."""

    name: str
    length: float  # words and signs a text, on average
    known: int  # different terms that have a weight
    rare: int  # those that too few training rows have
    weights: str  # of the terms by number, for each sort: bytes, compressed, as text
    missing: int = 0

    def __post_init__(self) -> None:
        weights_of(self.weights)  # a ValueError if a file holds something else

    @classmethod
    def fit(cls, name: str, column: Column, table: Table) -> Self | LeftOut:
        texts = [text for text in column.as_text().tolist() if text is not None]
        missing = len(column.values) - len(texts)
        rows_with, said = counted_texts(texts)
        levels = levels_of(rows_with, len(texts))
        known = int((levels > 0).sum())
        if not known:
            return LeftOut(name, words.Said("free text whose words differ in every row"), missing)
        rare = int((rows_with > 0).sum()) - known
        return cls(name, said / len(texts), known, rare, kept_text(levels), missing)

    @property
    def features(self) -> list[str]:
        hashed = [f"{self.name} {sort.name} {k}" for sort in SORTS for k in range(sort.width)]
        return hashed + indicator(self.name, self.missing)

    @property
    def understood(self) -> str:
        return words.Said(
            "free text of {length:.0f} words or signs on average; {known:,} words, pairs and pieces of words; {rare:,} "
            "too rare to count", length=self.length, known=self.known, rare=self.rare
        )  # fmt: skip

    def write(self, column: Column, table: Table, out: Array) -> None:
        if column.kind == "other":
            raise kind_changed(self.name, column, "text", table)
        self.write_texts(column.as_text().tolist(), out)

    def write_texts(self, texts: Sequence[str | None], out: Array) -> None:
        """Writes the matrix columns of texts, None for a missing one."""
        write_hashed(texts, weights_of(self.weights), out)
        if self.missing:
            out[:, WIDTH] = [text is None for text in texts]


FittedColumn = NumberColumn | BooleanColumn | CategoryColumn | DateColumn | TextColumn | LeftOut


def fit_column(name: str, table: Table, category: bool, number: bool = False) -> FittedColumn:
    """Decides what a column of the training rows is, and fits it. `category`, `number`: the user says that it's one."""
    column = table.column(name)
    if column.kind == "other":
        raise DataError(
            f"the column {name!r} holds {column.holds} values, which no network of this kind can read; "
            "ignore it, or turn it into numbers or text"
        )
    if number:
        return NumberColumn.fit(name, column, table)
    if category or column.origin == "category":
        return CategoryColumn.fit(name, column, table, demanded=True)
    if not column.exact:
        warn_of_text(name, "holds whole numbers beyond 2^53, which a number can't tell apart")
        return CategoryColumn.fit(name, column, table)
    if column.kind == "text":
        return _fit_text(name, column, table)
    if column.kind == "date":
        return DateColumn.fit(name, column, table)
    if column.kind == "boolean":
        return BooleanColumn.fit(name, column, table)
    return _fit_numbers(name, column, table)


def _fit_text(name: str, column: Column, table: Table) -> FittedColumn:
    counts = column.counts()
    said = meant(column, counts=counts)
    if said.kind == "date":
        return DateColumn.fit(name, said, table)
    numbers = numbers_in_text(table, name, column, counts, said)
    if numbers is not None:
        return _fit_numbers(name, numbers, table)
    fitted = CategoryColumn.fit(name, column, table)
    if isinstance(fitted, LeftOut) and is_free_text(counts):
        return TextColumn.fit(name, column, table)
    if are_versions(counts):
        warn_of_text(name, "looks like versions, with 1.1 beside 1.10")
    odd = others_than(looks_like_date, column, counts)
    if odd is not None:
        warn_of_odd_cells(table, name, column, odd, "dates")
    return fitted


def _fit_numbers(name: str, column: Column, table: Table) -> FittedColumn:
    if written_in_digits(name, column):
        return DateColumn.fit(name, column, table)
    warn_of_identifiers(name, column)
    return NumberColumn.fit(name, column, table)


def _truths(name: str, column: Column, table: Table) -> Array:
    """Float64 (rows,) of 0, 1 and NaN of a column that was boolean in training."""
    codes = label_codes((False, True), column)
    if (codes == -1).any() or column.kind == "other":
        raise kind_changed(name, column, "true and false", table)
    return np.where(codes == -2, np.nan, codes)


def _median(values: Array) -> float:
    """The median; the two middle values are halved before they are added, so that the sum can't overflow."""
    places = [(len(values) - 1) // 2, len(values) // 2]
    middle = np.partition(values, places)[places]
    return float(middle[0]) if middle[0] == middle[1] else float(middle[0] / 2 + middle[1] / 2)
