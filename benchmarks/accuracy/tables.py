"""The tables, and how their rows are divided: the same for all methods."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parents[3] / "shared" / "data"
TARGET = "target"
CAP = 20_000  # training rows at most
TEST = 5  # one row in this many is for the test
SPLITS = (101, 102, 103)  # seeds of the outer splits

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """A table to predict the column `target` of. Its source is a file in shared/data, or a function of scikit-learn."""

    name: str
    task: str  # "classes" or "numbers"
    drop: tuple[str, ...] = ()
    bundled: str = ""  # the function in sklearn.datasets

    @property
    def present(self) -> bool:
        return bool(self.bundled) or (DATA / f"{self.name}.parquet").exists()

    def load(self) -> tuple[Any, NDArray[Any]]:
        """The columns as a data frame, and the target: codes 0, 1, … of the classes, or numbers."""
        frame = self.read()
        y = frame.pop(TARGET).to_numpy()
        frame = frame.drop(columns=list(self.drop))
        # LightGBM and XGBoost refuse other signs in names.
        frame.columns = [n if re.fullmatch(r"[\w .-]+", n) else f"column {i}" for i, n in enumerate(frame.columns)]
        if self.task == "numbers":
            return frame, y.astype(np.float64)
        return frame, np.unique(y.astype(str), return_inverse=True)[1]

    def read(self) -> Any:
        if self.bundled:
            from sklearn import datasets

            make: Callable[..., Any] = getattr(datasets, self.bundled)
            return make(as_frame=True).frame
        import pandas

        return pandas.read_parquet(DATA / f"{self.name}.parquet")


TABLES = {
    table.name: table
    for table in (
        Table("adult", "classes", drop=("split",)),
        Table("bank_marketing", "classes"),
        Table("letter", "classes"),
        Table("nursery", "classes"),
        Table("telco_churn", "classes"),
        Table("wine_quality", "classes"),
        Table("spambase", "classes"),
        Table("shuttle7", "classes"),
        Table("breast_cancer", "classes", bundled="load_breast_cancer"),
        Table("digits", "classes", bundled="load_digits"),
        Table("wine", "classes", bundled="load_wine"),
        Table("diamonds", "numbers"),
        Table("kc_house", "numbers"),
        Table("bike_hour", "numbers"),
        Table("reg_cpu_act", "numbers"),
        Table("abalone", "numbers"),
        Table("diabetes", "numbers", bundled="load_diabetes"),
    )
}
SMALL_TABLES = {table.name: table for table in (Table("penguins", "classes"), Table("titanic", "classes"))}


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test, without one in common."""

    train: Rows
    test: Rows


def split(y: NDArray[Any], task: str, seed: int, cap: int = CAP) -> Split:
    """A fifth of the rows for the test, drawn by the seed; of the others at most `cap`, drawn as well.

    Classes keep their parts of the rows, in the test and under the cap; a class of one or two rows is trained on, so
    every class is known.
    """
    random = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == kind) for kind in np.unique(y)] if task == "classes" else [np.arange(len(y))]
    shuffled = [random.permutation(group) for group in groups]
    test = [group[: round(len(group) / TEST)] for group in shuffled]
    train = [group[round(len(group) / TEST) :] for group in shuffled]
    kept = [group[:count] for group, count in zip(train, shares([len(group) for group in train], cap), strict=True)]
    return Split(np.sort(np.concatenate(kept)), np.sort(np.concatenate(test)))


def shares(counts: list[int], cap: int) -> list[int]:
    """How many rows of each class stay when at most `cap` do: in proportion, but two of a small class."""
    total = sum(counts)
    if total <= cap:
        return counts
    kept = [min(count, max(2, count * cap // total)) for count in counts]
    while sum(kept) > cap:
        kept[int(np.argmax(kept))] -= 1
    return kept
