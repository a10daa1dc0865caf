"""The kinds of arguments that are numbers or names, for everything that declares its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from thalweg.errors import ArgumentError
from thalweg.support.arguments import Checked
from thalweg.support.checks import AT_MOST_1, number, whole
from thalweg.support.naming import choose

Check = Callable[[str, Any], Any]


def optional(check: Check) -> Check:
    """The check of a value that may be None."""
    return lambda what, value: None if value is None else check(what, value)


def least(smallest: int) -> Check:
    """The check of a whole number."""
    return lambda what, value: whole(what, value, smallest)


def within(low: float = 0.0, high: float = math.inf) -> Check:
    """The check of a number in [low, high)."""
    return lambda what, value: number(what, value, low, high)


def positive(high: float = math.inf) -> Check:
    """The check of a number in (0, high)."""

    def check(what: str, value: Any) -> float:
        if (result := number(what, value, 0.0, high)) == 0:
            raise ArgumentError(f"{what} has to be greater than 0")
        return result

    return check


def one_of(*choices: str) -> Check:
    """The check of a name."""
    return lambda what, value: choose(what, value, choices)


def only(value: bool | None, sentence: str) -> Check:
    """The check of an argument of Keras's that can only be None, or False; the sentence says why."""

    def check(what: str, given: Any) -> bool | None:
        if given is not None if value is None else given:
            raise ArgumentError(owner(what) + sentence)
        return value

    return check


def function(what: str, value: Any) -> Any:
    """The check of what is called."""
    if not callable(value):
        raise ArgumentError(f"{what} is a function, got {value!r}")
    return value


def owner(what: str) -> str:
    """The class's name, "Dense", of "Dense's units"."""
    return what.partition("'s ")[0]


Count = Annotated[int, Checked(whole)]
Index = Annotated[int, Checked(least(0))]
Seed = Annotated[int | None, Checked(optional(least(0)))]
Amount = Annotated[float, Checked(number)]
Real = Annotated[float, Checked(within(-math.inf))]
Positive = Annotated[float, Checked(positive())]
Share = Annotated[float, Checked(within(0, 1))]
Portion = Annotated[float, Checked(within(0, AT_MOST_1))]  # 1 included
Function = Annotated[Callable[..., Any], Checked(function, lambda f: getattr(f, "__name__", "function"))]
