"""A trace as plain JSON, by the schema in docs/trace.schema.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.program.ir.instruction import Array
from thalweg.tracing.step import Step
from thalweg.tracing.tutorial import Line, givens, in_tutorial, lines
from thalweg.tracing.values import Value

VERSION = 1
Json = dict[str, Any]


def numbers(array: Array, most: int | None) -> Json:
    """An array as JSON: nested lists, or of a long one the first numbers and how many there are.

    NaN and infinity are the words "NaN", "Infinity" and "-Infinity".
    """
    array = np.asarray(array)
    if most is None or array.size <= most:
        return {"shape": list(array.shape), "values": worded(array.tolist())}
    return {"shape": list(array.shape), "values": worded(array.ravel()[:most].tolist()), "cut": int(array.size)}


def worded(value: Any) -> Any:
    """Numbers in nested lists, with words where JSON has none."""
    if isinstance(value, list):
        return [worded(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def described(trace: Step, most: int | None) -> Json:
    """The trace as JSON."""

    def value(v: Value) -> Json:
        called = in_tutorial(trace, v.name)
        return {"name": v.name, **numbers(v.array, most), **({"tutorial": called} if called else {})}

    def line(made: Line) -> Json:
        return {"name": made.name, "code": made.code, "meaning": made.meaning, **numbers(made.value, most)}

    setting = trace.setting
    tutorial = lines(trace)
    result: Json = {
        "format": "thalweg trace",
        "version": VERSION,
        "rows": setting.rows,
        "iteration": setting.iteration,
        "optimizer": setting.optimizer,
        "learning_rate": setting.learning_rate,
        "losses": list(setting.losses),
        "engine": setting.engine,
        "dtype": setting.dtype,
        "loss_before": worded(trace.loss_before),
        "loss_after": worded(trace.loss_after),
        "given": dict(trace.given),
        "tutorial": [line(made) for made in (*givens(trace), *tutorial)] if tutorial else [],
        "steps": [
            {
                "number": step.number,
                "section": step.section,
                "title": step.title,
                "formula": step.formula,
                "inputs": [value(v) for v in step.inputs],
                "outputs": [value(v) for v in step.outputs],
            }
            for step in trace.steps
        ],
        "weights": [weight(trace, k, most) for k in range(len(trace.weights))],
    }
    if trace.check is not None:
        error = worded(trace.check.error)
        result["check"] = {"step": trace.check.step, "error": error, "sentence": trace.check.sentence()}
    return result


def weight(trace: Step, place: int, most: int | None) -> Json:
    """An array of weights before and after the step, its gradient, and the check of that."""
    w = trace.weights[place]
    result: Json = {"name": w.path, "listing": w.name, "before": numbers(w.before, most)}
    if w.gradient is not None:
        result["gradient"] = numbers(w.gradient, most)
    checked = None if trace.check is None else trace.check.of(w.path)
    if checked is not None:
        found = {"checked": checked.checked, "kinks": checked.kinks, "error": worded(checked.error)}
        result["check"] = {**numbers(checked.numeric, most), **found}
    return result | {"after": numbers(w.after, most)}
