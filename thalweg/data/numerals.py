"""Text that is meant as numbers although not all cells are; cells that spoil a column of numbers, reported by row."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from thalweg.data.cells import FEW, Array, Column, meant
from thalweg.data.reading import is_code, looks_like_number, numbers_in, plain_number
from thalweg.data.tables import Table
from thalweg.errors import BadRowsError, ThalwegWarning, first_of

TRIED = 1000
"""Rows that say whether a column is worth examining."""


def numbers_in_text(table: Table, name: str, column: Column) -> Column | None:
    """The number column that a text column is meant as; None if it is text.

    It is numbers if all cells are numbers, written in one way, and more than 20 differ. If nine cells in ten are plain
    numbers (or all but one of five or more), the others are mistakes, unless the numbers are few and the text recurs
    (0, 1, 2, "3+"). Codes with a leading zero are text. If half of the cells are numbers in any notation, more than 20
    different ones, the column is text, and a ThalwegWarning names the other cells.

    Raises:
        BadRowsError: mistakes, with their rows.
    """
    counts = Counter(column.values[~column.missing()].tolist())
    if not counts or any(map(is_code, counts)):
        return None
    said = meant(column)
    if said.kind in ("integer", "number"):
        return replace(said, kind="number") if len(counts) > FEW else None
    odd = {text for text in counts if plain_number(text) is None}
    mistakes, cells = sum(counts[text] for text in odd), counts.total()
    few = len(counts) - len(odd) <= FEW
    if odd and (mistakes <= 0.1 * cells or (mistakes == 1 and cells >= 5)):
        if few and min(counts[text] for text in odd) >= 3:
            return None
        raise text_error(table, name, column, odd)
    other = others_than(looks_like_number, column)
    if other is not None:
        warn_of_odd_cells(table, name, column, other, "numbers")
    return None


def text_as_numbers(table: Table, name: str, column: Column, notation: str = "", unit: str = "") -> Array:
    """Text read as numbers, written in this way, float64 (rows,) with NaN for missing cells; BadRowsError for cells
    that aren't numbers."""
    cells = column.values if column.text is None else column.text
    parsed = numbers_in(set(cells.tolist()) - {None}, notation, unit)
    odd = {text for text, number in parsed.items() if number is None}
    if odd:
        raise text_error(table, name, column, odd)
    meaning: dict[str | None, float | None] = {None: np.nan}
    meaning.update(parsed)
    numbers = np.fromiter(map(meaning.__getitem__, cells.tolist()), np.float64, len(cells))
    refuse_infinite(table, name, numbers)
    return numbers


def text_error(table: Table, name: str, column: Column, odd: set[str]) -> BadRowsError:
    """The error for the cells of a number column whose text is one of `odd`."""
    return BadRowsError(
        odd_cells(table, name, column, odd),
        ", where the others are numbers; correct the cell, leave it empty, or take the column as a category",
    )


def odd_cells(table: Table, name: str, column: Column, odd: Collection[str]) -> dict[int, str]:
    """What is wrong with the rows whose text is one of `odd`, by row."""
    texts = column.values if column.text is None else column.text
    cells = {table.row_number(row): text for row, text in enumerate(texts.tolist()) if text in odd}
    return {row: f"row {row} of the column {name!r} holds the text {text!r}" for row, text in cells.items()}


def warn_of_odd_cells(table: Table, name: str, column: Column, odd: Collection[str], kind: str) -> None:
    """Warns that a column of text seems to be meant as numbers or dates, and names the cells that aren't."""
    cells = odd_cells(table, name, column, odd)
    total = int(np.count_nonzero(~column.missing()))
    others = f"{len(cells):,} aren't: {first_of(list(cells.values()))}" if cells else "they are written in several ways"
    warnings.warn(
        f"the column {name!r} looks like {kind}, but is taken as text: {total - len(cells):,} of {total:,} cells are "
        f"{kind}; {others}; correct these cells or leave them empty, or take the column as a category",
        ThalwegWarning,
        stacklevel=2,
    )


def refuse_infinite(table: Table, name: str, values: Array) -> None:
    """Raises BadRowsError for infinite values, with their rows."""
    cells = {table.row_number(row): values[row] for row in np.flatnonzero(np.isinf(values)).tolist()}
    if cells:
        raise BadRowsError(
            {row: f"row {row} of the column {name!r} holds {value}" for row, value in cells.items()},
            "; only finite numbers can be used",
        )


def others_than(fits: Callable[[str], bool], column: Column) -> set[str] | None:
    """The texts that don't fit, if at least half of the cells do, and more than 20 different texts; otherwise None."""
    some = set(column.values[:TRIED].tolist()) - {None}
    if 2 * sum(map(fits, some)) < len(some):
        return None
    counts = Counter(column.values[~column.missing()].tolist())
    odd = {text for text in counts if not fits(text)}
    if 2 * sum(counts[text] for text in odd) > counts.total() or len(counts) - len(odd) <= FEW:
        return None
    return odd
