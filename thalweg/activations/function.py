"""Activation functions: a name, the equation or instruction that computes it, and facts about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError
from thalweg.ops.operation import operand, operation
from thalweg.ops.summaries import last
from thalweg.ops.tensor import Operators, program_of, refuse
from thalweg.program.builder import Builder
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import evaluate, shown
from thalweg.program.instructions.rowwise import LogSoftmax, Rowwise, Softmax
from thalweg.program.ir.instruction import Buffer
from thalweg.support import hooks
from thalweg.support.checks import number
from thalweg.support.naming import choose


@dataclass(frozen=True)
class ActivationFunction(hooks.Hooked):
    """Base: a named function a = f(h), which is called on an array or given to a layer.

    Two are equal when they compute the same.
    """

    uncalled = hooks.ACTIVATION

    name: str

    range: str = field(default="", kw_only=True, compare=False)  # of its values
    use: str = field(default="", kw_only=True, compare=False)  # when
    avoid: str = field(default="", kw_only=True, compare=False)  # when not
    paper: str = field(default="", kw_only=True, compare=False)

    rowwise = False  # whether an output depends on its whole row, as in softmax

    @property
    def formula(self) -> str:
        """f(x), its arguments by name."""
        raise NotImplementedError

    @property
    def derivative(self) -> str:
        """f'(x), its arguments by name; for a function of a row, dx from the derivative da of its output a."""
        raise NotImplementedError

    def argument_names(self) -> tuple[str, ...]:
        """The arguments of `using`."""
        return ()

    def using(self, **arguments: Any) -> ActivationFunction:
        """The same function with other arguments."""
        raise NotImplementedError

    @property
    def missing(self) -> tuple[str, ...]:
        """Arguments that have no default and were not given."""
        return ()

    def complete(self) -> None:
        """Raises if an argument has no value."""
        if self.missing:
            asked = ", ".join(f"{name}=…" for name in self.missing)
            raise ArgumentError(f"{self.name} has no defaults: write activations.{self.name}.using({asked})")

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        """Appends the instruction."""
        raise NotImplementedError

    def __call__(self, x: ArrayLike, **arguments: Any) -> NDArray[Any]:
        """f(x) in the precision of x (whole numbers become float64)."""
        raise NotImplementedError


@operation(lambda x, function: function(x))
def activation(x: Any, function: Any) -> Buffer:
    """An activation of a tensor."""
    program = program_of([x])
    h = operand(program, x)
    if function.rowwise and not h.per_row:
        if function.kind in (Softmax, LogSoftmax):
            return last(x, -1, function.kind)
        raise refuse(f"activations.{function.name} works on values of each row, not on weights alone; see thalweg.ops")
    result: Buffer = function.forward(program, h)
    return result


