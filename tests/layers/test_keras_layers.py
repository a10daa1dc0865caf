"""Keras as a second opinion on layers: the same weights and inputs, the same outputs."""

import os

import numpy as np
import pytest

import thalweg
from thalweg import Input, Sequential, layers

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras", exc_type=ImportError)
if keras.backend.backend() != "jax":
    pytest.skip("Keras runs on another backend", allow_module_level=True)

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(5, 6, 5, 3)).astype("f")
SEQUENCES = RANDOM.normal(size=(5, 9, 3)).astype("f")
VOLUMES = RANDOM.normal(size=(2, 5, 6, 7, 4)).astype("f")

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
INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
RESIZED = [
    *({"height": h, "width": w, "interpolation": i} for i in INTERPOLATIONS for h, w in ((4, 9), (11, 3), (6, 13))),
    *({"height": 2, "width": 7, "interpolation": i, "antialias": True} for i in INTERPOLATIONS),
    {"height": 4, "width": 7, "crop_to_aspect_ratio": True},
    {"height": 8, "width": 3, "crop_to_aspect_ratio": True, "interpolation": "nearest"},
    {"height": 4, "width": 7, "pad_to_aspect_ratio": True},
    {"height": 9, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 2.5},
]
CONVOLUTIONS = [
    {"kernel_size": 3},
    {"kernel_size": (2, 3, 4), "padding": "same", "activation": "relu"},
    {"kernel_size": (3, 2, 3), "strides": (1, 2, 3), "padding": "same", "groups": 2},
    {"kernel_size": (2, 1, 2), "strides": (2, 2, 1), "use_bias": False},
    {"kernel_size": 2, "strides": (2, 1, 1), "groups": 4},
    {"kernel_size": (2, 3, 2), "dilation_rate": (2, 1, 3), "padding": "same"},
    {"kernel_size": (2, 2, 2), "dilation_rate": (1, 3, 2)},
    {"kernel_size": 1},
]
CASES = [
    *(("Resizing", options, IMAGES) for options in RESIZED),
    *(("CenterCrop", {"height": h, "width": w}, IMAGES) for h, w in ((3, 2), (6, 5), (9, 3), (7, 9))),
    *(("UpSampling2D", {"size": (2, 3), "interpolation": i}, IMAGES) for i in INTERPOLATIONS),
    ("ZeroPadding1D", {"padding": (2, 1)}, SEQUENCES),
    ("ZeroPadding1D", {}, SEQUENCES),
    ("Cropping1D", {"cropping": (2, 1)}, SEQUENCES),
    ("Cropping1D", {}, SEQUENCES),
    ("UpSampling1D", {"size": 3}, SEQUENCES),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2}, SEQUENCES),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same"}, SEQUENCES),
    ("SeparableConv1D", {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "activation": "tanh"}, SEQUENCES),
    *(("Conv3D", {"filters": 8, **options}, VOLUMES) for options in CONVOLUTIONS),
    *((f"{kind}Pooling3D", {}, VOLUMES) for kind in ("Max", "GlobalMax", "GlobalAverage")),
    ("AveragePooling3D", {"pool_size": 2}, VOLUMES),
    ("MaxPooling3D", {"pool_size": (3, 2, 1), "strides": (1, 2, 3), "padding": "same"}, VOLUMES),
    ("AveragePooling3D", {"pool_size": (2, 3, 2), "strides": 2, "padding": "same"}, VOLUMES),
    ("GlobalMaxPooling3D", {"keepdims": True}, VOLUMES),
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


TRAINED = [
    ("Resizing", {"height": 9, "width": 3}, IMAGES),
    ("Resizing", {"height": 4, "width": 7, "interpolation": "bicubic", "antialias": True}, IMAGES),
    ("Resizing", {"height": 9, "width": 3, "interpolation": "nearest"}, IMAGES),
    ("CenterCrop", {"height": 7, "width": 3}, IMAGES),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGES),
    ("ZeroPadding1D", {"padding": (2, 1)}, SEQUENCES),
    ("Cropping1D", {"cropping": (2, 1)}, SEQUENCES),
    ("UpSampling1D", {"size": 3}, SEQUENCES),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2}, SEQUENCES),
    *(("Conv3D", {"filters": 8, **options}, VOLUMES) for options in CONVOLUTIONS),
    ("MaxPooling3D", {"pool_size": (3, 2, 1), "strides": (1, 2, 3), "padding": "same"}, VOLUMES),
    ("AveragePooling3D", {"pool_size": (2, 3, 2), "strides": 2, "padding": "same"}, VOLUMES),
    ("GlobalMaxPooling3D", {}, VOLUMES),
    ("GlobalAveragePooling3D", {}, VOLUMES),
]


@pytest.mark.parametrize(("name", "options", "x"), TRAINED, ids=[f"{c[0]}{n}" for n, c in enumerate(TRAINED)])
def test_twenty_steps_are_keras_s(name, options, x):
    """Behind a dense layer, whose gradient comes through the layer."""

    def trained(package):
        made = package.layers
        front = [package.Input(x.shape[1:]), made.Dense(x.shape[-1], "tanh"), getattr(made, name)(**options)]
        model = package.Sequential([*front, made.Flatten(), made.Dense(2)])
        model.compile(package.optimizers.SGD(0.004), "mse")  # more diverges from some starts
        return model

    ours, theirs = trained(thalweg), trained(keras)
    ours.build()
    start = ours.get_weights()
    theirs.set_weights(start)
    y = RANDOM.normal(size=(len(x), 2)).astype("f")
    for _ in range(20):
        ours.train_on_batch(x, y)
        theirs.train_on_batch(x, y)
    for before, got, weight in zip(start, ours.get_weights(), theirs.weights, strict=True):
        want = np.asarray(weight.value)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * abs(want).max())
        assert np.abs(want - before).max() > 1e-5  # it has learned
