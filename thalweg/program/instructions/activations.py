"""Activations, element by element: an equation or a user's function, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeGuard

from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import assigned, evaluate, names_in, shown, within
from thalweg.program.formula.operations import UNARY
from thalweg.program.instructions.linear import matrix
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated

# The activations that passes and losses refer to. The others are in thalweg/activations/catalogue.py.
RELU, SIGMOID = UNARY["relu"], UNARY["sigmoid"]
GENERAL_RELU = Equation(
    "general relu",
    "where(h > threshold, min(h, max_value), 0 - negative_slope * (threshold - h))",
    """at_threshold = where(threshold == 0 and max_value == inf, negative_slope, 0)
where(h > threshold, where(h < max_value, 1, 0), where(h < threshold, negative_slope, at_threshold))""",
    {"negative_slope": 0.0, "max_value": math.inf, "threshold": 0.0},
    dict.fromkeys(("negative_slope", "max_value", "threshold"), (0.0, math.inf)),
)


class Activation(Instruction):
    """Base: a = f(h), element by element. Per row or once a step."""

    h: Buffer
    a: Buffer

    writes = ("a",)
    differentiates = ("h",)

    @property
    def parameters(self) -> tuple[Buffer, ...]:
        """The trainable parameters, each with one number per unit."""
        return ()

    @property
    def source(self) -> Buffer:
        """What the slope is computed from: h, or a."""
        return self.h

    def slope(self, xp: Any, v: Array, parameters: tuple[Array, ...] = ()) -> Array:
        """f'(h), computed from the source."""
        raise NotImplementedError

    def shown_slope(self, factor: Buffer) -> str:
        """factor·f'(h), as printed."""
        raise NotImplementedError

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.a.size, "per_row": int(self.a.per_row)}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield ElementwiseAdjoint(self, self.source, d(self.a), d.into(self.h))

    def flops(self, rows: int) -> int:
        return 10 * self.a.size * (rows if self.a.per_row else 1)


class Elementwise(Activation):
    """a = f(h; arguments, p₀, p₁, …) by an equation      h, a (rows, …, units), each trainable parameter (units,)"""

    equation: Equation
    arguments: tuple[float, ...] = ()
    parameters: tuple[Buffer, ...] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.equation.name

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {"h": self.h, **numbered(self.parameters), "a": self.a}

    @property
    def numbers(self) -> dict[str, float]:
        """The arguments by name."""
        return dict(zip(self.equation.arguments, self.arguments, strict=True))

    @property
    def names(self) -> dict[str, str]:
        """The equation's variables → the names of the buffers."""
        return {"h": self.h.name, "a": self.a.name} | {f"p{n}": p.name for n, p in enumerate(self.parameters)}

    def shown(self, text: str, v: Buffer, factor: Buffer | None = None) -> str:
        """A formula in v as printed, times a factor, with a note on operands that have no effect."""
        text = text if factor is None else within("factor * {}", text)
        line = shown(text, self.names | {"factor": str(factor)}, self.numbers)
        unused = [b.name for b in (v, *self.parameters, factor) if b is not None and b.name not in line]
        return line + (f"  (for all {', '.join(unused)})" if unused else "")

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.shown(self.equation.value, self.h)}"

    def shown_slope(self, factor: Buffer) -> str:
        return self.shown(self.equation.slope, self.source, factor)

    def stated_as(self, result: str, text: str, values: Mapping[str, Buffer]) -> Stated:
        """A result's value by a text in h or a, the parameters and `values`."""
        known = {"h": self.h, "a": self.a, **{f"p{n}": p for n, p in enumerate(self.parameters)}, **values}
        used = names_in(text) | {result}
        return Stated(assigned(result, text), {n: b for n, b in known.items() if n in used}, self.numbers)

    @property
    def stated(self) -> Stated:
        return self.stated_as("a", self.equation.value, {})

    @property
    def source(self) -> Buffer:
        return self.source_of(self.equation.slope)

    def source_of(self, slope: str) -> Buffer:
        """h, or a if the slope is a formula in a."""
        return self.h if "h" in names_in(slope) else self.a

    @property
    def sizes(self) -> dict[str, int]:
        return sizes(self, self.a)

    @property
    def constants(self) -> dict[str, float]:
        return {f"k{n}": float(k) for n, k in enumerate(self.arguments)}

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.h, *self.parameters) if self.equation.slope else ()

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for number, parameter in enumerate(self.parameters):
            if d.wants(parameter):
                v = self.source_of(self.equation.by_parameter[number])
                yield ParameterGradient(self, number, v, d(self.a), d.into(parameter))
        if self.equation.slope == "1":
            if d.wants(self.h):
                yield from d.pass_on(d(self.a), self.h)
        elif self.equation.slope:
            yield from super().adjoint(d)

    def evaluate(self, text: str, xp: Any, v: Array, parameters: tuple[Array, ...]) -> Array:
        """A text's value; v is h or a, whichever the text uses."""
        values = {"h": v, "a": v, **self.numbers, **{f"p{n}": p for n, p in enumerate(parameters)}}
        result: Array = evaluate(text, values, xp)
        return result

    def value(self, xp: Any, h: Array, parameters: tuple[Array, ...] = ()) -> Array:
        """f(h)"""
        return self.evaluate(self.equation.value, xp, h, parameters)

    def slope(self, xp: Any, v: Array, parameters: tuple[Array, ...] = ()) -> Array:
        return self.evaluate(self.equation.slope, xp, v, parameters)

    def reference(self, xp: Any, h: Array, parameters: tuple[Array, ...]) -> Array:
        return self.value(xp, h, parameters)

    def flops(self, rows: int) -> int:
        return self.equation.cost * self.a.size * (rows if self.a.per_row else 1)


