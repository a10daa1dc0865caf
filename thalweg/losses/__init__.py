"""Losses: the distance between predictions and targets, which training minimizes. Names and defaults are Keras's.

Every loss takes (y_true, y_pred). A row's loss is a number ℓ; for a batch, `reduction="sum_over_batch_size"` (the
default) takes the mean of ℓ over the rows, `"sum"` their sum. A sample weight w multiplies a row's ℓ (the mean still
divides by the number of rows, as in Keras). A cross-entropy after a sigmoid or softmax layer is automatically
computed from the pre-activations h, which is stable for any size of h.

>>> Huber(delta=2.0)([[0.0]], [[1.0]])
0.5
"""

from __future__ import annotations

from typing import Any

from thalweg.losses import by_row
from thalweg.losses.by_row import *  # noqa: F403
from thalweg.losses.by_row import LossFunction
from thalweg.losses.centers import CenterLoss
from thalweg.losses.formula import FormulaLoss
from thalweg.losses.loss import Loss
from thalweg.losses.numbers import (
    CategoricalHinge,
    CosineSimilarity,
    GaussianNLL,
    Hinge,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
    SquaredHinge,
    SumSquaredError,
)
from thalweg.losses.probabilities import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    Dice,
    KLDivergence,
    SparseCategoricalCrossentropy,
    Tversky,
)
from thalweg.losses.traced import FunctionLoss
from thalweg.support.naming import answer_for, choose, snake_case
from thalweg.support.registry import REGISTERED

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "CategoricalHinge", "CenterLoss", "CosineSimilarity", "Dice", "FormulaLoss",
    "FunctionLoss", "GaussianNLL", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "Quantile",
    "SparseCategoricalCrossentropy", "SquaredHinge", "SumSquaredError", "Tversky", "get", "serialize",
]  # fmt: skip
__all__ += by_row.__all__

CLASSES: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        MeanSquaredError, SumSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError,
        LogCosh, Huber, Quantile, Poisson, GaussianNLL, Hinge, SquaredHinge, CategoricalHinge, CosineSimilarity,
        BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
        SparseCategoricalCrossentropy, CategoricalGeneralizedCrossEntropy, KLDivergence, Dice, Tversky,
        CenterLoss,
    )
}  # fmt: skip
SHORT: dict[str, type[Loss]] = {
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
    "sse": SumSquaredError, "SSE": SumSquaredError, "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy,
    "kld": KLDivergence, "KLD": KLDivergence, "logcosh": LogCosh,
}  # fmt: skip
NAMES = {snake_case(name): c for name, c in CLASSES.items()} | SHORT


def get(identifier: str | Loss | LossFunction | dict[str, Any]) -> Loss:
    """A loss from its name, a formula in y_true and y_pred, what `serialize` returned, or itself.

    >>> get("mse")
    MeanSquaredError(reduction='sum_over_batch_size')
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, LossFunction):
        return identifier.kind()
    if isinstance(identifier, dict):
        config = dict(identifier["config"])
        if identifier["class_name"] == "FunctionLoss":
            config["function"] = choose("function", config["function"], REGISTERED)
        kinds = CLASSES | {"FormulaLoss": FormulaLoss, "FunctionLoss": FunctionLoss} | REGISTERED
        made: Loss = choose("loss", identifier["class_name"], kinds)(**config)
        return made
    if isinstance(identifier, str) and not identifier.isidentifier() and not identifier.isspace() and identifier:
        return FormulaLoss(identifier)
    given: Any = identifier
    if callable(given) and not isinstance(given, type):
        return FunctionLoss(given)
    return choose("loss", identifier, NAMES | CLASSES)()


def serialize(loss: Loss) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal loss."""
    return {"class_name": type(loss).__name__, "config": loss.get_config()}


answer_for(__name__)
