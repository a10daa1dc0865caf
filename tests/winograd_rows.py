"""The conformance table's rows for convolutions by Winograd's filtering: any image and padding, 16 or 32 channels."""

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import OPTIONAL, TWICE, Case

from thalweg.program import winograd
from thalweg.program.instruction import GRADIENTS, PARAMETERS, PREPARED, WORKSPACE, Buffer, Instruction


def magnitudes(build: Callable[[], Instruction], *operands: Buffer | None) -> Callable[[Any], Any]:
    """The size of the sums behind an output: the same instruction, with nothing in it negative."""

    def size(m: Any) -> Any:
        i = build()
        (output,) = i.outputs
        values = type(m)({b: abs(m[b]) for b in operands if b is not None})
        values.__dict__.update(m.__dict__)
        values[output] = np.zeros_like(m[output])
        signed = {name: getattr(winograd, name) for name in ("A", "BT", "G")}
        try:
            for name, matrix in signed.items():
                setattr(winograd, name, abs(matrix))
            i.reference(values)
        finally:
            for name, matrix in signed.items():
                setattr(winograd, name, matrix)
        return values[output] + np.nan_to_num(abs(m[output]))  # a number where it is added to

    return size


def parts(c: Case) -> tuple[tuple[int, int], int, int, tuple[int, int], tuple[int, int]]:
    """Height and width, channels in and out, zeros before the image, and the outputs' height and width."""
    c.shape = c.shape._replace(rows=1 + c.shape.rows % 7)
    c.data_rows = c.shape.rows
    random = np.random.default_rng(c.shape.seed)
    image = (random.integers(1, 9).item(), random.integers(1, 20).item())
    before, after = (random.integers(0, 3, 2).tolist() for _ in range(2))
    outputs = [max(1, n + b + a - 2) for n, b, a in zip(image, before, after, strict=True)]
    return (
        image,
        16 * (1 + c.shape.width % 2),
        16 * (1 + c.shape.units % 3),
        (before[0], before[1]),
        (outputs[0], outputs[1]),
    )


def kernel(c: Case) -> Instruction:
    _, inputs, outputs, *_ = parts(c)
    c.lanes = 1 + c.shape.seed % 3
    W = c.normal("W", (3, 3, inputs, outputs), PARAMETERS, per_row=False)
    shape = (4, 4, outputs, inputs) if c.has(TWICE) else (4, 4, inputs, outputs)
    U = c.put("U", shape, np.nan, PREPARED, per_row=False)
    result = winograd.WinogradKernel(W, U, c.has(TWICE))
    c.sizes["U"] = magnitudes(lambda: result, W)
    return result


def convolution(c: Case) -> Instruction:
    image, inputs, outputs, before, places = parts(c)
    x, W = c.normal("x", (*image, inputs)), c.normal("W", (3, 3, inputs, outputs), PARAMETERS, per_row=False)
    U = c.put("U", (4, 4, inputs, outputs), np.nan, WORKSPACE, per_row=False)
    m = {W: c.values[W], U: np.empty(U.shape, np.float32)}
    winograd.WinogradKernel(W, U).reference(m)  # type: ignore[arg-type]
    c.values[U] = m[U]
    b = c.normal("b", (outputs,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    covered = tuple(max(1, n - c.has(TWICE) * n % 2) for n in places)
    rest = None if covered == places else W
    h = c.output("h", (*places, outputs))
    result = winograd.WinogradConvolution(x, U, rest, b, h, before, (covered[0], covered[1]))
    c.sizes["h"] = magnitudes(lambda: result, x, U, rest, b)
    return result


def gradient(c: Case) -> Instruction:
    image, inputs, outputs, before, places = parts(c)
    x, dh = c.normal("x", (*image, inputs)), c.normal("dh", (*places, outputs))
    dU = c.output("dU", (4, 4, inputs, outputs), WORKSPACE, per_row=False)
    result = winograd.WinogradGradient(x, dh, dU, before)
    c.sizes["dU"] = magnitudes(lambda: result, x, dh)
    return result


def kernel_gradient(c: Case) -> Instruction:
    _, inputs, outputs, *_ = parts(c)
    dU = c.normal("dU", (4, 4, inputs, outputs), WORKSPACE, per_row=False)
    dW = c.put("dW", (3, 3, inputs, outputs), np.nan, GRADIENTS, per_row=False)
    result = winograd.WinogradKernelGradient(dU, dW)
    c.sizes["dW"] = magnitudes(lambda: result, dU)
    return result


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "winograd_kernel": kernel,
    "winograd_convolution": convolution,
    "winograd_gradient": gradient,
    "winograd_kernel_gradient": kernel_gradient,
}
