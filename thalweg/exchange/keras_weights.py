"""The weights of a network in Keras's order, and where its files keep them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ModelFileError
from thalweg.exchange.archives import is_archive, read_archive
from thalweg.exchange.hdf5 import Stored, opened
from thalweg.layers import GroupQueryAttention, Layer, Normalization
from thalweg.layers.attention.heads import Heads
from thalweg.layers.variables import Parameter
from thalweg.support.naming import snake_case
from thalweg.support.untrusted import readable

Array = NDArray[Any]
ATTRIBUTES = {("Bidirectional", "layer"): "forward_layer"}  # Keras's, where they have another name
CHECKPOINT = "_layer_checkpoint_dependencies"  # as Keras 2.13 calls "layers"


class Slot:
    """Base of what is one array of a layer in Keras's files."""

    place = ""  # the group within the layer's that holds it, of a layer that Keras makes of several

    def __init__(self, layer: Layer, parameter: Parameter) -> None:
        self.layer, self.parameter = layer, parameter
        self.shape = parameter.buffer.shape
        self.trained = parameter.trainable and layer.trainable

    def read(self, stored: Stored, path: str) -> Array:
        """The array of a file."""
        return stored.array(path, self.shape)

    def set(self, array: Array) -> None:
        """Takes it over."""
        self.layer.bound(self.parameter)[...] = array

    def get(self) -> Array:
        """The array for a file."""
        return np.array(self.layer.bound(self.parameter), np.float32)


class Weight(Slot):
    """An array that is the same in both."""


class Projection(Slot):
    """One of attention, whose projections are layers there: "query/W" lies in query_dense, or in _query_dense."""

    def __init__(self, layer: Heads, parameter: Parameter) -> None:
        super().__init__(layer, parameter)
        name = parameter.key.partition("/")[0].removeprefix("attention_")
        hidden = name == "gate" or isinstance(layer, GroupQueryAttention)
        self.place = f"{'_' * hidden}{name}_dense/"


class Moment(Slot):
    """The mean or the variance of a `Normalization`: Keras keeps the variance itself, and one number if there is no
    axis."""

    layer: Normalization

    def __init__(self, layer: Normalization, parameter: Parameter, name: str) -> None:
        super().__init__(layer, parameter)
        self.name = name
        self.shape = () if layer.axis is None else self.shape

    def read(self, stored: Stored, path: str) -> Array:
        array = super().read(stored, path).astype(np.float64)
        if not np.isfinite(array).all() or (self.name == "variance" and (array < 0).any()):
            raise ModelFileError(
                f"{stored.path}: the {self.name} of {self.layer.shown_name} is no number that it can be"
            )
        return array

    def set(self, array: Array) -> None:
        setattr(self.layer, self.name, array)
        values = self.layer.values(self.parameter.buffer.size)
        self.layer.bound(self.parameter)[...] = values[self.name == "variance"]

    def get(self) -> Array:
        array = super().get()
        array = array**2 if self.name == "variance" and self.layer.invert else array
        return array if self.shape else array[0]


class Count(Slot):
    """The number of rows that a `Normalization` was adapted to, which nothing needs: 0."""

    def __init__(self, layer: Normalization) -> None:
        super().__init__(layer, layer.parameters[0])
        self.shape = ()

    def read(self, stored: Stored, path: str) -> Array:
        if stored.find(path) is None:
            raise ModelFileError(f"{stored.path} lacks the array {path!r}")
        return self.get()

    def set(self, array: Array) -> None:
        """Nothing: nobody asks for it."""

    def get(self) -> Array:
        return np.array(0, np.int32)


def slots(layer: Layer) -> list[Slot]:
    """The arrays of a layer itself, not of layers inside, in Keras's order: those with gradients first."""
    if isinstance(layer, Normalization):
        if layer.given:
            return []
        mean, variance = layer.parameters
        return [Moment(layer, mean, "mean"), Moment(layer, variance, "variance"), Count(layer)]
    if isinstance(layer, Heads):
        return [Projection(layer, p) for p in layer.parameters]
    return sorted((Weight(layer, p) for p in layer.parameters), key=lambda slot: not slot.parameter.trainable)


def inner(layer: Layer) -> Any:
    """The graph of a model that is a layer; None for other layers."""
    return getattr(layer, "_graph", None)


def places(graph: Any, prefix: str = "") -> Iterator[tuple[Layer, str]]:
    """Every layer in Keras's order, those of models inside as well, and its group in a model.weights.h5."""
    used: dict[str, int] = {}
    for layer in graph.listed:
        name = "grouped_query_attention" if isinstance(layer, GroupQueryAttention) else snake_case(type(layer).__name__)
        number = used[name] = used.get(name, -1) + 1
        path = f"{prefix}layers/{name}{f'_{number}' if number else ''}"
        yield layer, path
        yield from below(layer, path)


def below(layer: Layer, path: str) -> Iterator[tuple[Layer, str]]:
    """The layers in a layer, by the attributes that hold them: one, or a list."""
    if inner(layer) is not None:
        yield from places(inner(layer), f"{path}/")
        return
    for attribute in layer.attached:
        used: dict[str, int] = {}
        alone = isinstance(getattr(layer, attribute), Layer)
        for one in layer.layers_in(attribute):
            name = snake_case(type(one).__name__)
            number = used[name] = used.get(name, -1) + 1
            there = f"{path}/{ATTRIBUTES.get((type(layer).__name__, attribute), attribute)}"
            there += "" if alone else f"/{name}{f'_{number}' if number else ''}"
            yield one, there
            yield from below(one, there)


def holders(graph: Any) -> Iterator[tuple[Layer, str]]:
    """Those of them that have arrays themselves, each once."""
    seen: set[int] = set()
    for layer, path in places(graph):
        if id(layer) not in seen and inner(layer) is None:
            seen.add(id(layer))
            yield layer, path