@dataclass(frozen=True)
class BuiltInFunction(ActivationFunction):
    """A function of the catalogue, computed by an equation, by an instruction, or (`linear`) by neither.

    >>> from thalweg.activations import elu
    >>> float(elu(-20.0)), float(elu.using(alpha=0.5)(-20.0).round(6))
    (-0.9999999979388464, -0.5)
    """

    uncalled = ActivationFunction.uncalled

    kind: Equation | type[Rowwise] | None
    arguments: tuple[float, ...] = ()  # of the equation, in its order; empty for its defaults
    general: Equation | None = field(default=None, compare=False)  # the equation that takes the arguments, if another

    @property
    def equation(self) -> Equation | None:
        """The equation with these arguments."""
        if self.general is not None and self.arguments:
            return self.general
        return self.kind if isinstance(self.kind, Equation) else None

    @property
    def taking(self) -> Equation | None:
        """The equation that takes arguments."""
        return self.general or self.equation

    @property
    def formula(self) -> str:
        if isinstance(self.kind, Equation):
            return shown(self.kind.value, {"h": "x"})
        return "x" if self.kind is None else self.kind.formula_text.format(h="x")

    @property
    def derivative(self) -> str:
        if isinstance(self.kind, Equation):
            return shown(self.kind.slope, {"h": "x", "a": "f(x)"})
        return "1" if self.kind is None else self.kind.slope_text.format(h="x", a="a", da="da")

    @property
    def rowwise(self) -> bool:  # type: ignore[override]
        return self.kind is not None and not isinstance(self.kind, Equation)

    def argument_names(self) -> tuple[str, ...]:
        return () if self.taking is None else tuple(self.taking.arguments)

    def using(self, **arguments: float | bool | None) -> BuiltInFunction:
        """The same function with other arguments, by Keras's names and with Keras's defaults.

        >>> from thalweg.activations import relu
        >>> relu.using(max_value=6)([-1.0, 3.0, 9.0])
        array([0., 3., 6.])
        """
        if self.rowwise and arguments.keys() == {"axis"}:
            if arguments["axis"] != -1:
                raise ArgumentError(f"{self.name} works along the last axis: axis can only be -1")
            return self
        names = self.argument_names()
        for name in arguments:
            if not names:
                raise ArgumentError(f"{self.name} takes no arguments, got {name}")
            choose(f"argument of {self.name}", name, names)
        if self.taking is None:
            return self
        defaults = self.taking.arguments
        values = dict(defaults) | dict(zip(names, self.arguments, strict=False))
        for name, value in arguments.items():
            if isinstance(defaults[name], bool):
                values[name] = bool(value)
            elif defaults[name] == math.inf and value in (None, math.inf):
                values[name] = math.inf
            else:
                limits = self.taking.limits.get(name, (-math.inf, math.inf))
                values[name] = number(f"{self.name}'s {name}", value, *limits)
        for name, given in values.items():
            if given is None:
                raise ArgumentError(f"{self.name} needs a value for {name}")
        full = tuple(value for value in values.values() if value is not None)
        return replace(self, arguments=() if values == dict(defaults) else full)

    @property
    def missing(self) -> tuple[str, ...]:
        defaults = {} if self.taking is None or self.arguments else self.taking.arguments
        return tuple(name for name, default in defaults.items() if default is None)

    def numbers(self) -> dict[str, float]:
        """The arguments that the equation takes: those given, or its defaults."""
        defaults = {} if self.equation is None else self.equation.arguments
        return dict(zip(defaults, self.arguments or defaults.values(), strict=True))  # type: ignore[arg-type]

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        if self.equation is not None:
            return program.elementwise(self.equation, h, tuple(self.numbers().values()))
        return h if self.kind is None else program.rowwise(self.kind, h)  # type: ignore[arg-type]

    def __call__(self, x: Any, *values: float | bool | None, **arguments: float | bool | None) -> Any:
        """f(x) in the precision of x (whole numbers become float64), with NumPy; of a tensor, a tensor.

        >>> from thalweg.activations import threshold
        >>> threshold([-1.0, 2.0], 0, 5)
        array([5., 2.])
        """
        names = ("axis",) if self.rowwise else self.argument_names()
        if len(values) > len(names) or set(names[: len(values)]) & set(arguments):
            told = f"x and then {', '.join(names)}, each once" if names else "x alone"
            raise ArgumentError(f"{self.name} takes {told}, got {values} and {arguments}")
        arguments = dict(zip(names, values, strict=False)) | arguments
        tensor = isinstance(x, Operators)
        h: Any = x if tensor else np.asarray(x)
        if self.rowwise and len(h.shape) and arguments.get("axis") == len(h.shape) - 1:
            arguments = {}  # the last axis by its number
        function = self.using(**arguments) if arguments else self
        function.complete()
        if tensor:
            return activation(x, function)
        h = h if np.issubdtype(h.dtype, np.floating) else h.astype(np.float64)
        if function.rowwise and h.ndim == 0:
            raise ArgumentError(f"{self.name} takes an array of at least one axis")
        if function.equation is not None:
            return evaluated(function.equation.value, h, function.numbers())
        program = Builder(training=False)
        result = function.forward(program, Buffer("h", h.shape))
        return h if self.kind is None else program.instructions[0].value(np, h).reshape(result.shape)  # type: ignore[attr-defined]


def elementwise(
    name: str,
    value: str,
    slope: str,
    *,
    arguments: Mapping[str, float | None] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
    cost: int = 1,
    general: Equation | None = None,
    **facts: Any,
) -> BuiltInFunction:
    """A function by its equation: see `Equation`, and `ActivationFunction` for the facts."""
    equation = Equation(name.replace("_", " "), value, slope, arguments or {}, limits or {}, cost)
    return BuiltInFunction(name, equation, general=general, **facts)


def evaluated(text: str, h: NDArray[Any], values: Mapping[str, Any]) -> NDArray[Any]:
    """A formula of h with NumPy, in the precision of h."""
    with np.errstate(all="ignore"):
        result = np.asarray(evaluate(text, {"h": h, **values}, np))
    return np.broadcast_to(result, h.shape).astype(h.dtype)
