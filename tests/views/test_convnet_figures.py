"""Kernels, feature maps and saliency: the numbers behind the pictures."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers
from thalweg.errors import ArgumentError
from thalweg.views.insides.forward_pass import input_gradient, maps, passed
from thalweg.views.report.convnet_figures import kernel_figures, map_figures, pixels, saliency_figure, signed_pixels

DRAW = np.random.default_rng(3)
X = DRAW.integers(0, 256, (5, 9, 8, 1)).astype(np.uint8)


def convnet(seed=0, last="softmax", units=3, **how):
    model = Sequential(
        [
            Input((9, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, padding="same", activation="tanh"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Conv2D(6, 3),
            layers.Activation("relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(units, last),
        ],
        seed=seed,
        **how,
    )
    loss = "sparse_categorical_crossentropy" if last == "softmax" else "mse"
    model.compile("adam", loss)
    numbers = [0, 1, 2, 0, 1]
    model.fit(X, numbers if last == "softmax" else np.eye(3)[numbers], epochs=2, verbose=0, lanes=1)
    return model


def drawn(seed=0):
    x = Input((9, 8, 1))
    a = layers.Conv2D(3, 3, padding="same", activation="tanh")(x)
    h = layers.Flatten()(layers.Add()([a, layers.Conv2D(3, 1)(a)]))
    return Model(x, layers.Dense(1, "sigmoid")(h), seed=seed)


def test_the_output_is_what_predict_returns():
    model = convnet()
    found = passed(model, X)
    np.testing.assert_allclose(found[found.output], model.predict(X, verbose=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("last", "links"), [("softmax", np.log), ("linear", lambda p: p)])
def test_saliency_is_the_slope_of_the_score(last, links):
    """Central differences of log softmax differ from those of the score by the same for all classes."""
    model = convnet(last=last, engine="reference", dtype="float64")
    classes = np.array([2, 0, 1, 1, 2])
    floats = X.astype(np.float64)
    slope = input_gradient(model, floats, classes)
    assert slope.shape == X.shape
    rows = np.arange(5)
    direction = 1e-4 * DRAW.normal(size=X.shape)
    ahead, behind = (links(model.predict(floats + sign * direction, verbose=0)) for sign in (1, -1))
    other = input_gradient(model, floats, (classes + 1) % 3)
    measured = (ahead - behind) / 2
    measured = measured[rows, classes] - measured[rows, (classes + 1) % 3]
    computed = ((slope - other) * direction).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(computed, measured, rtol=1e-4)
    assert np.abs(computed).max() > 1e-8


def test_saliency_of_a_graph_with_one_output():
    model = drawn()
    x = DRAW.random((4, 9, 8, 1)).astype(np.float32)
    slope = input_gradient(model, x, np.zeros(4))
    step = DRAW.normal(size=x.shape).astype(np.float32) * 1e-2

    def score(values):
        p = model.predict(values, verbose=0)[:, 0].astype(np.float64)
        return np.log(p / (1 - p))

    np.testing.assert_allclose(
        (slope * step).sum(axis=(1, 2, 3)), (score(x + step) - score(x - step)) / 2, rtol=0.05, atol=1e-5
    )


def test_maps_are_the_layers_outputs():
    model = convnet()
    found = maps(passed(model, X))
    assert [value.shape[1:] for value in found.values()] == [(9, 8, 1), (9, 8, 4), (9, 8, 4), (4, 4, 4), (2, 2, 6)]
    names = list(found)
    assert names[1].startswith("a1"), names
    shape = dict(zip(names, (v.shape for v in found.values()), strict=True))[names[1]]
    first = Sequential([Input((9, 8, 1)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, padding="same")])
    first.set_weights(model.get_weights()[:2])
    h = first.predict(X, verbose=0)
    assert shape == h.shape
    np.testing.assert_allclose(found[names[1]], np.tanh(h), rtol=1e-4, atol=1e-5)


def test_figures():
    model = convnet()
    kernels = kernel_figures(model)
    assert [f["images"].shape for f in kernels] == [(4, 3, 3, 1), (6, 3, 3, 1)]
    kernel = model.get_weights()[0]
    assert kernels[0]["images"][np.unravel_index(kernel.argmax(), kernel.shape)[3]].max() >= 128
    greatest = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    assert kernels[0]["images"][greatest[3], greatest[0], greatest[1], 0] in (1, 255)
    shown = map_figures(model, X[:1])
    assert all(f["images"].dtype == np.uint8 and f["images"].ndim == 4 for f in shown)
    figure = saliency_figure(model, X, np.zeros(5), ["a"] * 5)
    assert figure["overlay"].shape == (5, 9, 8)
    assert np.abs(figure["overlay"]).max(axis=(1, 2)) == pytest.approx(1)
    assert (figure["images"] == X).all()


def test_what_has_no_pictures():
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.build()
    assert kernel_figures(model) == []
    assert map_figures(model, np.zeros((1, 2), np.float32)) == []
    one, two = Input((2,)), Input((2,))
    with pytest.raises(ArgumentError, match="one input"):
        passed(Model([one, two], layers.Dense(1)(layers.Add()([one, two]))), np.zeros((1, 2)))


def test_bytes():
    assert pixels(np.array([0.0, 0.5, 1.0])).tolist() == [0, 128, 255]
    assert pixels(np.array([-1.0, 1.0])).tolist() == [0, 255]
    assert signed_pixels(np.array([-2.0, 0.0, 1.0])).tolist() == [1, 128, 192]
