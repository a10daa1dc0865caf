"""thalweg: neural networks trained by gradient descent on a CPU, with every number visible.

>>> import thalweg
>>> model = thalweg.Sequential([thalweg.layers.Input((4,)), thalweg.layers.Dense(3, activation="softmax")])
>>> model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
"""

from thalweg import (
    activations,
    callbacks,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    schedules,
    utils,
)
from thalweg.experiments.comparison import compare
from thalweg.experiments.population import fit_many
from thalweg.experiments.range_test import LearningRateTest, find_learning_rate
from thalweg.experiments.results import Comparison
from thalweg.experiments.unit_variance import lsuv
from thalweg.layers import Input
from thalweg.models.loading import load_model
from thalweg.models.sequential import Sequential
from thalweg.version import __version__

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
    "datasets",
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
    "saving",
    "schedules",
    "utils",
]
