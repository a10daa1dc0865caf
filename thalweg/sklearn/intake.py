"""What scikit-learn's users give as X and y, as a table and a target."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_X_y

from thalweg.data.cells import Column, Kind, column_of
from thalweg.data.tables import Table, is_rows, read_table
from thalweg.errors import ArgumentError, DataError, ThalwegWarning
from thalweg.support.frames import checked
from thalweg.tabular.single_row import row_of

Array = NDArray[Any]

_NUMERIC: dict[str, Kind] = {"?": "boolean", "e": "number", "f": "number", "d": "number"}


class CellError(DataError, TypeError):
    """A cell holds what is neither text nor a number."""


def is_frame(X: Any) -> bool:
    """Whether X has named columns: a data frame, an Arrow table, a dict, a list of dicts, a `Table`."""
    if hasattr(X, "toarray"):  # SciPy's dictionary of keys is a dict
        return False
    return (
        isinstance(X, Mapping | Table)
        or is_rows(X)
        or type(X).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")
    )


def table_of(X: Any, estimator: Any, least_rows: int = 1) -> Table:
    """X as a table. The columns of an array are x0, x1, …; columns of floats are views of it, not copies.

    Raises:
        ValueError, TypeError: as scikit-learn does, for sparse, complex, empty or one-dimensional X.
    """
    if is_frame(X):
        if len(getattr(X, "shape", (0, 0))) == 1:
            raise DataError(f"X has to be a frame of columns, got one column of {type(X).__name__}")
        table = read_table(X, least_rows=0)
        if table.rows < least_rows:
            raise DataError(f"{table.source} has {table.rows} sample; {least_rows} rows or more are needed")
        return table
    X = check_array(
        X, dtype=None, ensure_all_finite=False, ensure_min_samples=least_rows, estimator=estimator, input_name="X"
    )
    kind = _NUMERIC.get(X.dtype.char)
    names = array_names(X.shape[1])
    if kind is None:
        table = Table.of(dict(zip(names, X.T, strict=True)), "X")
        odd = next((name for name in names if table.column(name).kind == "other"), None)
        if odd is not None:
            holds = table.column(odd).holds
            raise CellError(
                f"the column {odd!r} of X holds {holds} values: a cell's argument must be a string or a number"
            )
        return table
    return Table({name: Column(kind, np.asarray(X[:, k], np.float64)) for k, name in enumerate(names)}, "X")


def array_names(count: int) -> list[str]:
    """x0, x1, …"""
    return [f"x{k}" for k in range(count)]


def column_names(table: Table, asked: Any, what: str) -> tuple[str, ...]:
    """The columns that an argument lists, by name or by position."""
    if isinstance(asked, str):
        raise ArgumentError(f"{what} is a list of columns, got the text {asked!r}: give [{asked!r}]")
    listed = list(asked)
    for place in listed:
        if isinstance(place, numbers.Integral) and not -len(table.names) <= int(place) < len(table.names):
            raise ArgumentError(f"{what} names the column {place}, and X has {len(table.names)} columns")
    return tuple(table.names[place] if isinstance(place, numbers.Integral) else str(place) for place in listed)


def known_columns(estimator: Any, X: Any, table: Table) -> Table:
    """The table with the columns, and in the order, of the fit.

    Raises:
        DataError: other names, or in another order, than in the fit, in scikit-learn's words; or another number.
    """
    fitted: Array | None = getattr(estimator, "feature_names_in_", None)
    name = type(estimator).__name__
    if is_frame(X) and fitted is not None:
        known, names = fitted.tolist(), table.names
        if isinstance(X, Mapping) or is_rows(X):  # the order of a dict means nothing
            names = [name for name in known if name in table] + [name for name in names if name not in set(known)]
        if not (is_rows(X) and not X):  # a list of no rows names no columns
            check_names(known, names)
        return table
    if len(table.names) != estimator.n_features_in_:
        raise DataError(
            f"X has {len(table.names)} features, but {name} is expecting {estimator.n_features_in_} features as input"
        )
    if is_frame(X):
        warnings.warn(f"X has feature names, but {name} was fitted without feature names", ThalwegWarning, stacklevel=4)
    elif fitted is not None:
        warnings.warn(
            f"X does not have valid feature names, but {name} was fitted with feature names: columns are taken in the "
            "fit's order",
            ThalwegWarning,
            stacklevel=4,
        )
    names = array_names(len(table.names)) if fitted is None else list(fitted)
    return Table({new: table.column(old) for new, old in zip(names, table.names, strict=True)}, table.source)


def known_row(estimator: Any, X: Any) -> dict[str, Any] | None:
    """X as a single row with the columns of the fit; None for any other X."""
    row, fitted = row_of(X), list(getattr(estimator, "feature_names_in_", ()))
    if row is None or row.keys() != set(fitted):
        return None
    return row if isinstance(X, dict | list) or list(row) == fitted else None


def check_names(fitted: list[str], given: list[str]) -> None:
    """Raises, in scikit-learn's words, unless the names are the same in the same order."""
    if fitted == given:
        return
    message = "The feature names should match those that were passed during fit.\n"
    unexpected, missing = sorted(set(given) - set(fitted)), sorted(set(fitted) - set(given))
    for what, names in (("unseen at fit time", unexpected), ("seen at fit time, yet now missing", missing)):
        if names:
            listed = "".join(f"- {name}\n" for name in names[:5]) + "- ...\n" * (len(names) > 5)
            message += f"Feature names {what}:\n{listed}"
    if not missing and not unexpected:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise DataError(message)


