"""Native variants: subclasses of the program's instructions that do more at once, or work on another layout.

A program begins with the neutral instructions; a pass takes the variant where it needs what only that can do.
"""

from __future__ import annotations

from typing import Any

from thalweg.engine.native.instructions import convolution, elementwise, embedding, linear, normalization, updates
from thalweg.engine.native.instructions.changes import variant
from thalweg.engine.native.instructions.images import pooling
from thalweg.program.ir.instruction import Instruction


def neutral(kind: type[Instruction]) -> type[Instruction]:
    """The program's instruction of which a class is the variant."""
    return next(base for base in kind.__bases__ if base.__module__.startswith(Instruction.__module__.split(".ir.")[0]))


MODULES = (convolution, elementwise, embedding, linear, normalization, pooling, updates)
VARIANTS: dict[type[Instruction], type[Instruction]] = {
    neutral(kind): kind for module in MODULES for name, kind in vars(module).items() if name.startswith("Native")
}


def native(i: Instruction, **changes: Any) -> Instruction:
    """The native variant of an instruction with these fields; the instruction itself changed, if it has none."""
    return variant(VARIANTS.get(type(i), type(i)), i, **changes)
