"""The functions of `thalweg.ops`, a row or more for each: what it is called with, and what it means in NumPy.

Every row is a function of arrays (rows, …), and of tensors of a network; its axes are those of the whole batch.
"""
# ruff: noqa: B008, SIM300, E501 — a table of one line for each; which operand is on the left is what is tested

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, special

from thalweg import ops
from thalweg.ops.tensor import Operators

Shape = tuple[int, ...]
Values = Callable[[np.random.Generator, Shape], Any]


def normal(draw: np.random.Generator, shape: Shape) -> Any:
    return draw.normal(size=shape)


def positive(draw: np.random.Generator, shape: Shape) -> Any:
    return draw.uniform(0.3, 2, size=shape)


def within_1(draw: np.random.Generator, shape: Shape) -> Any:
    return draw.uniform(-0.8, 0.8, size=shape)


def whole(draw: np.random.Generator, shape: Shape) -> Any:
    return draw.integers(0, 3, size=shape).astype(float)


@dataclass(frozen=True)
class Row:
    """A function of tensors whose rows have these shapes."""

    name: str
    function: Callable[..., Any]
    statement: Callable[..., Any] | None  # the same in NumPy; None: on arrays it is NumPy's function itself
    shapes: tuple[Shape, ...]
    values: Values
    slope: bool  # whether it has a derivative
    kinds: bool  # whether each operand may be a weight or an array of shape (1, …)
    saved: bool  # whether a graph with it can be saved: not with a function among its arguments


X: Shape = (5, 3)
ROWS: list[Row] = []


def row(
    name: str,
    function: Callable[..., Any],
    statement: Callable[..., Any] | None = None,
    *shapes: Shape,
    values: Values = normal,
    slope: bool = True,
    kinds: bool = True,
    saved: bool = True,
) -> None:
    ROWS.append(Row(name, function, statement, shapes or (X,), values, slope, kinds, saved))


def steps_of(x: Any) -> Any:
    """The steps of every row, where a scan looks for them: along axis 0 of an array."""
    return x if isinstance(x, Operators) else np.moveaxis(x, 1, 0)


def of_steps(y: Any) -> Any:
    return y if isinstance(y, Operators) else np.moveaxis(y, 0, 1)


# --- each number by itself --------------------------------------------------------------------------------------------

for name in ("exp", "expm1", "square", "abs", "absolute", "negative", "sin", "cos", "arctan", "sinh", "cosh", "tanh"):
    row(name, getattr(ops, name))
for name in ("log", "log1p", "log2", "log10", "sqrt"):
    row(name, getattr(ops, name), values=positive)
for name in ("arcsin", "arccos", "tan"):
    row(name, getattr(ops, name), values=within_1)
for name in ("floor", "ceil", "round", "sign", "isnan", "isinf", "isfinite"):
    row(name, getattr(ops, name), slope=False)
row("logical_not", ops.logical_not, values=whole, slope=False)
row("rsqrt", ops.rsqrt, lambda x: x**-0.5, values=positive)
row("reciprocal", ops.reciprocal, lambda x: x**-1.0, values=positive)
row("erf", ops.erf, special.erf)
row("sigmoid", ops.sigmoid, special.expit)
row("relu", ops.relu, lambda x: np.where(x > 0, x, 0))
row("softplus", ops.softplus, lambda x: np.log1p(np.exp(x)))
row("silu", ops.silu, lambda x: x * special.expit(x))
row("elu", ops.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1))
row("elu", lambda x: ops.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1)))
row(
    "gelu",
    ops.gelu,
    lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
)
row("gelu", lambda x: ops.gelu(x, approximate=False), lambda x: x * special.ndtr(x))
row("leaky_relu", ops.leaky_relu, lambda x: np.where(x > 0, x, 0.2 * x))
row("leaky_relu", lambda x: ops.leaky_relu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * x))
row("log_sigmoid", ops.log_sigmoid, special.log_expit)
row("clip", lambda x: ops.clip(x, -0.5, 0.7), lambda x: np.clip(x, -0.5, 0.7))
row("clip", lambda x: ops.clip(x, np.array([-1.0, 0, -2]), 0.5), lambda x: np.clip(x, np.array([-1.0, 0, -2]), 0.5))
row("cast", lambda x: ops.cast(2 * x, "int32"), lambda x: np.trunc(2 * x), slope=False)
row("cast", lambda x: ops.cast(x, "bool"), lambda x: x != 0, values=whole, slope=False)
row("cast", lambda x: ops.cast(x, "float32"), lambda x: x.astype(np.float32))
row("stop_gradient", lambda x: x * ops.stop_gradient(ops.exp(x)), lambda x: x * np.exp(x), slope=False)

PAIRS: tuple[tuple[Shape, ...], ...] = ((X, X), (X, (5, 1)), ((1, 3), (5, 1)), ((5, 1), (4,)))
for name in ("add", "subtract", "multiply", "maximum", "minimum", "arctan2", "logaddexp"):
    for shapes in PAIRS[:3]:
        row(name, getattr(ops, name), None, *shapes)
for name in ("divide", "true_divide", "power"):
    for shapes in PAIRS[:3]:
        row(name, getattr(ops, name), None, *shapes, values=positive)
for name in ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"):
    row(name, getattr(ops, name), None, X, (5, 1), values=whole, slope=False)
for name in ("logical_and", "logical_or", "logical_xor"):
    row(name, getattr(ops, name), None, X, (1, 3), values=whole, slope=False)
row("floor_divide", ops.floor_divide, None, X, (5, 1), values=positive, slope=False)
row("mod", ops.mod, None, X, (5, 1), values=positive)
for name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "arctan2", "mod", "logaddexp"):
    row(name, lambda x, f=getattr(ops, name): f(x, 1.5), None, values=positive)
    row(name, lambda x, f=getattr(ops, name): f(1.5, x), None, values=positive)
for name in ("subtract", "multiply", "divide"):
    for shape in ((3,), (5, 1), (1, 5, 3)):
        row(name, lambda x, f=getattr(ops, name), a=np.linspace(0.5, 2, np.prod(shape)).reshape(shape): f(x, a), None)
        row(
            name,
            lambda x, f=getattr(ops, name), a=np.linspace(0.5, 2, np.prod(shape)).reshape(shape): f(a, x),
            values=positive,
        )
