"""The conformance table's rows for convolutions by Winograd's filtering, any image and padding."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import OPTIONAL, TWICE, Case, execute
from image_rows import end

from thalweg.engine.native.layouts import filtering
from thalweg.engine.native.layouts.regions import PREPARED
from thalweg.engine.native.passes import winograd
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, WORKSPACE, Buffer, Instruction


def magnitudes(build: Callable[[], Instruction], *operands: Buffer | None) -> Callable[[Any], Any]:
    """The size of the sums behind an output: the same instruction, with nothing in it negative."""

    def size(m: Any) -> Any:
        i = build()
        (output,) = i.outputs
        values = m.on({b: abs(m[b]) for b in operands if b is not None} | {output: np.zeros_like(m[output])})
        signed = winograd.matrices
        try:
            winograd.matrices = lambda taps: filtering.Matrices(*map(abs, signed(taps)))  # type: ignore[assignment]
            execute(i, values)
        finally:
            winograd.matrices = signed
        return values[output] + np.nan_to_num(abs(m[output]))  # a number where it is added to

    return size


def parts(c: Case, by_columns: bool = False) -> tuple[int, tuple[int, int], int, int, tuple[int, int], tuple[int, int]]:
    """Taps, height and width, channels in and out, zeros before the image, and the outputs' height and width."""
    c.shape = c.shape._replace(rows=1 + c.shape.rows % (20 if by_columns else 7))
    c.data_rows, c.images_by_columns = c.shape.rows, by_columns
    random = np.random.default_rng(c.shape.seed)
    image = (random.integers(1, 9).item(), random.integers(1, 20).item())
    taps = random.choice(winograd.TAPS).item()
    before, after = (random.integers(0, taps, 2).tolist() for _ in range(2))
    outputs = [max(1, n + b + a + 1 - taps) for n, b, a in zip(image, before, after, strict=True)]
    return (
        taps,
        image,
        random.choice([1, 6, 16, 20, 32]).item(),
        random.choice([1, 5, 16, 32] if by_columns else [1, 5, 16, 33, 48]).item(),
        (before[0], before[1]),
        (outputs[0], outputs[1]),
    )


def kernel(c: Case) -> Instruction:
    taps, _, inputs, outputs, *_ = parts(c)
    c.lanes = 1 + c.shape.seed % 3
    W = c.normal("W", (taps, taps, inputs, outputs), PARAMETERS, per_row=False)
    shape = (6, 6, outputs, inputs) if c.has(TWICE) else (6, 6, inputs, outputs)
    U = c.put("U", shape, np.nan, PREPARED, per_row=False)
    result = winograd.WinogradKernel(W, U, taps, c.has(TWICE))
    c.magnitudes["U"] = magnitudes(lambda: result, W)
    return result


def convolution(c: Case, by_columns: bool = False) -> Instruction:
    taps, image, inputs, outputs, before, places = parts(c, by_columns)
    x, W = c.normal("x", (*image, inputs)), c.normal("W", (taps, taps, inputs, outputs), PARAMETERS, per_row=False)
    U = c.put("U", (6, 6, inputs, outputs), np.nan, WORKSPACE, per_row=False)
    c.values[U] = winograd.WinogradKernel(W, U, taps).reference(np, c.values[W]).astype(np.float32)
    b = c.normal("b", (outputs,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    m = winograd.SIDE + 1 - taps
    covered = tuple(n - n % m if c.has(TWICE) and n > m else n for n in places)
    rest = None if covered == places else W
    h = c.output("h", (*places, outputs))
    relu, a = end(c, h)
    result = winograd.WinogradConvolution(x, U, rest, b, h, taps, before, (covered[0], covered[1]), relu, a)
    c.magnitudes["h"] = magnitudes(lambda: result, x, U, rest, b, a)
    return result


def gradient(c: Case, by_columns: bool = False) -> Instruction:
    taps, image, inputs, outputs, before, places = parts(c, by_columns)
    x, dh = c.normal("x", (*image, inputs)), c.normal("dh", (*places, outputs))
    dU = c.output("dU", (6, 6, inputs, outputs), WORKSPACE, per_row=False)
    result = winograd.WinogradGradient(x, dh, dU, taps, before)
    c.magnitudes["dU"] = magnitudes(lambda: result, x, dh)
    return result


def kernel_gradient(c: Case) -> Instruction:
    taps, _, inputs, outputs, *_ = parts(c)
    dU = c.normal("dU", (6, 6, inputs, outputs), WORKSPACE, per_row=False)
    dW = c.put("dW", (taps, taps, inputs, outputs), np.nan, GRADIENTS, per_row=False)
    result = winograd.WinogradKernelGradient(dU, dW, taps)
    c.magnitudes["dW"] = magnitudes(lambda: result, dU)
    return result


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "winograd_kernel": kernel,
    "winograd_convolution": convolution,
    "winograd_gradient": gradient,
    "winograd_convolution_by_columns": partial(convolution, by_columns=True),
    "winograd_gradient_by_columns": partial(gradient, by_columns=True),
    "winograd_kernel_gradient": kernel_gradient,
}
