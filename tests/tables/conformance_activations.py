"""The rows of the conformance table for activations: a value and an adjoint each, built from the equation alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import ACCUMULATE, Array, Case, Memory

from thalweg.activations import NAMES, BuiltInFunction
from thalweg.engine.native.kernels.names import underscored
from thalweg.program.formula.equation import Equation
from thalweg.program.instructions import rowwise
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint
from thalweg.program.instructions.parametric import Prelu
from thalweg.program.instructions.rowwise import Rowwise, RowwiseAdjoint
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, Buffer, Instruction

Build = Callable[[Case], Instruction]
Make = Callable[[Buffer, Buffer], Any]  # an activation from h and a


def value(make: Make, name: str = "") -> Build:
    def build(c: Case) -> Instruction:
        h = c.logits("h")
        if c.smooth:
            away_from_kinks(c, h)
        scaled(c, name, h)
        if name in ("sine", "hard_sigmoid", "hard_silu"):
            c.magnitudes["a"] = lambda m: 1 + abs(m[h])
        return make(h, c.output("a", c.row))

    return build


def scaled(c: Case, name: str, h: Buffer) -> None:
    """Keeps the exponential finite, and the sine where a float32 is known to a small part of a period."""
    if name in ("sine", "exponential"):
        c.values[h] = np.clip(c.values[h], -80, 80)


def away_from_kinks(c: Case, h: Buffer) -> None:
    """Moves pre-activations away from every place where some activation has a kink or a jump."""
    for kink in (-3, -1, -0.5, 0, 0.5, 1, 1.5, 3, 6):
        near = abs(c.values[h] - kink) < 0.01
        c.values[h] = np.where(near, kink + 0.02, c.values[h]).astype(np.float32)


def adjoint(make: Make, name: str = "") -> Build:
    def build(c: Case) -> Instruction:
        h, da = c.logits("h"), c.normal("da", c.row)
        scaled(c, name, h)
        of = make(h, c.put("a", c.row, np.nan))
        with np.errstate(all="ignore"):
            c.values[of.a] = of.value(np, c.values[h].astype(np.float64)).astype(np.float32)
        c.magnitudes["dh"] = lambda m: abs(m[da]) * (1 + abs(of.slope(np, m[of.source])))
        return ElementwiseAdjoint(of, of.source, da, c.output("dh", c.row))

    return build


def row_value(kind: type[Rowwise]) -> Build:
    def build(c: Case) -> Instruction:
        h = c.logits("h") if kind is not rowwise.Glu else doubled(c)
        c.magnitudes["a"] = lambda m: np.broadcast_to(SIZES[kind](m[h]), m[a].shape)
        a = c.output("a", kind.output_shape(h.shape))
        if kind is rowwise.Softmax:
            del c.magnitudes["a"]
        return kind(h, a)

    return build


# How large the sums are that make a row of each.
SIZES = {
    rowwise.Softmax: abs,
    rowwise.LogSoftmax: lambda h: abs(h) + abs(h).max(axis=-1, keepdims=True) + 1,
    rowwise.Sparsemax: lambda h: abs(h).max(axis=-1, keepdims=True) + 1,
    rowwise.Glu: lambda h: abs(h[..., : h.shape[-1] // 2]),
}


def doubled(c: Case) -> Buffer:
    shape = (*c.row[:-1], 2 * c.row[-1])
    scale = 1e4 if c.shape.seed % 3 == 0 and not c.smooth else 3
    return c.put("h", shape, c.random.uniform(-scale, scale, (c.shape.rows, *shape)))


def row_adjoint(kind: type[Rowwise]) -> Build:
    def build(c: Case) -> Instruction:
        h = doubled(c) if kind is rowwise.Glu else c.put("h", c.row, c.random.uniform(-3, 3, (c.shape.rows, *c.row)))
        of = kind(h, c.put("a", kind.output_shape(h.shape), np.nan))
        da = c.normal("da", of.a.shape)
        c.values[of.a] = of.value(np, c.values[h].astype(np.float64)).astype(np.float32)
        v = getattr(of, of.slope_of)
        total = lambda m: abs(m[da]).sum(axis=-1, keepdims=True)  # noqa: E731
        if kind is rowwise.Softmax:
            total = lambda m: (abs(m[da]) * m[v]).sum(axis=-1, keepdims=True)  # noqa: E731
            c.magnitudes["dh"] = lambda m: m[v] * (abs(m[da]) + total(m))
        elif kind is rowwise.Glu:
            c.magnitudes["dh"] = lambda m: np.tile(abs(m[da]) * (1 + abs(m[v][..., : c.row[-1]])), 2)
        else:
            c.magnitudes["dh"] = lambda m: abs(m[da]) + total(m)
        return RowwiseAdjoint(of, v, da, c.output("dh", h.shape))

    return build


def prelu_operands(c: Case) -> tuple[Buffer, tuple[int, ...]]:
    """h of a row with one to three axes, and the shape of α: any axes shared."""
    w, u = c.shape.width % 40 + 1, c.shape.units % 7 + 1
    row = ((c.shape.width,), (u, w), (u, 2 + c.shape.positions, w))[c.shape.seed % 3]
    values = c.random.normal(size=(c.shape.rows, *row))
    shared = c.shape.seed // 3
    own = tuple(1 if shared >> k & 1 else size for k, size in enumerate(row))
    return c.put("h", row, values + np.sign(values) * 0.1 if c.smooth else values), own


def prelu(c: Case) -> Instruction:
    h, own = prelu_operands(c)
    return Prelu(h, c.normal("α", own, PARAMETERS, per_row=False), c.output("a", h.shape))


def prelu_adjoint(c: Case) -> Instruction:
    h, own = prelu_operands(c)
    of = Prelu(h, c.normal("α", own, PARAMETERS, per_row=False), Buffer("a", h.shape))
    return DerivedAdjoint(of, 0, (c.normal("da", h.shape),), c.output("dh", h.shape))


def prelu_gradient(c: Case) -> Instruction:
    h, own = prelu_operands(c)
    da, dalpha = c.normal("da", h.shape), c.output("dα", own, GRADIENTS, per_row=False)
    shared = tuple(k for k, size in enumerate(own) if size != h.shape[k])

    def size(m: Memory) -> Array:
        sums: Array = abs(m[da] * m[h]).sum(axis=0).sum(axis=shared, keepdims=True)
        return sums + (abs(m[dalpha]) if c.has(ACCUMULATE) else 0)

    c.magnitudes["dx"] = size
    of = Prelu(h, Buffer("α", own, PARAMETERS, per_row=False, offset=0), Buffer("a", h.shape))
    return DerivedAdjoint(of, 1, (da,), dalpha)


# Every equation of the catalogue, and arguments for those that aren't tried with their defaults.
EQUATIONS = {
    underscored(equation.name): equation
    for function in NAMES.values()
    if isinstance(function, BuiltInFunction)
    for equation in (function.kind, function.general)
    if isinstance(equation, Equation)
}
EXAMPLES = {"general_relu": (0.1, 1.5, 0.5), "gelu_approximate": (1.0,), "threshold": (0.5, 0.25)}


def made(equation: Equation) -> Make:
    arguments = EXAMPLES.get(underscored(equation.name), tuple(equation.arguments.values()))
    return lambda h, a: Elementwise(h, a, equation, arguments)


ACTIVATIONS: dict[str, Build] = {
    "prelu": prelu,
    "prelu_adjoint_of_h": prelu_adjoint,
    "prelu_adjoint_of_alpha": prelu_gradient,
    **{name: value(made(equation), name) for name, equation in EQUATIONS.items()},
    **{f"{name}_adjoint": adjoint(made(equation), name) for name, equation in EQUATIONS.items()},
    **{kind.name.replace(" ", "_"): row_value(kind) for kind in SIZES},
    **{f"{kind.name.replace(' ', '_')}_adjoint": row_adjoint(kind) for kind in SIZES},
}