row("where", lambda x, y: ops.where(x > 0, x, y), lambda x, y: (x > 0) * x + (x <= 0) * y, X, X)
row("where", ops.where, lambda p, x, y: (p != 0) * x + (p == 0) * y, X, (5, 1), (1, 3), values=whole, slope=False)
row("where", lambda x, y: ops.where(x > y, x, 2 * y), lambda x, y: (x > y) * x + (x <= y) * 2 * y, (5, 1), (1, 3))
row("where", lambda x: ops.where(x > 0, x, -1.0), lambda x: (x > 0) * x - (x <= 0))
row("where", lambda x: ops.where(np.array([True, False, True]), 2.0, x), lambda x: x * [0, 1, 0] + [2, 0, 2])

# --- along axes -------------------------------------------------------------------------------------------------------

AXES: tuple[Any, ...] = (1, 2, -1, (1, 2), [1, -1])
for axis in AXES:
    for keep in (False, True):
        for name in ("sum", "mean", "max", "min", "amax", "amin", "prod", "std", "var"):
            if keep and (name in ("amax", "amin") or axis in (2, [1, -1])):
                continue
            a = tuple(axis) if isinstance(axis, list) else axis
            row(
                name,
                lambda x, f=getattr(ops, name), axis=axis, keep=keep: f(x, axis, keepdims=keep),
                lambda x, f=getattr(np, name), a=a, keep=keep: f(x, axis=a, keepdims=keep),
            )
for keep in (False, True):
    row(
        "logsumexp",
        lambda x, keep=keep: ops.logsumexp(x, 1, keep),
        lambda x, keep=keep: special.logsumexp(x, 1, keepdims=keep),
    )
row("logsumexp", lambda x: ops.logsumexp(x, (1, 2)), lambda x: special.logsumexp(x, (1, 2)))
for name in ("any", "all"):
    row(
        name,
        lambda x, f=getattr(ops, name): f(x, 1),
        lambda x, f=getattr(np, name): f(x != 0, 1),
        values=whole,
        slope=False,
    )
    row(
        name,
        lambda x, f=getattr(ops, name): f(x > 0, (1, 2), True),
        lambda x, f=getattr(np, name): f(x > 0, (1, 2), keepdims=True),
        slope=False,
    )
row("count_nonzero", lambda x: ops.count_nonzero(x, -1), lambda x: (x != 0).sum(-1), values=whole, slope=False)
row(
    "count_nonzero",
    lambda x: ops.count_nonzero(x, (1, 2), True),
    lambda x: np.count_nonzero(x, (1, 2), keepdims=True),
    values=whole,
    slope=False,
)
row("max", lambda x: ops.max(x, 1, initial=0.5), lambda x: x.max(1, initial=0.5))
row("min", lambda x: ops.min(x, (1, 2), True, -0.5), lambda x: x.min((1, 2), keepdims=True, initial=-0.5))
for name in ("argmax", "argmin"):
    for axis in (1, -1):
        row(name, lambda x, f=getattr(ops, name), axis=axis: f(x, axis), slope=False)
    row(name, lambda x, f=getattr(ops, name): f(x, 1, keepdims=True), slope=False)
row("moments", lambda x: ops.moments(x, 1), lambda x: (x.mean(1), x.var(1)))
row(
    "moments",
    lambda x: ops.moments(x, [1, 2], True),
    lambda x: (x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)),
)
row("average", lambda x: ops.average(x, 1), lambda x: x.mean(1))
for axis, weights in ((1, [1.0, 2, 0, 4, 1]), (2, [1.0, 2, 5]), (-1, [0.0, 1, 2])):
    row(
        "average",
        lambda x, axis=axis, w=weights: ops.average(x, axis, w),
        lambda x, axis=axis, w=weights: np.average(x, axis, w),
    )
row("average", lambda x, w: ops.average(x, 1, w), lambda x, w: np.average(x, 1, w), X, X, values=positive)
row("norm", lambda x: ops.norm(x, axis=-1), lambda x: np.linalg.norm(x, axis=-1))
row("norm", lambda x: ops.norm(x, 2, 1, True), lambda x: np.linalg.norm(x, 2, 1, True))
row("norm", lambda x: ops.norm(x, 1, 1), lambda x: np.linalg.norm(x, 1, 1))
row("norm", lambda x: ops.norm(x, np.inf, 2), lambda x: np.linalg.norm(x, np.inf, 2))
for order in (0.5, 3, -np.inf, 0):
    row("norm", lambda x, p=order: ops.norm(x, p, 1), lambda x, p=order: np.linalg.norm(x, p, 1), slope=order != 0)
for order in (1, -1, np.inf, -np.inf, None):
    for axes in ((1, 2), (2, 1)):
        row("norm", lambda x, p=order, a=axes: ops.norm(x, p, a), lambda x, p=order, a=axes: np.linalg.norm(x, p, a))
row("norm", lambda x: ops.norm(x, 1, (-2, -1), True), lambda x: np.linalg.norm(x, 1, (-2, -1), True))
row("norm", lambda x: ops.norm(x, "fro", (1, 2)), lambda x: np.linalg.norm(x, "fro", (1, 2)))
for name in ("normalize", "l2_normalize"):
    row(name, getattr(ops, name), lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True))
row("normalize", lambda x: ops.normalize(x, 1, 1), lambda x: x / abs(x).sum(1, keepdims=True))
for axis in (-1, 2, 1):
    row("softmax", lambda x, axis=axis: ops.softmax(x, axis), lambda x, axis=axis: special.softmax(x, axis))
    row("log_softmax", lambda x, axis=axis: ops.log_softmax(x, axis), lambda x, axis=axis: special.log_softmax(x, axis))
    row("cumsum", lambda x, axis=axis: ops.cumsum(x, axis))
    row("cumprod", lambda x, axis=axis: ops.cumprod(x, axis))

# --- shapes, axes, joining --------------------------------------------------------------------------------------------

