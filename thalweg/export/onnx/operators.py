"""NumPy's functions as operators of ONNX's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.onnx.nodes import Nodes, Tensor
from thalweg.program.graphs.sizes import ROWS, of_rows
from thalweg.program.graphs.traced_values import Value

ELEMENTWISE = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "negative": "Neg",
    "absolute": "Abs", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "rint": "Round", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tanh": "Tanh", "sinh": "Sinh", "cosh": "Cosh", "arctan": "Atan",
    "maximum": "Max", "minimum": "Min", "erf": "Erf", "matmul": "MatMul", "bitwise_and": "BitwiseAnd",
    "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor", "invert": "BitwiseNot",
}  # fmt: skip
"""Of operands that have the type of the result."""
COMPARED = {
    "equal": "Equal", "greater": "Greater", "less": "Less", "greater_equal": "GreaterOrEqual",
    "less_equal": "LessOrEqual",
}  # fmt: skip
"""Of operands that have one type."""
LOGICAL = {
    "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not", "bitwise_and": "And",
    "bitwise_or": "Or", "bitwise_xor": "Xor", "invert": "Not", "multiply": "And", "minimum": "And", "add": "Or",
    "maximum": "Or",
}  # fmt: skip
"""Of truth values."""
AXES_AS_INPUT = {"ReduceSum": 13, "ReduceMax": 18, "ReduceMean": 18, "ReduceMin": 18, "ReduceProd": 18}
"""The opset from which an operator takes axes as an input; before, they are an attribute."""


def elementwise(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    if v.function in COMPARED:
        common = np.result_type(*(t.dtype for t in x))
        return g.add(COMPARED[v.function], [g.cast(t, common) for t in x], bool)
    logical = v.function in LOGICAL and v.dtype.kind == "b"
    name = (LOGICAL if logical else ELEMENTWISE)[v.function]
    return g.add(name, [g.cast(t, v.dtype) for t in x], v.dtype)


def own(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    """An operator of ONNX's."""
    return g.add(v.function, x, v.dtype, **v.options)


def given(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.held[v.options["buffer"]]


def constant(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.constant(v.options["elements"], v.dtype)


def astype(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.cast(x[0], v.dtype)


def rows(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.cast(g.rows(()), v.dtype)


def arange(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    end = g.times(g.rows(()), v.shape[0] // ROWS)
    return g.cast(g.add("Range", [g.constant(0), end, g.constant(1)], np.int64), v.dtype)


def where(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    condition, *both = x
    condition = g.cast(condition, np.dtype(bool))
    return g.add("Where", [condition, *(g.cast(t, v.dtype) for t in both)], v.dtype)


def reduced(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    name = {"sum": "ReduceSum", "prod": "ReduceProd"}.get(v.function, v.function)
    axes, keep = v.options["axis"], int(v.options["keepdims"])
    taken = g.cast(x[0], v.dtype)
    if not axes:
        return taken
    if g.opset < AXES_AS_INPUT[name]:
        return g.add(name, [taken], v.dtype, axes=axes, keepdims=keep)
    return g.add(name, [taken, g.constant(axes)], v.dtype, keepdims=keep)


def place(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    (axis,) = v.options["axis"]
    return g.add(v.function, x, v.dtype, axis=axis, keepdims=int(v.options["keepdims"]))


def topmost(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    """Where the elements are in ascending order."""
    axis = v.options["axis"]
    count = g.sizes((v.shape[axis],))
    return g.several("TopK", [*x, count], [x[0].dtype, np.int64], axis=axis, largest=0)[1]


def reshape(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.reshape(x[0], v.shape)


def transpose(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.transpose(x[0], v.options["axes"])


def broadcast(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    """An axis that is long enough is left as it is, whatever its length."""
    (of,) = v.operands
    had = (1,) * (v.ndim - of.ndim) + of.shape
    wanted = tuple(1 if n == old else n for n, old in zip(v.shape, had, strict=True))
    return g.add("Expand", [*x, g.sizes(wanted)], v.dtype)


def sliced(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    starts, steps = v.options["starts"], v.options["steps"]
    before = v.operands[0].shape
    axes = [a for a in range(v.ndim) if (starts[a], v.shape[a], steps[a]) != (0, before[a], 1)]
    if any(of_rows(before[a]) for a in axes):
        raise ThalwegError("ONNX can't pick some of the rows")
    ends = [starts[a] + steps[a] * v.shape[a] for a in axes]
    ends = [end if end >= 0 else np.iinfo(np.int64).min for end in ends]
    starts, steps = [starts[a] for a in axes], [steps[a] for a in axes]
    if g.opset < 10 and not any(step != 1 for step in steps):
        return g.add("Slice", x, v.dtype, axes=axes, starts=starts, ends=ends)
    return g.add("Slice", [*x, *map(g.constant, (starts, ends, axes, steps))], v.dtype)


def pad(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    widths = [n for side in zip(*v.options["widths"], strict=True) for n in side]
    if g.opset < 11:
        return g.add("Pad", x, v.dtype, pads=widths, value=v.options["value"])
    more = g.constant(widths), g.constant(v.options["value"], v.dtype)
    return g.add("Pad", [*x, *more], v.dtype)


def concatenate(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.add("Concat", [g.cast(t, v.dtype) for t in x], v.dtype, axis=v.options["axis"])


def take(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.add("Gather", x, v.dtype, axis=v.options["axis"])


def take_along_axis(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    """Where other axes are of length 1, they are made as long as those of the other operand."""
    axis, wide = v.options["axis"], []
    for tensor, of in zip(x, v.operands, strict=True):
        wanted = tuple(1 if a == axis or n == of.shape[a] else n for a, n in enumerate(v.shape))
        same = all(n == 1 for n in wanted)
        wide.append(tensor if same else g.add("Expand", [tensor, g.sizes(wanted)], tensor.dtype))
    return g.add("GatherElements", wide, v.dtype, axis=axis)


def cumsum(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    return g.add("CumSum", [*x, g.constant(v.options["axis"])], v.dtype)


def bincount(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    places, weights = x
    zeros = g.constant(np.zeros(v.shape), v.dtype)
    return g.add("ScatterElements", [zeros, places, g.cast(weights, v.dtype)], v.dtype, axis=0, reduction="add")


def absent(g: Nodes, v: Value, x: Sequence[Tensor]) -> Tensor:
    what = {"drawn": "random numbers", "size": f"the number {v.options.get('size')}"}
    raise ThalwegError(f"ONNX doesn't know {what.get(v.function, 'what changes from step to step')}")


Line = Callable[..., Any]  # (nodes, value, its operands as tensors) → the value as a tensor
OPERATORS: dict[str, Line] = {
    **dict.fromkeys((*ELEMENTWISE, *COMPARED, *LOGICAL), elementwise),
    **dict.fromkeys(("sum", "prod", "ReduceMax", "ReduceMean", "ReduceMin"), reduced),
    **dict.fromkeys(("ArgMax", "ArgMin"), place),
    **dict.fromkeys(("drawn", "size", "step"), absent),
    "name": given, "constant": constant, "astype": astype, "rows": rows, "arange": arange, "where": where,
    "TopK": topmost, "reshape": reshape, "transpose": transpose, "broadcast_to": broadcast, "slice": sliced,
    "pad": pad, "concatenate": concatenate, "take": take, "take_along_axis": take_along_axis, "cumsum": cumsum,
    "bincount": bincount,
}  # fmt: skip
"""A function's name → what writes it."""
