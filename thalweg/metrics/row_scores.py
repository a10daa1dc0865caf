"""Keras's functions of the metrics: `categorical_accuracy(y_true, y_pred)` is the score of each row.

Those that are losses are the functions of `thalweg.losses`.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from thalweg.losses.by_row import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from thalweg.metrics import matches
from thalweg.metrics.metric import Metric
from thalweg.ops.with_numpy import ArrayResult
from thalweg.support.naming import snake_case

__all__ = [
    "MetricFunction", "binary_accuracy", "binary_crossentropy", "binary_focal_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "hinge", "huber",
    "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "poisson", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip


class MetricFunction:
    """The score of each row (in `binary_accuracy`, of each output), as a function of targets and predictions.

    `compile` takes it in place of the class.

    >>> binary_accuracy([[0.0, 1.0], [1.0, 1.0]], [[0.2, 0.4], [0.9, 0.6]])
    array([[1., 0.],
           [1., 1.]])
    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.])
    """

    def __init__(self, kind: type[Metric]) -> None:
        self.kind = kind
        self.__name__ = snake_case(kind.__name__)
        self.__doc__ = kind.__doc__

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, *arguments: Any, **options: Any) -> Any:
        """(rows, …): a number for each row, or each position in it; in `binary_accuracy` for each output.

        Args:
            y_true, y_pred: targets and predictions, (rows, …, outputs).
            arguments, options: those of the class, without `name`.
        """
        return ArrayResult.of(self.kind(*arguments, **options).rows(y_true, y_pred))

    def __repr__(self) -> str:
        return f"<function {self.__name__}>"

    def __reduce__(self) -> str:
        return self.__name__  # a copy is the function itself


binary_accuracy = MetricFunction(matches.BinaryAccuracy)
categorical_accuracy = MetricFunction(matches.CategoricalAccuracy)
sparse_categorical_accuracy = MetricFunction(matches.SparseCategoricalAccuracy)
sparse_top_k_categorical_accuracy = MetricFunction(matches.SparseTopKCategoricalAccuracy)
top_k_categorical_accuracy = MetricFunction(matches.TopKCategoricalAccuracy)
