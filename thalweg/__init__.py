"""thalweg: neural networks trained by gradient descent on a CPU, with every number visible.

>>> import thalweg
>>> model = thalweg.Sequential([thalweg.layers.Input((4,)), thalweg.layers.Dense(3, activation="softmax")])
>>> model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
"""

from thalweg import (
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    schedules,
    utils,
)
from thalweg.comparison import Comparison, compare
from thalweg.layers import Input
from thalweg.learning_rates import LearningRateTest, find_learning_rate
from thalweg.model import Sequential
from thalweg.population import fit_many
from thalweg.saving import load_model
from thalweg.unit_variance import lsuv

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Input",
    "LearningRateTest",
    "Sequential",
    "__version__",
    "activations",
    "callbacks",
    "compare",
    "constraints",
    "find_learning_rate",
    "fit_many",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "lsuv",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "schedules",
    "utils",
]
