"""DuckDB: a connection, and the columns of what it reads. DuckDB is imported when the first file is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.cells import EXACT, Array, Column, Kind, bare_column, objects, text_column
from thalweg.data.reading import PLAIN, TIMES, bare_text, bared, plain_kinds
from thalweg.data.reading import Kind as PlainKind
from thalweg.data.verbatim import Verbatim
from thalweg.engine.lanes import cores
from thalweg.errors import DataError, ThalwegError
from thalweg.support.extras import need
from thalweg.support.interrupts import stopped_by_ctrl_c
from thalweg.support.untrusted import too_large

if TYPE_CHECKING:
    import duckdb

_CSV_CAUSE = re.compile(r"Expected Number|Error when|Invalid |Value with|Could not|Maximum line")
_INTEGERS = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|BIGNUM|VARINT|DECIMAL\(\d+,0\)")
_WIDE = re.compile(r"U?BIGINT|U?HUGEINT|BIGNUM|VARINT|DECIMAL\((?:1[6-9]|[23]\d),(\d+)\)")  # may be beyond 2^53
_NUMBERS = re.compile(r"FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")
_TEXTS = re.compile(r"VARCHAR|UUID|JSON")
_CATEGORIES = re.compile(r"ENUM\(.*\)", re.DOTALL)
_DATES = re.compile(r"DATE|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?")
_TIMES = re.compile(r"TIME|TIME WITH TIME ZONE|TIME_NS|INTERVAL")
THREAD_BYTES = 256 << 20  # of memory for each thread of DuckDB
NUMBER_BYTES, TEXT_BYTES = 26, 100  # memory of a cell while it is read: in DuckDB, in transit, in a column
FEW_ROWS = 1000
"""Up to as many rows of text are fetched as they are, in one query; of more, DuckDB converts what it can."""
_SAMPLE = 1000
"""Rows that suggest what a column of text may be, before all are examined."""
_FEW_CELLS = 2_000_000
"""Up to as many cells of text may be fetched before it is known how many there are."""
_TOGETHER = 32
"""Aggregates in one query: its time and its memory grow with their square."""

Types = list[tuple[str, str]]
"""Names and types of columns."""
_PLAIN = "plain "
"""With a kind behind it, the type of a column of text that is converted as it is read."""
_AROUND = re.compile(r"^([A-Z][A-Za-z ]+ Error: )*(reading the stream .* failed: Invalid: )?|\. Detail: Python.*")
_ODD = re.compile(r"the cells of c(\d+) aren't plain")


@contextmanager
def connect(memory: int, file: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, or in a file, that takes at most this many bytes. It loads no extension and sees no
    variable of this process. Ctrl-C stops its threads."""
    need("duckdb", "", "a table's file or query")
    import duckdb

    with (
        duckdb.connect(":memory:" if file is None else str(file)) as connection,
        stopped_by_ctrl_c(connection.interrupt),
    ):
        confine(connection, memory)
        connection.execute("SET temp_directory = ''")  # otherwise it would fill the disk
        connection.execute("SET TimeZone = 'UTC'")  # the same day and the same text on every machine
        for setting in (
            "enable_progress_bar", "autoinstall_known_extensions", "autoload_known_extensions",
            "allow_community_extensions", "allow_persistent_secrets",
            "python_enable_replacements",  # FROM x must not find a variable of this package
        ):  # fmt: skip
            connection.execute(f"SET {setting} = false")
        yield connection


def confine(connection: duckdb.DuckDBPyConnection, memory: int) -> None:
    """Limits its memory to this many bytes, and its threads to as many as that suffices for."""
    connection.execute(f"SET memory_limit = '{memory}B'")
    connection.execute(f"SET threads = {max(1, min(cores(), memory // THREAD_BYTES))}")


def duckdb_error() -> type[Exception]:
    import duckdb

    return duckdb.Error


def fetch(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    what: str,
    limit: int,
    decimal_comma: bool = False,
    verbatim: Collection[str] = (),
    text: Collection[str] = (),
    all_text: bool = False,
) -> dict[str, Column]:
    """The columns of `source`, a SELECT, whose rows come from one run.

    Args:
        what: names the source in messages.
        limit: the bytes that it may take.
        decimal_comma: commas in text are decimal points.
        verbatim: columns whose cells are kept as they stood, too.
        text: columns whose text is kept, if they are text.
        all_text: all its cells are text, and running it twice does no harm.

    Raises:
        DataError: DuckDB can't read it, or it takes more than `limit` bytes.
    """
    import duckdb

    failure = duckdb_error()
    try:
        found = _few_texts(connection, source, what, limit, decimal_comma, verbatim) if all_text else None
        if found is None:
            found = _any_rows(connection, source, what, limit, decimal_comma, verbatim, text, all_text)
        return found
    except duckdb.OutOfMemoryException:
        raise too_large(what, limit) from None
    except failure as error:
        raise DataError(f"can't read {what}: {one_line(error)}") from None


