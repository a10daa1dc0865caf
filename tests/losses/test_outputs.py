"""A network whose output its loss can't take warns, with the remedy; Keras's usual combinations are silent."""

import warnings

import numpy as np
import pytest

from thalweg import Sequential, activations, losses
from thalweg.errors import ThalwegWarning
from thalweg.layers import (
    Activation,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Permute,
    Rescaling,
    Reshape,
    Softmax,
)  # fmt: skip
from thalweg.losses import outputs

RELU_1 = activations.relu.using(max_value=1)
CUSTOM = activations.custom("own", lambda h: h, lambda h: 1.0)
BINARY, SPARSE, ONE_HOT = "binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy"
ROWS = [  # last activation, outputs, loss, what is said
    # Keras's usual combinations
    *((None, 1, loss, None) for loss in ("mse", "mae", "huber", "log_cosh", "msle", "mape", "poisson", "hinge")),
    *((None, 3, loss, None) for loss in ("mse", "mae", "cosine_similarity", "categorical_hinge", "squared_hinge")),
    ("relu", 1, "mse", None), ("softplus", 1, "poisson", None), ("exponential", 1, "poisson", None),
    ("tanh", 1, "hinge", None), ("tanh", 1, "mse", None), ("sigmoid", 1, "mse", None), ("softmax", 3, "mse", None),
    ("sigmoid", 1, BINARY, None), ("sigmoid", 3, BINARY, None), ("softmax", 2, BINARY, None),
    ("sigmoid", 1, "binary_focal_crossentropy", None), ("hard_sigmoid", 1, BINARY, None),
    ("softmax", 3, SPARSE, None), ("softmax", 3, ONE_HOT, None), ("softmax", 3, "categorical_focal_crossentropy", None),
    ("sparsemax", 3, SPARSE, None), ("softmax", 3, "categorical_generalized_cross_entropy", None),
    ("softmax", 3, "kl_divergence", None), ("sigmoid", 3, "dice", None), ("sigmoid", 3, "tversky", None),
    (None, 1, losses.BinaryCrossentropy(from_logits=True), None),
    (None, 3, losses.SparseCategoricalCrossentropy(from_logits=True), None),
    (None, 3, losses.CategoricalCrossentropy(from_logits=True), None),
    # unusual, but nobody knows better
    ("sigmoid", 3, SPARSE, None), ("sigmoid", 3, ONE_HOT, None), ("gaussian", 1, BINARY, None),
    (RELU_1, 1, BINARY, None),
    ("exponential", 3, ONE_HOT, None), ("softplus", 3, SPARSE, None), (CUSTOM, 1, BINARY, None),
    ("x / (1 + abs(x))", 1, BINARY, None), (None, 1, "(y_pred - y_true)**2", None),
    (activations.threshold.using(threshold=0, default_value=0), 1, BINARY, None),
    # wrong
    ("softmax", 1, BINARY, "softmax over one output is always 1: .*'sigmoid'"),
    ("softmax", 1, "mse", "softmax over one output is always 1"), ("sparsemax", 1, "mse", "sparsemax over one output"),
    ("log_softmax", 1, "mse", "log softmax over one output is always 0"), ("softmax", 1, SPARSE, "softmax over one"),
    ("sigmoid", 1, SPARSE, "compares classes, but the network has one output: take binary_crossentropy"),
    ("sigmoid", 1, ONE_HOT, "compares classes"), (None, 1, "categorical_focal_crossentropy", "compares classes"),
    (None, 1, losses.SparseCategoricalCrossentropy(from_logits=True), "compares classes"),
    (None, 1, BINARY, "ends with no activation, .*'sigmoid' .or give the loss from_logits=True"),
    (None, 3, BINARY, "'sigmoid'"), (None, 3, SPARSE, "no activation, .*'softmax' .or give .* from_logits=True"),
    (None, 3, ONE_HOT, "'softmax'"), (None, 3, "categorical_focal_crossentropy", "'softmax'"),
    (None, 3, "binary_focal_crossentropy", "'sigmoid'"), (None, 3, "kl_divergence", "'softmax'$"),
    (None, 3, "categorical_generalized_cross_entropy", "'softmax'$"), (None, 3, "dice", "'sigmoid'$"),
    (None, 3, "tversky", "'sigmoid'$"), ("relu", 1, BINARY, "ends with relu, which leaves 0 … 1: .*'sigmoid'$"),
    ("tanh", 1, BINARY, "ends with tanh"), ("relu", 3, SPARSE, "ends with relu"),
    ("tanh", 3, ONE_HOT, "ends with tanh"),
    ("log_softmax", 3, ONE_HOT, "ends with log softmax"), ("exponential", 1, BINARY, "ends with exp"),
    (activations.relu.using(max_value=2), 1, BINARY, "ends with relu"),
    ("softmax", 3, losses.SparseCategoricalCrossentropy(from_logits=True), "from_logits=True takes pre-activations"),
    ("softmax", 3, losses.CategoricalCrossentropy(from_logits=True), "ends with softmax: leave out one"),
    ("sigmoid", 1, losses.BinaryCrossentropy(from_logits=True), "ends with sigmoid: leave out one"),
]  # fmt: skip


