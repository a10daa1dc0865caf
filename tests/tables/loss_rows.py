"""The rows of the losses in the conformance table: predictions, targets, and how large the sums behind a result are."""

from collections.abc import Callable
from typing import Any

import numpy as np
from conformance_activations import EQUATIONS as ACTIVATIONS
from conformance_activations import away_from_kinks
from harness import EXTREME, OPTIONAL, SMOOTHED, TOTAL, TWICE, Array, Case, Memory

from thalweg import losses
from thalweg.engine.native.kernels.names import underscored
from thalweg.engine.native.passes.activated import ActivatedLoss
from thalweg.program.formula.equation import Equation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.losses import row_losses as rows
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import EPSILON, Loss, LossAndGradient
from thalweg.program.instructions.losses.row_value import RowValue, RowValueGradient
from thalweg.program.ir.instruction import Buffer, Instruction

Build = Callable[[Case], Instruction]
Key = str | type[Loss]  # an equation by the name of its kernel, or the class of a loss of whole rows
Operand = Callable[[Case], Buffer]


# Every equation of a loss, of predictions or of logits.
EQUATIONS = {
    underscored(equation.name): equation
    for kind in losses.CLASSES.values()
    for equation in (kind.equation, kind.fused)
    if isinstance(equation, Equation)
}


def loss(kind: Key) -> Build:
    def build(c: Case) -> Loss:
        p, y = PREDICTIONS.get(kind, normal)(c), TARGETS.get(kind, normal_targets)(c)
        if c.smooth and kind in KINKED:  # away from the kink
            c.values[y] = c.values[p] + np.sign(c.values[y] - c.values[p]) * (0.1 + abs(c.values[y]))
        weight = row_weights(c)
        result = loss_of(kind, p, y, weight, c.sums("L"), 1 / c.shape.width, c.has(TOTAL), c.has(SMOOTHED))
        factor = result.coefficient * (c.batch_rows if result.total else 1)
        c.magnitudes["sums"] = lambda m: m[result.sums] + factor * (weights(result, m) * value_size(result, m)).sum()
        return result

    return build


def loss_of(kind: Key, p, y, weight, sums, coefficient, total, smoothed=False) -> Loss:
    """A loss with constants that aren't its defaults."""
    operands = (p, y, weight, sums, coefficient, total)
    more = CONSTANTS.get(kind, {}) | {"label_smoothing": 0.1 if smoothed else 0.0}
    if isinstance(kind, str):
        arguments = (more.get(name, default) for name, default in EQUATIONS[kind].arguments.items())
        return ElementwiseLoss(*operands, equation=EQUATIONS[kind], arguments=tuple(arguments))
    return kind(*operands, **{name: value for name, value in more.items() if name in kind.options()})


def key(of: Loss) -> Key:
    return underscored(of.equation.name) if isinstance(of, ElementwiseLoss) else type(of)


def gradient(kind: Key) -> Build:
    def build(c: Case) -> Instruction:
        of = loss(kind)(c)
        assert isinstance(of, Loss)
        scale = of.coefficient / (1 if of.total else c.batch_rows)
        c.magnitudes["dp"] = lambda m: scale * weights(of, m) * slope_size(of, m)
        a = c.output("a", of.p.shape) if of.activation is not None and c.has(TWICE) else None
        if a is not None:  # Σ of probabilities is 1: they are measured by it where they vanish
            c.magnitudes["a"] = lambda m: np.ones(m[a].shape)
        return LossAndGradient(of, of.p, of.y, of.weight, of.sums, c.output("dp", of.p.shape), a)

    return build


# Pairs with and without arguments of the loss.
ACTIVATED = [("sigmoid", "squared_error"), ("tanh", "huber"), ("relu", "log_cosh"), ("sigmoid", "absolute_error")]