def _few_texts(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    what: str,
    limit: int,
    decimal_comma: bool,
    verbatim: Collection[str],
) -> dict[str, Column] | None:
    """The columns of a source of text, if it has few rows: one query, however many columns there are."""
    connection.execute(source)
    names = [str(name) for name, *_ in connection.description or ()]
    few = min(FEW_ROWS, _FEW_CELLS // max(1, len(names)))
    rows = connection.fetchmany(few + 1)
    if len(rows) > few:
        return None
    _check_size(what, limit, len(rows), len(names), len(names))
    cells = zip(*rows, strict=True) if rows else ((),) * len(names)
    columns = {name: (text_column(texts, decimal_comma), texts) for name, texts in zip(names, cells, strict=True)}
    return {
        name: replace(column, verbatim=Verbatim("VARCHAR", objects(texts))) if name in verbatim else column
        for name, (column, texts) in columns.items()
    }


def _any_rows(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    what: str,
    limit: int,
    decimal_comma: bool,
    verbatim: Collection[str],
    text: Collection[str],
    all_text: bool,
) -> dict[str, Column]:
    """The columns of any source, which is run once, into a table; one of text, again if it isn't as it looked."""
    types = load(connection, "fetched", source, verbatim, text if all_text else None)
    rows = connection.execute("SELECT count(*) FROM fetched").fetchall()[0][0]
    found = arranged(connection, types, rows, verbatim, text)
    _check_size(what, limit, rows, len(types), found.texts)
    return columns_of(connection, found, decimal_comma)


@dataclass(frozen=True)
class Arrangement:
    """How the columns of the table "fetched" are fetched, by their positions.

    Attributes:
        types: their names and types in the source.
        read: text that DuckDB converts: the kind, and the SQL. coded: repeated texts, and the SQL for their numbers.
        large: of wide numbers, whether some have more digits than a float64. kept: the columns of what is wanted
            verbatim.
    """

    types: Types
    read: dict[int, tuple[Kind, str]]
    coded: dict[int, tuple[list[str], str]]
    large: dict[int, bool]
    kept: dict[int, str]

    @property
    def texts(self) -> int:
        """How many columns are fetched as text."""
        return sum(i not in self.read and i not in self.coded for i in _texts(self.types)) + len(self.kept)


def arranged(
    connection: duckdb.DuckDBPyConnection,
    types: Types,
    rows: int,
    verbatim: Collection[str] = (),
    text: Collection[str] = (),
) -> Arrangement:
    """How the columns of the loaded table "fetched" are to be fetched, by all its cells."""
    of_text, many = _texts(types), rows > FEW_ROWS
    read = converted(connection, "fetched", [i for i in of_text if types[i][0] not in text]) if many else {}
    coded = _coded(connection, [i for i in of_text if i not in read]) if many else {}
    kept = {i: f"v{i}" for i, (name, _) in enumerate(types) if name in verbatim}
    return Arrangement(types, read, coded, _beyond_exact(connection, types), kept)


def columns_of(
    connection: duckdb.DuckDBPyConnection, how: Arrangement, decimal_comma: bool = False, where: str = ""
) -> dict[str, Column]:
    """The columns of the rows of the table "fetched" for which `where` holds."""
    types, read, coded, large, kept = how.types, how.read, how.coded, how.large, how.kept
    sql = {i: f"c{i}" for i, (_, sql_type) in enumerate(types) if _cell(i, sql_type)}
    sql |= {i: cell for i, (_, cell) in read.items()} | {i: cell for i, (_, cell) in coded.items()}
    sql |= {i: f"CAST(c{i} AS {'VARCHAR' if is_large else 'DOUBLE'})" for i, is_large in large.items()}
    wanted = ", ".join([*(f"{cell} AS c{i}" for i, cell in sql.items()), *kept.values()])
    found = connection.execute(f"SELECT {wanted} FROM fetched {where}").fetchnumpy() if wanted else {}
    columns = {}
    for i, (name, sql_type) in enumerate(types):
        if i in coded:
            codes = np.ma.filled(np.ma.asarray(found[f"c{i}"]).astype(np.int64), -1)  # missing: the last text, None
            columns[name] = text_column([*coded[i][0], None], decimal_comma).take(codes)
        elif i in read:
            columns[name] = Column(read[i][0], _values(found[f"c{i}"], read[i][0]), origin="text")
        elif large.get(i):
            digits = _text_cells(found[f"c{i}"])
            whole: Kind = "integer" if _INTEGERS.fullmatch(sql_type) else "number"
            columns[name] = Column(whole, digits.astype(np.float64), text=digits)
        elif i in sql:
            columns[name] = _column(found[f"c{i}"], sql_type, decimal_comma)
        else:
            rows = connection.execute(f"SELECT count(*) FROM fetched {where}").fetchall()[0][0]
            holds = "LIST" if sql_type.endswith("]") else re.split(r"[(\s]", sql_type)[0]
            columns[name] = Column("other", np.full(rows, None, dtype=object), holds)
        if i in kept and columns[name].kind != "other":
            kind = "VARCHAR" if _CATEGORIES.fullmatch(sql_type) or plain_kind(sql_type) else sql_type
            columns[name] = replace(columns[name], verbatim=Verbatim(kind, _text_cells(found[f"v{i}"])))
    return columns


def _check_size(what: str, limit: int, rows: int, columns: int, texts: int) -> None:
    """Raises if so many columns, `texts` of them of text, take more than `limit` bytes while they are read."""
    needed = rows * (TEXT_BYTES * texts + NUMBER_BYTES * (columns - texts))
    if needed > limit:
        raise too_large(f"{what}, {rows:,} rows and {columns:,} columns,", limit, needed)


def load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: str,
    verbatim: Collection[str] = (),
    text: Collection[str] | None = None,
) -> Types:
    """Runs `source` into a table with columns c0, c1, … of text, DOUBLE or dates, and v0, … of the text of those that
    are wanted verbatim; returns its names and types. With `text`, plain text of other columns is converted."""
    types, failure = described(connection, source), duckdb_error()
    if text is not None:
        types = promised(connection, source, types, text)
    while True:
        try:
            connection.execute(f"CREATE TEMP TABLE {table} AS {selected(types, source, verbatim)}")
            return types
        except failure as error:
            odd = OddCellError.of(error, types)
            if odd is None:
                raise
            types = [(name, "VARCHAR" if name == odd.column else sql_type) for name, sql_type in types]


