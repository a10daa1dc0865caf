"""The conformance table: a row for every instruction, that builds it at any shape with values for its operands.

`tests/program/test_passports.py` takes each through all that it has to pass. A new instruction needs a row in `ROWS`
and nothing else; `test_conformance.py` fails where a row is missing. `PLAIN` has
those that the native engine rewrites into others, so that they have no kernel.

A row also says how large the sum is that makes each output (`sizes`): rounding errors are measured by it, since a sum
may cancel. Where it says nothing, the output itself is the measure.
"""

from collections.abc import Callable
from typing import Any

import attention_rows
import conformance_updates
import embedding_rows
import forest_rows
import image_rows
import loss_rows
import metric_rows
import moves_rows
import numerical_rows
import numpy as np
import pointwise_rows
import scan_rows
import share_rows
import weight_rows
import winograd_rows
from conformance_activations import ACTIVATIONS
from conformance_formulas import FORMULAS
from harness import ACCUMULATE, OPTIONAL, ORDERED, SMOOTHED, TOTAL, TWICE, Case, Memory, Shape

from thalweg.engine.native.instructions import linear as native_linear
from thalweg.engine.native.instructions.elementwise import DropoutAdjoint
from thalweg.program.instructions import batches, elementwise, linear, noise
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint
from thalweg.program.instructions.images import augmentation
from thalweg.program.instructions.losses import penalties
from thalweg.program.ir.instruction import DATA, GRADIENTS, PARAMETERS, WORKSPACE, Buffer, Instruction, StepState

Build = Callable[[Case], Instruction]


