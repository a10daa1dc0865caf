"""stateful=True is Keras's. That training, evaluation and prediction go on alike: tests/layers/test_stateful.py."""

import numpy as np
import pytest

import thalweg

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Keras's own, of NumPy 2
DRAW = np.random.default_rng(0)
BATCH, ROWS, STEPS = 3, 6, 4
X = DRAW.normal(size=(ROWS, STEPS, 2)).astype("f")

LAYERS = {
    "SimpleRNN": lambda n: [n.SimpleRNN(3, stateful=True)],
    "LSTM": lambda n: [n.LSTM(3, stateful=True)],
    "GRU, backwards": lambda n: [n.GRU(3, stateful=True, go_backwards=True)],
    "two on top of each other": lambda n: [n.GRU(3, stateful=True, return_sequences=True), n.LSTM(2, stateful=True)],
    "RNN of cells": lambda n: [n.RNN(n.StackedRNNCells([n.LSTMCell(3), n.GRUCell(2)]), stateful=True)],
    "Bidirectional": lambda n: [n.Bidirectional(n.SimpleRNN(2, stateful=True))],
    "ConvLSTM2D": lambda n: [n.Reshape((2, 2, 2, 1)), n.ConvLSTM2D(2, 2, padding="same", stateful=True), n.Flatten()],
    "with a mask": lambda n: [n.Masking(), n.SimpleRNN(3, stateful=True)],
}  # fmt: skip


def pair(keras, make):
    """The models of both libraries with the same weights."""

    def build(library, **options):
        front = library.Input(batch_shape=(BATCH, STEPS, 2))
        return library.Sequential([front, *make(library.layers), library.layers.Dense(1)], **options)

    theirs, ours = build(keras), build(thalweg, engine="reference", dtype="float64")
    weights = [DRAW.normal(0, 0.7, w.shape).astype("f") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def close(a, b):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=2e-5)


def called(theirs, x):
    """What Keras answers batch by batch. (Over JAX, its predict, fit and evaluate leave the states as they are.)"""
    return np.concatenate([np.asarray(theirs(x[k : k + BATCH])) for k in range(0, len(x), BATCH)])


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_it_goes_on_as_keras_does(make, keras):
    theirs, ours = pair(keras, make)
    x = X.copy()
    x[2, 1:] = x[4, 0] = 0  # what Masking leaves out
    want = called(theirs, x)
    close(ours.predict(x, verbose=0), want)
    close(ours(x[:BATCH]), theirs(x[:BATCH]))
    assert not np.allclose(ours.predict(x), want)
    ours.reset_states()
    close(ours.predict(x), want)


def test_resetting_and_looking_at_states(keras):
    theirs, ours = pair(keras, LAYERS["two on top of each other"])
    called(theirs, X)
    ours.predict(X)
    for a, b in zip(theirs.layers, ours.layers, strict=True):
        assert (getattr(a, "states", None) is None) == (getattr(b, "states", None) is None)
        for s, t in zip(getattr(a, "states", None) or [], getattr(b, "states", None) or [], strict=True):
            close(t, s)
            assert np.any(t)
    first = ours.predict(X, verbose=0)
    for layer in ours.layers[:2]:
        layer.reset_state()
        assert not any(s.any() for s in layer.states)
    again = ours.predict(X, verbose=0)
    for layer in theirs.layers[:2]:
        layer.reset_states()
    close(again, called(theirs, X))
    assert not np.allclose(first, again)


def test_a_layer_called_on_arrays_goes_on(keras):
    theirs, ours = keras.layers.LSTM(3, stateful=True), thalweg.layers.LSTM(3, stateful=True)
    theirs(X[:2])
    ours(X[:2])
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
    for layer in (theirs, ours):
        layer.reset_state()
    for _ in range(2):
        close(ours(X[:2]), theirs(X[:2]))
    given = [np.ones((2, 3), "f"), np.full((2, 3), 0.5, "f")]
    close(ours(X[:2], initial_state=given), theirs(X[:2], initial_state=given))
    close(ours(X[2:4]), theirs(X[2:4]))


def test_keras_s_file_keeps_the_size_of_a_batch(keras, tmp_path):
    theirs, ours = pair(keras, LAYERS["LSTM"])
    theirs.save(tmp_path / "theirs.keras")
    again = thalweg.load_model(tmp_path / "theirs.keras")
    close(again.predict(X, verbose=0), ours.predict(X, verbose=0))
    assert again.layers[0].stateful
    assert again.layers[0].batch_rows == BATCH
    ours = thalweg.Sequential([thalweg.Input(batch_shape=(3, 4, 2)), thalweg.layers.GRU(2, stateful=True)])
    ours.export(tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    close(ours.predict(X), called(back, X))
