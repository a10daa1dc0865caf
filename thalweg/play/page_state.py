"""The state of one side of the page, as rules: data, network and training as plain JSON, with a default for each key.

Everything that a link carries comes from outside: the page's worker checks each value by its rule, for its type and its
range. What belongs together (a target for its columns, a loss for its output) is checked where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.play.bounds import ROWS, UNITS

Rule = dict[str, Any]
Option = tuple[Any, Rule]  # the default, and what a value has to be


def number(low: float, high: float) -> Rule:
    """A number in low … high."""
    return {"kind": "number", "low": low, "high": high}


def whole(low: int, high: int) -> Rule:
    """A whole number in low … high."""
    return {"kind": "whole", "low": low, "high": high}


def one_of(*names: str) -> Rule:
    """One of these words."""
    return {"kind": "one_of", "names": names}


def list_of(rule: Rule) -> Rule:
    """A list of what the rule lets pass."""
    return {"kind": "list_of", "of": rule}


def optional(rule: Rule) -> Rule:
    """What the rule lets pass, or null.

    >>> optional(number(0, 1))
    {'kind': 'optional', 'of': {'kind': 'number', 'low': 0, 'high': 1}}
    """
    return {"kind": "optional", "of": rule}


TRUTH: Rule = {"kind": "truth"}
TEXT: Rule = {"kind": "text"}
"""A short text: a name or a formula."""
PASSAGE: Rule = {"kind": "passage"}
"""A text to learn from; white space is a single space."""
TEXTS: Rule = {"kind": "texts"}
NUMBERS: Rule = {"kind": "numbers"}
"""A list of numbers, or a list of such lists."""
NAMED: Rule = {"kind": "named"}
"""A name, or {"name": …, arguments: numbers, truths or null}."""
KERNEL: Rule = {"kind": "kernel"}
"""The name of a kernel, or its numbers."""
SEED = whole(0, 2**31 - 1)
SHARE = number(0, 0.8)
TASK = one_of("classes", "numbers")

DRAWN: dict[str, Option] = {
    "noise": (0.1, number(0, 2)),
    "seed": (1, SEED),
    "rows": (400, whole(2, ROWS)),
    "share": (0.3, SHARE),
}
CLASSES: dict[str, Option] = DRAWN | {"classes": (2, whole(2, 6))}
RHYME = (
    "This is the house that Jack built. This is the malt that lay in the house that Jack built. This is the rat that "
    "ate the malt that lay in the house that Jack built. This is the cat that killed the rat that ate the malt that "
    "lay in the house that Jack built. This is the dog that worried the cat that killed the rat that ate the malt "
    "that lay in the house that Jack built."
)
DATA: dict[str, dict[str, Option]] = {
    "blobs": CLASSES,
    "moons": DRAWN,
    "circles": DRAWN,
    "spiral": CLASSES,
    "xor": DRAWN,
    "plane": DRAWN,
    "hills": DRAWN,
    "line": DRAWN,
    "given": {
        "x": ([[0.0], [1.0]], NUMBERS),
        "y": ([0.0, 1.0], NUMBERS),
        "task": ("numbers", TASK),
        "names": (None, optional(TEXTS)),
        "target_names": (None, optional(TEXTS)),
        "share": (0.0, SHARE),
        "seed": (1, SEED),
    },
    "table": {
        "source": ("source", TEXT),
        "target": (None, optional(TEXT)),
        "columns": (None, optional(TEXTS)),
        "task": (None, optional(TASK)),
        "share": (0.25, SHARE),
        "seed": (1, SEED),
    },
    "digits": {
        "rows": (1797, whole(20, 1797)),
        "digits": (None, optional(list_of(whole(0, 9)))),
        "share": (0.25, SHARE),
        "seed": (1, SEED),
    },
    "edges": {"rows": (400, whole(2, 1797)), "kernel": ("vertical", KERNEL), "share": (0.25, SHARE), "seed": (1, SEED)},
    "text": {"text": (RHYME, PASSAGE), "window": (12, whole(1, 40)), "share": (0.0, SHARE)},
    "sentences": {"share": (0.25, SHARE), "seed": (1, SEED)},
}
"""Each data set's options."""

