"""A table for the page: read as for any run (dates, units, odd cells), and sent as plain columns for its worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.columns import CategoryColumn, NumberColumn, TextColumn, fit_column
from thalweg.data.dates import DateColumn, seconds
from thalweg.data.formats.encodings import likely_encoding
from thalweg.data.sources import QUOTE, header_width
from thalweg.data.tables import Table, read_table
from thalweg.errors import DataError, ThalwegError
from thalweg.play.bounds import TABLE_FEATURES, TABLE_ROWS
from thalweg.play.refusal import RefusedError
from thalweg.support.files import own_folder
from thalweg.views.web.encoding import encode

Array = NDArray[Any]
SHOWN_ROWS = 5
ENDINGS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class PageTable:
    """A table with the name that the page shows, and the path that an exported program reads, and how it does.

    Attributes:
        of: how many rows there are; a longer table than a page takes is a sample of them.
    """

    name: str
    path: str
    table: Table
    of: int
    how: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_source(
        cls, source: str, encoding: str | None = None, sheet: str | None = None, quote: str = QUOTE
    ) -> PageTable:
        """The table that the command line names."""
        how = {key: given for key, given in (("encoding", encoding), ("sheet", sheet)) if given is not None}
        how |= {} if quote == QUOTE else {"quote": quote}
        table = read_table(source, encoding=encoding, sheet=sheet, quote=quote)
        return cls(Path(source).name or source, source, sampled(table), len(table), how)

    @classmethod
    def of_upload(cls, content: bytes, name: str) -> PageTable:
        """The table of an uploaded file; errors are those of `read_upload`."""
        table = read_upload(content, name)
        return cls(table.source, table.source, sampled(table), len(table))

    def encoded(self) -> bytes:
        """What the page's worker takes."""
        columns = [sent(self.table, name) for name in self.table.names]
        return encode(
            {"name": self.name, "path": self.path, "how": self.how, "rows": len(self.table), "of": self.of,
             "columns": columns}
        )  # fmt: skip


def sampled(table: Table) -> Table:
    """The table, or as many of its rows as a page takes, drawn at random and in their order."""
    if len(table) <= TABLE_ROWS:
        return table
    return table.take(np.sort(np.random.default_rng(0).choice(len(table), TABLE_ROWS, replace=False)))


def sent(table: Table, name: str) -> dict[str, Any]:
    """A column as the page holds it: its kind by the rules of runs, its numbers, or its words and where they stand."""
    column = table.column(name)
    found: dict[str, Any] = {"name": name, "kind": "other"}
    try:
        kind, values = understood(table, name)
    except ThalwegError as error:
        return found | {"why": str(error)}
    shown = column.take(np.arange(min(SHOWN_ROWS, len(table)))).as_text().tolist()
    found |= {"kind": kind, "first": [None if text is None else str(text)[:80] for text in shown]}
    if kind == "text":
        words = dict.fromkeys(text for text in values.tolist() if text is not None)
        places = {word: place for place, word in enumerate(words)} | {None: -1}
        codes = np.array([places[text] for text in values.tolist()], np.int32)
        return found | {"words": list(words), "codes": codes}
    numbers = np.ascontiguousarray(values, "<f8")
    written = [[value, text] for value, text in column.written.items()]
    return found | {"numbers": numbers.view(np.uint8), "written": written}  # float64, where pictures have float32


def understood(table: Table, name: str) -> tuple[str, Array]:
    """A column's kind, and its cells: text, or numbers; of dates, seconds since 1970.

    Raises:
        ThalwegError: nothing can be learned from it; the message says why.
    """
    column = table.column(name)
    fitted = fit_column(name, table, category=False)
    if isinstance(fitted, DateColumn):
        return "date", seconds(fitted.moments(column, table))
    if isinstance(fitted, NumberColumn):
        return ("integer" if column.kind == "integer" else "number"), fitted.numbers(column, table)[0]
    if isinstance(fitted, TextColumn):
        raise DataError("it differs in nearly every row")
    if isinstance(fitted, CategoryColumn) or column.kind == "text":
        return "text", column.as_text()
    return column.kind, seconds(column.values) if column.kind == "date" else column.values


def read_upload(content: bytes, name: str) -> Table:
    """Reads an uploaded file. The name is for people: it never becomes a path.

    Raises:
        DataError: the file can't be read, is empty, or has too many columns.
    """
    label = "".join(c for c in Path(name).name if c.isprintable())[:80] or "table.csv"
    ending = next((e for e in ENDINGS if label.lower().endswith(e)), ".csv")
    with own_folder("thalweg-play-") as folder:
        path = folder / f"upload{ending}"
        path.write_bytes(content)
        try:
            check_width(header_width(path), label)
            read = read_table(path)
        except RefusedError:
            raise
        except ThalwegError as error:  # it names the file, whose place is none of the page's business
            likely = likely_encoding(path)
            if likely not in (None, "utf-8"):
                raise RefusedError(
                    "{label} isn't UTF-8; it looks like {likely}: save it as UTF-8, or start with "
                    "thalweg play FILE --encoding {likely}",
                    label=label,
                    likely=likely,
                ) from None
            raise DataError(str(error).replace(str(path), label)) from None
    return Table({n: read.column(n) for n in read.names}, label)


def check_width(columns: int, label: str) -> None:
    """Refuses a file by its header: columns take longer to read than rows, and the network couldn't take them."""
    if columns > TABLE_FEATURES:
        raise RefusedError(
            "{label} has {columns:,} columns; a page takes {most:,} at most: give those that matter",
            label=label,
            columns=columns,
            most=TABLE_FEATURES,
        )
