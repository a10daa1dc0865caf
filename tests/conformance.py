"""The conformance table: a row for every instruction, that builds it at any shape with values for its operands.

Three kinds of tests read it: gradients against central differences, kernels against references, costs and formulas. A
new instruction needs a row in `ROWS` and nothing else; `test_conformance.py` fails where a row is missing.

A row also says how large the sum is that makes each output (`sizes`): rounding errors are measured by it, since a sum
may cancel. Where it says nothing, the output itself is the measure.
"""

import math
from collections.abc import Callable
from typing import Any

import image_rows
import numpy as np
from conformance_activations import ACTIVATIONS
from harness import ACCUMULATE, EXTREME, OPTIONAL, ORDERED, SMOOTHED, TOTAL, TWICE, Array, Case, Memory

from thalweg.program import batches, elementwise, linear, losses, metrics, updates
from thalweg.program.instruction import DATA, GRADIENTS, PARAMETERS, SLOTS, WORKSPACE, Buffer, Instruction

Build = Callable[[Case], Instruction]


def affine(c: Case) -> Instruction:
    x = c.normal("x", c.row)
    W = c.normal("W", (c.shape.width, c.shape.units), PARAMETERS, per_row=False)
    b = c.normal("b", (c.shape.units,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    c.sizes["h"] = lambda m: abs(m[x]) @ abs(m[W]) + (0 if b is None else abs(m[b]))
    return linear.Affine(x, W, b, c.output("h", (*c.row[:-1], c.shape.units)))


def weight_gradient(c: Case) -> Instruction:
    x, dh = c.normal("x", c.row), c.normal("dh", (*c.row[:-1], c.shape.units))
    dW = c.output("dW", (c.shape.width, c.shape.units), GRADIENTS, per_row=False)
    c.sizes["dW"] = lambda m: linear.matrix(abs(m[x])).T @ linear.matrix(abs(m[dh])) + old(c, m, dW)
    return linear.WeightGradient(x, dh, dW)


def bias_gradient(c: Case) -> Instruction:
    dh, db = c.normal("dh", c.row), c.output("db", (c.shape.width,), GRADIENTS, per_row=False)
    c.sizes["db"] = lambda m: linear.matrix(abs(m[dh])).sum(axis=0) + old(c, m, db)
    return linear.BiasGradient(dh, db)


def old(c: Case, m: Memory, gradient: Buffer) -> Any:
    """The size of what is added to."""
    return abs(m[gradient]) if c.has(ACCUMULATE) else 0


def transpose(c: Case) -> Instruction:
    W = c.normal("W", (c.shape.width, c.shape.units), PARAMETERS, per_row=False)
    return linear.Transpose(W, c.put("Wᵀ", (c.shape.units, c.shape.width), np.nan, per_row=False))


def input_gradient(c: Case) -> Instruction:
    transposed = c.has(OPTIONAL)
    shape = (c.shape.width, c.shape.units)
    dh, W = c.normal("dh", c.row), c.normal("W", shape if transposed else shape[::-1], per_row=False)
    c.sizes["dx"] = lambda m: abs(m[dh]) @ (abs(m[W]) if transposed else abs(m[W]).T)
    return linear.InputGradient(dh, W, c.output("dx", (*c.row[:-1], c.shape.units)), transposed)


def add(c: Case) -> Instruction:
    once = c.has(ORDERED)  # the two contributions to the gradient of a parameter: not per row
    region = PARAMETERS if once else WORKSPACE
    x = c.normal("x", c.row, region, not once)
    y = x if c.has(TWICE) else c.normal("y", c.row, region, not once)
    c.sizes["z"] = lambda m: abs(m[x]) + abs(m[y])
    return elementwise.Add(x, y, c.put("z", c.row, np.nan, region, not once))


def copy(c: Case) -> Instruction:
    return elementwise.Copy(c.normal("x", c.row), c.output("z", c.row))


def reshape(c: Case) -> Instruction:
    x = c.normal("x", (2, c.shape.width))
    return elementwise.Reshape(x, Buffer("z", (2 * c.shape.width,), view_of=x))


def dropout(c: Case) -> Instruction:
    return elementwise.Dropout(c.normal("h", c.row), c.output("a", c.row), (0.1, 0.5, 0.9)[c.shape.seed % 3], 7)


def gather(c: Case) -> Instruction:
    choose_rows(c)
    return batches.Gather(c.normal("X", c.row, DATA), c.output("x", c.row))


def store(c: Case) -> Instruction:
    choose_rows(c)
    return batches.Store(c.normal("y", c.row), c.normal("Y", c.row, DATA))


def choose_rows(c: Case) -> None:
    """Some rows out of more: any, or those from `start` on."""
    c.data_rows, c.start = c.shape.rows + 9, c.shape.seed % 10
    c.order = np.arange(c.start, c.start + c.shape.rows)
    if c.has(ORDERED):
        c.order = c.random.permutation(c.data_rows)[: c.shape.rows]


def penalty_operands(c: Case) -> tuple[Buffer, float, float, int]:
    c.lanes = 1 + c.shape.seed % 3
    W = c.normal("W", (c.shape.width, c.shape.units), PARAMETERS, per_row=False)
    W.offset = 16 * (c.shape.seed % 7)
    l1, l2 = ((0.3, 0.0), (0.0, 0.2), (0.3, 0.2))[c.shape.seed // 7 % 3]
    return W, l1, l2, W.offset + W.size + 16 * (c.shape.seed % 4)


def penalty(c: Case) -> Instruction:
    W, l1, l2, vector = penalty_operands(c)
    return losses.Penalty(W, c.sums("penalty"), l1, l2, vector)


def penalty_gradient(c: Case) -> Instruction:
    W, l1, l2, vector = penalty_operands(c)
    dW = c.normal("dW", W.shape, GRADIENTS, per_row=False)
    c.sizes["dW"] = lambda m: abs(m[dW]) + l1 + 2 * l2 * abs(m[W])
    return losses.PenaltyGradient(W, dW, l1, l2, vector)


def optimizer(kind: type[Instruction], slots: str, *constants: float) -> Build:
    def build(c: Case) -> Instruction:
        c.lanes, n = 1 + c.shape.seed % 3, (c.shape.width * c.shape.rows,)
        w, dw = c.normal("w", n, PARAMETERS, per_row=False), c.normal("dw", n, GRADIENTS, per_row=False)
        vectors = [c.normal(name, n, SLOTS, per_row=False) for name in slots]
        c.sizes["v"] = lambda m: abs(m[vectors[0]]) + abs(m[dw])
        c.sizes["w"] = lambda m: abs(m[w]) + sum(abs(m[v]) for v in vectors) + abs(m[dw])
        return kind(w, dw, *vectors, *constants)  # type: ignore[call-arg]

    return build


def adam(c: Case) -> Instruction:
    step = optimizer(updates.Adam, "mv", 0.9, 0.99, 1e-7)(c)
    assert isinstance(step, updates.Adam)
    c.values[step.v] = c.values[step.v] ** 2
    parts = lambda m: abs(m[step.m]) + abs(m[step.dw])  # noqa: E731
    rate = 0.05 * math.sqrt(1 - 0.99**c.iteration) / (1 - 0.9**c.iteration)
    root = lambda m: np.sqrt(0.99 * m[step.v] + 0.01 * m[step.dw] ** 2)  # noqa: E731
    c.sizes = {
        "m": parts,
        "v": lambda m: m[step.v] + m[step.dw] ** 2,
        "w": lambda m: abs(m[step.w]) + rate * parts(m) / (root(m) + 1e-7),
    }
    return step


# --- losses and metrics --------------------------------------------------------------------------------------------


def loss(kind: type[losses.Loss]) -> Build:
    def build(c: Case) -> Instruction:
        p, y = PREDICTIONS[kind](c), TARGETS[kind](c)
        if c.smooth and kind is losses.AbsoluteError:  # away from the kink
            c.values[y] = c.values[p] + np.sign(c.values[y] - c.values[p]) * (0.1 + abs(c.values[y]))
        weight = c.put("weight", (1,), c.random.integers(0, 9, (c.shape.rows, 1)) / 4) if c.has(OPTIONAL) else None
        smoothing = 0.1 if c.has(SMOOTHED) and kind in SMOOTHABLE else 0.0
        result = kind(p, y, weight, c.sums("L"), 1 / c.shape.width, c.has(TOTAL), smoothing)
        factor = result.coefficient * (c.batch_rows if result.total else 1)
        c.sizes["sums"] = lambda m: m[result.sums] + factor * (weights(result, m) * SIZES[kind][0](result, m)).sum()
        return result

    return build


def loss_gradient(kind: type[losses.Loss]) -> Build:
    def build(c: Case) -> Instruction:
        of = loss(kind)(c)
        assert isinstance(of, losses.Loss)
        scale = of.coefficient / (1 if of.total else c.batch_rows)
        c.sizes["dp"] = lambda m: scale * weights(of, m) * SIZES[kind][1](of, m)
        return losses.LossGradient(of, of.p, of.y, of.weight, c.output("dp", c.row))

    return build


def weights(of: losses.Loss, m: Memory) -> Any:
    return 1.0 if of.weight is None else m[of.weight].reshape(-1, *[1] * len(of.p.shape))


def probabilities(c: Case) -> Buffer:
    """Between 0 and 1; where extreme, some are 0 or 1 exactly, and so clipped: in float32, as the kernel does."""
    p = c.random.uniform(0.05, 0.95, (c.shape.rows, *c.row))
    if c.has(EXTREME) and not c.smooth:
        p = np.where(c.random.random(p.shape) < 0.3, np.round(p), p)
        p[..., 0] = np.maximum(p[..., 0], 0.5)  # a row of zeros has no sum to be divided by
        c.dtype = np.float32
    return c.put("p", c.row, p)


def classes(c: Case) -> Buffer:
    y = c.random.dirichlet(np.ones(c.shape.width), (c.shape.rows, c.shape.positions)).reshape(-1, *c.row)
    return c.put("y", c.row, y.round() if c.has(TWICE) else y)


def class_numbers(c: Case) -> Buffer:
    row = (*c.row[:-1], 1)
    return c.put("y", row, c.random.integers(0, c.shape.width, (c.shape.rows, *row)))


def quarters(c: Case, name: str) -> Buffer:
    """A few values, so that some are equal."""
    return c.put(name, c.row, c.random.integers(0, 5, (c.shape.rows, *c.row)) / 4)


def shares(of: losses.Loss, m: Memory) -> Array:
    return np.clip(m[of.p] / m[of.p].sum(axis=-1, keepdims=True), losses.EPSILON, 1 - losses.EPSILON)


def binary_slope_size(of: losses.Loss, m: Memory) -> Array:
    q = np.clip(m[of.p], losses.EPSILON, 1 - losses.EPSILON)
    return (q + of.targets(m)) / (q * (1 - q))


def category_slope_size(of: losses.Loss, m: Memory) -> Array:
    y = of.targets(m)
    return (y.sum(axis=-1, keepdims=True) + y / shares(of, m)) / m[of.p].sum(axis=-1, keepdims=True)


def logits_value_size(of: losses.Loss, m: Memory) -> Array:
    return of.targets(m) * (abs(losses.log_sum_exp(m[of.p])) + abs(m[of.p]))


def logits_slope_size(of: losses.Loss, m: Memory) -> Array:
    y = of.targets(m)
    return np.exp(m[of.p] - losses.log_sum_exp(m[of.p])) * y.sum(axis=-1, keepdims=True) + y


# The sizes of the sums behind the summands of a loss, and behind its slopes.
SIZES: dict[type[losses.Loss], tuple[Any, Any]] = {
    losses.SquaredError: (lambda of, m: (m[of.p] - m[of.y]) ** 2, lambda of, m: 2 * abs(m[of.p] - m[of.y])),
    losses.AbsoluteError: (lambda of, m: abs(m[of.p] - m[of.y]), lambda of, m: np.ones(m[of.p].shape)),
    losses.BinaryCrossentropy: (lambda of, m: of.value(of.targets(m), m[of.p]), binary_slope_size),
    losses.BinaryCrossentropyLogits: (
        lambda of, m: np.logaddexp(0, m[of.p]) + abs(m[of.p]) * of.targets(m),
        lambda of, m: 1 + of.targets(m),
    ),
    losses.CategoricalCrossentropy: (
        lambda of, m: of.targets(m) * (1 + abs(np.log(shares(of, m)))),
        category_slope_size,
    ),
    losses.CategoricalCrossentropyLogits: (logits_value_size, logits_slope_size),
}
SIZES[losses.SparseCategoricalCrossentropy] = SIZES[losses.CategoricalCrossentropy]
SIZES[losses.SparseCategoricalCrossentropyLogits] = SIZES[losses.CategoricalCrossentropyLogits]

PREDICTIONS: dict[type[losses.Loss], Callable[[Case], Buffer]] = {
    losses.SquaredError: lambda c: c.normal("p", c.row),
    losses.AbsoluteError: lambda c: c.normal("p", c.row),
    losses.BinaryCrossentropy: probabilities,
    losses.BinaryCrossentropyLogits: lambda c: c.logits("p"),
    losses.CategoricalCrossentropy: probabilities,
    losses.CategoricalCrossentropyLogits: lambda c: c.logits("p"),
    losses.SparseCategoricalCrossentropy: probabilities,
    losses.SparseCategoricalCrossentropyLogits: lambda c: c.logits("p"),
}
TARGETS: dict[type[losses.Loss], Callable[[Case], Buffer]] = {
    losses.SquaredError: lambda c: c.normal("y", c.row),
    losses.AbsoluteError: lambda c: c.normal("y", c.row),
    losses.BinaryCrossentropy: lambda c: quarters(c, "y"),
    losses.BinaryCrossentropyLogits: lambda c: quarters(c, "y"),
    losses.CategoricalCrossentropy: classes,
    losses.CategoricalCrossentropyLogits: classes,
    losses.SparseCategoricalCrossentropy: class_numbers,
    losses.SparseCategoricalCrossentropyLogits: class_numbers,
}
SMOOTHABLE = (
    losses.BinaryCrossentropy,
    losses.BinaryCrossentropyLogits,
    losses.CategoricalCrossentropy,
    losses.CategoricalCrossentropyLogits,
)


def metric(kind: type[metrics.Total], targets: Callable[[Case], Buffer], sums: str = "1", *more: float) -> Build:
    """Counts are whole numbers: the kernel's have to be equal. Sums of squares are as large as they are."""

    def build(c: Case) -> Instruction:
        p, y = quarters(c, "p"), targets(c)
        if kind in (metrics.SquaredErrors, metrics.AbsoluteErrors, metrics.SquaresAndTargets):
            c.values[p] += c.random.normal(size=c.values[p].shape).astype(np.float32)
        else:
            c.dtype, c.sizes["sums"] = np.float32, lambda m: np.zeros(1)
        total = kind(p, y, c.sums("sums", 3 * p.size if sums == "3" else 1), *more)
        if sums == "3":
            c.sizes["sums"] = lambda m: m[total.sums] + np.tile(abs(m[y]).sum(axis=0).ravel() + 1, 3) * 10
        return total

    return build


ROWS: dict[str, Build] = {
    **ACTIVATIONS,
    "gather": gather,
    "store": store,
    "affine": affine,
    "weight_gradient": weight_gradient,
    "bias_gradient": bias_gradient,
    "transpose": transpose,
    "input_gradient": input_gradient,
    "add": add,
    "copy": copy,
    "reshape": reshape,
    "dropout": dropout,
    "penalty": penalty,
    "penalty_gradient": penalty_gradient,
    "gradient_descent": optimizer(updates.GradientDescent, ""),
    "momentum": optimizer(updates.Momentum, "v", 0.9),
    "nesterov": optimizer(updates.Nesterov, "v", 0.9),
    "adam": adam,
    "squared_errors": metric(metrics.SquaredErrors, lambda c: quarters(c, "y")),
    "absolute_errors": metric(metrics.AbsoluteErrors, lambda c: quarters(c, "y")),
    "equal_matches": metric(metrics.EqualMatches, lambda c: quarters(c, "y")),
    "binary_matches": metric(metrics.BinaryMatches, lambda c: quarters(c, "y"), "1", 0.3),
    "categorical_matches": metric(metrics.CategoricalMatches, lambda c: quarters(c, "y")),
    "sparse_matches": metric(metrics.SparseMatches, class_numbers),
    "squares_and_targets": metric(metrics.SquaresAndTargets, lambda c: quarters(c, "y"), "3"),
}
for kind in SIZES:
    ROWS[kind.name.replace(" ", "_")] = loss(kind)
    ROWS[f"{kind.name.replace(' ', '_')}_gradient"] = loss_gradient(kind)
ROWS |= image_rows.ROWS