def is_activation(i: Instruction | None, kind: Equation | type[Instruction]) -> bool:
    """Whether an instruction is a certain activation: one with this equation, or of this class."""
    if isinstance(kind, Equation):
        return isinstance(i, Elementwise) and i.equation == kind
    return isinstance(i, kind)


def is_relu(i: Instruction | None) -> TypeGuard[Elementwise]:
    """Whether an instruction is relu without arguments, which can be fused into others."""
    return is_activation(i, RELU)


def numbered(parameters: tuple[Buffer, ...]) -> dict[str, Buffer]:
    """Trainable parameters by the names that equations give them."""
    return {f"p{n}": p for n, p in enumerate(parameters)}


def sizes(of: Activation, like: Buffer) -> dict[str, int]:
    """The size of a row and whether there are rows; with parameters, the positions in a row and the number of units."""
    if not of.parameters:
        return {"size": like.size, "per_row": int(like.per_row)}
    units = of.parameters[0].size
    return {"positions": like.size // units, "units": units}


class ElementwiseAdjoint(Instruction):
    """dh = da·f'(h), element by element, for the activation `of`."""

    of: Activation
    v: Buffer  # h or a
    da: Buffer
    dh: Buffer

    name = "adjoint"
    writes = ("dh",)

    @property
    def title(self) -> str:
        return f"{self.of.title} adjoint"

    @property
    def parameters(self) -> tuple[Buffer, ...]:
        return self.of.parameters

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {"v": self.v, **numbered(self.parameters), "da": self.da, "dh": self.dh}

    @property
    def formula(self) -> str:
        return f"{self.dh} = {self.of.shown_slope(self.da)}"

    @property
    def stated(self) -> Stated | None:
        if not isinstance(self.of, Elementwise):
            return None
        return self.of.stated_as("dh", within("da * {}", self.of.equation.slope), {"da": self.da, "dh": self.dh})

    @property
    def sizes(self) -> dict[str, int]:
        return sizes(self.of, self.dh)

    @property
    def constants(self) -> Mapping[str, float | tuple[float, ...]]:
        return self.of.constants

    def reference(self, xp: Any, v: Array, parameters: tuple[Array, ...], da: Array) -> Array:
        return da * self.of.slope(xp, v, parameters)

    def flops(self, rows: int) -> int:
        return 3 * self.dh.size * (rows if self.dh.per_row else 1)


class ParameterGradient(Instruction):
    """dp = Σ da·∂f/∂p over rows and positions, for a trainable parameter of the equation of `of`."""

    of: Elementwise
    number: int
    v: Buffer  # h or a
    da: Buffer
    dp: Buffer

    name = "formula gradient"
    writes = ("dp",)
    reduces = ("dp",)

    @property
    def text(self) -> str:
        return self.of.equation.by_parameter[self.number]

    @property
    def parameters(self) -> tuple[Buffer, ...]:
        return self.of.parameters

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {"v": self.v, **numbered(self.parameters), "da": self.da, "dp": self.dp}

    @property
    def formula(self) -> str:
        return f"{self.dp} = Σ {self.of.shown(self.text, self.v, self.da)}"

    @property
    def stated(self) -> Stated:
        return self.of.stated_as("dp", within("da * {}", self.text), {"da": self.da, "dp": self.dp})

    @property
    def sizes(self) -> dict[str, int]:
        return sizes(self.of, self.da)

    @property
    def constants(self) -> dict[str, float]:
        return self.of.constants

    def reference(self, xp: Any, v: Array, parameters: tuple[Array, ...], da: Array) -> Array:
        dp: Array = matrix(da * self.of.evaluate(self.text, xp, v, parameters)).sum(axis=0)
        return dp

    def flops(self, rows: int) -> int:
        return 12 * rows * self.da.size
