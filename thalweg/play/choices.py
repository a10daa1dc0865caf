"""What the page can offer: every name that a state may hold, with its arguments and what it means."""

from __future__ import annotations

import inspect
from typing import Any

from thalweg import activations, initializers, losses, optimizers, schedules, words
from thalweg.play.page_state import DATA, INPUTS, LAYERS, defaults
from thalweg.support.naming import snake_case
from thalweg.words import Text

HALVED = ("halved_squared_error", "half_squared_error")
"""The tutorial's loss, ½·Σ(y − ŷ)², whose derivative is the plain error."""
RATES = ("initial_learning_rate", "max_learning_rate", "learning_rate")
"""What schedules call the learning rate that the page gives."""
SCHEDULES = {
    snake_case(name): kind
    for name, kind in schedules.CLASSES.items()
    if next(iter(inspect.signature(kind).parameters)) in RATES
}
STEPS = 1000
USUAL = {"decay_steps": STEPS, "first_decay_steps": STEPS, "total_steps": STEPS, "decay_rate": 0.5}
"""Of the arguments of schedules that have no default."""
MOST = {"ns_steps": 20, "warmup_steps": 10**6, "ema_overwrite_frequency": 10**6, "gradient_accumulation_steps": 10**4}
"""Counts in an optimizer: each costs time."""
NUMBERS = ("plane", "hills", "line", "edges")
"""Data sets whose targets are numbers."""
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
                "kind": "either" if name in EITHER else "numbers" if name in NUMBERS else "classes",
                "options": defaults(options),
            }
            for name, options in DATA.items()
        },
        "inputs": list(INPUTS),
        "layers": {kind: defaults(options) for kind, options in LAYERS.items()},
    }  # fmt: skip


def arguments(kind: Any, skip: tuple[str, ...]) -> dict[str, Any]:
    """A class's own arguments with their defaults."""
    own = inspect.signature(kind).parameters.values()
    return {
        p.name: USUAL.get(p.name) if p.default is p.empty else p.default
        for p in own
        if p.name not in (*skip, "name", "seed") and p.kind is not p.VAR_KEYWORD
    }
