"""NumPy's functions as operators of ONNX's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.graph import ROWS, Value

if TYPE_CHECKING:
    from thalweg.export.onnx.nodes import Tensor
    from thalweg.export.onnx.writer import Writer

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
AXES_AS_INPUT = {"ReduceSum": 13, "ReduceMax": 18, "ReduceMin": 18, "ReduceProd": 18}
"""The opset from which an operator takes axes as an input; before, they are an attribute."""


def elementwise(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    if v.function in COMPARED:
        common = np.result_type(*(t.dtype for t in x))
        return w.nodes.add(COMPARED[v.function], [w.nodes.cast(t, common) for t in x], bool)
    logical = v.function in LOGICAL and v.dtype.kind == "b"
    name = (LOGICAL if logical else ELEMENTWISE)[v.function]
    return w.nodes.add(name, [w.nodes.cast(t, v.dtype) for t in x], v.dtype)


def own(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    """An operator of ONNX's."""
    return w.nodes.add(v.function, x, v.dtype, **v.options)


def given(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.held[v.options["buffer"]]


def constant(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.constant(v.options["elements"], v.dtype)


def astype(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.cast(x[0], v.dtype)


def rows(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.cast(w.rows(()), v.dtype)


def arange(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    many, one = w.nodes.constant(v.shape[0] // ROWS), w.nodes.constant(1)
    end = w.nodes.add("Mul", [w.rows(()), many], np.int64)
    return w.nodes.cast(w.nodes.add("Range", [w.nodes.constant(0), end, one], np.int64), v.dtype)


def where(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    condition, *both = x
    condition = w.nodes.cast(condition, np.dtype(bool))
    return w.nodes.add("Where", [condition, *(w.nodes.cast(t, v.dtype) for t in both)], v.dtype)


def reduced(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    name = {"sum": "ReduceSum", "prod": "ReduceProd"}.get(v.function, v.function)
    axes, keep = v.options["axis"], int(v.options["keepdims"])
    taken = w.nodes.cast(x[0], v.dtype)
    if not axes:
        return taken
    if w.opset < AXES_AS_INPUT[name]:
        return w.nodes.add(name, [taken], v.dtype, axes=axes, keepdims=keep)
    return w.nodes.add(name, [taken, w.nodes.constant(axes)], v.dtype, keepdims=keep)


def place(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    (axis,) = v.options["axis"]
    return w.nodes.add(v.function, x, v.dtype, axis=axis, keepdims=int(v.options["keepdims"]))


def topmost(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    """Where the elements are in ascending order."""
    axis = v.options["axis"]
    count = w.sizes((v.shape[axis],))
    return w.nodes.several("TopK", [*x, count], [x[0].dtype, np.int64], axis=axis, largest=0)[1]


def reshape(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.reshape(x[0], v.shape, lambda: w.sizes(v.shape, follows=True))


def transpose(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.transpose(x[0], v.options["axes"])


def broadcast(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    """An axis that is long enough is left as it is, whatever its length."""
    (of,) = v.operands
    had = (1,) * (v.ndim - of.ndim) + of.shape
    wanted = tuple(1 if n == old else n for n, old in zip(v.shape, had, strict=True))
    return w.nodes.add("Expand", [*x, w.sizes(wanted)], v.dtype)


def sliced(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    starts, steps = v.options["starts"], v.options["steps"]
    before = v.operands[0].shape
    axes = [a for a in range(v.ndim) if (starts[a], v.shape[a], steps[a]) != (0, before[a], 1)]
    if any(before[a] and before[a] % ROWS == 0 for a in axes):
        raise ThalwegError("ONNX can't pick some of the rows")
    ends = [starts[a] + steps[a] * v.shape[a] for a in axes]
    ends = [end if end >= 0 else np.iinfo(np.int64).min for end in ends]
    starts, steps = [starts[a] for a in axes], [steps[a] for a in axes]
    if w.opset < 10 and not any(step != 1 for step in steps):
        return w.nodes.add("Slice", x, v.dtype, axes=axes, starts=starts, ends=ends)
    return w.nodes.add("Slice", [*x, *map(w.nodes.constant, (starts, ends, axes, steps))], v.dtype)


def pad(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    widths = [n for side in zip(*v.options["widths"], strict=True) for n in side]
    if w.opset < 11:
        return w.nodes.add("Pad", x, v.dtype, pads=widths, value=v.options["value"])
    more = w.nodes.constant(widths), w.nodes.constant(v.options["value"], v.dtype)
    return w.nodes.add("Pad", [*x, *more], v.dtype)


def concatenate(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.add("Concat", [w.nodes.cast(t, v.dtype) for t in x], v.dtype, axis=v.options["axis"])


def take(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.add("Gather", x, v.dtype, axis=v.options["axis"])


def take_along_axis(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    """Where other axes are of length 1, they are made as long as those of the other operand."""
    axis, wide = v.options["axis"], []
    for tensor, of in zip(x, v.operands, strict=True):
        wanted = tuple(1 if a == axis or n == of.shape[a] else n for a, n in enumerate(v.shape))
        same = all(n == 1 for n in wanted)
        wide.append(tensor if same else w.nodes.add("Expand", [tensor, w.sizes(wanted)], tensor.dtype))
    return w.nodes.add("GatherElements", wide, v.dtype, axis=axis)


def cumsum(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    return w.nodes.add("CumSum", [*x, w.nodes.constant(v.options["axis"])], v.dtype)


def bincount(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    places, weights = x
    zeros = w.nodes.constant(np.zeros(v.shape), v.dtype)
    return w.nodes.add(
        "ScatterElements", [zeros, places, w.nodes.cast(weights, v.dtype)], v.dtype, axis=0, reduction="add"
    )


def absent(w: Writer, v: Value, x: Sequence[Tensor]) -> Tensor:
    what = "random numbers" if v.function == "drawn" else "what changes from step to step"
    raise ThalwegError(f"ONNX doesn't know {what}")


Line = Callable[..., Any]  # (writer, value, its operands as tensors) → the value as a tensor
OPERATORS: dict[str, Line] = {
    **dict.fromkeys((*ELEMENTWISE, *COMPARED, *LOGICAL), elementwise),
    **dict.fromkeys(("sum", "prod", "ReduceMax", "ReduceMin"), reduced),
    **dict.fromkeys(("ArgMax", "ArgMin"), place),
    **dict.fromkeys(("drawn", "step"), absent),
    "name": given, "constant": constant, "astype": astype, "rows": rows, "arange": arange, "where": where,
    "TopK": topmost, "reshape": reshape, "transpose": transpose, "broadcast_to": broadcast, "slice": sliced,
    "pad": pad, "concatenate": concatenate, "take": take, "take_along_axis": take_along_axis, "cumsum": cumsum,
    "bincount": bincount,
}  # fmt: skip
"""A function's name → what writes it."""
