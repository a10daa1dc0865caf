"""The functions of `thalweg.ops` at special values: a statement for each, in NumPy or SciPy, of numbers in float64.

What is agreed, once for all of them:

- A result is the statement's, rounded to float32, to a few units in the last place. It is infinite, or NaN, where the
  statement's is.
- Native kernels replace a result below 1.2e-38 (LEAST), which would be denormal, by 0, and so every part of a sum. A
  denormal operand counts as itself; on ARM, whose processors read it as 0, rows with one aren't compared.
- The sign of a result that is 0 is left open. That of an operand counts: 1/−0 is −∞, arctan2(0, −0) is π.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from thalweg import ops

LEAST, MOST = float(np.finfo("f").tiny), float(np.finfo("f").max)
FINITE = (0.0, -0.0, 1e-40, -1e-40, LEAST, -LEAST, 0.5, -0.5, 1, -1, 2.5, -2.5, 3, 1e10, -1e10, 1e30, MOST, -MOST)
GRID = np.array([*FINITE, np.inf, -np.inf, np.nan], "f")
PAIRS = np.array([(a, b) for a in GRID for b in GRID], "f")


@dataclass(frozen=True)
class Row:
    """A function of tensors, and what its numbers have to be."""

    name: str
    function: Callable[..., Any]
    statement: Callable[..., Any]
    rtol: float


def row(
    name: str, statement: Callable[..., Any], function: Callable[..., Any] | None = None, rtol: float = 1e-6
) -> Row:
    return Row(name, function or getattr(ops, name), statement, rtol)


def gated(gate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: x * gate(x)


def tanh_gate(x: Any) -> Any:
    return special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


def rounded(x: Any) -> Any:
    """As float32 holds it: where a part of the result may overflow though the whole doesn't."""
    return np.asarray(x, "f").astype("d")


def ieee_power(x: Any, y: Any) -> Any:
    """xʸ; where all exponents are ½, NumPy takes roots, so another is put beside them."""
    x, y = np.broadcast_arrays(x, y)
    return np.power([*x.flat, 1.0], [*y.flat, 1.0])[:-1].reshape(x.shape)


# --- of one number ----------------------------------------------------------------------------------------------------