def activated(c: Case) -> Instruction:
    """ŷ is there already, or not."""
    name, of_loss = ACTIVATED[c.shape.seed % len(ACTIVATED)]
    h = c.put("h", c.row, c.random.uniform(-3, 3, (c.shape.rows, *c.row)))
    away_from_kinks(c, h)
    of = Elementwise(h, c.put("ŷ", c.row, np.nan), ACTIVATIONS[name])
    p = of.value(np, c.values[h].astype(np.float64))
    c.values[of.a] = p.astype(np.float32)
    y = c.put("y", c.row, p + c.random.choice((-1, 1), p.shape) * c.random.uniform(0.1, 2, p.shape))
    weight = row_weights(c)
    loss = loss_of(of_loss, of.a, y, weight, c.sums("L"), 1 / c.shape.width, c.has(TOTAL))
    v = of.a if c.has(TWICE) else h
    dp, dh = Buffer("dŷ", c.row), c.output("dh", c.row)
    rows = 1.0 if weight is None else c.values[weight].reshape(-1, *[1] * len(c.row))
    size = rows * (1 + abs(p) + abs(c.values[y])) ** 2
    c.magnitudes["sums"] = lambda m: m[loss.sums] + (c.batch_rows if loss.total else 1) * loss.coefficient * size.sum()
    c.magnitudes["dh"] = lambda m: loss.coefficient / (1 if loss.total else c.batch_rows) * 2 * size
    gradient = LossAndGradient(loss, of.a, y, weight, loss.sums, dp)
    back = ElementwiseAdjoint(of, of.source, dp, dh)
    return ActivatedLoss(of, gradient, back, v, y, weight, loss.sums, dh)


def targets(of: Loss, m: Memory) -> Array:
    return of.targets(np, m[of.y], m[of.p])


def value_size(of: Loss, m: Memory) -> Array:
    size = VALUE_SIZES.get(key(of), lambda of, m: abs(of.value(np, targets(of, m), m[of.p])))
    with np.errstate(all="ignore"):  # of what `where` leaves out
        result: Array = size(of, m)
    return result


def slope_size(of: Loss, m: Memory) -> Array:
    size = SLOPE_SIZES.get(key(of), lambda of, m: abs(of.slope(np, targets(of, m), m[of.p])))
    with np.errstate(all="ignore"):  # of what `where` leaves out
        result: Array = size(of, m)
    return result


def weights(of: Loss, m: Memory) -> Any:
    return 1.0 if of.weight is None else m[of.weight].reshape(-1, *[1] * len(of.p.shape))


# --- operands ------------------------------------------------------------------------------------------------------


def normal(c: Case) -> Buffer:
    return c.normal("p", c.row)


def normal_targets(c: Case) -> Buffer:
    return c.normal("y", c.row)


def logits(c: Case) -> Buffer:
    return c.logits("p")


def mild_logits(c: Case) -> Buffer:
    return c.put("p", c.row, c.random.uniform(-3, 3, (c.shape.rows, *c.row)))


def probabilities(c: Case) -> Buffer:
    """Between 0 and 1; where extreme, some are 0 or 1 exactly, and so clipped: in float32, as the kernel does."""
    p = c.random.uniform(0.05, 0.95, (c.shape.rows, *c.row))
    if c.has(EXTREME) and not c.smooth:
        p = np.where(c.random.random(p.shape) < 0.3, np.round(p), p)
        p[..., 0] = np.maximum(p[..., 0], 0.5)  # a row of zeros has no sum to be divided by
        c.dtype = np.float32
    return c.put("p", c.row, p)


def inner(c: Case) -> Buffer:
    return c.put("p", c.row, c.random.uniform(0.05, 0.95, (c.shape.rows, *c.row)))


def positive(name: str) -> Operand:
    return lambda c: c.put(name, c.row, c.random.uniform(0.2, 5, (c.shape.rows, *c.row)))


def classes(c: Case) -> Buffer:
    y = c.random.dirichlet(np.ones(c.shape.width), (c.shape.rows, c.shape.positions)).reshape(-1, *c.row)
    return c.put("y", c.row, y.round() if c.has(TWICE) else y)


def one_hot(c: Case) -> Buffer:
    labels = c.random.integers(0, c.shape.width, (c.shape.rows, *c.row[:-1], 1))
    return c.put("y", c.row, labels == np.arange(c.shape.width))


def class_numbers(c: Case) -> Buffer:
    row = (*c.row[:-1], 1)
    return c.put("y", row, c.random.integers(0, c.shape.width, (c.shape.rows, *row)))


def quarters(c: Case, name: str) -> Buffer:
    """A few values, so that some are equal."""
    return c.put(name, c.row, c.random.integers(0, 5, (c.shape.rows, *c.row)) / 4)


def quarter_targets(c: Case) -> Buffer:
    return quarters(c, "y")


def bits(c: Case) -> Buffer:
    return c.put("y", c.row, c.random.integers(0, 2, (c.shape.rows, *c.row)))


def signs(c: Case) -> Buffer:
    return c.put("y", c.row, c.random.integers(-1, 2, (c.shape.rows, *c.row)))


def margins(c: Case) -> Buffer:
    """Predictions that are not at the margin, where y·p = 1."""
    p = c.random.normal(size=(c.shape.rows, *c.row))
    return c.put("p", c.row, np.where(abs(abs(p) - 1) < 0.05, 0.5, p))


