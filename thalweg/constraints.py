"""Constraints: they keep weights within bounds after every update. Names and defaults are Keras's.

The norms are those of the weights along `axis`: 0 for a dense kernel (inputs, units) gives one norm for each unit,
(0, 1, 2) for a convolution kernel one for each filter. The axes have to be consecutive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from thalweg.errors import ArgumentError, ShapeError
from thalweg.program.instructions.updates import constraints as instructions
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.support import hooks
from thalweg.support.arguments import Checked, Value, arguments
from thalweg.support.checks import Amount, Portion, owner, whole
from thalweg.support.naming import answer_for, choose, snake_case


class Constraint(Value):
    """Base of all constraints."""

    uncalled = hooks.CONSTRAINT

    # For the reference pages.
    formula: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]

    def lower(self, W: Buffer) -> Instruction:
        """The instruction that changes W after an update."""
        raise hooks.unwritten(self, "lower(self, W)", hooks.CONSTRAINT["__call__"])


class NormConstraint(Constraint):
    """Base of constraints that scale the weights along `axis` to a norm."""

    def norms(self) -> tuple[float, float, float]:
        """(least, largest, rate)"""
        raise hooks.unwritten(self, "norms(self)", "it is (least, largest, rate)")

    def lower(self, W: Buffer) -> Instruction:
        outer, reduced, inner = grouped(W.shape, getattr(self, "axis"))  # noqa: B009 — every subclass has one
        return instructions.NormConstraint(W, *self.norms(), outer, reduced, inner)


def grouped(shape: tuple[int, ...], axis: int | Sequence[int]) -> tuple[int, int, int]:
    """The number of elements before, along and after the axes; an axis that the array lacks raises.

    >>> grouped((3, 3, 16, 32), (0, 1, 2)), grouped((5, 7), -1)
    ((1, 144, 32), (5, 7, 1))
    """
    axes = sorted(a + len(shape) if a < 0 else a for a in ((axis,) if isinstance(axis, int) else axis))
    if axes[0] < 0 or axes[-1] >= len(shape):
        raise ShapeError(f"an array of shape {shape} has no axis {axis}, which its constraint names")
    first, after = axes[0], axes[-1] + 1
    return math.prod(shape[:first]), math.prod(shape[first:after]), math.prod(shape[after:])


def check_axis(what: str, axis: Any) -> int | tuple[int, ...]:
    """A whole number, or several consecutive ones."""
    if isinstance(axis, (list, tuple)):
        axes = tuple(whole(what, a, -99) for a in axis)
        if not axes or sorted(axes) != list(range(min(axes), min(axes) + len(axes))):
            raise ArgumentError(f"{owner(what)}'s axes have to be consecutive, such as (0, 1, 2), got {axis!r}")
        return axes
    return whole(what, axis, -99)


Axes = Annotated[int | tuple[int, ...], Checked(check_axis)]


@arguments
class MaxNorm(NormConstraint):
    """w ← w·min(‖w‖, max_value)/(‖w‖ + 1e-7): the norm along `axis` is at most max_value.

    >>> MaxNorm(3).get_config()
    {'max_value': 3.0, 'axis': 0}
    """

    max_value: Amount = 2.0
    axis: Axes = 0

    formula = "w ← w·min(‖w‖, max_value)/(‖w‖ + 10⁻⁷)"
    use = "With dropout and large learning rates: weights can't run away."
    avoid = "With weight decay on the same layer: both act on the same length."
    paper = "Srivastava et al., JMLR 2014"

    def norms(self) -> tuple[float, float, float]:
        return 0.0, self.max_value, 1.0


@arguments
class MinMaxNorm(NormConstraint):
    """w ← w·d/(‖w‖ + 1e-7), d = rate·clip(‖w‖, min_value, max_value) + (1 − rate)·‖w‖.

    rate=1 enforces the bounds at once; a smaller one lets the norm move towards them.
    """

    min_value: Amount = 0.0
    max_value: Amount = 1.0
    rate: Portion = 1.0
    axis: Axes = 0

    formula = "w ← w·(rate·clip(‖w‖, min_value, max_value) + (1 − rate)·‖w‖)/(‖w‖ + 10⁻⁷)"
    use = "To keep the norm of every unit's weights between two bounds."
    avoid = "Biases and layers that have to learn their scale."
    paper = "Keras"

    def __post_init__(self) -> None:
        if self.max_value < self.min_value:
            raise ArgumentError(f"MinMaxNorm's max_value {self.max_value:g} is below its min_value {self.min_value:g}")

    def norms(self) -> tuple[float, float, float]:
        return self.min_value, self.max_value, self.rate


@arguments
class UnitNorm(NormConstraint):
    """w ← w/(‖w‖ + 1e-7): every norm along `axis` is 1."""

    axis: Axes = 0

    formula = "w ← w/(‖w‖ + 10⁻⁷)"
    use = "Where only the direction of a unit's weights matters, as for cosine similarity."
    avoid = "Layers that have to learn their scale, such as the last one of a regression."
    paper = "Keras"

    def norms(self) -> tuple[float, float, float]:
        return 1.0, 1.0, 1.0


class NonNeg(Constraint):
    """w ← max(w, 0): no weight is negative."""

    formula = "w ← max(w, 0)"
    use = "Where a larger input must never mean a smaller output: with rising activations the network is monotonic."
    avoid = "Everywhere else: a unit loses half of what it can express."
    paper = "Sill, NIPS 1997 (monotonic networks)"

    def lower(self, W: Buffer) -> Instruction:
        return instructions.non_negative(W)


CLASSES: dict[str, type[Constraint]] = {c.__name__: c for c in (MaxNorm, MinMaxNorm, UnitNorm, NonNeg)}
NAMES: dict[str, type[Constraint]] = {snake_case(name): c for name, c in CLASSES.items()}
ConstraintLike = str | Constraint | dict[str, Any] | None  # what `get` takes


# Keras's other names: each is the same class.
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


def get(identifier: ConstraintLike) -> Constraint | None:
    """A constraint from its name, from what `serialize` returned, or itself; None stays None.

    >>> get("max_norm")
    MaxNorm(max_value=2.0, axis=0)
    """
    if identifier is None or isinstance(identifier, Constraint):
        return identifier
    if isinstance(identifier, dict):
        return choose("constraint", identifier["class_name"], CLASSES)(**identifier["config"])
    if callable(identifier):
        raise ArgumentError(
            "a constraint is a name or one of thalweg.constraints; a Python function can't run inside the compiled "
            f"update, got {identifier!r}"
        )
    return choose("constraint", identifier, NAMES | CLASSES)()


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """A plain description that `get` turns back into an equal constraint."""
    if constraint is None:
        return None
    return {"class_name": type(constraint).__name__, "config": constraint.get_config()}


answer_for(__name__)
