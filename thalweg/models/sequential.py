"""Sequential: a network as a list of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from thalweg.layers import MODELS, CustomObjects, Input, Layer, deserialize
from thalweg.models.graph import Chain
from thalweg.models.model import Model
from thalweg.support import hooks
from thalweg.support.parts import done_by


class Sequential(Model):
    """A network of layers, one after the other.

    Args:
        layers: the layers; an `Input` at the front fixes the shapes, otherwise they follow from the first data.
        name: the model's name.
        seed: fixes initial weights, shuffling and dropout; drawn from `utils.set_random_seed`'s generator if None.
        engine: "native" (compiled, float32), or "reference" (NumPy, float32 or float64).
        dtype: "float32", or "float64" with the reference engine.

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
        graph.before_drawing = self.build

    @property
    def output(self) -> Any:
        """The output's tensor, from which other models may go on."""
        graph: Any = self._graph
        return graph.draw()

    @property
    def outputs(self) -> list[Any]:
        """The same, in a list."""
        return [self.output]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: CustomObjects | None = None) -> Self:
        """The model whose `get_config` returned this, with new weights."""
        how = {key: config[key] for key in ("name", "seed", "engine", "dtype") if key in config}
        shape, kind = config.get("input_shape"), config.get("input_dtype", "float32")
        front: list[Any] = [] if shape is None else [Input(shape, dtype=kind)]
        return cls([*front, *(deserialize(d, custom_objects) for d in config["layers"])], **how)

    add = done_by("_graph", Chain.add)
    pop = done_by("_graph", Chain.pop)


MODELS["Sequential"] = Sequential
