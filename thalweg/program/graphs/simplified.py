"""Graphs without what needs no computing: equal values once, no factors of 1, no sums with 0 or with 0·x.

Two of these can be told from the reference: −0 + 0 is 0, and 0·x isn't 0 where x isn't finite. Such a term is left out
only where the other depends on all that x depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from thalweg.program.graphs.traced_values import Value, constant, reshaped, walk


def simplified(values: Sequence[Value]) -> list[Value]:
    """The same values as graphs in which equal ones are the same."""
    known: dict[Hashable, Value] = {}
    new: dict[Value, Value] = {}
    for v in walk(values):
        operands = tuple(new[o] for o in v.operands)
        one = shorter(v, operands)
        if one is None:
            one = Value(v.function, operands, v.shape, v.dtype, v.options)
        new[v] = known.setdefault(key(one), one)
    return [new[v] for v in values]


def key(v: Value) -> Hashable:
    """What is equal for equal values, whose operands are the same."""
    if v.function == "constant":
        elements = v.options["elements"]
        return "constant", v.shape, v.dtype.str, elements.tobytes()
    options = tuple(sorted((name, str(o) if not isinstance(o, Hashable) else o) for name, o in v.options.items()))
    return v.function, tuple(map(id, v.operands)), v.shape, v.dtype.str, options


def shorter(v: Value, operands: tuple[Value, ...]) -> Value | None:
    """A value that is made with less; None if there is none."""
    if v.function in NEUTRAL:
        number, left = NEUTRAL[v.function]
        for k in (1, 0) if left else (1,):
            other = operands[1 - k]
            if is_number(operands[k], number) and (other.shape, other.dtype) == (v.shape, v.dtype):
                return other
    if v.function == "add":
        for x, other in (operands, operands[::-1]):
            if is_nothing(other) and x.shape == v.shape and leaves(other) <= leaves(x):
                return x
    if v.function == "multiply":
        share = operands[1].operands[0] if operands[1].function == "astype" else operands[1]
        if share.function == "divide" and is_number(share.operands[0], 1) and made_of(share) <= COUNT:
            count = Value("astype", (share.operands[1],), (), v.dtype)
            return Value("divide", (operands[0], count), v.shape, v.dtype, v.options)
    if v.function == "sum" and v.shape == () and operands[0].function == "reshape":
        (x,) = operands[0].operands
        return Value("sum", (x,), (), v.dtype, {"axis": tuple(range(x.ndim)), "keepdims": False})
    if v.function in ("sum", "max", "min", "prod"):
        (x,) = operands
        if all(x.shape[a] == 1 for a in v.options["axis"]) and x.dtype == v.dtype:
            return reshaped(x, v.shape)
        if v.function == "sum" and x.function == "sum" and not (v.options["keepdims"] or x.options["keepdims"]):
            return sum_of_both(v, x)
    if operands and v.function in FOLDED and operands[0].function == "constant":
        return constant(FOLDED[v.function](operands[0].options["elements"], v))
    if v.function == "reshape":
        return reshaped(operands[0], v.shape)
    if v.function in ("astype", "broadcast_to") and (operands[0].shape, operands[0].dtype) == (v.shape, v.dtype):
        return operands[0]
    return None


NEUTRAL: dict[str, tuple[Any, bool]] = {
    "multiply": (1, True), "divide": (1, False), "add": (0, True), "subtract": (0, False), "power": (1, False)
}  # fmt: skip
"""The number that changes nothing, and whether it may be the first operand, too."""


FOLDED: dict[str, Callable[[Any, Value], Any]] = {
    "astype": lambda elements, v: elements.astype(v.dtype),
    "reshape": lambda elements, v: elements.reshape(v.shape),
    "transpose": lambda elements, v: elements.transpose(v.options["axes"]),
}
"""What is done to a constant at once."""
COUNT = {"rows", "constant", "multiply", "divide", "astype"}
"""What a number of elements is made of: x·(1/n) becomes x/n."""


def is_number(v: Value, number: Any) -> bool:
    return v.function == "constant" and bool((v.options["elements"] == number).all()) and v.options["elements"].size > 0


def is_nothing(v: Value) -> bool:
    """Whether a value is 0·x."""
    return v.function == "multiply" and any(is_number(o, 0) for o in v.operands)


def leaves(v: Value) -> set[Value]:
    """The arrays that are given, of which a value is made."""
    return {o for o in walk([v]) if not o.operands and o.function != "constant"}


def made_of(v: Value) -> set[str]:
    return {o.function for o in walk([v])}


def sum_of_both(v: Value, x: Value) -> Value:
    """The sum of a sum over other axes, as one."""
    (inner,) = x.operands
    left = [a for a in range(inner.ndim) if a not in x.options["axis"]]
    axes = tuple(sorted({*x.options["axis"], *(left[a] for a in v.options["axis"])}))
    return Value("sum", (inner,), v.shape, v.dtype, {"axis": axes, "keepdims": False})
