"""The conformance table's rows for images: convolution, pooling."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import ACCUMULATE, EXTREME, IN_PLACE, OPTIONAL, ORDERED, TWICE, Case, execute

from thalweg.engine.native.instructions import normalization as native
from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.passes import image_columns as columns
from thalweg.program.instructions import convolution, normalization, shapes, standardization
from thalweg.program.instructions.convolution import Window
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint
from thalweg.program.instructions.images import pooling
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, WORKSPACE, Buffer, Instruction


def window(c: Case, image: tuple[int, int], dilates: bool = True, plain: bool = False) -> Window:
    """Any kernel with any strides, or any dilation, or neither; valid, same, or any other padding."""
    random = np.random.default_rng(c.shape.seed)
    size = (random.integers(1, 5).item(), random.integers(1, 5).item())
    strides, dilation = (1, 1), (1, 1)
    if plain:
        pass
    elif c.has(TWICE) and dilates:
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


def convolution_parts(
    c: Case, by_columns: bool = False, depthwise: bool = False
) -> tuple[Buffer, Buffer, Buffer | None, Window, int]:
    c.shape = c.shape._replace(rows=1 + c.shape.rows % 9)
    c.data_rows = c.shape.rows
    (height, width), (groups, inputs, outputs) = image(c), channels(c)
    c.images_by_columns = by_columns
    if by_columns:
        groups, inputs, outputs = 1, inputs // groups, min(outputs // groups, columns.MOST_CHANNELS)
    if depthwise:
        groups = inputs = outputs = 2 + c.shape.width % 40
    w = window(c, (height, width), plain=by_columns)
    x = c.normal("x", (height, width, inputs))
    W = c.normal("W", (*w.size, inputs // groups, outputs), PARAMETERS, per_row=False)
    b = c.normal("b", (outputs,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    return x, W, b, w, groups


def positive(build: Callable[[dict[Any, Any]], Instruction], c: Case, output: Buffer, *operands: Buffer | None) -> Any:
    """The same instruction on the sizes of its operands: the size of the sum behind each output."""

    def size(m: Any) -> Any:
        copy = m.on({b: abs(m[b]) for b in operands if b is not None})
        if c.has(ACCUMULATE) and not output.per_row:
            copy[output] = abs(m[output])
        execute(c.instruction, copy)
        return copy[output]

    return size


def layout(c: Case) -> Instruction:
    shape = (*image(c), 1 + c.shape.width % 40)
    x, z = c.normal("x", shape), c.output("z", shape)
    return columns.Layout(c.turned(x), z) if c.has(TWICE) else columns.Layout(x, c.turned(z))


def end(c: Case, h: Buffer) -> tuple[bool, Buffer | None]:
    """Whether a relu stands behind a product, or what a relu's adjoint reads; the product's is derived without."""
    if c.smooth or not c.has(EXTREME):
        return False, None
    return (True, None) if c.has(IN_PLACE) else (False, c.normal("a", h.shape))


def conv(c: Case, by_columns: bool = False, depthwise: bool = False) -> Instruction:
    x, W, b, w, groups = convolution_parts(c, by_columns, depthwise)
    h = c.output("h", (*w.outputs(*x.shape[:2]), W.shape[-1]))
    relu, a = end(c, h)
    c.magnitudes["h"] = positive(conv, c, h, x, W, b, a)
    return c.built(convolution.Convolution(x, W, b, h, w, groups), relu=relu, a=a)


def kernel_gradient(c: Case, by_columns: bool = False, depthwise: bool = False) -> Instruction:
    x, W, _, w, groups = convolution_parts(c, by_columns, depthwise)
    dh = c.normal("dh", (*w.outputs(*x.shape[:2]), W.shape[-1]))
    dW = c.output("dW", W.shape, GRADIENTS, per_row=False)
    c.magnitudes["dW"] = positive(kernel_gradient, c, dW, x, dh)
    return c.built(convolution.KernelGradient(x, dh, dW, w, groups))


def flip(c: Case) -> Instruction:
    _, W, _, w, _ = convolution_parts(c)
    c.lanes = 1 + c.shape.seed % 3
    rows, columns, inputs, outputs = W.shape
    return convolution.Flip(W, c.put("Wᶠ", (rows, columns, outputs, inputs), np.nan, per_row=False), w.strides)


def transposed_convolution(c: Case, by_columns: bool = False, depthwise: bool = False) -> Instruction:
    """Over an image that has elements behind the last window, too."""
    small, W, _, w, groups = convolution_parts(c, by_columns, depthwise)
    (height, width), inputs = image(c), W.shape[-1]
    x, filters = c.normal("x", (*w.outputs(height, width), inputs)), small.shape[-1]
    b = c.normal("b", (filters,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    flip = convolution.flip_of(W, W.shape, w)  # type: ignore[arg-type]
    c.values[flip.flipped] = flip.reference(np, c.values[W])
    h = c.output("h", (height, width, filters))
    relu, a = end(c, h)
    c.magnitudes["h"] = positive(transposed_convolution, c, h, x, flip.flipped, b, a)
    return c.built(convolution.TransposedConvolution(x, W, flip.flipped, b, h, w, groups), relu=relu, a=a)


def pool_parts(c: Case) -> tuple[Buffer, Window]:
    c.shape = c.shape._replace(rows=1 + c.shape.rows % 9)
    c.data_rows = c.shape.rows
    c.images_by_columns = c.shape.seed % 2 == 1  # the kernel is the same
    height, width = image(c)
    values = c.random.normal(size=(c.shape.rows, height, width, 1 + c.shape.width))
    if c.smooth:  # no two so near that a small step changes which is the larger
        values = (c.random.permutation(values.size).reshape(values.shape) - values.size // 3 + 0.5) / 8
    elif c.has(OPTIONAL):  # many are equal
        values = values.round()
    return c.put("x", values.shape[1:], values), window(c, (height, width), dilates=False)


def max_pooling(c: Case) -> Instruction:
    x, w = pool_parts(c)
    a, relu = c.output("a", (*w.outputs(*x.shape[:2]), x.shape[-1])), c.shape.seed % 3 == 0
    return c.built(pooling.MaxPooling(x, a, w), relu=relu)


def max_pooling_adjoint(c: Case) -> Instruction:
    x, w = pool_parts(c)
    largest, relu = w.windows(np, w.pad(np, c.values[x], -np.inf)).max(axis=(-2, -1)), c.shape.seed % 3 == 0
    a = c.put("a", largest.shape[1:], np.maximum(largest, 0) if relu else largest)
    da, dx = c.normal("da", a.shape), c.output("dx", x.shape)
    c.magnitudes["dx"] = positive(max_pooling_adjoint, c, dx, da)
    c.magnitudes["dx"] = lambda m: 4 * np.abs(m[da]).max() + np.zeros((c.shape.rows, *x.shape))
    return c.built(pooling.MaxPoolingAdjoint(x, a, da, dx, w), relu=relu)


def average_pooling(c: Case) -> Instruction:
    x, w = pool_parts(c)
    a = c.output("a", (*w.outputs(*x.shape[:2]), x.shape[-1]))
    c.magnitudes["a"] = positive(average_pooling, c, a, x)
    return c.built(pooling.AveragePooling(x, a, w))


def average_pooling_adjoint(c: Case) -> Instruction:
    x, w = pool_parts(c)
    da, dx = c.normal("da", (*w.outputs(*x.shape[:2]), x.shape[-1])), c.output("dx", x.shape)
    a = c.normal("a", x.shape) if c.has(EXTREME) else None
    c.magnitudes["dx"] = positive(average_pooling_adjoint, c, dx, da, a)
    return c.built(pooling.AveragePoolingAdjoint(da, dx, w), a=a)


def batch(c: Case) -> tuple[Buffer, int]:
    """(x, channels); at least two values for each channel, so that their variance isn't 0."""
    channels = 1 + c.shape.width
    return c.put("x", (2, channels), 3 + c.random.normal(size=(c.shape.rows, 2, channels))), channels


