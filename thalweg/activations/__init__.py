"""Activation functions, by Keras's names. Each can be given to a layer, by name or as it is, and called on an array.

>>> import numpy as np
>>> relu(np.array([-1.0, 2.0]))
array([0., 2.])
>>> relu(np.array([-1.0, 2.0]), max_value=1)
array([0., 1.])
"""

from __future__ import annotations

import math
from typing import Any

from thalweg import initializers
from thalweg.activations.catalogue import *  # noqa: F403 — every function of the catalogue
from thalweg.activations.catalogue import ALIASES, NAMES, linear
from thalweg.activations.function import ActivationFunction, BuiltInFunction
from thalweg.activations.own import CustomFunction, FormulaFunction, PythonFunction, custom, formula
from thalweg.errors import ArgumentError
from thalweg.support.naming import answer_for, choose
from thalweg.support.registry import REGISTERED

__all__ = [
    "NAMES",
    "ActivationFunction",
    "BuiltInFunction",
    "CustomFunction",
    "FormulaFunction",
    "custom",
    "formula",
    "get",
    "serialize",
    *NAMES,
    *ALIASES,
]


def get(identifier: str | ActivationFunction | dict[str, Any] | None) -> ActivationFunction:
    """An activation from its name, a formula, what `serialize` returned, or itself; None is linear.

    >>> get("relu").name
    'relu'
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict) and "formula" in identifier:
        return formula(identifier["formula"], identifier["constants"], identifier.get("parameters"))
    if isinstance(identifier, dict) and "custom" in identifier:
        raise ArgumentError(
            f"the activation {identifier['custom']!r} is a pair of Python functions, which can't be saved: "
            "give it in custom_objects"
        )
    if isinstance(identifier, str) and not identifier.isidentifier() and not identifier.isspace() and identifier:
        return formula(identifier)
    if isinstance(identifier, dict) and "function" in identifier:
        identifier = choose("function of an activation", identifier["function"], REGISTERED)
    if callable(identifier) and not isinstance(identifier, (ActivationFunction, type)):
        return PythonFunction(getattr(identifier, "__name__", "function"), identifier)
    if isinstance(identifier, dict):
        function = choose("activation", identifier["name"], NAMES).using(**identifier["arguments"])
    elif isinstance(identifier, str):
        function = choose("activation", identifier, NAMES | ALIASES)
        if identifier in REGISTERED:
            raise ArgumentError(
                f"there are two activations called {identifier!r}, a built-in one and the one that is registered or in "
                "custom_objects: give the latter another name"
            )
    elif isinstance(identifier, ActivationFunction):
        function = identifier
    else:
        raise ArgumentError(
            f"an activation is a name or one of thalweg.activations, got {identifier!r}. "
            f"Choose from: {', '.join(NAMES)}"
        )
    function.complete()
    return function


def serialize(function: ActivationFunction) -> str | dict[str, Any]:
    """A plain description that `get` turns back into an equal activation: the name where that is enough."""
    if isinstance(function, FormulaFunction):
        described: dict[str, Any] = {"formula": function.name, "constants": dict(function.of.constants)}
        if function.starts:
            described["parameters"] = {key: initializers.serialize(start) for key, start in function.starts}
        return described
    if isinstance(function, CustomFunction):
        return {"custom": function.name}
    if isinstance(function, PythonFunction):
        return {"function": function.name}
    if NAMES.get(function.name) == function:
        return function.name
    assert isinstance(function, BuiltInFunction)
    arguments = {name: None if value == math.inf else value for name, value in function.numbers().items()}
    return {"name": function.name, "arguments": arguments}


answer_for(__name__)
