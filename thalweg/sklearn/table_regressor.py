"""TabularRegressor: numbers from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from thalweg.data.cells import magnitude
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError
from thalweg.sklearn.table_estimator import TableEstimator, target_name

Array = NDArray[Any]


class TabularRegressor(RegressorMixin, TableEstimator):
    """Predicts a number from a table: an ensemble of small networks, with defaults that need no tuning."""

    def predict(self, X: Any) -> Array:
        """The number for each row, float64 (rows,), within the range of the targets learned from."""
        return self._predicted(X)

    def _of_graph(self, outputs: Array) -> Array:
        target = self.features_.target
        assert target is not None
        numbers: Array = outputs[:, 0].astype(np.float64) * target.scale + target.mean
        return numbers

    def _task_is_regression(self) -> bool:
        return True

    def _understand(self, labels: Array, name: str | None, table: Table, weights: Array | None) -> tuple[Target, Array]:
        y = labels.astype(np.float64)
        unit = magnitude(y)
        mean = float(np.average(y / unit, weights=weights)) * unit
        spread = float(np.sqrt(np.average(((y - mean) / unit) ** 2, weights=weights))) * unit
        scale = spread if spread > 0 and y.min() < y.max() else 1.0
        target = Target(target_name(name, table), "regression", (), mean, scale, why="as given to a regressor")
        return target, (y - mean) / scale

    def _numbers(self, labels: Array) -> Array:
        target = self.features_.target
        assert target is not None
        numbers: Array = (labels.astype(np.float64) - target.mean) / target.scale
        return numbers

    def _class_weights(self, numbers: Array, weights: Array | None) -> Array | None:
        if self.class_weight is not None:
            raise ArgumentError("class_weight is for classes, and a regression has none: give sample_weight to fit")
        return None
