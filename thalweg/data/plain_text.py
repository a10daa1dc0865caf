"""Text that is nothing but plain numbers or moments, which DuckDB converts: found by some rows, and then by all.

Where a file is text, what its first rows promise is converted as it is read. A cell that breaks the promise ends the
reading, which is begun anew with that column as text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.cells import Kind
from thalweg.data.reading import INTEGER, MISSING_MARKERS, MOMENT, WHITE_SPACE, are_versions, bared
from thalweg.errors import ThalwegError

if TYPE_CHECKING:
    import duckdb

_EXACT_DIGITS = "[1-9][0-9]{0,14}"  # of whole numbers that a float64 surely holds
# Text that DuckDB converts; `text_column` reads all other text, and would read these in the same way.
_CONVERTED: dict[Kind, tuple[str, str]] = {
    "integer": (rf"[+-]?(?:0|{_EXACT_DIGITS})", "DOUBLE"),
    "number": (
        rf"(?:[+-]?(?:0|{_EXACT_DIGITS})|{INTEGER}\.[0-9]*|[+-]?\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)",
        "DOUBLE",
    ),
    "date": (MOMENT, "TIMESTAMP"),
}
SAMPLE = 1000
"""Rows that suggest what a column of text may be, before all are examined."""
_FEW_NUMBERS = 100
"""Up to so many different numbers with a fraction among the first rows may be names of something."""
_TOGETHER = 32
"""Aggregates in one query: its time and its memory grow with their square."""

Types = list[tuple[str, str]]
"""Names and types of columns."""
_PLAIN = "plain "
"""With a kind behind it, the type of a column of text that is converted as it is read."""
_ODD = re.compile(r"the cells of c(\d+) aren't plain")


class OddCellError(ThalwegError):
    """A column of text that looked plain isn't."""

    def __init__(self, column: str) -> None:
        super().__init__(f"the column {column!r} holds other text than its first rows")
        self.column = column

    @classmethod
    def of(cls, error: Exception, types: Types) -> OddCellError | None:
        """What an error of DuckDB says, if it is this one."""
        found = _ODD.search(str(error))
        name, sql_type = ("", "") if found is None else types[int(found[1])]
        return cls(name) if plain_kind(sql_type) else None


def promised(connection: duckdb.DuckDBPyConnection, source: str, types: Types, text: Collection[str]) -> Types:
    """The types of the columns of `source`, a SELECT: of those that hold plain text in its first rows, that; not of
    those in `text`, nor of a source of few rows."""
    places = ", ".join(f"c{i}" for i in range(len(types)))
    first = connection.execute(f"SELECT * FROM ({source}\n) AS source({places}) LIMIT {SAMPLE + 1}").fetchnumpy()
    if not types or len(first["c0"]) <= SAMPLE:
        return types
    found = list(types)
    for i, (name, sql_type) in enumerate(types):
        cells = set(np.ma.compressed(first[f"c{i}"][:SAMPLE]).tolist()) if sql_type == "VARCHAR" else set()
        trials = _trials(i, cells, names=True) if name not in text else []
        if trials and any(cell is not None for cell in bared(cells).values()):
            found[i] = name, _PLAIN + trials[0][0]
    return found


def as_promised(types: Types, known: Types) -> Types:
    """The types of another part of a source, some of whose columns of text are known to be plain."""
    plain = {name: sql_type for name, sql_type in known if plain_kind(sql_type)}
    return [(name, plain.get(name, sql_type) if sql_type == "VARCHAR" else sql_type) for name, sql_type in types]


def without_promise(types: Types, column: str) -> Types:
    """The types with this column as text."""
    return [(name, "VARCHAR" if name == column else sql_type) for name, sql_type in types]


def plain_kind(sql_type: str) -> Kind | None:
    """What a column of text is converted to as it is read; None if it isn't."""
    return next((kind for kind in _CONVERTED if sql_type == _PLAIN + kind), None)


