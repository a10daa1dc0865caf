"""Tables of one's own: the file of the command line, and what pages upload."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.sources import QUOTE
from thalweg.data.tables import Table, read_table
from thalweg.play.exercises.page_table import SHOWN_ROWS, read_upload
from thalweg.play.requests.bounds import TABLE_ROWS, UPLOADS
from thalweg.play.requests.refusal import RefusedError

KINDS = {"number": "number", "integer": "number", "boolean": "boolean", "text": "category", "date": "date"}


@dataclass(frozen=True)
class Upload:
    """A table with the name that the page shows, and the path that an exported program reads, and how it does."""

    id: str
    name: str
    path: str
    table: Table
    how: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the page shows of it."""
        columns = [described(self.table, name) for name in self.table.names]
        usable = [c["name"] for c in columns if c["usable"]]
        cells = {name: self.table.column(name).take(np.arange(min(SHOWN_ROWS, len(self.table)))) for name in usable}
        texts = [column.as_text() for column in cells.values()]
        first = [[None if text[row] is None else str(text[row])[:80] for text in texts] for row in
                 range(min(SHOWN_ROWS, len(self.table)))]  # fmt: skip
        return {
            "id": self.id,
            "name": self.name,
            "rows": len(self.table),
            "columns": columns,
            "target": suggested(self.table, usable),
            "first": first,
        }


def described(table: Table, name: str) -> dict[str, Any]:
    """A column, and whether it can be learned from."""
    column = table.column(name)
    missing = int(column.missing().sum())
    kind = KINDS.get(column.kind, "other")
    present = column.values[~column.missing()]
    distinct = len(set(present.tolist())) if kind != "other" else 0
    found: dict[str, Any] = {"name": name, "kind": kind, "missing": missing, "distinct": distinct, "usable": True}
    why = "it holds no values that can be read" if kind == "other" or not len(present) else None
    if why is None and distinct == 1:
        why = "it holds one value only"
    elif why is None and kind == "category" and distinct > max(20, 0.9 * len(present)):
        why = "it differs in nearly every row"
    return found if why is None else found | {"usable": False, "why": why}


def suggested(table: Table, usable: list[str]) -> str | None:
    """The column that is probably to be predicted: one called target or the like, or else the last."""
    known = [n for n in usable if n.lower() in ("target", "label", "class", "y", "price", "species", "survived")]
    return next(iter(known or usable[-1:]), None)


def of_source(source: str, encoding: str | None = None, sheet: str | None = None, quote: str = QUOTE) -> Upload:
    """The table that the command line names."""
    how = {key: given for key, given in (("encoding", encoding), ("sheet", sheet)) if given is not None}
    how |= {} if quote == QUOTE else {"quote": quote}
    table = limited(read_table(source, encoding=encoding, sheet=sheet, quote=quote))
    return Upload("source", Path(source).name or source, source, table, how)


def limited(table: Table) -> Table:
    """The table, if it isn't too long for a page."""
    if len(table) > TABLE_ROWS:
        raise RefusedError(
            "{source} has {count:,} rows; a page takes {most:,} at most: give a sample of it",
            source=table.source,
            count=len(table),
            most=TABLE_ROWS,
        )
    return table


class Uploads:
    """The tables that one page may use, by their ids; only the newest are kept."""

    def __init__(self, source: Upload | None = None) -> None:
        self.source = source
        self.uploaded: dict[str, Upload] = {}

    def add(self, content: bytes, name: str) -> Upload:
        """Reads an uploaded file. The name is for people: it never becomes a path.

        Raises:
            DataError: as `read_upload`, or the file has too many rows.
        """
        table = read_upload(content, name)
        made = Upload(secrets.token_hex(8), table.source, table.source, limited(table))
        self.uploaded[made.id] = made
        while len(self.uploaded) > UPLOADS:
            del self.uploaded[next(iter(self.uploaded))]
        return made

    def find(self, id: str) -> Upload:
        """The table of this id."""
        if id == "source" and self.source is not None:
            return self.source
        if id not in self.uploaded:
            raise RefusedError("this table is no longer here: open its file again")
        return self.uploaded[id]
