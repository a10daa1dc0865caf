"""How an instruction's reference is called: with the arrays of the operands that its parameters name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from thalweg.program.ir.instruction import Array, Buffer, Instruction


@cache
def parameters(kind: Any) -> tuple[str, ...]:
    """The names of the parameters after the array library of a class's `reference`."""
    return tuple(inspect.signature(kind.reference).parameters)[2:]


def argument(value: Any, values: Mapping[Buffer, Array], xp: Any) -> Any:
    """The argument that a reference gets for a field: an array of `xp`, None, or a tuple of arrays."""
    if isinstance(value, Buffer):
        return values[value] if xp is np else xp.asarray(values[value])
    return value if value is None else tuple(argument(v, values, xp) for v in value)


def compute(instruction: Instruction, values: Any, xp: Any = np) -> tuple[Any, ...]:
    """The results of an instruction's reference on arrays of `xp`, in the order of `writes`.

    values: the arrays by buffer, and the step's state as `step`.
    """
    arguments = [
        values.step if name == "step" else argument(getattr(instruction, name), values, xp)
        for name in parameters(type(instruction))  # type: ignore[arg-type]
    ]
    results = instruction.reference(xp, *arguments)
    return results if isinstance(results, tuple) else (results,)
