"""The name of the kernel of an instruction: the instruction's own, but for layouts and special cases."""

from __future__ import annotations

from thalweg.engine.native.instructions.normalization import NativeBatchNormalization
from thalweg.engine.native.layouts.orders import in_columns
from thalweg.engine.native.passes.winograd import WinogradConvolution, WinogradGradient
from thalweg.program.instructions.activations import ElementwiseAdjoint
from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.normalization import BatchNormalization
from thalweg.program.instructions.rowwise import RowwiseAdjoint
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import Buffer, Instruction


def name_of(i: Instruction) -> str:
    """The name of an instruction's kernel."""
    match i:
        case ElementwiseAdjoint() | RowwiseAdjoint() | Statements():
            return underscored(i.title)
        case LossAndGradient():
            return underscored(f"{i.of.name} gradient")
        case Convolution() | TransposedConvolution():
            return special(i.name, i.x, i.h, i.groups)
        case KernelGradient():
            return special(i.name, i.x, i.dh, i.groups)
        case WinogradConvolution() | WinogradGradient():
            return special(i.name, i.x)
        case BatchNormalization() if not isinstance(i, NativeBatchNormalization):  # with given statistics
            return "normalization"
    return underscored(i.name)


def special(name: str, x: Buffer, h: Buffer | None = None, groups: int = 1) -> str:
    """That for images by columns, for a convolution's kernel per channel (depthwise), or the usual one."""
    if in_columns(x):
        return f"{underscored(name)}_by_columns"
    depthwise = h is not None and groups == x.shape[-1] == h.shape[-1] > 1
    return "depthwise_" * depthwise + underscored(name)


def underscored(name: str) -> str:
    """A name as printed, as one of Python's."""
    return name.replace(" ", "_")
