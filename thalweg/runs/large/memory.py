"""The memory that a large table may take, and the least with which it can be learned from."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thalweg.data.database import confine
from thalweg.errors import ArgumentError
from thalweg.tabular.beside import BATCH

if TYPE_CHECKING:
    import duckdb

    from thalweg.data.stored_rows import StoredRows

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
BINARY = {"": 1, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
PROGRAM = 290_000_000
"""Bytes of Python, the libraries, and the compiled kernels."""
AT_FIRST = 180_000_000
"""Bytes of Python and the libraries that are loaded while rows are read."""
KERNELS = 20_000_000
"""Bytes of kernels and of what compiles them, which aren't there yet while rows are converted without a time limit."""
TABLES = 110_000_000
"""Bytes of the rows that columns are fitted on, of those to judge by, and of what is made of them."""
READER, MOST_READER = 80_000_000, 1_000_000_000
"""Bytes that DuckDB takes to read rows, at least and at most."""
LEAST_READER, A_CELL = 48_000_000, 0.01
"""Bytes that it needs to fetch rows from its file, and those of a cell that its directory of the file takes besides."""
IDLE = 16_000_000
"""Bytes that it may keep while nothing is read."""

APPLIED = 300_000_000
"""Bytes of the program while it predicts, with what DuckDB takes of rows and predictions on the disk."""
INPUT, OUTPUT = 12, 200
"""Bytes of an input and of an output of a row, while they are predicted and written."""
MOST_ROWS = 1 << 16
"""Rows that are predicted at a time, at most."""


def bytes_of(text: str | int) -> int:
    """A number of bytes as people write it.

    >>> bytes_of("500MB"), bytes_of("1.5 GiB"), bytes_of(1000)
    (500000000, 1610612736, 1000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(text).lower())
    if found is None:
        raise ArgumentError(f"memory is a number of bytes such as 500MB or 2GB, got {text!r}")
    unit = found[2] or ""
    return int(float(found[1]) * (UNITS | BINARY)[unit])


def reader(memory: int, windows: int, timed: bool = False) -> tuple[int, int]:
    """The bytes that DuckDB may take while it reads, and when columns are fitted and rows converted, of this limit.

    Args:
        windows: bytes of the rows that networks learn from at a time.
        timed: whether what follows is timed before rows are converted, for which kernels are compiled.

    Raises:
        ArgumentError: the limit is below the least, which it names.
    """
    least = PROGRAM + TABLES + max(READER, windows)
    if memory < least:
        raise too_little(memory, least)
    later = max(READER, memory - PROGRAM - TABLES - KERNELS * timed)
    return min(MOST_READER, memory - AT_FIRST), min(MOST_READER, later)


def fetcher(memory: int, rows: int, columns: int) -> int:
    """The bytes that DuckDB may take to fetch so many rows, of so many for all."""
    return max(min(memory, LEAST_READER), memory - int(rows * columns * A_CELL))


def reader_of_predictions(memory: int) -> int:
    """The bytes that DuckDB may take while it reads rows to predict, of this limit.

    Raises:
        ArgumentError: the limit is below the least, which it names.
    """
    if memory < APPLIED + READER:
        raise too_little(memory, APPLIED + READER)
    return min(MOST_READER, memory - APPLIED + READER)


def block_of(memory: int, rows: StoredRows, inputs: int, outputs: int, kept: int) -> int:
    """How many rows to predict at a time.

    Args:
        inputs, outputs: of a row. kept: bytes of each of the rows that are in memory throughout.

    Raises:
        ArgumentError: the limit is below the least, which it names.
    """
    each, throughout = rows.row_bytes + INPUT * inputs + OUTPUT * outputs, APPLIED + kept * rows.rows
    least = throughout + min(2 * BATCH, rows.rows) * each
    if memory < least:
        raise too_little(memory, least)
    return min(MOST_ROWS, (memory - throughout) // each - BATCH)  # the last block may have so many more


def too_little(memory: int, least: int) -> ArgumentError:
    """The error for a limit below the least."""
    return ArgumentError(
        f"memory={memory / 1e6:,.0f} MB is too little for this table: {-(-least // 10**6):,} MB is the least"
    )


def trim() -> None:
    """Gives the system what the allocator keeps of memory that is free: after the tables, some ten megabytes."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl doesn't
        if trim is not None:
            trim(0)


@contextmanager
def idle(connection: duckdb.DuckDBPyConnection, memory: int) -> Iterator[None]:
    """Inside, nothing is read: DuckDB gives its memory back, of which it may take so many bytes again behind."""
    confine(connection, IDLE)
    trim()
    yield
    confine(connection, memory)
    trim()