def channel(c: Case, name: str, n: int, region: str = WORKSPACE) -> Buffer:
    return c.put(name, (n,), 0.5 + c.random.random(n), region, per_row=False)


def optional(c: Case, n: int) -> tuple[Buffer | None, Buffer | None]:
    """(γ, β)"""
    if not c.has(OPTIONAL):
        return None, None
    return channel(c, "γ", n, PARAMETERS), channel(c, "β", n, PARAMETERS)


def batch_moments(c: Case) -> Instruction:
    x, n = batch(c)
    parts = c.put("parts", (2 * n,), np.nan, EXCHANGE, per_row=False)
    c.magnitudes["parts"] = lambda m: np.full(2 * n, abs(m[x]).sum() / n)
    return native.BatchMoments(x, parts)


def batch_statistics(c: Case) -> Instruction:
    x, n = batch(c)
    mean, variance = (c.put(name, (n,), np.nan, per_row=False) for name in ("μ", "σ²"))
    return normalization.BatchStatistics(x, mean, variance)


def mask_weights(c: Case) -> Instruction:
    mask = (c.random.random((c.shape.rows, 3, 1)) < 0.6).astype(float)
    mask[0, 0] = 1
    x = c.put("m", (3, 1), mask)
    parts = c.put("parts", (2,), np.array([mask.mean(), 0.0]), EXCHANGE, per_row=False)
    return native.NativeMaskWeights(x, c.output("w", (3, 1)), parts)


