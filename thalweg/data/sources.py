"""Files, read and written by DuckDB."""

from __future__ import annotations

import difflib
import glob
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from thalweg.data.cells import EXACT, Array, Column, objects
from thalweg.data.database import connect, duckdb_error, fetch, file_problem, literal, literals, one_line, quoted
from thalweg.data.formats import arrow_files, workbooks
from thalweg.data.formats.encodings import codec, decoded, not_utf8
from thalweg.data.formats.line_ends import ends_vary, one_line_end
from thalweg.data.verbatim import Verbatim
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.support.files import writing
from thalweg.support.untrusted import allowed, readable, unpacked

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

LONGEST_LINE = 2_000_000  # DuckDB's own limit
READABLE = (
    ".csv, .tsv, .txt, .json, .jsonl, .ndjson (these also with .gz), .parquet, .xlsx, .xls, .arrow, .feather or .ipc"
)
_TEXT_ENDINGS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv"}
_ENDINGS = {
    **_TEXT_ENDINGS, ".parquet": "parquet", ".pq": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json",
    **dict.fromkeys(workbooks.ENDINGS, "workbook"), **dict.fromkeys(arrow_files.ENDINGS, "arrow"),
}  # fmt: skip
QUOTE = '"'
"""What cells of CSV files are quoted with, unless something else is given."""
TEXTS = ("csv", "json")
"""The kinds of files that are text, and may be in another encoding than UTF-8."""
_JSON_TEXT = re.compile(r"^(DATE|TIME|TIMESTAMP)( WITH TIME ZONE|_NS)?$|^UUID$")
_UNCLEAR = re.compile("Error when sniffing|state machine")
_QUERY = re.compile(r"\s*(select|from|with)\b", re.IGNORECASE)


def is_query(text: str) -> bool:
    """Whether `text` is SQL: it starts with SELECT, FROM or WITH and no file has that name."""
    return _QUERY.match(text) is not None and not _exists(text)


def read_files(
    path: str | Path,
    encoding: str | None = None,
    quote: str = QUOTE,
    verbatim: Collection[str] = (),
    text: Collection[str] = (),
) -> dict[str, Column]:
    """The columns of a file, or of all files that a glob matches, in the order of their names.

    Columns of several files are matched by name; a column that a file lacks is missing in its rows. `encoding`: of text
    that isn't UTF-8. `quote`, `verbatim`, `text`: as in `read_table`.
    """
    files = named_files(path)
    what = str(path) if len(files) > 1 else str(files[0])
    if encoding is None or codec(encoding) == "utf-8":
        return _read(files, what, quote, verbatim, text)
    with decoded(files, encoding) as copies:
        return _read(copies, what, quote, verbatim, text)


def _read(
    files: Sequence[Path], what: str, quote: str, verbatim: Collection[str], text: Collection[str]
) -> dict[str, Column]:
    """The columns of files of one kind, in UTF-8."""
    kind = file_kind(files[0])
    if kind == "csv":
        return _read_csv(files, what, quote, verbatim, text)
    with connect(limit := allowed(*files)) as connection:
        try:
            source = typed_source(connection, kind, files, what, verbatim)
            return fetch(connection, source, what, limit, verbatim=verbatim, text=text)
        except DataError as error:
            raise (_text_failure(files, error) if kind == "json" else error) from None


def typed_source(
    connection: duckdb.DuckDBPyConnection, kind: str, files: Sequence[Path], what: str, verbatim: Collection[str]
) -> str:
    """The SQL that reads Parquet or JSON files, whose cells have types."""
    if kind == "parquet":
        return f"FROM read_parquet({_listed(files)})"
    return _json_source(connection, files, what, verbatim)


def _read_csv(
    files: Sequence[Path], what: str, quote: str, verbatim: Collection[str], text: Collection[str]
) -> dict[str, Column]:
    """The columns of CSV files."""
    comma = decimal_comma(files[0], quote)

    def read(files: Sequence[Path]) -> dict[str, Column]:
        with connect(limit := allowed(*files)) as connection:
            return fetch(connection, csv_source(files, quote), what, limit, comma, verbatim, text, all_text=True)

    return from_csv(files, read, quote)


