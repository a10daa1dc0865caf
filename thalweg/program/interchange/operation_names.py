"""The operations that a written program may name, and what is known of their fields."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

import thalweg.program.instructions as package
from thalweg.program.instructions.recurrence.backward import Loop
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.support.naming import snake_case

FORMAT, VERSION = "thalweg program", 1
Json = dict[str, Any]


@cache
def operations() -> Mapping[str, type[Instruction]]:
    """Every instruction of programs that know no machine, by the name of its class. A file can name no other class.

    But for scans, which are written step by step.
    """
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    all_of_them = (c for c in subclasses(Instruction) if not issubclass(c, Loop))
    own = (c for c in all_of_them if c.__module__.startswith(f"{package.__name__}."))
    return {snake_case(c.__name__): c for c in sorted(own, key=lambda c: c.__name__) if hasattr(c, "name")}


def subclasses(kind: type[Instruction]) -> Iterator[type[Instruction]]:
    """All below a class."""
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def hints(kind: Any) -> Mapping[str, Any]:
    """The fields of a dataclass with their types."""
    return fields_and_types(kind)


@cache
def fields_and_types(kind: Any) -> Mapping[str, Any]:
    types = get_type_hints(kind)
    return {field.name: types[field.name] for field in fields(kind)}


def is_record(hint: Any) -> bool:
    """Whether a field of this type holds fields of its own."""
    return is_dataclass(hint)


def is_operand(hint: Any) -> bool:
    """Whether a field of this type holds values of the program; the others are attributes."""
    return any(is_operand(part) for part in get_args(hint)) or (isinstance(hint, type) and issubclass(hint, Buffer))


def optional(hint: Any) -> tuple[Any, bool]:
    """A type without None, and whether None is allowed."""
    parts = get_args(hint)
    if NoneType not in parts:
        return hint, False
    (kind,) = (part for part in parts if part is not NoneType)
    return kind, True
