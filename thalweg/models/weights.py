"""The weights of a model: all in one vector, of which every parameter's array is a view.

Models with common layers (an encoder, and the autoencoder around it) share the vector, and with it what they learn.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.engine import aligned
from thalweg.engine.contract import Array
from thalweg.errors import ArgumentError
from thalweg.layers.keywords import check_types
from thalweg.layers.layer import Layer, Shape
from thalweg.layers.variables import Parameter
from thalweg.models.graph import Graph
from thalweg.ops.variable import set_arrays
from thalweg.program.ir.alignment import align
from thalweg.support.naming import choose
from thalweg.support.once import making


class Vector:
    """The parameters of one model, or of several that have some in common, at their places in one vector."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.values = np.zeros(0, dtype)  # every parameter, at the offset its buffer has
        self.parameters: list[Parameter] = []
        self.numbers: dict[str, int] = {}  # of the layers, in the printed names of their weights
        self.models: weakref.WeakSet[Weights] = weakref.WeakSet()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"models": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.models = weakref.WeakSet()

    def take(self, named: Iterable[tuple[str, Parameter]]) -> list[tuple[str, Parameter]]:
        """Gives places to parameters that have none here, with those that share theirs.

        Those that were here stay at their offset, so that training can go on. Returns the ones without numbers.
        """
        named = list(named)
        others = {id(p.home): p.home for _, p in named if p.home not in (None, self)}
        moved = [p for home in others.values() for p in home.parameters]
        coming = {id(p): p for p in moved} | {id(p): p for _, p in named if p.home is None}
        fresh = [(path, p) for path, p in named if p.array is None]
        if not coming:
            return fresh
        before = {id(p): np.array(p.array) for p in [*self.parameters, *coming.values()] if p.array is not None}
        old = {id(p): p.buffer.offset for p in moved}
        places = {id(p): path for path, p in named}
        end = max((p.buffer.offset + p.buffer.size for p in self.parameters), default=0)
        for key, parameter in coming.items():
            parameter.buffer.offset = end = align(end)  # at the start of a cache line
            end += parameter.buffer.size
            parameter.home = self
            self.parameters.append(parameter)
            if key in places:
                self.number(places[key], parameter)
        self.values = aligned(end, self.values.dtype)
        self.bind()
        for parameter in self.parameters:
            if id(parameter) in before and parameter.array is not None:
                parameter.array[...] = before[id(parameter)]
        for model in list(self.models):
            model.moved({})
        for home in others.values():
            for model in list(home.models):
                model.vector_of = self
                self.models.add(model)
                model.moved(old)
        self.rename()
        return fresh

    def number(self, path: str, parameter: Parameter) -> None:
        """Notes the number of the parameter's layer."""
        layer = path.rpartition("/")[0]
        parameter.number = self.numbers.setdefault(layer, len(self.numbers) + 1)

    def rename(self) -> None:
        """The printed names: the key, and the layer's number if there are several."""
        for parameter in self.parameters:
            key = parameter.key.rpartition("/")[2]
            parameter.buffer.name = key + (str(parameter.number) if len(self.numbers) > 1 else "")

    def bind(self) -> None:
        """Makes every parameter's array the view of its part of the vector."""
        for parameter in self.parameters:
            buffer = parameter.buffer
            parameter.array = self.values[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)


class Weights:
    """A graph's parameters; their vector exists once the graph is built."""

    def __init__(self, graph: Graph, dtype: str) -> None:
        self.graph = graph
        self.compute_in(dtype)
        self.placed = False
        self.listeners: list[Callable[[dict[int, int]], None]] = []  # called with old offsets when the vector has moved

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.placed:
            self.vector_of.models.add(self)
            self.vector_of.bind()

    def compute_in(self, dtype: str) -> None:
        """Sets the type of the weights and of all computed values, before there are any."""
        kind = getattr(dtype, "__name__", None) or str(dtype)  # np.float64, np.dtype("float64") or "float64"
        self.dtype = np.dtype(choose("dtype", kind, ("float32", "float64")))
        self.vector_of = Vector(self.dtype)

    @property
    def vector(self) -> Array:
        """All weights, and those of models with common layers."""
        return self.vector_of.values

    def moved(self, old: dict[int, int]) -> None:
        """Tells what depends on the weights' places that they have changed: id of a parameter → its old offset."""
        for listener in self.listeners:
            listener(old)

    def build(
        self, input_shape: Any = None, seed: int | None = None, check: Callable[[dict[str, Shape]], None] | None = None
    ) -> None:
        """Fixes the graph's shapes and makes the vector: initial weights drawn with the seed, or zeros without one.

        `check` gets the shape of every parameter, by name, before any memory is allocated.
        """
        with making:
            if self.placed:  # by another thread
                return
            with self.graph.building(input_shape):
                if check is not None:
                    check({name: parameter.buffer.shape for name, parameter in self.named()})
                self.place(seed)
            self.placed = True

    def place(self, seed: int | None) -> None:
        """Places every parameter in one vector, and draws the initial weights of the new ones."""
        check_types(self.graph.layers, self.dtype.name)
        named = self.named()
        homes = [p.home for _, p in named if p.home is not None]
        if homes:
            if homes[0].values.dtype != self.dtype:
                raise ArgumentError(
                    f"{self.graph.name!r} computes in {self.dtype}, a model with the same layers in "
                    f"{homes[0].values.dtype}"
                )
            self.vector_of = homes[0]
        fresh = self.vector_of.take(named)
        self.vector_of.models.add(self)
        if seed is not None:
            generator = np.random.default_rng(seed)
            try:
                for path, parameter in fresh:
                    assert parameter.array is not None
                    parameter.array[...] = parameter.initializer.of(path)(parameter.buffer.shape, generator)
            except BaseException:  # an initializer can't: as if they had never been placed
                for _, parameter in fresh:
                    parameter.home = parameter.array = None
                if not homes:
                    self.vector_of = Vector(self.dtype)
                raise

    def named(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of every array of weights, in the order in which they lie in memory and in files."""
        return unique(pair for layer in self.graph.layers for pair in layer.all_parameters())

    def listed(self) -> list[tuple[str, Parameter]]:
        """The same in Keras's order of layers, which `get_weights` and `set_weights` have."""
        places = {id(parameter): place for place, parameter in enumerate(within(self.graph.listed))}
        return sorted(self.named(), key=lambda pair: places[id(pair[1])])

    def live(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of those that training changes, moving averages included."""
        return unique(pair for layer in self.graph.layers for pair in layer.live_parameters())

    def trained(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of those that gradients change: none of layers with `trainable = False`."""
        return unique(pair for layer in self.graph.layers for pair in layer.trained_parameters())

    def count(self) -> int:
        """The number of weights."""
        return sum(p.buffer.size for _, p in self.named())

    def get(self) -> list[Array]:
        """Copies of all arrays."""
        return [np.array(p.array) for _, p in self.listed()]

    def set(self, weights: Sequence[ArrayLike]) -> None:
        """Replaces all arrays; if their number or a shape is wrong, nothing changes."""
        set_arrays(self.listed(), list(weights))


def within(layers: Iterable[Layer]) -> Iterator[Parameter]:
    """The parameters of these layers and of those inside them, in Keras's order."""
    for layer in layers:
        yield from layer.parameters
        yield from within(layer.listed)


def unique(pairs: Iterable[tuple[str, Parameter]]) -> list[tuple[str, Parameter]]:
    """Each parameter once, under its first name."""
    return list({id(pair[1]): pair for pair in reversed(list(pairs))}.values())[::-1]
