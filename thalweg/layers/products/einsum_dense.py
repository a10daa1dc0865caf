"""EinsumDense, a dense layer on axes that an equation names. Names, arguments and defaults are Keras's."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar
from functools import partial
from typing import Annotated, Any

import numpy as np

from thalweg import initializers, ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.initializers.drawn import Scaled, VarianceScaling
from thalweg.layers import kinds
from thalweg.layers.kernel_layer import KernelLayer
from thalweg.layers.layer import Shape
from thalweg.ops.tensor import Traced, writing
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, arguments, default
from thalweg.support.checks import whole

__all__ = ["EinsumDense"]

EQUATION = re.compile(r"(\.{3}[a-zA-Z]+,[a-zA-Z]+->\.{3}[a-zA-Z]+|[a-zA-Z]+(\.{3})?,[a-zA-Z]+->[a-zA-Z]+(\2|))")


def named_axes(what: str, equation: Any) -> str:
    """An equation that names the axes of x, of W and of the result."""
    text = equation.replace(" ", "") if isinstance(equation, str) else ""
    if not EQUATION.fullmatch(text) or text.count("...") == 1:
        raise ArgumentError(
            f"{what} names the axes of x, of W and of the result, as in 'abc,cd->abd', '...x,xy->...y' or "
            f"'ab...,bc->ac...', got {equation!r}"
        )
    return text


def behind_rows(what: str, value: Any) -> tuple[int | None, ...]:
    """A size, or one for each axis; None is the size that x has there."""
    return tuple(n if n is None else whole(what, n) for n in (value if isinstance(value, (tuple, list)) else (value,)))


def drawn(start: initializers.Initializer, fans: Shape, shape: Shape, generator: np.random.Generator) -> Any:
    """Initial weights whose numbers of inputs and outputs don't follow from their shape."""
    return start(fans, generator).reshape(shape)


@arguments
class EinsumDense(KernelLayer):
    """a = activation(Σ x·W + b), over axes that an equation names      x (rows, …) → a (rows, …)

    `Dense` on any axes: "abc,cd->abd" is Dense itself, "abc,cde->abde" makes two axes of one, "abcd,cde->abe" one of
    two. Letters are axes; the first one of x and of a is that of the rows. "..." stands for any number of axes, in
    front of the letters or behind them. The sums are those of `ops.einsum`.

    Args:
        equation: the axes of x, of W, and of a.
        output_shape: the sizes of a's axes behind the rows, without those of "...": a number, or a list of numbers;
            None where x has the axis, too.
        activation: as in `Dense`.
        bias_axes: the letters of those axes of a along which b differs; None: no b.
        kernel_initializer, bias_initializer, kernel_regularizer, …: as in `Dense`. An initializer that scales by the
            numbers of inputs and outputs counts those that the equation says.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((5, 4)), EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="e")])
    >>> model.output_shape, model.count_params()
    ((None, 5, 2, 3), 27)
    """

    equation: Annotated[str, Checked(named_axes)]
    output_shape: InitVar[Annotated[int | Sequence[int | None], Checked(behind_rows)]]
    activation: kinds.Activation = default(None)
    bias_axes: str | None = None
    kernel_initializer: kinds.Initializer = default("glorot_uniform")
    bias_initializer: kinds.Initializer = default("zeros")
    kernel_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    kernel_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    _: KW_ONLY
    activity_regularizer: kinds.ActivityRegularizer = default(None)
    name: str | None = None

    def __post_init__(self, output_shape: Any) -> None:
        self.partial_output_shape = output_shape
        self.use_bias = self.bias_axes is not None
        letters = self.equation.partition("->")[2].replace("...", "")
        rows = "" if "->..." in self.equation else letters[0]
        if self.use_bias and (not self.bias_axes or not set(self.bias_axes) <= set(letters) - set(rows)):
            raise ArgumentError(
                f"EinsumDense's bias_axes are letters of axes behind the rows in the result of {self.equation!r}, "
                f"got {self.bias_axes!r}"
            )

    def sizes(self, input_shape: Shape) -> tuple[dict[str, int], str, str]:
        """How long each axis is by its letter; the letters of W, and of a row of the result, "..." being spelt out."""
        left, result = self.equation.split("->")
        x, W = left.split(",")
        more = len(input_shape) + 1 - len(x.replace("...", ""))
        if more < 0 or (more and "..." not in x):
            raise ShapeError(f"EinsumDense: {x!r} doesn't name the axes of inputs {('rows', *input_shape)}")
        fresh = "".join(c for c in string.ascii_letters if c not in self.equation)[:more]
        x, result = x.replace("...", fresh), result.replace("...", fresh)
        if result[0] != x[0] or x[0] in W + x[1:] + result[1:]:
            raise ShapeError(
                f"EinsumDense: the first letter of x and of the result is that of the rows alone, "
                f"not as in {self.equation!r}"
            )
        sizes = dict(zip(x[1:], input_shape, strict=True))
        inner = [sizes[c] for c in fresh if c in sizes]
        given = self.partial_output_shape
        whole_shape = (*inner, *given) if self.equation.startswith("...") else (*given, *inner)
        if len(whole_shape) != len(result) - 1:
            raise ShapeError(f"EinsumDense: output_shape={given} isn't a size for each axis of {self.equation!r}")
        for c, n in zip(result[1:], whole_shape, strict=True):
            if (n is None and c not in sizes) or (c in x and n not in (None, sizes[c])):
                raise ShapeError(
                    f"EinsumDense: the axis {c!r} of {self.equation!r} has the size {sizes.get(c)} in the input and "
                    f"{n} in output_shape"
                )
            sizes[c] = sizes[c] if n is None else n
        if missing := [c for c in W if c not in sizes]:
            raise ShapeError(f"EinsumDense: neither x nor the result of {self.equation!r} has W's axis {missing[0]!r}")
        return sizes, W, result[1:]

    def build(self, input_shape: Shape) -> None:
        sizes, W, result = self.sizes(input_shape)
        start: Any = self.kernel_initializer
        if isinstance(start, (VarianceScaling, Scaled)):
            inputs, outputs = (math.prod(sizes[c] for c in W if (c in result) is kept) for kept in (False, True))
            start = partial(drawn, start, (inputs, outputs))
        shape = [sizes[c] for c in W]
        self.W = self.add_weight("W", shape, start, self.kernel_regularizer, constraint=self.kernel_constraint)
        self.b = None
        if self.bias_axes is not None:
            after = result[min(result.index(c) for c in self.bias_axes) :]
            shape = [sizes[c] if c in self.bias_axes else 1 for c in after]
            penalty, bound = self.bias_regularizer, self.bias_constraint
            self.b = self.add_weight("b", shape, self.bias_initializer, penalty, constraint=bound)
        self.add_activation(self.activation, sizes[result[-1]] if result else 1)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        with writing(program):
            h = ops.einsum(self.equation, Traced(program, x), self.W)
            h = h if self.b is None else ops.add(h, self.b)
        return self.activate(program, h.buffer)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"output_shape": list(self.partial_output_shape)}
