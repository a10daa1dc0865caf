"""Files, read and written by DuckDB."""

from __future__ import annotations

import difflib
import glob
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from thalweg.data.cells import Array, Column
from thalweg.data.database import connect, duckdb_error, fetch, literal, literals, one_line, quoted
from thalweg.data.formats import arrow_files, workbooks
from thalweg.data.formats.encodings import codec, decoded, not_utf8
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.support.untrusted import allowed, readable, unpacked

if TYPE_CHECKING:
    import duckdb

LONGEST_LINE = 2_000_000  # DuckDB's own limit
READABLE = (
    ".csv, .tsv, .txt, .json, .jsonl, .ndjson (these also with .gz), .parquet, .xlsx, .xls, .arrow, .feather or .ipc"
)
_TEXT_ENDINGS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv"}
_ENDINGS = {
    **_TEXT_ENDINGS,
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    **dict.fromkeys(workbooks.ENDINGS, "workbook"),
    **dict.fromkeys(arrow_files.ENDINGS, "arrow"),
}
TEXTS = ("csv", "json")
"""The kinds of files that are text, and may be in another encoding than UTF-8."""
_JSON_TEXT = re.compile(r"^(DATE|TIME|TIMESTAMP)( WITH TIME ZONE|_NS)?$|^UUID$")
_QUERY = re.compile(r"\s*(select|from|with)\b", re.IGNORECASE)


def is_query(text: str) -> bool:
    """Whether `text` is SQL: it starts with SELECT, FROM or WITH and no file has that name."""
    return _QUERY.match(text) is not None and not _exists(text)


def read_files(path: str | Path, encoding: str | None = None, text: Collection[str] = ()) -> dict[str, Column]:
    """The columns of a file, or of all files that a glob matches, in the order of their names.

    Columns of several files are matched by name; a column that a file lacks is missing in its rows. `encoding`: of text
    that isn't UTF-8. `text`: columns whose text is kept.
    """
    files = named_files(path)
    what = str(path) if len(files) > 1 else str(files[0])
    if encoding is None or codec(encoding) == "utf-8":
        return _read(files, what, text)
    if file_kind(files[0]) not in TEXTS:
        raise ArgumentError(f"encoding={encoding!r} is for text files such as .csv; {files[0].name} says its own")
    with decoded(files, encoding) as copies:
        return _read(copies, what, text)


def _read(files: Sequence[Path], what: str, text: Collection[str]) -> dict[str, Column]:
    """The columns of files of one kind, in UTF-8."""
    kind = file_kind(files[0])
    with connect(limit := allowed(*files)) as connection:
        if kind == "parquet":
            return fetch(connection, f"FROM read_parquet({_listed(files)})", what, limit, text=text)
        try:
            if kind == "json":
                return fetch(connection, _json_source(connection, files, what), what, limit, text=text)
            return fetch(connection, csv_source(files), what, limit, commas_are_decimal(files), text)
        except DataError as error:
            raise (csv_failure(connection, files, error) if kind == "csv" else text_failure(files, error)) from None


def csv_source(files: Sequence[Path]) -> str:
    """The SQL that reads CSV files, all cells as text: `thalweg.data.reading` interprets them."""
    return f"FROM read_csv({_listed(files)}, all_varchar=true, {_dialect(files[0])})"


def commas_are_decimal(files: Sequence[Path]) -> bool:
    """Whether semicolons separate the cells: then the comma is the decimal point, as in many languages."""
    return _delimiter(files[0]) == ";"


def _json_source(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], what: str) -> str:
    """The SQL that reads JSON files, with text left as it is even if DuckDB would make dates and times of it."""
    source = f"FROM read_json({_listed(files)}, sample_size=-1"
    try:
        types = [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {source})").fetchall()]
    except duckdb_error() as error:
        raise DataError(f"can't read {what}: {one_line(error)}") from None
    kept = ", ".join(f"{literal(name)}: {literal(_JSON_TEXT.sub('VARCHAR', sql_type))}" for name, sql_type in types)
    return f"{source}, columns={{{kept}}})"


def _listed(files: Sequence[Path]) -> str:
    """The files as DuckDB's readers take them. A single file in a folder named seed=1 must not gain a column "seed";
    with several files, such folders are columns."""
    common = "union_by_name=true" if len(files) > 1 else "hive_partitioning=false"
    return f"{literals([glob.escape(str(file)) for file in files])}, {common}"


WRITABLE = {
    ".csv": "FORMAT csv, HEADER true",
    ".tsv": "FORMAT csv, HEADER true, DELIMITER '\t'",
    ".parquet": "FORMAT parquet",
    ".json": "FORMAT json, ARRAY true",
    ".jsonl": "FORMAT json",
    ".ndjson": "FORMAT json",
}