def plain_cell(position: int, kind: Kind) -> str:
    """The SQL that converts a cell as it is read, or raises."""
    cell, (pattern, sql_type) = f"c{position}", _CONVERTED[kind]
    bare = bare_text(cell)

    def fits(text: str) -> str:
        found = f"regexp_full_match({text}, {literal(pattern)})"
        return found + (f" AND TRY_CAST({text} AS TIMESTAMP) IS NOT NULL" if sql_type == "TIMESTAMP" else "")

    return (
        f"CASE WHEN {fits(cell)} THEN TRY_CAST({cell} AS {sql_type}) WHEN {bare} IS NULL THEN NULL "
        f"WHEN {fits(bare)} THEN TRY_CAST({bare} AS {sql_type}) "
        f"ELSE error({literal(f'the cells of {cell} aren{chr(39)}t plain')}) END"
    )


def converted(
    connection: duckdb.DuckDBPyConnection, table: str, texts: Sequence[int], names: bool = True
) -> dict[int, tuple[Kind, str]]:
    """Those of a loaded table's text columns that hold nothing but integers, numbers or plain moments, by their
    position: their kind, and the SQL that converts them. `names`: not so few numbers that they may name something."""
    if not texts:
        return {}
    places = ", ".join(f"c{i}" for i in texts)
    sample = connection.execute(f"SELECT {places} FROM {table} LIMIT {SAMPLE}").fetchnumpy()
    trials = {i: _trials(i, set(np.ma.compressed(sample[f"c{i}"]).tolist()), names) for i in texts}
    found: dict[int, tuple[Kind, str]] = {}
    while pending := {i: trial.pop(0) for i, trial in trials.items() if trial and i not in found}:
        counted = aggregates(connection, table, [_count(cell, *_CONVERTED[kind]) for kind, cell in pending.values()])
        for (i, (kind, cell)), present, fitting in zip(pending.items(), counted[::2], counted[1::2], strict=True):
            if 0 < present == fitting:
                found[i] = kind, f"TRY_CAST({cell} AS {_CONVERTED[kind][1]})"
    return found


def bare_text(text: str) -> str:
    """`reading.bared` in SQL. Most cells have no white space to strip, as their first and last characters show."""
    markers = ", ".join(map(literal, MISSING_MARKERS))
    stripped = f"trim({text}, {literal(WHITE_SPACE)})"
    return (
        f"CASE WHEN {text}[1] > ' ' AND {text}[-1] > ' ' AND {text} NOT IN ({markers}) THEN {text} "
        f"WHEN {stripped} NOT IN ({markers}) THEN {stripped} END"
    )


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _trials(position: int, sample: set[str], names: bool) -> list[tuple[Kind, str]]:
    """What a text column may be, by some of its cells, and the SQL for its cells: as they are (faster), or bare.

    Integers are tried first, since they are numbers too.
    """
    cells = {cell for cell in bared(sample).values() if cell is not None}
    fitting = [kind for kind, (pattern, _) in _CONVERTED.items() if all(re.fullmatch(pattern, cell) for cell in cells)]
    if (len(sample) <= _FEW_NUMBERS and names) or are_versions(
        cells
    ):  # 1.1 and 1.10 may be two things, as may 1 and +1
        spelled = any(cell[0] == "+" or cell == "-0" for cell in cells)
        fitting = [kind for kind in fitting if kind == "date" or (kind == "integer" and not (spelled and names))]
    forms = [f"c{position}"] * (cells == sample) + [bare_text(f"c{position}")]
    return [(kind, form) for form in forms for kind in fitting]


def _count(cell: str, pattern: str, sql_type: str) -> str:
    """The SQL that counts cells, and those that fit a pattern and exist: there is no 31st of February."""
    fits = f"regexp_full_match({cell}, {literal(pattern)})"
    real = f" AND TRY_CAST({cell} AS TIMESTAMP) IS NOT NULL" if sql_type == "TIMESTAMP" else ""
    return f"count({cell}), count(*) FILTER ({fits}{real})"


def aggregates(connection: duckdb.DuckDBPyConnection, table: str, wanted: Sequence[str]) -> list[Any]:
    """The values of aggregates of a table's columns."""
    found: list[Any] = []
    for first in range(0, len(wanted), _TOGETHER):
        found += connection.execute(f"SELECT {', '.join(wanted[first : first + _TOGETHER])} FROM {table}").fetchall()[0]
    return found
