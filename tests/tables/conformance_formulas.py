"""The rows of the conformance table for formulas and Python functions, whose kernels are made for each."""

import math

import conformance_updates
import numpy as np
from conformance_activations import adjoint as adjoint_of
from conformance_activations import value as value_of
from harness import ACCUMULATE, OPTIONAL, TOTAL, Case
from loss_rows import activated

from thalweg.program.formula.parsing import formula
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint, ParameterGradient
from thalweg.program.instructions.custom_activation import CustomActivation, ScalarPair, scalar_function
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, Buffer, Instruction

PLAIN = ["x * sigmoid(1.702 * x)", "tanh(x)", "where(x > 0.05, x, exp(x) - 1) + 0.5 * abs(x)"]
WITH_PARAMETERS = [("max(x, 0) + a * min(x, 0)", ("a",)), ("b * log(1 + exp(a * x)) / (1 + b**2)", ("a", "b"))]


def activation(c: Case, trained: bool) -> Elementwise:
    choices = [(text, ()) for text in PLAIN] * (not trained) + WITH_PARAMETERS
    text, names = choices[c.shape.seed % len(choices)]
    h, a = c.logits("h"), c.output("f", c.row)
    c.values[h] = np.clip(c.values[h], -30, 30)
    values = [c.normal(name, (c.shape.width,), PARAMETERS, per_row=False) for name in names]
    return Elementwise(h, a, formula(text, ("x",), (), names).equation, (), tuple(values))


def value(c: Case) -> Instruction:
    i = activation(c, trained=False)
    c.magnitudes["a"] = lambda m: 1 + abs(m[i.h]) * (1 + sum(abs(m[p]) for p in i.parameters))
    return i


def values_of(c: Case, of: Elementwise) -> None:
    """a is there already."""
    with np.errstate(all="ignore"):
        h, *parameters = (c.values[b].astype(np.float64) for b in (of.h, *of.parameters))
        c.values[of.a] = of.value(np, h, tuple(parameters)).astype(np.float32)


def adjoint(c: Case) -> Instruction:
    of = activation(c, trained=False)
    da = c.normal("da", c.row)
    values_of(c, of)
    c.magnitudes["dh"] = lambda m: abs(m[da]) * (2 + abs(m[of.source])) * (1 + sum(abs(m[p]) for p in of.parameters))
    return ElementwiseAdjoint(of, of.source, da, c.output("dh", c.row))


def gradient(c: Case) -> Instruction:
    of = activation(c, trained=True)
    number = c.shape.seed // 7 % len(of.parameters)
    da = c.normal("da", c.row)
    values_of(c, of)
    v = of.source_of(of.equation.by_parameter[number])
    dp = c.output("dp", (c.shape.width,), GRADIENTS, per_row=False)
    summands = lambda m: abs(m[da]) * (2 + abs(m[v])) * (1 + sum(abs(m[p]) for p in of.parameters))  # noqa: E731
    c.magnitudes["dp"] = lambda m: (
        summands(m).reshape(-1, c.shape.width).sum(axis=0) + (abs(m[dp]) if c.has(ACCUMULATE) else 0)
    )
    return ParameterGradient(of, number, v, da, dp)


LOSSES = ["(y_pred - y_true)**2 * exp(-abs(y_true))", "log(cosh(y_pred - y_true))"]


def loss(c: Case) -> ElementwiseLoss:
    p, y = c.normal("p", c.row), c.normal("y", c.row)
    weight = c.put("weight", (1,), c.random.integers(0, 9, (c.shape.rows, 1)) / 4) if c.has(OPTIONAL) else None
    of = formula(LOSSES[c.shape.seed % 2], ("y_pred", "y_true")).equation
    result = ElementwiseLoss(p, y, weight, c.sums("L"), 1 / c.shape.width, c.has(TOTAL), equation=of)
    factor = result.coefficient * (c.batch_rows if result.total else 1)
    rows = lambda m: 1.0 if weight is None else m[weight].reshape(-1, *[1] * len(p.shape))  # noqa: E731
    size = lambda m: (1 + abs(m[p]) + abs(m[y])) ** 2  # noqa: E731
    scale = result.coefficient / (1 if result.total else c.batch_rows)
    c.magnitudes["sums"] = lambda m: m[result.sums] + factor * (rows(m) * size(m)).sum()
    c.magnitudes["dp"] = lambda m: scale * rows(m) * size(m)
    return result


def loss_gradient(c: Case) -> Instruction:
    of = loss(c)
    return LossAndGradient(of, of.p, of.y, of.weight, of.sums, c.output("dp", c.row))


def bent(h):
    return h if h > 0 else 0.5 * math.expm1(h)


def bent_slope(h):
    return 1.0 if h > 0 else 0.5 * np.exp(h)


BENT = ScalarPair("bent", scalar_function("value", bent), scalar_function("derivative", bent_slope))


def custom(h: Buffer, a: Buffer) -> CustomActivation:
    return CustomActivation(h, a, BENT)


# Their kernels are made for each formula or pair, so they are not among KERNELS.
FORMULAS = {"formula": value, "formula_adjoint": adjoint, "formula_gradient": gradient}
FORMULAS |= {"formula_loss": loss, "formula_loss_gradient": loss_gradient}
FORMULAS |= {"activated_loss": activated}
FORMULAS |= {"custom": value_of(custom), "custom_adjoint": adjoint_of(custom)}
FORMULAS |= conformance_updates.STATEMENTS | conformance_updates.ON_ROWS
