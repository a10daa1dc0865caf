"""Text that is meant as numbers although not all cells are; cells that spoil a column of numbers, reported by row."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

import numpy as np

from thalweg.data.cells import FEW, Array, Column
from thalweg.data.fitted import kind_changed
from thalweg.data.notations.quantities import POINT_DECIMAL, SHARES, Style
from thalweg.data.reading import Meanings, are_versions, is_code, looks_like_number, number_in, plain_number
from thalweg.data.tables import Table
from thalweg.errors import BadRowsError, DataError, ThalwegWarning, first_of

TRIED = 1000
"""Rows that say whether a column is worth examining."""
_SAYS_CODE = re.compile(
    r"phone|(?:^|[^a-z])(?:zip|tel|fax|ssn|isbn|ean|upc|code)(?:$|[^a-z])|電話|手機|號碼|郵遞|代碼|代號|編號|統編",
    re.IGNORECASE,
)


def numbers_in_text(table: Table, name: str, column: Column, counts: Counter[str], said: Column) -> Column | None:
    """The number column that a text column is meant as; None if it is text. `counts`: of its texts; `said`: what they
    mean, all together.

    It is numbers if all cells are numbers, written in one way, and more than 20 differ. If nine cells in ten are plain
    numbers (or all but one of five or more), the others are mistakes, unless the numbers are few and the text recurs
    (0, 1, 2, "3+"). Codes with a leading zero and versions are text. If half of the cells are numbers in any notation,
    more than 20 different ones, the column is text, and a ThalwegWarning names the other cells.

    Raises:
        BadRowsError: mistakes, with their rows.
    """
    if not counts or any(map(is_code, counts)) or are_versions(counts):
        return None
    if said.kind in ("integer", "number"):
        return replace(said, kind="number") if len(counts) > FEW else None
    odd = {text for text in counts if plain_number(text) is None}
    mistakes, cells = sum(counts[text] for text in odd), counts.total()
    few = len(counts) - len(odd) <= FEW
    if odd and (mistakes <= 0.1 * cells or (mistakes == 1 and cells >= 5)):
        if few and min(counts[text] for text in odd) >= 3:
            return None
        raise text_error(table, name, column, odd)
    other = others_than(looks_like_number, column, counts)
    if other is not None:
        warn_of_odd_cells(table, name, column, other, "numbers")
    return None


def numbers_of(
    table: Table, name: str, column: Column, style: Style, forgiving: bool = False
) -> tuple[Array, list[int]]:
    """The numbers of a column that was one of numbers in training: float64 (rows,), NaN for missing cells, and the rows
    of odd cells. Each cell is read alone, by `style`; a column that was read by the same style, and held nothing
    else, has been. A number that came as one is itself: 0.45 where the text was 45%.

    `forgiving`: odd cells are missing.

    Raises:
        BadRowsError: odd cells, with their rows. DataError: another kind of column.
    """
    texts = column.texts
    if texts is None:
        if column.kind in ("date", "other"):
            raise kind_changed(name, column, "numbers", table)
        if column.origin == "typed" or style.takes_plain:
            return column.values, []
        if column.kind == "number" and style.base not in POINT_DECIMAL:
            raise DataError(
                f"the column {name!r} was read as plain numbers, and in training it was written as {style.notation}: "
                f"read the table with read_table(…, text=[{name!r}])"
            )
        texts = column.as_text()
    elif column.style == style and column.kind in ("integer", "number") and not column.forgiving:
        return column.values, []
    numbers = Meanings(lambda text: number_in(text, style), missing=np.nan)
    cells = numbers.of(texts)
    odd = {text for text, number in numbers.items() if number is None and text is not None}
    if odd and not forgiving:
        raise text_error(table, name, replace(column, text=texts), odd, style)
    return np.array(cells, dtype=np.float64), [row for row, cell in enumerate(cells) if cell is None] if odd else []


def warn_of_missing(table: Table, name: str, style: Style, column: Column, odd: Sequence[int]) -> None:
    """Warns that odd cells among numbers, in these rows, count as missing, and names the first."""
    texts, one = column.as_text(), len(odd) == 1
    _warn(
        f"{counted(len(odd), 'cell')} of the column {name!r} {'isn' if one else 'aren'}'t "
        f"{'a number' if one else 'numbers'}{_written(style)} and count{'s' * one} as missing: "
        f"{first_of([f'row {table.row_number(row)} holds {texts[row]!r}' for row in odd])}"
    )


def warn_of_shares(table: Table, name: str, unit: str, values: Array, low: float, high: float) -> None:
    """Warns of numbers that came as such and are probably meant in per cent: 45 after 45%, which is 0.45.

    Each number is judged by itself: as it is it lies outside of what training held, and in per cent within.
    """
    share = 10.0 ** SHARES[unit]
    outside, within = (values < low) | (values > high), (values * share >= low) & (values * share <= high)
    rows = np.flatnonzero(outside & within)
    if len(rows):
        first = values[rows[0]]
        _warn(
            f"{counted(len(rows), 'number')} of the column {name!r}, such as {first:g} in row "
            f"{table.row_number(int(rows[0]))}, would lie in the range of training as {first:g}{unit}; numbers count "
            f"as they are, so that {first:g}{unit} is {first * share:g}"
        )


_silent = ContextVar("silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """No warnings of cells, in this thread: a server's log is no place for what a request holds."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def _warn(message: str) -> None:
    if not _silent.get():
        warnings.warn(message, ThalwegWarning, stacklevel=3)


