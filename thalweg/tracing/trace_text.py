"""A trace as text: the tutorial's lines, every instruction with its numbers, the weights, the loss."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from thalweg.program.ir.instruction import Array
from thalweg.support.terminal import width as columns_of
from thalweg.tracing.step import Step
from thalweg.tracing.tutorial import Line, givens, in_tutorial, lines

LEAST = 60
WIDE = 100  # columns where there is no terminal
MOST_LINES = 8  # of an array; of a longer one, …
FIRST_LINES = 4  # … as many
INDENT = 4


def written(trace: Step, width: int | None) -> str:
    """The whole text."""
    room = max(LEAST, width or WIDE)
    return "\n".join(line.rstrip() for line in parts(trace, room))


def parts(trace: Step, room: int) -> Iterator[str]:
    """The lines."""
    yield trace.headline
    tutorial = lines(trace)
    if tutorial:
        yield from ("", "as a tutorial writes it")
        yield from beside(
            [(made.name if not made.code else made.code, made) for made in (*givens(trace), *tutorial)], room
        )
    section = ""
    for step in trace.steps:
        if step.section != section:
            section = step.section
            yield from ("", section)
        yield from folded(f"{step.number:3} {step.title}", step.formula, room)
        for value in step.outputs:
            called = in_tutorial(trace, value.name)
            note = f"  ({called})" if called and called != value.name else ""
            yield from array_lines(f"{value.name} {shape_of(value.array)}{note}", value.array, room)
    yield from weights(trace, room)
    yield f"loss before {number(trace.loss_before)}, after {number(trace.loss_after)}"


def weights(trace: Step, room: int) -> Iterator[str]:
    """Every array of weights: before, its gradient, by central differences, after."""
    yield from ("", "weights")
    for w in trace.weights:
        yield f"{' ' * INDENT}{w.path} ({w.name}) {shape_of(w.before)}"
        checked = None if trace.check is None else trace.check.of(w.path)
        rows = [("before", w.before)]
        rows += [] if w.gradient is None else [("gradient", w.gradient)]
        rows += [] if checked is None else [("central differences", checked.numeric)]
        for name, array in (*rows, ("after", w.after)):
            yield from array_lines(name, array, room, INDENT + 2)
    if trace.check is not None:
        yield from ("", *textwrap.wrap(trace.check.sentence(), room))
    yield ""


def beside(made: Sequence[tuple[str, Line]], room: int) -> Iterator[str]:
    """Lines of code with their values to the right, or below where they don't fit."""
    indent = 2
    left = max(columns_of(code) for code, _ in made) + indent + 2
    for code, line in made:
        values = numbers(line.value, room - left)
        if left > room * 0.6 or len(values) > 1:
            yield f"{' ' * indent}{code}"
            yield from (f"{' ' * (indent + 4)}{text}" for text in numbers(line.value, room - indent - 4))
        else:
            yield f"{' ' * indent}{code}{' ' * (left - indent - columns_of(code))}{values[0]}"


def folded(head: str, formula: str, room: int) -> Iterator[str]:
    """An instruction's name and its formula, which is broken where the line ends."""
    start = max(26, columns_of(head) + 2)
    start = start if room - start >= 30 else 8
    wrapped = textwrap.wrap(formula, room - start, break_on_hyphens=False) or [""]
    if columns_of(head) + 2 <= start:
        yield head + " " * (start - columns_of(head)) + wrapped.pop(0)
    else:
        yield head
    yield from (" " * start + line for line in wrapped)


def array_lines(name: str, array: Array, room: int, indent: int = INDENT) -> Iterator[str]:
    """An array under its name, or beside it if it is a line."""
    start = f"{' ' * indent}{name}  "
    left = max(26, columns_of(start)) if room >= 60 else columns_of(start)
    values = numbers(array, room - left)
    if len(values) == 1 and left <= room * 0.6:
        yield start + " " * (left - columns_of(start)) + values[0]
    else:
        yield start
        yield from (f"{' ' * (indent + 2)}{line}" for line in numbers(array, room - indent - 2))


def shape_of(array: Array) -> str:
    return str(tuple(array.shape))


def number(value: float) -> str:
    """A number to five digits.

    >>> number(0.3333333), number(-0.0), number(12345678.0)
    ('0.33333', '0', '1.2346e+07')
    """
    return f"{value + 0.0:.5g}"


def numbers(array: Array, room: int) -> list[str]:
    """The numbers of an array in lines: a line for each vector along its last axis.

    What doesn't fit is left out, of long lines the end and of many lines the rest; then there is a line with the range.
    """
    array = np.asarray(array)
    table = array.reshape(1, -1) if array.ndim < 2 or array.shape[-1] == 1 else array.reshape(-1, array.shape[-1])
    shown = table if len(table) <= MOST_LINES else table[:FIRST_LINES]
    fit = max(1, (room - 2) // 3)  # a column takes three at least
    cells = [[number(float(v)) for v in line[: fit + 1]] for line in shown]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    more = table.shape[1] if table.size else 0
    count = len(widths)
    if more > count or sum(widths) + 2 * (count - 1) > room:
        while count > 1 and sum(widths[:count]) + 2 * (count - 1) > room - 3:
            count -= 1
    dots = "  …" if more > count else ""
    result = [
        "  ".join(text.rjust(size) for text, size in zip(line[:count], widths, strict=False)) + dots for line in cells
    ]
    if dots or len(table) > len(shown):
        whole = summary(array)
        result.append(whole if columns_of(whole) <= room else whole.rpartition(", ")[0])
    return result


def summary(array: Array) -> str:
    """How many numbers there are, their range and their mean."""
    values = np.asarray(array, np.float64)
    low, high, mean = (number(float(f(values))) for f in (np.min, np.max, np.mean))
    return f"{array.size:,} numbers, {low} to {high}, mean {mean}"
