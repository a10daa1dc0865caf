"""The rows of a source, however many, in a file of DuckDB's: read once, and then fetched some at a time.

Each part of a source is read in one transaction, so that a reading that was interrupted goes on with the file it had
begun.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thalweg.data.database import (
    NUMBER_BYTES,
    TEXT_BYTES,
    Arrangement,
    OddCellError,
    Types,
    arranged,
    as_promised,
    columns_of,
    confine,
    connect,
    described,
    duckdb_error,
    file_problem,
    plain_kind,
    promised,
    selected,
)
from thalweg.data.large_source import LargeSource, Shard, Stamp
from thalweg.data.queries import opened_query
from thalweg.data.sources import from_csv
from thalweg.data.tables import Table
from thalweg.errors import DataError

if TYPE_CHECKING:
    import duckdb

ROWS = "rows.duckdb"
MOST_SHOWN = 5
_DAMAGED = re.compile("not a valid DuckDB|read enough bytes|[Cc]hecksum|Serialization Error")


class StoredRows:
    """Rows in DuckDB's file, by their numbers from 0; `first` is the number of the first one in the source.

    memory: bytes that DuckDB may take.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        how: Arrangement,
        rows: int,
        decimal_comma: bool,
        first: int = 0,
        memory: int = 0,
        file: Path = Path(ROWS),
    ) -> None:
        self.connection, self.name, self.how, self.rows, self.comma = connection, name, how, rows, decimal_comma
        self.columns, self.first, self.memory, self.file = len(how.types), first, memory, file

    @property
    def row_bytes(self) -> int:
        """About the memory that a row takes while it is fetched."""
        return TEXT_BYTES * self.how.texts + NUMBER_BYTES * (self.columns - self.how.texts)

    def table(self, first: int, after: int) -> Table:
        """The rows first … after − 1."""
        return self.fetched(f"WHERE rowid >= {first} AND rowid < {after}", np.arange(first, min(after, self.rows)))

    def blocks(self, most: int, batch: int = 1) -> Iterator[Table]:
        """All rows in order, as tables of at most so many rows, each of whole batches; what is left over is in the last
        one, which may so be larger. There is at least one table, if without rows."""
        size = max(1, most // batch) * batch
        starts = [*range(0, max(1, self.rows - self.rows % batch), size), self.rows]
        for first, after in pairwise(starts):
            yield self.table(first, after)

    def taken(self, rows: NDArray[np.int64]) -> Table:
        """These rows, sorted."""
        self.connection.execute("CREATE OR REPLACE TEMP TABLE chosen (id BIGINT)")
        texts = json.dumps(rows.tolist())
        self.connection.execute("""INSERT INTO chosen SELECT unnest(from_json($1, '["BIGINT"]'))""", [texts])
        return self.fetched("WHERE rowid IN (SELECT id FROM chosen) ORDER BY rowid", rows)

    def fetched(self, where: str, rows: NDArray[np.int64]) -> Table:
        """A table of rows with these numbers."""
        try:
            columns = columns_of(self.connection, self.how, self.comma, where)
        except duckdb_error() as error:
            raise problem_of(error, self.name, self.file) from None
        return Table(columns, self.name, rows + self.first)


@contextmanager
def stored_rows(
    source: LargeSource,
    folder: Path,
    memory: int,
    later: int,
    text: Collection[str] = (),
    tell: Callable[[str], None] | None = None,
    verbatim: Collection[str] = (),
    shard: Shard | None = None,
    least_rows: int = 1,
) -> Iterator[StoredRows]:
    """The rows of a source in a file of this folder; what isn't there yet is read.

    Args:
        memory: bytes that DuckDB may take while it reads. later: those that it may take from then on.
        text, verbatim, least_rows: as in `read_table`.
        tell: is told of each file that is read.
        shard: the part of the rows to read, of files that are read together.

    Raises:
        DataError: a file can't be read, has other columns than the first, changes meanwhile, or has changed since; or
            the disk is full. Each names the file.
    """
    file, failure = folder / ROWS, duckdb_error()
    with ExitStack() as stack:
        try:
            if isinstance(source.given, str):
                with opened_query(source.given, verbatim, text, beside=file, memory=memory) as (connection, select, _):
                    Reading(connection, source, file, verbatim, text, place="kept.", query=select).load(tell)
            connection = stack.enter_context(connect(memory, file))
            reading = Reading(connection, source, file, verbatim, text, shard)
            if not isinstance(source.given, str):
                connection.execute("SET preserve_insertion_order = true")
                reading.load(tell)
            confine(connection, later)
            rows = connection.execute("SELECT count(*) FROM fetched").fetchall()[0][0]
            if rows < least_rows:
                raise DataError(f"{source.name} has no rows")
            how = arranged(connection, reading.columns(), rows, verbatim, text)
        except failure as error:
            raise problem_of(error, source.name, file) from None
        yield StoredRows(connection, source.name, how, rows, source.decimal_comma, reading.first, later, file)


def problem_of(error: Exception, what: str, file: Path) -> DataError:
    """What an error of DuckDB says of the file in which it keeps rows, or else of `what` it reads."""
    said, own = str(error), str(file) in str(error)
    if own and "lock on file" in said:
        return DataError(f"{file} is used by another command: wait until that has ended, or give another --cache")
    if "Corrupt database" in said or (own and _DAMAGED.search(said)):
        return DataError(f"{file} is damaged: remove it, and the rows are read again, or give another --cache")
    if own:
        return DataError(f"{file} can't be written: {file_problem(error)}; make room there, or give another --cache")
    return DataError(f"can't read {what}: {file_problem(error)}")


@dataclass
class Reading:
    """A source that is read into a database.

    Attributes:
        file: the database's.
        text: columns whose text is kept; that of others is converted as it is read, if it is plain.
        place: where its tables are: "", or "kept." while a query runs in another database.
        query: that runs there.
        first: the number of the first row that was read.
    """

    connection: duckdb.DuckDBPyConnection
    source: LargeSource
    file: Path
    verbatim: Collection[str] = ()
    text: Collection[str] = ()
    shard: Shard | None = None
    place: str = ""
    query: str = ""
    first: int = 0

    def load(self, tell: Callable[[str], None] | None) -> None:
        """Reads those parts that aren't there yet into the table "fetched"; all of them again, if a column that was
        converted has to be text."""
        while True:
            try:
                self.load_parts(tell)
                return
            except OddCellError as odd:
                self.text = {*self.text, odd.column}
                for table in ("loaded", "columns", "fetched"):
                    self.connection.execute(f"DROP TABLE IF EXISTS {self.place}{table}")

    def load_parts(self, tell: Callable[[str], None] | None) -> None:
        """Reads those parts that aren't there yet.

        Raises:
            OddCellError: a column was converted that has to be text.
        """
        execute, place, nothing = self.connection.execute, self.place, Stamp("", 0, 0, "")
        execute(f"CREATE TABLE IF NOT EXISTS {place}loaded (path TEXT, size BIGINT, modified BIGINT, how TEXT)")
        execute(f"CREATE TABLE IF NOT EXISTS {place}columns (place INTEGER, name TEXT, type TEXT)")
        for name, sql_type in self.columns():
            if name in self.text and plain_kind(sql_type):
                raise OddCellError(name)
        there = [Stamp(*row) for row in execute(f"FROM {place}loaded ORDER BY rowid").fetchall()]
        stamps = self.source.stamps() or [nothing]
        if there != stamps[: len(there)]:
            changed = next((stamp.path for stamp, now in zip(there, [*stamps, None], strict=False) if stamp != now), "")
            raise DataError(
                f"{changed} isn't as it was when it was read: remove what is kept of it, or give another --cache"
            )
        for files in self.source.parts:
            before, stamps = stamps[: max(1, len(files))], stamps[max(1, len(files)) :]
            if there:
                there = there[len(before) :]
                continue
            if tell is not None and files:
                tell(str(files[0]))
            self.read(files, before)

    def read(self, files: Sequence[Path], before: Sequence[Stamp]) -> None:
        """Reads a part, in one transaction."""
        what = str(files[0]) if len(files) == 1 else self.source.name

        def append(copies: Sequence[Path]) -> None:
            with self.transaction(what):
                self.append(copies, what)
                for file, stamp in zip(files, before, strict=False):
                    if self.source.stamp(file) != stamp:
                        raise DataError(f"{file} changed while it was read: read it again when nothing writes to it")
                for stamp in before:
                    self.connection.execute(f"INSERT INTO {self.place}loaded VALUES (?, ?, ?, ?)", list(stamp))

        with self.source.in_utf8(files) as copies:
            if self.source.kind == "csv":
                from_csv(copies, append, self.source.quote)
            else:
                append(copies)

    @contextmanager
    def transaction(self, what: str) -> Iterator[None]:
        """All that is done in it, or nothing."""
        failure = duckdb_error()
        self.connection.execute("BEGIN")
        try:
            yield
            self.connection.execute("COMMIT")
        except failure as error:
            self.undo()
            raise problem_of(error, what, self.file) from None
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Ends the transaction without what it did."""
        failure = duckdb_error()
        try:
            self.connection.execute("ROLLBACK")
        except failure as error:  # a full disk has ended it already
            if "no transaction is active" not in str(error):
                raise

    def columns(self) -> list[tuple[str, str]]:
        """The names and types of the columns that were read."""
        return self.connection.execute(f"SELECT name, type FROM {self.place}columns ORDER BY place").fetchall()

    def append(self, files: Sequence[Path], what: str) -> None:
        """Appends the rows of a part, whose columns have to be those of the part before."""
        execute, place = self.connection.execute, self.place
        select = self.query or self.source.select(self.connection, files, what, self.verbatim)
        types, known = described(self.connection, select), self.columns()
        if self.source.kind == "csv":
            types = as_promised(types, known) if known else promised(self.connection, select, types, self.text)
        parts = [select]
        if self.shard is not None:
            names = [name for name, _ in types]
            self.first, parts = self.source.selects(self.connection, select, files, names, self.shard)
        if not known:
            for number, (name, sql_type) in enumerate(types):
                execute(f"INSERT INTO {place}columns VALUES (?, ?, ?)", [number, name, sql_type])
            self.convert(f"CREATE TABLE {place}fetched AS {selected(types, parts.pop(0), self.verbatim)}", types)
            known = types
        if set(types) != set(known):
            raise DataError(f"{what} has other columns than the files before it: {_difference(known, types)}")
        places = {name: number for number, (name, _) in enumerate(types)}
        order = [f"c{places[name]}" for name, _ in known]
        order += [f"v{places[name]}" for name, _ in known if name in self.verbatim]
        for part in parts:
            cells = selected(types, part, self.verbatim)
            self.convert(f"INSERT INTO {place}fetched SELECT {', '.join(order)} FROM ({cells})", types)

    def convert(self, statement: str, types: Types) -> None:
        """Runs a statement that reads columns of these types, or raises OddCellError."""
        failure = duckdb_error()
        try:
            self.connection.execute(statement)
        except failure as error:
            odd = OddCellError.of(error, types)
            if odd is not None:
                raise odd from None
            raise


def _difference(first: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]) -> str:
    """What is different about columns."""
    before, here = dict(first), dict(now)
    lacks = [f"it lacks {name!r}" for name in before if name not in here]
    more = [f"it has {name!r} besides" for name in here if name not in before]
    other = [
        f"{name!r} is {here[name]} in it, and {before[name]} before"
        for name in before
        if name in here and here[name] != before[name]
    ]
    found = [*lacks, *more, *other] or ["two of them have one name"]
    return "; ".join(found[:MOST_SHOWN]) + ("; …" if len(found) > MOST_SHOWN else "")
