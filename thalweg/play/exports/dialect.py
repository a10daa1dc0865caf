"""The two languages of exported programs: thalweg, and Keras where it has another name or another way."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from thalweg import activations, initializers, words
from thalweg.activations import FormulaFunction
from thalweg.losses import FormulaLoss, SumSquaredError
from thalweg.play.exercises.exercise import Exercise
from thalweg.play.exports.exports_as_json import (
    CLASSES,
    KERAS_ACTIVATIONS,
    KERAS_LOSSES,
    KERAS_OPTIMIZERS,
    KERAS_SCHEDULES,
    SAME,
)
from thalweg.play.exports.keras_formulas import in_keras
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.training import knobs
from thalweg.support.naming import choose, snake_case


@dataclass(frozen=True)
class Dialect:
    """How a program says things. Methods return expressions, or the lines of functions that they need before."""

    name: str  # of the package
    schedules: str

    @property
    def keras(self) -> bool:
        """Whether it is Keras's."""
        return self.name == "keras"

    def parts(self) -> list[str]:
        """Its modules that a program may use."""
        return ["initializers", "layers", "optimizers", "regularizers", "ops" if self.keras else "losses"]

    def activation(self, name: str) -> str:
        """An activation: a name in quotes, or of Keras what computes it."""
        if not self.keras or name in KERAS_ACTIVATIONS:
            return quoted(name)
        function = activations.get(name)
        if isinstance(function, FormulaFunction):
            return f"lambda x: {in_keras(name)}"
        equation = getattr(function, "equation", None)
        if equation is None or "\n" in equation.value.strip():
            raise self.lacks(words.text("activation", context="of Keras"), name)
        return f"lambda h: {in_keras(equation.value)}"

    def loss(self, state: State, exercise: Exercise) -> str:
        """The loss."""
        loss = knobs.loss(state, exercise)
        if isinstance(loss, FormulaLoss):
            formula = in_keras(loss.text) if self.keras else ""
            return f"lambda y_true, y_pred: ops.mean({formula}, axis=-1)" if self.keras else quoted(loss.text)
        if isinstance(loss, SumSquaredError):
            if self.keras:
                return f"lambda y_true, y_pred: {0.5 if loss.half else 1.0} * ops.sum((y_true - y_pred) ** 2, axis=-1)"
            return f"losses.SumSquaredError(half={loss.half})"
        name = snake_case(type(loss).__name__)
        if self.keras and name not in KERAS_LOSSES:
            raise self.lacks(words.text("loss", context="of Keras"), name)
        return quoted(name)

    def initializer(self, given: str | dict[str, Any]) -> str:
        """Initial weights."""
        name, rest = knobs.split(given)
        name = initializers.ALIASES.get(name, name)
        if rest:
            return f"initializers.{CLASSES[name].__name__}({written(rest)})"
        return quoted(SAME.get(name, name))  # as both know it

    def array(self, values: Any) -> str:
        """Given weights."""
        array = f"np.array({values!r})"
        return f"initializers.Constant({array})" if self.keras else array

    def optimizer(self, state: State, rate: str) -> str:
        """The optimizer with its learning rate."""
        name, rest = knobs.split(state.optimizer)
        if self.keras and name not in KERAS_OPTIMIZERS:
            raise self.lacks(words.text("optimizer"), name)
        return f"optimizers.{CLASSES[name].__name__}({', '.join([rate, *([written(rest)] if rest else [])])})"

    def rate(self, state: State) -> str:
        """The learning rate: a number, or a schedule."""
        if state.schedule is None or state.schedule == "constant":
            return repr(state.learning_rate)
        name, rest = knobs.split(state.schedule)
        if self.keras and name not in KERAS_SCHEDULES:
            raise self.lacks(words.text("schedule", context="of Keras"), name)
        kind = choose("schedule", name, knobs.SCHEDULES)
        _, *others = inspect.signature(kind).parameters
        usual = {key: knobs.USUAL[key] for key in others if key in knobs.USUAL}
        return f"{self.schedules}.{CLASSES[name].__name__}({state.learning_rate!r}, {written(usual | rest)})"

    def changes(self, first: float, changes: list[tuple[int, float]]) -> str:
        """A learning rate that was changed by hand: (steps done before, the rate from then on)."""
        rates = {0: first} | dict(changes)  # of several changes before one step, the last counts
        steps = sorted(rates)
        boundaries, values = [step - 1 for step in steps[1:]], [rates[step] for step in steps]
        if not boundaries:
            return repr(values[0])
        return f"{self.schedules}.PiecewiseConstantDecay({boundaries}, {values})"

    def lacks(self, what: words.Text, name: str) -> RefusedError:
        """Keras has no such thing."""
        return RefusedError("Keras has no {what} {name}: choose another to export to Keras", what=what, name=name)


def quoted(text: str) -> str:
    """A text in double quotes, where it has none itself."""
    return repr(text) if set(text) & {'"', "\\", "\n"} else f'"{text}"'


def written(arguments: dict[str, Any]) -> str:
    """Arguments as they are written in a call."""
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())


THALWEG = Dialect("thalweg", "thalweg.schedules")
KERAS = Dialect("keras", "optimizers.schedules")
