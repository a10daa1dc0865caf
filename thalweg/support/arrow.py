"""Arrow's data from elsewhere, looked at whole before a cell of it is read: its offsets, lengths and indices are
numbers that somebody has written, and pyarrow follows them wherever they lead. Nor does it survive whatever is valid.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.support.untrusted import readable

_CELL = re.compile(
    r"null|bool|u?int\d+|halffloat|float|double|decimal\d+\(.*|(large_)?string(_view)?"
    r"|(date|time|timestamp|duration)\d*\[.*",
    re.DOTALL,
)
"""The types of single cells: numbers, truth values, text, dates, times."""
CELL_BYTES = 8
"""Of a cell, once it is read, also of one that has no bytes of its own."""


def checked(values: Any, what: str = "") -> Any:
    """The same values, of which Arrow's, also those within pandas' frames, lead nowhere out of their own bytes.

    Raises:
        DataError: they do. `what` is the caller's name for them.
    """
    package = type(values).__module__.partition(".")[0]
    if package == "pandas":
        for array in _arrow_in(values, sys.modules["pandas"]):
            checked(array.__arrow_array__(), what or "the pandas data")
    elif package == "pyarrow" and hasattr(values, "validate"):
        with readable(DataError, f"{what or 'the Arrow data'} is damaged"):
            values.validate(full=True)
    return values


def _arrow_in(values: Any, pd: Any) -> Iterator[Any]:
    """The arrays of Arrow's in which a frame, a column, an index, an array or categories of pandas keep their cells.
    Nothing is asked of a column that it may lack: pandas looks for it among the cells of the index."""
    if isinstance(values, pd.arrays.ArrowExtensionArray):
        yield values
    elif isinstance(values, pd.Categorical):
        yield from _arrow_in(values.categories, pd)
    elif isinstance(values, pd.MultiIndex):
        for level in values.levels:
            yield from _arrow_in(level, pd)
    elif isinstance(values, pd.DataFrame):
        for place, kind in enumerate(values.dtypes.tolist()):
            if not isinstance(kind, np.dtype):
                yield from _arrow_in(values.iloc[:, place].array, pd)
        yield from _arrow_in(values.index, pd)
    elif isinstance(values, pd.Series | pd.Index):
        if not isinstance(values.dtype, np.dtype):
            yield from _arrow_in(values.array, pd)
        if isinstance(values, pd.Series):
            yield from _arrow_in(values.index, pd)


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


def table_of(batches: Iterable[Any], schema: Any, what: str, allow: Callable[[int], None]) -> Any:
    """The checked table of record batches.

    Args:
        allow: is told the bytes that the cells read so far take, and raises if that is too much. Missing cells, runs,
            and what a dictionary or a view holds once, may stand for any number of cells: nothing is made of them yet.
    """
    import pyarrow as pa

    kept, size = [], 0
    for batch in batches:
        repeated = sum(len(column.dictionary) for column in batch.columns if hasattr(column, "dictionary"))
        size += CELL_BYTES * (batch.num_rows * batch.num_columns + repeated) + batch.get_total_buffer_size()
        allow(size)
        kept.append(batch)
    table = checked(pa.Table.from_batches(kept, schema), what)
    allow(size + sum(_text_bytes(part) for column in table.columns for part in column.chunks))
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