INPUTS = ("x0", "x1", "x0²", "x1²", "x0·x1", "sin x0", "sin x1")
WEIGHTS: dict[str, Option] = {
    "use_bias": (True, TRUTH),
    "initializer": (None, optional(NAMED)),
    "weights": (None, optional(NUMBERS)),
    "bias": (None, optional(NUMBERS)),
}
LAYERS: dict[str, dict[str, Option]] = {
    "dense": {"units": (8, whole(1, UNITS)), "activation": ("relu", TEXT), **WEIGHTS},
    "conv2d": {
        "filters": (4, whole(1, 64)),
        "kernel_size": (3, whole(1, 7)),
        "padding": ("same", one_of("same", "valid")),
        "activation": ("relu", TEXT),
        **WEIGHTS,
    },
    "max_pool": {"pool_size": (2, whole(1, 8))},
    "flatten": {},
    "dropout": {"rate": (0.2, number(0, 0.95))},
    "batch_norm": {},
    "embedding": {"units": (8, whole(1, UNITS))},
    "recurrent": {"cell": ("simple_rnn", one_of("simple_rnn", "gru", "lstm")), "units": (16, whole(1, UNITS))},
    "attention": {"heads": (1, whole(1, 8)), "units": (8, whole(1, UNITS))},
    "average": {},
}
"""Each kind of hidden layer's options."""
OUTPUT: dict[str, Option] = {"activation": ("auto", TEXT), **WEIGHTS}


def defaults(options: Mapping[str, Option]) -> dict[str, Any]:
    """What the options are where nothing else is said."""
    return {key: default for key, (default, _) in options.items()}


TANH = {"kind": "dense", **defaults(LAYERS["dense"]), "activation": "tanh"}
"""A hidden layer of those that one starts with."""
STATE: dict[str, Option] = {
    "data": ({"name": "spiral", **defaults(DATA["spiral"])}, {"kind": "read_data"}),
    "inputs": (["x0", "x1"], list_of(one_of(*INPUTS))),
    "layers": ([TANH, TANH], {"kind": "read_layers"}),
    "output": (defaults(OUTPUT), optional({"kind": "read_output"})),
    "initializer": ("glorot_uniform", NAMED),
    "loss": ("auto", TEXT),
    "optimizer": ("adam", NAMED),
    "learning_rate": (0.01, number(1e-12, 1e6)),
    "schedule": (None, optional(NAMED)),
    "batch": (32, whole(1, 10**6)),
    "shuffle": (True, TRUTH),
    "l1": (0.0, number(0, 100)),
    "l2": (0.0, number(0, 100)),
    "dropout": (0.0, number(0, 0.95)),
    "seed": (1, SEED),
    "plane": (None, optional(TEXTS)),
}
"""Each key of a state."""
ANEW = ("data", "inputs", "layers", "output", "initializer", "seed")
"""Keys whose change begins anew, from initial weights."""


def rules() -> dict[str, Any]:
    """All of it, as the page's worker reads it.

    >>> rules()["checks"]["batch"]
    {'kind': 'whole', 'low': 1, 'high': 1000000}
    """
    return {
        "checks": {key: rule for key, (_, rule) in STATE.items()},
        "defaults": defaults(STATE),
        "data": {name: ruled(options) for name, options in DATA.items()},
        "layers": {kind: ruled(options) for kind, options in LAYERS.items()},
        "output": ruled(OUTPUT),
        "anew": ANEW,
    }


def ruled(options: Mapping[str, Option]) -> dict[str, Any]:
    """Options as their defaults and rules."""
    return {key: {"default": default, **rule} for key, (default, rule) in options.items()}
