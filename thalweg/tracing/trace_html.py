"""A trace in a notebook, as static HTML."""

from __future__ import annotations

from thalweg.tracing.step import Step
from thalweg.tracing.trace_text import number, numbers, shape_of
from thalweg.tracing.tutorial import givens, in_tutorial, lines
from thalweg.tracing.values import Value
from thalweg.views.web import html_parts

ROOM = 96  # columns of numbers


def as_html(trace: Step) -> str:
    """The tutorial's lines, the instructions (folded, if there are such lines), the weights, the loss."""
    tutorial = lines(trace)
    loss = f"loss before {number(trace.loss_before)}, after {number(trace.loss_after)}"
    parts = [html_parts.line(trace.headline, strong=True), html_parts.line(loss)]
    if tutorial:
        given = [[made.code or made.name, "\n".join(numbers(made.value, ROOM))] for made in (*givens(trace), *tutorial)]
        parts.append(html_parts.table(["as a tutorial writes it", "value"], given, mono=(0, 1)))
    steps = instructions(trace)
    parts.append(html_parts.long(f"{len(trace.steps)} instructions", steps) if tutorial else steps)
    parts.append(html_parts.long("weights before and after", weights(trace)))
    if trace.check is not None:
        parts.append(html_parts.line(trace.check.sentence()))
    return html_parts.block(*parts)


def instructions(trace: Step) -> str:
    """Every instruction with what it writes."""
    rows, section = [], ""
    for step in trace.steps:
        if step.section != section:
            section = step.section
            rows.append([section])
        written = "\n".join(value_text(trace, value) for value in step.outputs)
        rows.append([str(step.number), step.title, step.formula, written])
    return html_parts.table(["#", "instruction", "formula", "numbers"], rows, right=(0,), mono=(2, 3))


def value_text(trace: Step, value: Value) -> str:
    """A value's name, what the tutorial calls it, and its numbers."""
    called = in_tutorial(trace, value.name)
    note = f"  ({called})" if called and called != value.name else ""
    return "\n".join([f"{value.name} {shape_of(value.array)}{note}", *numbers(value.array, ROOM)])


def weights(trace: Step) -> str:
    """Every array of weights before the step, its gradient, and after it."""
    rows = []
    for w in trace.weights:
        rows.append([f"{w.path} ({w.name}) {shape_of(w.before)}"])
        checked = None if trace.check is None else trace.check.of(w.path)
        arrays = {"before": w.before, "gradient": w.gradient, "after": w.after}
        arrays["central differences"] = None if checked is None else checked.numeric
        rows += [[name, "\n".join(numbers(array, ROOM))] for name, array in arrays.items() if array is not None]
    return html_parts.table(["weights", "numbers"], rows, mono=(1,))
