"""Activations of the user's own: a formula, or a pair of Python functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.activations.function import ActivationFunction
from thalweg.checks import number
from thalweg.errors import ArgumentError
from thalweg.program.builder import Builder
from thalweg.program.formulas import Formula
from thalweg.program.formulas import formula as read
from thalweg.program.instruction import Buffer


@dataclass(frozen=True)
class FormulaFunction(ActivationFunction):
    """A formula in x as an activation; made by `formula`."""

    of: Formula | None = None

    @property
    def function(self) -> Formula:
        assert self.of is not None
        return self.of

    @property
    def formula(self) -> str:
        return self.function.shown()

    @property
    def derivative(self) -> str:
        return self.function.shown_slope("x", _value="f(x)")

    def using(self, **arguments: Any) -> ActivationFunction:
        raise ArgumentError("a formula's constants are given where it is made: formula(text, constants=…)")

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        if self.function.parameters:
            raise ArgumentError("a formula with trainable parameters is a layer of its own: Activation(…)")
        return program.formula(self.function, h)

    def __call__(self, x: ArrayLike, **arguments: Any) -> NDArray[Any]:
        """f(x) in the precision of x; parameters are given by name."""
        h = np.asarray(x)
        h = h if np.issubdtype(h.dtype, np.floating) else h.astype(np.float64)
        if set(arguments) != set(self.function.parameters):
            raise ArgumentError(f"the formula's parameters are {list(self.function.parameters)}, got {list(arguments)}")
        with np.errstate(all="ignore"):
            return np.asarray(self.function.value(x=h, **arguments)).astype(h.dtype, copy=False)


def formula(
    text: str, constants: Mapping[str, float] | None = None, parameters: tuple[str, ...] = ()
) -> FormulaFunction:
    """An activation given as a formula in x, with named constants.

    It may hold numbers, pi, e, + - * / **, `y if x > 0 else z`, and exp, expm1, log, log1p, sqrt, square, abs, sign,
    min, max, sin, cos, tan, arctan, sinh, cosh, tanh, sigmoid, softplus, relu, erf, pow, where. SymPy differentiates
    it, and it is compiled. A formula is data: nothing but these is accepted.

    ln(1 + eˣ), 1/(1 + e⁻ˣ), ln cosh x and eˣ − 1 are computed in forms that neither overflow nor lose digits. At a
    kink, the derivative is that of the piece that gives the value there: for max and min the last argument's where
    both are equal, for abs 0 at 0.

    >>> f = formula("x * sigmoid(beta * x)", constants={"beta": 1.702})
    >>> f([0.0, 1.0]).round(3)
    array([0.   , 0.846])
    >>> f.derivative
    '(1 + 1.702·x·(1 - sigmoid(1.702·x)))·sigmoid(1.702·x)'
    >>> formula("x * tanh(y)")
    Traceback (most recent call last):
    thalweg.errors.FormulaError: unknown name 'y' in the formula. It knows: x, pi, e
        x * tanh(y)
                 ^
    """
    if not isinstance(text, str):
        raise ArgumentError(f"a formula is a text such as 'x * sigmoid(x)', got {text!r}")
    values = tuple((k, number(f"the constant {k}", v, -math.inf)) for k, v in (constants or {}).items())
    return FormulaFunction(text, None, of=read(text, ("x",), values, tuple(parameters)))
