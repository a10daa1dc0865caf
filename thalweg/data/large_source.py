"""Where rows come from that may be larger than memory: files, a query, or what Arrow reads batch by batch."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from thalweg.data.database import literal, quoted
from thalweg.data.formats import arrow_files
from thalweg.data.formats.encodings import codec, decoded
from thalweg.data.sources import (
    QUOTE,
    checked_kind,
    csv_source,
    decimal_comma,
    file_kind,
    for_files_alone,
    is_query,
    is_table_file,
    named_files,
    typed_source,
)
from thalweg.errors import ArgumentError, DataError
from thalweg.support.files import to_json

if TYPE_CHECKING:
    import duckdb

_SHARD = re.compile(r"(\d+)/(\d+)")
_MARKS = ("filename", "file_row_number")
"""The columns that DuckDB adds to those of Parquet files, if it is asked to."""


class Stamp(NamedTuple):
    """What a file is known by: if it changes, or is read otherwise, one of these does."""

    path: str
    size: int
    modified: int
    how: str

    @classmethod
    def of(cls, file: Path, how: str = "") -> Stamp:
        found = file.stat()
        return cls(str(file.absolute()), found.st_size, found.st_mtime_ns, how)


@dataclass(frozen=True)
class Shard:
    """The part `number`, from 1, of `count`.

    >>> Shard.of("3/16").rows(100), Shard.of("16/16").rows(100), str(Shard.of("3/16"))
    ((12, 18), (93, 100), '3/16')
    """

    number: int
    count: int

    @classmethod
    def of(cls, text: str) -> Shard:
        """From "3/16"."""
        found = _SHARD.fullmatch(text.strip())
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ArgumentError(f"a shard is one of several such as 3/16, from 1/16 to 16/16, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, total: int) -> tuple[int, int]:
        """Its first row, from 0, and the one behind its last: the parts are in order, and nearly of one size."""
        return total * (self.number - 1) // self.count, total * self.number // self.count


@dataclass(frozen=True)
class LargeSource:
    """Where rows come from.

    Attributes:
        name: for messages.
        files: in the order in which they are read; none, if it is a query or an object of Arrow's.
        given: a query, or an object that DuckDB can scan.
        quote, encoding: of text files, as in `read_table`.
        together: files are one table, as for `read_table`: what a column lacks in one of them is missing there.
            Otherwise all have to have the same columns, and are read one by one.
    """

    name: str
    files: tuple[Path, ...] = ()
    given: Any = None
    quote: str = QUOTE
    encoding: str | None = None
    together: bool = False

    @classmethod
    def of(
        cls,
        source: Any,
        quote: str = QUOTE,
        encoding: str | None = None,
        sheet: str | int | None = None,
        together: bool = False,
    ) -> LargeSource:
        """A path, a glob, a folder, a query, or an Arrow dataset, table or reader.

        Raises:
            DataError: there is no such file, or the files are of several kinds. ArgumentError: another object; a
                workbook, which is read as a whole; or an encoding, a sheet or a quote for what has none.
        """
        query = isinstance(source, str) and is_query(source)
        if query or not isinstance(source, str | Path):
            for_files_alone("a query" if query else f"a {type(source).__name__}", encoding, sheet, quote)
        if query:
            return cls("the query's result", given=source)
        if isinstance(source, str | Path):
            files = _files_of(source)
            if checked_kind(files[0], encoding, sheet, quote) == "workbook":
                raise ArgumentError(f"{source}: a workbook is read as a whole: leave out --memory, --cache and --shard")
            if together and len(files) > 1 and file_kind(files[0]) == "arrow":
                listed = ", ".join(arrow_files.ENDINGS)
                raise DataError(f"{source} matches {len(files)} files; of {listed} one at a time is read")
            other = encoding is not None and codec(encoding) != "utf-8"
            return cls(str(source), tuple(files), None, quote, encoding if other else None, together)
        if not type(source).__module__.startswith("pyarrow"):
            raise ArgumentError(
                f"rows larger than memory come from a path, a glob, a folder, a SQL query, or an Arrow dataset, got "
                f"{type(source).__name__}"
            )
        return cls("the Arrow data", given=source)

    @property
    def kind(self) -> str:
        """Of its files; "" if there are none."""
        return file_kind(self.files[0]) if self.files else ""

    @property
    def decimal_comma(self) -> bool:
        """Whether commas in text are decimal points."""
        return self.kind == "csv" and decimal_comma(self.files[0], self.quote)

    @property
    def parts(self) -> list[tuple[Path, ...]]:
        """The files that are read at once; one part without files, if there are none."""
        return [self.files] if self.together or not self.files else [(file,) for file in self.files]

    @property
    def bytes(self) -> int:
        """Of its files."""
        return sum(file.stat().st_size for file in self.files)

    def stamps(self) -> list[Stamp]:
        """What its files are known by."""
        return [self.stamp(file) for file in self.files]

    def stamp(self, file: Path) -> Stamp:
        """What one of them is known by."""
        return Stamp.of(file, to_json({"quote": self.quote, "encoding": self.encoding}).strip())

    @contextmanager
    def in_utf8(self, files: Sequence[Path]) -> Iterator[Sequence[Path]]:
        """Files of it, or copies in UTF-8."""
        if self.encoding is None:
            yield files
            return
        with decoded(files, self.encoding) as copies:
            yield copies

    def select(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[Path], what: str, verbatim: Collection[str]
    ) -> str:
        """The SQL that reads files of it, in UTF-8, or what was given."""
        if self.kind == "csv":
            return csv_source(files, self.quote)
        if self.kind in ("parquet", "json"):
            return typed_source(connection, self.kind, files, what, verbatim)
        connection.register("given", arrow_files.CheckedBatches(files[0] if files else self.given, what))
        return "FROM given"

    def selects(
        self,
        connection: duckdb.DuckDBPyConnection,
        select: str,
        files: Sequence[Path],
        columns: Sequence[str],
        shard: Shard,
    ) -> tuple[int, list[str]]:
        """The number, from 0, of a shard's first row, and SELECTs of its rows, in order: of Parquet files, only what
        holds them is read."""
        total = connection.execute(f"SELECT count(*) FROM ({select}\n)").fetchall()[0][0]
        first, end = begin, after = shard.rows(total)
        if self.kind != "parquet" or any(name.lower() in _MARKS for name in columns):
            return begin, [f"FROM ({select}\n) LIMIT {end - first} OFFSET {first}"]
        marked = select.removesuffix(")") + "".join(f", {mark}=true" for mark in _MARKS) + ")"
        listed, parts = ", ".join(map(quoted, columns)), []
        for file in files:
            asked = f"SELECT num_rows FROM parquet_file_metadata({literal(str(file))})"
            rows = connection.execute(asked).fetchall()[0][0]
            if first < rows and end > 0:
                here = f"filename = {literal(str(file))} AND file_row_number BETWEEN {max(first, 0)} AND {end - 1}"
                parts.append(f"SELECT {listed} {marked} WHERE {here}")
            first, end = first - rows, end - rows
        return begin, parts if after > begin else [f"FROM ({select}\n) LIMIT 0"]


def _files_of(source: str | Path) -> list[Path]:
    """The files of a path, a glob or a folder, all of one kind."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return named_files(source)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and is_table_file(file))
    if not files:
        raise DataError(f"{source} is a folder without a table's file, such as .parquet or .csv")
    kinds = {file_kind(file): file for file in files}
    if len(kinds) > 1:
        shown = " and ".join(file.name for file in list(kinds.values())[:2])
        raise DataError(f"{source} holds files of different kinds: {shown}")
    return files
