"""Keras's functions of the losses: `mean_squared_error(y_true, y_pred)` is the loss of each row."""

from __future__ import annotations

from typing import Any

from thalweg.losses import numbers, probabilities
from thalweg.losses.loss import Loss
from thalweg.ops.tensor import Operators
from thalweg.ops.with_numpy import ArrayResult
from thalweg.support.naming import snake_case

__all__ = [
    "MAE", "MAPE", "MSE", "MSLE", "LossFunction", "bce", "binary_crossentropy", "binary_focal_crossentropy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_generalized_cross_entropy",
    "categorical_hinge", "cosine_similarity", "dice", "hinge", "huber", "kl_divergence", "kld", "log_cosh", "mae",
    "mape", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "mse", "msle", "poisson", "sparse_categorical_crossentropy", "squared_hinge",
    "tversky",
]  # fmt: skip


class LossFunction:
    """The loss of each row, as a function of targets and predictions; `compile` takes it in place of the class.

    >>> mean_absolute_error([[0.0, 2.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]])
    array([1., 0.])
    >>> huber([[0.0]], [[3.0]], delta=2.0)
    array([4.])
    """

    def __init__(self, kind: type[Loss]) -> None:
        self.kind = kind
        self.__name__ = snake_case(kind.__name__)
        self.__doc__ = kind.__doc__

    def __call__(self, y_true: Any, y_pred: Any, *arguments: Any, **options: Any) -> Any:
        """(rows, …): a number for each row, or each position in it, in float64; a tensor if either is a tensor.

        Args:
            y_true, y_pred: targets and predictions, (rows, …, outputs).
            arguments, options: those of the class, without `reduction`.
        """
        if "reduction" in options:
            raise TypeError(f"{self.__name__} gives a number for each row: only the class has a reduction")
        loss = self.kind(*arguments, **options)
        if isinstance(y_true, Operators) or isinstance(y_pred, Operators):
            return loss.on_tensors(y_true, y_pred)
        return ArrayResult.of(loss.rows(y_true, y_pred))

    def __repr__(self) -> str:
        return f"<function {self.__name__}>"

    def __reduce__(self) -> str:
        return self.__name__  # a copy is the function itself


binary_crossentropy = LossFunction(probabilities.BinaryCrossentropy)
binary_focal_crossentropy = LossFunction(probabilities.BinaryFocalCrossentropy)
categorical_crossentropy = LossFunction(probabilities.CategoricalCrossentropy)
categorical_focal_crossentropy = LossFunction(probabilities.CategoricalFocalCrossentropy)
categorical_generalized_cross_entropy = LossFunction(probabilities.CategoricalGeneralizedCrossEntropy)
categorical_hinge = LossFunction(numbers.CategoricalHinge)
cosine_similarity = LossFunction(numbers.CosineSimilarity)
dice = LossFunction(probabilities.Dice)
hinge = LossFunction(numbers.Hinge)
huber = LossFunction(numbers.Huber)
kl_divergence = LossFunction(probabilities.KLDivergence)
log_cosh = LossFunction(numbers.LogCosh)
mean_absolute_error = LossFunction(numbers.MeanAbsoluteError)
mean_absolute_percentage_error = LossFunction(numbers.MeanAbsolutePercentageError)
mean_squared_error = LossFunction(numbers.MeanSquaredError)
mean_squared_logarithmic_error = LossFunction(numbers.MeanSquaredLogarithmicError)
poisson = LossFunction(numbers.Poisson)
sparse_categorical_crossentropy = LossFunction(probabilities.SparseCategoricalCrossentropy)
squared_hinge = LossFunction(numbers.SquaredHinge)
tversky = LossFunction(probabilities.Tversky)

# Keras's short names of the same
bce, kld, mae, mape = binary_crossentropy, kl_divergence, mean_absolute_error, mean_absolute_percentage_error
mse, msle = mean_squared_error, mean_squared_logarithmic_error
MAE, MAPE, MSE, MSLE = mae, mape, mse, msle
