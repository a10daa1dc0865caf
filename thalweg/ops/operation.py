"""What makes a function an operation: on tensors it draws or writes, on arrays it computes with NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from thalweg.errors import ShapeError, ThalwegError
from thalweg.ops.tensor import (
    FUNCTIONS,
    Operators,
    OverRows,
    Symbol,
    Traced,
    caller,
    current,
    program_of,
    record,
    refuse,
    traced,
    writing,
)
from thalweg.ops.variable import WeightBuffer
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.naming import suggesting
from thalweg.support.nested import leaves, mapped

F = TypeVar("F", bound=Callable[..., Any])


def operation(numpy: Callable[..., Any]) -> Callable[[F], F]:
    """Makes `f(x, …)` an operation. `f` appends the instructions for Traced tensors; `numpy` computes with arrays."""

    def decorate(function: F) -> F:
        name = function.__name__

        @suggesting
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            tensors = [a for a in leaves([arguments, named]) if isinstance(a, Operators)]
            if not tensors:
                return numpy(*arguments, **named)
            if current() is None and all(isinstance(t, WeightBuffer) and t.known for t in tensors):
                return numpy(*mapped(arguments, in_numbers), **mapped(named, in_numbers))
            if any(isinstance(t, Symbol) for t in tensors):
                return record(call, arguments, named, name)
            if any(isinstance(t, OverRows) for t in tensors):
                first = next(t for t in tensors if isinstance(t, OverRows))
                return first.linear(name, arguments, named)
            program = program_of(tensors)

            def valued(a: Any) -> Any:
                return Traced(program, a) if isinstance(a, Buffer) else a

            try:
                with writing(program):
                    result = function(*mapped(arguments, valued), **mapped(named, valued))
            except ShapeError as error:
                told = str(error)
                raise ShapeError(told if "line " in told else f"{caller()}: {name}: {told}") from None
            return mapped(result, lambda b: Traced(program, b) if isinstance(b, Buffer) else b)

        FUNCTIONS[name] = call
        return call  # type: ignore[return-value]

    return decorate


def in_numbers(value: Any) -> Any:
    """The numbers of a weight; anything else as it is."""
    return value.numpy() if isinstance(value, WeightBuffer) else value


def operand(program: Builder, value: Any) -> Buffer:
    """The buffer of a tensor; of an array, a constant."""
    if isinstance(value, Traced):
        return value.buffer
    if isinstance(value, Buffer):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "buif":
        raise refuse(f"a tensor or numbers are needed, got {value!r}")
    return program.constant(array)


def row_axes(x: Traced, axis: Any, what: str) -> tuple[int, ...]:
    """Axes of a tensor, counted from the rows, as axes of its buffer; None: all of them."""
    rank = len(x.shape)
    given = range(rank) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    first = int(x.buffer.per_row)
    found = []
    for a in given:
        if not isinstance(a, (int, np.integer)) or not -rank <= a < rank:
            raise refuse(f"{what} has the axes 0 … {rank - 1} of a tensor of shape {x.shape}, not {a!r}")
        found.append(int(a) % rank - first)
    return tuple(found)


def inner_axis(x: Traced, axis: int, what: str) -> int:
    """One axis that isn't that of the rows."""
    (found,) = row_axes(x, axis, what)
    if found < 0:
        raise across_rows(what)
    return found


def across_rows(what: str) -> ThalwegError:
    """The error for an operation along the axis of the rows."""
    return ThalwegError(
        f"{caller()}: {what} along axis 0 mixes the rows of a batch, each of which passes through the network by "
        "itself; over the rows there are only mean and sum, for a loss"
    )


def row_value(program: Builder, value: Any) -> tuple[Buffer, bool]:
    """One number a row, and whether its sum over the batch is meant, not the mean; other axes are averaged."""
    total = isinstance(value, OverRows) and value.total
    if isinstance(value, OverRows) and value.shape:
        raise refuse(
            f"a loss is one number: take the sum or the mean of what has the shape {value.shape} over the rows"
        )
    value = value.value if isinstance(value, OverRows) else value
    buffer = traced(value, program).buffer
    if not buffer.per_row:
        buffer = program.broadcast_to(buffer, buffer.shape, per_row=True)
    if buffer.size > 1:
        buffer = program.reduce("mean", buffer, tuple(range(len(buffer.shape))))
    return buffer if buffer.shape == (1,) else program.reshape(buffer, (1,)), total