def described(connection: duckdb.DuckDBPyConnection, source: str) -> Types:
    """Names and types of what `source` reads."""
    return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM ({source}\n)").fetchall()]


def selected(types: Sequence[tuple[str, str]], source: str, verbatim: Collection[str] = ()) -> str:
    """The SELECT that makes the columns of `load`."""
    cells = [f"{_cell(i, sql_type) or 'NULL'} AS c{i}" for i, (_, sql_type) in enumerate(types)]
    for i, (name, sql_type) in enumerate(types):
        if name in verbatim:
            text = f"CAST(c{i} AS VARCHAR)"
            if sql_type in ("FLOAT", "DOUBLE"):
                text = f"nullif({text}, 'nan')"  # isnan() is wrong for Parquet's NaN
            cells.append(f"{text} AS v{i}")
    places = ", ".join(f"c{i}" for i in range(len(types)))
    return f"SELECT {', '.join(cells)} FROM ({source}\n) AS source({places})"


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
    first = connection.execute(f"SELECT * FROM ({source}\n) AS source({places}) LIMIT {_SAMPLE + 1}").fetchnumpy()
    if not types or len(first["c0"]) <= _SAMPLE:
        return types
    found = list(types)
    for i, (name, sql_type) in enumerate(types):
        cells = set(np.ma.compressed(first[f"c{i}"][:_SAMPLE]).tolist()) if sql_type == "VARCHAR" else set()
        kinds = plain_kinds(cells, names=True) if name not in text else []
        if kinds and any(cell is not None for cell in bared(cells).values()):
            found[i] = name, _PLAIN + kinds[0]
    return found


def as_promised(types: Types, known: Types) -> Types:
    """The types of another part of a source, some of whose columns of text are known to be plain."""
    plain = {name: sql_type for name, sql_type in known if plain_kind(sql_type)}
    return [(name, plain.get(name, sql_type) if sql_type == "VARCHAR" else sql_type) for name, sql_type in types]


def plain_kind(sql_type: str) -> PlainKind | None:
    """What a column of text is converted to as it is read; None if it isn't."""
    return next((kind for kind in PLAIN if sql_type == _PLAIN + kind), None)


