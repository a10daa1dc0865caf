"""The kinds of arguments that several layers take: what may be given, how it is checked, what is kept and saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from thalweg import activations, constraints, initializers, regularizers
from thalweg.errors import ArgumentError
from thalweg.support.arguments import Checked, Taken
from thalweg.support.checks import *  # noqa: F403 — as kinds of layers, too
from thalweg.support.checks import Check, optional, owner, whole
from thalweg.support.naming import choose


def sizes(dimensions: int, smallest: int = 1) -> Check:
    """The check of a whole number for all dimensions, or one for each."""

    def check(what: str, value: Any) -> tuple[int, ...]:
        values = list(value) if isinstance(value, (list, tuple)) else [value] * dimensions
        if len(values) != dimensions:
            many = {2: "two", 3: "three"}[dimensions]
            raise ArgumentError(f"{what} is a whole number or {many} of them, got {value!r}")
        return tuple(whole(what, n, smallest) for n in values)

    return check


def single(smallest: int = 1) -> Check:
    """The check of a whole number, or a list with just one."""

    def check(what: str, value: Any) -> int:
        listed = isinstance(value, (list, tuple)) and len(value) == 1
        return whole(what, value[0] if listed else value, smallest)

    return check


def last_axis(what: str, axis: Any) -> int:
    """An axis that may be the last one: −1, or its number, which `check_last_axis` checks once the shape is known."""
    one = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    if isinstance(one, bool) or not isinstance(one, (int, np.integer)) or (one != -1 and one < 1):
        raise ArgumentError(
            f"{owner(what)} works along the last axis: axis is -1 or its number, rows being axis 0, got {axis!r}"
        )
    return int(one)


def channels_last(what: str, data_format: Any) -> Any:
    """Raises for images whose channels come first."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{owner(what)} takes images as (height, width, channels): data_format='channels_last', not {data_format!r}"
        )
    return data_format


def padding(*names: str) -> Check:
    """The check of a name of padding, in small letters or capitals, as in Keras."""

    def check(what: str, value: Any) -> str:
        return choose("padding", value.lower() if isinstance(value, str) else value, names)

    return check


def listed(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    return None if value is None else [listed(v) if isinstance(v, tuple) else v for v in value]


def penalty_on_outputs(what: str, value: Any) -> regularizers.Regularizer | None:
    """A penalty that `Builder.penalize` knows; one on matrices raises."""
    penalty = regularizers.get(value)
    if penalty is not None:
        penalty.factors()
    return penalty


Axis = Annotated[int, Checked(last_axis)]
Padding = Annotated[str, Checked(padding("valid", "same"))]
CausalPadding = Annotated[str, Checked(padding("valid", "same", "causal"))]
DataFormat = Annotated[str | None, Checked(channels_last, kept=False)]

Sizes = int | Sequence[int]
Pair = Annotated[Taken[Sizes, tuple[int, int]], Checked(sizes(2), listed)]
Triple = Annotated[Taken[Sizes, tuple[int, int, int]], Checked(sizes(3), listed)]
Single = Annotated[int, Checked(single())]
MaybePair = Annotated[Taken[Sizes | None, tuple[int, int] | None], Checked(optional(sizes(2, 0)), listed)]
MaybeSingle = Annotated[int | None, Checked(optional(single(0)))]

Activation = Annotated[
    Taken[str | activations.ActivationFunction | None, activations.ActivationFunction],
    Checked(lambda what, value: activations.get(value), activations.serialize),
]
Initializer = Annotated[
    Taken[initializers.InitializerLike, initializers.Initializer],
    Checked(lambda what, value: initializers.get(value), initializers.serialize),
]
RegularizerLike = str | regularizers.Regularizer | None
Regularizer = Annotated[
    Taken[RegularizerLike, regularizers.Regularizer | None],
    Checked(lambda what, value: regularizers.get(value), regularizers.serialize),
]
ActivityRegularizer = Annotated[
    Taken[RegularizerLike, regularizers.Regularizer | None], Checked(penalty_on_outputs, regularizers.serialize)
]
Constraint = Annotated[
    Taken[constraints.ConstraintLike, constraints.Constraint | None],
    Checked(lambda what, value: constraints.get(value), constraints.serialize),
]
