"""Attributes and methods that one of an object's parts has."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


def held_by(part: str, name: str, doc: str) -> Any:
    """An attribute of one of the parts."""
    return property(
        lambda self: getattr(getattr(self, part), name),
        lambda self, value: setattr(getattr(self, part), name, value),
        doc=doc,
    )


def done_by(part: str, method: Callable[Concatenate[Any, Given], Result]) -> Callable[Concatenate[Any, Given], Result]:
    """A method of one of the parts."""

    @wraps(method)
    def delegate(self: Any, /, *arguments: Given.args, **named: Given.kwargs) -> Result:
        return method(getattr(self, part), *arguments, **named)

    return delegate