def plain_cell(position: int, kind: PlainKind) -> str:
    """The SQL that converts a cell as it is read, or raises."""
    cell, sql_type = f"c{position}", PLAIN[kind][1]
    bare, odd = bare_text(cell), literal(f"the cells of {cell} aren't plain")
    return (
        f"CASE WHEN {_fits(cell, kind)} THEN TRY_CAST({cell} AS {sql_type}) WHEN {bare} IS NULL THEN NULL "
        f"WHEN {_fits(bare, kind)} THEN TRY_CAST({bare} AS {sql_type}) ELSE error({odd}) END"
    )


def converted(
    connection: duckdb.DuckDBPyConnection, table: str, texts: Sequence[int], names: bool = True
) -> dict[int, tuple[Kind, str]]:
    """Those of a loaded table's text columns that hold nothing but integers, numbers or plain moments, by their
    position: their kind, and the SQL that converts them. `names`: not so few numbers that they may name something."""
    if not texts:
        return {}
    places = ", ".join(f"c{i}" for i in texts)
    sample = connection.execute(f"SELECT {places} FROM {table} LIMIT {_SAMPLE}").fetchnumpy()
    trials = {i: _trials(i, set(np.ma.compressed(sample[f"c{i}"]).tolist()), names) for i in texts}
    found: dict[int, tuple[Kind, str]] = {}
    while pending := {i: trial.pop(0) for i, trial in trials.items() if trial and i not in found}:
        counted = _aggregates(
            connection,
            table,
            [f"count({cell}), count(*) FILTER ({_fits(cell, kind)})" for kind, cell in pending.values()],
        )
        for (i, (kind, cell)), present, fitting in zip(pending.items(), counted[::2], counted[1::2], strict=True):
            if 0 < present == fitting:
                found[i] = kind, f"TRY_CAST({cell} AS {PLAIN[kind][1]})"
    return found


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _trials(position: int, sample: set[str], names: bool) -> list[tuple[PlainKind, str]]:
    """What a text column may be, by some of its cells, and the SQL for its cells: as they are (faster), or bare."""
    bare = {cell for cell in bared(sample).values() if cell is not None}
    forms = [f"c{position}"] * (bare == sample) + [bare_text(f"c{position}")]
    return [(kind, form) for form in forms for kind in plain_kinds(sample, names)]


def _fits(cell: str, kind: PlainKind) -> str:
    """The SQL that says whether a cell is of this kind, and exists: there is no 31st of February."""
    pattern, sql_type = PLAIN[kind]
    real = f" AND TRY_CAST({cell} AS TIMESTAMP) IS NOT NULL" if sql_type == "TIMESTAMP" else ""
    return f"regexp_full_match({cell}, {literal(pattern)}){real}"


def _aggregates(connection: duckdb.DuckDBPyConnection, table: str, wanted: Sequence[str]) -> list[Any]:
    """The values of aggregates of a table's columns."""
    found: list[Any] = []
    for first in range(0, len(wanted), _TOGETHER):
        found += connection.execute(f"SELECT {', '.join(wanted[first : first + _TOGETHER])} FROM {table}").fetchall()[0]
    return found


def one_line(error: Exception) -> str:
    """The message of a DuckDB error as one line, without its class, the SQL and the list of settings."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _AROUND.sub("", lines[0]) if lines else type(error).__name__
    found = re.match(r"CSV Error on Line: (\d+)", text)
    if found:
        # between the heading and the cause is the original line, which may be many lines if a quote is left open
        cause = next((line for line in lines[1:] if _CSV_CAUSE.match(line)), "the row is malformed")
        if "unicode" in cause:
            cause = "the text is not UTF-8; save the file in that encoding"
        cells = re.match(r"Expected Number of Columns: (\d+) Found: (\d+)", cause)
        if cells:
            cause = f"{cells[2]} cells, and the header has {cells[1]}"
        return f"line {found[1]}: {cause.rstrip('.')}"
    candidates = next((line for line in lines[1:] if line.startswith("Candidate bindings")), "")
    return text.rstrip(".! ") + (f" ({candidates[0].lower()}{candidates[1:]})" if candidates else "")


def file_problem(error: Exception) -> str:
    """Why DuckDB couldn't write a file, without its own account of where: "No space left on device"."""
    found = re.search(r"(?:Could not|Cannot) \w+ file \\*\"[^\"]*\": ([^\"]+)", str(error).replace('\\"', '"'))
    return found[1].strip() if found else one_line(error)


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literals(texts: Sequence[str]) -> str:
    """A list of texts in SQL."""
    return "[" + ", ".join(map(literal, texts)) + "]"


