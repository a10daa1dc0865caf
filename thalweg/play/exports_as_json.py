"""What exported programs have to know of thalweg and Keras: names of classes, the texts of functions."""

from __future__ import annotations

import inspect
from typing import Any

from thalweg import activations, initializers, layers, losses, metrics, optimizers, schedules, words
from thalweg.data.recipe import RECIPES
from thalweg.exchange import keras_parts
from thalweg.layers.recurrent.sequences import GRU, LSTM, SimpleRNN
from thalweg.models.model_file import FORMAT
from thalweg.play import choices, passages, planar
from thalweg.support.naming import snake_case

KERAS_ACTIVATIONS = {*keras_parts.ACTIVATIONS} - {"glu", "threshold"}  # these two take arguments, or half the units
KERAS_LOSSES = {snake_case(name) for name in keras_parts.FAMILIES["loss"].classes}
KERAS_OPTIMIZERS = {*keras_parts.FAMILIES["optimizer"].names} - {"schedulefreeadamw"}  # only in the newest Keras
KERAS_SCHEDULES = {snake_case(name) for name in keras_parts.FAMILIES["schedule"].classes}
FUNCTIONS = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "square": "square", "abs": "abs",
    "sign": "sign", "sin": "sin", "cos": "cos", "tan": "tan", "arctan": "arctan", "atan": "arctan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "sigmoid": "sigmoid", "softplus": "softplus", "relu": "relu", "erf": "erf",
    "pow": "power", "where": "where", "min": "minimum", "max": "maximum", "floor": "floor", "ceil": "ceil",
    "round": "round", "tanh_shrink": "tanh_shrink",
}  # fmt: skip
"""A formula's functions → those of keras.ops."""
CELLS: dict[str, Any] = {"simple_rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
CLASSES = initializers.NAMES | optimizers.NAMES | choices.SCHEDULES
SAME = {"normal": "random_normal", "uniform": "random_uniform"}
"""Initializers by the names that both packages know."""
ACCURACY = [((1,), (1,)), ((3,), (1,)), ((3,), (3,))]
"""Shapes of outputs and targets: of two classes, of class numbers, and of a number for each class."""
MADE = ("blobs", "moons", "circles", "spiral", "xor", "plane", "hills", "line", "divided", "expanded", "edges")


def exports(offered: list[str]) -> dict[str, Any]:
    """Everything.

    Args:
        offered: the names of the losses that a state may name.

    >>> found = exports(["huber"])
    >>> found["classes"]["he_normal"], found["keras"]["equations"]["lisht"]
    ('HeNormal', 'h * tanh(h)')
    """
    functions = [getattr(planar, name) for name in MADE] + [passages.windows, passages.judgements]
    return {
        "files": {
            "python": {"name": "network.py", "type": "text/x-python; charset=utf-8"},
            "keras": {"name": "network_keras.py", "type": "text/x-python; charset=utf-8"},
            "model": {"name": "model.safetensors", "type": "application/octet-stream"},
            "state": {"name": "state.json", "type": "application/json"},
        },
        "sources": {function.__name__: inspect.getsource(function).rstrip() for function in functions},
        "classes": {name: kind.__name__ for name, kind in CLASSES.items()},
        "initializers": {name: SAME.get(name, name) for name in initializers.NAMES} | initializers.ALIASES,
        "usual": {name: usual(kind) for name, kind in choices.SCHEDULES.items()},
        "losses": {name: snake_case(type(losses.get(name)).__name__) for name in offered},
        "cells": {name: kind.__name__ for name, kind in CELLS.items()},
        "model": real(model(offered)),
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


def model(offered: list[str]) -> dict[str, Any]:
    """Descriptions in a model's file: of everything with its defaults."""
    made = [layers.Dense(1), layers.Conv2D(1, 1), layers.MaxPooling2D(1), layers.Flatten(), layers.Dropout(0.5)]
    made += [layers.BatchNormalization(), layers.Embedding(1, 1), layers.MultiHeadAttention(1, 1)]
    made += [layers.GlobalAveragePooling1D(), *(kind(1) for kind in CELLS.values())]
    accuracy = [metrics.serialize(metrics.get("accuracy", *shapes)) for shapes in ACCURACY]
    return {
        "head": {"format": FORMAT, "engine": "native", "dtype": "float32"},
        "layers": {type(layer).__name__: layers.serialize(layer) for layer in made},
        "initializers": {name: initializers.serialize(kind()) for name, kind in initializers.NAMES.items()}
        | {other: initializers.serialize(initializers.NAMES[name]()) for other, name in initializers.ALIASES.items()},
        "optimizers": {name: optimizers.serialize(kind()) for name, kind in optimizers.NAMES.items()},
        "schedules": {name: schedules.serialize(kind(0.5, **usual(kind))) for name, kind in choices.SCHEDULES.items()},
        "rates": choices.RATES,
        "losses": {name: losses.serialize(losses.get(name)) for name in offered}
        | {"half": losses.serialize(losses.SumSquaredError(half=True))}
        | {"formula": losses.serialize(losses.get("(y_pred - y_true)**2"))},
        "metrics": {
            "mae": metrics.serialize(metrics.get("mae", (1,), (1,))),
            "binary_accuracy": metrics.serialize(metrics.get(RECIPES["binary"].metric_for("linear"), (1,), (1,))),
            "accuracy": accuracy,
        },
    }


def real(value: Any) -> Any:
    """JSON in which each float is {"real": v}: JavaScript has one kind of number."""
    if isinstance(value, dict):
        return {key: real(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [real(inner) for inner in value]
    return {"real": value} if isinstance(value, float) else value


def usual(kind: Any) -> dict[str, Any]:
    """What a schedule is given where it has no default."""
    return {key: choices.USUAL[key] for key in inspect.signature(kind).parameters if key in choices.USUAL}


def equations() -> Any:
    """The equations of activations that Keras lacks, as far as they are a line."""
    for name in keras_parts.OWN_ACTIVATIONS:
        equation: Any = getattr(activations.get(name), "equation", None)
        if equation is not None and "\n" not in equation.value.strip():
            yield name, equation.value
