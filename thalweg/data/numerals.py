"""Text that is meant as numbers although not all cells are; cells that spoil a column of numbers, reported by row."""

from __future__ import annotations

from collections import Counter

import numpy as np

from thalweg.data.cells import FEW, Array, Column
from thalweg.data.reading import is_code, number_in, plain_number
from thalweg.data.tables import Table
from thalweg.errors import BadRowsError


def numbers_in_text(table: Table, name: str, column: Column) -> Column | None:
    """The number column that a text column is meant as; None if it is text.

    It is numbers if all cells are numbers and more than 20 differ. If nine cells in ten are numbers (or all but one of
    five or more), the others are mistakes, unless the numbers are few and the text recurs (0, 1, 2, "3+"). Codes with a
    leading zero are text.

    Raises:
        BadRowsError: mistakes, with their rows.
    """
    counts = Counter(column.values[~column.missing()].tolist())
    parsed = {text: plain_number(text) for text in counts}
    odd = [text for text, number in parsed.items() if number is None]
    mistakes, cells = sum(counts[text] for text in odd), counts.total()
    mostly_numbers = mistakes <= 0.1 * cells or (mistakes == 1 and cells >= 5)
    if not cells or not mostly_numbers or any(map(is_code, counts)):
        return None
    if len(counts) - len(odd) <= FEW and (not odd or min(counts[text] for text in odd) >= 3):
        return None
    if odd:
        raise text_error(table, name, column, set(odd))
    return Column("number", text_as_numbers(table, name, column))


def text_as_numbers(table: Table, name: str, column: Column) -> Array:
    """Text read as numbers, float64 (rows,) with NaN for missing cells; BadRowsError for cells that aren't numbers."""
    parsed = {text: number_in(text) for text in set(column.values.tolist()) - {None}}
    odd = {text for text, number in parsed.items() if number is None}
    if odd:
        raise text_error(table, name, column, odd)
    meaning = {**parsed, None: np.nan}
    numbers = np.fromiter(map(meaning.__getitem__, column.values.tolist()), np.float64, len(column.values))
    refuse_infinite(table, name, numbers)
    return numbers


def text_error(table: Table, name: str, column: Column, odd: set[str]) -> BadRowsError:
    """The error for the cells of a number column whose text is one of `odd`."""
    cells = {table.row_number(row): text for row, text in enumerate(column.values.tolist()) if text in odd}
    return BadRowsError(
        {row: f"row {row} of the column {name!r} holds the text {text!r}" for row, text in cells.items()},
        ", where the others are numbers; correct the cell, leave it empty, or take the column as a category",
    )


def refuse_infinite(table: Table, name: str, values: Array) -> None:
    """Raises BadRowsError for infinite values, with their rows."""
    cells = {table.row_number(row): values[row] for row in np.flatnonzero(np.isinf(values)).tolist()}
    if cells:
        raise BadRowsError(
            {row: f"row {row} of the column {name!r} holds {value}" for row, value in cells.items()},
            "; only finite numbers can be used",
        )
