"""Optimizers: how the weights follow the gradient downhill. Names, arguments and defaults are Keras's.

An optimizer is an equation over flat vectors: w all parameters, dw their gradients, and its own slots of the same
length. The arguments that all optimizers share are listed under `Optimizer`.

The equation is a text, from which listing, reference and native kernel are made. Your own optimizer is a class with
an equation: one statement per line, in w, dw, the slots, the attributes, learning_rate, and t, the update's number.

>>> class Signs(Optimizer):
...     slots = ("m",)
...     equation = '''
... m += (1 - keep) * (dw - m)
... w -= learning_rate * sign(m)'''
...     keep = 0.9
>>> Signs(0.01).formula
'm += (1 − keep)·(dw − m); w −= lr·sign(m)'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg import schedules
from thalweg.optimizers import adaptive, descent, matrices
from thalweg.optimizers.adaptive import *  # noqa: F403 — a new optimizer is named only in its own file
from thalweg.optimizers.descent import *  # noqa: F403
from thalweg.optimizers.matrices import *  # noqa: F403
from thalweg.optimizers.optimizer import AVERAGE, Optimizer
from thalweg.support.naming import answer_for, choose

__all__ = ["AVERAGE", "Optimizer", "get", "schedules", "serialize"]
__all__ += adaptive.__all__
__all__ += descent.__all__
__all__ += matrices.__all__

CLASSES: dict[str, Callable[..., Optimizer]] = {
    name: getattr(module, name) for module in (descent, adaptive, matrices) for name in module.__all__
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


answer_for(__name__)
