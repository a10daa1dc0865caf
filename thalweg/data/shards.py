"""A part of a table's rows, read block by block: as many processes as there are parts read each row once.

The rows of a part are copied into a database on disk, from which blocks are read as a whole table is. What a process
holds in memory at a time depends neither on the table nor on the part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.database import connect, duckdb_error, fetch, file_problem, literal, one_line, quoted
from thalweg.data.formats.encodings import codec, decoded
from thalweg.data.sources import (
    QUOTE,
    TEXTS,
    csv_source,
    decimal_comma,
    file_kind,
    from_csv,
    is_query,
    named_files,
    typed_source,
)
from thalweg.data.stored_rows import Stamp
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, DataError
from thalweg.support.files import own_folder, writing
from thalweg.support.untrusted import allowed

if TYPE_CHECKING:
    import duckdb

BLOCK_ROWS = 1 << 16
BLOCK_CELLS = 1 << 22
"""Blocks have so many rows, or fewer if they would have more cells than this."""
STORE, ROWS = "store", "store.part"
_SHARD = re.compile(r"(\d+)/(\d+)")


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


@contextmanager
def opened(
    path: str,
    shard: Shard,
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    quote: str = QUOTE,
    text: Collection[str] = (),
    verbatim: Collection[str] = (),
) -> Iterator[Iterator[Table]]:
    """The blocks of a part, each a table whose rows have their numbers in the source; at least one, if without rows.

    The arguments are those of `read_table`.

    Raises:
        ArgumentError: a query, whose rows have no order that two processes agree on; or a file that can't be read in
            blocks, such as a workbook. DataError: the files can't be read, or change while they are.
    """
    if is_query(path):
        raise ArgumentError("the rows of a query have no order that several processes agree on: give files as a source")
    files = named_files(path)
    kind = file_kind(files[0])
    if sheet is not None or kind not in ("csv", "json", "parquet"):
        raise ArgumentError(f"{files[0].name} is read as a whole: a shard is of .csv, .tsv, .parquet or .json files")
    if encoding is not None and kind not in TEXTS:
        raise ArgumentError(f"encoding={encoding!r} is for text files such as .csv; {files[0].name} says its own")
    if quote != QUOTE and kind != "csv":
        raise ArgumentError(f"quote={quote!r} is for files such as .csv; {files[0].name} has no such quotes")
    translated = encoding is not None and codec(encoding) != "utf-8"
    before = [Stamp.of(file) for file in files]
    with (
        own_folder("thalweg-shard-") as folder,
        decoded(files, encoding) if translated and encoding else nullcontext(files) as copies,
    ):
        store = Store(folder / "rows.duckdb", str(path), kind, copies, quote, verbatim)
        first, count = store.fill(shard)
        if [Stamp.of(file) for file in files] != before:
            raise DataError(f"{path} was changed while it was read: predict it again when it is complete")
        yield store.blocks(first, count, text)


@dataclass(frozen=True)
class Store:
    """The rows of a part, in a database of its own.

    Attributes:
        path: of the database. what: names the source in messages. kind, files: of the source, in UTF-8.
    """

    path: Path
    what: str
    kind: str
    files: Sequence[Path]
    quote: str
    verbatim: Collection[str]

    @contextmanager
    def connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to it, and to nothing that an earlier one has made besides."""
        with connect(allowed(*self.files)) as connection:
            connection.execute(f"ATTACH {literal(str(self.path))} AS {STORE}")
            yield connection

    def fill(self, shard: Shard) -> tuple[int, int]:
        """Copies the rows of a part; returns the number of the first, from 0, and how many there are."""
        if self.kind != "csv":
            return self.copied(shard, self.typed)
        return from_csv(
            self.files, lambda files: self.copied(shard, lambda connection: csv_source(files, self.quote)), self.quote
        )

    def typed(self, connection: duckdb.DuckDBPyConnection) -> str:
        """The SQL that reads files whose cells have types."""
        return typed_source(connection, self.kind, self.files, self.what, self.verbatim)

    def copied(self, shard: Shard, source: Callable[[duckdb.DuckDBPyConnection], str]) -> tuple[int, int]:
        """The same, of what `source` says in SQL."""
        failure = duckdb_error()
        with self.connected() as connection:
            try:
                sql = source(connection)
                total = connection.execute(f"SELECT count(*) FROM ({sql}\n)").fetchall()[0][0]
                first, end = shard.rows(total)
                connection.execute(f"DROP TABLE IF EXISTS {ROWS}")
                connection.execute(f"CREATE TABLE {ROWS} AS FROM ({sql}\n) LIMIT 0")
                for part in self.parts(connection, sql, first, end):
                    connection.execute(f"INSERT INTO {ROWS} {part}")
                found = connection.execute(f"SELECT count(*) FROM {ROWS}").fetchall()[0][0]
            except failure as error:
                raise DataError(f"can't read {self.what}: {one_line(error)}") from None
        if found != end - first:
            raise DataError(f"{self.what} was changed while it was read: predict it again when it is complete")
        return first, found

    def parts(self, connection: duckdb.DuckDBPyConnection, sql: str, first: int, end: int) -> Iterator[str]:
        """SELECTs of these rows, in order: of Parquet files, only what holds them is read."""
        names = [row[0] for row in connection.execute(f"DESCRIBE FROM ({sql}\n)").fetchall()]
        marks = "filename", "file_row_number"
        if self.kind != "parquet" or any(name.lower() in marks for name in names):
            yield f"FROM ({sql}\n) LIMIT {end - first} OFFSET {first}"
            return
        marked = sql.removesuffix(")") + ", filename=true, file_row_number=true)"
        columns = ", ".join(map(quoted, names))
        for file in self.files:
            asked = f"SELECT num_rows FROM parquet_file_metadata({literal(str(file))})"
            rows = connection.execute(asked).fetchall()[0][0]
            if first < rows and end > 0:
                here = f"filename = {literal(str(file))} AND file_row_number BETWEEN {max(first, 0)} AND {end - 1}"
                yield f"SELECT {columns} {marked} WHERE {here}"
            first, end = first - rows, end - rows

    def blocks(self, first: int, count: int, text: Collection[str]) -> Iterator[Table]:
        """The rows block by block, as tables."""
        done, comma = 0, self.kind == "csv" and decimal_comma(self.files[0], self.quote)
        while True:
            with self.connected() as connection:
                width = max(1, len(connection.execute(f"DESCRIBE {ROWS}").fetchall()))
                rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // width, count - done))
                sql = f"FROM {ROWS} WHERE rowid >= {done} AND rowid < {done + rows}"
                limit, of_text = allowed(*self.files), self.kind == "csv"
                columns = fetch(connection, sql, self.what, limit, comma, self.verbatim, text, all_text=of_text)
            numbers: Any = np.arange(first + done, first + min(done + rows, count))
            yield Table(columns, self.what, numbers)
            done += rows
            if done >= count:
                return


def join(pieces: Sequence[Path], path: Path) -> None:
    """Writes a Parquet file of the rows of several, which is there when it is complete."""
    failure, listed = duckdb_error(), ", ".join(literal(str(piece)) for piece in pieces)
    with writing(path, DataError) as new, connect(allowed(*pieces)) as connection:
        rows = f"FROM read_parquet([{listed}], union_by_name=true, hive_partitioning=false)"
        try:
            connection.execute(f"COPY ({rows}) TO {literal(str(new))} (FORMAT parquet, USE_TMP_FILE false)")
        except failure as error:
            raise OSError(0, file_problem(error)) from None
