"""The rows of a source, however many, in a file of DuckDB's: read once, and then fetched some at a time.

Each file of a source is read in one transaction, so that a reading that was interrupted goes on with the file it had
begun.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.data.database import (
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
    one_line,
    plain_kind,
    promised,
    selected,
)
from thalweg.data.formats import arrow_files
from thalweg.data.queries import opened_query
from thalweg.data.sources import (
    QUOTE,
    csv_source,
    decimal_comma,
    file_kind,
    from_csv,
    is_query,
    is_table_file,
    named_files,
    typed_source,
)
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, DataError
from thalweg.support.extras import need

if TYPE_CHECKING:
    import duckdb

ROWS = "rows.duckdb"
MOST_SHOWN = 5


class Stamp(NamedTuple):
    """What a file is known by: if it changes, one of these does."""

    path: str
    size: int
    modified: int

    @classmethod
    def of(cls, file: Path) -> Stamp:
        found = file.stat()
        return cls(str(file.absolute()), found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class LargeSource:
    """Where rows come from.

    Attributes:
        name: for messages.
        files: in the order in which they are read; none, if it is a query or an object of Arrow's.
        given: a query, or an object that DuckDB can scan.
    """

    name: str
    files: tuple[Path, ...] = ()
    given: Any = None
    quote: str = QUOTE

    @classmethod
    def of(cls, source: Any, quote: str = QUOTE) -> LargeSource:
        """A path, a glob, a folder, a query, or an Arrow dataset, table or reader.

        Raises:
            DataError: there is no such file, or the files are of several kinds. ArgumentError: another object.
        """
        if isinstance(source, str) and is_query(source):
            return cls("the query's result", given=source)
        if isinstance(source, str | Path):
            folder = Path(source).expanduser()
            if not folder.is_dir():
                files = named_files(source)
            else:
                files = sorted(file for file in folder.rglob("*") if file.is_file() and is_table_file(file))
                if not files:
                    raise DataError(f"{source} is a folder without a table's file, such as .parquet or .csv")
            kinds = {file_kind(file): file for file in files}
            if len(kinds) > 1:
                shown = " and ".join(file.name for file in list(kinds.values())[:2])
                raise DataError(f"{source} holds files of different kinds: {shown}")
            if "workbook" in kinds:
                raise DataError(
                    f"{source}: a workbook is read into memory: leave out the limit of memory, and the cache"
                )
            return cls(str(source), tuple(files), quote=quote)
        if not type(source).__module__.startswith("pyarrow"):
            raise ArgumentError(
                f"rows larger than memory come from a path, a glob, a folder, a SQL query, or an Arrow dataset, got "
                f"{type(source).__name__}"
            )
        return cls("the Arrow data", given=source)

    @property
    def bytes(self) -> int:
        """Of its files."""
        return sum(file.stat().st_size for file in self.files)

    def stamps(self) -> list[Stamp]:
        """What its files are known by."""
        return [Stamp.of(file) for file in self.files]


class StoredRows:
    """Rows in DuckDB's file, by their numbers from 0."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, name: str, how: Arrangement, rows: int, decimal_comma: bool
    ) -> None:
        self.connection, self.name, self.how, self.rows, self.comma = connection, name, how, rows, decimal_comma
        self.columns = len(how.types)

    def table(self, first: int, after: int) -> Table:
        """The rows first … after − 1."""
        return self.fetched(f"WHERE rowid >= {first} AND rowid < {after}", np.arange(first, min(after, self.rows)))

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
            raise DataError(f"can't read {self.name}: {one_line(error)}") from None
        return Table(columns, self.name, rows)


@contextmanager
def stored_rows(
    source: LargeSource,
    folder: Path,
    memory: int,
    later: int,
    text: Collection[str] = (),
    tell: Callable[[str], None] | None = None,
) -> Iterator[StoredRows]:
    """The rows of a source in a file of this folder; what isn't there yet is read.

    Args:
        memory: bytes that DuckDB may take while it reads. later: those that it may take from then on.
        text: columns whose cells are kept as they are written.
        tell: is told of each file that is read.

    Raises:
        DataError: a file can't be read, has other columns than the first, changes meanwhile, or has changed since; or
            the disk is full. Each names the file.
    """
    file = folder / ROWS
    if isinstance(source.given, str):
        with opened_query(source.given, text=text, beside=file) as (connection, select, _):
            _load(connection, source, [(None, select)], "kept.", text, tell)
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(memory, file))
        except duckdb_error() as error:
            raise DataError(f"can't open {file}, which another command may use: {one_line(error)}") from None
        if not isinstance(source.given, str):
            connection.execute("SET preserve_insertion_order = true")
            parts: list[tuple[Path | None, Any]] = [(part, None) for part in source.files]
            _load_as_promised(connection, source, parts or [(None, source.given)], text, tell)
        confine(connection, later)
        types = connection.execute("SELECT name, type FROM columns ORDER BY place").fetchall()
        rows = connection.execute("SELECT count(*) FROM fetched").fetchall()[0][0]
        if not rows:
            raise DataError(f"{source.name} has no rows")
        comma = (
            bool(source.files) and file_kind(source.files[0]) == "csv" and decimal_comma(source.files[0], source.quote)
        )
        try:
            how = arranged(connection, types, rows, text=text)
        except duckdb_error() as error:
            raise DataError(f"can't read {source.name}: {one_line(error)}") from None
        yield StoredRows(connection, source.name, how, rows, comma)