def from_csv(files: Sequence[Path], read: Callable[[Sequence[Path]], T], quote: str = QUOTE) -> T:
    """What `read` makes of CSV files; if their lines end in several ways, which DuckDB refuses, of copies.

    Raises:
        DataError: it can't read them; the message says what is wrong, where DuckDB's doesn't.
    """
    try:
        return read(files)
    except DataError as error:
        if not any(map(ends_vary, files)):
            raise _csv_failure(files, error, quote) from None
    with one_line_end(files, _delimiter(files[0], quote), quote) as copies:
        try:
            return read(copies)
        except DataError as error:
            raise _csv_failure(copies, error, quote) from None


def csv_source(files: Sequence[Path], quote: str = QUOTE) -> str:
    """The SQL that reads CSV files, all cells as text: `thalweg.data.reading` interprets them."""
    return f"FROM read_csv({_listed(files)}, all_varchar=true, {_dialect(files[0], quote)})"


def _json_source(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], what: str, verbatim: Collection[str]
) -> str:
    """The SQL that reads JSON files, with text left as it is even if DuckDB would make dates and times of it, and the
    numbers of verbatim columns, and those of which a DOUBLE would make fewer, even if they have more digits."""
    source = f"FROM read_json({_listed(files)}, sample_size=-1"

    def read_as(types: dict[str, str]) -> str:
        kept = ", ".join(f"{literal(name)}: {literal(sql_type)}" for name, sql_type in types.items())
        return f"{source}, columns={{{kept}}})"

    try:
        types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {source})").fetchall()}
        numbers = dict.fromkeys((name for name, sql_type in types.items() if sql_type == "DOUBLE"), "JSON")
        counted = [
            f"count(DISTINCT {cell}) FILTER ({large}) > count(DISTINCT {cell}::DOUBLE) FILTER ({large})"
            for cell in map(quoted, numbers)
            for large in [f"abs({cell}::DOUBLE) > {EXACT:.0f}"]
        ]
        merged = connection.execute(f"SELECT {', '.join(counted)} {read_as(numbers)}").fetchall()[0] if numbers else ()
    except duckdb_error() as error:
        raise DataError(f"can't read {what}: {one_line(error)}") from None
    as_text = {name for name, is_merged in zip(numbers, merged, strict=True) if is_merged or name in verbatim}
    return read_as({name: "JSON" if name in as_text else _JSON_TEXT.sub("VARCHAR", t) for name, t in types.items()})


def _listed(files: Sequence[Path]) -> str:
    """The files as DuckDB's readers take them. A single file in a folder named seed=1 must not gain a column "seed";
    with several files, such folders are columns."""
    common = "union_by_name=true" if len(files) > 1 else "hive_partitioning=false"
    return f"{literals([glob.escape(str(file)) for file in files])}, {common}"


WRITABLE = {
    ".csv": "FORMAT csv, HEADER true", ".tsv": "FORMAT csv, HEADER true, DELIMITER '\t'", ".parquet": "FORMAT parquet",
    ".json": "FORMAT json, ARRAY true", ".jsonl": "FORMAT json", ".ndjson": "FORMAT json",
}  # fmt: skip


_NOT_IN_PARQUET = re.compile("U?HUGEINT|BIGNUM|VARINT|TIME WITH TIME ZONE|INTERVAL")
"""Types that Parquet lacks, or that DuckDB rounds or moves there; they become text."""


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


def write_file(path: str | Path, columns: Mapping[str, Array | Verbatim]) -> None:
    """Writes columns as .csv, .tsv, .parquet, .json (an array) or .jsonl (a line per row); see `write_table`."""
    with file_of_rows(path) as append:
        append(columns)


