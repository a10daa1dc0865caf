"""What exported programs have to know of thalweg and Keras: names of classes, the texts of functions."""

from __future__ import annotations

import inspect
from typing import Any

from thalweg import activations, initializers, losses, optimizers, words
from thalweg.exchange import keras_parts
from thalweg.play.choices import SPECIAL, choices
from thalweg.play.exercises import passages, planar
from thalweg.play.exports.keras_formulas import FUNCTIONS
from thalweg.play.training import knobs
from thalweg.play.training.network import CELLS, EMBEDDED
from thalweg.support.naming import snake_case

KERAS_ACTIVATIONS = {*keras_parts.ACTIVATIONS} - {"glu", "threshold"}  # these two take arguments, or half the units
KERAS_LOSSES = {snake_case(name) for name in keras_parts.FAMILIES["loss"].classes}
KERAS_OPTIMIZERS = {*keras_parts.FAMILIES["optimizer"].names} - {"schedulefreeadamw"}  # only in the newest Keras
KERAS_SCHEDULES = {snake_case(name) for name in keras_parts.FAMILIES["schedule"].classes}
CLASSES = initializers.NAMES | optimizers.NAMES | knobs.SCHEDULES
SAME = {"normal": "random_normal", "uniform": "random_uniform"}
"""Initializers by the names that both packages know."""
MADE = ("blobs", "moons", "circles", "spiral", "xor", "plane", "hills", "line", "divided", "expanded", "edges")


def exports() -> dict[str, Any]:
    """Everything.

    >>> found = exports()
    >>> found["classes"]["he_normal"], found["keras"]["equations"]["lisht"]
    ('HeNormal', 'h * tanh(h)')
    """
    functions = [getattr(planar, name) for name in MADE] + [passages.windows, passages.judgements]
    return {
        "files": {
            "python": {"name": "network.py", "type": "text/x-python; charset=utf-8"},
            "keras": {"name": "network_keras.py", "type": "text/x-python; charset=utf-8"},
            "state": {"name": "state.json", "type": "application/json"},
        },
        "sources": {function.__name__: inspect.getsource(function).rstrip() for function in functions},
        "classes": {name: kind.__name__ for name, kind in CLASSES.items()},
        "initializers": {name: SAME.get(name, name) for name in initializers.NAMES} | initializers.ALIASES,
        "usual": {name: usual(kind) for name, kind in knobs.SCHEDULES.items()},
        "losses": {name: snake_case(type(losses.get(name)).__name__) for name in offered()},
        "cells": {name: kind.__name__ for name, kind in CELLS.items()},
        "embedded": EMBEDDED,
        "keras": {
            "activations": sorted(KERAS_ACTIVATIONS),
            "losses": sorted(KERAS_LOSSES),
            "optimizers": sorted(KERAS_OPTIMIZERS),
            "schedules": sorted(KERAS_SCHEDULES),
            "called": {
                "activations": words.text("activation", context="of Keras"),
                "losses": words.text("loss", context="of Keras"),
                "optimizers": words.text("optimizer"),
                "schedules": words.text("schedule", context="of Keras"),
            },
            "equations": dict(equations()),
            "functions": FUNCTIONS,
        },
    }


def offered() -> list[str]:
    """The losses that a state may name."""
    return [name for name, kind in losses.NAMES.items() if kind.__name__ not in SPECIAL]


def usual(kind: Any) -> dict[str, Any]:
    """What a schedule is given where it has no default."""
    return {key: knobs.USUAL[key] for key in inspect.signature(kind).parameters if key in knobs.USUAL}


def equations() -> Any:
    """The equations of activations that Keras lacks, as far as they are a line."""
    for name in (activation["name"] for activation in choices()["activations"]):
        equation: Any = getattr(activations.get(name), "equation", None)
        if name not in KERAS_ACTIVATIONS and equation is not None and "\n" not in equation.value.strip():
            yield name, equation.value