def spread(c: Case) -> Buffer:
    """No two of a row are equal or nearly so."""
    p = c.random.permuted(np.tile(np.arange(c.shape.width), (c.shape.rows * c.shape.positions, 1)), axis=1)
    return c.put("p", c.row, p.reshape(-1, *c.row) / 7 + 0.03)


def means_and_variances(c: Case) -> Buffer:
    row = (*c.row[:-1], 2 * c.shape.width)
    p = c.random.uniform(0.3, 2, (c.shape.rows, *row))
    return c.put("p", row, p)


PREDICTIONS: dict[Key, Operand] = {
    "squared_logarithmic_error": positive("p"),
    "poisson": positive("p"),
    "kl_divergence": probabilities,
    "hinge": margins,
    "squared_hinge": margins,
    "binary_crossentropy": probabilities,
    "binary_crossentropy_logits": logits,
    "binary_focal_crossentropy": probabilities,
    "binary_focal_crossentropy_logits": mild_logits,
    rows.CategoricalCrossentropy: probabilities,
    rows.SparseCategoricalCrossentropy: probabilities,
    rows.CategoricalCrossentropyLogits: logits,
    rows.SparseCategoricalCrossentropyLogits: logits,
    rows.CategoricalFocalCrossentropy: inner,
    rows.CategoricalFocalCrossentropyLogits: mild_logits,
    rows.GeneralizedCrossEntropy: inner,
    rows.CategoricalHinge: spread,
    rows.Dice: inner,
    rows.Tversky: inner,
    rows.GaussianNLL: means_and_variances,
    rows.GaussianNLLLogarithm: means_and_variances,
}
TARGETS: dict[Key, Operand] = {
    "percentage_error": positive("y"),
    "squared_logarithmic_error": positive("y"),
    "poisson": positive("y"),
    "kl_divergence": quarter_targets,
    "hinge": signs,
    "squared_hinge": signs,
    "binary_crossentropy": quarter_targets,
    "binary_crossentropy_logits": quarter_targets,
    "binary_focal_crossentropy": bits,
    "binary_focal_crossentropy_logits": bits,
    rows.CategoricalCrossentropy: classes,
    rows.CategoricalCrossentropyLogits: classes,
    rows.SparseCategoricalCrossentropy: class_numbers,
    rows.SparseCategoricalCrossentropyLogits: class_numbers,
    rows.CategoricalFocalCrossentropy: classes,
    rows.CategoricalFocalCrossentropyLogits: classes,
    rows.GeneralizedCrossEntropy: class_numbers,
    rows.CategoricalHinge: one_hot,
    rows.Dice: quarter_targets,
    rows.Tversky: quarter_targets,
}
CONSTANTS: dict[Key, dict[str, float]] = {
    "huber": {"delta": 0.7},
    "quantile": {"quantile": 0.3},
    "binary_focal_crossentropy": {"gamma": 1.5, "alpha": 0.3},
    rows.CategoricalFocalCrossentropy: {"gamma": 1.5, "alpha": 0.3},
    rows.GeneralizedCrossEntropy: {"q": 0.7},
    rows.Tversky: {"alpha": 0.3, "beta": 0.6},
}
KINKED = ("absolute_error", "percentage_error", "quantile")


# --- the sizes of the sums behind a result, where it is smaller than they are ----------------------------------------


def shares(of: Loss, m: Memory) -> Array:
    return np.clip(m[of.p] / rows.over_classes(np, m[of.p]), EPSILON, 1 - EPSILON)


def operands_size(of: Loss, m: Memory) -> Array:
    return abs(m[of.p]) + abs(m[of.y])


def binary_slope_size(of: Loss, m: Memory) -> Array:
    q = np.clip(m[of.p], EPSILON, 1 - EPSILON)
    return (q + targets(of, m)) / (q * (1 - q))


def category_slope_size(of: Loss, m: Memory) -> Array:
    y = targets(of, m)
    return (rows.over_classes(np, y) + y / shares(of, m)) / rows.over_classes(np, m[of.p])


def logits_value_size(of: Loss, m: Memory) -> Array:
    return targets(of, m) * (abs(rows.log_sum_exp(np, m[of.p])) + abs(m[of.p]))


def logits_slope_size(of: Loss, m: Memory) -> Array:
    y = targets(of, m)
    return np.exp(m[of.p] - rows.log_sum_exp(np, m[of.p])) * rows.over_classes(np, y) + y


def ones(of: Loss, m: Memory) -> Array:
    return np.ones(m[of.p].shape)


