"""Keras on JAX: `fit` and `predict` as they are, and what may be faster: many steps per execution, batch calls."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from benchmarks.convolutions import Convolution
from benchmarks.graphs import Graph
from benchmarks.images import Images
from benchmarks.peers.base import EPSILON, Arrays, Prediction, Training
from benchmarks.peers.keras_graphs import network as graph
from benchmarks.workloads import Workload


def image_layer(kind: str, *values: Any) -> Any:
    """One layer of a network for images."""
    if kind == "conv":
        return keras.layers.Conv2D(values[0], values[1], padding=values[2], use_bias=values[3])
    kinds = {
        "relu": keras.layers.ReLU,
        "pool": keras.layers.MaxPooling2D,
        "average": keras.layers.AveragePooling2D,
        "flatten": keras.layers.Flatten,
        "dropout": keras.layers.Dropout,
        "dense": keras.layers.Dense,
    }
    return kinds[kind](*values)


def network(work: Workload, output: str | None) -> Any:
    if isinstance(work, Graph):
        return graph(work)
    if isinstance(work, Images):
        inside = [image_layer(*layer) for layer in work.layers]
        model = keras.Sequential([keras.Input(work.image), *inside])
        model.set_weights(work.weights())
        return model
    activations = [work.activation] * (len(work.sizes) - 2) + [output]
    dense = [keras.layers.Dense(n, activation=a) for n, a in zip(work.sizes[1:], activations, strict=True)]
    model = keras.Sequential([keras.Input((work.sizes[0],)), *dense])
    model.set_weights(work.weights())
    return model


class Fit(Training):
    def __init__(self, work: Workload, steps: int = 1, by_batch: bool = False) -> None:
        self.steps, self.by_batch = steps, by_batch
        super().__init__(work)

    def make(self) -> None:
        self.generator = np.random.default_rng(2)
        self.start()

    def start(self) -> None:
        work = self.work
        if work.optimizer == "adam":
            optimizer: Any = keras.optimizers.Adam(work.learning_rate, epsilon=EPSILON)
        else:
            optimizer = keras.optimizers.SGD(work.learning_rate)
        losses: dict[str, Any] = {
            "classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "binary": keras.losses.BinaryCrossentropy(from_logits=True),
            "number": "mse",
        }
        self.model = network(work, None if work.task == "classes" else work.activation)
        self.model.compile(optimizer=optimizer, loss=losses[work.task], steps_per_execution=self.steps)

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        if not self.by_batch:
            self.model.fit(x, y, self.work.batch, epochs, shuffle=shuffle, verbose=0)
            return
        for _ in range(epochs):
            order = self.generator.permutation(len(x)) if shuffle else np.arange(len(x))
            for start in range(0, len(x), self.work.batch):
                rows = order[start : start + self.work.batch]
                whole = len(rows) == len(x)
                self.model.train_on_batch(x if whole else x[rows], y if whole else y[rows])

    def weights(self, network: int) -> Arrays:
        return [np.asarray(w) for w in self.model.get_weights()]


class Predict(Prediction):
    def __init__(self, work: Workload, batch: int | None = None, call: str = "predict") -> None:
        self.batch, self.call = batch, call
        super().__init__(work)

    def make(self) -> None:
        self.model = network(self.work, "softmax")

    def predict(self, x: Any) -> Any:
        if self.call == "call":
            return np.asarray(self.model(x))
        if self.call == "on batch":
            return self.model.predict_on_batch(x)
        return self.model.predict(x, batch_size=self.batch, verbose=0)


def variants(work: Workload) -> dict[str, Any]:
    if isinstance(work, Convolution):
        return {}
    if isinstance(work, Images) and any(layer[0] == "residual" for layer in work.layers):
        return {}
    if work.does == "predict":
        calls = {"predict_on_batch": partial(Predict, call="on batch"), "call": partial(Predict, call="call")}
        large = {f"predict, batch {n:,}": partial(Predict, batch=n) for n in (8192,) if n < work.rows}
        return {"predict": Predict, **large, **calls}
    if work.does == "fit many":
        return {}
    several = {"fit, 20 steps an execution": partial(Fit, steps=20)} if work.steps >= 20 else {}
    if isinstance(work, Graph):
        return {"fit": Fit, **several}
    return {"fit": Fit, **several, "train_on_batch": partial(Fit, by_batch=True)}
