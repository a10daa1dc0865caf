"""An instruction with other fields, and what stands behind many of them: a relu, or a relu's adjoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from inspect import get_annotations
from typing import Any, TypeVar

from thalweg.program.ir.instruction import Array, Buffer, Instruction, fields_of

Kind = TypeVar("Kind", bound=Instruction)


class Flagged(Instruction):
    """Base of variants whose whole numbers and truth values are sizes, too."""

    @property
    def sizes(self) -> dict[str, Any]:
        kinds = (kind for kind in type(self).__mro__ if issubclass(kind, Flagged))
        values = {name: getattr(self, name) for kind in kinds for name in get_annotations(kind)}
        return {**super().sizes, **{name: int(value) for name, value in values.items() if isinstance(value, int)}}


def variant(kind: type[Kind], i: Instruction, **changes: Any) -> Kind:
    """An instruction as a variant of its class, with these fields changed or added."""
    return kind(**(fields_of(i) | changes))


def on_buffers(i: Instruction, others: Mapping[Buffer, Buffer]) -> Instruction:
    """The same instruction on other buffers."""
    changes = {name: others[b] for name, b in fields_of(i).items() if isinstance(b, Buffer) and b in others}
    return replace(i, **changes)  # type: ignore[type-var]


def ended(formula: str, relu: bool, a: Buffer | None) -> str:
    """The formula of a product followed by a relu or a relu's adjoint."""
    result, _, value = formula.partition(" = ")
    value = f"max({value}, 0)" if relu else value
    return f"{result} = {value}" + ("" if a is None else f"·[{a} > 0]")


def end(xp: Any, h: Array, relu: bool, a: Array | None) -> Array:
    """A product h followed by a relu or a relu's adjoint."""
    h = xp.maximum(h, 0) if relu else h
    return h if a is None else h * (a > 0)
