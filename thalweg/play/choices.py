"""What the page can offer: every name that a state may hold, with its arguments and what it means."""

from __future__ import annotations

from typing import Any

from thalweg import activations, initializers, losses, optimizers, words
from thalweg.play.exercises.exercise import NUMBERS
from thalweg.play.requests.page_state import DATA, INPUTS, LAYERS, Option
from thalweg.play.training.knobs import HALVED, RATES, SCHEDULES, arguments
from thalweg.support.naming import snake_case
from thalweg.words import Text

TITLES: dict[str, Text] = {
    "blobs": words.text("Blobs"),
    "moons": words.text("Moons"),
    "circles": words.text("Circles"),
    "spiral": words.text("Spiral"),
    "xor": words.text("XOR"),
    "plane": words.text("A plane"),
    "hills": words.text("Hills"),
    "line": words.text("A curve"),
    "given": words.text("Rows of one's own"),
    "table": words.text("A table"),
    "digits": words.text("Digits"),
    "edges": words.text("Edges"),
    "text": words.text("A text"),
    "sentences": words.text("Sentences"),
}
SPECIAL = ("CenterLoss", "GaussianNLL")
"""Losses that need a network of their own."""
EITHER = ("given", "table")


def choices() -> dict[str, Any]:
    """Names for the page's menus.

    >>> found = choices()
    >>> found["optimizers"]["sgd"], found["layers"]["dropout"]
    ({'momentum': 0.0, 'nesterov': False}, {'rate': 0.2})
    """
    return {
        "activations": [
            {"name": name, "formula": function.formula}
            for name, function in activations.NAMES.items()
            if not function.missing and name != "glu"  # it halves the units
        ],
        "losses": [HALVED[0], *(snake_case(name) for name in losses.CLASSES if name not in SPECIAL)],
        "optimizers": {name: arguments(kind, ("learning_rate",)) for name, kind in optimizers.NAMES.items()},
        "initializers": {
            name: {k: v for k, v in arguments(kind, ()).items() if not callable(v)}
            for name, kind in initializers.NAMES.items()
        },
        "schedules": {name: arguments(kind, RATES) for name, kind in SCHEDULES.items()},
        "data": {
            name: {
                "title": TITLES[name],
                "kind": "either" if name in EITHER else "numbers" if name in (*NUMBERS, "edges") else "classes",
                "options": defaults(options),
            }
            for name, options in DATA.items()
        },
        "inputs": list(INPUTS),
        "layers": {kind: defaults(options) for kind, options in LAYERS.items()},
    }  # fmt: skip


def defaults(options: dict[str, Option]) -> dict[str, Any]:
    return {key: default for key, (default, _) in options.items()}
