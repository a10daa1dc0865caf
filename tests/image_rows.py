"""The conformance table's rows for images: convolution, pooling."""

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import ACCUMULATE, OPTIONAL, ORDERED, TWICE, Case

from thalweg.program import convolution, pooling
from thalweg.program.convolution import Window
from thalweg.program.instruction import GRADIENTS, PARAMETERS, Buffer, Instruction


def window(c: Case, image: tuple[int, int], dilates: bool = True) -> Window:
    """Any kernel with any strides, or any dilation; valid, same, or any other padding."""
    random = np.random.default_rng(c.shape.seed)
    size = (random.integers(1, 5).item(), random.integers(1, 5).item())
    strides, dilation = (1, 1), (1, 1)
    if c.has(TWICE) and dilates:
        dilation = (random.integers(1, 4).item(), random.integers(1, 4).item())
    else:
        strides = (random.integers(1, 4).item(), random.integers(1, 4).item())
    if c.has(ORDERED):
        return convolution.same(size, strides, dilation, image)
    span = Window(size, strides, dilation).span
    least = [max(0, s - n) for s, n in zip(span, image, strict=True)]
    before = [random.integers(0, min(s, 2) + 1).item() if dilates else 0 for s in size]
    after = [max(0, n - b) for n, b in zip(least, before, strict=True)]
    return Window(size, strides, dilation, (before[0], before[1]), (after[0], after[1]))


def image(c: Case) -> tuple[int, int]:
    """Height and width: small, so that the border matters; now and then wider than a tile."""
    random = np.random.default_rng(c.shape.seed + 1)
    return random.integers(4, 8).item(), random.integers(4, 20).item()


def channels(c: Case) -> tuple[int, int, int]:
    """(groups, inputs, outputs)"""
    groups = (1, 1, 2, 3)[c.shape.seed // 7 % 4]
    return groups, groups * (1 + c.shape.width % 20), groups * (1 + c.shape.units % 40)


def convolution_parts(c: Case) -> tuple[Buffer, Buffer, Buffer | None, Window, int]:
    c.shape = c.shape._replace(rows=1 + c.shape.rows % 9)
    c.data_rows = c.shape.rows
    (height, width), (groups, inputs, outputs) = image(c), channels(c)
    w = window(c, (height, width))
    x = c.normal("x", (height, width, inputs))
    W = c.normal("W", (*w.size, inputs // groups, outputs), PARAMETERS, per_row=False)
    b = c.normal("b", (outputs,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    return x, W, b, w, groups


def positive(build: Callable[[dict[Any, Any]], Instruction], c: Case, output: Buffer, *operands: Buffer | None) -> Any:
    """The same instruction on the sizes of its operands: the size of the sum behind each output."""

    def size(m: Any) -> Any:
        copy = type(m)({b: abs(m[b]) for b in operands if b is not None})
        copy.__dict__.update(m.__dict__)
        if c.has(ACCUMULATE) and not output.per_row:
            copy[output] = abs(m[output])
        c.instruction.reference(copy)
        return copy[output]

    return size


def conv(c: Case) -> Instruction:
    x, W, b, w, groups = convolution_parts(c)
    h = c.output("h", (*w.outputs(*x.shape[:2]), W.shape[-1]))
    c.sizes["h"] = positive(conv, c, h, x, W, b)
    return convolution.Convolution(x, W, b, h, w, groups)


def kernel_gradient(c: Case) -> Instruction:
    x, W, _, w, groups = convolution_parts(c)
    dh = c.normal("dh", (*w.outputs(*x.shape[:2]), W.shape[-1]))
    dW = c.output("dW", W.shape, GRADIENTS, per_row=False)
    c.sizes["dW"] = positive(kernel_gradient, c, dW, x, dh)
    return convolution.KernelGradient(x, dh, dW, w, groups)


def flip(c: Case) -> Instruction:
    _, W, _, w, _ = convolution_parts(c)
    c.lanes = 1 + c.shape.seed % 3
    rows, columns, inputs, outputs = W.shape
    return convolution.Flip(W, c.put("Wᶠ", (rows, columns, outputs, inputs), np.nan, per_row=False), w.strides)


def convolution_adjoint(c: Case) -> Instruction:
    x, W, _, w, groups = convolution_parts(c)
    dh = c.normal("dh", (*w.outputs(*x.shape[:2]), W.shape[-1]))
    rows, columns, inputs, outputs = W.shape
    flipped = c.normal("Wᶠ", (rows, columns, outputs, inputs), per_row=False)
    dx = c.output("dx", x.shape)
    c.sizes["dx"] = positive(convolution_adjoint, c, dx, dh, flipped)
    return convolution.ConvolutionAdjoint(dh, flipped, dx, w, groups)


def pool_parts(c: Case) -> tuple[Buffer, Window]:
    c.shape = c.shape._replace(rows=1 + c.shape.rows % 9)
    c.data_rows = c.shape.rows
    height, width = image(c)
    values = c.random.normal(size=(c.shape.rows, height, width, 1 + c.shape.width))
    if c.smooth:  # no two so near that a small step changes which is the larger
        values = c.random.permutation(values.size).reshape(values.shape) / 8
    elif c.has(OPTIONAL):  # many are equal
        values = values.round()
    return c.put("x", values.shape[1:], values), window(c, (height, width), dilates=False)


def max_pooling(c: Case) -> Instruction:
    x, w = pool_parts(c)
    return pooling.MaxPooling(x, c.output("a", (*w.outputs(*x.shape[:2]), x.shape[-1])), w)


def max_pooling_adjoint(c: Case) -> Instruction:
    x, w = pool_parts(c)
    windows = w.windows(w.pad(c.values[x], -np.inf))
    a = c.put("a", (*windows.shape[1:3], x.shape[-1]), windows.max(axis=(-2, -1)))
    da, dx = c.normal("da", a.shape), c.output("dx", x.shape)
    c.sizes["dx"] = positive(max_pooling_adjoint, c, dx, da)
    c.sizes["dx"] = lambda m: 4 * np.abs(m[da]).max() + np.zeros((c.shape.rows, *x.shape))
    return pooling.MaxPoolingAdjoint(x, a, da, dx, w)


def average_pooling(c: Case) -> Instruction:
    x, w = pool_parts(c)
    a = c.output("a", (*w.outputs(*x.shape[:2]), x.shape[-1]))
    c.sizes["a"] = positive(average_pooling, c, a, x)
    return pooling.AveragePooling(x, a, w)


def average_pooling_adjoint(c: Case) -> Instruction:
    x, w = pool_parts(c)
    da, dx = c.normal("da", (*w.outputs(*x.shape[:2]), x.shape[-1])), c.output("dx", x.shape)
    c.sizes["dx"] = positive(average_pooling_adjoint, c, dx, da)
    return pooling.AveragePoolingAdjoint(da, dx, w)


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "convolution": conv,
    "kernel_gradient": kernel_gradient,
    "flip": flip,
    "convolution_adjoint": convolution_adjoint,
    "max_pooling": max_pooling,
    "max_pooling_adjoint": max_pooling_adjoint,
    "average_pooling": average_pooling,
    "average_pooling_adjoint": average_pooling_adjoint,
}