def counted(count: int, what: str) -> str:
    """So many of them: "1 cell", "1,200 cells"."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def warn_of_text(name: str, why: str) -> None:
    """Warns that a column that could be numbers is taken as text."""
    _warn(f"the column {name!r} {why}, and is taken as text: --number {name} (numbers=[{name!r}]) takes it as numbers")


def warn_of_identifiers(name: str, column: Column) -> None:
    """Warns that numbers look like codes, whose order and size say nothing."""
    present = column.values[~column.missing()]
    if column.kind != "integer" or len(present) < 2 or column.forgiving:
        return
    digits = np.floor(np.log10(np.maximum(np.abs(present), 1)))
    named = _SAYS_CODE.search(name) is not None
    if not (present >= 0).all() or not (named or (digits.min() == digits.max() >= 8)):
        return
    what = "its name says so" if named else f"all have {int(digits.min()) + 1} digits"
    _warn(
        f"the column {name!r} looks like codes ({what}), but is taken as numbers: --category {name} "
        f"(categories=[{name!r}]) takes it as categories, --number {name} (numbers=[{name!r}]) as numbers without "
        "this note"
    )


def text_error(
    table: Table, name: str, column: Column, odd: Collection[str], style: Style | None = None
) -> BadRowsError:
    """The error for cells of a number column whose text is one of `odd`. `style`: how it was written in training."""
    if style is None:
        rest = ", where the others are numbers; correct the cell, leave it empty, or take the column as a category"
    else:
        rest = f", and in training it held numbers{_written(style)}; write it so, or leave the cell empty"
    return BadRowsError(odd_cells(table, name, column, odd), rest)


def _written(style: Style) -> str:
    """How a column writes its numbers, for people, after "numbers"."""
    if style == Style():
        return " without units or marks"
    units = f" with {style.unit}" if style.unit else ""
    return f" written as {style.notation or '1234.5'}{units}"


def odd_cells(table: Table, name: str, column: Column, odd: Collection[str]) -> dict[int, str]:
    """What is wrong with the rows whose text is one of `odd`, by row."""
    texts = column.as_text()
    cells = {table.row_number(row): text for row, text in enumerate(texts.tolist()) if text in odd}
    return {row: f"row {row} of the column {name!r} holds the text {text!r}" for row, text in cells.items()}


def warn_of_odd_cells(table: Table, name: str, column: Column, odd: Collection[str], kind: str) -> None:
    """Warns that a column of text seems to be meant as numbers or dates, and names the cells that aren't."""
    cells = odd_cells(table, name, column, odd)
    total = int(np.count_nonzero(~column.missing()))
    others = f"{len(cells):,} aren't: {first_of(list(cells.values()))}" if cells else "they are written in several ways"
    _warn(
        f"the column {name!r} looks like {kind}, but is taken as text: {total - len(cells):,} of {total:,} cells are "
        f"{kind}; {others}; correct these cells or leave them empty, or take the column as a category"
    )


def refuse_infinite(table: Table, name: str, values: Array) -> None:
    """Raises BadRowsError for infinite values, with their rows."""
    cells = {table.row_number(row): values[row] for row in np.flatnonzero(np.isinf(values)).tolist()}
    if cells:
        raise BadRowsError(
            {row: f"row {row} of the column {name!r} holds {value}" for row, value in cells.items()},
            "; only finite numbers can be used",
        )


def others_than(fits: Callable[[str], bool], column: Column, counts: Counter[str]) -> set[str] | None:
    """The texts that don't fit, if at least half of the cells do, and more than 20 different texts; otherwise None.
    `counts`: of the column's texts."""
    if len(counts) <= FEW:
        return None
    some = Counter(column.values[:TRIED].tolist())
    del some[None]
    odd = {text for text in some if not fits(text)}
    if 2 * sum(some[text] for text in odd) > some.total():
        return None
    odd |= {text for text in counts if text not in some and not fits(text)}
    if 2 * sum(counts[text] for text in odd) > counts.total() or len(counts) - len(odd) <= FEW:
        return None
    return odd
