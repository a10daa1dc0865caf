"""The state of one side of the page: data, network and training as plain JSON, checked when it arrives.

Everything that a link carries comes from outside: each value is checked for its type and its range here, and nothing
after this file has to doubt it. What belongs together (a target for its columns, a loss for its output) is checked
where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from thalweg.play.requests.bounds import FORMULA, HIDDEN_LAYERS, ROWS, TEXT, UNITS
from thalweg.play.requests.refusal import RefusedError, shortened
from thalweg.support.naming import choose

Check = Callable[[str, Any], Any]
Option = tuple[Any, Check]  # the default, and what checks a value


@dataclass(frozen=True)
class Ruled:
    """A check, and its rule as JSON: the page without a server checks by it."""

    check: Check
    rule: dict[str, Any]

    def __call__(self, what: str, value: Any) -> Any:
        return self.check(what, value)


def rule_of(check: Check) -> dict[str, Any]:
    """What a check lets pass, as JSON: "kind" is the name of its function.

    >>> rule_of(optional(number(0, 1)))
    {'kind': 'optional', 'of': {'kind': 'number', 'low': 0, 'high': 1}}
    """
    return check.rule if isinstance(check, Ruled) else {"kind": check.__name__}


def rules_of(options: Mapping[str, Option]) -> dict[str, Any]:
    """Defaults and rules of several options."""
    return {key: {"default": default, **rule_of(check)} for key, (default, check) in options.items()}


def number(low: float, high: float) -> Check:
    """A number in low … high."""

    def check(what: str, value: Any) -> float:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not right or not low <= value <= high:  # NaN is in no range
            raise RefusedError(
                "{what} has to be a number from {low:g} to {high:g}, got {value}",
                what=what,
                low=low,
                high=high,
                value=shortened(value),
            )
        return float(value)

    return Ruled(check, {"kind": "number", "low": low, "high": high})


def whole(low: int, high: int) -> Check:
    """A whole number in low … high."""

    def check(what: str, value: Any) -> int:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not right or not low <= value <= high or value != int(value):
            raise RefusedError(
                "{what} has to be a whole number from {low} to {high:,}, got {value}",
                what=what,
                low=low,
                high=high,
                value=shortened(value),
            )
        return int(value)

    return Ruled(check, {"kind": "whole", "low": low, "high": high})


def truth(what: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise RefusedError("{what} has to be true or false, got {value}", what=what, value=shortened(value))
    return value


def text(what: str, value: Any) -> str:
    """A short text: a name or a formula."""
    if not isinstance(value, str) or not value.strip() or len(value) > FORMULA:
        raise RefusedError(
            "{what} has to be a text of at most {formula} characters, got {value}",
            what=what,
            formula=FORMULA,
            value=shortened(value),
        )
    return value.strip()


def passage(what: str, value: Any) -> str:
    """A text to learn from; white space is a single space."""
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT:
        raise RefusedError(
            "{what} has to be a text of at most {most} characters, got {value}",
            what=what,
            most=TEXT,
            value=shortened(value),
        )
    return " ".join(value.split())


def texts(what: str, value: Any) -> list[str]:
    """A list of names."""
    return [text(what, item) for item in some_list(what, value)]


def some_list(what: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > 1000:
        raise RefusedError("{what} has to be a list of at most 1,000, got {value}", what=what, value=shortened(value))
    return value


def some_object(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError("{what} has to be an object, {{…}}, got {value}", what=what, value=shortened(value))
    return value


def one_of(*names: str) -> Check:
    """One of these words."""
    return Ruled(lambda what, value: choose(what, value, names), {"kind": "one_of", "names": names})


def list_of(check: Check) -> Check:
    """A list of what `check` lets pass."""
    rule = {"kind": "list_of", "of": rule_of(check)}
    return Ruled(lambda what, value: [check(what, item) for item in some_list(what, value)], rule)


def optional(check: Check) -> Check:
    """What `check` lets pass, or null."""
    rule = {"kind": "optional", "of": rule_of(check)}
    return Ruled(lambda what, value: None if value is None else check(what, value), rule)


def numbers(what: str, value: Any, depth: int = 0) -> Any:
    """A list of numbers, or a list of such lists."""
    if isinstance(value, list):
        if depth == 4:
            raise RefusedError("{what} is nested too deeply", what=what)
        return [numbers(what, item, depth + 1) for item in some_list(what, value)]
    return number(-1e6, 1e6)(what, value)


def named(what: str, value: Any) -> str | dict[str, Any]:
    """A name, or {"name": …, arguments: numbers, truths or null}."""
    if isinstance(value, str):
        return text(what, value)
    given = some_object(f"{what}, if it isn't a name,", value)
    if "name" not in given:
        raise RefusedError(
            '{what} is a name, or an object with a "name", got {given}', what=what, given=shortened(given)
        )
    return {key: argument(f"{what}'s {key}", key, inner) for key, inner in given.items()}


def argument(what: str, key: str, value: Any) -> Any:
    """The argument of an optimizer, an initializer or a schedule."""
    if key in ("name", "mode", "distribution"):
        return text(what, value)
    if isinstance(value, list):
        return numbers(what, value)
    if value is None or isinstance(value, bool):
        return value
    return whole(-(10**9), 10**9)(what, value) if isinstance(value, int) else number(-1e9, 1e9)(what, value)


def read(what: str, given: Any, options: Mapping[str, Option]) -> dict[str, Any]:
    """An object with every option; unknown ones are refused."""
    for key in some_object(what, given):
        choose(f"key of {what}", key, list(options))
    return {
        key: check(f"{what}.{key}", given[key]) if key in given else default
        for key, (default, check) in options.items()
    }


DRAWN: dict[str, Option] = {
    "noise": (0.1, number(0, 2)),
    "seed": (1, whole(0, 2**31 - 1)),
    "rows": (400, whole(2, ROWS)),
    "share": (0.3, number(0, 0.8)),
}
CLASSES: dict[str, Option] = DRAWN | {"classes": (2, whole(2, 6))}
TASK = one_of("classes", "numbers")
SIDE = one_of("vertical", "horizontal")


def kernel(what: str, value: Any) -> Any:
    """The name of a kernel, or its numbers."""
    return SIDE(what, value) if isinstance(value, str) else numbers(what, value)


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
        "x": ([[0.0], [1.0]], numbers),
        "y": ([0.0, 1.0], numbers),
        "task": ("numbers", TASK),
        "names": (None, optional(texts)),
        "target_names": (None, optional(texts)),
        "share": (0.0, number(0, 0.8)),
        "seed": (1, whole(0, 2**31 - 1)),
    },
    "table": {
        "source": ("source", text),
        "target": (None, optional(text)),
        "columns": (None, optional(texts)),
        "task": (None, optional(TASK)),
        "share": (0.25, number(0, 0.8)),
        "seed": (1, whole(0, 2**31 - 1)),
    },
    "digits": {
        "rows": (1797, whole(20, 1797)),
        "digits": (None, optional(list_of(whole(0, 9)))),
        "share": (0.25, number(0, 0.8)),
        "seed": (1, whole(0, 2**31 - 1)),
    },
    "edges": {
        "rows": (400, whole(2, 1797)),
        "kernel": ("vertical", kernel),
        "share": (0.25, number(0, 0.8)),
        "seed": (1, whole(0, 2**31 - 1)),
    },
    "text": {"text": (RHYME, passage), "window": (12, whole(1, 40)), "share": (0.0, number(0, 0.8))},
    "sentences": {"share": (0.25, number(0, 0.8)), "seed": (1, whole(0, 2**31 - 1))},
}
"""Each data set's options."""

