"""Penalties on weights, added to the loss. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar, Literal

from thalweg.errors import ArgumentError, ShapeError
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import OverRows, Traced, traced, writing
from thalweg.program.builder import Builder
from thalweg.program.instructions.losses.penalties import OrthogonalPenalty, Penalty
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.support import hooks
from thalweg.support.arguments import Value, arguments
from thalweg.support.checks import Amount, Function, number
from thalweg.support.naming import answer_for, choose, snake_case
from thalweg.support.registry import REGISTERED


@arguments
class Regularizer(Value):
    """Base of all regularizers: l1·Σ|W| + l2·ΣW² with two factors of its own, or what `lower` returns.

    One of your own has `factors(self)`, or `__call__(self, x)`, written in `thalweg.ops`: one number, made of all
    weights, or of the layer's output of all rows. Of an output, a sum over the rows counts as their mean.

    >>> from thalweg import ops
    >>> class Far(Regularizer):
    ...     def __call__(self, x):
    ...         return 0.1 * ops.sum(ops.square(x - 1))
    """

    uncalled = hooks.REGULARIZER

    # For the reference pages.
    formula: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]

    def factors(self) -> tuple[float, float]:
        """(l1, l2)"""
        if callable(self):
            return 0.0, 0.0
        raise hooks.unwritten(self, "factors(self), nor __call__(self, x)", "either says what it adds to the loss")

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises if an array of this shape can't have the penalty."""

    def term(self, program: Builder, W: Buffer) -> tuple[Buffer, bool] | None:
        """What a penalty written in `ops` adds to the loss, and whether it is of all rows; None for others."""
        if not callable(self):
            return None
        with writing(program):
            value = self(Traced(program, W))
            shape = value.shape if isinstance(value, OverRows) else traced(value, program).buffer.shape
            if prod(shape) != 1:
                raise ArgumentError(f"{self!r}: a penalty is one number, got the shape {shape}: take its sum or mean")
            return row_value(program, value)

    def penalize(self, program: Builder, a: Buffer) -> None:
        """Adds the penalty on a layer's output to the loss: a sum over all rows counts as their mean, as in Keras."""
        term = self.term(program, a)
        if term is None:
            program.penalize(a, *self.factors())
        else:
            program.objectives.append((term[0], False))

    def lower(self, W: Buffer, sums: Buffer) -> Instruction:
        """The instruction that adds the penalty on W to its running sum; its adjoint adds to the gradient."""
        return Penalty(W, *self.factors(), sums)

    def __post_init__(self) -> None:
        """What a regularizer of one's own lacks is said when it is made."""
        for factor in self.factors():
            number(f"{type(self).__name__}'s factor", factor)


@arguments
class L1(Regularizer):
    """l1·Σ|W|: pulls weights to exactly 0.

    >>> L1(0.1).factors()
    (0.1, 0.0)
    """

    l1: Amount = 0.01

    formula = "l1·Σ|W|"
    use = "To find out which inputs matter: weights that don't help become exactly 0."
    avoid = "Correlated inputs: it keeps one of them, by chance."
    paper = "Tibshirani, JRSS B 1996"

    def factors(self) -> tuple[float, float]:
        return self.l1, 0.0


@arguments
class L2(Regularizer):
    """l2·ΣW²: keeps weights small."""

    l2: Amount = 0.01

    formula = "l2·ΣW²"
    use = "Against overfitting: the usual choice."
    avoid = "With Adam, where weight decay (AdamW) has the intended effect; on biases and scales."
    paper = "Krogh and Hertz, NIPS 1991"

    def factors(self) -> tuple[float, float]:
        return 0.0, self.l2


@arguments
class L1L2(Regularizer):
    """l1·Σ|W| + l2·ΣW²"""

    l1: Amount = 0.0
    l2: Amount = 0.0

    formula = "l1·Σ|W| + l2·ΣW²"
    use = "Few weights and small ones, where inputs are correlated."
    avoid = "Where one of the two will do: there are two factors to tune."
    paper = "Zou and Hastie, JRSS B 2005"

    def factors(self) -> tuple[float, float]:
        return self.l1, self.l2


@arguments
class OrthogonalRegularizer(Regularizer):
    """factor·mean |uᵢ·uⱼ| over all pairs of rows (or columns) u of a matrix W, each scaled to length 1

    0 if all are at right angles, `factor` if all lie along one line; their lengths don't matter. Only for matrices with
    at least two rows (columns), not for biases or convolutions. A step costs 4·n²·m more operations for n vectors of m
    elements.

    Args:
        factor: the factor of the mean.
        mode: "rows", each the weights of an input, or "columns", each the weights of a unit.

    >>> OrthogonalRegularizer(0.1, mode="columns")
    OrthogonalRegularizer(factor=0.1, mode='columns')
    """

    factor: Amount = 0.01
    mode: Literal["rows", "columns"] = "rows"

    formula = "factor·mean |uᵢ·uⱼ|, i < j, u = w/‖w‖"
    use = "Units that should not repeat each other: features of different directions."
    avoid = "More rows than columns (or vice versa, by mode): they can't all be at right angles to each other."
    paper = "Brock et al., ICLR 2017, arXiv 1609.07093"

    def __post_init__(self) -> None:
        """It has no factors to check."""

    def factors(self) -> tuple[float, float]:
        raise ArgumentError("OrthogonalRegularizer is a penalty on matrices of weights, not on a layer's output")

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[self.mode == "columns"] < 2:
            raise ShapeError(f"OrthogonalRegularizer needs a matrix of at least two {self.mode}, not the shape {shape}")

    def lower(self, W: Buffer, sums: Buffer) -> Instruction:
        n = W.shape[self.mode == "columns"]
        lengths, U, P = (
            Buffer(f"{key} of {W}", shape, per_row=False)
            for key, shape in (("lengths", (2, n)), ("U", W.shape), ("P", (n, n)))
        )
        return OrthogonalPenalty(W, sums, lengths, U, P, self.factor, self.mode == "columns")


CLASSES: dict[str, type[Regularizer]] = {
    "L1": L1,
    "L2": L2,
    "L1L2": L1L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
}
# Keras's other names: each is the same class.
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
NAMES: dict[str, type[Regularizer]] = {snake_case(name): c for name, c in CLASSES.items()} | {"l1_l2": L1L2}


@arguments
class FunctionRegularizer(Regularizer):
    """A penalty that is a Python function of the weights, written in `thalweg.ops`: one number.

    >>> from thalweg import ops
    >>> regularizer = get(lambda w: 0.01 * ops.sum(ops.abs(w)))
    """

    function: Function

    def __call__(self, x: Any) -> Any:
        return self.function(x)


def get(identifier: Any) -> Regularizer | None:
    """A regularizer from its name, from what `serialize` returned, or itself; None stays None.

    >>> get("l2")
    L2(l2=0.01)
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, dict) and identifier["class_name"] == "FunctionRegularizer":
        return FunctionRegularizer(choose("function of a regularizer", identifier["config"]["function"], REGISTERED))
    if callable(identifier) and not isinstance(identifier, type):
        return FunctionRegularizer(identifier)
    if isinstance(identifier, dict):
        own = {name: c for name, c in REGISTERED.items() if isinstance(c, type) and issubclass(c, Regularizer)}
        return choose("regularizer", identifier["class_name"], CLASSES | own)(**identifier["config"])
    return choose("regularizer", identifier, NAMES | CLASSES)()


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """A plain description that `get` turns back into an equal regularizer."""
    if regularizer is None:
        return None
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}


answer_for(__name__)
