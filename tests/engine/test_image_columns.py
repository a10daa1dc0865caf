"""Images of few channels are kept by columns where that pays, and networks compute the same numbers as ever."""

import numpy as np
import pytest

from thalweg import Input, Sequential, layers
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(0)


def lenet():
    return [
        layers.Conv2D(6, 5, padding="same", activation="relu"),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]


def autoencoder():
    return [
        layers.Conv2D(8, 3, padding="same", activation="tanh"),
        layers.MaxPooling2D(2),
        layers.Conv2DTranspose(4, 3, padding="same", activation="relu"),
        layers.UpSampling2D(2),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]


NETWORKS = {"lenet": ((28, 28, 1), lenet), "autoencoder": ((12, 10, 1), autoencoder)}


def network(name, **options):
    shape, inside = NETWORKS[name]
    model = Sequential([Input(shape), *inside()], seed=3, **options)
    model.compile(SGD(0.05), "mse" if name == "autoencoder" else "sparse_categorical_crossentropy")
    return model


def data(name, rows):
    x = RANDOM.normal(size=(rows, *NETWORKS[name][0])).astype(np.float32)
    return x, (1 / (1 + np.exp(-x)) if name == "autoencoder" else RANDOM.integers(0, 10, rows))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 7, 40])
@pytest.mark.parametrize("lanes", [1, 2])
def test_training_by_columns_is_training(name, batch, lanes):
    """The reference engine in float64 computes the same losses and weights; so do evaluation and prediction."""
    x, y = data(name, 2 * batch + 3)
    results = []
    for options in ({}, {"engine": "reference", "dtype": "float64"}):
        model = network(name, **options)
        history = model.fit(x, y, batch, epochs=2, verbose=0, lanes=None if options else lanes)
        results.append((history.history["loss"], model.get_weights(), model.predict(x, verbose=0)))
        loss = model.evaluate(x, y, batch, verbose=0)
        results[-1] += (loss,)
    (losses, weights, outputs, evaluated), (right_losses, right_weights, right_outputs, right_evaluated) = results
    np.testing.assert_allclose([*losses, evaluated], [*right_losses, right_evaluated], rtol=1e-4)
    np.testing.assert_allclose(outputs, right_outputs, rtol=1e-3, atol=1e-5)
    for w, right in zip(weights, right_weights, strict=True):
        np.testing.assert_allclose(w, right, rtol=1e-3, atol=1e-5)


def test_the_listing_says_so():
    listing = str(network("lenet").schedule())
    assert "xᶜ = x by columns" in listing
    assert "p2 = p2ᶜ by rows" in listing
    assert "by columns" not in str(network("lenet").schedule(batch_size=4))  # vectors of rows would be half empty


@pytest.mark.parametrize(
    ("channels", "filters", "size", "by_columns"), [(1, 6, 5, True), (3, 20, 7, True), (1, 32, 3, False)]
)
def test_it_is_done_where_it_pays(channels, filters, size, by_columns):
    """Not where the channels fill their vectors."""
    inside = [layers.Conv2D(filters, size), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = Sequential([Input((20, 20, channels)), *inside])
    model.compile("sgd", "mse")
    text = str(model.schedule())
    assert ("by columns" in text) == by_columns
