"""Graphs, evaluated with an array library: NumPy, JAX, or one that traces, which makes them a part of another graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.program.formula import functions
from thalweg.program.graphs.traced_values import Value, walk, weak
from thalweg.program.graphs.value_functions import Tracing
from thalweg.program.ir.instruction import Buffer, StepState, summed_at


class TracedStep(StepState):
    """The state of a step whose numbers are values, but for those of rows."""

    def drawn(self, xp: Any, stream: int, row: tuple[int, ...]) -> Any:
        """Numbers in [0, 1) for every row: an array that whoever computes the graph has to draw."""
        options = {"stream": stream, "first": self.first_row * math.prod(row)}  # an element's counter is its place
        return Value("drawn", (), (self.rows, *row), np.dtype(np.float32), options)


def traced_step(rows: int, batch_rows: Any = None) -> TracedStep:
    """A step of so many rows; those of the whole batch are one of its numbers unless they are given."""
    of: dict[str, Any] = {name: weak("step", (), np.int64, name=name) for name in ("iteration", "update", "batch_rows")}
    of |= {name: weak("step", name=name) for name in ("learning_rate", "penalties")}
    of["order"] = Value("step", (), (rows,), np.dtype(np.int64), {"name": "order"})
    return TracedStep(rows=rows, **of | ({} if batch_rows is None else {"batch_rows": batch_rows}))


def evaluated(values: Sequence[Value], arrays: Mapping[Buffer, Any], step: StepState, xp: Any) -> list[Any]:
    """The arrays that values stand for, of those that are given and a step."""
    known: dict[Value, Any] = {}
    for v in walk(values):
        operands = [known[o] for o in v.operands]
        if v.function == "name":
            known[v] = arrays[v.options["buffer"]]
        elif v.function == "constant":
            known[v] = v if isinstance(xp, Tracing) else xp.asarray(v.options["elements"])
        elif v.function == "step":
            name = v.options["name"]  # where one traces, also that of a number of the instruction's which is left open
            known[v] = v if isinstance(xp, Tracing) and not hasattr(step, name) else getattr(step, name)
        elif v.function == "drawn":
            known[v] = step.drawn(xp, v.options["stream"], v.shape[1:])
        elif v.function == "arange":
            known[v] = xp.arange(v.shape[0])
        elif v.function in ("rows", "size"):
            known[v] = v
        else:
            known[v] = (
                FORMS[v.function](xp, v, *operands) if v.function in FORMS else getattr(xp, v.function)(*operands)
            )
    return [known[v] for v in values]


def reduced(xp: Any, v: Value, x: Any) -> Any:
    return getattr(xp, v.function)(x, axis=v.options["axis"], keepdims=v.options["keepdims"])


def place(xp: Any, v: Value, x: Any) -> Any:
    (axis,) = v.options["axis"]
    return getattr(xp, v.function)(x, axis=axis).reshape(v.shape)


def along(xp: Any, v: Value, x: Any) -> Any:
    return getattr(xp, v.function)(x, axis=v.options["axis"])


def sliced(xp: Any, v: Value, x: Any) -> Any:
    ends = (start + step * n for start, step, n in zip(v.options["starts"], v.options["steps"], v.shape, strict=True))
    parts = zip(v.options["starts"], ends, v.options["steps"], strict=True)
    return x[tuple(slice(start, None if end < 0 else end, step) for start, end, step in parts)]


FORMS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "all", "any"), reduced),
    **dict.fromkeys(("argmax", "argmin"), place),
    **dict.fromkeys(("cumsum", "cumprod", "sort", "argsort"), along),
    "astype": lambda xp, v, x: xp.asarray(x, v.dtype),
    "reshape": lambda xp, v, x: x.reshape(v.shape),
    "transpose": lambda xp, v, x: x.transpose(v.options["axes"]),
    "broadcast_to": lambda xp, v, x: xp.broadcast_to(x, v.shape),
    "slice": sliced,
    "pad": lambda xp, v, x: xp.pad(x, v.options["widths"], constant_values=v.options["value"]),
    "concatenate": lambda xp, v, *parts: xp.concatenate(parts, axis=v.options["axis"]),
    "take": lambda xp, v, x, indices: xp.take(x, indices, axis=v.options["axis"]),
    "take_along_axis": lambda xp, v, x, indices: xp.take_along_axis(x, indices, axis=v.options["axis"]),
    "bincount": lambda xp, v, places, x: summed_at(xp, places, x, v.shape[0]),
    "erf": lambda xp, v, x: functions.special(xp, math.erf, x),
    "ndtr": lambda xp, v, x: functions.special(xp, functions.ndtr, x),
}  # fmt: skip
"""What isn't called as NumPy's function on the operands alone."""
