"""User-defined activations: a formula, or a pair of Python functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.activations.catalogue import ALIASES, NAMES
from thalweg.activations.function import ActivationFunction, evaluated
from thalweg.errors import ArgumentError
from thalweg.initializers import Constant, Initializer, InitializerLike
from thalweg.initializers import get as get_initializer
from thalweg.ops.tensor import Traced, traced, writing
from thalweg.program.builder import Builder
from thalweg.program.formula.language import shown
from thalweg.program.formula.parsing import Formula
from thalweg.program.formula.parsing import formula as read
from thalweg.program.instructions.custom_activation import ScalarPair, scalar_function
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import number
from thalweg.support.naming import suggesting


@dataclass(frozen=True)
class FormulaFunction(ActivationFunction):
    """A formula in x as an activation; made by `formula`."""

    uncalled = ActivationFunction.uncalled  # user-defined formulas are made here

    of: Formula
    starts: tuple[tuple[str, Initializer], ...] = ()  # of its trainable parameters

    @property
    def names(self) -> dict[str, str]:
        """The equation's names for h, a and the parameters → the formula's."""
        return {"h": "x", "a": "f(x)"} | {f"p{n}": name for n, name in enumerate(self.of.parameters)}

    @property
    def formula(self) -> str:
        return shown(self.of.equation.value, self.names)

    @property
    def derivative(self) -> str:
        return shown(self.of.equation.slope, self.names)

    def using(self, **arguments: Any) -> ActivationFunction:
        raise ArgumentError("a formula's constants are given where it is made: formula(text, constants=…)")

    def forward(self, program: Builder, h: Buffer, parameters: Sequence[Buffer] = ()) -> Buffer:
        return program.elementwise(self.of.equation, h, (), parameters)

    def __call__(self, x: ArrayLike, **arguments: Any) -> NDArray[Any]:
        """f(x) in the precision of x; parameters are given by name."""
        h = np.asarray(x)
        h = h if np.issubdtype(h.dtype, np.floating) else h.astype(np.float64)
        if set(arguments) != set(self.of.parameters):
            raise ArgumentError(f"the formula's parameters are {list(self.of.parameters)}, got {list(arguments)}")
        values = {f"p{n}": arguments[name] for n, name in enumerate(self.of.parameters)}
        return evaluated(self.of.equation.value, h, values)


def formula(
    text: str,
    constants: Mapping[str, float] | None = None,
    parameters: Mapping[str, float | InitializerLike] | None = None,
) -> FormulaFunction:
    """An activation given as a formula in x, with named constants and trainable parameters.

    It may contain numbers, pi, e, + - * / **, `y if x > 0 else z`, and exp, expm1, log, log1p, sqrt, square, abs, sign,
    min, max, sin, cos, tan, arctan, sinh, cosh, tanh, sigmoid, softplus, relu, erf, pow, where. It is differentiated
    here, and LLVM compiles it: `pip install 'thalweg[jit]'`. A formula is data: nothing but these is accepted.

    ln(1 + eˣ), 1/(1 + e⁻ˣ), ln cosh x and eˣ − 1 are computed in forms that neither overflow nor lose digits. At a
    kink, the derivative is that of the piece that gives the value there: for max and min the last argument's if
    both are equal, for abs 0 at 0.

    Args:
        text: the formula.
        constants: its named numbers.
        parameters: its trainable parameters: name → initial value, a number or an initializer. The layer has a value
            of each for every unit (or channel), and trains them with its weights.

    Raises:
        FormulaError, ArgumentError: a formula that contains anything else, is constant, or doesn't use a name.

    >>> f = formula("x * sigmoid(beta * x)", constants={"beta": 1.702})
    >>> f([0.0, 1.0]).round(3)
    array([0.   , 0.846])
    >>> f.derivative
    'σ(1.702·x)·(1 + 1.702·x·(1 − σ(1.702·x)))'
    >>> from thalweg.layers import Dense
    >>> Dense(8, formula("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25})).activation.formula
    'max(x, 0) + a·min(x, 0)'
    >>> formula("x * tanh(y)")
    Traceback (most recent call last):
    thalweg.errors.FormulaError: unknown name 'y' in the formula. It knows: x, pi, e
        x * tanh(y)
                 ^
    """
    if not isinstance(text, str):
        raise ArgumentError(f"a formula is a text such as 'x * sigmoid(x)', got {text!r}")
    values = tuple((k, number(f"the constant {k}", v, -math.inf)) for k, v in (constants or {}).items())
    starts = tuple(
        (key, get_initializer(Constant(start) if isinstance(start, (int, float)) else start))
        for key, start in (parameters or {}).items()
    )
    return FormulaFunction(text, of=read(text, ("x",), values, tuple(parameters or ())), starts=starts)


@dataclass(frozen=True)
class CustomFunction(ActivationFunction):
    """A pair of Python functions as an activation; made by `custom`."""

    uncalled = ActivationFunction.uncalled

    pair: ScalarPair

    @property
    def formula(self) -> str:
        return self.pair.value.shown

    @property
    def derivative(self) -> str:
        return self.pair.derivative.shown

    def using(self, **arguments: Any) -> ActivationFunction:
        raise ArgumentError(f"{self.name} takes no arguments: its numbers are written into its functions")

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        return program.custom(self.pair, h)

    def __call__(self, x: ArrayLike, **arguments: Any) -> NDArray[Any]:
        """f(x) in the precision of x, number by number in Python."""
        h = np.asarray(x)
        h = h if np.issubdtype(h.dtype, np.floating) else h.astype(np.float64)
        if arguments:
            self.using(**arguments)
        return self.pair.value(h)


@suggesting
def custom(
    name: str,
    value: Callable[[float], float],
    derivative: Callable[[float], float],
    *,
    range: str = "",
    use: str = "",
    avoid: str = "",
    paper: str = "",
) -> CustomFunction:
    """An activation given as two Python functions of one number: its value f(h) and its derivative f'(h).

    Both are compiled by LLVM, from their source: `pip install 'thalweg[jit]'`. They may use math, numpy and numbers,
    branches and loops, but no other variables. The derivative is compared with central differences between -6 and 6;
    at a kink it has to lie between the slopes on both sides. Where math raises (exp of a large number), NumPy's
    function has a value: prefer it. If a `formula` can express the activation, it is faster and needs no derivative.

    A model file holds only the name: `load_model(path, custom_objects={name: activation})`.

    Args:
        name: as listings and files show it.
        value, derivative: the functions.
        range, use, avoid, paper: facts, as for the built-in activations.

    Raises:
        ArgumentError: a function without readable source, one that uses other variables, a wrong derivative. When
            the model is compiled: a function that isn't in the language of kernels.

    >>> import math
    >>> def value(h):
    ...     return math.sqrt(1 + h * h) - 1
    >>> def derivative(h):
    ...     return h / math.sqrt(1 + h * h)
    >>> bowl = custom("bowl", value, derivative, range="[0, ∞)")
    >>> bowl([0.0, 1.0]).round(3), bowl.formula
    (array([0.   , 0.414]), 'math.sqrt(1 + h * h) - 1')
    >>> from thalweg import Sequential, layers
    >>> Sequential([layers.Activation(bowl)]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.414]], dtype=float32)
    >>> custom("bowl", value, math.cos)
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: bowl's derivative has to be a Python function, got <built-in function cos>
    >>> custom("bowl", value, value)
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: the derivative of bowl is wrong: at -4 it is 3.12311, the value's slope is -0.970143
    """
    if not isinstance(name, str) or not name.isidentifier() or name in NAMES or name in ALIASES:
        raise ArgumentError(f"an activation of your own has a name of its own, a word without spaces, got {name!r}")
    pair = ScalarPair(
        name, scalar_function(f"{name}'s value", value), scalar_function(f"{name}'s derivative", derivative)
    )
    pair.check()
    return CustomFunction(name, pair, range=range, use=use, avoid=avoid, paper=paper)


@dataclass(frozen=True)
class PythonFunction(ActivationFunction):
    """A Python function of a tensor, written in `thalweg.ops`, as an activation."""

    uncalled = ActivationFunction.uncalled  # user-defined functions are made here

    function: Callable[[Any], Any]

    @property
    def formula(self) -> str:
        return f"{self.name}(x)"

    @property
    def derivative(self) -> str:
        return f"{self.name}'(x)"

    def using(self, **arguments: Any) -> ActivationFunction:
        raise ArgumentError(f"{self.name} is a Python function: give it its arguments in another function")

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        with writing(program):
            return traced(self.function(Traced(program, h)), program).buffer

    def __call__(self, x: Any, **arguments: Any) -> Any:
        """The function of an array, or of a tensor."""
        return self.function(x, **arguments)
