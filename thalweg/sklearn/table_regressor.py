"""TabularRegressor: numbers from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from thalweg.data.cells import magnitude
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError
from thalweg.sklearn.table_estimator import TableEstimator, target_name
from thalweg.sklearn.table_sources import is_source

Array = NDArray[Any]


class TabularRegressor(RegressorMixin, TableEstimator):
    """Predicts a number from a table: an ensemble of small networks, with defaults that need no tuning.

    ŷ = (1 − Σ w)·mean over networks of clip(z, least y, largest y) + Σ w·ŷ of models of one kind

    As `TabularClassifier`, except for:

    Args:
        metric: "rmse" (default), "mae", "mape", "r2".
        loss: the squared error by default; with another one and no metric, the epoch is chosen by it. The target is
            standardised for it.
        dropout: 0 by default.
        class_weight: has to stay None.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(300, 2))
    >>> model = TabularRegressor("fast", members=1, random_state=0).fit(x, x[:, 0] * 10)
    >>> bool(model.score(x, x[:, 0] * 10) > 0.95)
    True
    """

    def predict(self, X: Any) -> Array:
        """The number for each row, float64 (rows,), within the range of the targets learned from."""
        return self._predicted(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R²; of a path, a query or an Arrow dataset, y is the column's name."""
        if not is_source(X):
            return float(super().score(X, y, sample_weight))
        predicted, numbers = self._of_source(X, y)
        return float(r2_score(numbers, predicted, sample_weight=sample_weight))

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