def _cell(position: int, sql_type: str) -> str | None:
    """The SQL that turns a cell into something that `fetchnumpy` returns without loss; None if there is none."""
    column, plain = f"c{position}", plain_kind(sql_type)
    if plain is not None:
        return plain_cell(position, plain)
    if _WIDE.fullmatch(sql_type):
        return column  # what it is cast to depends on the largest
    if _INTEGERS.fullmatch(sql_type) or _NUMBERS.fullmatch(sql_type) or sql_type == "BOOLEAN":
        return f"CAST({column} AS DOUBLE)"
    if _CATEGORIES.fullmatch(sql_type):
        return f"CAST({column} AS VARCHAR)"
    if _TEXTS.fullmatch(sql_type):  # read_json gives JSON for a key that holds both numbers and text
        return f"({column} ->> '$')" if sql_type == "JSON" else f"CAST({column} AS VARCHAR)"
    if _DATES.fullmatch(sql_type):  # an infinite date is no date; DuckDB returns moments with a time zone in UTC
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    if _TIMES.fullmatch(sql_type):
        return f"CAST(epoch({column}) AS DOUBLE)"
    return None


def _beyond_exact(connection: duckdb.DuckDBPyConnection, types: Sequence[tuple[str, str]]) -> dict[int, bool]:
    """Whether columns of wide numbers, by position, hold some with more digits than a float64 can tell apart."""
    wide = {i: EXACT / 10 ** int(w[1] or 0) for i, (_, one) in enumerate(types) if (w := _WIDE.fullmatch(one))}
    found = _aggregates(connection, "fetched", [f"max(abs(CAST(c{i} AS DOUBLE))) > {m!r}" for i, m in wide.items()])
    return {i: bool(is_large) for i, is_large in zip(wide, found, strict=True)}


def _texts(types: Sequence[tuple[str, str]]) -> list[int]:
    return [i for i, (_, sql_type) in enumerate(types) if _TEXTS.fullmatch(sql_type)]


def _coded(connection: duckdb.DuckDBPyConnection, texts: Sequence[int]) -> dict[int, tuple[list[str], str]]:
    """The columns of repeated texts, by position: the different texts, and the SQL for their numbers.

    One `str` for each text instead of one for each cell takes a fraction of the time and the memory.
    """
    if not texts:
        return {}
    different = _aggregates(connection, "fetched", [f"approx_count_distinct(c{i})" for i in texts])
    coded = {}
    for i in (i for i, count in zip(texts, different, strict=True) if 0 < count <= _SAMPLE):
        distinct = f"SELECT DISTINCT c{i} FROM fetched WHERE c{i} IS NOT NULL"
        connection.execute(f"DROP TYPE IF EXISTS text{i}")
        connection.execute(f"CREATE TYPE text{i} AS ENUM ({distinct})")
        names = connection.execute(f"SELECT unnest(enum_range(NULL::text{i}))").fetchall()
        coded[i] = [name for (name,) in names], f"enum_code(CAST(c{i} AS text{i}))"
    return coded


def _column(values: Any, sql_type: str, decimal_comma: bool) -> Column:
    """The column that DuckDB holds, or that its text means."""
    plain = plain_kind(sql_type)
    if plain is not None:
        return Column(plain, _values(values, plain), origin="text")
    if _TEXTS.fullmatch(sql_type) or _CATEGORIES.fullmatch(sql_type):
        texts = _text_cells(values).tolist()
        return text_column(texts, decimal_comma) if _TEXTS.fullmatch(sql_type) else bare_column(texts, "category")
    kind: Kind = "boolean" if sql_type == "BOOLEAN" else "date" if _DATES.fullmatch(sql_type) else "number"
    if _INTEGERS.fullmatch(sql_type):
        kind = "integer"
    return Column(kind, _values(values, kind), notation=TIMES if _TIMES.fullmatch(sql_type) else "")


def _text_cells(values: Any) -> Array:
    """The text that `fetchnumpy` returns: `str`, and None for a missing cell."""
    cells: Array = np.ma.getdata(values).astype(object)
    cells[np.ma.getmaskarray(values)] = None
    return cells


def _values(values: Any, kind: Kind) -> Array:
    """The cells that `fetchnumpy` returns, in the form that `Column` holds."""
    dtype, missing = ("datetime64[us]", np.datetime64("NaT", "us")) if kind == "date" else ("float64", np.nan)
    cells = np.asarray(np.ma.getdata(values), dtype=dtype)
    if np.ma.is_masked(values):
        cells[np.ma.getmaskarray(values)] = missing
    return cells
