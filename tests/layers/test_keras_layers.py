"""Keras as a second opinion on layers: the same weights and inputs, the same outputs."""

import os

import numpy as np
import pytest

from thalweg import Input, Sequential, layers

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras", exc_type=ImportError)
if keras.backend.backend() != "jax":
    pytest.skip("Keras runs on another backend", allow_module_level=True)

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(5, 6, 5, 3)).astype("f")
SEQUENCES = RANDOM.normal(size=(5, 9, 3)).astype("f")

TRANSPOSED = [
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": (2, 5), "strides": (2, 3), "padding": "same", "activation": "relu"},
    {"kernel_size": (3, 4), "strides": 2},
    {"kernel_size": 2, "strides": 3},
    {"kernel_size": 1, "strides": (2, 4), "padding": "same"},
    {"kernel_size": (4, 3), "strides": 2, "padding": "same", "output_padding": (1, 0)},
    {"kernel_size": (4, 3), "strides": (3, 2), "output_padding": (2, 1), "use_bias": False},
    {"kernel_size": (2, 3), "padding": "same", "dilation_rate": (2, 3)},
    {"kernel_size": 3, "dilation_rate": 2},
]
CASES = [
    *(("Conv2DTranspose", {"filters": 4, **options}, IMAGES) for options in TRANSPOSED),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, SEQUENCES),
    ("Conv1DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3, "output_padding": 2}, SEQUENCES),
    ("Permute", {"dims": (3, 1, 2)}, IMAGES),
    ("Permute", {"dims": (2, 1)}, SEQUENCES),
    ("GlobalAveragePooling1D", {}, SEQUENCES),
    ("GlobalAveragePooling1D", {"keepdims": True}, SEQUENCES),
    ("GlobalMaxPooling1D", {}, SEQUENCES),
    ("SpatialDropout1D", {"rate": 0.3}, SEQUENCES),  # does nothing outside of training
    ("SpatialDropout2D", {"rate": 0.3}, IMAGES),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 0.0, 0.5]}, IMAGES),
    ("Normalization", {"mean": 0.5, "variance": 4.0, "axis": None}, SEQUENCES),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 1.0, 0.5], "invert": True}, IMAGES),
]


@pytest.mark.parametrize(("name", "options", "x"), CASES, ids=[f"{c[0]}{n}" for n, c in enumerate(CASES)])
def test_layer_is_keras_s(name, options, x):
    theirs = getattr(keras.layers, name)(**options)
    want = np.asarray(theirs(x))
    model = Sequential([Input(x.shape[1:]), getattr(layers, name)(**options)], seed=1)
    model.build()
    if theirs.weights:
        theirs.set_weights(model.get_weights())
        want = np.asarray(theirs(x))
    got = model.predict(x)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * abs(want).max())


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("axis", [-1, None])
@pytest.mark.parametrize("built", [False, True])
def test_normalization_is_adapted_as_keras_s(axis, invert, built):
    data = (RANDOM.normal(size=(300, 4, 3)) * [1, 10, 0.01] + [0, 300, 2]).astype("f")
    theirs, ours = keras.layers.Normalization(axis, invert=invert), layers.Normalization(axis, invert=invert)
    model = Sequential([Input((4, 3)), ours])
    if built:
        model.build()
        model.predict(data)
    theirs.adapt(data)
    ours.adapt(data)
    want = np.asarray(theirs(data))
    np.testing.assert_allclose(model.predict(data), want, rtol=2e-3 if axis else 1e-4, atol=2e-3)  # Keras's: float32
    exact = data.astype("d")
    over = (0, 1, 2) if axis is None else (0, 1)
    mean, deviation = exact.mean(over), exact.std(over)
    want = exact * deviation + mean if invert else (exact - mean) / deviation
    np.testing.assert_allclose(model.predict(data), want, rtol=1e-5, atol=1e-5 * abs(want).max())
