"""A program as JSON, for whatever isn't thalweg: values, operations, attributes, equations (docs/architecture.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from thalweg.errors import ThalwegError
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.interchange.operation_names import (
    FORMAT,
    VERSION,
    Json,
    hints,
    is_operand,
    is_record,
    operations,
    optional,
)
from thalweg.program.ir.instruction import (
    GRADIENTS,
    NORMS,
    PARAMETERS,
    REGIONS,
    SLOTS,
    TOTALS,
    Buffer,
    Constant,
    Instruction,
)
from thalweg.program.ir.program import Program
from thalweg.program.passes.scanned import unrolled
from thalweg.support.naming import snake_case

PLACED = (PARAMETERS, GRADIENTS, SLOTS, TOTALS, NORMS)  # regions in which a value's place is part of the program


def to_json(program: Program) -> Json:
    """A plain program as dicts, lists, numbers and texts, by the schema `program.schema.json` beside this file.

    Raises:
        ThalwegError: it holds a Python function, or what an engine made of a program.
    """
    writer, program = Writer(), unrolled(program)
    halves = {
        half: [writer.instruction(i) for i in getattr(program, half)] for half in ("forward", "backward", "update")
    }
    return {"format": FORMAT, "version": VERSION, "every": program.every, "values": writer.values, **halves}


class Writer:
    """Numbers values in the order of their first use: names may repeat."""

    def __init__(self) -> None:
        self.values: list[Json] = []
        self.numbers: dict[Buffer, int] = {}

    def number(self, b: Buffer) -> int:
        """The place of a value in the list; what it is a view of comes before it."""
        if b not in self.numbers:
            written = value(b, None if b.view_of is None else self.number(b.view_of))
            self.numbers[b] = len(self.values)
            self.values.append(written)
        return self.numbers[b]

    def instruction(self, i: Instruction) -> Json:
        """An instruction of the program, with what a reader needs who knows no operation of that name."""
        return {**self.operation(i), **self.derived(i)}

    def operation(self, i: Instruction) -> Json:
        """What makes it: its operation, operands and attributes."""
        name, types = snake_case(type(i).__name__), hints(type(i))
        if isinstance(i, CustomActivation):
            raise ThalwegError(
                f"the activation {i.pair.name} is a Python function, which can't be written: give it as a formula, "
                "such as 'x * sigmoid(x)'"
            )
        if operations().get(name) is not type(i):
            raise ThalwegError(f"'{i.title}' ({i.formula}) is made for a machine: only plain programs can be written")
        found = {key: self.encoded(hint, getattr(i, key)) for key, hint in types.items()}
        operands = {key: found[key] for key, hint in types.items() if is_operand(hint)}
        attributes = {key: found[key] for key in types if key not in operands}
        return {"operation": name, "operands": operands, "attributes": attributes}

    def derived(self, i: Instruction) -> Json:
        """What follows from that: the values that it sets and adds to, its ids, and its equation."""
        adds = [b for b in i.outputs if i.accumulates or b.region == TOTALS]
        sets = [b for b in i.outputs if b not in adds]
        result: Json = {"sets": [self.number(b) for b in sets], "adds": [self.number(b) for b in adds]}
        if i.due:
            result["due"] = True
        if i.labels is not None:
            result["ids"] = {"value": self.number(i.labels[0]), "count": i.labels[1]}
        if (stated := i.stated) is not None:
            result["equation"] = {
                "text": stated.text,
                "values": {name: self.number(b) for name, b in stated.values.items()},
                "numbers": {name: number(float(n)) for name, n in stated.numbers.items()},
                "combine": stated.combine,
            }
        return result

    def encoded(self, hint: Any, given: Any) -> Any:
        """A field's value, by the field's type. Orders count, so that what maps names is a list of pairs."""
        hint, _ = optional(hint)
        if given is None:
            return None
        origin, parts = get_origin(hint), get_args(hint)
        if origin is tuple:
            kinds = parts[:1] * len(given) if parts[-1] is ... else parts
            return [self.encoded(kind, part) for kind, part in zip(kinds, given, strict=True)]
        if origin is Mapping or isinstance(given, dict):
            return [[name, self.encoded(parts[1], part)] for name, part in given.items()]
        if isinstance(given, Buffer):
            return self.number(given)
        if isinstance(given, Instruction):
            return self.operation(given)
        if hint is float:
            return number(float(given))
        if hint in (bool, int, str):
            return hint(given)
        if is_record(hint):
            return {name: self.encoded(kind, getattr(given, name)) for name, kind in hints(hint).items()}
        raise ThalwegError(f"{given!r} can't be written as part of a program")


def value(b: Buffer, view_of: int | None) -> Json:
    """A value without its numbers, which only constants have."""
    if b.region not in REGIONS:
        raise ThalwegError(f"{b} lies in the {b.region} of a machine: only plain programs can be written")
    result: Json = {"name": b.name, "shape": list(b.shape), "dtype": b.dtype, "region": b.region, "per_row": b.per_row}
    if isinstance(b, Constant):
        result["numbers"] = [number(n) for n in b.values.ravel().tolist()]
    elif view_of is not None:
        result["view_of"] = view_of
    elif b.region in PLACED:
        result["offset"] = b.offset
    return result


def number(n: float) -> float | str:
    """A number, or a word where JSON has none."""
    if math.isfinite(n):
        return n
    return "NaN" if math.isnan(n) else "Infinity" if n > 0 else "-Infinity"
