"""Derivatives of graphs, backwards: of each function of NumPy's, what its operands get of the derivative by its result.

What comes out are graphs of the same functions, so that they can be derived once more. At a kink, where a derivative
has two sides, it is as in `formula/operations.py`: each of two equal numbers gets half, |x| has the derivative 0 at 0,
and all elements that are the largest along axes get the same share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.formula.language import evaluate
from thalweg.program.formula.operations import BINARY, UNARY
from thalweg.program.graphs.scattered import put_along, put_back, spread
from thalweg.program.graphs.traced_values import FUNCTIONS, Shape, Value, reduced, reshaped, transposed, walk
from thalweg.program.graphs.value_functions import (
    Tracing,
    broadcast_to,
    concatenate,
    cumulative,
    flip,
    pad,
    take,
    where,
)

XP = Tracing()
cumsum, cumprod = cumulative("cumsum"), cumulative("cumprod")


def gradients(results: Sequence[Value], seeds: Sequence[Value], wanted: Sequence[Value]) -> list[Value]:
    """The derivatives of a loss by the wanted leaves of a graph, of its derivatives by the results: the seeds.

    Raises:
        ThalwegError: a function between them has no rule.
    """
    order, reaching = walk(results), set(wanted)
    for v in order:
        if v.dtype.kind == "f" and any(o in reaching for o in v.operands):
            reaching.add(v)
    known: dict[Value, Value] = {}

    def add(v: Value, derivative: Value) -> None:
        part = summed_to(derivative, v.shape).astype(v.dtype)
        known[v] = known[v] + part if v in known else part

    for v, seed in zip(results, seeds, strict=True):
        if v in reaching:
            add(v, seed)
    for v in reversed(order):
        for place, operand in enumerate(v.operands):
            if v in known and operand in reaching and (part := by_operand(v, known[v], place)) is not None:
                add(operand, part)
    return [known[v] if v in known else broadcast_to(np.zeros((), v.dtype), v.shape) for v in wanted]


def by_operand(v: Value, dv: Value, place: int) -> Any:
    """What an operand gets of the derivative by v, along all of v's axes; None if v moves in steps."""
    if v.function in RULES:
        return RULES[v.function](v, dv, place)
    name = RENAMED.get(v.function, v.function)
    if name in UNARY:
        slope = evaluate(UNARY[name].slope, {"h": v.operands[0], "a": v}, XP) if UNARY[name].slope else None
    elif name in BINARY:
        text = [*BINARY[name].slopes.values()][place]
        slope = evaluate(text, dict(zip("xy", v.operands, strict=True)), XP) if text else None
    else:
        raise ThalwegError(f"no derivative is known of NumPy's {v.function}")
    return None if slope is None else dv * slope


def summed_to(x: Value, shape: Shape) -> Value:
    """The sums over the axes along which an array of this shape was repeated."""
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + a for a, n in enumerate(shape) if n == 1 != x.shape[lead + a]))
    return reshaped(reduced("sum", x, axes) if axes else x, shape)


def of_power(v: Value, dv: Value, place: int) -> Any:
    x, y = v.operands
    if place:
        return dv * where(x == 0, 0, v * XP.log(where(x == 0, 1, x)))
    return dv * where(y == 0, 0, y * x ** (y - 1))


def of_larger(v: Value, dv: Value, place: int) -> Value:
    """Of two equal numbers, each gets half."""
    x, other = v.operands[place], v.operands[1 - place]
    ahead = x > other if v.function == "maximum" else x < other
    return where(ahead, dv, where(x == other, dv / 2, 0))


def of_choice(v: Value, dv: Value, place: int) -> Value:
    return where(v.operands[0], dv, 0) if place == 1 else where(v.operands[0], 0, dv)


def kept(v: Value, x: Value) -> Value:
    """A reduction's result, or its derivative, with the axes of its operand."""
    axes = v.options["axis"]
    (of,) = v.operands
    return reshaped(x, tuple(1 if a in axes else n for a, n in enumerate(of.shape)))


def of_extreme(v: Value, dv: Value, place: int) -> Any:
    (x,) = v.operands
    at = (x == kept(v, v)).astype(dv.dtype)
    return at * (kept(v, dv) / reduced("sum", at, v.options["axis"], keepdims=True))


def of_product(v: Value, dv: Value, place: int) -> Any:
    """The product of the others, which are those before it and those behind: without a division."""
    (x,) = v.operands
    axes = v.options["axis"]
    order = [*(a for a in range(x.ndim) if a not in axes), *axes]
    moved = transposed(x, order)
    line = reshaped(moved, (*(n for a, n in enumerate(x.shape) if a not in axes), math.prod(x.shape[a] for a in axes)))
    others: Any = before(line) * flip(before(flip(line, -1)), -1)
    return kept(v, dv) * transposed(reshaped(others, moved.shape), undone(order))