@contextmanager
def file_of_rows(
    path: str | Path, folder: Path | None = None, memory: int | None = None
) -> Iterator[Callable[[Mapping[str, Array | Verbatim]], None]]:
    """What takes the rows of a file, some at a time, as `write_table` does; the file is there once all are.

    folder: where they are until then; without one, in memory. memory: bytes that DuckDB may take.
    """
    path, failure = writable(path), duckdb_error()
    ending, made = path.suffix.lower(), False

    def append(columns: Mapping[str, Array | Verbatim]) -> None:
        nonlocal made
        select, cells = _selected(path, columns)
        try:
            connection.execute(f"{'INSERT INTO written' if made else 'CREATE TABLE written AS'} {select}", cells)
        except failure as error:
            raise OSError(0, file_problem(error)) from None
        made = True

    file = None if folder is None else folder / "written.duckdb"
    with writing(path, DataError) as partial, connect(memory or allowed(), file) as connection:
        yield append
        try:
            how = f"{WRITABLE[ending]}, USE_TMP_FILE false"  # it has a temporary name already
            connection.execute(f"COPY written TO {literal(str(partial))} ({how})")
        except failure as error:
            raise OSError(0, file_problem(error)) from None


def _selected(path: Path, columns: Mapping[str, Array | Verbatim]) -> tuple[str, list[str]]:
    """The SELECT that makes these columns for a file, and its parameters.

    Cells travel as JSON text and are cast to their type by DuckDB. Its own scan of NumPy arrays needs pandas for text
    in older versions, and binding Python lists is a hundred times slower there.
    """
    if not columns:
        raise DataError(f"can't write {path}: there are no columns")
    if len({len(values) for values in columns.values()}) > 1:
        sizes = ", ".join(f"{name}: {len(values)}" for name, values in columns.items())
        raise DataError(f"can't write {path}: the columns differ in length ({sizes})")
    parts, cells = [], []
    for position, (name, values) in enumerate(columns.items(), start=1):
        typed = values if isinstance(values, Verbatim) else _typed(name, np.asarray(values))
        cell = _written(f"unnest(from_json(${position}, '[\"VARCHAR\"]'))", typed.sql_type, path.suffix.lower())
        parts.append(f"{cell} AS {quoted(name)}")
        cells.append(json.dumps(typed.texts.tolist()))
    return f"SELECT {', '.join(parts)}", cells


def _written(cell: str, sql_type: str, ending: str) -> str:
    """The SQL that makes a cell of its text: of its type, or of one that the format keeps without loss."""
    if ending == ".parquet" and _NOT_IN_PARQUET.fullmatch(sql_type):
        sql_type = "VARCHAR"
    if sql_type == "FLOAT" and WRITABLE[ending].startswith("FORMAT json"):  # its shortest digits, as in CSV
        sql_type = "DOUBLE"
    if sql_type == "JSON" and not WRITABLE[ending].startswith("FORMAT json"):
        return f"(CAST({cell} AS JSON) ->> '$')"
    return f"CAST({cell} AS {sql_type})"


def nearest(name: str, names: Sequence[str], cutoff: float = 0.6) -> str:
    """ " (did you mean …?)" for the names closest to a mistyped one, or nothing.

    >>> nearest("wieght", ["height", "weight", "age"])
    ' (did you mean weight or height?)'
    """
    folded = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=cutoff)
    return f" (did you mean {' or '.join(folded[match] for match in close)}?)" if close else ""


def _dialect(file: Path, quote: str) -> str:
    """read_csv's dialect. The delimiter is the header's: DuckDB's own guess turns a file with one ragged row into a
    single column, drops rows before the "real" header and takes rows that start with # for comments."""
    delimiter, mark = literal(_delimiter(file, quote)), literal(quote)
    return f"delim={delimiter}, header=true, skip=0, quote={mark}, escape={mark}, comment=''"


def decimal_comma(file: Path, quote: str) -> bool:
    """Whether the comma of a CSV file is decimal, as in many languages: if a semicolon delimits."""
    return _delimiter(file, quote) == ";"


def _delimiter(file: Path, quote: str) -> str:
    return "\t" if _ending(file) in (".tsv", ".tab") else max(",;\t|", key=_unquoted(_header(file), quote).count)


def _unquoted(line: str, quote: str) -> str:
    """A line without its quoted parts."""
    return re.sub(f"{quote}[^{quote}]*{quote}", "", line) if quote else line


def header_width(file: Path, quote: str = QUOTE) -> int:
    """How many columns the header of a CSV file names."""
    return len(_unquoted(_header(file), quote).split(_delimiter(file, quote)))


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


