"""What a perceptron is trained for: scikit-learn's losses and thalweg's, and the output layer that they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from thalweg import losses
from thalweg.data.recipe import Recipe, recipe

Array = NDArray[Any]

# ½·deviance of a Poisson distribution with mean ŷ, of one output; 0 where ŷ = y.
HALF_POISSON_DEVIANCE = "where(y_true > 0, y_true * log(max(y_true, 1e-30) / y_pred), 0) - y_true + y_pred"
SCIKIT_LEARN = {"linear": "identity", "sigmoid": "logistic", "exponential": "exp"}  # its names of activations
OURS = {name: ours for ours, name in SCIKIT_LEARN.items()}


@dataclass(frozen=True)
class Aim:
    """A loss, the output layer's activation, and how the loss is counted.

    Attributes:
        loss: of thalweg.
        activation: of the output layer.
        scale: the factor of the loss: scikit-learn sums over the outputs where thalweg takes their mean.
        shown: the factor of the loss, without penalty, in scikit-learn's report of it.
    """

    loss: losses.Loss
    activation: str
    scale: float = 1.0
    shown: float = 1.0

    @property
    def margin(self) -> bool:
        """Whether a classifier's outputs are margins around 0, no probabilities."""
        return self.activation == "linear"

    def targets(self, y: Array) -> Array:
        """Targets (rows, outputs), or the class numbers of one-hot rows, for losses that take those."""
        if y.shape[1] > 1 and self.loss.target_shape(y.shape[1:]) == (1,):
            numbers: Array = y.argmax(axis=1)[:, None]
            return numbers
        return y

    def reported(self, loss: float, penalty: float) -> float:
        """The loss as scikit-learn reports it."""
        return loss if self.shown == 1 else (loss - penalty) * self.shown + penalty


def aim_of_classes(given: Any, outputs: int, multilabel: bool) -> Aim:
    """The aim of a classifier with these outputs: "log_loss", or a loss of thalweg."""
    one_of_many = outputs > 1 and not multilabel
    if isinstance(given, str) and given == "log_loss":
        if one_of_many:
            return Aim(losses.SparseCategoricalCrossentropy(), "softmax")
        return Aim(losses.BinaryCrossentropy(), "sigmoid", scale=outputs)
    return of_thalweg(given, recipe("multiclass" if one_of_many else "binary"))


def aim_of_numbers(given: Any, outputs: int) -> Aim:
    """The aim of a regressor with these outputs: "squared_error", "poisson", or a loss of thalweg."""
    if isinstance(given, str) and given == "squared_error":
        return Aim(losses.SumSquaredError(half=True), "linear", shown=1 / outputs)
    if isinstance(given, str) and given == "poisson":
        return Aim(losses.FormulaLoss(HALF_POISSON_DEVIANCE), "exponential", scale=outputs)
    return of_thalweg(given, recipe("regression"))


def of_thalweg(given: Any, task: Recipe) -> Aim:
    """The aim of a loss of thalweg, a formula or a function: a loss of one's own gets the task's usual output."""
    loss = losses.get(given)
    if isinstance(loss, losses.FormulaLoss) or loss.own:
        return Aim(loss, task.activation)
    if task.task == "regression" and loss.name not in task.fitting:
        return Aim(loss, "linear")
    return Aim(loss, task.activation_for(loss))
