"""Instructions that ONNX has operators for, where these are faster or easier to read than what references compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thalweg.export.onnx.decompositions import operator
from thalweg.program.formula.operations import UNARY
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays
from thalweg.program.graphs.traced_values import Value, constant, transposed
from thalweg.program.graphs.value_functions import Tracing
from thalweg.program.instructions.activations import RELU, SIGMOID, Elementwise
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution, Window
from thalweg.program.instructions.forest import COLUMN, MISSING, ROOT, SKIP, THRESHOLD, Forest, goes_left
from thalweg.program.instructions.images.pooling import AveragePooling, MaxPooling
from thalweg.program.instructions.linear import Affine
from thalweg.program.instructions.normalization import Normalization
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.instructions.standardization import Standardization
from thalweg.program.ir.instruction import Array, Buffer

LEAKY_RELU = UNARY["leaky_relu"]
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # how the axes of images are moved for channels that come first, and back


class Known(Arrays):
    """What an instruction reads, and the numbers of what belongs to the network."""

    def __init__(self, weights: Mapping[Buffer, Array]) -> None:
        super().__init__(ROWS, np.float32, ROWS)
        self.weights = weights


def first(x: Value) -> Value:
    """An image with its channels first."""
    return transposed(x, FIRST)


def last(x: Value) -> Value:
    return transposed(x, LAST)


def windowed(name: str, x: Value, more: list[Value], h: Buffer, window: Window, **attributes: Any) -> Value:
    """An operator whose window moves over images with channels first."""
    height, width, channels = h.shape
    moves = {"kernel_shape": window.size, "strides": window.strides, "pads": (*window.before, *window.after)}
    if window.dilation != (1, 1):
        moves["dilations"] = window.dilation
    return operator(
        name, x, *more, shape=(x.shape[0], channels, height, width), dtype=x.dtype, **moves, **attributes
    )  # fmt: skip


def kernel(W: Value, window: Window, outputs: int) -> Value:
    """(outputs, inputs of a group, kernel rows, columns)"""
    return transposed(W.reshape(*window.size, -1, outputs), (3, 2, 0, 1))


def convolution(i: Convolution, arrays: Arrays) -> Value:
    more = [kernel(arrays[i.W], i.window, i.h.shape[-1]), *([arrays[i.b]] if i.b else [])]
    return last(windowed("Conv", first(arrays[i.x]), more, i.h, i.window, group=i.groups))


def transposed_convolution(i: TransposedConvolution, arrays: Arrays) -> Value:
    """ONNX, too, takes the kernel of the convolution whose gradient it is."""
    window, sides = i.window, zip(i.h.shape, i.x.shape, strict=True)
    beyond = [
        n + window.before[k] + window.after[k] - window.span[k] - (places - 1) * window.strides[k]
        for k, (n, places) in enumerate(list(sides)[:2])
    ]  # elements that no window reaches
    more = [kernel(arrays[i.W], window, i.x.shape[-1]), *([arrays[i.b]] if i.b else [])]
    options = {"group": i.groups, "output_padding": beyond}
    return last(windowed("ConvTranspose", first(arrays[i.x]), more, i.h, window, **options))


def max_pooling(i: MaxPooling, arrays: Arrays) -> Value:
    """NaN, which MaxPool takes for a number, stays NaN: 0·tanh of a mean is NaN where it is, and otherwise 0.

    Relu keeps infinities of both signs from meeting in a mean.
    """
    x = first(arrays[i.x])
    mean = windowed("AveragePool", operator("Relu", x, shape=x.shape), [], i.a, i.window, count_include_pad=0)
    nothing: Any = 0 * np.tanh(mean)
    return last(windowed("MaxPool", x, [], i.a, i.window) + nothing)


def average_pooling(i: AveragePooling, arrays: Arrays) -> Value:
    return last(windowed("AveragePool", first(arrays[i.x]), [], i.a, i.window, count_include_pad=0))


def normalization(i: Normalization, arrays: Arrays) -> Value | None:
    """Of images, since it becomes part of the convolution before it."""
    x = arrays[i.x]
    if x.ndim != 4 or i.mean is None:
        return None
    channels = np.ones(x.shape[-1], np.float32)
    gamma = arrays[i.gamma] if i.gamma else constant(channels)
    beta = arrays[i.beta] if i.beta else constant(0 * channels)
    operands = (first(x), gamma, beta, arrays[i.mean], arrays[i.variance])
    return last(operator("BatchNormalization", *operands, shape=first(x).shape, epsilon=i.epsilon))


def standardization(i: Standardization, arrays: Arrays) -> Value | None:
    """Over the last axis, in the form in which onnxruntime finds a layer normalization."""
    x = arrays[i.x]
    if not i.by_place or i.groups > 1:
        return None
    if i.centered:
        x = x - last_mean(x)
    return x / np.sqrt(last_mean(x**2.0) + i.epsilon)  # type: ignore[no-any-return]


def last_mean(x: Any) -> Any:
    return operator("ReduceMean", x, shape=(*x.shape[:-1], 1), dtype=x.dtype, axis=(x.ndim - 1,), keepdims=True)


def affine(i: Affine, arrays: Arrays) -> Value | None:
    x, W = arrays[i.x], arrays[i.W]
    if x.ndim > 2 or i.b is None:
        return None
    return operator("Gemm", x, W, arrays[i.b], shape=(x.shape[0], W.shape[1]), dtype=x.dtype)


def elementwise(i: Elementwise, arrays: Arrays) -> Value | None:
    h = arrays[i.h]
    if i.equation == LEAKY_RELU:
        return operator("LeakyRelu", h, shape=h.shape, dtype=h.dtype, alpha=i.arguments[0])
    name = "Relu" if i.equation == RELU else "Sigmoid" if i.equation == SIGMOID else None
    return None if name is None else operator(name, h, shape=h.shape, dtype=h.dtype)


def softmax(i: Softmax, arrays: Arrays) -> Value:
    h = arrays[i.h]
    return operator("Softmax", h, shape=h.shape, dtype=h.dtype, axis=h.ndim - 1)


def forest(i: Forest, arrays: Known) -> Value | None:
    """Trees. What is asked of a category is a column more: 0 where its code goes left, 1 where it doesn't."""
    tables = [arrays.weights.get(b.storage) for b in (i.nodes, i.trees, i.values)]
    if any(table is None for table in tables):
        return None
    x: Any = arrays[i.x]
    nodes, trees, values = (np.asarray(table) for table in tables)
    of_codes = (nodes[:, COLUMN] < 0) & (nodes[:, SKIP] > 0)
    columns = nodes[:, COLUMN].astype(int)
    if of_codes.any() and i.sets is not None:
        asked, place = np.unique(nodes[of_codes][:, [COLUMN, THRESHOLD]], axis=0, return_inverse=True)
        codes: Any = np.take(x, (-1 - asked[:, 0]).astype(int), axis=1)
        sets: Any = arrays[i.sets]
        inside: Any = goes_left(Tracing(), codes, asked[:, 1].astype(np.float32), sets)
        columns[of_codes] = x.shape[1] + place.reshape(-1)
        x = np.concatenate([x, (~inside).astype(np.float32)], axis=1)
    told = trees_of(nodes, trees, values, columns, np.where(of_codes, 0.5, nodes[:, THRESHOLD]))
    return arrays[i.base] + operator(  # type: ignore[no-any-return]
        "TreeEnsembleRegressor", x, shape=(x.shape[0], i.y.size), n_targets=i.y.size, **told
    )


