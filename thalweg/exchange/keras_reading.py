"""Networks out of Keras's files, .keras and .h5: configuration → layers and calls → our model, then its weights.

Keras's own deserialiser is never called, and no code, module or path that a file names is used.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError, ModelFileError
from thalweg.exchange.archives import read_archive
from thalweg.exchange.hdf5 import Stored, opened
from thalweg.exchange.keras_goals import compile_as
from thalweg.exchange.keras_operations import is_operation, operation_of
from thalweg.exchange.keras_parts import check_origin, layer_of, shortly
from thalweg.exchange.keras_weights import put_weights
from thalweg.layers import Input, Layer
from thalweg.models.drawing import Drawn
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.models.sequential import Sequential
from thalweg.support.nested import leaves
from thalweg.support.untrusted import readable

MODELS = ("Sequential", "Functional", "Model")
DEEPEST = 50  # networks inside each other
MOST_LAYERS = 10_000


def read_keras(path: Path, custom_objects: Mapping[str, Any] | None, compiled: bool) -> Model:
    """The model in a .keras file."""
    archive = read_archive(path)
    with opened(path, io.BytesIO(archive.weights)) as stored:
        model = Reader(custom_objects, stored).model(archive.config)
        put_weights(model._graph, stored, by_name=True)
    if compiled:
        compile_as(model, archive.config.get("compile_config"), path)
    return model


def read_h5(path: Path, custom_objects: Mapping[str, Any] | None, compiled: bool) -> Model:
    """The model in an .h5 file, which Keras calls the legacy format."""
    with path.open("rb") as content, opened(path, content) as stored:
        text = stored.text("", "model_config")
        if text is None:
            raise ModelFileError(f"{path} holds weights only; make the model, then model.load_weights(path)")
        with readable(ModelFileError, f"{path} is damaged: its configuration can't be read"):
            config, training = json.loads(text), json.loads(stored.text("", "training_config") or "null")
        model = Reader(custom_objects, stored).model(config)
        put_weights(model._graph, stored, by_name=True)
    if compiled:
        compile_as(model, training, path)
    return model


class NotYet(Exception):
    """A tensor that another call has to make first."""


class Reader:
    """Turns configurations into layers and models."""

    def __init__(self, custom_objects: Mapping[str, Any] | None, stored: Stored) -> None:
        self.known = custom_objects or {}
        self.most = stored.floats
        self.shared: dict[int, Layer] = {}
        self.depth = self.layers = 0

    def model(self, description: Any) -> Model:
        """The model that a configuration is of; its weights are 0."""
        name = description["class_name"] if isinstance(description, dict) else None
        if name not in MODELS:
            raise ArgumentError(
                f"the model is {shortly(name)}, not a Sequential or a functional Model: what a class of its own "
                "computes isn't in the file"
            )
        check_origin(description | {"registered_name": None}, "the model")
        self.depth += 1
        if self.depth > DEEPEST:
            raise ArgumentError(f"more than {DEEPEST} networks are inside each other")
        config = description["config"]
        if isinstance(config, list):  # Keras 1's and early 2's
            config = {"layers": config}
        made = (self.sequential if name == "Sequential" else self.functional)(config)
        self.depth -= 1
        if made.inputs:
            made._weights.build(None, check=self.fits)
        if config.get("trainable") is False:
            made.trainable = False
        return made

    def fits(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raises, before there is memory for them, for more weights than the file can hold."""
        count = sum(math.prod(shape) for shape in shapes.values())
        if count > self.most:
            raise ModelFileError(f"the configuration says {count:,} weights, more than the file can hold")

    def sequential(self, config: Mapping[str, Any]) -> Sequential:
        front, made = None, []
        for description in config["layers"]:
            layer = self.layer(description)
            if isinstance(layer, Input):
                front = layer
            else:
                made.append(layer)
        shape = config.get("build_input_shape")
        if front is None and isinstance(shape, list) and made:
            front = None if isinstance(made[0], Model) else Input(batch_shape=shape)
        if front is None and made and isinstance(made[0], Model) and made[0].inputs:
            front = Input(made[0].row_in)
        return Sequential([*([] if front is None else [front]), *made], name=config.get("name"))

    def functional(self, config: Mapping[str, Any]) -> Functional:
        drawing = Drawing(self, config["layers"])
        inputs, outputs = (drawing.structure(config[key]) for key in ("input_layers", "output_layers"))
        model: Functional = Functional.__new__(Functional)
        model._assemble(Drawn(inputs, outputs, config.get("name")), None, "native", "float32")
        return model

    def layer(self, description: Any) -> Any:
        """A layer, an input or a model."""
        self.layers += 1
        if self.layers > MOST_LAYERS:
            raise ArgumentError(f"it has more than {MOST_LAYERS:,} layers")
        name, config = description["class_name"], description["config"]
        number = description.get("shared_object_id")
        if number is not None and number in self.shared:
            return self.shared[number]
        if name == "InputLayer":
            return input_of(config)
        made = self.model(description) if name in MODELS else layer_of(description, self.known)
        if number is not None:
            self.shared[number] = made
        return made