def writable(path: str | Path) -> Path:
    """The path, if a table can be written there: a known ending, an existing folder, nothing to overwrite."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in WRITABLE:
        raise ArgumentError(f"can't write {path.name}: the name must end in {', '.join(WRITABLE)}")
    if path.exists():
        raise ArgumentError(f"{path} exists already; give another name, or remove it first")
    if not path.parent.is_dir():
        raise NotFoundError(f"can't write {path}: there is no folder {path.parent}")
    return path


def write_file(path: str | Path, columns: Mapping[str, Array]) -> None:
    """Writes columns as .csv, .tsv, .parquet, .json (an array) or .jsonl (a line per row); see `write_table`."""
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
        parts.append(f"CAST(unnest(from_json(${position}, '[\"VARCHAR\"]')) AS {sql_type}) AS {quoted(name)}")
        cells.append(json.dumps(text))
    partial = path.with_name(path.name + ".part")
    with connect(allowed()) as connection:
        failure = duckdb_error()
        try:
            connection.execute(f"CREATE TEMP TABLE written AS SELECT {', '.join(parts)}", cells)
            connection.execute(f"COPY written TO {literal(str(partial))} ({WRITABLE[path.suffix.lower()]})")
            partial.rename(path)
        except (failure, OSError) as error:
            raise DataError(f"can't write {path}: {one_line(error)}") from None
        finally:
            partial.unlink(missing_ok=True)  # if it wasn't renamed


def nearest(name: str, names: Sequence[str], cutoff: float = 0.6) -> str:
    """ " (did you mean …?)" for the names closest to a mistyped one, or nothing.

    >>> nearest("wieght", ["height", "weight", "age"])
    ' (did you mean weight or height?)'
    """
    folded = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=cutoff)
    return f" (did you mean {' or '.join(folded[match] for match in close)}?)" if close else ""


def _dialect(file: Path) -> str:
    """read_csv's dialect. The delimiter is the header's: DuckDB's own guess turns a file with one ragged row into a
    single column, drops rows before the "real" header and takes rows that start with # for comments."""
    return f"delim={literal(_delimiter(file))}, header=true, skip=0, quote='\"', escape='\"', comment=''"


def _delimiter(file: Path) -> str:
    header = _header(file)
    return "\t" if _ending(file) in (".tsv", ".tab") else max(",;\t|", key=re.sub('"[^"]*"', "", header).count)


def _header(file: Path) -> str:
    """The first line that isn't blank."""
    with readable(DataError, f"can't read {file}"), unpacked(file) as stream:
        head = stream.read(LONGEST_LINE + 1)
    lines = re.split(r"\r\n|\r|\n", head.decode("utf-8-sig", errors="replace"))
    found = next((number for number, line in enumerate(lines) if line.strip()), None)
    if len(head) > LONGEST_LINE and found in (None, len(lines) - 1):  # it may continue
        raise DataError(f"can't read {file}: its header doesn't end within {LONGEST_LINE:,} bytes")
    if found is None:
        raise DataError(f"{file} is empty: it holds no header and no rows")
    return lines[found]


def text_failure(files: Sequence[Path], error: DataError) -> DataError:
    """An error that says in which encoding a file seems to be, if that isn't UTF-8; or the error as it is."""
    for file in files:
        problem = not_utf8(file)
        if problem is not None:
            return DataError(f"can't read {file}: {problem}")
    return error


def csv_failure(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], error: DataError) -> DataError:
    """An error with the file and line whose number of cells differs from the header's, which DuckDB's detection doesn't
    name; or the error as it is."""
    found_before = text_failure(files, error)
    if found_before is not error:
        return found_before
    failure = duckdb_error()
    for file in files:
        names = re.sub('"[^"]*"', "", _header(file)).split(_delimiter(file))
        columns = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names))) + "}"
        options = f"{_dialect(files[0])}, auto_detect=false, columns={columns}"
        try:
            connection.execute(f"SELECT count(COLUMNS(*)) FROM read_csv({_listed([file])}, {options})").fetchall()
        except failure as found:
            return DataError(f"can't read {file}: {one_line(found)}")
    return error


def named_files(path: str | Path) -> list[Path]:
    """The file of that name, or all files that the glob matches, of one kind and none of them empty."""
    files = _files(path)
    kind = file_kind(files[0])
    other = next((file for file in files if file_kind(file) != kind), None)
    if other is not None:
        raise DataError(f"{path} matches files of different kinds: {files[0].name} and {other.name}")
    empty = next((file for file in files if file.stat().st_size == 0), None)
    if empty is not None:
        raise DataError(f"{empty} is empty: it holds no header and no rows")
    return files


def _files(path: str | Path) -> list[Path]:
    text = str(Path(path).expanduser())
    if Path(text).is_dir():
        inside = next((file for file in sorted(Path(text).rglob("*")) if file.is_file() and is_table_file(file)), None)
        deep = inside is not None and inside.parent != Path(text)
        pattern = f"{'**/' * deep}*{inside.suffix if inside else '.parquet'}"
        raise DataError(f"{path} is a folder; name a file in it, or several with a glob such as {Path(path, pattern)}")
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
    except (OSError, ValueError, RuntimeError):  # a query is too long for a name, or has characters that a path can't
        return False


def _nearest_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f": there is no folder {folder}"
    files = sorted(file.name for file in folder.iterdir() if file.is_file())
    return nearest(path.name, files, cutoff=0.7)  # the ending alone makes two names alike


def is_table_file(file: Path) -> bool:
    """Whether the name has a table's ending."""
    return _ending(file) in _ENDINGS


def _ending(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    return Path(name).suffix


def file_kind(file: Path) -> str:
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
    if kind == "f":  # a float32 is written with its own shortest digits: 0.1, not 0.10000000149011612
        sql_type = "FLOAT" if values.dtype.itemsize <= 4 else "DOUBLE"
        digits = values.astype(np.str_).tolist()
        return sql_type, [None if lost else text for text, lost in zip(digits, np.isnan(values).tolist(), strict=True)]
    if kind == "M":
        moments = np.datetime_as_string(values.astype("datetime64[us]")).tolist()
        return "TIMESTAMP", [None if moment == "NaT" else moment for moment in moments]
    if kind in "UO":
        return "VARCHAR", [None if cell is None or cell != cell else str(cell) for cell in values.tolist()]
    raise DataError(f"can't write the column {name!r}: its values are of type {values.dtype}")