row("reshape", lambda x: ops.reshape(x, (-1, 15)))
row("reshape", lambda x: ops.reshape(x, (ops.shape(x)[0], 3, -1)), lambda x: x.reshape(len(x), 3, 5))
row("reshape", lambda x: ops.sum(ops.reshape(x, [-1, 15, 1]) ** 2, 1), lambda x: (x**2).sum((1, 2))[:, None])
row("ravel", lambda x: ops.reshape(x, (len(x), -1)) if isinstance(x, np.ndarray) else ops.ravel(x), kinds=False)
row("transpose", lambda x: ops.transpose(x, (0, 2, 1)))
row("transpose", lambda x: ops.transpose(x, (0, 3, 1, 2)), None, (4, 3, 2))
row("moveaxis", lambda x: ops.moveaxis(x, 1, -1), lambda x: np.moveaxis(x, 1, -1), (4, 3, 2))
row("moveaxis", lambda x: ops.moveaxis(x, -1, 1), lambda x: np.moveaxis(x, -1, 1), (4, 3, 2))
row("moveaxis", lambda x: ops.moveaxis(x, (1, 3), (3, 2)), lambda x: np.moveaxis(x, (1, 3), (3, 2)), (4, 3, 2))
row("moveaxis", lambda x: ops.moveaxis(x, [-1, 1], [1, 2]), lambda x: np.moveaxis(x, [-1, 1], [1, 2]), (4, 3, 2))
row("swapaxes", lambda x: ops.swapaxes(x, 1, 3), lambda x: np.swapaxes(x, 1, 3), (4, 3, 2))
row("swapaxes", lambda x: ops.swapaxes(x, -1, -2), lambda x: np.swapaxes(x, -1, -2))
for axis in (1, 2, 3, -1, -2):
    row("expand_dims", lambda x, axis=axis: ops.expand_dims(x, axis))
row("squeeze", lambda x: ops.squeeze(x, 1), None, (1, 3))
row("squeeze", lambda x: ops.squeeze(x, -1), None, (1, 3, 1))
row("squeeze", lambda x: ops.squeeze(x, (1, 3)), None, (1, 3, 1))
for axis in (1, -1):
    row("concatenate", lambda x, y, axis=axis: ops.concatenate([x, y], axis), None, X, X, kinds=False)
    row("stack", lambda x, y, axis=axis: ops.stack([x, y, x], axis), None, X, X, kinds=False)
row("concatenate", lambda x, y, z: ops.concatenate((x, y, z), axis=1), None, (2, 3), (1, 3), (4, 3), kinds=False)
row("concatenate", lambda x: ops.concatenate([x], -1))
row("stack", lambda x: ops.stack([x, 2 * x], 1))
row("stack", lambda x: ops.stack([x], 3))
row("pad", lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1))), lambda x: np.pad(x, ((0, 0), (1, 2), (0, 1))))
row(
    "pad",
    lambda x: ops.pad(x, [[0, 0], [2, 0], [0, 0]], "constant", 1.5),
    lambda x: np.concatenate([np.full_like(x[:, :2], 1.5), x], 1),
)
for mode in ("reflect", "symmetric", "edge"):
    row(
        "pad",
        lambda x, mode=mode: ops.pad(x, ((0, 0), (2, 1), (1, 1)), mode=mode),
        lambda x, mode=mode: np.pad(x, ((0, 0), (2, 1), (1, 1)), mode=mode),
    )
row("broadcast_to", lambda x: ops.broadcast_to(x, (ops.shape(x)[0], 5, 3)), None, (1, 3))
row("broadcast_to", lambda x: ops.broadcast_to(x, (ops.shape(x)[0], 5, 2)), None, (5, 1))
for k in (0, 1, -1):
    row("tril", lambda x, k=k: ops.tril(x, k), lambda x, k=k: np.tril(x, k))
    row("triu", lambda x, k=k: ops.triu(x, k), lambda x, k=k: np.triu(x, k))
row(
    "shape", lambda x: ops.reshape(x, (ops.shape(x)[0], ops.shape(x)[1] * ops.shape(x)[2])), lambda x: x.reshape(-1, 15)
)
row("ndim", lambda x: x * ops.ndim(x), lambda x: 3 * x)
row("size", lambda x: x * ops.size(np.ones((2, 3))), lambda x: 6 * x)
for name in ("convert_to_tensor", "array", "copy"):
    row(name, lambda x, f=getattr(ops, name): f(x) * f([1.0, 2.0, 3.0]), lambda x: x * [1, 2, 3])
row("convert_to_numpy", lambda x: x * ops.convert_to_numpy([1.0, 2.0, 3.0]), lambda x: x * [1, 2, 3])

# --- parts ------------------------------------------------------------------------------------------------------------