def _load_as_promised(
    connection: duckdb.DuckDBPyConnection,
    source: LargeSource,
    parts: Sequence[tuple[Path | None, Any]],
    text: Collection[str],
    tell: Callable[[str], None] | None,
) -> None:
    """Reads the parts; from the beginning where a column of text was converted that has to be kept as it is."""
    kept, again = set(text), False
    while True:
        try:
            _load(connection, source, parts, "", kept, tell, again)
            return
        except OddCellError as odd:
            kept, again = {*kept, odd.column}, True


def _load(
    connection: duckdb.DuckDBPyConnection,
    source: LargeSource,
    parts: Sequence[tuple[Path | None, Any]],
    place: str,
    text: Collection[str],
    tell: Callable[[str], None] | None,
    again: bool = False,
) -> None:
    """Reads those parts that aren't there yet into the table "fetched"; all of them `again`.

    Raises:
        OddCellError: a column was converted that has to be text.
    """
    if again:
        for table in ("loaded", "columns", "fetched"):
            connection.execute(f"DROP TABLE IF EXISTS {place}{table}")
    connection.execute(f"CREATE TABLE IF NOT EXISTS {place}loaded (path TEXT, size BIGINT, modified BIGINT)")
    connection.execute(f"CREATE TABLE IF NOT EXISTS {place}columns (place INTEGER, name TEXT, type TEXT)")
    for name, sql_type in connection.execute(f"SELECT name, type FROM {place}columns").fetchall():
        if name in text and plain_kind(sql_type):
            raise OddCellError(name)
    there = [Stamp(*row) for row in connection.execute(f"FROM {place}loaded ORDER BY rowid").fetchall()]
    stamps = [Stamp("", 0, 0) if part is None else Stamp.of(part) for part, _ in parts]
    if there != stamps[: len(there)]:
        changed = next((stamp.path for stamp, now in zip(there, [*stamps, None], strict=False) if stamp != now), "")
        raise DataError(
            f"{changed} isn't as it was when it was read: remove what is kept of it, or give another --cache"
        )
    for (part, given), before in list(zip(parts, stamps, strict=True))[len(there) :]:
        if tell is not None and part is not None:
            tell(str(part))
        what = source.name if part is None else str(part)
        connection.execute("BEGIN")
        try:
            _insert(connection, source, part, given, place, text)
            if part is not None and Stamp.of(part) != before:
                raise DataError(f"{part} changed while it was read: read it again when nothing writes to it")
            connection.execute(f"INSERT INTO {place}loaded VALUES (?, ?, ?)", list(before))
            connection.execute("COMMIT")
        except duckdb_error() as error:
            _undo(connection)
            said = file_problem(error)
            raise DataError(f"can't read {what}: {said}") from None
        except BaseException:
            _undo(connection)
            raise


def _undo(connection: duckdb.DuckDBPyConnection) -> None:
    """Ends the transaction without what it did."""
    failure = duckdb_error()
    try:
        connection.execute("ROLLBACK")
    except failure as error:  # a full disk has ended it already
        if "no transaction is active" not in str(error):
            raise


def _insert(
    connection: duckdb.DuckDBPyConnection,
    source: LargeSource,
    part: Path | None,
    given: Any,
    place: str,
    text: Collection[str],
) -> None:
    """Appends the rows of one part."""
    if part is not None and file_kind(part) == "csv":
        from_csv(
            [part],
            lambda files: _append(connection, csv_source(files, source.quote), part, place, text),
            source.quote,
        )
        return
    if part is not None:
        kind = file_kind(part)
        typed = kind in ("parquet", "json")
        given = typed_source(connection, kind, [part], str(part), ()) if typed else arrow_files.scannable(part)
    if not isinstance(given, str):
        need("pyarrow", "", "Arrow data")
        connection.register("given", given)
        given = "FROM given"
    _append(connection, given, part, place)


def _append(
    connection: duckdb.DuckDBPyConnection,
    select: str,
    part: Path | None,
    place: str,
    text: Collection[str] | None = None,
) -> None:
    """Appends the rows of a SELECT, whose columns have to be those of the part before.

    With `text`, it reads text: plain columns of it are converted, but not those in `text`.
    """
    failure = duckdb_error()
    types: Types = []
    try:
        types = described(connection, select)
        first = connection.execute(f"SELECT name, type FROM {place}columns ORDER BY place").fetchall()
        if text is not None:
            types = as_promised(types, first) if first else promised(connection, select, types, text)
        if not first:
            for number, (name, sql_type) in enumerate(types):
                connection.execute(f"INSERT INTO {place}columns VALUES (?, ?, ?)", [number, name, sql_type])
            connection.execute(f"CREATE TABLE {place}fetched AS {selected(types, select)}")
            return
        places = {name: number for number, (name, _) in enumerate(types)}
        if set(types) != set(first):
            raise DataError(f"{part} has other columns than the files before it: {_difference(first, types)}")
        order = ", ".join(f"c{places[name]}" for name, _ in first)
        connection.execute(f"INSERT INTO {place}fetched SELECT {order} FROM ({selected(types, select)})")
    except failure as error:
        odd = OddCellError.of(error, types)
        raise odd or DataError(f"can't read {part}: {file_problem(error)}") from None


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
