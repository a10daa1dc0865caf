"""The signatures of all that is public, a line a name, as `inspect.signature` shows them: `signatures.txt`.

`python tests/tables/signatures.py` writes them down, which accepts a change.
"""

import inspect
import math
from pathlib import Path

import thalweg
from thalweg import data, sklearn, tabular
from thalweg.engine import jax

STORED = Path(__file__).with_name("signatures.txt")
MODULES = (
    *(thalweg, thalweg.layers, thalweg.activations, thalweg.losses, thalweg.metrics, thalweg.optimizers),
    *(thalweg.schedules, thalweg.initializers, thalweg.regularizers, thalweg.constraints, thalweg.callbacks),
    *(thalweg.models, thalweg.ops, thalweg.ops.linalg, thalweg.ops.image, thalweg.random, thalweg.utils),
    *(thalweg.backend, thalweg.saving),
    *(thalweg.applications, thalweg.applications.imagenet_utils, thalweg.preprocessing.sequence, thalweg.datasets),
    *(sklearn, tabular, data, jax),
)
METHODS = (  # classes whose methods are listed too, but for those of a base that is listed itself
    *(thalweg.Model, thalweg.Sequential, thalweg.callbacks.Callback),
    *(sklearn.MLPClassifier, sklearn.MLPRegressor, sklearn.TabularClassifier, sklearn.TabularRegressor),
)


def public(module):
    """(name, thing) of what a module gives out."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
    ]
    return sorted((name, getattr(module, name)) for name in names)


def default(value):
    """A default as one writes it, without addresses."""
    return value.__name__ if inspect.isclass(value) or inspect.isroutine(value) else repr(value)


def parameters(thing):
    """Its parameters and their defaults. (Annotations are mypy's matter.)"""
    found = inspect.signature(thing)
    plain = [
        p.replace(annotation=p.empty, default=p.default if p.default is p.empty else Shown(default(p.default)))
        for p in found.parameters.values()
    ]
    return str(found.replace(parameters=plain, return_annotation=found.empty))


class Shown(str):
    """A text that is its own repr."""

    __slots__ = ()
    __repr__ = str.__str__


def lines():
    """A line for each class, function and method."""
    for module in MODULES:
        place = module.__name__.removeprefix("thalweg").removeprefix(".")
        for name, thing in public(module):
            if isinstance(thing, thalweg.activations.ActivationFunction):
                yield f"{place}.{name}.using({', '.join(f'{k}={number(v)}' for k, v in arguments(thing).items())})"
            elif inspect.isclass(thing) or inspect.isroutine(thing):
                yield f"{place}.{name}".removeprefix(".") + parameters(thing)
    for kind in METHODS:
        for name in sorted(n for n in dir(kind) if not n.startswith("_")):
            held, method = inspect.getattr_static(kind, name), getattr(kind, name)
            inherited = any(held is inspect.getattr_static(k, name, None) for k in METHODS if k in kind.__mro__[1:])
            if inspect.isroutine(method) and method.__module__.startswith("thalweg") and not inherited:
                yield f"{kind.__name__}.{name}{parameters(method)}"


def arguments(activation):
    """The arguments of an activation, and their defaults."""
    taking = getattr(activation, "taking", None)
    return {} if taking is None else taking.arguments


def number(value):
    return "None" if value in (None, math.inf) else repr(value)


if __name__ == "__main__":
    STORED.write_text("\n".join(lines()) + "\n", encoding="utf-8")
