"""What a model is before it is trained: layers in order, their shapes, and all their weights in one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg import utils
from thalweg.engine import aligned
from thalweg.engine.contract import Array
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import Input, Layer
from thalweg.layers.core import connect_all, name_layers
from thalweg.layers.layer import Parameter, Shape, set_arrays
from thalweg.program.ir.memory import align
from thalweg.support.checks import whole
from thalweg.support.hooks import Hooked
from thalweg.support.naming import choose
from thalweg.support.once import making
from thalweg.support.printing import out
from thalweg.support.terminal import columns
from thalweg.support.typesetting import table


class Stack(Hooked):
    """Base of `Sequential`: everything about its layers and weights."""

    def __init__(
        self, layers: Sequence[Layer] | None, name: str | None, seed: int | None, engine: str, dtype: str
    ) -> None:
        self.name = name or "sequential"
        self.seed = utils.draw_seed() if seed is None else whole("Sequential's seed", seed, least=0)
        self.engine = choose("engine", engine, ("native", "reference"))
        kind = getattr(dtype, "__name__", None) or str(dtype)  # np.float64, np.dtype("float64") or "float64"
        self.dtype = np.dtype(choose("dtype", kind, ("float32", "float64")))
        if engine == "native" and self.dtype != np.float32:
            raise ArgumentError("the native engine computes in float32; dtype='float64' needs engine='reference'")
        self.input: Input | None = None
        self._layers: list[Layer] = []
        self.output_shape: Shape | None = None
        self.vector = np.zeros(0, self.dtype)  # every parameter, at the offset its buffer has
        for layer in layers or []:
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without `Input`."""
        return list(self._layers)

    def add(self, layer: Layer) -> None:
        """Appends a layer."""
        if isinstance(layer, type) or not isinstance(layer, Layer):
            raise ArgumentError(f"a model is made of layers, got {layer!r}")
        if self.built:
            raise ThalwegError("the model is already built; add layers before it meets data, or make a new model")
        if isinstance(layer, Input):
            if self.input is not None or self._layers:
                raise ArgumentError("Input comes first, and once")
            self.input = layer
        else:
            if any(layer is other for other in self._layers):
                raise ArgumentError(f"layer {layer.name!r} is in the model already; make a new one for a second place")
            layer.check_free()
            name_layers([*self._layers, layer])
            self._layers.append(layer)

    def pop(self) -> Layer:
        """Removes the last layer and returns it."""
        if self.built:
            raise ThalwegError("the model is already built; take layers away before it meets data")
        if not self._layers:
            raise ArgumentError("the model has no layers")
        return self._layers.pop()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name, or at that place."""
        if (name is None) == (index is None):
            raise ArgumentError("get_layer takes either a name or an index")
        if index is not None:
            if not -len(self._layers) <= index < len(self._layers):
                raise ArgumentError(f"the model has {len(self._layers)} layers, there is none at {index}")
            return self._layers[index]
        return choose("layer", name, {str(layer.name): layer for layer in self._layers})

    def __repr__(self) -> str:
        state = "built" if self.built else "not built"
        return f"<{type(self).__name__} {self.name}: {len(self._layers)} layers, {state}>"

    @property
    def trainable(self) -> bool:
        """Whether training changes any layer. Setting it sets `trainable` of every layer that is there, as in Keras."""
        return any(layer.trainable for layer in self._layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._layers:
            layer.trainable = bool(value)

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights made."""
        return self.output_shape is not None

    @property
    def input_shape(self) -> Shape:
        """The shape of one row."""
        if self.input is None:
            raise ThalwegError("the input shape isn't known yet: begin with Input(shape), or give data")
        return self.input.shape

    @property
    def features_shape(self) -> Shape | None:
        """The shape of what the last layer with weights reads; None if none with weights stands before it."""
        weighted = [layer for layer in self._layers if layer.weighted]
        return weighted[-1].input_shape if len(weighted) > 1 else None

    def build(self, input_shape: Sequence[int] | None = None) -> None:
        """Fixes the shapes and makes the initial weights; called by itself when needed. `input_shape` is one row's."""
        if not self.built:
            self.lay_out(input_shape, draw=True)

    def lay_out(
        self,
        input_shape: Sequence[int] | None = None,
        draw: bool = False,
        check: Callable[[dict[str, Shape]], None] | None = None,
    ) -> None:
        """Fixes the shapes and makes the parameter vector: the initial weights, or 0 for those from elsewhere.

        `check` gets the shape of every parameter, by name, before there is memory for any.
        """
        with making:
            if self.built:  # by another thread
                return
            if not self._layers:
                raise ThalwegError("the model has no layers: add some first")
            if self.input is None and input_shape is None:
                raise ThalwegError("the input shape isn't known yet: begin with Input(shape), or give data")
            front = self.input or Input(tuple(input_shape or ()))
            output = connect_all(self._layers, front.shape)
            try:
                if check is not None:
                    check({name: parameter.buffer.shape for name, parameter in self.named_parameters()})
                self._place_parameters()
                if draw:
                    self._draw()
            except BaseException:  # an initializer that can't: the model is as it was
                for layer in self._layers:
                    layer.release()
                raise
            self.input, self.output_shape = front, output  # last: now other threads take it as built

    def _place_parameters(self) -> None:
        """Lays every parameter into one vector, and numbers their printed names."""
        named = self.named_parameters()
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
        self._bind_parameters()

    def _draw(self) -> None:
        """The initial weights, each array a draw of its own."""
        generator = np.random.default_rng(self.seed)
        for path, parameter in self.named_parameters():
            assert parameter.array is not None
            parameter.array[...] = parameter.initializer.of(path)(parameter.buffer.shape, generator)

    def _bind_parameters(self) -> None:
        """Makes every parameter's array the view of its stretch of the vector."""
        for _, parameter in self.named_parameters():
            buffer = parameter.buffer
            parameter.array = self.vector[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(layer/key, parameter) of every array of weights, in order."""
        return [pair for layer in self._layers for pair in layer.all_parameters()]

    def live_parameters(self) -> list[tuple[str, Parameter]]:
        """Those that training changes, moving averages included."""
        return [pair for layer in self._layers for pair in layer.live_parameters()]

    def trained_parameters(self) -> list[tuple[str, Parameter]]:
        """Those that training changes: not those of layers with `trainable = False`."""
        return [pair for layer in self._layers for pair in layer.trained_parameters()]

    def count_params(self) -> int:
        """How many weights the model has."""
        self.build()
        return sum(p.buffer.size for _, p in self.named_parameters())

    def get_weights(self) -> list[Array]:
        """Copies of all arrays of weights: kernel and bias of the first layer, of the second, …"""
        self.build()
        return [np.array(p.array) for _, p in self.named_parameters()]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replaces all arrays of weights; a wrong number or shape changes nothing."""
        self.build()
        set_arrays(self.named_parameters(), list(weights))

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints every layer with its output shape and number of weights."""
        self.build()
        lines = [["Layer (type)", "Output Shape", "Param #"]]
        for layer in self._layers:
            shape = (None, *(layer.output_shape or ()))
            lines.append([f"{layer.name} ({type(layer).__name__})", str(shape), f"{layer.count_params():,}"])
        count = self.count_params()
        text = table(lines, (2,), columns() if print_fn is None else None)
        rule = "─" * max(len(line) for line in text.splitlines())
        first, _, rest = text.partition("\n")
        size = f"({count * self.dtype.itemsize / 1024:,.2f} KB)"
        trained = sum(p.buffer.size for _, p in self.trained_parameters())
        if trained < count:
            size += f"\nTrainable params: {trained:,}\nNon-trainable params: {count - trained:,}"
        show = out if print_fn is None else print_fn
        show(f'Model: "{self.name}"\n{rule}\n{first}\n{rule}\n{rest}\n{rule}\nTotal params: {count:,} {size}')