def put_weights(graph: Any, stored: Stored, by_name: bool) -> None:
    """Takes all weights out of a file, of either of Keras's layouts; unless all fit, nothing changes.

    by_name: whether the layers have the names of those in the file, so that a mismatch means that it is damaged.
    """
    legacy = next((group for group in ("model_weights", "") if stored.text(group, "layer_names") is not None), None)
    if legacy is not None:
        pairs = legacy_places(graph, stored, legacy)
    elif stored.find("layers") is None and stored.find(CHECKPOINT) is None:
        raise ModelFileError(f"{stored.path} is an HDF5 file without weights of Keras's")
    else:
        pairs = named_places(graph, stored, by_name)
    for slot, array in [(slot, slot.read(stored, path)) for slot, path in pairs]:
        slot.set(array)
    for layer, _ in holders(graph):
        if isinstance(layer, Normalization) and layer.given:
            for parameter, values in zip(layer.parameters, layer.values(layer.parameters[0].buffer.size), strict=True):
                layer.bound(parameter)[...] = values


def named_places(graph: Any, stored: Stored, by_name: bool) -> list[tuple[Slot, str]]:
    """Where each array is in a file with a group for each layer."""
    old = stored.find("layers") is None
    found = []
    for layer, path in holders(graph):
        group = path.replace("layers/", f"{CHECKPOINT}/") if old else path
        wanted = list(within(layer))
        names = {slot.place: len(stored.names(f"{group}/{slot.place}vars")) for slot, _ in wanted}
        held = sum(names.values()) if names else len(stored.names(f"{group}/vars"))
        said = stored.text(f"{group}/vars", "name")
        if held != len(wanted):
            raise ModelFileError(
                f"{stored.path} holds {held} arrays for layer {layer.shown_name}, which has {len(wanted)}"
            )
        if by_name and said not in (None, layer.name):
            raise ModelFileError(f"{stored.path} contradicts itself: layer {layer.shown_name} is {said!r} there")
        found += [(slot, f"{group}/{place}") for slot, place in wanted]
    known = {path for _, path in places(graph)}
    for prefix in ("", *(f"{path}/" for layer, path in places(graph) if inner(layer) is not None)):
        for name in stored.names(f"{prefix}layers"):
            path = f"{prefix}layers/{name}"
            if path not in known and (stored.names(f"{path}/vars") or stored.find(f"{path}/layers") is not None):
                raise ModelFileError(f"{stored.path} holds weights of {path}, which the model lacks")
    return found


def within(layer: Layer) -> Iterator[tuple[Slot, str]]:
    """The arrays of a layer, each with its place in the layer's group: vars/0, vars/1 …"""
    count: dict[str, int] = {}
    for slot in slots(layer):
        number = count[slot.place] = count.get(slot.place, -1) + 1
        yield slot, f"{slot.place}vars/{number}"


def texts(stored: Stored, group: str, name: str) -> list[str]:
    """A list of names, which is cut in pieces where it is long."""
    whole = stored.text(group, name)
    pieces = [] if whole is None else [whole]
    while whole is None and (piece := stored.text(group, f"{name}{len(pieces)}")) is not None:
        pieces.append(piece)
    return [text for piece in pieces for text in piece]


def flat(layers: Iterable[Layer], seen: set[int]) -> Iterator[Slot]:
    """The arrays of these layers, and of those inside, each once."""
    for layer in layers:
        if id(layer) not in seen:
            seen.add(id(layer))
            yield from slots(layer) if inner(layer) is None else []
            yield from flat(layer.inside if inner(layer) is None else inner(layer).listed, seen)


def legacy_places(graph: Any, stored: Stored, group: str) -> list[tuple[Slot, str]]:
    """Where each array is in a file of the older layout, which names for each layer its arrays, trained ones first."""
    own = [(layer, sorted(flat([layer], set()), key=lambda slot: not slot.trained)) for layer in graph.listed]
    own = [(layer, found) for layer, found in own if found]
    under = f"{group}/" if group else ""
    held = [(name, texts(stored, under + name, "weight_names")) for name in texts(stored, group, "layer_names")]
    held = [(name, arrays) for name, arrays in held if arrays]
    if {name for name, _ in held} == {layer.name for layer, _ in own}:
        order = dict(held)
        held = [(str(layer.name), order[str(layer.name)]) for layer, _ in own]
    counts, wanted = ([len(arrays) for _, arrays in of] for of in (held, own))
    if counts != wanted:
        raise ModelFileError(
            f"{stored.path} holds layers of {counts or 'no'} arrays, the model has layers of {wanted or 'none'}"
        )
    return [
        (slot, f"{under}{name}/{array}")
        for (name, arrays), (_, found) in zip(held, own, strict=True)
        for array, slot in zip(arrays, found, strict=True)
    ]


def load_keras_weights(graph: Any, path: Path) -> None:
    """Takes the weights out of an .h5 or a .keras file into a model of the same layers."""
    if is_archive(path):
        content: IO[bytes] = io.BytesIO(read_archive(path).weights)
    else:
        content = path.open("rb")
    damaged = f"{path} is damaged, or doesn't hold weights as Keras does"
    with content, opened(path, content) as stored, readable(ModelFileError, damaged):
        put_weights(graph, stored, by_name=False)


def written(model: Any) -> bytes:
    """The weights of a model as a model.weights.h5."""
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars").attrs["name"] = model.name
        for layer, path in places(model._graph):
            file.create_group(f"{path}/vars").attrs["name"] = layer.name
        for layer, path in holders(model._graph):
            for slot, place in within(layer):
                file.create_dataset(f"{path}/{place}", data=slot.get())
    return content.getvalue()
