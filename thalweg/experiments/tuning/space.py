"""What a search may choose: the knobs of a network for a table, and the values that each may take."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thalweg import activations, initializers, losses
from thalweg.data.recipe import Recipe
from thalweg.errors import ArgumentError
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

Value = str | float | int | bool


@dataclass(frozen=True)
class Candidate:
    """One network for a table, and how it is trained: what a trial tries. The defaults are those of `thalweg train`."""

    activation: str = "relu"
    initial_weights: str = "he_normal"  # of the hidden layers; "lsuv" is one too
    loss: str = ""  # the task's usual one
    learning_rate: float = 0.001  # Adam's, at the start of each cycle
    depth: int = 2
    width: int = 128
    dropout: float = 0.1
    batch_size: int = 64
    batch_normalization: bool = False

    def text(self) -> str:
        """In one line.

        >>> Candidate(loss="mean_squared_error").text()
        'relu, he_normal, mean_squared_error, 0.001, 2×128, dropout 0.1, batch 64'
        """
        parts = [self.activation, self.initial_weights, self.loss, f"{self.learning_rate:.2g}"]
        parts += [f"{self.depth}×{self.width}", f"dropout {self.dropout:g}", f"batch {self.batch_size}"]
        return ", ".join([*parts, *["batch norm"] * self.batch_normalization])


KNOBS = tuple(field.name for field in dataclasses.fields(Candidate))
LOSSES = {
    "binary": ("binary_crossentropy", "binary_focal_crossentropy", "mean_squared_error", "squared_hinge"),
    "multiclass": (
        "sparse_categorical_crossentropy",
        "categorical_focal_crossentropy",
        "categorical_generalized_cross_entropy",
        "mean_squared_error",
    ),
    "regression": ("mean_squared_error", "huber", "log_cosh", "mean_absolute_error"),
}


@dataclass(frozen=True)
class Range:
    """The numbers between two, on a logarithmic scale, or in steps."""

    low: float
    high: float
    step: float | None = None  # None: a logarithmic scale

    def at(self, share: float) -> float:
        """The number at this share of the way, 0 ≤ share < 1."""
        if self.step is None:
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + self.step * math.floor(share * (round((self.high - self.low) / self.step) + 1))


Dimension = tuple[Value, ...] | Range


@dataclass(frozen=True)
class Space:
    """The values of every knob, and the default network, which is tried first.

    >>> from thalweg.data.recipe import recipe
    >>> space = Space.of(recipe("regression"), {"activation": ["relu", "mish"], "depth": 2})
    >>> space.dimensions["activation"], space.default.loss, "depth" in space.searched
    (('relu', 'mish'), 'mean_squared_error', False)
    """

    dimensions: Mapping[str, Dimension]
    default: Candidate

    @classmethod
    def of(cls, task: Recipe, given: Mapping[str, Any] | None = None) -> Space:
        """The usual space of a task, with some knobs replaced.

        Args:
            task: what the target asks for.
            given: {knob: values}: a list of values, (low, high) for the learning rate and dropout, or one value, which
                isn't searched then. The default network takes the first value where its own isn't among them.

        Raises:
            ArgumentError: an unknown knob or value, or a loss that doesn't fit the task.
        """
        dimensions: dict[str, Dimension] = {
            "activation": ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh"),
            "initial_weights": ("he_normal", "glorot_uniform", "lecun_normal", "orthogonal"),
            "loss": LOSSES[task.task],
            "learning_rate": Range(1e-4, 5e-2),
            "depth": (1, 2, 3, 4),
            "width": (32, 64, 128, 256),
            "dropout": Range(0.0, 0.4, 0.05),
            "batch_size": (32, 64, 128, 256, 512),
            "batch_normalization": (False, True),
        }
        for knob, values in (given or {}).items():
            choose("knob", knob, KNOBS)
            dimensions[knob] = dimension(knob, values, task)
        default = Candidate(loss=task.loss)
        ends = {knob: nearest(values, getattr(default, knob)) for knob, values in dimensions.items()}
        return cls(dimensions, dataclasses.replace(default, **ends))  # type: ignore[arg-type]

    @property
    def searched(self) -> dict[str, Dimension]:
        """The knobs that have more than one value."""
        return {knob: values for knob, values in self.dimensions.items() if size(values) > 1}

    def distributions(self) -> dict[str, BaseDistribution]:
        """The searched knobs, as Optuna describes them."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        return {
            knob: FloatDistribution(values.low, values.high, log=values.step is None, step=values.step)
            if isinstance(values, Range)
            else CategoricalDistribution(values)
            for knob, values in self.searched.items()
        }

    def suggest(self, trial: BaseTrial) -> None:
        """Has Optuna choose a value of every searched knob."""
        for knob, values in self.searched.items():
            if isinstance(values, Range):
                trial.suggest_float(knob, values.low, values.high, log=values.step is None, step=values.step)
            else:
                trial.suggest_categorical(knob, values)

    def read(self, values: Mapping[str, Any]) -> Candidate:
        """The candidate with these values; knobs that aren't searched have the default's."""
        return dataclasses.replace(self.default, **{k: v for k, v in values.items() if k in self.searched})

    def params(self, candidate: Candidate) -> dict[str, Value]:
        """The values of the searched knobs."""
        return {knob: getattr(candidate, knob) for knob in self.searched}

    def at(self, point: Mapping[str, float]) -> dict[str, Value]:
        """The values at a point of the unit cube, whose axes are the searched knobs."""
        return {
            knob: values.at(point[knob]) if isinstance(values, Range) else values[int(point[knob] * len(values))]
            for knob, values in self.searched.items()
        }

    def facts(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            knob: vars(values) if isinstance(values, Range) else list(values)
            for knob, values in self.dimensions.items()
        }