def before(x: Value) -> Value:
    """The products of all elements before each, along the last axis."""
    ones = broadcast_to(np.ones((), x.dtype), (*x.shape[:-1], 1))
    return cumprod(concatenate([ones, x], -1), -1)[..., : x.shape[-1]]


def of_running_product(v: Value, dv: Value, place: int) -> Value:
    """dx[i] = p[i]·s[i], with p[i] the product of all before x[i], and s[i] = dz[i] + x[i + 1]·s[i + 1].

    No element is divided by, as it may be 0. Twice as many summands of every s[i] are known after each turn.
    """
    (x,) = v.operands
    axis = v.options["axis"]
    order = [*(a for a in range(x.ndim) if a != axis), axis]
    x, dv = (transposed(o, order) for o in (x, dv))
    total: Any = dv
    n, reach, first = x.shape[-1], 1, before(x)
    factor = shifted(x, 1)
    while reach < n:
        total = total + factor * shifted(total, reach)
        factor = factor * shifted(factor, reach)
        reach *= 2
    return transposed(first * total, undone(order))


def undone(order: Sequence[int]) -> list[int]:
    """The order of axes that undoes another."""
    return [int(a) for a in np.argsort(order)]


def shifted(x: Value, by: int) -> Value:
    """x[k + by] at k along the last axis, and zeros behind."""
    n = x.shape[-1]
    return pad(x[..., min(by, n) :], [(0, 0)] * (x.ndim - 1) + [(0, min(by, n))])


def of_pad(v: Value, dv: Value, place: int) -> Value:
    return dv[tuple(slice(a, a + n) for n, (a, _) in zip(v.operands[0].shape, v.options["widths"], strict=True))]


def of_concatenation(v: Value, dv: Value, place: int) -> Value:
    axis = v.options["axis"]
    start = sum(o.shape[axis] for o in v.operands[:place])
    return dv[(slice(None),) * axis + (slice(start, start + v.operands[place].shape[axis]),)]


def of_sorted(v: Value, dv: Value, place: int) -> Value:
    (x,) = v.operands
    axis = v.options["axis"]
    return put_along(x.shape, FUNCTIONS["argsort"](x, axis), dv, axis)


def of_matrices(v: Value, dv: Value, place: int) -> Any:
    x, y = (o.swapaxes(-1, -2) for o in v.operands)
    return x @ dv if place else dv @ y


RULES: dict[str, Callable[[Value, Value, int], Any]] = {
    "add": lambda v, dv, _: dv,
    "subtract": lambda v, dv, place: -dv if place else dv,
    "multiply": lambda v, dv, place: dv * v.operands[1 - place],
    "divide": lambda v, dv, place: -dv * v / v.operands[1] if place else dv / v.operands[1],
    "negative": lambda v, dv, _: -dv,
    "astype": lambda v, dv, _: dv,
    "ndtr": lambda v, dv, _: dv * evaluate("normal_density(x)", {"x": v.operands[0]}, XP),
    "power": of_power,
    "maximum": of_larger,
    "minimum": of_larger,
    "where": of_choice,
    "sum": lambda v, dv, _: broadcast_to(kept(v, dv), v.operands[0].shape),
    "max": of_extreme,
    "min": of_extreme,
    "prod": of_product,
    "cumsum": lambda v, dv, _: flip(cumsum(flip(dv, v.options["axis"]), v.options["axis"]), v.options["axis"]),
    "cumprod": of_running_product,
    "matmul": of_matrices,
    "reshape": lambda v, dv, _: reshaped(dv, v.operands[0].shape),
    "transpose": lambda v, dv, _: transposed(dv, undone(v.options["axes"])),
    "broadcast_to": lambda v, dv, _: dv,
    "slice": lambda v, dv, _: spread(dv, v.options["starts"], v.options["steps"], v.operands[0].shape),
    "pad": of_pad,
    "concatenate": of_concatenation,
    "take": lambda v, dv, _: put_back(v.operands[0].shape, v.operands[1], dv, v.options["axis"]),
    "take_along_axis": lambda v, dv, _: put_along(v.operands[0].shape, v.operands[1], dv, v.options["axis"]),
    "sort": of_sorted,
    "bincount": lambda v, dv, _: take(dv, v.operands[0], 0),
}
"""Of a value, the derivative by it, and the number of an operand: what that operand gets. The other functions are
operations with stated derivatives, by names that aren't always NumPy's."""
RENAMED = {"absolute": "abs", "rint": "round", "remainder": "mod"}
