"""thalweg: neural networks trained by gradient descent on a CPU, with every number visible.

>>> import thalweg
>>> model = thalweg.Sequential([thalweg.layers.Input((4,)), thalweg.layers.Dense(3, activation="softmax")])
>>> model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
"""

from typing import TYPE_CHECKING

from thalweg.absent import answer_for
from thalweg.support.lazily import lazily
from thalweg.version import __version__

if TYPE_CHECKING:
    from thalweg import (
        activations,
        applications,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        preprocessing,
        random,
        regularizers,
        saving,
        schedules,
        utils,
    )
    from thalweg.experiments.comparison import compare
    from thalweg.experiments.population import fit_many
    from thalweg.experiments.range_test import LearningRateTest, find_learning_rate
    from thalweg.experiments.results import Comparison
    from thalweg.experiments.tuning.outcome import Tuning
    from thalweg.experiments.tuning.tuner import tune
    from thalweg.experiments.unit_variance import lsuv
    from thalweg.initializers import Initializer
    from thalweg.layers import Input, Layer
    from thalweg.layers.variables import Variable
    from thalweg.losses import Loss
    from thalweg.metrics import Metric
    from thalweg.models.loading import load_model
    from thalweg.models.model import Model
    from thalweg.models.sequential import Sequential
    from thalweg.optimizers import Optimizer
    from thalweg.regularizers import Regularizer
    from thalweg.runs.anywhere.batch_predictor import BatchPredictor
    from thalweg.runs.stored import load_run

__all__ = [
    "BatchPredictor", "Comparison", "Initializer", "Input", "Layer", "LearningRateTest", "Loss", "Metric", "Model",
    "Optimizer", "Regularizer", "Sequential", "Tuning", "Variable", "__version__", "activations", "applications",
    "backend", "callbacks", "compare", "config", "constraints", "datasets", "find_learning_rate", "fit_many",
    "initializers", "layers", "load_model", "load_run", "losses", "lsuv", "metrics", "models", "ops", "optimizers",
    "preprocessing", "random", "regularizers", "saving", "schedules", "tune", "utils",
]  # fmt: skip

HOMES = {
    "BatchPredictor": "thalweg.runs.anywhere.batch_predictor",
    "Comparison": "thalweg.experiments.results",
    "Initializer": "thalweg.initializers",
    "Input": "thalweg.layers",
    "Layer": "thalweg.layers",
    "LearningRateTest": "thalweg.experiments.range_test",
    "Loss": "thalweg.losses",
    "Metric": "thalweg.metrics",
    "Model": "thalweg.models.model",
    "Optimizer": "thalweg.optimizers",
    "Regularizer": "thalweg.regularizers",
    "Sequential": "thalweg.models.sequential",
    "Tuning": "thalweg.experiments.tuning.outcome",
    "Variable": "thalweg.layers.variables",
    "compare": "thalweg.experiments.comparison",
    "find_learning_rate": "thalweg.experiments.range_test",
    "fit_many": "thalweg.experiments.population",
    "load_model": "thalweg.models.loading",
    "load_run": "thalweg.runs.stored",
    "lsuv": "thalweg.experiments.unit_variance",
    "tune": "thalweg.experiments.tuning.tuner",
}
lazily(__name__, HOMES)
answer_for(__name__)