def said(build, loss):
    """The warnings of compiling before and after building, which have to be the same."""
    found = []
    for first in (True, False):
        model = Sequential(build())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if first:
                model.build()
            model.compile("sgd", loss)
            model.build()
        assert all(w.category is ThalwegWarning for w in caught)
        found.append([str(w.message) for w in caught])
    assert found[0] == found[1]
    assert len(found[0]) <= 1
    return found[0][0] if found[0] else None


@pytest.mark.parametrize(("activation", "units", "loss", "words"), ROWS)
def test_what_is_said(activation, units, loss, words):
    message = said(lambda: [Input((4,)), Dense(units, activation)], loss)
    if words is None:
        assert message is None
    else:
        assert message is not None
        with pytest.warns(ThalwegWarning, match=words):
            warnings.warn(message, ThalwegWarning, stacklevel=1)


WRONG, RIGHT = "ends with no activation", None
ENDS = [
    ([Dense, Dropout], WRONG),  # where it predicts, nothing is dropped
    ([Dense, Rescaling], RIGHT),  # what isn't known is not warned of
    ([Conv2D, GlobalAveragePooling2D], RIGHT),
    ([Conv2D, Flatten], WRONG),
    ([Conv2D, Reshape], WRONG),
    ([Conv2D, Permute], WRONG),
    ([Conv2D, Softmax], RIGHT),
    ([Dense, Softmax], RIGHT),
    ([Dense, Softmax, Flatten], RIGHT),
    ([Dense, Activation], "ends with tanh"),
]
MADE = {
    Dense: lambda: Dense(3), Dropout: lambda: Dropout(0.5), Rescaling: lambda: Rescaling(0.5), Flatten: Flatten,
    Conv2D: lambda: Conv2D(3, 2), GlobalAveragePooling2D: GlobalAveragePooling2D, Softmax: Softmax,
    Reshape: lambda: Reshape((-1,)), Permute: lambda: Permute((3, 1, 2)), Activation: lambda: Activation("tanh"),
}  # fmt: skip


@pytest.mark.parametrize(("kinds", "words"), ENDS)
def test_the_last_numbers_are_found_behind_layers_that_move_them(kinds, words):
    shape = (4, 4, 2) if Conv2D in kinds else (4,)
    message = said(lambda: [Input(shape), *(MADE[kind]() for kind in kinds)], "kl_divergence")
    assert message is None if words is None else words in message


def test_fit_warns_before_the_first_epoch_and_once():
    model = Sequential([Dense(1)])
    model.compile("sgd", BINARY)
    with pytest.warns(ThalwegWarning, match="end it with activation='sigmoid'") as caught:
        model.fit(np.eye(4), [0, 1, 0, 1], verbose=0)
    assert len(caught) == 1
    model.fit(np.eye(4), [0, 1, 0, 1], verbose=0)


def test_what_is_within_0_and_1_is_what_the_pages_say():
    """By the printed ranges: so a new activation is put in its place."""
    for function in activations.NAMES.values():
        bounds = function.range.partition(", each")[0].strip("()[]{}").split(", ")
        known = [b.replace("−", "-").replace("∞", "inf") for b in bounds]
        try:
            low, high = map(float, known)
        except ValueError:  # its numbers are the user's
            assert function.name not in outputs.WITHIN
            continue
        assert (low >= 0 and high <= 1) == (function.name in outputs.WITHIN), function.name
        assert (low >= 0 and high > 1 and "[" not in function.range) == (function.name in outputs.POSITIVE)
