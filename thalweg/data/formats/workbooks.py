"""Excel's workbooks, read by fastexcel (calamine): one sheet becomes a Polars or Arrow frame."""

from __future__ import annotations

import re
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.errors import DataError
from thalweg.support.extras import need
from thalweg.support.naming import choose
from thalweg.support.untrusted import CHUNK, allowed, readable, reason, too_large

ENDINGS = (".xlsx", ".xlsm", ".xls")
CELL_BYTES = 32  # of a cell while the sheet is read; calamine holds all of a rectangle, also the empty ones
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Z]{1,3})([0-9]{1,7})["']""")
_OVERLAP = 64  # bytes that a cell's address may take


def read_sheet(path: Path, sheet: str | int | None = None) -> Any:
    """A sheet's frame: the first, or that of this name or number (from 1, also as text). Its first row is the header.

    Raises:
        DataError: the file is damaged, or larger than is allowed, or has no such sheet.
        MissingPackageError: fastexcel isn't installed, or neither Polars nor pyarrow is.
    """
    need("fastexcel", "excel", f"reading {path.suffix} files")
    if find_spec("pyarrow") is None:
        need("polars", "excel", f"reading {path.suffix} files")
    if path.suffix.lower() != ".xls":
        _check_size(path)
    try:
        return _load(path, sheet)
    except BaseException as error:  # a panic in Rust is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise DataError(f"can't read {path}: it is damaged ({reason(error)})") from None


def _load(path: Path, sheet: str | int | None) -> Any:
    import fastexcel

    with readable(DataError, f"can't read {path}: it is no workbook, or is damaged"):
        book = fastexcel.read_excel(path)
        names = list(book.sheet_names)
        if not names:
            raise DataError(f"{path} has no sheets")
        if isinstance(sheet, str) and sheet not in names and sheet.isdecimal():
            sheet = int(sheet)
        if isinstance(sheet, int) and not 1 <= sheet <= len(names):
            raise DataError(f"{path} has {len(names)} sheets, numbered from 1; there is no sheet {sheet}")
        name = names[sheet - 1] if isinstance(sheet, int) else choose("sheet", sheet or names[0], names)
        loaded = book.load_sheet(name, schema_sample_rows=None)
        return loaded.to_polars() if find_spec("polars") is not None else loaded.to_arrow()


def _check_size(path: Path) -> None:
    """Raises for a workbook that unpacks to more than is allowed, or whose cells lie so far apart that the rectangle
    around them would be."""
    limit = left = allowed(path)
    with readable(DataError, f"can't read {path}: it is no workbook, or is damaged"), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            sheet = member.filename.startswith("xl/worksheets/")
            columns, rows, end = 1, 1, b""
            with archive.open(member) as stream:
                while chunk := stream.read(CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise too_large(f"{path}, unpacked,", limit)
                    if sheet:
                        found = set(_PLACE.findall(end + chunk))
                        columns = max([columns, *(_number(letters) for letters in {letters for letters, _ in found})])
                        rows = max([rows, *(int(digits) for _, digits in found)])
                        end = chunk[-_OVERLAP:]
            if columns * rows * CELL_BYTES > limit:
                raise too_large(
                    f"{path}, a sheet of {rows:,} rows and {columns:,} columns,", limit, columns * rows * CELL_BYTES
                )


def _number(letters: bytes) -> int:
    """The number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
