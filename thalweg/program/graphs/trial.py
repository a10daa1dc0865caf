"""References that others wrote, tried with a few rows before anything is made of their graphs.

A graph serves any number of rows, and a kernel's any number of the instruction's. A reference may decide by one of
these where its graph can't say so, as `1 if len(x) < 10 else 2` does: then the graph isn't what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.graphs.evaluated import evaluated
from thalweg.program.graphs.sizes import Size
from thalweg.program.graphs.traced_values import Value, constant, value_of, walk
from thalweg.program.graphs.value_functions import Tracing
from thalweg.program.ir.instruction import BYTES, Array, Buffer, Constant, Instruction, StepState
from thalweg.program.ir.references import compute

BATCHES = ((1, 0), (3, 4), (24, 0))
"""The numbers of rows, and where these start in a batch"""
DRAWN: tuple[Callable[[np.random.Generator, tuple[int, ...]], Array], ...] = (
    lambda random, shape: random.random(shape),  # also places in an array, whose first each of these is
    lambda random, shape: random.normal(size=shape),
)


class Memory(dict[Buffer, Array]):
    """An array for each buffer: random numbers."""

    def __init__(self, step: StepState, drawn: Callable[[np.random.Generator, tuple[int, ...]], Array]) -> None:
        self.step, self.drawn, self.random = step, drawn, np.random.default_rng(len(DRAWN))

    def __missing__(self, b: Buffer) -> Array:
        if isinstance(b, Constant):
            self[b] = b.values.astype(np.float64)
        else:
            shape = (*[self.step.rows] * b.per_row, *b.shape)
            whole = b.dtype == BYTES
            self[b] = self.random.integers(0, 256, shape, np.uint8) if whole else self.drawn(self.random, shape)
        return self[b]


def is_foreign(i: Instruction) -> bool:
    """Whether others wrote an instruction, or what it is the derivative of."""
    while isinstance(of := getattr(i, "of", None), Instruction):
        i = of
    return not type(i).__module__.startswith("thalweg.")


def try_out(
    i: Instruction,
    opened: Instruction,
    arrays: Any,
    buffers: Mapping[Buffer, Buffer] = MappingProxyType({}),
    numbers: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Compares an instruction's reference with its graph.

    opened: the same with open numbers, whose graph is tried. arrays: what the graph is traced with. buffers: those of
    the instruction, by the graph's, where they differ. numbers: what is open, by name.

    Raises:
        ThalwegError: they differ, or the reference fails, whatever the numbers are.
    """
    values = [value_of(v) for v in compute(opened, arrays, Tracing()) if v is not None]
    tried, failure = 0, None
    for (rows, first), drawn in product(BATCHES, DRAWN):
        first *= isinstance(arrays.step.first_row, Size)
        memory = Memory(step_of(rows, first), drawn)
        with np.errstate(all="ignore"):
            try:
                wanted = [v for v in compute(i, memory) if v is not None]
            except (ArithmeticError, IndexError, TypeError, ValueError) as error:  # for so many rows, or such numbers
                failure = error
                continue
            found = computed(values, memory, buffers, {**numbers, "rows": rows, "first_row": first})
        tried += 1
        if isinstance(found, Exception) or not all(map(agree, found, wanted)):
            why = f" ({found})" if isinstance(found, Exception) else ""
            raise ThalwegError(
                f"the reference of {i.title} gives something else for {rows} row{'s' * (rows > 1)} than what is traced "
                f"of it{why}: the number of rows, where they start and the seed may decide nothing"
            )
    if not tried:
        raise ThalwegError(f"the reference of {i.title} fails for 1, 3 and 24 rows: {failure}") from failure


def step_of(rows: int, first: int) -> StepState:
    """The state of a step in which no number is what it begins with."""
    batch = StepState(rows=rows, first_row=first, batch_rows=rows + first, order=np.arange(rows))
    return replace(batch, iteration=5, update=3, seed=7, learning_rate=0.25, penalties=0.5)


def computed(
    values: Sequence[Value], memory: Memory, buffers: Mapping[Buffer, Buffer], numbers: Mapping[str, float]
) -> Any:
    """What a graph gives; the error if it gives nothing."""
    read = [v.options["buffer"] for v in walk(values) if v.function == "name"]
    given = {b: memory[buffers.get(b, b)] for b in read}
    try:
        return evaluated(settled(values, numbers), given, memory.step, np)
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        return error


def settled(values: Sequence[Value], numbers: Mapping[str, float]) -> list[Value]:
    """Graphs whose open numbers are given, by name."""

    def number(n: Any) -> Any:
        if isinstance(n, tuple):
            return tuple(map(number, n))
        return eval(str(n), dict(numbers)) if isinstance(n, Size) else n

    new: dict[Value, Value] = {}
    for v in walk(values):
        name = "rows" if v.function == "rows" else v.options.get("name", "") if v.function == "step" else ""
        if v.function == "size":
            new[v] = constant(np.asarray(number(v.options["size"]), v.dtype))
        elif name in numbers:
            new[v] = constant(np.asarray(numbers[name], v.dtype))
        else:
            options = {name: number(o) for name, o in v.options.items()}
            new[v] = Value(v.function, tuple(new[o] for o in v.operands), number(v.shape), v.dtype, options)
    return [new[v] for v in values]


def agree(found: Any, wanted: Any) -> bool:
    """Whether two arrays are the same, but for the order of sums."""
    one, other = np.asarray(found), np.asarray(wanted)
    if one.shape != other.shape:
        return False
    most = np.abs(other[np.isfinite(other)], dtype=np.float64).max(initial=0)
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-9 * most, equal_nan=True))
