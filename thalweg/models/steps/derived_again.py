"""Gradients within a step: the backward half of what was traced, as instructions that can be derived once more."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.ops.tensor import OverRows, Traced, caller
from thalweg.program.autodiff import Derivation, can_be_differentiated, trainable_values, values_reaching, walked
from thalweg.program.builder import Builder
from thalweg.program.formula import operations
from thalweg.program.formula.derivatives import derivative
from thalweg.program.formula.language import within
from thalweg.program.formula.operations import Operation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.elementwise import Copy
from thalweg.program.instructions.linear import Affine, InputGradient
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.instructions.rowwise import RowwiseAdjoint, Softmax
from thalweg.program.instructions.standardization import StandardizationAdjoint
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.support.nested import leaves, mapped


def gradient(program: Builder, value: Any, wrt: Any) -> Any:
    """∂value/∂wrt of each row, see `Model.gradient`."""
    if isinstance(value, OverRows) and value.total:
        value = value.value
    for tensor in (value, *leaves(wrt)):
        if not isinstance(tensor, Traced) or not tensor.buffer.per_row:
            raise ArgumentError(
                f"{caller()}: gradient takes the numbers of each row, or their ops.sum, and tensors with a value for "
                f"each row, not {tensor!r}; by weights, minimize derives the loss"
            )
    wanted = [tensor.buffer for tensor in leaves(wrt)]
    part = needed(program.instructions, [value.buffer])
    inner = trainable_values(part, wanted)
    part = [i for i in part if any(b in inner for b in i.inputs)]  # what makes the first of them is left out
    d = Derivation(part, {}, wanted, values_reaching(part, [value.buffer]))
    if any(b not in d.reached for b in wanted) or value.buffer not in d.trainable:
        raise ThalwegError(f"{caller()}: the value doesn't depend on what gradient derives it by")
    ones = program.constant(np.ones(value.buffer.shape))
    d.contributions[value.buffer] = [program.broadcast_to(ones, value.buffer.shape, per_row=True)]
    backward = walked(part, d)[0]
    for b in wanted:
        if b not in d.finished:
            backward += d.finish(b)
    for i in backward:
        if any(b.per_row for b in i.inputs) and not all(o.per_row for o in i.outputs):
            raise ThalwegError(
                f"{caller()}: '{i.title}' ({i.formula}) mixes the rows, and gradient is that of each row by itself: "
                "call such layers with training=False"
            )
        derivable(program, i)
    return mapped(wrt, lambda tensor: Traced(program, d(tensor.buffer)))


def needed(
    instructions: Sequence[Instruction], values: Sequence[Buffer], kept: Collection[Instruction] = ()
) -> list[Instruction]:
    """The instructions on which some values depend, and those that are kept anyway."""
    read, found = {b for value in values for b in (value, value.storage)}, []
    for i in reversed(instructions):
        if i in kept or any(o in read for o in i.outputs):
            found.append(i)
            read.update(i.inputs)
            read.update(b.storage for b in i.inputs)
    return found[::-1]


def refuse_underived(
    forward: Sequence[Instruction], trained: Sequence[Buffer], derived: Collection[Instruction]
) -> None:
    """Raises if a loss depends on weights through an instruction of a gradient that can't be derived again."""
    trainable, reached = trainable_values(forward, trained), values_reaching(forward, ())
    for i in forward:
        once_more = can_be_differentiated(i) and not isinstance(i, Scan)  # whose steps have no slopes of slopes
        if i not in derived or once_more or not any(o in reached for o in i.outputs):
            continue
        if any(b in trainable and b.per_row for b in i.inputs):
            raise ThalwegError(f"a gradient in the loss can't be derived through '{i.title}' ({i.heading}) once more")


# --- instructions of a backward half, by others that have an adjoint ------------------------------------------------


def derivable(program: Builder, i: Instruction) -> None:
    """Appends an instruction of a backward half, in a form that can be derived where there is one."""
    for kind, write in FORMS.items():
        if isinstance(i, kind):
            write(program, i)
            return
    program.append(i)


def pointwise(program: Builder, i: Pointwise) -> None:
    """An operation's adjoint, with its own slopes."""
    program.append(
        Pointwise(with_slopes(i.operation), i.values, i.z, i.arguments) if i.operation.combine == "sum" else i
    )


@lru_cache(maxsize=1024)
def with_slopes(of: Operation) -> Operation:
    """An operation with the derivative by each of its operands; its dz is called otherwise, as its adjoint has one."""
    free = next(f"g{n}" for n in range(1, 100) if f"g{n}" not in of.slopes)
    names = {name: free if name == "dz" else name for name in of.slopes}
    value = re.sub(r"\bdz\b", free, of.value)
    slopes = {n: None if n == "top" else derivative(value, n) for n in names.values()}  # as in logsumexp itself
    return Operation(of.name, value, slopes, of.arguments, cost=of.cost)


def elementwise(program: Builder, i: ElementwiseAdjoint) -> None:
    """dh = da·f'(v)"""
    if not isinstance(i.of, Elementwise) or i.of.parameters:
        program.append(i)
        return
    equation = i.of.equation
    name = "h" if i.v is i.of.h else "a"
    slopes = dict.fromkeys(("da", name))
    of = Operation(i.title, within("da * {}", equation.slope), slopes, tuple(equation.arguments), cost=equation.cost)
    program.append(Pointwise(with_slopes(of), (i.da, i.v), i.dh, i.of.arguments))


def affine(program: Builder, i: InputGradient) -> None:
    """dx = dh·Wᵀ, as a product with a transposed matrix"""
    program.append(Affine(i.dh, program.permute(i.W, (1, 0)), None, i.dx))


def softmax(program: Builder, i: RowwiseAdjoint) -> None:
    """dh = a·(da − Σ da·a)"""
    if not isinstance(i.of, Softmax):
        program.append(i)
        return
    summed = program.reduce("sum", program.binary("multiply", i.da, i.v), (len(i.v.shape) - 1,), keepdims=True)
    program.append(Pointwise(operations.BINARY["multiply"], (i.v, program.binary("subtract", i.da, summed)), i.dh))


def standardization(program: Builder, i: StandardizationAdjoint) -> None:
    """dx = (da − mean da − x̂·mean(da·x̂))/√(variance + ε)"""
    of, sizes = i.of, i.of.sizes
    shape = (sizes["lines"] * sizes["places"], sizes["groups"], sizes["channels"])
    axes = (2,) if of.by_place else (0, 2)

    def mean(b: Buffer) -> Buffer:
        return program.reduce("mean", b, axes, keepdims=True)

    def binary(kind: str, b: Buffer, c: Buffer) -> Buffer:
        return program.binary(kind, b, c)

    x, da = (program.reshape(b, shape) for b in (i.x, i.da))
    if of.centered:
        x, da = binary("subtract", x, mean(x)), binary("subtract", da, mean(da))
    scale = program.unary("rsqrt", program.scalar("add", mean(binary("multiply", x, x)), of.epsilon))
    x = binary("multiply", x, scale)
    dx = binary("multiply", binary("subtract", da, binary("multiply", x, mean(binary("multiply", da, x)))), scale)
    program.append(Copy(program.reshape(dx, i.dx.shape), i.dx))


FORMS: Mapping[type[Instruction], Callable[[Builder, Any], None]] = {
    Pointwise: pointwise,
    ElementwiseAdjoint: elementwise,
    InputGradient: affine,
    RowwiseAdjoint: softmax,
    StandardizationAdjoint: standardization,
}
