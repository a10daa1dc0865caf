"""Layers → forward instructions. A layer's `forward` calls these methods; each appends one instruction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ShapeError
from thalweg.program.formula import operations
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.operations import Operation
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.attention import Attention
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution, Window, flip_of
from thalweg.program.instructions.custom_activation import CustomActivation, ScalarPair
from thalweg.program.instructions.elementwise import Add, Dropout, Reshape
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.instructions.images.pooling import AveragePooling, MaxPooling
from thalweg.program.instructions.images.resizing import Resampling, banded, interpolated, nearest
from thalweg.program.instructions.indexing import Argsort, OneHot, Take, TakeAlongAxis
from thalweg.program.instructions.linear import Affine
from thalweg.program.instructions.noise import Noise, RandomBernoulli, RandomNormal, RandomUniform
from thalweg.program.instructions.normalization import (
    BatchNormalization,
    BatchStatistics,
    MaskWeights,
    MovingAverage,
    Normalization,
)
from thalweg.program.instructions.parametric import Prelu
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.products import MatrixProduct
from thalweg.program.instructions.rowwise import Rowwise
from thalweg.program.instructions.scans import Argmax, CumulativeProduct, CumulativeSum
from thalweg.program.instructions.shapes import MOST_PARTS, Concatenation, Permutation, Placement, Slice, Upsampling
from thalweg.program.instructions.standardization import ChannelScale, Standardization
from thalweg.program.ir.counter import key
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Constant, Instruction

LEAST_NORMAL = 2.0**-126  # of float32


class Builder:
    """Collects the forward instructions of a network and names their values: h1 = x·W1 + b1, a1 = max(h1, 0), …"""

    def __init__(self, training: bool) -> None:
        self.training = training  # whether layers such as Dropout act
        self.told = True  # whether anybody said so; a layer that is called on arrays may not be told
        self.frozen = False  # whether the current layer is inside one that isn't trained
        self.instructions: list[Instruction] = []
        self.names: set[str] = set()
        self.number = ""  # of the current layer: the number in the names of its weights
        self.streams = 0  # how many streams of random numbers have been handed out
        self.penalties: list[tuple[Buffer, float, float]] = []  # (a, l1, l2): on the outputs of layers
        self.objectives: list[tuple[Buffer, bool]] = []  # (v, total): terms of the loss, one number a row
        self.terms_of: list[tuple[Any, range, range]] = []  # (layer, its objectives, its penalties), inner layers first
        self.inputs: list[Buffer] = []  # of the whole network, and its outputs, once they are known
        self.outputs: list[Buffer] = []
        self.features: Buffer  # the input of the last layer with weights
        self.masks: dict[Buffer, Buffer] = {}  # value → 1 where it counts, 0 where a step of a sequence is left out
        self.lengths: list[Buffer] = []  # masks made of the lengths of rows that were filled up
        self.carried: dict[int, Any] = {}  # by the id of a layer, the states that it hands on from batch to batch
        self.of_masks: set[Instruction] = set()  # what computes masks: not needed where nothing reads one

    @property
    def augments(self) -> bool:
        """Whether images are changed at random: in training, and on arrays unless somebody says otherwise."""
        return self.training or not self.told

    def value(self, name: str, shape: tuple[int, ...], per_row: bool = True) -> Buffer:
        """A new value. Its name is made unique by a prime and a number: z1, z1′, z1′2, z1′3 …"""
        name += self.number
        unique = name if name not in self.names else f"{name}′"
        count = 1
        while unique in self.names:
            count += 1
            unique = f"{name}′{count}"
        self.names.add(unique)
        return Buffer(unique, shape, per_row=per_row)

    def constant(self, values: ArrayLike) -> Constant:
        """Numbers that are the same for every row and not trained; a single one is printed as itself."""
        constant = Constant("", values)
        constant.name = f"{constant.values:.6g}" if constant.shape == () else self.value("c", constant.shape).name
        return constant

    def append(self, instruction: Instruction) -> Buffer:
        """Adds an instruction and returns what it writes."""
        self.instructions.append(instruction)
        return instruction.outputs[0]

    def penalize(self, a: Buffer, l1: float, l2: float) -> None:
        """Adds l1·Σ|a| + l2·Σ a², the mean over the rows, to the objective."""
        self.penalties.append((a, l1, l2))

    def affine(self, x: Buffer, W: Buffer, b: Buffer | None = None) -> Buffer:
        """h = x·W + b over the last axis of x."""
        if x.shape[-1] != W.shape[0]:
            raise ShapeError(f"{x} has {x.shape[-1]} columns but {W} has {W.shape[0]} rows: x·W needs them equal")
        self.number = W.storage.name.lstrip("W")
        return self.append(Affine(x, W, b, self.value("h", (*x.shape[:-1], W.shape[1]))))

    def embedding(self, ids: Buffer, W: Buffer, sparse: bool = True) -> Buffer:
        """h = W[ids]: a row of W for every id."""
        self.number = W.name.lstrip("W")
        return self.append(Embedding(ids, W, self.value("h", (*ids.shape, W.shape[1])), sparse))

    def convolution(
        self, x: Buffer, W: Buffer, b: Buffer | None, window: Window, groups: int = 1, outputs: int | None = None
    ) -> Buffer:
        """h = x ∗ W + b for x (rows, height, width, channels). `outputs` defaults to the size of W's last axis."""
        self.number = W.name.lstrip("WDP")
        shape = (*self.places(x, window), outputs or W.shape[-1])
        return self.append(Convolution(x, W, b, self.value("h", shape), window, groups))

    def transposed_convolution(
        self, x: Buffer, W: Buffer, b: Buffer | None, window: Window, image: tuple[int, int], filters: int
    ) -> Buffer:
        """h = x ∗ Wᶠ + b, an image (height, width) on which the window has one position for each element of x."""
        self.number = W.name.lstrip("W")
        flip = flip_of(W, (*window.size, filters, x.shape[-1]), window)
        self.append(flip)
        return self.append(TransposedConvolution(x, W, flip.flipped, b, self.value("h", (*image, filters)), window))

    def pooling(self, kind: type[MaxPooling] | type[AveragePooling], x: Buffer, window: Window) -> Buffer:
        """The largest element, or the mean, of each window."""
        return self.append(kind(x, self.value("p", (*self.places(x, window), x.shape[-1])), window))

    def normalization(
        self, x: Buffer, mean: Buffer, variance: Buffer, gamma: Buffer | None, beta: Buffer | None, epsilon: float
    ) -> Buffer:
        """a = γ·(x − μ)/√(σ² + ε) + β, with given statistics of each channel."""
        return self.append(Normalization(x, mean, variance, gamma, beta, self.value("n", x.shape), epsilon))

    def batch_normalization(
        self,
        x: Buffer,
        moving: tuple[Buffer, Buffer],
        gamma: Buffer | None,
        beta: Buffer | None,
        momentum: float,
        epsilon: float,
        trained: bool = True,
    ) -> Buffer:
        """The same with the statistics of the batch, which update the moving averages; without training, with those."""
        self.number = moving[0].name.lstrip("μ")
        if not self.training or self.frozen or not trained:
            return self.normalization(x, *moving, gamma, beta, epsilon)
        a, channels = self.value("n", x.shape), x.shape[-1]
        mean, variance = (Buffer(f"{k} of {x}", (channels,), WORKSPACE, per_row=False) for k in ("μ", "σ²"))
        self.instructions.append(BatchStatistics(x, mean, variance))
        self.instructions.append(BatchNormalization(x, mean, variance, gamma, beta, a, epsilon))
        for value, average in zip((mean, variance), moving, strict=True):
            self.instructions.append(MovingAverage(value, average, momentum))
        return a

    def mask_weights(self, mask: Buffer) -> Buffer:
        """A mask as weights, whose mean over the batch is 1."""
        x = mask if mask.shape[-1:] == (1,) else self.reshape(mask, (*mask.shape, 1))
        w = self.append(MaskWeights(x, self.value("w", x.shape)))
        return w if x is mask else self.reshape(w, mask.shape)

    def standardization(
        self, x: Buffer, gamma: Buffer | None, beta: Buffer | None, groups: int, by_place: bool, epsilon: float
    ) -> Buffer:
        """γ·(x − mean)/√(variance + ε) + β over groups of channels, at all positions of a row together or at each."""
        if gamma is not None or beta is not None:
            self.number = (gamma or beta).name[1:]  # type: ignore[union-attr]
        a = self.append(Standardization(x, self.value("n", x.shape), groups, by_place, epsilon))
        if gamma is None and beta is None:
            return a
        return self.append(ChannelScale(a, gamma, beta, self.value("n", x.shape)))

    def prelu(self, x: Buffer, alpha: Buffer) -> Buffer:
        """a = x for x > 0, otherwise α·x"""
        self.number = alpha.name.lstrip("α")
        return self.append(Prelu(x, alpha, self.value("a", x.shape)))

    def crop(self, x: Buffer, before: tuple[int, int], after: tuple[int, int]) -> Buffer:
        """An image without its border."""
        height, width, channels = x.shape
        return self.slice(x, (*before, 0), (height - after[0], width - after[1], channels), (1, 1, 1))

    def upsample(self, x: Buffer, size: tuple[int, int]) -> Buffer:
        """Repeats every element of an image size[0] times down and size[1] times across."""
        height, width, channels = x.shape
        return self.append(Upsampling(x, self.value("z", (height * size[0], width * size[1], channels)), size))

    def resize(self, x: Buffer, size: tuple[int, int], interpolation: str, antialias: bool = False) -> Buffer:
        """An image of another size: of `nearest` elements, or by weights; first along the axis that loses most."""
        for axis in sorted((0, 1), key=lambda k: size[k] / x.shape[k]):
            n, m = x.shape[axis], size[axis]
            if n != m and interpolation == "nearest":
                x = self.take(x, nearest(n, m), axis)
            elif n != m:
                x = self.resample(x, interpolated(n, m, interpolation, antialias), axis)
        return x

    def resample(self, x: Buffer, matrix: NDArray[Any], axis: int) -> Buffer:
        """Along an axis, the product with a matrix (new, old), in whose rows few neighbours aren't 0."""
        z = self.value("z", (*x.shape[:axis], len(matrix), *x.shape[axis + 1 :]), x.per_row)
        return self.append(Resampling(x, *banded(matrix), z, axis))

    def permute(self, x: Buffer, order: tuple[int, ...]) -> Buffer:
        """The axes of a row in another order: axis k of the result is axis order[k] of x."""
        z = self.value("z", tuple(x.shape[k] for k in order), x.per_row)
        return self.append(Permutation(x, z, order))

    def concatenate(self, xs: Sequence[Buffer], axis: int = -1) -> Buffer:
        """The values one after the other along an axis of a row; what isn't per row is repeated if anything is."""
        first, per_row = xs[0], any(x.per_row for x in xs)
        axis = axis % len(first.shape) if first.shape else 0
        rest = {x.shape[:axis] + x.shape[axis + 1 :] for x in xs if len(x.shape) == len(first.shape) > 0}
        if len(rest) != 1 or any(len(x.shape) != len(first.shape) for x in xs):
            shown = ", ".join(f"{x} of shape {x.shape}" for x in xs)
            raise ShapeError(f"{shown}: to be concatenated they may differ in axis {axis} only")
        if len(xs) == 1:
            return first
        while len(xs) > MOST_PARTS:  # groups of groups
            groups = [xs[n : n + MOST_PARTS] for n in range(0, len(xs), MOST_PARTS)]
            xs = [self.concatenate(group, axis) for group in groups]
        parts = tuple(self.broadcast_to(x, x.shape, per_row) for x in xs)
        shape = (*first.shape[:axis], sum(x.shape[axis] for x in parts), *first.shape[axis + 1 :])
        return self.append(Concatenation(parts, self.value("z", shape, per_row), axis))

    def slice(
        self, x: Buffer, starts: Sequence[int | None], stops: Sequence[int | None], steps: Sequence[int | None]
    ) -> Buffer:
        """x[start:stop:step] along each axis of a row, as in Python: negative numbers count from the end."""
        ranges = [range(*slice(*bounds).indices(n)) for n, *bounds in zip(x.shape, starts, stops, steps, strict=True)]
        if not all(ranges):
            raise ShapeError(f"a slice of {x} of shape {x.shape} leaves nothing: {tuple(map(len, ranges))}")
        if all(r == range(n) for r, n in zip(ranges, x.shape, strict=True)):
            return x
        z = self.value("z", tuple(map(len, ranges)), x.per_row)
        return self.append(Slice(x, z, tuple(r.start for r in ranges), tuple(r.step for r in ranges)))

    def pad(self, x: Buffer, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Buffer:
        """`value` around x: for each axis of a row, how many before and after."""
        shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
        starts = tuple(before for before, _ in widths)
        z = self.value("z", shape, x.per_row)
        return x if shape == x.shape else self.append(Placement(x, z, starts, (1,) * len(shape), float(value)))

    def take(self, x: Buffer, indices: ArrayLike, axis: int) -> Buffer:
        """x[…, indices, …] along an axis of a row, for constant indices of any shape, which replaces the axis."""
        numbers, axis = np.asarray(indices), axis % len(x.shape)
        n = x.shape[axis]
        if not numbers.size or numbers.min() < -n or numbers.max() >= n:
            raise ShapeError(f"take: {x} has {n} elements along axis {axis}, the indices are {numbers.tolist()}")
        numbers = numbers % n
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        z = self.value("z", (*before, numbers.size, *after), x.per_row)
        z = self.append(Take(x, self.constant(numbers.reshape(-1)), z, axis))
        return z if numbers.ndim == 1 else self.reshape(z, (*before, *numbers.shape, *after))

    def take_along_axis(self, x: Buffer, ids: Buffer, axis: int) -> Buffer:
        """z[…, j, …] = x[…, ids[…, j, …], …]; NaN where there is no such element. The other axes of a row broadcast."""
        axis = axis % len(x.shape)
        if len(ids.shape) != len(x.shape):
            raise ShapeError(
                f"take_along_axis: {x} of shape {x.shape} and {ids} of shape {ids.shape} need as many axes"
            )
        per_row = x.per_row or ids.per_row
        others = np.broadcast_shapes(*((*b.shape[:axis], 1, *b.shape[axis + 1 :]) for b in (x, ids)))
        x, ids = (self.broadcast_to(b, (*others[:axis], b.shape[axis], *others[axis + 1 :]), per_row) for b in (x, ids))
        return self.append(TakeAlongAxis(x, ids, self.value("z", ids.shape, per_row), axis))

    def one_hot(self, x: Buffer, depth: int) -> Buffer:
        """1 at the place of each id among `depth`, otherwise 0; only zeros for an id outside 0 … depth − 1."""
        return self.append(OneHot(x, self.value("z", (*x.shape, depth), x.per_row)))

    def argsort(self, x: Buffer, k: int | None = None, descending: bool = False) -> Buffer:
        """The ids of all elements along the last axis in their order, or of the first k; NaN comes last."""
        n = x.shape[-1]
        k = n if k is None else k
        if not 1 <= k <= n:
            raise ShapeError(f"{x} has {n} elements along its last axis: the first {k} of them can't be taken")
        return self.append(Argsort(x, self.value("z", (*x.shape[:-1], k), x.per_row), descending))

    def sort(self, x: Buffer, descending: bool = False) -> Buffer:
        """The elements along the last axis in their order."""
        return self.take_along_axis(x, self.argsort(x, None, descending), -1)

    def top_k(self, x: Buffer, k: int) -> tuple[Buffer, Buffer]:
        """The k largest elements along the last axis, the largest first, and their ids."""
        ids = self.argsort(x, k, descending=True)
        return self.take_along_axis(x, ids, -1), ids

    def broadcast_to(self, x: Buffer, shape: tuple[int, ...], per_row: bool = False) -> Buffer:
        """x repeated along axes of a row, and for every row if it shall be `per_row`."""
        per_row = per_row or x.per_row
        if (x.shape, x.per_row) == (shape, per_row):
            return x
        if x.per_row and len(x.shape) < len(shape):
            x = self.reshape(x, (1,) * (len(shape) - len(x.shape)) + x.shape)
        try:
            fits = np.broadcast_shapes(x.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(f"{x} of shape {x.shape} can't be broadcast to {shape}")
        return self.append(Pointwise(operations.SUM, (x,), self.value("z", shape, per_row)))

    def matmul(self, x: Buffer, y: Buffer, transpose_x: bool = False, transpose_y: bool = False) -> Buffer:
        """z = x·y over the last two axes of a row, those before them broadcast; a vector is a row x, or a column y."""
        shown = f"{x} of shape {x.shape} times {y} of shape {y.shape}"
        if not x.shape or not y.shape:
            raise ShapeError(f"{shown}: a matrix product needs at least one axis of each")
        transpose_x, transpose_y = transpose_x and len(x.shape) > 1, transpose_y and len(y.shape) > 1
        K, inner = x.shape[-2 if transpose_x else -1], y.shape[-1 if transpose_y or len(y.shape) == 1 else -2]
        if inner != K:
            raise ShapeError(f"{shown}: the rows of x have {K} elements, the columns of y {inner}")
        if len(y.shape) == 1:
            z = self.matmul(x, self.reshape(y, (K, 1)), transpose_x)
            return self.reshape(z, z.shape[:-1])
        if x.per_row and not y.per_row and len(y.shape) == 2 and not transpose_x:
            W = self.permute(y, (1, 0)) if transpose_y else y
            return self.append(Affine(x, W, None, self.value("h", (*x.shape[:-1], W.shape[1]))))
        if len(x.shape) == 1:
            z = self.matmul(self.reshape(x, (1, K)), y, False, transpose_y)
            return self.reshape(z, (*z.shape[:-2], z.shape[-1]))
        try:
            before = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        except ValueError:
            raise ShapeError(f"{shown}: the axes before the last two don't broadcast") from None
        if any(b.per_row and len(b.shape) < len(before) + 2 for b in (x, y)):
            raise ShapeError(f"{shown}: what is per row needs the same number of axes")
        shape = (*before, x.shape[-1 if transpose_x else -2], y.shape[-2 if transpose_y else -1])
        z = self.value("z", shape, x.per_row or y.per_row)
        return self.append(MatrixProduct(x, y, z, transpose_x, transpose_y))

    def attention(
        self, q: Buffer, k: Buffer, v: Buffer, mask: Buffer | None, scale: float, causal: bool = False,
        window: int = 0, rate: float = 0.0, stream: int = 0,
    ) -> Buffer:  # fmt: skip
        """softmax(scale·q·kᵀ)·v, for q (T, heads, d), k and v (S, groups, …) of a row, mask (heads or 1, T or 1, S)."""
        rate = rate if self.training else 0.0
        q, k, v = (self.broadcast_to(b, b.shape, per_row=True) for b in (q, k, v))
        (queries, heads, _), width = q.shape, v.shape[-1]
        if mask is not None and mask.shape[-1] != k.shape[0]:
            mask = self.broadcast_to(mask, (*mask.shape[:-1], k.shape[0]))
        o, sums = self.value("o", (queries, heads, width)), self.value("sums", (heads, 2, queries))
        how = (scale, causal, window, rate, stream if rate else 0)
        return self.append(Attention(q, k, v, mask, *how, o, sums))

    def random(
        self, kind: str, shape: tuple[int, ...], seed: int | None = None, first: float = 0.0, second: float = 1.0
    ) -> Buffer:
        """Random numbers for each row, in every kind of program: "normal" with mean `first` and standard deviation
        `second`, "uniform" from `first` to `second`, or "bernoulli", `second` with probability `first`, otherwise 0."""
        values = {"normal": RandomNormal, "uniform": RandomUniform, "bernoulli": RandomBernoulli}[kind]
        return self.append(values(self.value("r", shape), first, second, self.stream(seed)))

    def places(self, x: Buffer, window: Window) -> tuple[int, int]:
        """How many positions a window has on an image: (down, across)."""
        if len(x.shape) != 3:
            raise ShapeError(f"images of shape (height, width, channels) are needed, {x} has the shape {x.shape}")
        places = window.outputs(*x.shape[:2])
        if min(places) < 1:
            raise ShapeError(f"a window that spans {window.span} is larger than an image of {x.shape[:2]}")
        return places

    def elementwise(
        self, equation: Equation, h: Buffer, arguments: Sequence[float] = (), parameters: Sequence[Buffer] = ()
    ) -> Buffer:
        """a = f(h), element by element; each trainable parameter has one number per unit of h."""
        a = self.value("a", h.shape, h.per_row)
        return self.append(Elementwise(h, a, equation, tuple(arguments), tuple(parameters)))

    def rowwise(self, kind: type[Rowwise], h: Buffer) -> Buffer:
        """a = f(h) over the last axis: softmax and its relatives."""
        return self.append(kind(h, self.value("a", kind.output_shape(h.shape))))

    def custom(self, pair: ScalarPair, h: Buffer) -> Buffer:
        """a = f(h), a user's function, element by element."""
        return self.append(CustomActivation(h, self.value("a", h.shape), pair))

    def add(self, x: Buffer, y: Buffer) -> Buffer:
        """z = x + y"""
        if x.shape != y.shape:
            raise ShapeError(f"{x} of shape {x.shape} and {y} of shape {y.shape} can't be added: the shapes differ")
        if x.per_row != y.per_row:
            return self.binary("add", x, y)
        return self.append(Add(x, y, self.value("z", x.shape, x.per_row)))

    def binary(self, kind: str, x: Buffer, y: Buffer) -> Buffer:
        """z = f(x, y), element by element, with NumPy's broadcasting: an operation of `operations.BINARY`."""
        if kind == "add" and (x.shape, x.per_row) == (y.shape, y.per_row):
            return self.add(x, y)
        return self.pointwise(operations.BINARY[kind], x, y)

    def where(self, condition: Buffer, x: Buffer, y: Buffer) -> Buffer:
        """z = x where the condition isn't 0, otherwise y, with NumPy's broadcasting."""
        return self.pointwise(operations.WHERE, condition, x, y)

    def pointwise(self, operation: Operation, *values: Buffer) -> Buffer:
        """z = f(values), of the shape to which they broadcast; per row if one of them is."""
        shown = ", ".join(f"{v} of shape {v.shape}" for v in values)
        try:
            shape = np.broadcast_shapes(*(v.shape for v in values))
        except ValueError:
            raise ShapeError(f"{operation.name} of {shown}: the shapes don't broadcast") from None
        if any(v.per_row and len(v.shape) < len(shape) for v in values):
            raise ShapeError(f"{operation.name} of {shown}: what is per row needs the same number of axes")
        z = self.value("z", shape, any(v.per_row for v in values))
        return self.append(Pointwise(operation, values, z))

    def scalar(self, kind: str, x: Buffer, number: float, reverse: bool = False) -> Buffer:
        """a = f(x, number), or f(number, x) if `reverse`: an operation of `operations.BINARY`."""
        if number != number or 0 < abs(number) < LEAST_NORMAL:  # formulas take them for a number, or for 0
            constant = self.constant(number)
            return self.binary(kind, constant, x) if reverse else self.binary(kind, x, constant)
        if kind == "power" and not reverse:
            if number in (products := {-1.0: "reciprocal", 2.0: "square"}):
                return self.unary(products[number], x)
            if number in operations.ROOTS:
                return self.elementwise(operations.ROOTS[number], x)
            if number in operations.WHOLE_POWERS:
                return self.elementwise(operations.whole_power(int(number)), x)
        return self.elementwise(operations.with_number(kind, reverse), x, (float(number),))

    def unary(self, name: str, x: Buffer, *arguments: float) -> Buffer:
        """a = f(x), element by element: an equation of `operations.UNARY`, by default with its own arguments."""
        equation = operations.UNARY[name]
        return self.elementwise(equation, x, arguments or tuple(float(a or 0) for a in equation.arguments.values()))

    def reduce(self, kind: str, x: Buffer, axes: Sequence[int], keepdims: bool = False) -> Buffer:
        """The sum, mean, max, min, prod or logsumexp along axes; argmax, argmin, cumsum or cumprod along one.

        Axes count from 0 without the rows' axis. Those of `argmax` and the others go, unless `keepdims`; over all axes,
        the shape becomes (). A cumulative sum or product keeps its shape.
        """
        shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        if running := {"cumsum": CumulativeSum, "cumprod": CumulativeProduct}.get(kind):
            return self.append(running(x, self.value("z", x.shape, x.per_row), axes[0]))
        z = self.value("z", shape, x.per_row)
        if kind in ("argmax", "argmin"):
            z = self.append(Argmax(x, z, axes[0], kind == "argmin"))
        elif kind == "logsumexp":
            top = self.append(Pointwise(operations.LARGEST, (x,), self.value("top", shape, x.per_row)))
            total = self.append(Pointwise(operations.EXPONENTIALS, (x, top), z))
            z = self.pointwise(operations.LOGARITHM, total, top)
        else:
            count = math.prod(x.shape[axis] for axis in axes)
            z = self.append(Pointwise(operations.REDUCTIONS[kind], (x,), z, (1 / count,) if kind == "mean" else ()))
        return z if keepdims else self.reshape(z, tuple(n for axis, n in enumerate(x.shape) if axis not in axes))

    def stop_gradient(self, x: Buffer) -> Buffer:
        """x itself, through which no derivative flows back."""
        return x if isinstance(x, Constant) else self.append(Reshape(x, self.view(x, x.shape), stops=True))

    def reshape(self, x: Buffer, shape: tuple[int, ...]) -> Buffer:
        """The same memory under another shape."""
        if math.prod(shape) != x.size:
            counts = f"{x.size} and {math.prod(shape)} elements"
            raise ShapeError(f"{x} of shape {x.shape} can't take the shape {shape}: {counts}")
        if isinstance(x, Constant):
            return self.constant(x.values.reshape(shape))
        return self.append(Reshape(x, self.view(x, shape)))

    def view(self, x: Buffer, shape: tuple[int, ...]) -> Buffer:
        """A value in the memory of x."""
        z = self.value("f", shape, x.per_row)
        z.region, z.view_of = x.region, x
        return z

    def noise(self, kind: type[Noise], x: Buffer, amount: float, seed: int | None = None) -> Buffer:
        """Noise on every element in training; otherwise x itself."""
        stream = self.stream(seed)
        if not self.training or amount == 0:
            return x
        return self.append(kind(x, self.value("r", x.shape), amount, stream))

    def stream(self, seed: int | None) -> int:
        """The stream number of the next random layer; it advances whether or not the layer acts."""
        self.streams += 1
        return self.streams if seed is None else key(seed, 0, self.streams) >> 1  # fits a signed integer

    def dropout(self, x: Buffer, rate: float, seed: int | None = None) -> Buffer:
        """Zeroes elements with probability `rate` in training and scales the rest; otherwise x itself."""
        return self.dropped(x, rate, self.stream(seed))

    def dropped(self, x: Buffer, rate: float, stream: int) -> Buffer:
        """The same with the random numbers of a stream."""
        if not self.training or rate == 0:
            return x
        return self.append(Dropout(x, self.value("r", x.shape), rate, stream))