def gaussian_size(of: Loss, m: Memory) -> Array:
    assert isinstance(of, rows.GaussianLoss)
    mean, v = np.split(m[of.p], 2, axis=-1)
    v = np.exp(v) if isinstance(of, rows.GaussianNLLLogarithm) else np.maximum(v, of.eps)
    e = (abs(mean) + abs(m[of.y])) ** 2
    return np.concatenate([e / v + 1, 1 + 1 / v + e / v**2 + e / v], axis=-1)


VALUE_SIZES: dict[Key, Any] = {
    "squared_logarithmic_error": lambda of, m: abs(of.value(np, m[of.y], m[of.p])) + 1e-1,
    "poisson": lambda of, m: m[of.p] + m[of.y] * abs(np.log(m[of.p])),
    "kl_divergence": lambda of, m: 1 + abs(of.value(np, m[of.y], m[of.p])),
    "binary_crossentropy_logits": lambda of, m: np.logaddexp(0, m[of.p]) + abs(m[of.p]) * targets(of, m),
    rows.CategoricalCrossentropy: lambda of, m: targets(of, m) * (1 + abs(np.log(shares(of, m)))),
    rows.CategoricalCrossentropyLogits: logits_value_size,
    rows.GeneralizedCrossEntropy: ones,
    rows.CategoricalHinge: lambda of, m: 1 + abs(m[of.p]).max(axis=-1),
    rows.CosineSimilarity: ones,
    rows.Dice: ones,
    rows.Tversky: ones,
    rows.GaussianNLL: gaussian_size,
    rows.GaussianNLLLogarithm: gaussian_size,
}
SLOPE_SIZES: dict[Key, Any] = {
    "squared_error": lambda of, m: 2 * abs(m[of.p] - m[of.y]),
    "squared_logarithmic_error": ones,
    "poisson": lambda of, m: 1 + m[of.y] / m[of.p],
    "squared_hinge": lambda of, m: 2 + 2 * abs(m[of.p]),
    "binary_crossentropy": binary_slope_size,
    "binary_crossentropy_logits": lambda of, m: 1 + targets(of, m),
    "binary_focal_crossentropy_logits": ones,
    rows.CategoricalCrossentropy: category_slope_size,
    rows.CategoricalCrossentropyLogits: logits_slope_size,
    rows.CategoricalFocalCrossentropy: category_slope_size,
    rows.CategoricalFocalCrossentropyLogits: ones,
    rows.CosineSimilarity: lambda of, m: 2 / np.sqrt(rows.over_classes(np, m[of.p] ** 2)),
    rows.Dice: lambda of, m: 4 / (rows.over_classes(np, m[of.p] + m[of.y]) + EPSILON),
    rows.Tversky: lambda of, m: 4 / (rows.over_classes(np, m[of.p] + m[of.y]) + EPSILON),
    rows.GaussianNLL: gaussian_size,
    rows.GaussianNLLLogarithm: gaussian_size,
}
for table in (VALUE_SIZES, SLOPE_SIZES):
    table[rows.SparseCategoricalCrossentropy] = table[rows.CategoricalCrossentropy]
    table[rows.SparseCategoricalCrossentropyLogits] = table[rows.CategoricalCrossentropyLogits]


def row_weights(c: Case) -> Buffer | None:
    return c.put("weight", (1,), c.random.integers(0, 9, (c.shape.rows, 1)) / 4) if c.has(OPTIONAL) else None


def row_value(c: Case) -> Instruction:
    v, weight, total = c.normal("v", (1,)), row_weights(c), c.has(TOTAL)
    i = RowValue(v, weight, c.sums("L"), total)
    factor = c.batch_rows if total else 1
    c.magnitudes["sums"] = lambda m: m[i.sums] + factor * (abs(m[v]) * (1 if weight is None else m[weight])).sum()
    return i


def row_value_gradient(c: Case) -> Instruction:
    return RowValueGradient(row_weights(c), c.output("dv", (1,)), c.has(TOTAL))


def subclasses(kind: type[Loss]) -> set[type[Loss]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


ROWS: dict[str, Build] = {"row_value": row_value, "row_value_gradient": row_value_gradient}
for name in EQUATIONS:
    ROWS |= {name: loss(name), f"{name}_gradient": gradient(name)}
for kind in sorted(subclasses(rows.RowLoss), key=lambda kind: kind.__name__):
    if hasattr(kind, "name"):
        ROWS[kind.name.replace(" ", "_")] = loss(kind)
        ROWS[f"{kind.name.replace(' ', '_')}_gradient"] = gradient(kind)
