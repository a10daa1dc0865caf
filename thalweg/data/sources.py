"""Files and SQL queries, read by DuckDB, and written by it. DuckDB is imported when the first one is read."""

from __future__ import annotations

import difflib
import glob
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from thalweg.data.cells import MISSING_MARKERS, Array, Column, numbers_if_all, text_column
from thalweg.errors import ArgumentError, DataError, NotFoundError

if TYPE_CHECKING:
    import duckdb

READABLE = ".csv, .tsv, .txt, .parquet, .json, .jsonl or .ndjson (the text ones also with .gz)"
_TEXT_ENDINGS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv"}
_ENDINGS = {
    **_TEXT_ENDINGS,
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_QUERY = re.compile(r"\s*(select|from|with)\b", re.IGNORECASE)
_CSV_CAUSE = re.compile(r"Expected Number|Error when|Invalid |Value with|Could not|Maximum line")
_INTEGERS = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|BIGNUM|VARINT|DECIMAL\(\d+,0\)")
_NUMBERS = re.compile(r"FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")
_TEXTS = re.compile(r"VARCHAR|UUID|ENUM\(.*\)", re.DOTALL)
_DATES = re.compile(r"DATE|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?")
_TIMES = re.compile(r"TIME|TIME WITH TIME ZONE|TIME_NS|INTERVAL")


def is_query(text: str) -> bool:
    """Whether `text` is SQL: it starts with SELECT, FROM or WITH and no file has that name."""
    return _QUERY.match(text) is not None and not _exists(text)


def read_query(query: str) -> dict[str, Column]:
    """The columns of a SQL query's result, in its order of rows. Python variables are out of the query's reach."""
    with _connect() as connection:
        return _fetch(connection, f"({query.strip().rstrip(';')}\n)", "the query")


def read_files(path: str | Path) -> dict[str, Column]:
    """The columns of a file, or of all files that a glob matches, in the order of their names.

    Columns of several files are matched by name; one that a file lacks is missing there.
    """
    files = _files(path)
    kind = _file_kind(files[0])
    other = next((file for file in files if _file_kind(file) != kind), None)
    if other is not None:
        raise DataError(f"{path} matches files of different kinds: {files[0].name} and {other.name}")
    empty = next((file for file in files if file.stat().st_size == 0), None)
    if empty is not None:
        raise DataError(f"{empty} is empty: it holds no header and no rows")
    what = str(path) if len(files) > 1 else str(files[0])
    listed = "[" + ", ".join(_literal(glob.escape(str(file))) for file in files) + "]"
    # A single file in a folder named seed=1 must not gain a column "seed"; for many, such folders are columns.
    common = ", union_by_name=true" if len(files) > 1 else ", hive_partitioning=false"
    with _connect() as connection:
        if kind == "parquet":
            return _fetch(connection, f"FROM read_parquet({listed}{common})", what)
        if kind == "json":
            return _fetch(connection, f"FROM read_json({listed}, sample_size=-1{common})", what)
        options = _csv_options(files[0])
        try:
            columns = _fetch(
                connection, f"FROM read_csv({listed}, sample_size=-1, {options}{common})", what, strip=True
            )
        except DataError as error:
            raise _ragged(connection, files, options) or error from None
        comma = options.startswith("delim=';'")  # where it doesn't divide cells, it is many languages' decimal point
        return {name: numbers_if_all(column, comma) for name, column in columns.items()}


WRITABLE = {
    ".csv": "FORMAT csv, HEADER true",
    ".tsv": "FORMAT csv, HEADER true, DELIMITER '\t'",
    ".parquet": "FORMAT parquet",
    ".json": "FORMAT json, ARRAY true",
    ".jsonl": "FORMAT json",
    ".ndjson": "FORMAT json",
}


def writable(path: str | Path) -> Path:
    """The path, if a table can be written there: a known ending, a folder that is there, nothing to overwrite."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in WRITABLE:
        raise ArgumentError(f"can't write {path.name}: the name must end in {', '.join(WRITABLE)}")
    if path.exists():
        raise ArgumentError(f"{path} exists already; give another name, or remove it first")
    if not path.parent.is_dir():
        raise NotFoundError(f"can't write {path}: there is no folder {path.parent}")
    return path


def write_file(path: str | Path, columns: Mapping[str, Array]) -> None:
    """Write columns as .csv, .tsv, .parquet, .json (an array) or .jsonl (a line a row); see `write_table`."""
    path = writable(path)
    if not columns:
        raise DataError(f"can't write {path}: there are no columns")
    if len({len(values) for values in columns.values()}) > 1:
        sizes = ", ".join(f"{name}: {len(values)}" for name, values in columns.items())
        raise DataError(f"can't write {path}: the columns differ in length ({sizes})")
    # Cells travel as JSON text and are cast to their type by DuckDB. Its own scan of NumPy arrays needs pandas for text
    # in older versions, and binding Python lists is a hundred times slower there.
    parts, cells = [], []
    for position, (name, values) in enumerate(columns.items(), start=1):
        sql_type, text = _as_text_cells(name, np.asarray(values))
        parts.append(f"CAST(unnest(from_json(${position}, '[\"VARCHAR\"]')) AS {sql_type}) AS {_quoted(name)}")
        cells.append(json.dumps(text))
    partial = path.with_name(path.name + ".part")
    with _connect() as connection:
        duckdb_error = _duckdb_error()
        try:
            connection.execute(f"CREATE TEMP TABLE written AS SELECT {', '.join(parts)}", cells)
            connection.execute(f"COPY written TO {_literal(str(partial))} ({WRITABLE[path.suffix.lower()]})")
            partial.rename(path)
        except (duckdb_error, OSError) as error:
            partial.unlink(missing_ok=True)
            raise DataError(f"can't write {path}: {one_line(error)}") from None


def nearest(name: str, names: Sequence[str], cutoff: float = 0.6) -> str:
    """ " (did you mean …?)" for the names closest to a mistyped one, or nothing.

    >>> nearest("wieght", ["height", "weight", "age"])
    ' (did you mean weight or height?)'
    """
    folded = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=cutoff)
    return f" (did you mean {' or '.join(folded[match] for match in close)}?)" if close else ""


def one_line(error: Exception) -> str:
    """The message of a DuckDB error as one line: its class, the SQL and the list of settings say nothing to a user."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"^([A-Z][A-Za-z ]+ Error: )+", "", lines[0]) if lines else type(error).__name__
    found = re.match(r"CSV Error on Line: (\d+)", text)
    if found:
        # the original line, which may be many when a quote is left open, stands between the heading and the cause
        cause = next((line for line in lines[1:] if _CSV_CAUSE.match(line)), "the row is malformed")
        if "unicode" in cause:
            cause = "the text is not UTF-8; save the file in that encoding"
        cells = re.match(r"Expected Number of Columns: (\d+) Found: (\d+)", cause)
        if cells:
            cause = f"{cells[2]} cells, and the header has {cells[1]}"
        return f"line {found[1]}: {cause.rstrip('.')}"
    candidates = next((line for line in lines[1:] if line.startswith("Candidate bindings")), "")
    return text.rstrip(".! ") + (f" ({candidates[0].lower()}{candidates[1:]})" if candidates else "")


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET python_enable_replacements = false")  # FROM x must not find a variable of this package
    return connection


def _duckdb_error() -> type[Exception]:
    import duckdb

    return duckdb.Error


def _fetch(connection: duckdb.DuckDBPyConnection, source: str, what: str, strip: bool = False) -> dict[str, Column]:
    """Run `source` once into a temporary table, look at the types, and fetch each column in the form of its kind."""
    duckdb_error = _duckdb_error()
    try:
        connection.execute(f"CREATE TEMP TABLE fetched AS {source}")
        types = {row[0]: row[1] for row in connection.execute("DESCRIBE fetched").fetchall()}
        readable = [(name, _expression(name, sql_type)) for name, sql_type in types.items()]
        wanted = ", ".join(f"{sql} AS c{i}" for i, (_, sql) in enumerate(readable) if sql)
        rows = connection.execute("SELECT count(*) FROM fetched").fetchall()[0][0]
        found = connection.execute(f"SELECT {wanted} FROM fetched").fetchnumpy() if wanted else {}
    except duckdb_error as error:
        raise DataError(f"can't read {what}: {one_line(error)}{_nearest_in_message(error)}") from None
    columns = {}
    for i, (name, sql) in enumerate(readable):
        columns[name] = _column(found[f"c{i}"], types[name], strip) if sql else _unreadable(types[name], rows)
    return columns


def _expression(name: str, sql_type: str) -> str | None:
    """The SQL that turns a column into something `fetchnumpy` gives without loss; None where nothing does."""
    column = _quoted(name)
    if _INTEGERS.fullmatch(sql_type) or _NUMBERS.fullmatch(sql_type) or sql_type == "BOOLEAN":
        return f"CAST({column} AS DOUBLE)"
    if _TEXTS.fullmatch(sql_type):
        return f"CAST({column} AS VARCHAR)"
    if sql_type == "JSON":  # what read_json gives for a key that holds numbers here and text there
        return f"({column} ->> '$')"
    if _DATES.fullmatch(sql_type):  # an infinite date is no date; DuckDB hands a time zone's moments over in UTC
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    if _TIMES.fullmatch(sql_type):
        return f"CAST(epoch({column}) AS DOUBLE)"
    return None


def _column(values: Array, sql_type: str, strip: bool) -> Column:
    missing = np.ma.getmaskarray(values)
    plain = np.asarray(np.ma.getdata(values))
    if _TEXTS.fullmatch(sql_type) or sql_type == "JSON":
        cells = plain.astype(object)
        cells[missing] = None
        return text_column(cells.tolist(), strip)
    if _DATES.fullmatch(sql_type):
        moments = plain.astype("datetime64[us]")
        moments[missing] = np.datetime64("NaT", "us")
        return Column("date", moments)
    numbers = plain.astype(np.float64)
    numbers[missing] = np.nan
    if sql_type == "BOOLEAN":
        return Column("boolean", numbers)
    return Column("integer" if _INTEGERS.fullmatch(sql_type) else "number", numbers)


def _unreadable(sql_type: str, rows: int) -> Column:
    holds = "LIST" if sql_type.endswith("]") else re.split(r"[(\s]", sql_type)[0]
    return Column("other", np.full(rows, None, dtype=object), holds)


def _csv_options(file: Path) -> str:
    """read_csv's dialect. The delimiter is the header's: DuckDB's own guess turns a file with one ragged row into a
    single column, drops rows before the "real" header and takes rows that start with # for comments."""
    header = _header(file)
    delimiter = "\t" if _ending(file) in (".tsv", ".tab") else max(",;\t|", key=re.sub('"[^"]*"', "", header).count)
    markers = "[" + ", ".join(_literal(marker) for marker in MISSING_MARKERS) + "]"
    return f"delim={_literal(delimiter)}, header=true, skip=0, quote='\"', escape='\"', comment='', nullstr={markers}"


def _header(file: Path) -> str:
    """The first line with anything on it."""
    opener = gzip.open if file.name.lower().endswith(".gz") else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
            header = next((line for line in lines if line.strip()), None)
    except (OSError, EOFError) as error:
        raise DataError(f"can't read {file}: {error}") from None
    if header is None:
        raise DataError(f"{file} is empty: it holds no header and no rows")
    return header.rstrip("\r\n")


def _ragged(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], options: str) -> DataError | None:
    """The file and line whose number of cells differs from the header's, for which DuckDB's detection has no line."""
    duckdb_error = _duckdb_error()
    for file in files:
        delimiter = options.partition("delim='")[2][0]
        names = re.sub('"[^"]*"', "", _header(file)).split(delimiter)
        columns = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names))) + "}"
        path = _literal(glob.escape(str(file)))
        try:
            connection.execute(
                f"SELECT count(COLUMNS(*)) FROM read_csv({path}, {options}, auto_detect=false, columns={columns})"
            ).fetchall()
        except duckdb_error as error:
            return DataError(f"can't read {file}: {one_line(error)}")
    return None


