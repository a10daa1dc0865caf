"""A candidate as a network: made, and finished as one that gives probabilities, or numbers, whatever its loss was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thalweg import layers, losses, optimizers
from thalweg.data.recipe import Recipe
from thalweg.experiments.tuning.space import Candidate
from thalweg.experiments.unit_variance import lsuv
from thalweg.models.sequential import Sequential

LSUV_ROWS = 1000


def stack(candidate: Candidate, inputs: int, units: int, activation: str) -> list[layers.Layer | layers.Input]:
    """The layers: hidden ones as the candidate says, and an output layer."""
    made: list[layers.Layer | layers.Input] = [layers.Input((inputs,))]
    initializer = "orthogonal" if candidate.initial_weights == "lsuv" else candidate.initial_weights
    for _ in range(candidate.depth):
        if candidate.batch_normalization:
            made.append(layers.Dense(candidate.width, use_bias=False, kernel_initializer=initializer))
            made += [layers.BatchNormalization(momentum=0.9), layers.Activation(candidate.activation)]
        else:
            made.append(layers.Dense(candidate.width, candidate.activation, kernel_initializer=initializer))
        if candidate.dropout:
            made.append(layers.Dropout(candidate.dropout))
    return [*made, layers.Dense(units, activation)]


def make(candidate: Candidate, task: Recipe, units: int, x: NDArray[np.float32], seed: int) -> Sequential:
    """The compiled network for these rows."""
    loss = losses.get(candidate.loss)
    model = Sequential(stack(candidate, x.shape[1], units, task.activation_for(loss)), seed=seed)
    model.compile(optimizers.Adam(candidate.learning_rate), loss)
    if candidate.initial_weights == "lsuv":
        lsuv(model, x[:LSUV_ROWS])
    return model


def finish(model: Sequential, candidate: Candidate, task: Recipe, temperature: float) -> Sequential:
    """The same network with the task's usual output: probabilities of logits / temperature, or numbers.

    The last layer's weights are divided by the temperature, and its activation becomes sigmoid or softmax.
    """
    (inputs,), (units,) = model.input_shape, model.output_shape
    final = Sequential(stack(candidate, inputs, units, task.activation), seed=model.seed)
    final.compile(optimizers.Adam(candidate.learning_rate), task.loss, [task.metric])
    final.build()
    for old, new in zip(model.layers, final.layers, strict=True):
        new.set_weights(old.get_weights())
    final.layers[-1].set_weights([weights / temperature for weights in model.layers[-1].get_weights()])
    return final
