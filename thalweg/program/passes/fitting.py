"""Whether the operands of an instruction have shapes that fit together, by its own statement.

`Instruction.shapes` names the axes of each operand: "x: rows … n; W: n units; h: rows … units". `rows` is the axis of
the rows, of what is per row. `…` stands for any number of axes, the rows' among them. The same name is the same size
everywhere; 1, 2·n and n+1 are sizes, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from thalweg.program.ir.instruction import Buffer, Instruction, fields_of

TIMES, PLUS = re.compile(r"(\d+)·(\w+)"), re.compile(r"(\w+)\+(\d+)")


@lru_cache(maxsize=256)
def axes_of(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of operands, and of the axes of each."""
    parts = (part.split(":") for part in text.split(";") if part.strip())
    return tuple((name.strip(), tuple(axes.split())) for name, axes in parts)


def unfitting(instructions: Iterable[Instruction]) -> Iterator[str]:
    """What doesn't fit together, instruction by instruction; of one that it holds, too."""
    for i in instructions:
        for part in (i, *(v for v in fields_of(i).values() if isinstance(v, Instruction))):
            if (wrong := next(misfits(part), None)) is not None:
                yield f"'{i.title}' ({i.formula}): {wrong} of shape {wrong.shape} doesn't fit into {part.shapes}"
            elif not part.fits:
                yield f"'{i.title}' ({i.formula}): its operands and attributes don't fit together"


def misfits(i: Instruction) -> Iterator[Buffer]:
    """The operands whose axes contradict those before them."""
    known: dict[str, Any] = {}
    for name, axes in axes_of(i.shapes):
        operand = getattr(i, name)
        for b in operand if isinstance(operand, tuple) else (operand,):
            if b is not None and not agrees(axes, ("rows",) * b.per_row + b.shape, known):
                yield b


def agrees(axes: tuple[str, ...], own: tuple[Any, ...], known: dict[str, Any]) -> bool:
    """Whether a shape is what its axes are named, and the same names are the same sizes; new ones are noted."""
    if "…" in axes:
        first, many = axes.index("…"), len(own) - len(axes) + 1
        own = (*own[:first], own[first : first + many], *own[first + many :]) if many >= 0 else ()
    return len(own) == len(axes) and all(n == size(axis, n, known) for axis, n in zip(axes, own, strict=True))


def size(axis: str, n: Any, known: dict[str, Any]) -> Any:
    """What an axis has to be; `n` if its name is new."""
    if axis == "rows" or n == "rows":
        return axis
    if found := TIMES.fullmatch(axis):
        return int(found[1]) * known.get(found[2], 0)
    if found := PLUS.fullmatch(axis):
        return known.get(found[1], -1) + int(found[2])
    return int(axis) if axis.isdigit() else known.setdefault(axis, n)
