"""Sequential: a network as a list of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from thalweg.errors import ThalwegError
from thalweg.layers import CustomObjects, Input, Layer, deserialize
from thalweg.models.graph import Chain
from thalweg.models.model import Model
from thalweg.support import hooks


class Sequential(Model):
    """A network of layers, one after the other.

    Args:
        layers: the layers; an `Input` at the front fixes the shapes, otherwise they follow from the first data.
        name: the model's name.
        seed: fixes initial weights, shuffling and dropout; drawn from `utils.set_random_seed`'s generator if None.
        engine: "native" (compiled, float32), "reference" (NumPy, float32 or float64), or "jax" (JAX, float32 or
            float64: for GPUs, TPUs and several hosts).
        dtype: "float32", or "float64" with the reference and the jax engine.

    >>> import numpy as np
    >>> import thalweg
    >>> from thalweg.layers import Dense
    >>> model = Sequential([thalweg.Input((2,)), Dense(8, activation="tanh"), Dense(1, activation="sigmoid")], seed=1)
    >>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> history = model.fit(x, [0, 1, 1, 0], epochs=1000, verbose=0)
    >>> model.predict(x).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    uncalled = hooks.SEQUENTIAL
    _graph: Chain

    def __init__(
        self,
        layers: Sequence[Layer | Input] | None = None,
        name: str | None = None,
        *,
        seed: int | None = None,
        engine: str = "native",
        dtype: str = "float32",
    ) -> None:
        graph = Chain(layers, name)
        self._assemble(graph, seed, engine, dtype)
        graph.build = self.build

    @property
    def output(self) -> Any:
        """The output's tensor, from which other models may go on."""
        return self._graph.draw()

    @property
    def outputs(self) -> list[Any]:
        """The same, in a list."""
        return [self.output]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: CustomObjects | None = None) -> Self:
        """The model whose `get_config` returned this, with new weights."""
        how = {key: config[key] for key in ("name", "seed", "engine", "dtype") if key in config}
        shape, kind = config.get("input_shape"), config.get("input_dtype", "float32")
        front: list[Any] = [] if shape is None else [Input(shape, dtype=kind, batch_size=config.get("batch_size"))]
        return cls([*front, *(deserialize(d, custom_objects) for d in config["layers"])], **how)

    def add(self, layer: Layer | Input) -> None:
        """Appends a layer. The others keep their weights; a compiled model's optimizer starts over.

        >>> from thalweg.layers import Dense
        >>> model = Sequential([Input((4,)), Dense(3)])
        >>> model.count_params()
        15
        >>> model.add(Dense(2))
        >>> model.output_shape
        (None, 2)
        """
        with self.changing():
            self._graph.add(layer)

    def pop(self) -> Layer:
        """Removes the last layer and returns it. The others keep their weights; the optimizer starts over."""
        with self.changing():
            return self._graph.pop()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Inside, the layers may change: afterwards the model is built again for the same input."""
        self._trainer.check("change its layers")
        if vars(self).get("results"):
            raise ThalwegError(f"{self.name!r} is a layer of another model by now: add and remove layers before")
        yield
        if self.built:
            self._graph.output_shapes = []
            self._weights.placed = False
            self._compiled.restart()
            self._predictor = None
