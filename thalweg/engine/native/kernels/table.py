"""The native kernel of every instruction, by the instruction's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.compiler.parameters import SIGNATURE, Parameters, parameters
from thalweg.engine.native.instructions.gates import Columns
from thalweg.engine.native.kernels.generated.custom import kernel_of_custom
from thalweg.engine.native.kernels.generated.formulas import kernel_of_equation
from thalweg.engine.native.kernels.generated.from_references import FromReference, from_reference
from thalweg.engine.native.kernels.generated.gates import kernel_of_columns
from thalweg.engine.native.kernels.generated.norm_penalties import kernel_of_penalty
from thalweg.engine.native.kernels.generated.pointwise import kernel_of_pointwise
from thalweg.engine.native.kernels.generated.row_losses import kernel_of_rows
from thalweg.engine.native.kernels.generated.updates import kernel_of_statements
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.passes.activated import ActivatedLoss
from thalweg.program.graphs.trial import is_foreign
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint, ParameterGradient
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.losses.penalties import NormPenalty
from thalweg.program.instructions.losses.row_losses import RowLoss
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import Instruction


def kernels() -> Iterator[tuple[Kernel, str]]:
    """Every kernel in this folder, and its signature. Its files aren't imported, as their decorators need llvmlite."""
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        module = ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts))
        for name, signature in SIGNATURE.findall(path.read_text(encoding="utf-8")):
            yield Kernel(module, name), signature


SIGNATURES = dict(kernels())
KERNELS = {kernel.name: kernel for kernel in SIGNATURES}
MACHINE, ALONE = (Kernel("runtime.machine", name) for name in ("machine", "alone"))
SUMMARISE, ACTIVITY = (Kernel("runtime.vector_sums", name) for name in ("summarise", "activity"))
ENTER = Kernel("runtime.entrance", "enter", method=True)

GENERATED: dict[type[Instruction], Callable[[Any], Kernel]] = {  # the others are generated from their equations
    Statements: kernel_of_statements, NormPenalty: kernel_of_penalty, Columns: kernel_of_columns,
    Pointwise: kernel_of_pointwise, RowLoss: kernel_of_rows, CustomActivation: kernel_of_custom,
    **dict.fromkeys((Elementwise, ElementwiseLoss, ParameterGradient, ActivatedLoss), kernel_of_equation),
}  # fmt: skip


def kernel_of(i: Instruction) -> Kernel:
    """The kernel that executes an instruction. It is kept with it, as generating one takes as long as some steps."""
    kept: dict[str, Kernel] = vars(i)
    if "native kernel" not in kept:
        kept["native kernel"] = chosen(i)
    return kept["native kernel"]


def kernels_of(instructions: Iterable[Instruction]) -> Iterator[Kernel]:
    """The kernels that execute instructions, and those that execute what these call."""
    for i in instructions:
        yield kernel_of(i)
        if isinstance(i, Scan):
            yield from kernels_of(inner for inner in i.body if not isinstance(inner, Reshape))


def chosen(i: Instruction) -> Kernel:
    """The kernel of an instruction: handwritten, or generated from its equation, a user's function or its reference.

    The names of others' instructions aren't ours: one may be called what a kernel is called.
    """
    if (name := name_of(i)) in KERNELS and not is_foreign(i):
        return KERNELS[name]
    of = i.of if isinstance(i, LossAndGradient | ElementwiseAdjoint) else i
    made = next((make for kind, make in GENERATED.items() if isinstance(of, kind)), None)
    return from_reference(i).kernel if made is None else made(i)


def derivation_of(i: Instruction) -> FromReference | None:
    """What a kernel that was made of an instruction's reference is given; None of another kernel."""
    kernel_of(i)
    kept: FromReference | None = vars(i).get("native derivation")
    return kept


def origin(i: Instruction) -> str:
    """How the kernel of an instruction is made: of its reference, of an equation, or by hand, and then why."""
    kernel = kernel_of(i)
    if kernel.text:
        return "of its reference" if derivation_of(i) else "of its equation"
    text = Path(__file__).parents[1].joinpath(*kernel.module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    first = text.split("\n", 1)[0].strip('"')
    return f"by hand{first.partition(': by hand')[2]}".removesuffix(".")


@cache
def parameters_of(kernel: Kernel) -> Parameters:
    """What a kernel asks for; generated ones have their signature in their text."""
    if kernel in SIGNATURES:
        return parameters(SIGNATURES[kernel])
    (found,) = SIGNATURE.findall(kernel.text)
    return parameters(found[1])
