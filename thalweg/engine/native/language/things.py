"""Values while a kernel is compiled: parts in LLVM's code, or what is known already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from thalweg.engine.native.language.rules import Broken
from thalweg.engine.native.language.types import OF_PYTHON, Number, Type, codes, int64


@dataclass(frozen=True, slots=True)
class Value:
    """A number or an array in the code that is made: its type, and its parts (`codes`)."""

    type: Any  # a Number or an Array
    parts: tuple[ir.Value, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a kernel is compiled: a number, a function, a type, a module."""

    value: Any

    @property
    def is_number(self) -> bool:
        return type(self.value) in OF_PYTHON


Thing = Value | Known | tuple[Any, ...]
"""A tuple of things is a tuple of the language."""


def known(value: Any) -> Thing:
    """Something of Python's."""
    return tuple(map(known, value)) if isinstance(value, tuple) else Known(value)


def constant(kind: Number, value: Any) -> Value:
    """A number of this type."""
    if kind is int64 and not -(1 << 63) <= value < 1 << 63:
        raise Broken("range", what=value)
    return Value(kind, (ir.Constant(kind.code, float(value) if kind.kind == "f" else int(value)),))


def computed(thing: Thing) -> Thing:
    """The same with numbers that are known as numbers of the code."""
    if isinstance(thing, tuple):
        return tuple(map(computed, thing))
    if isinstance(thing, Known) and thing.is_number:
        return constant(OF_PYTHON[type(thing.value)], thing.value)
    return thing


def type_of(thing: Thing) -> Type:
    """The type of what has parts alone; TypeError otherwise."""
    if isinstance(thing, tuple):
        return tuple(map(type_of, thing))
    if isinstance(thing, Known):
        raise TypeError(f"{thing.value!r} is no value")
    return thing.type  # type: ignore[no-any-return]


def parts(thing: Thing) -> list[ir.Value]:
    """The parts of all values in it."""
    if isinstance(thing, tuple):
        return [part for inner in thing for part in parts(inner)]
    return list(thing.parts) if isinstance(thing, Value) else []


def like(thing: Thing, given: Iterator[ir.Value]) -> Thing:
    """The same thing with other parts."""
    if isinstance(thing, tuple):
        return tuple(like(inner, given) for inner in thing)
    return Value(thing.type, tuple(next(given) for _ in thing.parts)) if isinstance(thing, Value) else thing


def of_type(kind: Type, given: Iterator[ir.Value]) -> Thing:
    """A value of this type, with these parts."""
    if kind is None:
        return Known(None)
    if isinstance(kind, tuple):
        return tuple(of_type(inner, given) for inner in kind)
    return Value(kind, tuple(next(given) for _ in codes(kind)))


def key(thing: Thing) -> Any:
    """What a function is compiled for: the types of its arguments, and what is known."""
    if isinstance(thing, tuple):
        return tuple(map(key, thing))
    if isinstance(thing, Value):
        return thing.type
    return (type(thing.value), thing.value if thing.is_number else id(thing.value))