def affine(c: Case) -> Instruction:
    by_columns = c.narrow()
    x = c.normal("x", c.row)
    x = c.turned(x) if by_columns else x
    W = c.normal("W", (c.shape.width, c.shape.units), PARAMETERS, per_row=False)
    b = c.normal("b", (c.shape.units,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    c.magnitudes["h"] = lambda m: abs(m[x]) @ abs(m[W]) + (0 if b is None else abs(m[b]))
    relu = c.has(TWICE) and not c.smooth  # its adjoint is derived without
    return c.built(linear.Affine(x, W, b, c.output("h", (*c.row[:-1], c.shape.units))), relu=relu)


def weight_gradient(c: Case) -> Instruction:
    by_columns = c.narrow()
    x, dh = c.normal("x", c.row), c.normal("dh", (*c.row[:-1], c.shape.units))
    x = c.turned(x) if by_columns else x
    dW = c.output("dW", (c.shape.width, c.shape.units), GRADIENTS, per_row=False)
    c.magnitudes["dW"] = lambda m: linear.matrix(abs(m[x])).T @ linear.matrix(abs(m[dh])) + old(c, m, dW)
    if not (by_columns and c.has(OPTIONAL)):
        return c.built(linear.WeightGradient(x, dh, dW))
    db = c.output("db", (c.shape.units,), GRADIENTS, per_row=False)
    c.magnitudes["db"] = lambda m: abs(m[dh]).sum(axis=0) + old(c, m, db)
    return c.built(linear.WeightGradient(x, dh, dW), db=db)


def bias_gradient(c: Case) -> Instruction:
    of_images = c.has(TWICE)
    dh = c.normal("dh", (2, c.shape.positions, c.shape.width) if of_images else c.row)
    dh = c.turned(dh) if of_images and c.has(OPTIONAL) else dh
    db = c.output("db", (c.shape.width,), GRADIENTS, per_row=False)
    c.magnitudes["db"] = lambda m: linear.matrix(abs(m[dh])).sum(axis=0) + old(c, m, db)
    return c.built(linear.BiasGradient(dh, db))


def old(c: Case, m: Memory, gradient: Buffer) -> Any:
    """The size of what is added to."""
    return abs(m[gradient]) if c.has(ACCUMULATE) else 0


def transpose(c: Case) -> Instruction:
    first = c.shape.seed % 4  # rows of W that aren't wanted, and some at the end
    W = c.normal("W", (first + c.shape.width + c.shape.seed % 3, c.shape.units), PARAMETERS, per_row=False)
    return native_linear.Transpose(W, c.put("Wᵀ", (c.shape.units, c.shape.width), np.nan, per_row=False), first)


def input_gradient(c: Case) -> Instruction:
    transposed, inputs = c.has(OPTIONAL), c.shape.units
    first, more = (0, 0) if transposed else (c.shape.seed % 4, c.shape.seed % 3)
    shape = (c.shape.width, inputs) if transposed else (first + inputs + more, c.shape.width)
    dh, W, dx = c.normal("dh", c.row), c.normal("W", shape, per_row=False), c.output("dx", (*c.row[:-1], inputs))
    a = c.normal("a", dx.shape) if c.has(TWICE) else None
    i = native_linear.NativeInputGradient(dh, W, dx, transposed, a, first)
    c.magnitudes["dx"] = lambda m: abs(m[dh]) @ (abs(m[W]) if transposed else abs(m[W])[i.rows].T)
    return linear.InputGradient(dh, W, dx) if not transposed and a is None and first == more == 0 else i


def add(c: Case) -> Instruction:
    once = c.has(ORDERED)  # the two contributions to the gradient of a parameter: not per row
    region = GRADIENTS if once else WORKSPACE
    x = c.normal("x", c.row, region, not once)
    y = x if c.has(TWICE) else c.normal("y", c.row, region, not once)
    c.magnitudes["z"] = lambda m: abs(m[x]) + abs(m[y])
    return elementwise.Add(x, y, c.put("z", c.row, np.nan, region, not once))


def copy(c: Case) -> Instruction:
    return elementwise.Copy(c.normal("x", c.row), c.output("z", c.row))


def reshape(c: Case) -> Instruction:
    x = c.normal("x", (2, c.shape.width))
    return elementwise.Reshape(x, Buffer("z", (2 * c.shape.width,), view_of=x))


def dropout(c: Case) -> Instruction:
    h = c.normal("h", c.row)
    c.values[h].flat[::5] = -0.0
    i = elementwise.Dropout(h, c.output("a", c.row), (0.1, 0.5, 0.9)[c.shape.seed % 3], 7)
    return c.built(i, marked=c.has(TWICE))


def dropout_adjoint(c: Case) -> Instruction:
    rate, a = (0.1, 0.5, 0.9)[c.shape.seed % 3], c.normal("a", c.row)
    step = StepState(rows=c.shape.rows, first_row=c.first_row, iteration=c.iteration, seed=c.shape.seed)
    c.values[a].flat[::5] = 0.0
    c.values[a][step.drawn(np, 7, c.row) < rate] = -0.0
    return DropoutAdjoint(a, c.normal("da", c.row), c.output("dh", c.row), rate, 7)


def random_noise(kind: type[noise.Noise]) -> Build:
    def build(c: Case) -> Instruction:
        h = c.normal("h", c.row)
        c.magnitudes["a"] = lambda m: 1 + 4 * abs(m[h])
        return kind(h, c.output("a", c.row), (0.1, 0.5, 0.9)[c.shape.seed % 3], 7)

    return build


def alpha_dropout_adjoint(c: Case) -> Instruction:
    of = random_noise(noise.AlphaDropout)(c)
    return DerivedAdjoint(of, 0, (c.normal("da", c.row),), c.output("dh", c.row))


def rescale(c: Case) -> Instruction:
    x, z = c.normal("x", c.row), c.output("z", c.row)
    c.magnitudes["z"] = lambda m: 1.7 * abs(m[x]) + 0.6
    return elementwise.Rescale(x, z, 1.7, -0.6 if c.has(OPTIONAL) else 0.0)


def gather(c: Case) -> Instruction:
    choose_rows(c)
    by_columns = c.narrow()
    x = c.output("x", c.row)
    x = c.turned(x) if by_columns else x
    return c.built(batches.GatherFloats(c.normal("X", c.row, DATA), x))


def gather_bytes(c: Case) -> Instruction:
    choose_rows(c)
    return batches.GatherBytes(c.pixels("X", c.row), c.output("x", c.row))


def image(c: Case) -> tuple[int, int, int]:
    """A shape for pictures, small ones: a warp looks at every pixel by itself."""
    return (1 + c.shape.units % 13, 1 + c.shape.width % 17, c.shape.positions)


def random_flip(c: Case) -> Instruction:
    ways = ((True, False), (False, True), (True, True))[c.shape.seed % 3]
    return augmentation.RandomFlip(c.normal("x", image(c)), c.output("z", image(c)), *ways, 7)


def random_warp(c: Case) -> Instruction:
    x, z = c.normal("x", image(c)), c.output("z", image(c))
    mode, way = augmentation.FILL_MODES[c.shape.flags % 4], augmentation.INTERPOLATIONS[c.has(TWICE)]
    wide = (0.6, 1.9)
    turn, zoom = (((-0.4, 0.7), (wide, wide)), ((0.0, 0.0), ((1.0, 1.0), (1.0, 1.0))))[c.has(SMOOTHED)]
    shift = ((-0.4, 0.9), (-1.0, 0.3))
    c.magnitudes["z"] = lambda m: np.full((), 10.0)  # of the pixels: an interpolation may cancel
    return augmentation.RandomWarp(x, z, turn, shift, zoom, c.has(TOTAL), mode, 0.5, way, 3)


def random_contrast(c: Case) -> Instruction:
    x, z = c.normal("x", image(c)), c.output("z", image(c))
    c.magnitudes["z"] = lambda m: np.full((), 10.0)
    return augmentation.RandomContrast(x, z, (0.3, 1.6), (-1.0, 1.5), 7)


def random_brightness(c: Case) -> Instruction:
    x, z = c.normal("x", image(c)), c.output("z", image(c))
    c.magnitudes["z"] = lambda m: np.full((), 10.0)
    return augmentation.RandomBrightness(x, z, (-0.4, 0.7), (-1.0, 1.5), 7)


def random_erasing(c: Case) -> Instruction:
    x, z = c.normal("x", image(c)), c.output("z", image(c))
    fill = ((), (0.5,), (0.1, 0.2, 0.3))[c.shape.seed % (3 if x.shape[-1] == 3 else 2)]
    scale = ((0.1, 0.9), (0.0, 0.1), (1.0, 1.0))[c.shape.seed // 3 % 3]
    c.magnitudes["z"] = lambda m: np.full((), 10.0)
    return augmentation.RandomErasing(x, z, (0.3, 1.0), scale, fill, (-1.0, 1.5), 7)


def random_crop(c: Case) -> Instruction:
    height, width, channels = image(c)
    small = (1 + c.shape.seed % height, 1 + c.shape.seed // 7 % width, channels)
    return augmentation.RandomCrop(c.normal("x", image(c)), c.output("z", small), 7)


def store(c: Case) -> Instruction:
    choose_rows(c)
    return batches.Store(c.normal("y", c.row), c.normal("Y", c.row, DATA))


def choose_rows(c: Case) -> None:
    """Some rows out of more: any, or those from `start` on."""
    c.data_rows, c.start = c.shape.rows + 9, c.shape.seed % 10
    c.order = np.arange(c.start, c.start + c.shape.rows)
    if c.has(ORDERED):
        c.order = c.random.permutation(c.data_rows)[: c.shape.rows]


def penalty_operands(c: Case) -> tuple[Buffer, float, float]:
    c.lanes = 1 + c.shape.seed % 3
    W = c.normal("W", (c.shape.width, c.shape.units), PARAMETERS, per_row=False)
    W.offset = 16 * (c.shape.seed % 7)
    l1, l2 = ((0.3, 0.0), (0.0, 0.2), (0.3, 0.2))[c.shape.seed // 7 % 3]
    c.vector = W.offset + W.size + 16 * (c.shape.seed % 4)
    return W, l1, l2


def penalty(c: Case) -> Instruction:
    W, l1, l2 = penalty_operands(c)
    return penalties.Penalty(W, l1, l2, c.sums("penalty"))


def penalty_gradient(c: Case) -> Instruction:
    W, l1, l2 = penalty_operands(c)
    dW = c.normal("dW", W.shape, GRADIENTS, per_row=False)
    c.magnitudes["dw"] = lambda m: abs(m[dW]) + l1 + 2 * l2 * abs(m[W])
    return penalties.PenaltyGradient(W, l1, l2, dW)


ROWS: dict[str, Build] = {
    **ACTIVATIONS,
    "gather": gather,
    "gather_bytes": gather_bytes,
    "store": store,
    "random_flip": random_flip,
    "random_warp": random_warp,
    "random_contrast": random_contrast,
    "random_brightness": random_brightness,
    "random_erasing": random_erasing,
    "random_crop": random_crop,
    "affine": affine,
    "weight_gradient": weight_gradient,
    "bias_gradient": bias_gradient,
    "transpose": transpose,
    "input_gradient": input_gradient,
    "add": add,
    "copy": copy,
    "reshape": reshape,
    "dropout": dropout,
    "dropout_adjoint": dropout_adjoint,
    "rescale": rescale,
    "spatial_dropout": random_noise(noise.SpatialDropout),
    "gaussian_noise": random_noise(noise.GaussianNoise),
    "gaussian_dropout": random_noise(noise.GaussianDropout),
    "alpha_dropout": random_noise(noise.AlphaDropout),
    "alpha_dropout_adjoint": alpha_dropout_adjoint,
    "penalty": penalty,
    "penalty_gradient": penalty_gradient,
    **conformance_updates.ROWS,
}
ROWS |= image_rows.ROWS | loss_rows.ROWS | FORMULAS | weight_rows.ROWS | metric_rows.ROWS
ROWS |= winograd_rows.ROWS | share_rows.ROWS | moves_rows.ROWS | embedding_rows.ROWS | forest_rows.ROWS | scan_rows.ROWS
ROWS |= numerical_rows.ROWS | attention_rows.ROWS
ROWS |= {name: build for name, build in pointwise_rows.ROWS.items() if name not in ACTIVATIONS}
PLAIN = conformance_updates.PLAIN | embedding_rows.PLAIN | image_rows.PLAIN | scan_rows.PLAIN
EVERY = ROWS | {f"plain {name}": build for name, build in PLAIN.items()}
# Some shapes in which the rows build every instruction, with and without its options. Nothing is there to be added to.
SHAPES = [Shape(3, 5, 4, 2, flags, flags + 1) for flags in (0, 1, 4, 8, 16, 32, 64, 128, 253)] + [Shape(3, 5, 4, 2)]
