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
from thalweg.tabular.blueprint import CLASS_DROPOUT, RATE
from thalweg.tabular.qualities import Settings

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | float | int | bool
BY_INPUTS = "by_inputs"
"""The estimators' own initial weights: W ~ N(0, 1/inputs) and b ~ N(0, 1)."""
NUMBERS = ("plain", "embedded", "coded")
BATCHES = (16, 32, 64, 128, 256, 512)
"""Of these, a quarter to four times the default."""


@dataclass(frozen=True)
class Candidate:
    """One network for a table, and how it is trained: what a trial tries. See `TabularClassifier` for most of them.

    Attributes:
        activation, initial_weights, loss, learning_rate: the four knobs. "by_inputs" are the estimators' own initial
            weights, W ~ N(0, 1/inputs) and b ~ N(0, 1).
        depth, width: how many hidden layers, and how many units in each.
        dropout, batch_size: as everywhere.
        batch_normalization: whether it stands before each hidden layer's activation.
        numbers: how the table's numbers enter: "plain", "embedded" (beside a periodic embedding), or "coded" (beside
            that and codes of tree edges, as in the estimators).
    """

    activation: str
    initial_weights: str
    loss: str
    learning_rate: float
    depth: int
    width: int
    dropout: float
    batch_size: int
    batch_normalization: bool
    numbers: str

    @property
    def settings(self) -> Settings:
        """The settings of an estimator's network."""
        return Settings(
            members=1,
            layers=(self.width,) * self.depth,
            activation=self.activation,
            initial_weights=None if self.initial_weights == BY_INPUTS else self.initial_weights,
            loss=self.loss,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            dropout=self.dropout,
            batch_normalization=self.batch_normalization,
        )

    def text(self) -> str:
        """In one line: "mish, by_inputs, huber, rate 0.04, 3×128, dropout 0, batch 256, numbers coded"."""
        parts = [self.activation, self.initial_weights, self.loss, f"rate {self.learning_rate:.2g}"]
        parts += [f"{self.depth}×{self.width}", f"dropout {self.dropout:g}", f"batch {self.batch_size}"]
        return ", ".join([*parts, *["batch norm"] * self.batch_normalization, f"numbers {self.numbers}"])


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


def default_candidate(task: Recipe, rows: int) -> Candidate:
    """The estimators' network for so many rows to learn from."""
    own = Settings()
    return Candidate(
        activation=own.activation,
        initial_weights=BY_INPUTS,
        loss=task.loss,
        learning_rate=RATE,
        depth=len(own.layers),
        width=own.layers[0],
        dropout=0.0 if task.task == "regression" else CLASS_DROPOUT,
        batch_size=own.batch_of(rows),
        batch_normalization=False,
        numbers=NUMBERS[-1],
    )


@dataclass(frozen=True)
class Range:
    """The numbers between two, on a logarithmic scale, or in steps."""

    low: float
    high: float
    step: float | None = None  # None: a logarithmic scale

    def at(self, share: float) -> float:
        """The number at this share of the way, 0 ≤ share < 1.

        >>> Range(0.01, 1.0).at(0.5), Range(0.0, 0.4, 0.1).at(0.99)
        (0.1, 0.4)
        """
        if self.step is None:
            found = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + self.step * math.floor(share * (round((self.high - self.low) / self.step) + 1))
        return min(max(round(found, 12), self.low), self.high)


Dimension = tuple[Value, ...] | Range


@dataclass(frozen=True)
class Space:
    """The values of every knob, and the default network, which is tried first.

    >>> from thalweg.data.recipe import recipe
    >>> space = Space.of(recipe("regression"), 1000, {"activation": ["relu", "mish"], "depth": 2})
    >>> space.dimensions["activation"], space.default.loss, "depth" in space.searched
    (('relu', 'mish'), 'mean_squared_error', False)
    """

    dimensions: Mapping[str, Dimension]
    default: Candidate

    @classmethod
    def of(cls, task: Recipe, rows: int, given: Mapping[str, Any] | None = None) -> Space:
        """The usual space of a task, with some knobs replaced.

        Args:
            task: what the target asks for. rows: to learn from.
            given: {knob: values}: a list of values, (low, high) for the learning rate and dropout, or one value, which
                isn't searched then. The default network takes the first value where its own isn't among them.

        Raises:
            ArgumentError: an unknown knob or value, or a loss that doesn't fit the task.
        """
        default = default_candidate(task, rows)
        batches = tuple(b for b in BATCHES if default.batch_size <= 4 * b <= 16 * default.batch_size)
        dimensions: dict[str, Dimension] = {
            "activation": ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh"),
            "initial_weights": (BY_INPUTS, "he_normal", "glorot_uniform", "orthogonal"),
            "loss": LOSSES[task.task],
            "learning_rate": Range(0.003, 0.3),
            "depth": (1, 2, 3, 4),
            "width": (32, 64, 128, 256),
            "dropout": Range(0.0, 0.4, 0.05),
            "batch_size": batches or (default.batch_size,),
            "batch_normalization": (False, True),
            "numbers": NUMBERS,
        }
        for knob, values in (given or {}).items():
            choose("knob", knob, KNOBS)
            dimensions[knob] = dimension(knob, values, task)
        ends: dict[str, Any] = {knob: nearest(values, getattr(default, knob)) for knob, values in dimensions.items()}
        return cls(dimensions, dataclasses.replace(default, **ends))

    @property
    def searched(self) -> dict[str, Dimension]:
        """The knobs that have more than one value."""
        return {k: v for k, v in self.dimensions.items() if (v.low < v.high if isinstance(v, Range) else len(v) > 1)}

    def suggest(self, trial: Trial) -> None:
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

    def one_by_one(self) -> list[Candidate]:
        """The default, and candidates that differ from it in one knob: each value of a knob is in one of them."""
        found = [self.default]
        for knob, values in self.searched.items():
            others: tuple[Any, ...] = (values.low, values.high) if isinstance(values, Range) else values
            found += [dataclasses.replace(self.default, **{knob: value}) for value in others]
        return list(dict.fromkeys(found))

    def facts(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {k: dict(vars(v)) if isinstance(v, Range) else list(v) for k, v in self.dimensions.items()}


def nearest(values: Dimension, default: Any) -> Any:
    """The default's value where it is allowed; otherwise the first, or the nearer end."""
    if isinstance(values, Range):
        if values.step is None or values.low <= default <= values.high:
            return min(max(default, values.low), values.high)
        return values.low
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
        function: Any = activations.get(value)
        if not isinstance(value, str) or getattr(function, "missing", None):
            raise ArgumentError(f"an activation to try is a name that needs no arguments, got {value!r}")
        return value
    if knob == "initial_weights":
        if value != BY_INPUTS:
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
    if knob == "numbers":
        return choose("way of numbers to enter the network", value, NUMBERS)
    if knob == "learning_rate":
        return number(knob, value, 1e-12)
    return number(knob, value, 0, 1) if knob == "dropout" else whole(knob, value)
