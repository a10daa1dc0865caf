"""Graphs as plain JSON, and back: layers once each, calls in their order, and what each was called with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg import activations, layers
from thalweg.activations.own import PythonFunction
from thalweg.errors import ArgumentError, ModelFileError
from thalweg.layers import Input, Layer
from thalweg.layers.keywords import config_of, is_ours
from thalweg.models.compiled import Compiled
from thalweg.models.drawing import Drawn, Own
from thalweg.models.graph import Chain, Graph
from thalweg.ops.arrangement import ROWS
from thalweg.ops.tensor import FUNCTIONS, Symbol
from thalweg.ops.variable import WeightBuffer
from thalweg.support.nested import leaves, mapped
from thalweg.support.registry import custom_object_scope

Places = dict[int, list[int]]  # the id of a symbol → [call, result]; call −1: an input


def describe(graph: Graph) -> dict[str, Any]:
    """The graph as JSON."""
    with custom_object_scope(own_things(graph.layers)):
        if isinstance(graph, Chain):
            chain: dict[str, Any] = {"layers": [layers.serialize(layer) for layer in graph.layers]}
            for front in graph.inputs:
                chain |= {"input_shape": list(front.shape[1:])}
                chain |= {} if front.kind == "float32" else {"input_dtype": front.kind}
                chain |= {} if front.batch_size is None else {"batch_size": front.batch_size}
            return chain
        if isinstance(graph, Drawn):
            return describe_drawn(graph)
        assert isinstance(graph, Own)
        return {
            "class_name": type(graph.model).__name__,
            "config": config_of(graph.model),
            "own": mapped(graph.shapes, lambda n: list(graph.shown_inputs[n])),
        }


def own_things(found: Sequence[Layer]) -> dict[str, Any]:
    """The classes and functions of the user's that layers are made of, by the names that are all a file holds of each.

    Raises:
        ArgumentError: two of them share a name.
    """
    named: dict[str, Any] = {}
    waiting = list(found)
    while waiting:
        layer = waiting.pop()
        waiting += layer.inside
        things: list[tuple[str, Any]] = [] if is_ours(type(layer)) else [(type(layer).__name__, type(layer))]
        if isinstance(layer, layers.Lambda):
            things.append((getattr(layer.function, "__name__", ""), layer.function))
        for value in vars(layer).values():
            if isinstance(value, PythonFunction):
                things.append((value.name, value.function))
            elif isinstance(value, activations.CustomFunction):
                things.append((value.name, value))
        for name, thing in things:
            if named.setdefault(name, thing) != thing:
                raise ArgumentError(
                    f"layer {layer.name!r}: the model has two {'classes' if isinstance(thing, type) else 'functions'} "
                    f"called {name!r}, and a file tells them apart by their names: rename one"
                )
    return named


def settings(compiled: Compiled) -> dict[str, Any]:
    """The arguments of every model that aren't the default; the seed if it was given."""
    given = {
        "seed": compiled.seed if compiled.seed_given else None,
        "engine": compiled.engine,
        "dtype": compiled.weights.dtype.name,
    }
    usual = {"seed": None, "engine": "native", "dtype": "float32"}
    return {name: value for name, value in given.items() if value != usual[name]}


def describe_drawn(graph: Drawn) -> dict[str, Any]:
    """Inputs, layers, calls and outputs."""
    places: Places = {id(x): [-1, k] for k, x in enumerate(graph.inputs)}
    for number, call in enumerate(graph.drawn):
        places |= {id(s): [number, k] for k, s in enumerate(leaves(call.result))}
    numbers = {id(layer): k for k, layer in enumerate(graph.layers)}
    weights = {id(p.buffer): path for layer in graph.layers for path, p in layer.all_parameters()}

    def written(value: Any) -> Any:
        return write(value, places, weights)

    return {
        "inputs": [x.get_config() for x in graph.inputs],
        "taken": written(graph.taken),
        "layers": [layers.serialize(layer) for layer in graph.layers],
        "calls": [
            {
                "of": numbers[id(c.function)] if isinstance(c.function, Layer) else c.function.__name__,
                "with": written(c.arguments),
                "named": written(c.named),
            }
            for c in graph.drawn
        ],
        "outputs": written(graph.given),
    }


def write(value: Any, places: Places, weights: dict[int, str]) -> Any:
    """An argument of a call, as JSON; what has no form there is a dict with one key that says what it is."""
    if isinstance(value, Symbol):
        return {"tensor": places[id(value)]}
    if isinstance(value, WeightBuffer):
        return {"weight": weights[id(value)]}
    if isinstance(value, (list, tuple)):
        inner = [write(v, places, weights) for v in value]
        return inner if isinstance(value, list) else {"tuple": inner}
    if isinstance(value, dict):
        return {"dict": [[key, write(v, places, weights)] for key, v in value.items()]}  # JSON's are sorted
    if isinstance(value, slice):
        return {"slice": [write(v, places, weights) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, activations.ActivationFunction):
        return {"activation": activations.serialize(value)}
    if value is Ellipsis:
        return {"ellipsis": True}
    if value is ROWS:
        return {"rows": True}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.name}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ModelFileError(f"an argument of a call can't be saved: {value!r}")


def read(
    value: Any, results: list[list[Symbol]], inputs: list[Input], weights: Callable[[], dict[str, Any]] = dict
) -> Any:
    """What `write` made of an argument, turned back. `weights`: all that there are, by path; few graphs name one."""

    def inner(v: Any) -> Any:
        return read(v, results, inputs, weights)

    if isinstance(value, list):
        return [inner(v) for v in value]
    if not isinstance(value, dict):
        return value
    (kind, held), *more = value.items()
    if kind == "tensor":
        call, place = held
        return inputs[place] if call == -1 else results[call][place]
    if kind == "weight":
        return weights()[held]
    if kind == "array":
        return np.array(held, dict(more)["dtype"])
    if kind == "activation":
        return activations.get(held)
    made: dict[str, Callable[[], Any]] = {
        "tuple": lambda: tuple(inner(v) for v in held),
        "dict": lambda: {key: inner(v) for key, v in held},
        "slice": lambda: slice(*(inner(v) for v in held)),
        "ellipsis": lambda: Ellipsis,
        "rows": lambda: ROWS,
    }
    return made[kind]()


def draw(description: dict[str, Any], custom_objects: layers.CustomObjects | None) -> tuple[Any, Any]:
    """The inputs and the outputs of a graph that `describe_drawn` described."""
    inputs = [Input(**config) for config in description["inputs"]]
    made = [layers.deserialize(d, custom_objects) for d in description["layers"]]
    results: list[list[Symbol]] = []

    def weights() -> dict[str, Any]:
        return {path: p.buffer for layer in made if layer.name for path, p in layer.all_parameters()}

    for call in description["calls"]:
        function = made[call["of"]] if isinstance(call["of"], int) else FUNCTIONS[call["of"]]
        arguments, named = (read(call[key], results, inputs, weights) for key in ("with", "named"))
        results.append(list(leaves(function(*arguments, **named))))
    taken = read(description["taken"], [], inputs)
    return taken, read(description["outputs"], results, inputs)