def plain_mask_weights(c: Case) -> Instruction:
    x = c.put("m", (3, 1), (c.random.random((c.shape.rows, 3, 1)) < 0.6).astype(float))
    return normalization.MaskWeights(x, c.output("w", (3, 1)))


def batch_normalization(c: Case) -> Instruction:
    x, n = batch(c)
    gamma, beta = optional(c, n)
    rows = c.values[x].reshape(-1, n).astype(np.float64)
    parts = np.concatenate([rows.mean(0), ((rows - rows.mean(0)) ** 2).sum(0)])
    outputs = [c.put(name, (n,), np.nan, per_row=False) for name in ("μ", "σ²")]
    shortcut = c.normal("s", x.shape) if c.has(TWICE) or c.has(IN_PLACE) else None
    a = c.output("a", x.shape)
    if c.smooth and shortcut is not None:  # far from the kink
        c.values[shortcut] += 100 * np.sign(c.values[shortcut])
    c.magnitudes["a"] = lambda m: 120 + abs(m[x]) / np.sqrt(m[x].reshape(-1, n).var(0) + 1e-3)
    parts = c.put("parts", (2 * n,), parts, EXCHANGE, per_row=False)
    return native.NativeBatchNormalization(x, *outputs, gamma, beta, a, 1e-3, parts, shortcut, c.has(ORDERED))


def statistics(c: Case, x: Buffer, n: int) -> tuple[Buffer, Buffer]:
    rows = c.values[x].reshape(-1, n)
    return tuple(c.put(k, (n,), v, per_row=False) for k, v in (("μ", rows.mean(0)), ("σ²", rows.var(0))))  # type: ignore


def batch_sums(c: Case) -> Instruction:
    x, n = batch(c)
    da, sums = c.normal("da", x.shape), c.put("sums", (2 * n,), np.nan, EXCHANGE, per_row=False)
    relu = c.has(ORDERED) or c.has(IN_PLACE)
    a, dn = (c.normal("a", x.shape), c.output("dn", x.shape)) if relu else (None, None)
    more = c.normal("da_2", x.shape) if relu and c.has(TWICE) else None
    c.magnitudes["sums"] = lambda m: np.full(2 * n, 50 * abs(m[da]).sum() + 1)
    c.magnitudes["dn"] = lambda m: 4 + abs(m[da])
    i = normalization.BatchSums(x, *statistics(c, x, n), da, sums, 1e-3)
    return c.built(i, more=more, a=a, dn=dn)


def channel_gradient(c: Case) -> Instruction:
    n = c.shape.width
    sums = c.normal("sums", (2 * n,), EXCHANGE, per_row=False)
    return normalization.ChannelGradient(sums, c.output("dγ", (n,), GRADIENTS, per_row=False), c.shape.seed % 2)


def batch_normalization_adjoint(c: Case) -> Instruction:
    x, n = batch(c)
    da, sums, (gamma, _) = c.normal("da", x.shape), c.normal("sums", (2 * n,), EXCHANGE, per_row=False), optional(c, n)
    dx = c.output("dx", x.shape)
    c.magnitudes["dx"] = lambda m: 100 * (abs(m[da]) + 5) * (1 + abs(m[x]))
    return normalization.BatchNormalizationAdjoint(x, *statistics(c, x, n), gamma, da, sums, dx, 1e-3)


def moving_average(c: Case) -> Instruction:
    n = c.shape.width
    c.lanes = 1 + c.shape.seed % 3
    value, moving = c.normal("μ of x", (n,), per_row=False), c.normal("μ", (n,), PARAMETERS, per_row=False)
    c.magnitudes["moving"] = lambda m: abs(m[value]) + abs(m[moving])
    return normalization.MovingAverage(value, moving, 0.75)


def given_normalization(c: Case) -> Instruction:
    x, n = batch(c)
    gamma, beta = optional(c, n)
    mean, variance = channel(c, "μ", n, PARAMETERS), channel(c, "σ²", n, PARAMETERS)
    if c.has(TWICE):
        mean = None
    c.magnitudes["a"] = lambda m: 3 * (abs(m[x]) + 3)
    if c.has(ORDERED):  # of the batch, in the program's own form
        mean, variance = statistics(c, x, n)
        return normalization.BatchNormalization(x, mean, variance, gamma, beta, c.output("a", x.shape), 1e-3)
    return normalization.Normalization(x, mean, variance, gamma, beta, c.output("a", x.shape), 1e-3)


