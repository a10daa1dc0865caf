"""Networks as files that Keras 3 loads: configuration and weights in one .keras archive."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, ThalwegWarning
from thalweg.exchange.archives import archive_of
from thalweg.exchange.keras_goals import compile_config
from thalweg.exchange.keras_operations import describe_operation
from thalweg.exchange.keras_parts import describe_layer
from thalweg.exchange.keras_weights import inner, written
from thalweg.layers import Input, Layer
from thalweg.models.drawing import Drawn
from thalweg.models.graph import Chain
from thalweg.ops.tensor import Symbol
from thalweg.support.extras import need
from thalweg.support.nested import leaves, mapped

METADATA = {"keras_version": "3.6.0", "date_saved": "1980-01-01@00:00:00"}
"""The version from which Keras reads such files; no date, so that equal networks give equal files."""
INSTEAD = "; the target numpy can say it"


def keras_content(model: Any, name: str) -> bytes:
    """The bytes of the file; name: what warnings call it.

    Layers keep their names. A compiled model is compiled there, too, with a fresh optimizer (of which Keras warns), if
    Keras has all its parts; otherwise a warning names the one that it lacks.

    Raises:
        ArgumentError: Keras hasn't one of the layers, activations or functions: it is named.
    """
    need("h5py", "keras", "a .keras file")
    if model._weights.dtype != np.float32:
        raise ArgumentError(f"{model.name!r} computes in {model._weights.dtype}: a .keras file is written of float32")
    model.build()
    unknown: set[str] = set()
    try:
        config = described(model, unknown)
    except ArgumentError as error:
        raise ArgumentError(f"{error}{INSTEAD}") from None
    try:
        goals = compile_config(model)
    except ArgumentError as error:
        warnings.warn(f"{name} holds the model uncompiled: {error}", ThalwegWarning, stacklevel=3)
        goals = None
    if unknown:
        warnings.warn(
            f"{name} has zeros as initial weights where Keras has no {', '.join(sorted(unknown))}; the weights "
            "themselves are all there",
            ThalwegWarning,
            stacklevel=3,
        )
    config |= {} if goals is None else {"compile_config": goals}
    return archive_of(config, METADATA, written(model))


def described(model: Any, unknown: set[str]) -> dict[str, Any]:
    """The configuration of a model; notes initializers that Keras hasn't."""
    graph = model._graph
    if isinstance(graph, Chain):
        entries = [input_config(graph.inputs[0]), *(layer_config(layer, unknown) for layer in graph.layers)]
        config: dict[str, Any] = {"name": model.name, "trainable": True, "dtype": "float32", "layers": entries}
        config["build_input_shape"] = list(graph.inputs[0].shape)
        return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
    if isinstance(graph, Drawn):
        config = {"name": model.name, "trainable": True, **Written(graph, unknown).config}
        return {
            "module": "keras.src.models.functional", "class_name": "Functional", "config": config,
            "registered_name": "Functional",
        }  # fmt: skip
    raise ArgumentError(f"{model.name!r} computes in a call of its own, whose Python no file of Keras's holds")


def input_config(front: Input) -> dict[str, Any]:
    """An input, as a layer."""
    kind, name = getattr(front, "kind", "float32"), front.name or "input_layer"
    config = {"batch_shape": list(front.layer.batch_shape), "dtype": kind, "name": name}
    return {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}


def layer_config(layer: Layer, unknown: set[str]) -> dict[str, Any]:
    """A layer, or a model that is one."""
    if inner(layer) is not None:
        return described(layer, unknown)
    config, initializers = describe_layer(layer)
    unknown.update(initializers)
    return config


class Written:
    """A functional model's layers, with the tensors on which each is called."""

    def __init__(self, graph: Drawn, unknown: set[str]) -> None:
        self.unknown = unknown
        self.histories: dict[int, tuple[str, int, int]] = {id(x): (x.name, 0, 0) for x in graph.inputs}
        self.inner: set[str] = set()  # names of functional models
        self.taken = {layer.name for layer in graph.layers} | {x.name for x in graph.inputs}
        entries = {x.name: input_config(x) | {"name": x.name, "inbound_nodes": []} for x in graph.inputs}
        for call in graph.drawn:
            name, entry, arguments, named = self.entry(call, entries)
            number = len(entry["inbound_nodes"])
            entry["inbound_nodes"].append({"args": arguments, "kwargs": named})
            for place, symbol in enumerate(leaves(call.result)):
                self.histories[id(symbol)] = (name, number, place)
        order = [str(layer.name) for layer in graph.listed]
        last = [name for name in entries if name not in order]
        self.config = {
            "layers": [entries[name] for name in (*order, *last)],
            "input_layers": mapped(graph.taken, self.place),
            "output_layers": mapped(graph.given, self.place),
        }

    def entry(self, call: Any, entries: dict[str, Any]) -> tuple[str, dict[str, Any], list[Any], dict[str, Any]]:
        """The name and the description of what is called, and with what."""
        if not isinstance(call.function, Layer):
            name = self.free(call.function.__name__)
            config, given = describe_operation(call.function.__name__, call.arguments, call.named, name)
            entries[name] = config | {"name": name, "inbound_nodes": []}
            return name, entries[name], [self.value(v) for v in given], {}
        layer = call.function
        name = str(layer.name)
        if name not in entries:
            entries[name] = layer_config(layer, self.unknown) | {"name": name, "inbound_nodes": []}
            if isinstance(inner(layer), Drawn):
                self.inner.add(name)
        named = {key: self.value(v) for key, v in call.named.items() if v is not None}
        return name, entries[name], [self.value(v) for v in call.arguments], named

    def free(self, base: str) -> str:
        """A name that nothing has."""
        number, name = 0, base
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def value(self, given: Any) -> Any:
        """An argument of a call."""
        if isinstance(given, Symbol):
            config = {"shape": list(given.shape), "dtype": "float32", "keras_history": [*self.histories[id(given)]]}
            return {"class_name": "__keras_tensor__", "config": config}
        if isinstance(given, (list, tuple)):
            return [self.value(v) for v in given]
        if isinstance(given, slice):
            parts = {"start": given.start, "stop": given.stop, "step": given.step}
            return {"class_name": "__slice__", "config": parts}
        if isinstance(given, np.generic):
            return given.item()
        if given is None or isinstance(given, (bool, int, float, str)):
            return given
        raise ArgumentError(f"Keras's files hold no argument such as {type(given).__name__} of a call")

    def place(self, symbol: Any) -> list[Any]:
        """Where an input or output comes from: calls of functional models count from 1 here."""
        name, number, place = self.histories[id(symbol)]
        return [name, number + (name in self.inner), place]