def trees_of(nodes: Array, trees: Array, values: Array, columns: Array, thresholds: Array) -> dict[str, Any]:
    """The attributes that describe trees. Left is where an answer is yes."""
    count, width = len(nodes), values.shape[1]
    order = np.argsort(trees[:, ROOT])
    roots, places = trees[order].T.astype(int)
    tree = np.searchsorted(roots, np.arange(count), side="right") - 1
    number = np.arange(count) - roots[tree]
    skip = nodes[:, SKIP].astype(int)
    leaves = np.flatnonzero(skip == 0)
    told = {
        "treeids": tree, "nodeids": number, "featureids": np.where(skip > 0, columns, 0), "values": thresholds,
        "truenodeids": np.where(skip > 0, number + 1, 0), "falsenodeids": np.where(skip > 0, number + skip, 0),
        "missing_value_tracks_true": (skip > 0) & (nodes[:, MISSING] > 0),
    }  # fmt: skip
    attributes = {f"nodes_{name}": (array + 0).tolist() for name, array in told.items()}
    return attributes | {
        "nodes_modes": np.where(skip > 0, "BRANCH_LEQ", "LEAF").tolist(),
        "target_treeids": np.repeat(tree[leaves], width).tolist(),
        "target_nodeids": np.repeat(number[leaves], width).tolist(),
        "target_ids": (places[tree[leaves], None] * width + np.arange(width)).reshape(-1).tolist(),
        "target_weights": values[nodes[leaves, THRESHOLD].astype(int)].reshape(-1).tolist(),
    }


DIRECT: dict[type[Any], Callable[[Any, Known], Value | None]] = {
    Convolution: convolution, TransposedConvolution: transposed_convolution, MaxPooling: max_pooling,
    AveragePooling: average_pooling, Normalization: normalization, Standardization: standardization, Affine: affine,
    Elementwise: elementwise, Softmax: softmax, Forest: forest,
}  # fmt: skip
"""An instruction's class → its value by operators; None where the reference says it better."""