def enlarged(c: Case) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, int]]:
    (height, width), size, n = image(c), (1 + c.shape.seed % 3, 1 + c.shape.seed // 3 % 3), 1 + c.shape.width % 40
    return (height, width, n), (height * size[0], width * size[1], n), size


def upsampling(c: Case) -> Instruction:
    small, large, size = enlarged(c)
    return shapes.Upsampling(c.normal("x", small), c.output("z", large), size)


def upsampling_adjoint(c: Case) -> Instruction:
    small, large, size = enlarged(c)
    dz, dx = c.normal("dz", large), c.output("dx", small)
    c.magnitudes["dx"] = positive(upsampling_adjoint, c, dx, dz)
    of = shapes.Upsampling(Buffer("x", small), Buffer("z", large), size)
    return DerivedAdjoint(of, 0, (dz,), dx)


def standardization_parts(c: Case) -> tuple[Buffer, Buffer, int, bool]:
    channels = 2 + c.shape.width % 60
    groups = 2 if c.has(TWICE) and channels % 2 == 0 else 1
    x = c.put("x", (3, channels), 2 + c.random.normal(size=(c.shape.rows, 3, channels)))
    return x, c.output("a", x.shape), groups, c.has(ORDERED)


def standardize(c: Case) -> Instruction:
    x, a, groups, by_place = standardization_parts(c)
    c.magnitudes["a"] = lambda m: 100 * (1 + abs(m[x]))
    return standardization.Standardization(x, a, groups, by_place, 0.1, not c.has(OPTIONAL))


def standardization_adjoint(c: Case) -> Instruction:
    x, a, groups, by_place = standardization_parts(c)
    of = standardization.Standardization(x, a, groups, by_place, 0.1, not c.has(OPTIONAL))
    da, dx = c.normal("da", x.shape), c.output("dx", x.shape)
    c.magnitudes["dx"] = lambda m: 100 * (5 + abs(m[x])) * (1 + abs(m[da]))
    return standardization.StandardizationAdjoint(of, x, da, dx)


def channel_scale(c: Case) -> Instruction:
    x, (gamma, beta) = c.normal("x", c.row), optional(c, c.shape.width)
    if c.has(TWICE):
        gamma = None
    c.magnitudes["a"] = lambda m: 3 * abs(m[x]) + 2
    return standardization.ChannelScale(x, gamma, beta, c.output("a", x.shape))


def channel_scale_gradient(c: Case) -> Instruction:
    x, da = c.normal("x", c.row), c.normal("da", c.row)
    dgamma = c.output("dγ", (c.shape.width,), GRADIENTS, per_row=False)
    c.magnitudes["dgamma"] = positive(channel_scale_gradient, c, dgamma, x, da)
    return standardization.ChannelScaleGradient(x, da, dgamma)


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "convolution": conv,
    "kernel_gradient": kernel_gradient,
    "convolution_by_columns": partial(conv, by_columns=True),
    "kernel_gradient_by_columns": partial(kernel_gradient, by_columns=True),
    "transposed_convolution_by_columns": partial(transposed_convolution, by_columns=True),
    "depthwise_convolution": partial(conv, depthwise=True),
    "depthwise_kernel_gradient": partial(kernel_gradient, depthwise=True),
    "depthwise_transposed_convolution": partial(transposed_convolution, depthwise=True),
    "flip": flip,
    "layout": layout,
    "transposed_convolution": transposed_convolution,
    "max_pooling": max_pooling,
    "max_pooling_adjoint": max_pooling_adjoint,
    "average_pooling": average_pooling,
    "average_pooling_adjoint": average_pooling_adjoint,
    "batch_statistics": batch_statistics,
    "batch_moments": batch_moments,
    "mask_weights": mask_weights,
    "batch_normalization": batch_normalization,
    "batch_sums": batch_sums,
    "channel_gradient": channel_gradient,
    "batch_normalization_adjoint": batch_normalization_adjoint,
    "moving_average": moving_average,
    "normalization": given_normalization,
    "standardization": standardize,
    "standardization_adjoint": standardization_adjoint,
    "channel_scale": channel_scale,
    "channel_scale_gradient": channel_scale_gradient,
    "upsampling": upsampling,
    "upsampling_adjoint": upsampling_adjoint,
}
PLAIN: dict[str, Callable[[Case], Instruction]] = {"mask_weights": plain_mask_weights}
