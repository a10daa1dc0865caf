"""Data frames: their Arrow data checked; of numbers, nullable ones and missing cells, as arrays; of text, as texts."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError, ShapeError
from thalweg.support.extras import need
from thalweg.support.untrusted import readable

Array = NDArray[Any]


def checked(values: Any, what: str = "") -> Any:
    """The same values; DataError if those of Arrow's, also within pandas' frames, lead out of their own bytes: offsets,
    lengths and indices are numbers that somebody has written, and pyarrow follows them wherever they lead."""
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
    A column isn't asked for what it may lack: pandas looks for that in the index, unchecked."""
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


def as_array(values: Any, what: str) -> Array:
    """`np.asarray`, except that objects that are numbers, booleans and missing cells become numbers.

    A frame with columns of different types, pandas' nullable and Arrow's types, and an array of such objects become one
    array of bool, int64 or float64. A missing cell is NaN.

    Raises:
        DataError: a column doesn't hold numbers; the message names it. `what` is the caller's name for the values.
    """
    frame = _frame(values)
    if frame is None:
        array = np.asarray(values)
        if array.dtype.kind != "O" or not array.ndim:
            return array
        found = _of_objects(array)
        return array if found is None else found
    if hasattr(frame, "iter_columns"):
        return np.column_stack([_of_column(column, what) for column in frame.iter_columns()])
    return _of_column(frame, what)


def _frame(values: Any) -> Any:
    """A pandas, Polars or Arrow frame or column, wrapped by narwhals. None for everything else, and for pandas with one
    NumPy type, which needs no copy."""
    values = checked(values)
    if type(values).__module__.partition(".")[0] not in ("pandas", "polars", "pyarrow"):
        return None
    held: Any = getattr(values, "dtypes", None)
    types = held.tolist() if hasattr(held, "tolist") else [held]
    if isinstance(types[0], np.dtype) and types[0].kind != "O" and types.count(types[0]) == len(types):
        return None
    need("narwhals", "", "a pandas, Polars or Arrow frame")
    import narwhals as nw

    try:
        wrapped = nw.from_native(values, allow_series=True, pass_through=True)
        wrapped.shape  # noqa: B018 - some libraries check their names only now
    except nw.exceptions.DuplicateError:  # as an array, names don't matter
        return None
    return wrapped if isinstance(wrapped, nw.DataFrame | nw.Series) and wrapped.shape[-1] and len(wrapped) else None


def _of_column(column: Any, what: str) -> Array:
    """A column of numbers or booleans, with NaN for missing cells."""
    import narwhals as nw

    kind = column.dtype
    array: Array | None = None
    if kind.is_numeric() or kind in (nw.Boolean, nw.Object, nw.Unknown):
        array = np.asarray(column.to_numpy())
        array = _of_objects(array) if array.dtype.kind == "O" else array
    if array is None or array.dtype.kind not in "buif":
        name = f"its column {column.name!r}" if column.name is not None else "the column"
        raise DataError(
            f"{what} has to be numbers, but {name} holds {kind} values; thalweg.data reads tables with text and dates"
        )
    missing = np.asarray(column.is_null().to_numpy(), dtype=bool)
    if missing.any():
        array = np.where(missing, np.nan, array.astype(np.float64) if array.dtype.kind in "bui" else array)
    return array


def _of_objects(array: Array) -> Array | None:
    """Python numbers, booleans and missing cells as an array of numbers; None if there are other objects."""
    import decimal

    cells = array.ravel().tolist()
    types = set(map(type, cells))
    empty = {kind for kind in types if kind is type(None) or kind.__name__ == "NAType"}
    held = types - empty
    if not all(issubclass(kind, numbers.Real | decimal.Decimal | np.bool_) for kind in held):
        return None
    if not empty and held and all(issubclass(kind, bool | np.bool_) for kind in held):
        return array.astype(np.bool_)
    if not empty and held and all(issubclass(kind, numbers.Integral | np.bool_) for kind in held):
        try:
            return array.astype(np.int64)
        except OverflowError:
            pass  # as floats
    floats = [np.nan if type(cell) in empty else _float(cell) for cell in cells]
    return np.array(floats, dtype=np.float64).reshape(array.shape)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:  # an integer beyond 1.8e308
        return np.inf if cell > 0 else -np.inf


# --- text ------------------------------------------------------------------------------------------------------------


def as_texts(values: Any, what: str, encoding: str = "utf-8") -> Array:
    """An array of Python's texts: from NumPy's text of any kind, bytes, lists, and columns or frames of text.

    Raises:
        DataError: a cell is missing, or isn't text; the message has its row. ShapeError: rows of different lengths.
    """
    array = _text_cells(values, what)
    cells = array.ravel().tolist()
    if not set(map(type, cells)) <= {str}:
        rows = len(array) if array.ndim else 1
        cells = [_text(cell, n * rows // len(cells), what, encoding) for n, cell in enumerate(cells)]
    result = np.empty(len(cells), object)
    result[:] = cells
    return result.reshape(array.shape)


def _text_cells(values: Any, what: str) -> Array:
    frame = _frame(values)
    if frame is not None:
        columns = list(frame.iter_columns()) if hasattr(frame, "iter_columns") else [frame]
        cells = [np.array([*column.to_list(), None], dtype=object)[:-1] for column in columns]
        return np.stack(cells, axis=1) if hasattr(frame, "iter_columns") else cells[0]
    of_lists = isinstance(values, (list, tuple, str, bytes))
    array = np.array(values, dtype=object) if of_lists else np.asarray(values)  # NumPy makes text of a list's numbers
    if array.dtype.kind not in "OUST":
        raise DataError(f"{what} takes text, got an array of {array.dtype}")
    return array.astype(object)


def _text(cell: Any, row: int, what: str, encoding: str) -> str:
    if isinstance(cell, bytes):
        try:
            return cell.decode(encoding)
        except UnicodeDecodeError:
            raise DataError(f"{what}: the bytes {cell[:40]!r} in row {row} aren't text in {encoding}") from None
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, (list, tuple, np.ndarray)):
        raise ShapeError(f"{what} has rows of different lengths; every row needs the same shape")
    if cell is None or cell != cell or type(cell).__name__ in ("NAType", "NaTType"):
        raise DataError(f'{what} has no value in row {row}: fill it in, with "" for example')
    raise DataError(f"{what} takes text, but row {row} holds {cell!r}")


def holds_text(values: Any) -> bool:
    """Whether the first cell is text."""
    frame = _frame(values)
    if frame is not None:
        column = next(frame.iter_columns()) if hasattr(frame, "iter_columns") else frame
        values = column.head(1).to_list()
    elif not isinstance(values, (list, tuple, str, bytes)):
        array = np.asarray(values)
        values = array.ravel()[:1].tolist()
    while isinstance(values, (list, tuple)) and values:
        values = values[0]
    return isinstance(values, (str, bytes))
