"""Every name under which Keras takes a loss, metric, optimizer, … of a class that is here means the same class."""

import importlib
import inspect
import os
import re

import pytest

from thalweg import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from thalweg.support.naming import snake_case

os.environ.setdefault("KERAS_BACKEND", "jax")
HELD = {
    losses: losses.CLASSES, metrics: metrics.CLASSES, optimizers: optimizers.CLASSES,
    regularizers: regularizers.CLASSES, constraints: constraints.CLASSES,
    initializers: {c.__name__: c for c in initializers.CLASSES},
}  # fmt: skip
# Names that a plain rule doesn't give, and those that one rule or another would get wrong.
NAMES = {
    metrics: {
        "top_k_categorical_accuracy": "TopKCategoricalAccuracy", "log_cosh_error": "LogCoshError",
        "sparse_top_k_categorical_accuracy": "SparseTopKCategoricalAccuracy", "f_beta_score": "FBetaScore",
        "fbeta_score": "FBetaScore", "f1_score": "F1Score", "r2_score": "R2Score", "auc": "AUC",
        "kl_divergence": "KLDivergence", "logcosh": "LogCoshError", "mse": "MeanSquaredError",
        "MAE": "MeanAbsoluteError",
    },
    losses: {
        "log_cosh": "LogCosh", "logcosh": "LogCosh", "kl_divergence": "KLDivergence", "kld": "KLDivergence",
        "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
        "MSLE": "MeanSquaredLogarithmicError",
    },
    optimizers: {"rmsprop": "RMSprop", "adamw": "AdamW", "sgd": "SGD", "Adamax": "Adamax"},
    regularizers: {"l1l2": "L1L2", "l1_l2": "L1L2", "l2": "L2", "orthogonal_regularizer": "OrthogonalRegularizer"},
    constraints: {"max_norm": "MaxNorm", "min_max_norm": "MinMaxNorm", "non_neg": "NonNeg", "unit_norm": "UnitNorm"},
    initializers: {
        "zero": "Zeros", "one": "Ones", "zeros": "Zeros", "IdentityInitializer": "Identity",
        "OrthogonalInitializer": "Orthogonal", "normal": "RandomNormal", "uniform": "RandomUniform",
    },
}  # fmt: skip


def got(module, name):
    if module is metrics:
        return metrics.get(name, (3,), (3,)).metric
    return module.get(name)


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in NAMES.items() for n in names])
def test_a_name_means_its_class(module, name):
    assert type(got(module, name)).__name__ == NAMES[module][name]


@pytest.mark.parametrize("name", ["accuracy", "Accuracy", "acc", "ACC"])
def test_accuracy_in_any_case_is_the_kind_that_fits(name):
    for output, target, kind in (
        ((1,), (1,), metrics.BinaryAccuracy),
        ((3,), (3,), metrics.CategoricalAccuracy),
        ((3,), (1,), metrics.SparseCategoricalAccuracy),
    ):
        named = metrics.get(name, output, target)
        assert (named.key, type(named.metric)) == (name, kind)


@pytest.mark.parametrize("module", HELD, ids=lambda module: module.__name__)
def test_every_name_of_keras_means_its_class(module):
    pytest.importorskip("keras", exc_type=ImportError)
    theirs = importlib.import_module(f"keras.src.{module.__name__.partition('.')[2]}").ALL_OBJECTS_DICT
    compared = 0
    for name, their in theirs.items():
        if inspect.isclass(their) and their.__name__ in HELD[module] and name not in ("Accuracy", "accuracy"):
            assert type(got(module, name)).__name__ == their.__name__
            compared += 1
    assert compared >= 4


def test_every_activation_of_keras_has_its_name():
    keras = pytest.importorskip("keras", exc_type=ImportError)
    names = [name for name in activations.NAMES if hasattr(keras.activations, name)]
    assert len(names) > 20
    for name in set(names) - {"threshold"}:
        assert activations.get(name).name == activations.get(keras.activations.get(name).__name__).name


def test_metrics_and_layers_are_called_as_in_keras():
    keras = pytest.importorskip("keras", exc_type=ImportError)
    from keras.src.utils.naming import to_snake_case

    for name in layers.CLASSES:
        assert snake_case(name) == to_snake_case(name)
    given = {"FBetaScore": {"average": "macro"}, "F1Score": {"average": "macro"}}
    for name, kind in metrics.CLASSES.items():
        if hasattr(keras.metrics, name):
            theirs = getattr(keras.metrics, name)(**given.get(name, {})).name
            assert re.sub(r"_\d+$", "", theirs) == kind().name, name  # numbered where it isn't the first