def input_of(config: Mapping[str, Any]) -> Input:
    """An input of any number of rows."""
    what = f"input {shortly(config.get('name'))}"
    for name in ("sparse", "ragged", "optional"):
        if config.get(name):
            raise ArgumentError(f"{what} has {name}=True: arrays are dense here, and every input is needed")
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if not isinstance(shape, list) or None in shape[2:]:
        raise ArgumentError(
            f"{what} has the shape {shortly(shape)}: every axis but those of rows and steps has a known length here"
        )
    kind = config.get("dtype") or "float32"
    return Input(batch_shape=shape, name=config.get("name"), dtype=kind)


class Drawing:
    """The calls of a functional model, made on tensors."""

    def __init__(self, reader: Reader, descriptions: list[Any]) -> None:
        self.reader = reader
        self.results: dict[tuple[str, int], list[Any]] = {}
        self.first: dict[str, int] = {}  # the number of a layer's first call, as others count it
        self.firsts_in_outputs: dict[str, int] = {}
        waiting: list[tuple[str, Any, list[Any]]] = []
        for description in descriptions:
            name = description.get("name") or description["config"]["name"]
            layer = self.function(description)
            if name in self.first:
                raise ArgumentError(f"two layers are called {shortly(name)}")
            nodes = description["inbound_nodes"]
            old = any(isinstance(node, list) for node in nodes)
            inner = isinstance(layer, Model)
            self.first[name] = int(inner and old)
            self.firsts_in_outputs[name] = int(inner and (old or isinstance(layer, Functional)))
            if isinstance(layer, Input):
                self.results[name, 0] = [layer]
            else:
                waiting.append((name, layer, list(nodes)))
        self.call_all(waiting)

    def function(self, description: Any) -> Any:
        """What a description is of: a layer, or a function of tensors."""
        if is_operation(description):
            return operation_of(description)
        return self.reader.layer(description)

    def call_all(self, waiting: list[tuple[str, Any, list[Any]]]) -> None:
        """Calls every layer as often as the file says, each call when its arguments are there."""
        done: dict[str, int] = {}
        while waiting:
            left, before = [], len(self.results)
            for name, layer, nodes in waiting:
                while nodes:
                    try:
                        arguments, named = self.arguments(nodes[0])
                    except NotYet:
                        left.append((name, layer, nodes))
                        break
                    result = layer(*arguments, **named)
                    number = done.get(name, 0)
                    self.results[name, number] = list(leaves(result))
                    done[name] = number + 1
                    nodes.pop(0)
            if left and len(self.results) == before:
                raise ArgumentError(
                    f"the calls of layer {shortly(left[0][0])} go round in a circle, or their tensors are missing"
                )
            waiting = left

    def arguments(self, node: Any) -> tuple[list[Any], dict[str, Any]]:
        """What a layer is called with. Older files have a list of tensors."""
        if isinstance(node, list):
            tensors = []
            for name, number, place, *more in node:
                if more and more[0]:
                    raise ArgumentError(
                        f"the call on {shortly(name)} has arguments that aren't known here: {shortly(more[0])}"
                    )
                tensors.append(self.tensor(name, number, place))
            return [tensors[0] if len(tensors) == 1 else tensors], {}
        given = [self.value(v) for v in self.value_list(node["args"])]
        named = {name: self.value(v) for name, v in node["kwargs"].items() if v is not None}
        return given, named

    def value_list(self, given: Any) -> list[Any]:
        held = given["items"] if isinstance(given, dict) and given.get("class_name") == "__tuple__" else given
        if not isinstance(held, list):
            raise ArgumentError(f"a layer is called with {shortly(given)}")
        return held

    def value(self, given: Any) -> Any:
        """An argument of a call: a tensor, a number, a text, or a list of them."""
        if isinstance(given, dict) and given.get("class_name") == "__keras_tensor__":
            return self.tensor(*given["config"]["keras_history"])
        if isinstance(given, list) or (isinstance(given, dict) and given.get("class_name") == "__tuple__"):
            return [self.value(v) for v in self.value_list(given)]
        if isinstance(given, dict) and given.get("class_name") == "__slice__":
            ends = [given["config"].get(key) for key in ("start", "stop", "step")]
            return slice(*(end if end is None else int(end) for end in ends))
        if given is None or isinstance(given, (bool, int, float, str)):
            return given
        raise ArgumentError(f"a layer is called with {shortly(given)}, which isn't known here")

    def tensor(self, name: str, number: int, place: int, first: Mapping[str, int] | None = None) -> Any:
        """What a call of a layer returned."""
        if name not in self.first:
            raise ArgumentError(f"a call needs {shortly(name)}, which no layer is called")
        found = self.results.get((name, number - (first or self.first)[name]))
        if found is None:
            raise NotYet
        if not 0 <= place < len(found):
            raise ArgumentError(f"layer {shortly(name)} has {len(found)} outputs, none with the number {place}")
        return found[place]

    def structure(self, given: Any) -> Any:
        """The tensors of a model's inputs or outputs, in lists or by names."""
        if isinstance(given, dict) and given.get("class_name") != "__tuple__":
            return {key: self.structure(inner) for key, inner in given.items()}
        items = self.value_list(given)
        if len(items) == 3 and isinstance(items[0], str):
            name, number, place = items
            try:
                return self.tensor(name, number, place, self.firsts_in_outputs)
            except NotYet:
                raise ArgumentError(f"layer {shortly(name)} isn't called {number + 1} times") from None
        found = [self.structure(inner) for inner in items]
        return found[0] if len(found) == 1 else found
