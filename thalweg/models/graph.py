"""The layers of a model: their order, their names, and the shapes between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from numpy.typing import ArrayLike, DTypeLike

from thalweg.data import arrays as batches
from thalweg.errors import ArgumentError, DataError, ThalwegError
from thalweg.layers import Input, Layer
from thalweg.layers.core import connect_all, name_layers
from thalweg.layers.layer import Array, Shape
from thalweg.layers.lookup import NUMBERS, TEXT, Lookup
from thalweg.support.naming import choose

UNKNOWN_INPUT = "the input shape isn't known yet: begin with Input(shape), or give data"


class Graph:
    """Layers one after the other, from one input to one output."""

    def __init__(self, layers: Sequence[Layer] | None, name: str | None) -> None:
        self.name = name or "sequential"
        self.input: Input | None = None
        self.layers: list[Layer] = []  # without the input
        self.output_shape: Shape | None = None  # known once it is built
        for layer in layers or []:
            self.add(layer)

    @property
    def built(self) -> bool:
        """Whether the shapes are known."""
        return self.output_shape is not None

    def add(self, layer: Layer) -> None:
        """Appends a layer."""
        if isinstance(layer, type) or not isinstance(layer, Layer):
            raise ArgumentError(f"a model is made of layers, got {layer!r}")
        if self.built:
            raise ThalwegError("the model is already built; add layers before it gets data, or make a new model")
        if isinstance(layer, Input):
            if self.input is not None or self.layers:
                raise ArgumentError("Input comes first, and only once")
            self.input = layer
        else:
            if any(layer is other for other in self.layers):
                raise ArgumentError(f"layer {layer.name!r} is already in the model; make a new one for a second place")
            layer.check_free()
            if isinstance(layer, Lookup) and len(self.entry) < len(self.layers):
                raise layer.misplaced()
            name_layers([*self.layers, layer])
            self.layers.append(layer)

    def pop(self) -> Layer:
        """Removes the last layer and returns it."""
        if self.built:
            raise ThalwegError("the model is already built; remove layers before it gets data")
        if not self.layers:
            raise ArgumentError("the model has no layers")
        return self.layers.pop()

    def get(self, name: str | None, index: int | None) -> Layer:
        """The layer with this name, or at this index."""
        if (name is None) == (index is None):
            raise ArgumentError("get_layer takes either a name or an index")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError(f"the model has {len(self.layers)} layers, none at index {index}")
            return self.layers[index]
        return choose("layer", name, {str(layer.name): layer for layer in self.layers})

    @property
    def input_shape(self) -> Shape:
        """The shape of one row."""
        if self.input is None:
            raise ThalwegError(UNKNOWN_INPUT)
        return self.input.shape

    @property
    def entry(self) -> list[Lookup]:
        """The layers in front that convert the caller's arrays before the network gets them."""
        found: list[Lookup] = []
        for layer in self.layers:
            if not isinstance(layer, Lookup):
                break
            found.append(layer)
        return found

    @property
    def fed_shape(self) -> Shape:
        """The shape of one row as the network gets it."""
        entry = self.entry
        shape = entry[-1].output_shape if entry else self.input_shape
        assert shape is not None
        return shape

    def read(self, x: ArrayLike) -> Array:
        """x as an array of what the first layer takes."""
        entry = self.entry
        array = entry[0].read(x) if entry else batches.to_array(x, "x")
        if not array.ndim or not len(array):
            raise DataError(f"x needs rows, got an array of shape {array.shape}")
        return array

    def feed(self, x: ArrayLike, dtype: DTypeLike) -> Array:
        """x as the network gets it."""
        if not self.entry:
            return batches.input_rows(x, self.input_shape, dtype)
        array = batches.fitted(self.read(x), self.input_shape)
        for layer in self.entry:
            array = layer.convert(array)
        return batches.contiguous(array, dtype, "x")

    @property
    def features_shape(self) -> Shape | None:
        """The input shape of the last layer with weights; None if no layer with weights precedes it."""
        weighted = [layer for layer in self.layers if layer.weighted]
        return weighted[-1].input_shape if len(weighted) > 1 else None

    @contextmanager
    def building(self, input_shape: Sequence[int] | None) -> Iterator[None]:
        """Fixes the shapes; if the code inside the context fails, the graph is as before."""
        if not self.layers:
            raise ThalwegError("the model has no layers: add some first")
        if self.input is None and input_shape is None:
            raise ThalwegError(UNKNOWN_INPUT)
        takes = self.entry[0].takes if self.entry else (NUMBERS,)
        front = self.input or Input(tuple(input_shape or ()), dtype="string" if takes == (TEXT,) else "float32")
        if front.kind == "string" and TEXT not in takes:
            raise ArgumentError(
                f"Input has dtype='string', but layer {self.layers[0].name!r} takes numbers: put StringLookup before it"
            )
        if front.kind != "string" and NUMBERS not in takes:
            raise ArgumentError(f"{self.entry[0].spelled} takes text: give Input({front.shape}, dtype='string')")
        output = connect_all(self.layers, front.shape)
        try:
            yield
        except BaseException:
            for layer in self.layers:
                layer.release()
            raise
        self.input, self.output_shape = front, output  # last: from now on, other threads see it as built
