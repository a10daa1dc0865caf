"""What a task requires of a network: output layer, loss and metric, and the value monitored in training.

Runs and comparisons read it here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg import losses
from thalweg.errors import ArgumentError
from thalweg.metrics import BinaryAccuracy, Metric

Task = Literal["binary", "multiclass", "regression"]

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


@dataclass(frozen=True)
class Recipe:
    """How a network for a task ends, and how it is trained and judged.

    >>> recipe("multiclass").units(3), recipe("multiclass").activation, recipe("multiclass").loss
    (3, 'softmax', 'sparse_categorical_crossentropy')

    Attributes:
        task: "binary", "multiclass" or "regression".
        metric: the metric's name, as `compile` takes it; higher is better.
        score: the metric's name for people.
        fitting: the losses that fit the task, the usual one first, with the output layer's activation that each of
            them expects. A margin loss takes any number, with 0 in the middle; a probability loss takes a probability.
        monitor: the logged value that early stopping watches.
    """

    task: Task
    metric: str
    score: str
    fitting: Mapping[str, str]
    monitor: str = "val_loss"

    @property
    def loss(self) -> str:
        """The usual loss."""
        return next(iter(self.fitting))

    @property
    def activation(self) -> str:
        """The output layer's activation for the usual loss."""
        return self.fitting[self.loss]

    def units(self, classes: int) -> int:
        """Units of the output layer: one per class for several classes; one for two classes, and for a number."""
        return classes if self.task == "multiclass" else 1

    def activation_for(self, loss: losses.Loss) -> str:
        """The output layer's activation for a loss; ArgumentError if the loss doesn't fit the task."""
        if loss.name not in self.fitting:
            offered = ", ".join(name for name in self.fitting if name in losses.NAMES)
            raise ArgumentError(f"the loss {loss.name} doesn't fit a {self.task} target; those that do: {offered}")
        return self.fitting[loss.name]

    def metric_for(self, activation: str) -> str | Metric:
        """The metric for an output layer: "yes" is a margin above 0, or a probability of at least 0.5."""
        return BinaryAccuracy(0.0) if self.task == "binary" and activation == "linear" else self.metric

    def encode(self, y: NDArray[Any], units: int, loss: losses.Loss) -> NDArray[Any]:
        """Targets as the loss takes them.

        Args:
            y: class numbers (rows,), or numbers (rows, 1) for regression.
            units: of the output layer.
            loss: for several classes, some losses take class numbers and some one-hot rows.

        Returns:
            float32 (rows, 1) of 0 and 1 for two classes; (rows,) or one-hot float32 (rows, units) for several; y
            itself for regression.
        """
        if self.task == "binary":
            return np.asarray(y, np.float32).reshape(-1, 1)
        if self.task == "multiclass" and loss.target_shape((units,)) != (1,):
            one_hot: NDArray[Any] = np.eye(units, dtype=np.float32)[y]
            return one_hot
        return y


def expecting(activation: str, names: str) -> dict[str, str]:
    """Losses that expect this activation of the output layer."""
    return dict.fromkeys(names.split(), activation)


RECIPES: dict[str, Recipe] = {
    "binary": Recipe(
        "binary", "accuracy", "accuracy",
        expecting(
            "sigmoid",
            """binary_crossentropy binary_focal_crossentropy mean_squared_error sum_squared_error mean_absolute_error
            log_cosh huber poisson dice tversky""",
        )
        | expecting("linear", "hinge squared_hinge"),
    ),
    "multiclass": Recipe(
        "multiclass", "accuracy", "accuracy",
        expecting(
            "softmax",
            """sparse_categorical_crossentropy categorical_crossentropy categorical_focal_crossentropy
            categorical_generalized_cross_entropy kl_divergence mean_squared_error sum_squared_error mean_absolute_error
            log_cosh huber poisson cosine_similarity center_loss dice tversky""",
        )
        | expecting("sigmoid", "binary_crossentropy binary_focal_crossentropy")
        | expecting("linear", "categorical_hinge"),
    ),
    "regression": Recipe(
        "regression", "r2", "R²",
        expecting(
            "linear",
            """mean_squared_error sum_squared_error mean_absolute_error mean_absolute_percentage_error log_cosh huber
            quantile""",
        ),
    ),
}  # fmt: skip


def recipe(task: str) -> Recipe:
    """The recipe of a task; ArgumentError for an unknown task."""
    if task not in TASKS:
        raise ArgumentError(f"task={task!r} is unknown; it is one of {', '.join(TASKS)}")
    return RECIPES[task]
