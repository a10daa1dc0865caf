"""Arrow's files (.arrow, .feather, .ipc), by pyarrow: Polars ends the process at some that are damaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.support.extras import need
from thalweg.support.frames import checked
from thalweg.support.untrusted import allowed, readable, too_large

ENDINGS = (".arrow", ".feather", ".ipc")
_MAGIC = b"ARROW1"
_CELL = re.compile(
    r"null|bool|u?int\d+|halffloat|float|double|decimal\d+\(.*|(large_)?string(_view)?|(date|time|timestamp|duration)\d*\[.*",
    re.DOTALL,
)
"""The types of single cells: numbers, truth values, text, dates, times."""
CELL_BYTES = 8
"""Of a cell, once it is read, also of one that has no bytes of its own."""


def read_arrow(path: Path) -> Any:
    """The frame in a file, in Arrow's file format (Feather's second version) or its stream format.

    Raises:
        DataError: the file is damaged, or larger than is allowed.
        MissingPackageError: pyarrow isn't installed.
    """
    need("pyarrow", "arrow", f"reading {path.suffix} files")
    import pyarrow as pa

    def allow(rows: int, size: int) -> None:
        if size > allowed(path):
            raise too_large(str(path), allowed(path))

    what = f"can't read {path}: it is no Arrow file, or is damaged"
    with readable(DataError, what), pa.OSFile(str(path)) as source:
        streamed = is_streamed(path)
        reader = pa.ipc.open_stream(source) if streamed else pa.ipc.open_file(source)
        batches = reader if streamed else map(reader.get_batch, range(reader.num_record_batches))
        return table_of(batches, reader.schema, str(path), allow)


def is_streamed(path: Path) -> bool:
    """Whether a file is in the stream format."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) != _MAGIC


class CheckedBatches:
    """What DuckDB scans, as often as it has to: record batches of a file, or of a dataset, table or reader of Arrow's,
    each checked before it is read.

    Raises:
        DataError: the file is damaged. MissingPackageError: pyarrow isn't installed.
    """

    def __init__(self, source: Any, name: str) -> None:
        need("pyarrow", "", "Arrow data")
        self.source, self.name = source, name
        self.opened()

    def opened(self) -> Any:
        """What has a schema and batches."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        if not isinstance(self.source, Path):
            return self.source
        with readable(DataError, f"can't read {self.name}: it is no Arrow file, or is damaged"):
            path = str(self.source)
            return pa.ipc.open_stream(pa.OSFile(path)) if is_streamed(self.source) else ds.dataset(path, format="ipc")

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        import pyarrow as pa

        source = self.opened()
        schema = getattr(source, "projected_schema", None) or source.schema
        batches = source.to_batches() if hasattr(source, "to_batches") else source
        reader = pa.RecordBatchReader.from_batches(schema, (checked(batch, "its data") for batch in batches))
        return reader.__arrow_c_stream__(requested_schema)


def as_cells(column: Any) -> Any:
    """A checked column of Arrow's as one whose cells can be looked at one by one; None if they are lists, bytes and the
    like."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return as_cells(pa.chunked_array([part.storage for part in column.chunks], kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        return as_cells(pc.run_end_decode(column))
    if pa.types.is_dictionary(kind):
        if pa.types.is_null(kind.value_type):  # pyarrow ends the process when it looks for missing cells in one
            return pa.chunked_array([pa.nulls(len(column))])
        kind = kind.value_type
    return column if _CELL.fullmatch(str(kind)) else None


def table_of(batches: Iterable[Any], schema: Any, what: str, allow: Callable[[int, int], None]) -> Any:
    """The checked table of record batches. `allow` is told the rows so far, and the bytes that their cells take, and
    raises if these are too many, before anything is made of them: missing cells, runs, and what a dictionary or a view
    holds once, stand for any number of cells."""
    import pyarrow as pa

    kept, rows, size = [], 0, 0
    for batch in batches:
        kept.append(batch)
        again = sum(len(column.dictionary) for column in batch.columns if hasattr(column, "dictionary"))
        rows += batch.num_rows
        size += CELL_BYTES * (batch.num_rows * batch.num_columns + again) + batch.get_total_buffer_size()
        allow(rows, size)
    table = checked(pa.Table.from_batches(kept, schema), what)
    allow(rows, size + sum(_text_bytes(part) for column in table.columns for part in column.chunks))
    return table


def _text_bytes(array: Any) -> int:
    """The bytes of text in cells that don't have their own; of runs, at most."""
    if hasattr(array, "storage"):
        return _text_bytes(array.storage)
    kind = str(array.type)
    if "string" not in kind or not len(array):
        return 0
    if kind.startswith("run_end_encoded"):
        return len(array) * int(_lengths(array.values).max(initial=0))
    if kind.startswith("dictionary"):
        return int(_lengths(array.dictionary)[array.indices.drop_null().to_numpy(zero_copy_only=False)].sum())
    return int(_lengths(array).sum()) if kind == "string_view" else 0


def _lengths(array: Any) -> NDArray[np.int64]:
    """The bytes of each cell of text; 0 of others."""
    import pyarrow.compute as pc

    kind = str(array.type)
    if kind == "string_view" and len(array):  # 16 bytes each, of which the first four are the length
        sizes = np.frombuffer(array.buffers()[1], np.int32)[4 * array.offset :: 4][: len(array)]
        return np.where(array.is_valid().to_numpy(zero_copy_only=False), sizes, 0).astype(np.int64)
    if kind in ("string", "large_string"):
        found: NDArray[Any] = pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        return found.astype(np.int64)
    return np.zeros(len(array), np.int64)
