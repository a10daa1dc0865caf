"""TabularClassifier: classes from a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from thalweg.data.recipe import Task
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError, DataError
from thalweg.sklearn.table_estimator import TableEstimator, target_name
from thalweg.support.naming import choose

Array = NDArray[Any]


class TabularClassifier(ClassifierMixin, TableEstimator):
    """Predicts classes from a table: an ensemble of small networks, with defaults that need no tuning."""

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, float64 (rows, classes), in the order of `classes_`."""
        return self._predicted(X)

    def _of_graph(self, outputs: Array) -> Array:
        outputs = outputs.astype(np.float64)
        shares = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
        result: Array = shares / shares.sum(axis=1, keepdims=True)
        return result

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, (rows,)."""
        shares = self.predict_proba(X)
        result: Array = self.classes_[shares.argmax(axis=1)]
        return result

    def predict_log_proba(self, X: Any) -> Array:
        """log(predict_proba(X))."""
        with np.errstate(divide="ignore"):
            result: Array = np.log(self.predict_proba(X))
        return result

    def _task_is_regression(self) -> bool:
        return False

    def _understand(self, labels: Array, name: str | None, table: Table, weights: Array | None) -> tuple[Target, Array]:
        check_classification_targets(labels)
        try:
            self.classes_, numbers = np.unique(labels, return_inverse=True)
        except TypeError:
            kinds = " and ".join(sorted({type(label).__name__ for label in labels.tolist()}))
            raise DataError(f"y mixes labels of the types {kinds}, which can't be sorted: use one type") from None
        if len(self.classes_) < 2:
            raise DataError(
                f"y holds one class only, {self.classes_[0]!r}: a classifier needs rows of two classes or more"
            )
        task: Task = "binary" if len(self.classes_) == 2 else "multiclass"
        called = target_name(name, table)
        return Target(called, task, tuple(self.classes_.tolist()), why="as given to a classifier"), numbers

    def _numbers(self, labels: Array) -> Array:
        numbers = np.searchsorted(self.classes_, labels)
        unknown = self.classes_[np.minimum(numbers, len(self.classes_) - 1)] != labels
        if unknown.any():
            raise DataError(f"y holds {labels[unknown][0]!r}, a class that no row learned from has")
        return numbers

    def _class_weights(self, numbers: Array, weights: Array | None) -> Array | None:
        given, count = self.class_weight, len(self.classes_)
        if given is None:
            return None
        if isinstance(given, str):
            choose("class_weight", given, ["balanced"])
            totals = np.bincount(numbers, weights, minlength=count)
            balanced: Array = (totals.sum() / (count * totals))[numbers]
            return balanced
        if not isinstance(given, Mapping):
            raise ArgumentError(f"class_weight is 'balanced' or a dict from label to weight, got {given!r}")
        unknown = [label for label in given if label not in self.classes_.tolist()]
        if unknown:
            raise ArgumentError(
                f"class_weight names {unknown[0]!r}, which is no class of y: {', '.join(map(str, self.classes_))}"
            )
        return np.array([float(given.get(label, 1.0)) for label in self.classes_.tolist()])[numbers]