row("get_item", lambda x: ops.get_item(x, (slice(None), 1)), lambda x: x[:, 1])
row("take", lambda x: ops.take(x, [4, 0, 0, -1], 1), lambda x: x[:, [4, 0, 0, 4]])
row("take", lambda x: ops.take(x, 2, axis=1), lambda x: x[:, 2])
row("take", lambda x: ops.take(x, np.array([[0, 2], [1, 1]]), -1), lambda x: x[..., np.array([[0, 2], [1, 1]])])
row(
    "take",
    lambda i: ops.take(np.arange(12.0).reshape(3, 4), i if isinstance(i, ops.tensor.Operators) else i.astype(int), 0),
    lambda i: np.arange(12.0).reshape(3, 4)[i.astype(int)],
    (5,), values=whole, slope=False,
)  # fmt: skip
row(
    "take_along_axis",
    lambda x: ops.take_along_axis(x, ops.argmax(x, 2, keepdims=True), 2),
    lambda x: x.max(2, keepdims=True),
)
row(
    "take_along_axis",
    lambda x: ops.take_along_axis(x, ops.argmin(x, 1, keepdims=True), axis=1),
    lambda x: x.min(1, keepdims=True),
)
row("one_hot", lambda x: ops.one_hot(x, 3), lambda x: np.eye(3)[x.astype(int)], values=whole, slope=False)
row("one_hot", lambda x: ops.one_hot(x, 4), lambda x: np.eye(4)[x.astype(int)], (1,), values=whole, slope=False)
row("split", lambda x: ops.split(x, 3, 2), lambda x: [x[..., :1], x[..., 1:2], x[..., 2:]])
row("split", lambda x: ops.split(x, [1, 3], axis=1), lambda x: [x[:, :1], x[:, 1:3], x[:, 3:]])
row("split", lambda x: ops.split(x, 3, axis=-1), lambda x: [x[..., :1], x[..., 1:2], x[..., 2:]])
row("unstack", lambda x: ops.unstack(x, axis=1), lambda x: [x[:, k] for k in range(5)])
row("unstack", lambda x: ops.unstack(x, 3, -1), lambda x: [x[..., k] for k in range(3)])
row("flip", lambda x: ops.flip(x, 1), lambda x: x[:, ::-1])
row("flip", lambda x: ops.flip(x, -1), lambda x: x[..., ::-1])
row("flip", lambda x: ops.flip(x, (1, 2)), lambda x: x[:, ::-1, ::-1])
row("roll", lambda x: ops.roll(x, (1, 2), (2, 1)), lambda x: np.roll(x, (1, 2), (2, 1)))
row("roll", lambda x: ops.roll(x, 1, (1, 2)), lambda x: np.roll(x, 1, (1, 2)))
row("roll", lambda x: ops.roll(x, 2, 1), lambda x: np.concatenate([x[:, -2:], x[:, :-2]], 1))
row("roll", lambda x: ops.roll(x, -1, axis=-1), lambda x: np.concatenate([x[..., 1:], x[..., :1]], 2))
row("repeat", lambda x: ops.repeat(x, 3, 1), lambda x: x[:, np.arange(15) // 3])
row("repeat", lambda x: ops.repeat(x, 2, axis=-1), lambda x: x[..., np.arange(6) // 2])
row("tile", lambda x: ops.tile(x, (1, 2, 3)), lambda x: np.concatenate([np.concatenate([x] * 2, 1)] * 3, 2))
row("tile", lambda x: ops.tile(x, 2), lambda x: np.concatenate([x, x], 2))
row("diagonal", lambda x: ops.diagonal(x, axis1=1, axis2=2), lambda x: np.einsum("nii->ni", x), (4, 4))
row("diagonal", lambda x: ops.diagonal(x, 0, -2, -1), lambda x: np.einsum("npii->npi", x), (2, 4, 4))
row("diagonal", lambda x: ops.diagonal(x, 0, 1, 3), lambda x: np.einsum("nipi->npi", x), (4, 2, 4))
row("diagonal", lambda x: ops.diagonal(x, 1, 1, 2), lambda x: x[:, [0, 1], [1, 2]])
row("diagonal", lambda x: ops.diagonal(x, -2, 1, 2), lambda x: x[:, [2, 3, 4], [0, 1, 2]])

# --- products ---------------------------------------------------------------------------------------------------------

A = np.linspace(-1, 1, 12).reshape(3, 4)


def attended(q: Any, k: Any, v: Any) -> Any:
    """Each head's mean of v, by the softmax of q·k/√d."""
    weights = np.exp(np.einsum("nthd,nshd->nhts", q, k) / np.sqrt(q.shape[-1]))
    return np.einsum("nhts,nshd->nthd", weights / weights.sum(-1, keepdims=True), v)


row("dot_product_attention", ops.dot_product_attention, attended, (3, 2, 4), (5, 2, 4), (5, 2, 3))
row("matmul", lambda x, y: ops.matmul(x, y), None, (5, 3), (3, 4))
row("matmul", lambda x, y: ops.matmul(x, y), None, (2, 5, 3), (2, 3, 4))
row("matmul", lambda x, y: ops.matmul(x, y), None, (2, 5, 3), (1, 3, 4))
row("matmul", lambda x: ops.matmul(x, A))
row("matmul", lambda x: ops.matmul(x, A), None, (3,))
row("matmul", lambda x: ops.matmul(x, A), None, (2, 5, 3))
row("matmul", lambda x: ops.matmul(A.T, x), None, (3, 5))
row("matmul", lambda x: ops.matmul(x, A[:, 0]))
row("matmul", lambda x: ops.matmul(A[:, 0], x), None, (3, 5))
row("matmul", lambda x: ops.matmul(x, np.stack([A, 2 * A])), None, (2, 5, 3))
row("dot", lambda x: ops.dot(x, A), lambda x: np.einsum("npi,io->npo", x, A))
for name in ("dot", "vdot"):
    row(name, lambda x, f=getattr(ops, name): x * f(A[0], A[1]), lambda x: x * (A[0] * A[1]).sum())
row("outer", lambda x: x * ops.outer(A[0, :2], A[0, :2]).sum(), lambda x: x * A[0, :2].sum() ** 2)
row("tensordot", lambda x: ops.tensordot(x, A, 1), lambda x: np.einsum("npi,io->npo", x, A))
row("tensordot", lambda x: ops.tensordot(x, A, [[1], [0]]), lambda x: np.einsum("nip,io->npo", x, A), (3, 5))
row("tensordot", lambda x: ops.tensordot(x, A, ([1, 2], [0, 1])), lambda x: np.einsum("nio,io->n", x, A), (3, 4))
for text in ("bij,bjk->bik", "bij,bjk->bki", "bij,bjk->bk", "bij,bjk->bijk"):
    row("einsum", lambda x, y, text=text: ops.einsum(text, x, y), None, (5, 3), (3, 4))
for text in ("bij,bij->bi", "bij,bij->b", "bij,bij->bij", "bij,bik->bjk"):
    row("einsum", lambda x, y, text=text: ops.einsum(text, x, y), None, X, X)
for text in ("bqhd,bkhd->bhqk",):
    row("einsum", lambda x, y, text=text: ops.einsum(text, x, y), None, (4, 2, 3), (5, 2, 3))
row("einsum", lambda x, y: ops.einsum("bhqk,bkhd->bqhd", x, y), None, (2, 4, 5), (5, 2, 3))
for text in ("bij,bjk,bki->b", "bij,bjk,bkl->bil", "bij,bjk,bik->bjk", "b...j,b...k,bjk->b...", "bij,bik,bji->bjk"):
    row("einsum", lambda x, y, z, text=text: ops.einsum(text, x, y, z), None, (3, 3), (3, 3), (3, 3))
row("einsum", lambda x, y: ops.einsum("b...i,bi->b...", x, y), None, (2, 4, 3), (3,))
row("einsum", lambda x, y: ops.einsum("b...,b...->b...", x, y), None, (2, 3), (1, 3))
row("einsum", lambda x, y: ops.einsum("bij,bkl->bljk", x, y), None, (2, 3), (2, 4))
row("einsum", lambda x: ops.einsum("bii->bi", x), None, (3, 3))
row("einsum", lambda x: ops.einsum("bijij->bj", x), None, (2, 3, 2, 3))
row("einsum", lambda x: ops.einsum("...i,ij", x, A))
row("einsum", lambda x: ops.einsum("...i,ij->...j", x, A))
row("einsum", lambda x: ops.einsum("bpi,io,pu,->buo", x, A, np.arange(10.0).reshape(5, 2), 2.0))
row("einsum", lambda x: ops.einsum("bij->bji", x))
row("einsum", lambda x: ops.einsum("bij->bj", x))
row("einsum", lambda x: ops.einsum("bpi, io -> bpo", x, A))
row("einsum", lambda x: ops.einsum("io,bpi->bop", A, x))

# --- linear algebra ---------------------------------------------------------------------------------------------------


def turned_round(draw: np.random.Generator, shape: Shape) -> Any:
    """Matrices far from having no inverse, whose pivots aren't on the diagonal."""
    square = len(shape) > 2 and shape[-1] == shape[-2]
    return 0.4 * draw.normal(size=shape) + (2 * np.roll(np.eye(shape[-1]), 1, 0) if square else 0)


def transposed(x: Any) -> Any:
    return ops.swapaxes(x, -1, -2)


for shapes in (((3, 3), (3, 2)), ((3, 3), (3,)), ((2, 4, 4), (2, 4, 1))):
    row(
        "solve",
        ops.solve,
        lambda a, b: np.linalg.solve(a, b.reshape(*a.shape[:-1], -1)).reshape(b.shape),
        *shapes,
        values=turned_round,
    )
row("inv", ops.inv, np.linalg.inv, (4, 4), values=turned_round)
row("inv", ops.inv, None, (2, 3, 3), values=turned_round)
row("det", ops.det, np.linalg.det, (4, 4), values=turned_round)
row("det", lambda x: ops.linalg.det(x), None, (2, 3, 3), values=turned_round)
row(
    "solve_triangular",
    ops.solve_triangular,
    lambda a, b: np.linalg.solve(np.triu(a), b),
    (3, 3),
    (3, 2),
    values=positive,
)
row(
    "solve_triangular",
    lambda a, b: ops.solve_triangular(a, b, lower=True),
    lambda a, b: np.linalg.solve(np.tril(a), b[..., None])[..., 0],
    (3, 3),
    (3,),
    values=positive,
)
for upper in (False, True):
    row(
        "cholesky",
        lambda x, upper=upper: ops.cholesky(x @ transposed(x) + np.eye(3), upper),
        lambda x, upper=upper: np.linalg.cholesky(x @ x.swapaxes(1, 2) + np.eye(3)).swapaxes(1, 1 + upper),
        (3, 3),
    )
row(
    "cholesky",
    lambda x: ops.cholesky(x * x + 3 * np.eye(2)),
    lambda x: np.linalg.cholesky(3 * np.eye(2) + (x * x + (x * x).swapaxes(1, 2)) / 2),
    (2, 2),
    values=within_1,
)

# --- segments ---------------------------------------------------------------------------------------------------------

IDS = [2, 0, 2, 7, 1]  # of which one is none of five


def of_each(function: Callable[..., Any]) -> Callable[..., Any]:
    """With numbers of each row's own: on arrays row by row."""
    return lambda x, ids: (
        function(x, ids, 3)
        if isinstance(x, Operators)
        else np.stack([function(*one, 3) for one in zip(x, ids.astype(int), strict=True)])
    )


for shape, mode in (((4, 3), "complete"), ((3, 4), "reduced"), ((3, 3), "reduced"), ((1, 2), "reduced")):
    row("qr", lambda x, m=mode: list(ops.qr(x, m)), lambda x, m=mode: list(np.linalg.qr(x, m)), shape, kinds=False)
row("qr", lambda x: list(ops.qr(x)), lambda x: list(np.linalg.qr(x)), (2, 3, 2))
for shape, more in (((4, 2), (4, 3)), ((2, 4), (2,)), ((2, 4, 2), (2, 4, 2))):
    row(
        "lstsq",
        ops.lstsq,
        lambda a, b: (np.linalg.pinv(a) @ b.reshape(*a.shape[:-1], -1)).reshape(
            *b.shape[: a.ndim - 2], a.shape[-1], *b.shape[a.ndim - 1 :]
        ),
        shape,
        more,
    )


def apart(x: Any) -> Any:
    """Matrices whose eigenvalues aren't close to each other."""
    return 0.3 * x + np.diag(np.arange(1.0, 1 + x.shape[-1]))


for shape in ((4, 4), (2, 3, 3), (1, 1)):
    row(
        "eigh",
        lambda x: [part**k for k, part in enumerate(ops.eigh(apart(x)), 1)],  # vectors are each up to their sign
        lambda x: [part**k for k, part in enumerate(np.linalg.eigh((apart(x) + transposed(apart(x))) / 2), 1)],
        shape,
        kinds=False,
    )
for shape, full in (((2, 4), True), ((4, 2), True), ((2, 3, 2), False)):

    def squared(of: Any, x: Any, full: bool = full) -> Any:
        """What of u, s and vᵀ doesn't depend on signs, nor on the choice of vectors beside those of s."""
        u, s, v = of(x + 2.0 * np.eye(x.shape[-2], x.shape[-1]) * np.arange(1.0, 1 + x.shape[-1]), full)
        return [s, ops.matmul(u * u, np.ones(u.shape[-1])), (u * u)[..., : s.shape[-1]], (v * v)[..., : s.shape[-1], :]]

    row("svd", lambda x, f=squared: f(ops.svd, x), lambda x, f=squared: f(np.linalg.svd, x), shape, kinds=False)
row("svd", lambda x: ops.svd(x, compute_uv=False), lambda x: np.linalg.svd(x, compute_uv=False), (3, 3), kinds=False)
row(  # of an even function of a matrix, where eigenvalues are equal
    "eigh",
    lambda x: (lambda w, v: ops.matmul(v * ops.expand_dims(w * w, -2), transposed(v)))(
        *ops.eigh(np.diag([1.0, 2.0, 2.0]) + 0.0 * x)
    ),
    lambda x: np.broadcast_to(np.diag([1.0, 4.0, 4.0]), x.shape),
    (3, 3),
    slope=False,
    kinds=False,
)

row(
    "segment_sum",
    lambda x: of_steps(ops.segment_sum(steps_of(x), IDS, 5)),
    lambda x: np.stack([x[:, 1], x[:, 4], x[:, 0] + x[:, 2], 0 * x[:, 0], 0 * x[:, 0]], 1),
    kinds=False,
)
row(
    "segment_sum",
    lambda x: of_steps(ops.segment_sum(steps_of(x), [1, 1, 0, 0, 1])),
    lambda x: np.stack([x[:, 2] + x[:, 3], x[:, 0] + x[:, 1] + x[:, 4]], 1),
    (5,),
    kinds=False,
)
row(
    "segment_max",
    lambda x: of_steps(ops.segment_max(steps_of(x), IDS, 3, True)),
    lambda x: np.stack([x[:, 1], x[:, 4], np.maximum(x[:, 0], x[:, 2])], 1),
    (5, 2, 2),
    kinds=False,
)
row(
    "segment_sum",
    of_each(ops.segment_sum),
    lambda x, ids: np.stack([(x * (ids == k)[..., None]).sum(1) for k in range(3)], 1),
    X,
    (5,),
    values=whole,
    slope=False,
    kinds=False,
)
row(
    "segment_max",
    lambda x, ids: ops.maximum(of_each(ops.segment_max)(x, ids), -9.0),
    lambda x, ids: np.stack([np.where(ids == k, x, -9).max(1) for k in range(3)], 1),
    (5,),
    (5,),
    values=whole,
    slope=False,
    kinds=False,
)

# --- images -----------------------------------------------------------------------------------------------------------


def image_row(
    name: str, statement: Callable[..., Any] | None, *shape: int, values: Values = normal, **options: Any
) -> None:
    function = getattr(ops.image, name)
    told = None if statement is None else lambda x: statement(x)
    row(f"image.{name}", lambda x: function(x, **options), told, shape, values=values, kinds=False)


for kind in ("nearest", "bilinear", "bicubic", "lanczos3"):
    image_row("resize", None, 5, 4, 2, size=(3, 7), interpolation=kind)
image_row("resize", lambda x: x.reshape(-1, 2, 2, 3, 2, 2).mean((2, 4)), 4, 6, 2, size=(2, 3))
image_row("resize", None, 6, 4, 2, size=(2, 3), interpolation="bicubic", antialias=True, crop_to_aspect_ratio=True)
image_row("resize", None, 6, 4, 2, size=(3, 3), pad_to_aspect_ratio=True, fill_value=0.5)
image_row(
    "crop_images", lambda x: x[:, 1:3, 2:5], 4, 6, 2, top_cropping=1, left_cropping=2, target_height=2, target_width=3
)
image_row(
    "crop_images",
    lambda x: x[:, 1:3, 2:5],
    4,
    6,
    2,
    top_cropping=1,
    right_cropping=1,
    bottom_cropping=1,
    target_width=3,
)
image_row(
    "pad_images",
    lambda x: np.pad(x, ((0, 0), (1, 2), (2, 0), (0, 0))),
    2,
    3,
    2,
    top_padding=1,
    right_padding=0,
    target_height=5,
    target_width=5,
)
image_row(
    "extract_patches",
    lambda x: np.stack([x[:, i : i + 2, j : j + 3].reshape(len(x), 12) for i in (0, 2) for j in (0, 3)], 1).reshape(
        -1, 2, 2, 12
    ),
    4,
    6,
    2,
    size=(2, 3),
)
image_row("extract_patches", None, 5, 4, 2, size=3, strides=2, padding="same")
image_row("extract_patches", None, 5, 6, 1, size=(2, 3), strides=1, dilation_rate=2)
image_row("extract_patches_3d", lambda x: x.reshape(-1, 1, 1, 1, 24), 2, 3, 4, 1, size=(2, 3, 4))
MOVED = [0.9, 0.2, -0.6, -0.1, 1.1, 0.7, 0.01, -0.02]
for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
    image_row("affine_transform", None, 4, 5, 2, transform=MOVED, fill_mode=mode, fill_value=0.5)
image_row("affine_transform", None, 3, 4, 1, transform=np.array([MOVED]), interpolation="nearest")
image_row(
    "affine_transform",
    lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1],
    3,
    4,
    2,
    transform=[1, 0, -1, 0, 1, 0, 0, 0],
)
for mode in ("constant", "mirror"):
    row(
        "image.affine_transform",
        lambda x, t, mode=mode: ops.image.affine_transform(x, 0.1 * t + MOVED, fill_mode=mode),
        None,
        (3, 4, 2),
        (8,),
        kinds=False,
    )
image_row(
    "gaussian_blur",
    lambda x: ndimage.gaussian_filter(x, (0, 1.1, 0.8, 0), radius=(0, 2, 1, 0), mode="constant"),
    4,
    5,
    2,
    kernel_size=(3, 5),
    sigma=(0.8, 1.1),
)
image_row("gaussian_blur", None, 3, 4, 1, kernel_size=(2, 7), sigma=(0.7, 2.0))
CORNERS = np.array([[0.0, 0], [0, 3], [4, 0], [4, 3]])
row(
    "image.perspective_transform",
    lambda x, p: ops.image.perspective_transform(x, CORNERS, CORNERS + 0.3 * p),
    None,
    (4, 5, 2),
    (4, 2),
    values=within_1,
    kinds=False,
)
row(
    "image.perspective_transform",
    lambda x: ops.image.perspective_transform(x, CORNERS, CORNERS + np.array([1.0, 0])),
    lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1],
    (4, 5, 2),
    kinds=False,
)


def mapped_in(order: int, mode: str) -> Callable[..., Any]:
    """`map_coordinates` in each row's own array: on arrays one after the other."""
    return lambda x, c: (
        ops.image.map_coordinates(x, 2.0 * c, order, mode, 0.5)
        if isinstance(x, Operators)
        else np.stack([ops.image.map_coordinates(*one, order, mode, 0.5) for one in zip(x, 2.0 * c, strict=True)])
    )


for order, mode in ((1, "constant"), (1, "mirror"), (1, "wrap"), (0, "reflect"), (0, "nearest")):
    row("image.map_coordinates", mapped_in(order, mode), None, (4, 5), (2, 6), slope=order == 1, kinds=False)
row(
    "image.map_coordinates",
    mapped_in(1, "nearest"),
    lambda x, c: np.stack(
        [ndimage.map_coordinates(a, 2 * p, order=1, mode="nearest") for a, p in zip(x, c, strict=True)]
    ),
    (3, 4, 5),
    (3, 2, 2),
    kinds=False,
)
row(
    "image.map_coordinates",
    lambda x: (
        ops.image.map_coordinates(x, np.array([[0.0, 1.5, 3.5]]), 1, "mirror")
        if isinstance(x, Operators)
        else np.stack([ops.image.map_coordinates(one, np.array([[0.0, 1.5, 3.5]]), 1, "mirror") for one in x])
    ),
    lambda x: np.stack([x[:, 0], (x[:, 1] + x[:, 2]) / 2, (x[:, 3] + x[:, 2]) / 2], 1),
    (4,),
    kinds=False,
)
image_row("rgb_to_grayscale", lambda x: (x * [0.2989, 0.587, 0.114]).sum(-1, keepdims=True), 2, 3, 3)
image_row("rgb_to_hsv", None, 2, 3, 3, values=positive)
image_row("hsv_to_rgb", None, 2, 3, 3, values=positive)

# --- loops ------------------------------------------------------------------------------------------------------------


def looped(name: str, function: Callable[..., Any], statement: Callable[..., Any], *shapes: Shape) -> None:
    row(name, function, statement, *shapes, kinds=False, saved=name == "fori_loop")


def decayed(x: Any) -> Any:
    carry, ys = ops.scan(lambda c, v: (0.5 * c + v, c * v), 0 * x[:, 0], steps_of(x))
    return [carry, of_steps(ys)]


def exchanged(x: Any) -> Any:
    """Structures, numbers that are the same for all rows, and the steps from the last to the first."""

    def step(carry: Any, v: Any) -> Any:
        return {"a": carry["b"], "b": carry["a"] * v[0] + v[1]}, (carry["b"], None)

    xs = (steps_of(x), np.arange(5.0)[:, None])
    carry, (ys, _) = ops.scan(step, {"a": x[:, 0], "b": x[:, 1]}, xs, 5, reverse=True)
    return [carry["a"], carry["b"], of_steps(ys)]


def unrolled(x: Any) -> Any:
    return ops.scan(lambda c, v: (ops.sin(c) + 2, None), x, length=3, unroll=True)[0]


def by_numpy(x: Any, reverse: bool) -> Any:
    a, b, ys = x[:, 0], x[:, 1], []
    for k in range(5)[:: -1 if reverse else 1]:
        ys.append(b)
        a, b = b, a * x[:, k] + k
    return [a, b, np.stack(ys[::-1], 1)]


looped(
    "scan",
    decayed,
    lambda x: [
        sum(x[:, k] / 2 ** (4 - k) for k in range(5)),
        np.stack([sum(x[:, j] / 2 ** (k - 1 - j) for j in range(k)) * x[:, k] for k in range(5)], 1),
    ],
)
looped("scan", exchanged, lambda x: by_numpy(x, True))
looped("scan", unrolled, lambda x: np.sin(np.sin(np.sin(x) + 2) + 2) + 2)


def grown(x: Any) -> Any:
    """Each row until its own length is reached."""
    return ops.while_loop(
        lambda v, n: ops.sum(v * v, -1) < 20, lambda v, n: (v * 1.5, n + v[:, 0]), (x, 0 * x[:, 0]), 4
    )


def grown_rows(x: Any) -> Any:
    ends, sums = [], []
    for v in x:
        n, steps = 0.0, 0
        while (v * v).sum() < 20 and steps < 4:
            v, n, steps = v * 1.5, n + v[0], steps + 1
        ends.append(v)
        sums.append(n)
    return [np.array(ends), np.array(sums)]


looped("while_loop", grown, grown_rows, (3,))
looped(
    "while_loop",
    lambda x: ops.while_loop(lambda v: v[:, :1] < 1, lambda v: v + 0.75, x, 3),
    lambda x: x + 0.75 * np.clip(np.ceil((1 - x[:, :1]) / 0.75), 0, 3),
    (3,),
)
looped(
    "fori_loop",
    lambda x: ops.fori_loop(1, 4, lambda k, v: v * x[:, k] + k, x[:, 0]),
    lambda x: ((x[:, 0] * x[:, 1] + 1) * x[:, 2] + 2) * x[:, 3] + 3,
)


def joined_lines(one: Any, other: Any) -> Any:
    """The line a·t + b behind another."""
    return [one[0] * other[0], one[1] * other[0] + other[1]]


looped("associative_scan", lambda x: ops.associative_scan(lambda a, b: a * b, x, axis=1), lambda x: np.cumprod(x, 1))
looped(
    "associative_scan",
    lambda x: ops.associative_scan(ops.add, x, reverse=True, axis=-1),
    lambda x: np.cumsum(x[..., ::-1], -1)[..., ::-1],
)
looped(
    "associative_scan",
    lambda x: ops.associative_scan(joined_lines, [x, x * x], axis=-2)[1],
    lambda x: np.stack(
        [sum(x[:, j] ** 2 * np.prod(x[:, j + 1 : k + 1], 1) for j in range(k + 1)) for k in range(5)], 1
    ),
)
looped("associative_scan", lambda x: ops.associative_scan(ops.add, x, axis=1), lambda x: x, (1, 3))

# --- what needs no tensor ---------------------------------------------------------------------------------------------

row("zeros", lambda x: x + ops.zeros((5, 1)), lambda x: x + 0)
row("zeros", lambda x: x + ops.zeros(ops.shape(x)), lambda x: x + 0)
row("ones", lambda x: x + ops.ones(3), lambda x: x + 1)
row("full", lambda x: x + ops.full((5, 3), 2.0), lambda x: x + 2)
row("zeros_like", lambda x: x + ops.zeros_like(x), lambda x: x + 0)
row("ones_like", lambda x: x + ops.ones_like(x), lambda x: x + 1)
row("full_like", lambda x: x + ops.full_like(x, 2.5), lambda x: x + 2.5)
row("full_like", lambda x: x + ops.full_like(x, 2.5, "int32"), lambda x: x + 2)
row("linspace", lambda x: x + ops.linspace(0, 3, 3, endpoint=False), lambda x: x + np.array([0, 1, 2]))
row("arange", lambda x: x + ops.arange(3), lambda x: x + np.array([0, 1, 2]))
row("arange", lambda x: x + ops.arange(1, 7, 2, dtype="float32"), lambda x: x + np.array([1, 3, 5]))
row("linspace", lambda x: x + ops.linspace(0, 1, 3), lambda x: x + np.array([0, 0.5, 1]))
row("eye", lambda x: ops.matmul(x, ops.eye(3)), lambda x: x)
row("eye", lambda x: x + ops.eye(5, 3, 1), lambda x: x + (np.arange(3) == np.arange(5)[:, None] + 1))
row("identity", lambda x: ops.matmul(x, ops.identity(3)), lambda x: x)
row("meshgrid", lambda x: x + ops.meshgrid([1, 2, 3], np.zeros(5))[0], lambda x: x + np.array([1, 2, 3]))
row("meshgrid", lambda x: x + ops.meshgrid(np.zeros(5), [1, 2, 3], indexing="ij")[1], lambda x: x + np.array([1, 2, 3]))
NAMES = {r.name for r in ROWS}

# --- Python's operators -----------------------------------------------------------------------------------------------

NUMBER = np.float32(1.5)
ARRAY = np.array([0.5, 1.0, 2.0])
for name, function in {
    "x + y": lambda x, y: x + y, "x - y": lambda x, y: x - y, "x * y": lambda x, y: x * y, "x / y": lambda x, y: x / y,
    "x ** y": lambda x, y: x**y,
}.items():  # fmt: skip
    row(name, function, None, X, (1, 3), values=positive)
for name, function in {
    "x // y": lambda x, y: x // y, "x % y": lambda x, y: x % y, "x < y": lambda x, y: x < y, "x <= y": lambda x, y: x <= y,
    "x > y": lambda x, y: x > y, "x >= y": lambda x, y: x >= y, "x == y": lambda x, y: x == y, "x != y": lambda x, y: x != y,
}.items():  # fmt: skip
    row(name, function, None, X, (1, 3), values=positive, slope=False)
row("x & y", lambda x, y: (x > 0) & (y > 0), None, X, (1, 3), slope=False)
row("x | y", lambda x, y: (x > 0) | (y > 0), None, X, (1, 3), slope=False)
row("x ^ y", lambda x, y: (x > 0) ^ (y > 0), None, X, (1, 3), slope=False)
row("~x", lambda x: ~(x > 0), slope=False)
row("-x", lambda x: -x)
row("+x", lambda x: +x)
row("abs(x)", lambda x: abs(x))
for name, function in {
    "x + 1.5": lambda x: x + 1.5, "1 + x": lambda x: 1 + x, "x - 1.5": lambda x: x - 1.5, "1 - x": lambda x: 1 - x,
    "x * 2": lambda x: x * 2, "2 * x": lambda x: 2 * x, "x / 2": lambda x: x / 2, "2 / x": lambda x: 2 / x,
    "x ** 2": lambda x: x**2, "x ** 3": lambda x: x**3, "x ** 0.5": lambda x: x**0.5, "x ** -1": lambda x: x**-1,
    "2 ** x": lambda x: 2**x, "f + x": lambda x: NUMBER + x, "f * x": lambda x: NUMBER * x, "x / f": lambda x: x / NUMBER,
    "a + x": lambda x: ARRAY + x, "x - a": lambda x: x - ARRAY, "a - x": lambda x: ARRAY - x, "a * x": lambda x: ARRAY * x,
    "a / x": lambda x: ARRAY / x, "a ** x": lambda x: ARRAY**x, "x ** a": lambda x: x**ARRAY, "x @ A": lambda x: x @ A,
    "A @ x": lambda x: np.ones((2, 5)) @ x, "x @ xT": lambda x: x @ ops.transpose(x, (0, 2, 1)),
}.items():  # fmt: skip
    row(name, function, values=positive)
for name, function in {
    "x // 2": lambda x: x // 2, "x % 2": lambda x: x % 2, "2 // x": lambda x: 2 // x, "2 % x": lambda x: 2 % x,
    "1 < x": lambda x: 1 < x, "x >= a": lambda x: x >= ARRAY, "a > x": lambda x: ARRAY > x, "m & x": lambda x: (ARRAY > 1) & (x > 1),
    "m | x": lambda x: (ARRAY > 1) | (x > 1),
}.items():  # fmt: skip
    row(name, function, values=positive, slope=False)

for name, function in {
    "x == 1": lambda x: x == 1, "1 != x": lambda x: 1 != x, "a == x": lambda x: ARRAY == x,
}.items():  # fmt: skip
    row(name, function, values=whole, slope=False, kinds=False)  # two weights are equal if they are the same one

for key in (
    (slice(None), 0), (slice(None), -1), (slice(None), np.int64(2)), (slice(None), slice(1, 4)),
    (slice(None), slice(None, None, 2)), (slice(None), slice(None, None, -1)), (slice(None), slice(-2, None)),
    (slice(None), slice(None, -1), slice(1, None)), (..., 0), (..., None), (slice(None), None), (slice(None), slice(None), None),
    (slice(None), [0, 2]), (slice(None), np.array([4, 0, -1])), (..., [2, 0]), (slice(None), 1, 2), (slice(None), slice(1, None), 0),
    (slice(None), ..., 1), (slice(None), [0, 2], 1), (slice(None), 1, [0, 2]), slice(None), ..., (slice(None), 0, None),
    (slice(None), np.array([[0, 1], [2, 3]])), (slice(None), slice(4, 1, -2), [1]),
    (slice(None), np.array([True, False, True, True, False])), (slice(None), (0, 1)),
):  # fmt: skip
    row(f"x[{key}]".replace("slice", "").replace("None", "").replace(" ", ""), lambda x, key=key: x[key])
