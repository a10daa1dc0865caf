"""The weights of a model: all in one vector, of which every parameter's array is a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from thalweg.engine import aligned
from thalweg.engine.contract import Array
from thalweg.layers.layer import Parameter, Shape, set_arrays
from thalweg.models.graph import Graph
from thalweg.program.ir.memory import align
from thalweg.support.naming import choose
from thalweg.support.once import making


class Weights:
    """A graph's parameter vector, which exists once the graph is built."""

    def __init__(self, graph: Graph, dtype: str) -> None:
        self.graph = graph
        kind = getattr(dtype, "__name__", None) or str(dtype)  # np.float64, np.dtype("float64") or "float64"
        self.dtype = np.dtype(choose("dtype", kind, ("float32", "float64")))
        self.vector = np.zeros(0, self.dtype)  # every parameter, at the offset its buffer has

    def build(
        self,
        input_shape: Sequence[int] | None = None,
        seed: int | None = None,
        check: Callable[[dict[str, Shape]], None] | None = None,
    ) -> None:
        """Fixes the graph's shapes and makes the vector: initial weights drawn with the seed, or zeros without one.

        `check` gets the shape of every parameter, by name, before any memory is allocated.
        """
        with making:
            if self.graph.built:  # by another thread
                return
            with self.graph.building(input_shape):
                if check is not None:
                    check({name: parameter.buffer.shape for name, parameter in self.named()})
                self.place()
                if seed is not None:
                    self.draw(seed)  # raises if an initializer can't

    def place(self) -> None:
        """Places every parameter in one vector, and numbers the printed names."""
        named = self.named()
        numbers: dict[str, int] = {}
        for path, _ in named:
            numbers.setdefault(path.rpartition("/")[0], len(numbers) + 1)
        offset = 0
        for path, parameter in named:
            parameter.buffer.offset = offset  # at the start of a cache line
            number = numbers[path.rpartition("/")[0]]
            parameter.buffer.name = parameter.key + (str(number) if len(numbers) > 1 else "")
            offset = align(offset + parameter.buffer.size)
        last = named[-1][1].buffer if named else None
        self.vector = aligned(last.offset + last.size if last else 0, self.dtype)
        self.bind()

    def draw(self, seed: int) -> None:
        """Draws the initial weights, array by array."""
        generator = np.random.default_rng(seed)
        for path, parameter in self.named():
            assert parameter.array is not None
            parameter.array[...] = parameter.initializer.of(path)(parameter.buffer.shape, generator)

    def bind(self) -> None:
        """Makes every parameter's array the view of its part of the vector."""
        for _, parameter in self.named():
            buffer = parameter.buffer
            parameter.array = self.vector[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)

    def named(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of every array of weights, in order."""
        return [pair for layer in self.graph.layers for pair in layer.all_parameters()]

    def live(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of those that training changes, moving averages included."""
        return [pair for layer in self.graph.layers for pair in layer.live_parameters()]

    def trained(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of those that gradients change: none of layers with `trainable = False`."""
        return [pair for layer in self.graph.layers for pair in layer.trained_parameters()]

    def count(self) -> int:
        """The number of weights."""
        return sum(p.buffer.size for _, p in self.named())

    def get(self) -> list[Array]:
        """Copies of all arrays."""
        return [np.array(p.array) for _, p in self.named()]

    def set(self, weights: Sequence[ArrayLike]) -> None:
        """Replaces all arrays; if their number or a shape is wrong, nothing changes."""
        set_arrays(self.named(), list(weights))
