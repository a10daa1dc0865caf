"""Data as each library's documentation asks for it: functions of the training columns that return a transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Transformation = Callable[[Any], Any]
Preparation = Callable[[Any], Transformation]


def texts(frame: Any) -> list[str]:
    """The columns that aren't numbers."""
    return [column for column in frame if frame[column].dtype.kind not in "biuf"]


def unchanged(train: Any) -> Transformation:
    return lambda frame: frame


def categories(train: Any) -> Transformation:
    """Text → pandas's categories, those of the training rows; others are missing."""
    import pandas

    types = {c: pandas.CategoricalDtype(sorted(train[c].dropna().unique())) for c in texts(train)}

    def known(frame: Any) -> Any:
        return frame.assign(**{c: frame[c].where(frame[c].isin(t.categories)).astype(t) for c, t in types.items()})

    return known


def strings(train: Any) -> Transformation:
    """Text → Python's strings, with a word for missing ones."""
    columns = texts(train)
    return lambda frame: frame.astype(dict.fromkeys(columns, object)).fillna(dict.fromkeys(columns, "missing"))


def filled_categories(train: Any) -> Transformation:
    """Text → categories, and missing numbers → the median."""
    medians = train.drop(columns=texts(train)).median()
    as_categories = categories(train)
    return lambda frame: as_categories(frame.fillna(medians))


def encoder(train: Any) -> Any:
    """Standardised numbers (missing: the median) and one-hot categories: scikit-learn's transformer, not yet fitted."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = texts(train)
    numbers = [c for c in train if c not in words]
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    )
