"""Instructions that a NumPy file computes by functions of its own: windows on images, whose references are long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution, Window
from thalweg.program.instructions.images.pooling import MaxPooling, MaxPoolingAdjoint
from thalweg.program.ir.instruction import Buffer, Instruction

Names = Mapping[Buffer, str]


def placed(window: Window, dilation: bool = True) -> str:
    """How a window moves, as arguments."""
    padding = tuple(zip(window.before, window.after, strict=True))
    return f"{window.strides}, {padding}" + f", {window.dilation}" * dilation


def bias(b: Buffer | None, names: Names) -> str:
    return "" if b is None else f" + {names[b]}"


def kernel(i: Any, names: Names) -> str:
    """A kernel, which an instruction may read under another shape."""
    shape = (*i.window.size, i.x.shape[-1], i.h.shape[-1])
    return names[i.W] if i.W.shape == shape else f"{names[i.W]}.reshape{shape}"


def convolution(i: Convolution, names: Names) -> str | None:
    if i.groups > 1:
        return None
    return f"convolve({names[i.x]}, {kernel(i, names)}, {placed(i.window)}){bias(i.b, names)}"


def kernel_gradient(i: KernelGradient, names: Names) -> str | None:
    if i.groups > 1:
        return None
    shaped = "" if i.dW.shape[:2] == i.window.size and len(i.dW.shape) == 4 else f".reshape{i.dW.shape}"
    return f"kernel_gradient({names[i.x]}, {names[i.dh]}, {i.window.size}, {placed(i.window)}){shaped}"


def transposed(i: TransposedConvolution, names: Names) -> str | None:
    if i.groups > 1 or i.W.shape != (*i.window.size, i.h.shape[-1], i.x.shape[-1]):
        return None
    return f"convolve_back({names[i.x]}, {names[i.W]}, {i.h.shape}, {placed(i.window)}){bias(i.b, names)}"


def max_pooling(i: MaxPooling, names: Names) -> str | None:
    if i.window.dilation != (1, 1):
        return None
    return f"max_pool({names[i.x]}, {i.window.size}, {placed(i.window, dilation=False)})"


def max_pooling_adjoint(i: MaxPoolingAdjoint, names: Names) -> str | None:
    if i.window.dilation != (1, 1):
        return None
    given = f"{names[i.x]}, {names[i.a]}, {names[i.da]}"
    return f"max_pool_back({given}, {i.window.size}, {placed(i.window, dilation=False)})"


LINES: dict[type, Callable[..., str | None]] = {
    Convolution: convolution, KernelGradient: kernel_gradient, TransposedConvolution: transposed,
    MaxPooling: max_pooling, MaxPoolingAdjoint: max_pooling_adjoint,
}  # fmt: skip


def line(i: Instruction, names: Names) -> str | None:
    """The expression of an instruction; None where its reference is written out."""
    own = LINES.get(type(i))
    return own and own(i, names)