def _files(path: str | Path) -> list[Path]:
    text = str(Path(path).expanduser())
    if Path(text).is_dir():
        raise DataError(
            f"{path} is a folder; name a file in it, or several with a glob such as {Path(path, '*.parquet')}"
        )
    if _exists(text):
        return [Path(text)]
    if glob.has_magic(text):
        files = sorted(file for file in map(Path, glob.glob(text, recursive=True)) if file.is_file())
        if not files:
            raise NotFoundError(f"no file matches {path}")
        return files
    raise NotFoundError(f"there is no file {path}{_nearest_file(Path(text))}")


def _exists(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # a query is too long for a name, or holds what a path can't
        return False


def _nearest_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f": there is no folder {folder}"
    files = sorted(file.name for file in folder.iterdir() if file.is_file())
    return nearest(path.name, files, cutoff=0.7)  # the ending alone makes two names alike


def _nearest_in_message(error: Exception) -> str:
    """For a query that names a file which is not there: the nearest one that is."""
    found = re.search(r'No files found that match the pattern "([^"]*)"', str(error))
    return _nearest_file(Path(found[1])) if found and not glob.has_magic(found[1]) else ""


def is_table_file(file: Path) -> bool:
    """Whether the name ends as a table's does."""
    return _ending(file) in _ENDINGS


def _ending(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _file_kind(file: Path) -> str:
    kind = _ENDINGS.get(_ending(file))
    if kind is None or (kind == "parquet" and file.name.lower().endswith(".gz")):
        raise DataError(f"can't tell what {file} is: the name must end in {READABLE}")
    return kind


def _as_text_cells(name: str, values: Array) -> tuple[str, list[str | None]]:
    """A column as a DuckDB type and cells of text that it casts from; missing cells are None."""
    kind = values.dtype.kind
    if values.ndim != 1:
        raise DataError(f"can't write the column {name!r}: it has shape {values.shape}, and a column has one axis")
    if kind in "biu":
        sql_type = {"b": "BOOLEAN", "i": "BIGINT", "u": "UBIGINT"}[kind]
        return sql_type, list(map(str, values.tolist()))
    if kind == "f":  # a float32 is written with its own shortest digits: 0.1 and not 0.10000000149011612
        sql_type = "FLOAT" if values.dtype.itemsize <= 4 else "DOUBLE"
        digits = values.astype(np.str_).tolist()
        return sql_type, [None if lost else text for text, lost in zip(digits, np.isnan(values).tolist(), strict=True)]
    if kind == "M":
        moments = np.datetime_as_string(values.astype("datetime64[us]")).tolist()
        return "TIMESTAMP", [None if moment == "NaT" else moment for moment in moments]
    if kind in "UO":
        return "VARCHAR", [None if cell is None or cell != cell else str(cell) for cell in values.tolist()]
    raise DataError(f"can't write the column {name!r}: its values are of type {values.dtype}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
