"""Metrics: scores for people, computed along with the loss from running float64 sums. Names and defaults are Keras's.

A metric never weights its rows, like `compile(metrics=…)` in Keras. `name` is the key in the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.losses.by_row import LossFunction
from thalweg.metrics import overlap, row_scores, running
from thalweg.metrics.confusion import (
    AUC,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from thalweg.metrics.correlation import PearsonCorrelation, R2Score
from thalweg.metrics.matches import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from thalweg.metrics.means import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    FunctionMetric,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from thalweg.metrics.metric import Metric, Shape
from thalweg.metrics.overlap import *  # noqa: F403
from thalweg.metrics.row_scores import *  # noqa: F403
from thalweg.metrics.row_scores import MetricFunction
from thalweg.metrics.running import *  # noqa: F403
from thalweg.support import hooks
from thalweg.support.naming import answer_for, choose, snake_case
from thalweg.support.registry import REGISTERED

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy", "CategoricalCrossentropy",
    "CategoricalHinge", "CosineSimilarity", "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives",
    "FunctionMetric", "Hinge", "KLDivergence", "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "Metric", "Named", "PearsonCorrelation", "Poisson", "Precision",
    "R2Score", "Recall", "RootMeanSquaredError", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SquaredHinge", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "get",
    "serialize",
]  # fmt: skip
__all__ += row_scores.__all__
__all__ += running.__all__ + overlap.__all__

CLASSES: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError, LogCoshError, CosineSimilarity, Hinge, SquaredHinge, CategoricalHinge,
        BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, KLDivergence, Poisson, Accuracy,
        BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
        SparseTopKCategoricalAccuracy, TruePositives, FalsePositives, FalseNegatives, TrueNegatives, Precision,
        Recall, FBetaScore, F1Score, AUC, R2Score, PearsonCorrelation,
    )
}  # fmt: skip
BY_THEMSELVES: dict[str, type[Metric]] = {
    name: getattr(module, name) for module in (running, overlap) for name in module.__all__
}
NAMES: dict[str, type[Metric]] = {snake_case(n): c for n, c in CLASSES.items()} | {
    **{c.short: c for c in CLASSES.values() if c.short},
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "rmse": RootMeanSquaredError, "RMSE": RootMeanSquaredError,
    "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "mape": MeanAbsolutePercentageError,
    "MAPE": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "kld": KLDivergence, "KLD": KLDivergence,
    "log_cosh": LogCoshError, "cosine": CosineSimilarity, "r2": R2Score, "R2": R2Score, "f1": F1Score,
}  # fmt: skip


@dataclass(frozen=True)
class Named(hooks.Hooked):
    """A metric and the key under which it is logged: the user's own name if one was given."""

    uncalled, lacking = {}, hooks.LOGGED_LACKS
    key: str
    metric: Metric

    @property
    def name(self) -> str:
        """The key, in Keras's word."""
        return self.key


def get(identifier: str | Metric | dict[str, Any], output: Shape, target: Shape) -> Named:
    """A metric from its name, its description, or itself, for a network's output and target shapes.

    As in Keras, "accuracy" or "acc", in upper or lower case, is the binary, categorical or sparse categorical one,
    depending on these shapes.

    >>> get("accuracy", output=(10,), target=(1,))
    Named(key='accuracy', metric=SparseCategoricalAccuracy())
    """
    if isinstance(identifier, Metric):
        if (reason := identifier.unlogged()) is not None:
            raise ArgumentError(f"compile can't take the metric {identifier.name!r}: {reason}")
        return Named(identifier.name, identifier)
    if isinstance(identifier, (LossFunction, MetricFunction)):
        return Named(identifier.__name__, choose("metric", identifier.__name__, NAMES)())
    if isinstance(identifier, dict) and identifier["class_name"] == "FunctionMetric":
        config = identifier["config"]
        function = choose("function of a metric", config["function"], REGISTERED)
        return Named(identifier.get("key", config["name"]), FunctionMetric(function, name=config["name"]))
    given: Any = identifier
    if callable(given) and not isinstance(given, type):
        own = FunctionMetric(given)
        return Named(own.name, own)
    if isinstance(identifier, dict):
        kinds = {name: c for name, c in REGISTERED.items() if isinstance(c, type) and issubclass(c, Metric)}
        metric = choose("metric", identifier["class_name"], CLASSES | BY_THEMSELVES | kinds)(**identifier["config"])
        return Named(identifier.get("key", metric.name), metric)
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        if output[-1] == 1:
            return Named(identifier, BinaryAccuracy())
        return Named(identifier, CategoricalAccuracy() if output == target else SparseCategoricalAccuracy())
    if not isinstance(identifier, str):
        raise ArgumentError(f"a metric is a name or one of thalweg.metrics, got {identifier!r}")
    return Named(identifier, choose("metric", identifier, NAMES | CLASSES)())


def serialize(named: Named) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal metric."""
    return {"class_name": type(named.metric).__name__, "config": named.metric.get_config(), "key": named.key}


answer_for(__name__)
