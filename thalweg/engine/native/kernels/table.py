"""The native kernel of every instruction, by the instruction's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.activated_losses import kernel_of_activated
from thalweg.engine.native.kernels.generated.custom import is_custom, kernel_of_custom
from thalweg.engine.native.kernels.generated.formulas import is_formula, kernel_of_formula
from thalweg.engine.native.kernels.generated.updates import kernel_of_statements
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.activated import ActivatedLoss

KERNEL = re.compile(r"^def (\w+)\(o, c, s, f\):", re.M)


def kernels() -> Iterator[tuple[str, Kernel]]:
    """Every function of (o, c, s, f) in this folder. Its files aren't imported: their decorators are numba's."""
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        module = ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts))
        yield from ((name, Kernel(module, name)) for name in KERNEL.findall(path.read_text(encoding="utf-8")))


KERNELS = dict(kernels())
MACHINE = Kernel("runtime.machine", "machine")


def kernel_of(i: Instruction) -> Kernel:
    """The kernel that carries out an instruction; that of a formula or of a user's function is made for it."""
    if isinstance(i, ActivatedLoss):
        return kernel_of_activated(i, KERNELS[i.activation.kernel].module)
    if is_custom(i):
        return kernel_of_custom(i)
    if isinstance(i, Statements):
        return kernel_of_statements(i)
    return kernel_of_formula(i) if is_formula(i) else KERNELS[i.kernel]
