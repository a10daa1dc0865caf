"""thalweg through its public methods, with all their overhead and its own choice of lanes."""

from __future__ import annotations

from typing import Any

import thalweg
from benchmarks.convolutions import Convolution
from benchmarks.graphs import Graph
from benchmarks.images import Images
from benchmarks.peers.base import EPSILON, Arrays, Prediction, Training
from benchmarks.workloads import Workload
from thalweg import layers

LOSSES = {"classes": "sparse_categorical_crossentropy", "number": "mse", "binary": "binary_crossentropy"}


def image_layers(description: Any) -> list[layers.Layer]:
    """A network for images in thalweg's layers; the classifier's softmax is left to the loss."""
    result: list[layers.Layer] = []
    for kind, *values in description:
        if kind == "conv":
            result.append(layers.Conv2D(values[0], values[1], padding=values[2], use_bias=values[3]))
        elif kind == "dense":
            result.append(layers.Dense(values[0], values[1]))
        elif kind == "residual":
            result += [residual(*values), layers.Activation("relu")]
        else:
            simple: dict[str, Any] = {
                "relu": lambda: layers.Activation("relu"),
                "pool": layers.MaxPooling2D,
                "average": layers.AveragePooling2D,
                "global": layers.GlobalAveragePooling2D,
                "flatten": layers.Flatten,
                "dropout": layers.Dropout,
                "norm": layers.BatchNormalization,
            }
            result.append(simple[kind](*values))
    return result


def residual(filters: int, strides: int) -> layers.Layer:
    """He et al.'s block; if it halves the image, the shortcut is a 1×1 convolution with normalisation."""
    block = [
        layers.Conv2D(filters, 3, strides, "same", use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
    ]
    shortcut = [layers.Conv2D(filters, 1, strides, use_bias=False), layers.BatchNormalization()]
    return layers.Residual(block, shortcut if strides > 1 else None)


def network(work: Workload, number: int = 0, engine: str = "native") -> Any:
    """The network, not compiled, with its initial weights."""
    if isinstance(work, Graph):
        from benchmarks.peers.our_graphs import network as graph  # needs operations, which another version lacks

        return graph(work)
    if isinstance(work, Images):
        inside = [*image_layers(work.layers), layers.Activation("softmax")]
        model = thalweg.Sequential([thalweg.Input(work.image), *inside], seed=number, engine=engine)
        model.set_weights(work.weights(number))
        return model
    output = "softmax" if work.task == "classes" else work.activation
    activations = [work.activation] * (len(work.sizes) - 2) + [output]
    dense = [layers.Dense(n, activation=a) for n, a in zip(work.sizes[1:], activations, strict=True)]
    model = thalweg.Sequential([thalweg.Input((work.sizes[0],)), *dense], seed=number, engine=engine)
    model.set_weights(work.weights(number))
    return model


def compiled(work: Workload, model: Any) -> Any:
    if work.optimizer == "adam":
        optimizer: Any = thalweg.optimizers.Adam(work.learning_rate, epsilon=EPSILON)
    else:
        optimizer = thalweg.optimizers.SGD(work.learning_rate)
    model.compile(optimizer=optimizer, loss=LOSSES[work.task])
    return model


class Fit(Training):
    engine = "native"

    def make(self) -> None:
        self.models = [network(self.work, n, self.engine) for n in range(self.work.networks)]
        for model in self.models:
            compiled(self.work, model)

    def start(self) -> None:
        for number, model in enumerate(self.models):
            compiled(self.work, model)
            model.set_weights(self.work.weights(number))

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        self.models[0].fit(x, y, self.work.batch, epochs, verbose=0, shuffle=shuffle, lanes=self.work.lanes)

    def weights(self, network: int) -> Arrays:
        result: Arrays = self.models[network].get_weights()
        return result


class FitMany(Fit):
    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        thalweg.fit_many(self.models, x, y, batch_size=self.work.batch, epochs=epochs, shuffle=shuffle)


class Predict(Prediction):
    def make(self) -> None:
        self.model = network(self.work)

    def predict(self, x: Any) -> Any:
        return self.model.predict(x, verbose=0)


def variants(work: Workload) -> dict[str, Any]:
    if isinstance(work, Convolution):
        from benchmarks.peers.our_convolution import Convolve  # uses internals that another version lacks

        return {"": Convolve}
    return {"": {"fit": Fit, "predict": Predict, "fit many": FitMany}[work.does]}
