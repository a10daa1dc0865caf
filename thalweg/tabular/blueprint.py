"""The network of one member, and the graph of all of them, from ordinary layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from thalweg import initializers, layers, losses, ops, optimizers, regularizers, schedules
from thalweg.data.recipe import recipe
from thalweg.errors import ArgumentError
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.tabular.qualities import Settings

Array = NDArray[Any]

RATE = 0.04
BETAS = (0.9, 0.95)
FLAT = 0.5
SMALL = 0.1
"""The learning-rate factor of biases and embeddings."""
CLASS_DROPOUT = 0.15
TEXT_DROPOUT, TEXT_RATE = 0.5, 0.1
"""Of free text: the share of its inputs dropped in training, and a factor of its weights' learning rate."""
FREQUENCIES, EMBEDDED = 16, 3
TEXTS = "texts"


@dataclass(frozen=True)
class Blueprint:
    """What a member's network is made of. Trials of each part: docs/tables.md.

    Attributes:
        inputs: columns of the matrix.
        numbers: those that hold scaled numbers, which get an embedding and codes.
        edges: of the codes, a list for each of the numbers.
        texts: the columns of free text. The first hidden layer has a kernel of their own for them.
        task, outputs: of the target.
        settings: units, activation, …
    """

    inputs: int
    numbers: tuple[int, ...]
    edges: tuple[tuple[float, ...], ...]
    texts: tuple[int, ...]
    task: str
    outputs: int
    settings: Settings

    @property
    def loss(self) -> losses.Loss:
        """The loss; ArgumentError for one that doesn't fit the task."""
        loss = losses.get(self.settings.loss or recipe(self.task).loss)
        recipe(self.task).activation_for(loss)
        return loss

    def logits(self, x: Any, name: str) -> Any:
        """The pre-activations of the output, (rows, outputs), of a network whose layers' names begin with `name`."""
        h, said = self.embedded(x, name), self.said(x, name)
        for number, (units, activation) in enumerate(self.hidden(), start=1):
            made = self.initial(h) | self.penalty()
            if self.settings.batch_normalization or said is not None:
                h = layers.Dense(units, name=f"{name}_hidden_{number}", **made)(h)
                if said is not None:
                    made = self.initial(said) | self.penalty() | {"bias_initializer": "zeros", "use_bias": False}
                    h, said = h + layers.Dense(units, name=f"{name}_{TEXTS}", **made)(said), None
                if self.settings.batch_normalization:
                    h = layers.BatchNormalization(momentum=0.9, name=f"{name}_normalized_{number}")(h)
                h = layers.Activation(activation, name=f"{name}_activation_{number}")(h)
            else:
                h = layers.Dense(units, activation, name=f"{name}_hidden_{number}", **made)(h)
            if self.dropout:
                h = layers.Dropout(self.dropout, name=f"{name}_dropout_{number}")(h)
        last = layers.Dense(self.outputs, kernel_initializer="zeros", name=f"{name}_output", **self.penalty())
        return last(h)

    def penalty(self) -> dict[str, Any]:
        """The penalty on a kernel, if one was asked for."""
        return {"kernel_regularizer": regularizers.L2(self.settings.l2)} if self.settings.l2 else {}

    def embedded(self, x: Any, name: str) -> Any:
        """The inputs, and beside them an embedding and codes of the numbers; without free text, if there is more."""
        if self.only_texts:
            return layers.Dropout(TEXT_DROPOUT, name=f"{name}_said")(x)
        taken = sorted(set(range(self.inputs)) - set(self.texts))
        given = ops.take(x, taken, axis=-1) if self.texts else x
        if not self.numbers:
            return given
        numbers = x if self.numbers == tuple(range(self.inputs)) else ops.take(x, list(self.numbers), axis=-1)
        made = [layers.PeriodicEmbedding(FREQUENCIES, EMBEDDED, name=f"{name}_embedding")(numbers)]
        if any(self.edges):
            made.append(layers.PiecewiseLinearEncoding(self.edges, name=f"{name}_codes")(numbers))
        return layers.Concatenate(name=f"{name}_inputs")([given, *made])

    def said(self, x: Any, name: str) -> Any:
        """The inputs of free text, if there are others too; else None."""
        if not self.texts or self.only_texts:
            return None
        return layers.Dropout(TEXT_DROPOUT, name=f"{name}_said")(ops.take(x, list(self.texts), axis=-1))

    @property
    def only_texts(self) -> bool:
        """Whether all inputs are of free text."""
        return len(self.texts) == self.inputs

    def hidden(self) -> list[tuple[int, Any]]:
        """Units and activation of each hidden layer."""
        units, given = self.settings.layers, self.settings.activation
        each = list(given) if isinstance(given, (list, tuple)) else [given] * len(units)
        if len(each) != len(units):
            raise ArgumentError(f"activation has {len(each)} entries for {len(units)} hidden layers: give one for each")
        return list(zip(units, each, strict=True))

    @property
    def dropout(self) -> float:
        """The share of hidden units dropped in training."""
        given = self.settings.dropout
        return given if given is not None else 0.0 if self.task == "regression" else CLASS_DROPOUT

    def initial(self, h: Any) -> dict[str, Any]:
        """W ~ N(0, 1/inputs) and b ~ N(0, 1), or the initial weights asked for, with b = 0."""
        if self.settings.initial_weights is not None:
            return {"kernel_initializer": self.settings.initial_weights}
        spread = 1 / math.sqrt(h.shape[-1])
        return {
            "kernel_initializer": initializers.RandomNormal(stddev=spread),
            "bias_initializer": initializers.RandomNormal(stddev=1.0),
        }

    def member(self, number: int, seed: int, steps: int) -> tuple[Model, Model]:
        """The network to train, compiled for `steps` steps, and the same without the output's activation."""
        loss, x = self.loss, layers.Input((self.inputs,), name="columns")
        h = self.logits(x, name := named(number))
        activation = recipe(self.task).activation_for(loss)
        y = h if activation == "linear" else layers.Activation(activation, name=f"{name}_probability")(h)
        model, bare = Functional(x, y, name=name, seed=seed), Functional(x, h, name=f"{name}_logits", seed=seed)
        model.compile(self.optimizer(model, steps), loss)
        return model, bare

    def optimizer(self, model: Model, steps: int) -> optimizers.Optimizer:
        """Adam, its rate in each layer by the layer's width; or the one asked for, at its own rate in all layers.

        The rate is flat for the first half of the steps, then falls to 0 as half a cosine.
        """
        given, rate = self.settings.optimizer, self.settings.learning_rate
        if given is None:
            schedule = schedules.FlatCos(rate or RATE, total_steps=steps, flat=FLAT)
            factors = self.factors(model)
            return optimizers.Adam(schedule, beta_1=BETAS[0], beta_2=BETAS[1], learning_rate_factors=factors)
        chosen = optimizers.get(optimizers.serialize(optimizers.get(given)))  # one of its own for each member
        if chosen.schedule is None:
            chosen.set_learning_rate(schedules.FlatCos(rate or chosen.learning_rate, total_steps=steps, flat=FLAT))
        elif rate is not None:
            raise ArgumentError("the optimizer follows a schedule of its own: leave out learning_rate")
        return chosen

    @property
    def planned(self) -> bool:
        """Whether the learning rate falls to 0 with the last step: not that of an optimizer that has its own course."""
        given = self.settings.optimizer
        return given is None or optimizers.get(given).schedule is None

    def factors(self, model: Model) -> dict[str, float]:
        """Learning-rate factors: 1/√inputs for a kernel, 0.1 for a bias."""
        found: dict[str, float] = {}
        for layer in model.inside:
            if isinstance(layer, layers.Dense):
                of_texts = str(layer.name).endswith("_hidden_1" if self.only_texts else f"_{TEXTS}")
                rate = TEXT_RATE if of_texts else 1.0
                found[f"{layer.name}/W"] = rate / math.sqrt(layer.get_weights()[0].shape[0])
                if layer.use_bias:
                    found[f"{layer.name}/b"] = SMALL
            elif layer.weighted:
                found[str(layer.name)] = SMALL
        return found

    def ensemble(
        self, trained: Sequence[Model], temperatures: Sequence[float], low: float, high: float
    ) -> tuple[Model, list[Model]]:
        """All networks as one graph, and each of them as a part of it, with their weights.

        Classes: the mean of the members' probabilities, each at its temperature. Regression: the mean of their numbers,
        each within [low, high].
        """
        x = layers.Input((self.inputs,), name="columns")
        ends: list[Any] = []
        for number, temperature in enumerate(temperatures):
            h = self.logits(x, name := named(number))
            if self.task == "regression":
                ends.append(ops.clip(h, low, high))
                continue
            tempered = layers.Rescaling(1 / temperature, name=f"{name}_temperature")(h)
            activation = "softmax" if self.outputs > 1 else "sigmoid"
            ends.append(layers.Activation(activation, name=f"{name}_probability")(tempered))
        mean = ends[0] if len(ends) == 1 else layers.Average(name="mean")(ends)
        whole = Functional(x, mean, name="ensemble", seed=0)
        for number, model in enumerate(trained):  # after Ctrl-C the first ones may be missing
            for layer in model.inside:
                if layer.weighted:
                    name = f"{named(number)}{str(layer.name).removeprefix(str(model.name))}"
                    whole.get_layer(name).set_weights(list(layer.get_weights()))
        return whole, [Functional(x, end, name=named(number), seed=0) for number, end in enumerate(ends)]


def named(number: int) -> str:
    """The name of a member: member_1, …"""
    return f"member_{number + 1}"