ONE = [
    *(
        row(name, getattr(np, name))
        for name in (
            "abs", "absolute", "arccos", "arcsin", "arctan", "ceil", "cos", "exp", "expm1", "floor", "isfinite",
            "isinf", "isnan", "log", "log10", "log1p", "log2", "logical_not", "negative", "round", "sign", "sin",
            "sqrt", "square", "tanh",
        )
    ),
    row("cosh", np.cosh, rtol=1e-5), row("sinh", np.sinh, rtol=1e-5), row("tan", np.tan, rtol=2e-6),
    row("reciprocal", lambda x: 1 / x), row("rsqrt", lambda x: 1 / np.sqrt(x)),
    row("erf", special.erf), row("sigmoid", special.expit), row("log_sigmoid", special.log_expit),
    row("softplus", lambda x: np.logaddexp(x, 0)), row("relu", lambda x: np.maximum(x, 0)),
    row("leaky_relu", lambda x: np.where(x > 0, x, 0.2 * x)), row("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
    row("silu", gated(special.expit)), row("gelu", gated(tanh_gate), rtol=2e-5),
    row("gelu", gated(special.ndtr), lambda x: ops.gelu(x, approximate=False), rtol=2e-5),
    row("clip", lambda x: np.clip(x, -2, 2), lambda x: ops.clip(x, -2.0, 2.0)),
    row("clip", lambda x: np.clip(x, -np.inf, np.inf), lambda x: ops.clip(x, -np.inf, np.inf)),
    row("clip", lambda x: np.full_like(x, np.nan), lambda x: ops.clip(x, np.nan, 1.0)),
    row("cast", lambda x: x != 0, lambda x: ops.cast(x, "bool")),
    row("cast", lambda x: x, lambda x: ops.cast(x, "float32")),
    row("stop_gradient", lambda x: x),
    row("zeros_like", lambda x: 0 * np.isnan(x)), row("ones_like", lambda x: 1 + 0 * np.isnan(x)),
    row("full_like", lambda x: np.full_like(x, np.inf), lambda x: ops.full_like(x, np.inf)),
    row("one_hot", lambda x: (x[..., None] == np.arange(3.0)), lambda x: ops.one_hot(x, 3)),
]  # fmt: skip

# --- of two numbers ---------------------------------------------------------------------------------------------------

TWO = [
    *(
        row(name, getattr(np, name))
        for name in (
            "add", "subtract", "multiply", "divide", "true_divide", "floor_divide", "mod", "maximum", "minimum",
            "arctan2", "logaddexp", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal",
            "logical_and", "logical_or", "logical_xor",
        )
    ),
    row("power", ieee_power, rtol=2e-5),
    row("where", lambda x, y: np.where(x, x, y), lambda x, y: ops.where(x, x, y)),
    row("where", lambda x, y: np.where(y > x, 1, y), lambda x, y: ops.where(y > x, 1.0, y)),
]  # fmt: skip
WITH_NUMBERS = (
    "add", "subtract", "multiply", "divide", "floor_divide", "mod", "maximum", "minimum", "arctan2", "logaddexp",
    "power", "less", "equal",
)  # fmt: skip
NUMBERS = (0.0, -0.0, 1e-40, -0.5, 0.5, 1.0, -1.0, 2.0, 3.0, MOST, np.inf, -np.inf, np.nan)

# --- along an axis of two numbers -------------------------------------------------------------------------------------


def below(x: Any) -> Any:
    return x - x.max(-1, keepdims=True)


def variance(x: Any) -> Any:
    return rounded(rounded((x - rounded(x.mean(-1, keepdims=True))) ** 2).mean(-1))


def length(x: Any) -> Any:
    return np.sqrt(rounded((x**2).sum(-1)))


def flushed(x: Any) -> Any:
    """Without denormal numbers: a product of several begins with the first of them, times 1, which flushes it."""
    return np.where(abs(x) < LEAST, 0, x)


def unit(x: Any) -> Any:
    return x / np.maximum(length(x)[..., None], 1e-12)


def infinite_sum(x: Any) -> Any:
    return special.logsumexp(np.where(np.isnan(x).any(-1, keepdims=True), np.nan, x), -1)


def along(name: str, statement: Callable[[Any], Any], rtol: float = 1e-6, **named: Any) -> Row:
    return row(name, statement, lambda x: getattr(ops, name)(x, axis=-1, **named), rtol)


ALONG = [
    *(along(name, partial(getattr(np, name), axis=-1)) for name in (
        "sum", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin", "cumsum",
    )),
    row("cumprod", lambda x: flushed(x).cumprod(-1), lambda x: ops.cumprod(ops.where(ops.abs(x) < LEAST, 0.0, x), -1)),
    row("prod", lambda x: flushed(x).prod(-1), lambda x: ops.prod(ops.where(ops.abs(x) < LEAST, 0.0, x), -1)),
    along("mean", lambda x: x.mean(-1, keepdims=True), keepdims=True),
    along("max", lambda x: np.maximum(x.max(-1), 1), initial=1.0),
    along("min", lambda x: np.minimum(x.min(-1), 1), initial=1.0),
    along("count_nonzero", lambda x: (x != 0).sum(-1, keepdims=True), keepdims=True),
    along("logsumexp", infinite_sum),
    along("softmax", lambda x: np.exp(below(x)) / np.exp(below(x)).sum(-1, keepdims=True), 1e-5),
    along("log_softmax", lambda x: below(x) - np.log(np.exp(below(x)).sum(-1, keepdims=True)), 2e-5),
    along("var", variance, 1e-5), along("std", lambda x: np.sqrt(variance(x)), 1e-5),
    row("moments", lambda x: x.mean(-1), lambda x: ops.moments(x, -1)[0]),
    row("moments", variance, lambda x: ops.moments(x, -1)[1], 1e-5),
    along("average", lambda x: x.mean(-1)),
    along("average", lambda x: rounded((x * [1, 0.5]).sum(-1)) / 1.5, weights=np.array([1.0, 0.5], "f")),
    along("norm", length),
    along("norm", lambda x: abs(x).sum(-1), ord=1),
    along("norm", lambda x: abs(x).max(-1), ord=np.inf),
    row("normalize", unit), row("l2_normalize", unit),
]  # fmt: skip

# --- what only moves numbers ------------------------------------------------------------------------------------------


def moved(name: str, statement: Callable[[Any], Any], function: Callable[[Any], Any]) -> Row:
    return row(name, statement, function, 0)


def matrix(x: Any) -> Any:
    """(rows, 2) → (rows, 2, 2)"""
    return np.stack([x, x[:, ::-1]], 1)


def drawn(x: Any) -> Any:
    return ops.stack([x, ops.flip(x, 1)], 1)


MOVED = [
    moved("reshape", lambda x: x.reshape(-1, 2, 1), lambda x: ops.reshape(x, (-1, 2, 1))),
    moved("ravel", lambda x: x, lambda x: ops.ravel(x) if not isinstance(x, np.ndarray) else x),
    moved("transpose", lambda x: matrix(x).swapaxes(1, 2), lambda x: ops.transpose(drawn(x), (0, 2, 1))),
    moved("moveaxis", lambda x: matrix(x).swapaxes(1, 2), lambda x: ops.moveaxis(drawn(x), 1, 2)),
    moved("swapaxes", lambda x: matrix(x).swapaxes(1, 2), lambda x: ops.swapaxes(drawn(x), 1, 2)),
    moved("expand_dims", lambda x: x[:, None], lambda x: ops.expand_dims(x, 1)),
    moved("squeeze", lambda x: x, lambda x: ops.squeeze(ops.expand_dims(x, 1), 1)),
    moved("concatenate", lambda x: np.concatenate([x, x], 1), lambda x: ops.concatenate([x, x], 1)),
    moved("stack", matrix, drawn),
    moved("pad", lambda x: np.pad(x, ((0, 0), (1, 0))), lambda x: ops.pad(x, ((0, 0), (1, 0)))),
    moved("broadcast_to", lambda x: np.stack([x, x], 1),
          lambda x: ops.broadcast_to(ops.expand_dims(x, 1), (ops.shape(x)[0], 2, 2))),
    moved("tril", lambda x: np.tril(matrix(x)), lambda x: ops.tril(drawn(x))),
    moved("triu", lambda x: np.triu(matrix(x)), lambda x: ops.triu(drawn(x))),
    moved("diagonal", lambda x: x[:, :1] + np.zeros(2), lambda x: ops.diagonal(drawn(x), axis1=1, axis2=2)),
    moved("flip", lambda x: x[:, ::-1], lambda x: ops.flip(x, 1)),
    moved("roll", lambda x: x[:, ::-1], lambda x: ops.roll(x, 1, 1)),
    moved("repeat", lambda x: x[:, [0, 0, 1, 1]], lambda x: ops.repeat(x, 2, 1)),
    moved("tile", lambda x: x[:, [0, 1, 0, 1]], lambda x: ops.tile(x, (1, 2))),
    moved("get_item", lambda x: x[:, 1], lambda x: ops.get_item(x, (slice(None), 1))),
    moved("take", lambda x: x[:, [1, 1]], lambda x: ops.take(x, [1, 1], 1)),
    moved("take_along_axis", lambda x: x[:, 1:],
          lambda x: ops.take_along_axis(x, ops.argmax(x, 1, keepdims=True) * 0 + 1, 1)),
    moved("split", lambda x: x[:, 1:], lambda x: ops.split(x, 2, 1)[1]),
    moved("unstack", lambda x: x[:, 1], lambda x: ops.unstack(x, axis=1)[1]),
    *(moved(name, lambda x: x, getattr(ops, name)) for name in ("array", "copy", "convert_to_tensor")),
]  # fmt: skip

# --- products ---------------------------------------------------------------------------------------------------------

SIDES = np.array([[1.0, 0.0], [-1.0, 2.0]], "f")


def by_sides(x: Any) -> Any:
    return (x[:, :, None] * SIDES).sum(1)


PRODUCTS = [
    row("matmul", by_sides, lambda x: ops.matmul(x, SIDES)),
    row("dot", by_sides, lambda x: ops.dot(x, SIDES)),
    row("tensordot", by_sides, lambda x: ops.tensordot(x, SIDES, 1)),
    row("einsum", by_sides, lambda x: ops.einsum("bi,ij->bj", x, SIDES)),
    row("einsum", lambda x: x[:, :, None] * x[:, None], lambda x: ops.einsum("bi,bj->bij", x, x)),
    row("einsum", lambda x: (x * x).sum(1), lambda x: ops.einsum("bi,bi->b", x, x)),
]

# --- of no tensor with rows -------------------------------------------------------------------------------------------

MAKES = "it makes an array from numbers of its own"
EXCUSED = {
    **dict.fromkeys(("arange", "eye", "identity", "linspace", "meshgrid", "zeros", "ones", "full"), MAKES),
    **dict.fromkeys(("shape", "ndim", "size"), "it reads no numbers"),
    "convert_to_numpy": "it gives back an array of numbers, which a network hasn't got",
    "outer": "it takes arrays and weights alone, and is multiply after reshape, which have rows",
    "vdot": "it is dot",
    **dict.fromkeys(
        ("associative_scan", "fori_loop", "scan", "while_loop"), "it calls a function of the user's, and moves numbers"
    ),
    **dict.fromkeys(
        ("cholesky", "det", "eigh", "inv", "lstsq", "qr", "solve", "solve_triangular", "svd"),
        "an order of sums and quotients of its own",
    ),
    **dict.fromkeys(("segment_max", "segment_sum"), "a product with zeros and ones, where it has rows"),
    "dot_product_attention": "softmax between two products, which have rows",
}
TABLES = {"one": ONE, "two": TWO, "along": ALONG, "moved": MOVED, "products": PRODUCTS}
