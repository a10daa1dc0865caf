"""Numbers that differ from Keras's, with the reasons in docs/keras-differences.md."""

import numpy as np
import pytest

from thalweg import Sequential, activations, losses
from thalweg.layers import Dense, Input

HALVES = np.array([[0.5, 0.5, 0.5], [0.1, 0.2, 0.3]], "f")


def test_sparsemax_is_a_projection_on_the_simplex():
    third = 1 / 3
    np.testing.assert_allclose(activations.sparsemax(HALVES), [[third] * 3, [third - 0.1, third, third + 0.1]], 1e-6)


def test_keras_s_sparsemax_is_not(keras):
    """When this fails, Keras has mended it, and its row has to go."""
    assert keras.backend.backend() == "jax"
    theirs = np.asarray(keras.activations.sparsemax(HALVES))
    assert np.array_equal(theirs[0], [0, 0, 0])
    assert abs(theirs.sum(axis=1) - 1).min() > 0.5


SURE = {"native": ({}, 15.942), "reference": ({"engine": "reference"}, 15.942),
        "float64": ({"engine": "reference", "dtype": "float64"}, 16.118)}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # a loss of probabilities behind an output without sigmoid
@pytest.mark.parametrize(("options", "wanted"), SURE.values(), ids=SURE)
@pytest.mark.parametrize("loss", [losses.BinaryCrossentropy(), losses.BinaryFocalCrossentropy()])
def test_a_probability_of_one_for_the_wrong_class(loss, options, wanted):
    model = Sequential([Input((1,)), Dense(1, use_bias=False)], **options)
    model.compile("sgd", loss)
    model.build()
    model.set_weights([np.ones((1, 1))])
    assert model.evaluate([[1.0]], [[0.0]], verbose=0) == pytest.approx(wanted, abs=1e-3)
    assert loss([[0.0]], [[1.0]]) == pytest.approx(16.118, abs=1e-3)


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "BinaryFocalCrossentropy"])
def test_keras_has_the_number_of_float32(name, keras):
    loss = float(getattr(keras.losses, name)()(np.array([[0.0]], "f"), np.array([[1.0]], "f")))
    assert loss == pytest.approx(15.942, abs=1e-3)
