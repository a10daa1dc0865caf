"""Optimizers: how the weights follow the gradient downhill. Names, arguments and defaults are Keras's.

An optimizer is an equation over flat vectors: w all parameters, dw their gradients, and its own slots of the same
length. What all of them take beside their own arguments stands at `Optimizer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg import schedules
from thalweg.optimizers.adaptive import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)
from thalweg.optimizers.descent import SGD, Lion
from thalweg.optimizers.matrices import Adafactor, Lamb, Muon
from thalweg.optimizers.optimizer import AVERAGE, Optimizer
from thalweg.support.naming import choose

__all__ = [
    "AVERAGE",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "get",
    "schedules",
    "serialize",
]

CLASSES: dict[str, Callable[..., Optimizer]] = {
    c.__name__: c
    for c in (
        SGD,
        RMSprop,
        Adam,
        AdamW,
        Nadam,
        Adamax,
        Adagrad,
        Adadelta,
        Lion,
        Adafactor,
        Lamb,
        Ftrl,
        Muon,
        ScheduleFreeAdamW,
    )
}
NAMES: dict[str, Callable[..., Optimizer]] = {name.lower(): c for name, c in CLASSES.items()}


def get(identifier: str | Optimizer | dict[str, Any]) -> Optimizer:
    """An optimizer from its name, from what `serialize` returned, or itself.

    >>> get("adam").get_config()["learning_rate"]
    0.001
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        optimizer = choose("optimizer", identifier["class_name"], CLASSES)(**identifier["config"])
        optimizer.exclude_from_weight_decay(var_names=identifier.get("not_decayed"))
        return optimizer
    return choose("optimizer", identifier, NAMES | CLASSES)()


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal optimizer."""
    description = {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
    return description | ({"not_decayed": list(optimizer.not_decayed)} if optimizer.not_decayed else {})
