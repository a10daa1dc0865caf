"""A trace as a figure of a page: the same numbers as in its JSON, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.program.ir.instruction import Array
from thalweg.tracing.step import Step
from thalweg.tracing.tutorial import givens, in_tutorial, lines

MOST, MOST_READ = 1024, 256
"""Numbers of an array that go into a page, which shows the first: of what is written, of what is read."""

Figure = dict[str, Any]


def shown(name: str, array: Array, tutorial: str = "", most: int = MOST) -> Figure:
    """An array, or the first numbers of a large one."""
    array = np.asarray(array)
    cut = array.size > most
    values = np.asarray(array.ravel()[:most] if cut else array, np.float32)
    result: Figure = {"name": name, "shape": list(array.shape), "values": values}
    return (
        result
        | ({"cut": int(array.size)} if cut else {})
        | ({"tutorial": tutorial} if tutorial not in ("", name) else {})
    )


def figure(trace: Step) -> Figure:
    """The figure of the kind "steps"."""
    setting = trace.setting
    tutorial = lines(trace)
    result: Figure = {
        "kind": "steps",
        "title": words.text(
            "One step of gradient descent on 1 row"
            if setting.rows == 1
            else "One step of gradient descent on {rows:,} rows",
            rows=setting.rows,
        ),
        "rows": setting.rows,
        "learning_rate": setting.learning_rate,
        "optimizer": setting.optimizer,
        "loss_before": trace.loss_before,
        "loss_after": trace.loss_after,
        "steps": [
            {
                "number": step.number,
                "section": step.section,
                "title": step.title,
                "formula": step.formula,
                "inputs": [shown(v.name, v.array, in_tutorial(trace, v.name), MOST_READ) for v in step.inputs],
                "outputs": [shown(v.name, v.array, in_tutorial(trace, v.name)) for v in step.outputs],
            }
            for step in trace.steps
        ],
        "weights": [weight(trace, place) for place in range(len(trace.weights))],
    }
    if trace.given:
        result["given"] = [{"name": name, "text": text} for name, text in trace.given.items()]
    if tutorial:
        result["tutorial"] = [
            {"code": line.code or line.name, "meaning": line.meaning, **shown(line.name, line.value)}
            for line in (*givens(trace), *tutorial)
        ]
    if trace.check is not None:
        result["check_note"] = trace.check.told()
    return result


def weight(trace: Step, place: int) -> Figure:
    """An array of weights before and after the step."""
    w = trace.weights[place]
    result: Figure = {"name": w.path, "printed": w.name, "before": shown(w.name, w.before)}
    if w.gradient is not None:
        result["gradient"] = shown(f"d{w.name}", w.gradient)
    checked = None if trace.check is None else trace.check.of(w.path)
    if checked is not None:
        result |= {"check": shown(f"d{w.name}", checked.numeric), "check_error": checked.error}
    return result | {"after": shown(w.name, w.after)}