def size(values: Dimension) -> float:
    """How many values there are."""
    if isinstance(values, tuple):
        return len(values)
    return 1 if values.low == values.high else math.inf


def nearest(values: Dimension, default: Any) -> Any:
    """The default's value where it is allowed; otherwise the first, or the nearer end."""
    if isinstance(values, Range):
        return min(max(default, values.low), values.high)
    return default if default in values else values[0]


def dimension(knob: str, values: Any, task: Recipe) -> Dimension:
    """The checked values of a knob."""
    if knob in ("learning_rate", "dropout") and isinstance(values, tuple):
        if len(values) != 2:
            raise ArgumentError(f"the range of {knob} is (low, high), got {values!r}")
        low, high = (checked(knob, value, task) for value in values)
        if not low < high:
            raise ArgumentError(f"the range of {knob} is (low, high) with low < high, got {values!r}")
        return Range(low, high, None if knob == "learning_rate" else (high - low) / 8)
    listed = list(values) if isinstance(values, (list, tuple)) else [values]
    if not listed:
        raise ArgumentError(f"{knob} has no values to try")
    return tuple(dict.fromkeys(checked(knob, value, task) for value in listed))


def checked(knob: str, value: Any, task: Recipe) -> Any:
    """One value of a knob, checked."""
    if knob == "activation":
        function = activations.get(value)
        if not isinstance(value, str) or getattr(function, "missing", ()):
            raise ArgumentError(f"an activation to try is a name that needs no arguments, got {value!r}")
        return value
    if knob == "initial_weights":
        if value != "lsuv":
            initializers.get(value)
        return str(value)
    if knob == "loss":
        loss = losses.get(value)
        task.activation_for(loss)
        return loss.name
    if knob == "batch_normalization":
        if not isinstance(value, bool):
            raise ArgumentError(f"batch_normalization is True or False, got {value!r}")
        return value
    if knob == "learning_rate":
        return number(knob, value, 1e-12)
    return number(knob, value, 0, 1) if knob == "dropout" else whole(knob, value)
