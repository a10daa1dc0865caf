"""What an activation function is: a name, the instruction that carries it out, and the facts about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError
from thalweg.program.builder import Builder
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.rowwise import Rowwise
from thalweg.program.ir.instruction import Buffer
from thalweg.support import hooks
from thalweg.support.checks import number
from thalweg.support.naming import choose


@dataclass(frozen=True)
class ActivationFunction(hooks.Hooked):
    """A named function a = f(h), carried out by one instruction (or by none, for `linear`).

    It is called on an array, given to a layer, and made with other arguments by `using`. Two are equal when they
    compute the same.

    >>> from thalweg.activations import elu
    >>> float(elu(-20.0)), float(elu.using(alpha=0.5)(-20.0).round(6))
    (-0.9999999979388464, -0.5)
    """

    unheard = hooks.ACTIVATION

    name: str
    instruction: type[Elementwise] | type[Rowwise] | None
    arguments: tuple[float, ...] = ()  # of the instruction, in its order; those left out have its defaults

    range: str = field(default="", kw_only=True, compare=False)  # of its values
    use: str = field(default="", kw_only=True, compare=False)  # when
    avoid: str = field(default="", kw_only=True, compare=False)  # when not
    paper: str = field(default="", kw_only=True, compare=False)
    title_zh: str = field(default="", kw_only=True, compare=False)
    summary_zh: str = field(default="", kw_only=True, compare=False)

    @property
    def formula(self) -> str:
        """f(x), its arguments by name."""
        return self.written("formula_text", "x", "x")

    @property
    def derivative(self) -> str:
        """f'(x), its arguments by name; for a function of a row, dx from the derivative da of its output a."""
        a = "a" if self.rowwise else "f(x)"
        return self.written("slope_text", "1", a)

    def written(self, text: str, identity: str, a: str) -> str:
        if self.instruction is None:
            return identity
        names = {name: name for name in self.argument_names()}
        written: str = getattr(self.instruction, text).format(h="x", a=a, da="da", **names)
        return written

    @property
    def rowwise(self) -> bool:
        """Whether an output depends on its whole row, as in softmax."""
        return self.instruction is not None and issubclass(self.instruction, Rowwise)

    def argument_names(self) -> tuple[str, ...]:
        """What `using` takes."""
        kind = self.instruction
        return kind.argument_names() if kind is not None and issubclass(kind, Elementwise) else ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Arguments that have no default and were not given."""
        if self.instruction is None or self.rowwise:
            return ()
        needed = [f.name for f in fields(self.instruction)[2:] if f.default is f.default_factory]  # both MISSING
        return tuple(needed[len(self.arguments) :])

    def using(self, **arguments: float | bool | None) -> ActivationFunction:
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
        if self.instruction is None or not issubclass(self.instruction, Elementwise):
            return self
        values = dict(zip(names, self.arguments, strict=False))
        for name, value in arguments.items():
            default = next(f.default for f in fields(self.instruction) if f.name == name)
            if isinstance(default, bool):
                values[name] = bool(value)
            elif default == math.inf and value in (None, math.inf):
                values[name] = math.inf
            else:
                limits = self.instruction.limits.get(name, (-math.inf, math.inf))
                values[name] = number(f"{self.name}'s {name}", value, *limits)
        result = replace(self, arguments=())
        for name in result.missing:
            if name not in values:
                raise ArgumentError(f"{self.name} needs a value for {name}")
        defaults: dict[str, Any] = {f.name: f.default for f in fields(self.instruction)}
        full = tuple(values.get(name, defaults[name]) for name in names)
        return result if full == tuple(defaults[name] for name in names) else replace(self, arguments=full)

    def complete(self) -> None:
        """Raises where an argument has no value."""
        if self.missing:
            asked = ", ".join(f"{name}=…" for name in self.missing)
            raise ArgumentError(f"{self.name} has no defaults: say activations.{self.name}.using({asked})")

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        """Appends the instruction."""
        if self.instruction is None:
            return h
        if issubclass(self.instruction, Rowwise):
            return program.rowwise(self.instruction, h)
        return program.elementwise(self.instruction, h, *self.arguments)

    def __call__(self, x: ArrayLike, **arguments: float | bool | None) -> NDArray[Any]:
        """f(x) by the NumPy reference, in the precision of x (whole numbers become float64)."""
        h = np.asarray(x)
        if self.rowwise and h.ndim and arguments.get("axis") == h.ndim - 1:
            arguments = {}  # the last axis by its number
        function = self.using(**arguments) if arguments else self
        function.complete()
        h = h if np.issubdtype(h.dtype, np.floating) else h.astype(np.float64)
        if function.instruction is None:
            return h
        if function.rowwise and h.ndim == 0:
            raise ArgumentError(f"{self.name} takes an array of at least one axis")
        program = Builder(training=False)
        result = function.forward(program, Buffer("h", h.shape if function.rowwise else (1,)))
        values: NDArray[Any] = program.instructions[0].value(np, h)  # type: ignore[attr-defined]
        return np.asarray(values).reshape(result.shape if function.rowwise else h.shape).astype(h.dtype, copy=False)