def _text_failure(files: Sequence[Path], error: DataError) -> DataError:
    """An error that says in which encoding a file seems to be, if that isn't UTF-8; or the error as it is."""
    for file in files:
        problem = not_utf8(file)
        if problem is not None:
            return DataError(f"can't read {file}: {problem}")
    return error


def _csv_failure(files: Sequence[Path], error: DataError, quote: str = QUOTE) -> DataError:
    """An error with the file and line whose number of cells differs from the header's, or whose quotes don't match,
    which DuckDB's detection doesn't name; or the error as it is."""
    found_before = _text_failure(files, error)
    if found_before is not error:
        return found_before
    failure = duckdb_error()
    instead = "; where quotes are part of the text, give quote=\"\" (--quote '')"
    with connect(allowed(*files)) as connection:
        for file in files:
            columns = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(header_width(file, quote))) + "}"
            options = f"{_dialect(files[0], quote)}, auto_detect=false, columns={columns}"
            try:
                connection.execute(f"SELECT count(COLUMNS(*)) FROM read_csv({_listed([file])}, {options})").fetchall()
            except failure as found:
                said = one_line(found)
                return DataError(f"can't read {file}: {said}{instead * ('quote' in said)}")
    if quote and _UNCLEAR.search(str(error)):
        return DataError(f"can't read {files[0]}: a quote is left open, or stands where none may stand{instead}")
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


def for_files_alone(held: str, encoding: str | None, sheet: str | int | None, quote: str) -> None:
    """Raises if something else than a file is given how to read it."""
    for name, given, usual in (("encoding", encoding, None), ("sheet", sheet, None), ("quote", quote, QUOTE)):
        if given != usual:
            raise ArgumentError(f"{name}={given!r} is for files; {held} has none")


def checked_kind(file: Path, encoding: str | None, sheet: str | int | None, quote: str) -> str:
    """The kind of a file, which has to have what is given of it."""
    kind = file_kind(file)
    if sheet is not None and kind != "workbook":
        raise ArgumentError(f"sheet={sheet!r} is for workbooks; {file.name} has no sheets")
    if encoding is not None and kind not in TEXTS:
        raise ArgumentError(f"encoding={encoding!r} is for text files such as .csv; {file.name} says its own")
    if quote != QUOTE and kind != "csv":
        raise ArgumentError(f"quote={quote!r} is for files such as .csv; {file.name} has no such quotes")
    if len(quote) > 1 or not quote.isascii() or quote in list(",;\t|\r\n"):
        raise ArgumentError(f'quote has to be one sign, such as \', or "" for none, got {quote!r}')
    return kind


def file_kind(file: Path) -> str:
    kind = _ENDINGS.get(_ending(file))
    if kind is None or (kind == "parquet" and file.name.lower().endswith(".gz")):
        raise DataError(f"can't tell what {file} is: the name must end in {READABLE}")
    return kind


def _typed(name: str, values: Array) -> Verbatim:
    """A column as a DuckDB type and cells of text that it casts from; missing cells are None."""
    kind = values.dtype.kind
    if values.ndim != 1:
        raise DataError(f"can't write the column {name!r}: it has shape {values.shape}, and a column has one axis")
    if kind in "biu":
        return Verbatim({"b": "BOOLEAN", "i": "BIGINT", "u": "UBIGINT"}[kind], values.astype(np.str_))
    if kind == "f":  # a float32 is written with its own shortest digits: 0.1, not 0.10000000149011612
        sql_type = "FLOAT" if values.dtype.itemsize <= 4 else "DOUBLE"
        digits = values.astype(np.str_).astype(object)
        digits[np.isnan(values)] = None
        return Verbatim(sql_type, digits)
    if kind == "M":
        moments = np.datetime_as_string(values.astype("datetime64[us]")).astype(object)
        moments[np.isnat(values)] = None
        return Verbatim("TIMESTAMP", moments)
    if kind in "UO":
        return Verbatim("VARCHAR", objects(None if cell is None or cell != cell else str(cell) for cell in values))
    raise DataError(f"can't write the column {name!r}: its values are of type {values.dtype}")