INPUTS = ("x0", "x1", "x0²", "x1²", "x0·x1", "sin x0", "sin x1")
WEIGHTS: dict[str, Option] = {
    "use_bias": (True, truth),
    "initializer": (None, optional(named)),
    "weights": (None, optional(numbers)),
    "bias": (None, optional(numbers)),
}
LAYERS: dict[str, dict[str, Option]] = {
    "dense": {"units": (8, whole(1, UNITS)), "activation": ("relu", text), **WEIGHTS},
    "conv2d": {
        "filters": (4, whole(1, 64)),
        "kernel_size": (3, whole(1, 7)),
        "padding": ("same", one_of("same", "valid")),
        "activation": ("relu", text),
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
TANH = {"kind": "dense", "units": 8, "activation": "tanh"}
"""A hidden layer of those that one starts with."""
OUTPUT: dict[str, Option] = {"activation": ("auto", text), **WEIGHTS}


def read_data(what: str, given: Any) -> dict[str, Any]:
    """The data set, with its own options."""
    name = some_object(what, given).get("name", "spiral")
    options = choose("data set", name, DATA)
    return {"name": name, **read(what, {k: v for k, v in given.items() if k != "name"}, options)}


def read_layers(what: str, given: Any) -> list[dict[str, Any]]:
    """The hidden layers."""
    if len(some_list(what, given)) > HIDDEN_LAYERS:
        raise RefusedError(
            "there may be {most} hidden layers at most, got {count}", most=HIDDEN_LAYERS, count=len(given)
        )
    return [read_layer(f"layer {place}", layer) for place, layer in enumerate(given, start=1)]


def read_output(what: str, given: Any) -> dict[str, Any]:
    """The output layer."""
    return read(what, given, OUTPUT)


def read_layer(what: str, given: Any) -> dict[str, Any]:
    """One hidden layer: its kind and that kind's options."""
    kind = some_object(what, given).get("kind", "dense")
    options = choose("kind of layer", kind, LAYERS)
    return {"kind": kind, **read(what, {k: v for k, v in given.items() if k != "kind"}, options)}


@dataclass(frozen=True)
class State:
    """Data, network and training of one side. `State.of` reads it, `to_json` is what a link carries.

    >>> State.of({"learning_rate": 0.1}).learning_rate
    0.1
    >>> State.of({"learning_rat": 0.1})
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: unknown key of the state 'learning_rat'; did you mean 'learning_rate'? Choose from: \
batch, data, dropout, initializer, inputs, l1, l2, layers, learning_rate, loss, optimizer, output, plane, schedule, \
seed, shuffle
    """

    data: dict[str, Any] = field(default_factory=lambda: read_data("data", {}))
    inputs: list[str] = field(default_factory=lambda: ["x0", "x1"])
    layers: list[dict[str, Any]] = field(default_factory=lambda: [read_layer("a layer", TANH) for _ in range(2)])
    output: dict[str, Any] | None = field(default_factory=lambda: read("output", {}, OUTPUT))
    initializer: str | dict[str, Any] = "glorot_uniform"
    loss: str = "auto"
    optimizer: str | dict[str, Any] = "adam"
    learning_rate: float = 0.01
    schedule: str | dict[str, Any] | None = None
    batch: int = 32
    shuffle: bool = True
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    seed: int = 1
    plane: list[str] | None = None

    @classmethod
    def of(cls, given: Any) -> State:
        """The state that a page sent; what is absent has its default.

        Raises:
            ArgumentError: an unknown key or name (the choices are listed), a wrong type, a value out of its range.
        """
        for key in some_object("the state", given):
            choose("key of the state", key, list(CHECKS))
        return cls(**{key: CHECKS[key](key, value) for key, value in given.items()})

    def to_json(self) -> dict[str, Any]:
        """Every key with its value."""
        return asdict(self)

    def keeps_weights(self, before: State) -> bool:
        """Whether the network of the state before can go on with its weights under this one."""
        return all(getattr(self, key) == getattr(before, key) for key in ANEW)

    def differs_in(self, before: State) -> set[str]:
        """The keys whose values are others."""
        return {key for key in CHECKS if getattr(self, key) != getattr(before, key)}


CHECKS: dict[str, Check] = {
    "data": read_data,
    "inputs": list_of(one_of(*INPUTS)),
    "layers": read_layers,
    "output": optional(read_output),
    "initializer": named,
    "loss": text,
    "optimizer": named,
    "learning_rate": number(1e-12, 1e6),
    "schedule": optional(named),
    "batch": whole(1, 10**6),
    "shuffle": truth,
    "l1": number(0, 100),
    "l2": number(0, 100),
    "dropout": number(0, 0.95),
    "seed": whole(0, 2**31 - 1),
    "plane": optional(texts),
}
"""What checks each key of a state."""
ANEW = ("data", "inputs", "layers", "output", "initializer", "seed")
"""Keys whose change begins anew, from initial weights."""
