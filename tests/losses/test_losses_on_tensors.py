"""Keras's functions of the losses, and the classes, on tensors: in a loss of one's own they are what they are alone."""

import numpy as np
import pytest

from thalweg import Sequential, losses
from thalweg.layers import Dense

X = np.random.default_rng(0).normal(size=(12, 4)).astype("f")
LABELS = np.arange(12) % 3
ONE_HOT = np.eye(3, dtype="f")[LABELS]
OPTIONS = {
    "binary_crossentropy": {"label_smoothing": 0.1},
    "categorical_crossentropy": {"label_smoothing": 0.1},
    "huber": {"delta": 0.3},
}
NAMES = [name for name in losses.by_row.__all__ if name.islower()]


def trained(loss, y, activation="softmax"):
    model = Sequential([Dense(3, activation, input_dim=4)], seed=0)
    model.compile("sgd", loss)
    history = model.fit(X, y, epochs=3, batch_size=4, verbose=0).history["loss"]
    return [*history, *model.get_weights()[0].ravel()]


def targets(name):
    return LABELS if "sparse" in name or "generalized" in name else ONE_HOT


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")  # a sigmoid suits the binary ones
@pytest.mark.parametrize("name", NAMES)
def test_in_a_loss_of_one_s_own_it_trains_the_same(name):
    function, more = getattr(losses, name), OPTIONS.get(name, {})
    wanted = trained(function.kind(**more), targets(name))
    for own in (lambda y, p: function(y, p, **more), lambda y, p: function.kind(**more)(y, p)):
        np.testing.assert_allclose(trained(own, targets(name)), wanted, rtol=2e-3, atol=2e-6)
    changed = trained(lambda y, p: 2 * function(y, p, **more), targets(name))
    assert not np.allclose(changed, wanted, rtol=2e-3)  # the control


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_from_logits(name):
    function = getattr(losses, name)
    wanted = trained(function.kind(from_logits=True), targets(name), None)
    own = trained(lambda y, p: function(y, p, from_logits=True), targets(name), None)
    np.testing.assert_allclose(own, wanted, rtol=2e-3, atol=2e-6)