def targets_of(y: Any, rows: int, numeric: bool, estimator: Any) -> Array:
    """y as an array (rows,), of finite numbers if numeric, and without missing values."""
    if y is None:
        raise ValueError(f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None")
    checked(y, "y")
    if hasattr(y, "to_numpy") and not hasattr(y, "__array__"):
        y = y.to_numpy()
    y = numbers_of_text(y) if numeric else whole_labels(y)
    placeholder = np.zeros((rows, 1))
    result: Array = check_X_y(placeholder, y, y_numeric=numeric, estimator=estimator, ensure_min_samples=1)[1]
    if result.dtype.kind == "O":
        lost = [k for k, label in enumerate(result.tolist()) if label is None or label != label]
        if lost:
            raise DataError(f"Input y contains NaN: row {lost[0] + 1} has no value")
    return result


def whole_labels(y: Any) -> Any:
    """Labels of pandas' nullable whole numbers, none of them missing, as NumPy's, which scikit-learn doesn't make
    floats of; others as they are."""
    plain = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    whole = isinstance(plain, np.dtype) and plain.kind in "iu" and not y.isna().any()
    return y.to_numpy(dtype=plain) if whole else y


def numbers_of_text(y: Any) -> Any:
    """Targets that are text as the numbers that they mean, NaN for a missing one; other targets as they are."""
    array = np.asarray(y)
    if array.ndim != 1 or array.dtype.kind not in "OUT" or not any(isinstance(cell, str) for cell in array.tolist()):
        return y
    column = column_of(array)
    if column.kind not in ("number", "integer"):
        return y
    if column.odd():
        row = next(k for k in np.flatnonzero(column.missing()).tolist() if column.as_text()[k] is not None)
        raise DataError(f"y holds no number in row {row + 1}: {column.as_text()[row]!r}; leave such rows out")
    return column.values


def per_row(values: Any, rows: int, what: str) -> Array | None:
    """One value a row, such as a group; None if there are none."""
    if values is None:
        return None
    checked(values, what)
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.shape != (rows,):
        raise DataError(f"{what} has the shape {array.shape}; X has {rows} rows, and each needs one value")
    lost = array == None if array.dtype.kind == "O" else array != array  # noqa: E711 - cell by cell
    if np.any(lost):
        raise DataError(f"{what} has no value in row {int(np.flatnonzero(lost)[0]) + 1}")
    return array
