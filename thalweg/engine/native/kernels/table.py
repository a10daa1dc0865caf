"""The native kernel of every instruction, by the instruction's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.custom import is_custom, kernel_of_custom
from thalweg.engine.native.kernels.generated.formulas import kernel_of_equation
from thalweg.engine.native.kernels.generated.norm_penalties import kernel_of_penalty
from thalweg.engine.native.kernels.generated.pointwise import kernel_of_pointwise
from thalweg.engine.native.kernels.generated.updates import kernel_of_statements
from thalweg.program.instructions.losses.penalties import NormPenalty
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import Buffer, Instruction

KERNEL = re.compile(r"^def (\w+)\(o, c, s, f\):", re.M)


def kernels() -> Iterator[tuple[str, Kernel]]:
    """Every function of (o, c, s, f) in this folder. Its files aren't imported, as their decorators need numba."""
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        module = ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts))
        yield from ((name, Kernel(module, name)) for name in KERNEL.findall(path.read_text(encoding="utf-8")))


KERNELS = dict(kernels())
MACHINE = Kernel("runtime.machine", "machine")
SUMMARISE, ACTIVITY = (Kernel("runtime.vector_sums", name) for name in ("summarise", "activity"))
FLUSH, RESTORE = (Kernel("runtime.denormals", name) for name in ("flush", "restore"))


# The operands that these kernels take: those behind the program's own belong to native variants.
OPERANDS = {"input_gradient": 4, "weight_gradient": 4, "average_pooling_adjoint": 3, "batch_sums": 8} | {
    f"{kind}{name}": count
    for kind in ("", "depthwise_")
    for name, count in (("convolution", 5), ("transposed_convolution", 6))
}


def operands_of(i: Instruction) -> list[Buffer | None]:
    """An instruction's operands as its kernel takes them, None for those that it doesn't have."""
    return [*i.operands, *[None] * (OPERANDS.get(i.kernel, 0) - len(i.operands))]


def kernel_of(i: Instruction) -> Kernel:
    """The kernel that executes an instruction: handwritten, or generated from its equation or a user's function."""
    if i.kernel in KERNELS:
        return KERNELS[i.kernel]
    if isinstance(i, Statements):
        return kernel_of_statements(i)
    if isinstance(i, NormPenalty):
        return kernel_of_penalty(i)
    if isinstance(i, Pointwise):
        return kernel_of_pointwise(i)
    return kernel_of_custom(i) if is_custom(i) else kernel_of_equation(i)
