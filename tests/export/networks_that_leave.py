"""Networks that leave: each public layer alone, each activation, and some that are put together."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from activation_rows import ROWS as ACTIVATIONS
from layer_rows import ROWS as LAYERS
from layer_rows import alone
from lookup_rows import LOOKUPS
from networks import NETWORKS as OTHERS
from networks import network

from thalweg import Input, Model, Sequential
from thalweg.activations import NAMES
from thalweg.layers import Activation, Layer

BEFORE: set[type[Layer]] = set(LOOKUPS)
"""Layers that read texts and categories before the program begins."""


class Row(NamedTuple):
    name: str
    make: Callable[[], Model]
    kind: type[Layer] | str  # the layer, or the activation's name


def changed(model: Model) -> Model:
    """With weights that are neither 0 nor 1, and of both signs but for variances."""
    draw = np.random.default_rng(1)
    model.set_weights([w + draw.uniform(0.05, 0.3, w.shape) for w in model.get_weights()])
    return model


def layer_rows() -> Iterator[Row]:
    for kind, cases in LAYERS.items():
        for n, (make, shape, *_) in enumerate(cases):
            yield Row(f"{kind.__name__}{n}", lambda make=make, shape=shape: changed(alone(make(), shape)), kind)


def activation_rows() -> Iterator[Row]:
    for n, row in enumerate(ACTIVATIONS):
        function = NAMES[row.name].using(**row.arguments)
        yield Row(f"{row.name}{n}", lambda f=function: Sequential([Input((8,)), Activation(f)]), row.name)


def built(name: str) -> Model:
    model = network(name)
    model.build()
    return model


ROWS = [*layer_rows(), *activation_rows()]
TOGETHER = [Row(f"network {name}", lambda name=name: built(name), "") for name in OTHERS]
PYTHON = ("Activation5", "network own output")  # with Python functions, which no other language has


def inputs(model: Model, rows: int) -> list[Any]:
    """Rows for each input; ids where it takes them."""
    draw, compiled = np.random.default_rng(0), model._compiled
    arrays = [2 * draw.normal(size=(rows, *shape)) for shape in compiled.graph.fed_shapes]
    for ids in compiled.id_inputs():
        x = arrays[ids.number]
        x[:] = draw.integers(0, ids.size, x.shape)
    return [x.astype(np.float32) for x in arrays]


def predictions(model: Model, arrays: list[Any]) -> list[Any]:
    """What the engine says, of each output."""
    found = model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
    return list(found) if isinstance(found, list | tuple) else [found]
