"""Augmentation: the pictures that Keras makes, in training only, new ones each step, and first of all layers."""

import os
from typing import Any

import numpy as np
import pytest

from thalweg import Sequential, layers
from thalweg.errors import ArgumentError, ShapeError, ThalwegError
from thalweg.layers import Dense, Flatten, Input, Layer

SHAPE = (7, 10, 2)
IMAGES = np.random.default_rng(0).uniform(0, 255, (4, *SHAPE)).astype(np.float32)


def changed(layer: Layer, x: Any = IMAGES, **options: Any) -> Any:
    """The images as the layer hands them on in the first step of a training."""
    model = Sequential([Input(x.shape[1:]), layer, Flatten(), Dense(1)], seed=5, **options)
    model.compile("sgd", "mse")
    return model.trace(x, np.zeros(len(x)))["v"]


# The factors leave nothing to chance, so that the pictures can be compared one by one.
FIXED = [
    ("RandomTranslation", {"height_factor": (0.33, 0.33), "width_factor": (-0.21, -0.21)}),
    ("RandomRotation", {"factor": (0.07, 0.07)}),
    ("RandomZoom", {"height_factor": (0.4, 0.4)}),
    ("RandomZoom", {"height_factor": (-0.3, -0.3), "width_factor": (0.55, 0.55)}),  # none half-way
]


MODES = [("reflect", "bilinear"), ("constant", "bilinear"), ("nearest", "nearest"), ("wrap", "bilinear")]


@pytest.mark.parametrize(("fill_mode", "interpolation"), MODES)
@pytest.mark.parametrize(("name", "factors"), FIXED)
def test_warps_are_keras_s(name, factors, fill_mode, interpolation):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    more = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 9.0}
    theirs = np.asarray(getattr(keras.layers, name)(**factors, **more)(IMAGES, training=True))
    np.testing.assert_allclose(changed(getattr(layers, name)(**factors, **more)), theirs, atol=2e-2)


def test_flips_are_mirror_images_of_about_half():
    x = np.random.default_rng(1).normal(size=(400, *SHAPE)).astype(np.float32)
    for mode, mirrored in (
        ("horizontal", x[:, :, ::-1]),
        ("vertical", x[:, ::-1]),
        ("horizontal_and_vertical", x[:, ::-1, ::-1]),
    ):
        z = changed(layers.RandomFlip(mode), x)
        flipped = (z == mirrored).all(axis=(1, 2, 3))
        assert (flipped | (z == x).all(axis=(1, 2, 3))).all()
        assert 0.4 < flipped.mean() < 0.6  # of 400 draws: four standard deviations


def test_contrast_is_a_factor_about_the_mean_of_each_channel():
    z = changed(layers.RandomContrast((0.0, 0.5), (-1e6, 1e6)))
    mean = IMAGES.mean(axis=(1, 2), keepdims=True)
    factors = (z - mean) / (IMAGES - mean)
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 1e-2
    assert (factors >= 1 - 1e-3).all()
    assert (factors <= 1.5 + 1e-3).all()
    assert np.ptp(factors.mean(axis=(1, 2, 3))) > 0.02  # a factor for each image
    clipped = changed(layers.RandomContrast(1.0, (100, 150)))
    assert (clipped.min(), clipped.max()) == (100, 150)


def test_brightness_is_keras_s():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    for factor in ((0.3, 0.3), (-0.7, -0.7)):
        theirs = np.asarray(keras.layers.RandomBrightness(factor, (10, 200))(IMAGES, training=True))
        np.testing.assert_allclose(changed(layers.RandomBrightness(factor, (10, 200))), theirs, atol=1e-3)


def test_brightness_is_one_number_for_each_image():
    z = changed(layers.RandomBrightness(0.2, (-1e3, 1e3)))
    more = (z - IMAGES) / 2e3
    assert np.ptp(more, axis=(1, 2, 3)).max() < 1e-6
    assert (abs(more) <= 0.2 + 1e-6).all()
    assert np.ptp(more.mean(axis=(1, 2, 3))) > 0.01


@pytest.mark.parametrize("fill", [None, 7.0, [7.0, 300.0, -3.0]])
def test_a_patch_of_each_image_is_erased(fill):
    x = np.random.default_rng(2).uniform(50, 60, (200, 8, 10, 3)).astype(np.float32)
    z = changed(layers.RandomErasing(1.0, (0.25, 0.25), fill, (0, 255)), x)
    erased = (z != x).any(axis=-1)
    hit = erased.any(axis=(1, 2))
    assert 0.35 < hit.mean() < 0.65  # of 200 draws with a mean probability of ½: four standard deviations
    down, across = erased.any(axis=2)[hit], erased.any(axis=1)[hit]
    assert (erased[hit] == down[:, :, None] & across[:, None, :]).all()
    assert set(down.sum(axis=1)) == {4}  # half of each side
    assert set(across.sum(axis=1)) == {5}
    assert len({d.argmax() for d in down}) >= 4
    inside = z[erased]
    if fill is None:
        assert inside.min() == 0  # noise of standard deviation 255, clipped
        assert inside.max() == 255
        assert len(np.unique(inside)) > 500
    else:
        assert np.array_equal(np.unique(inside, axis=0), [np.clip(np.broadcast_to(fill, 3), 0, 255)])


def test_a_crop_is_a_part_of_the_image_everywhere_inside_it():
    x = np.arange(5 * 6, dtype=np.float32).reshape(1, 5, 6, 1).repeat(300, axis=0)
    z = changed(layers.RandomCrop(3, 4), x)
    top, left = z[:, 0, 0, 0] // 6, z[:, 0, 0, 0] % 6
    want = [x[0, int(t) : int(t) + 3, int(n) : int(n) + 4] for t, n in zip(top, left, strict=True)]
    assert np.array_equal(z, want)
    assert {(t, n) for t, n in zip(top, left, strict=True)} == {(t, n) for t in range(3) for n in range(3)}


def test_outside_of_training_a_crop_is_the_middle_resized():
    model = Sequential([Input(SHAPE), layers.RandomCrop(4, 4)])
    other = Sequential([Input(SHAPE), layers.Resizing(4, 4, crop_to_aspect_ratio=True)])
    assert np.array_equal(model.predict(IMAGES), other.predict(IMAGES))


def test_nothing_happens_in_evaluation_and_prediction():
    model = Sequential([Input(SHAPE), layers.RandomRotation(0.5), layers.RandomFlip(), Flatten()], seed=1)
    assert np.array_equal(model.predict(IMAGES), IMAGES.reshape(4, -1))


RANDOM = [
    layers.RandomFlip, lambda: layers.RandomTranslation((0.4, 0.5), 0.5), lambda: layers.RandomRotation((0.5, 0.5)),
    lambda: layers.RandomZoom((0.5, 0.5)), lambda: layers.RandomContrast((0.5, 0.5)),
    lambda: layers.RandomBrightness((0.2, 0.3)), lambda: layers.RandomErasing((1.0, 1.0)),
    lambda: layers.RandomCrop(*SHAPE[:2]),
]  # fmt: skip


class Wrapped(Layer):
    """A layer of one's own around another, called as its `call` says unless the caller says otherwise."""

    def __init__(self, usual=None):
        super().__init__()
        self.flip = layers.RandomRotation((0.5, 0.5))
        if usual is not None:
            self.call = self.called_usually

    def called_usually(self, x, training=False):
        return self.flip(x, training=training)

    def call(self, x):
        return self.flip(x)


MANY = np.tile(IMAGES, (16, 1, 1, 1))  # that no image of so many is flipped doesn't happen


@pytest.mark.parametrize("make", [*RANDOM[:-1], Wrapped])
def test_on_arrays_images_are_changed_unless_training_is_false(make):
    for called in (make(), Sequential([make()]), Sequential([Input(SHAPE), Sequential([make()])])):
        assert not np.allclose(called(MANY), MANY)
        assert not np.allclose(called(MANY, training=True), MANY)
        assert np.allclose(called(MANY, training=False), MANY, atol=1e-3)
    model = Sequential([Input(SHAPE), make()])
    assert np.allclose(model.predict(MANY), MANY, atol=1e-3)
    assert np.allclose(model.predict_on_batch(MANY), MANY, atol=1e-3)


def test_on_arrays_other_layers_act_as_in_prediction():
    both = Sequential([layers.RandomRotation((0.5, 0.5)), layers.Dropout(0.5)])
    assert (both(MANY) > 0).all()  # turned, nothing dropped
    assert (both(MANY, training=True) == 0).any()
    assert np.allclose(layers.Dropout(0.5)(MANY), MANY)
    assert np.allclose(Wrapped(usual=False)(MANY), MANY, atol=1e-3)


@pytest.mark.parametrize("place", range(len(RANDOM)))
def test_keras_changes_the_same_calls(place, keras):
    ours = RANDOM[place]()
    arguments = ours.get_config()
    theirs = getattr(keras.layers, type(ours).__name__).from_config(arguments)
    for training in ({}, {"training": True}):
        got, wanted = (np.allclose(np.asarray(layer(MANY, **training)), MANY) for layer in (ours, theirs))
        assert got == wanted


def test_every_image_every_step_and_every_seed_has_numbers_of_its_own():
    x = np.repeat(IMAGES[:1], 6, axis=0)
    model = Sequential([Input(SHAPE), layers.RandomTranslation(0.4, 0.4, seed=1), Flatten(), Dense(1)], seed=5)
    model.compile("sgd", "mse")
    first = model.trace(x, np.zeros(6))
    model.train_on_batch(x, np.zeros(6))
    second = model.trace(x, np.zeros(6))
    assert (first["v"][0] != first["v"][1]).any()
    assert (first["v"] != second["v"]).any()
    alone = changed(layers.RandomTranslation(0.4, 0.4, seed=2), x)
    assert (alone != first["v"]).any()


def test_lanes_and_blocks_do_not_change_the_pictures():
    def weights(lanes: int, batch: int) -> Any:
        model = Sequential([Input(SHAPE), layers.RandomZoom(0.3), layers.RandomFlip(), Flatten(), Dense(2)], seed=5)
        model.compile("sgd", "mse")
        x = np.tile(IMAGES, (40, 1, 1, 1)) / 255
        model.fit(x, np.zeros((160, 2)), epochs=2, batch_size=batch, verbose=0, lanes=lanes, shuffle=False)
        return model.get_weights()

    for one, two in zip(weights(1, 80), weights(2, 80), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_nan_pixels_stay_nan_and_are_named():
    x = IMAGES.copy()
    x[2, 3, 4, 1] = np.nan
    model = Sequential([Input(SHAPE), layers.RandomContrast(0.5), Flatten(), Dense(1)], seed=5)
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError, match=r"x at row 2, place \(3, 4, 1\)"):
        model.fit(x, np.zeros(4), verbose=0)


def test_behind_weights_an_augmentation_is_refused():
    model = Sequential([Input(SHAPE), Dense(2), layers.RandomFlip(), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError, match=r"'random flip' \(.*\) follows layers with weights"):
        model.fit(IMAGES, np.zeros(4), verbose=0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.RandomFlip("sideways"), r"unknown RandomFlip's mode 'sideways'"),
        (lambda: layers.RandomRotation(1.5), r"RandomRotation's factor has to be a number in \[-1, 1"),
        (lambda: layers.RandomRotation((1, 2, 3)), r"RandomRotation's factor is a number or two numbers"),
        (lambda: layers.RandomZoom(-1), r"RandomZoom's height_factor"),
        (lambda: layers.RandomTranslation(0.1, 0.1, "mirror"), r"unknown RandomTranslation's fill_mode 'mirror'"),
        (lambda: layers.RandomTranslation(0.1, 0.1, interpolation="cubic"), r"unknown .* interpolation 'cubic'"),
        (lambda: layers.RandomContrast(2.0), r"RandomContrast's factor"),
        (lambda: layers.RandomContrast(0.5, (1, 0)), r"value_range is \(least, greatest\)"),
        (lambda: layers.RandomBrightness(2.0), r"RandomBrightness's factor"),
        (lambda: layers.RandomBrightness(0.5, (1, 1)), r"RandomBrightness's value_range is \(least, greatest\)"),
        (lambda: layers.RandomErasing(-0.5), r"RandomErasing's factor"),
        (lambda: layers.RandomErasing(scale=1.5), r"RandomErasing's scale"),
        (lambda: layers.RandomErasing(fill_value=[1, 2]), r"RandomErasing's fill_value is a number, three of them"),
        (lambda: layers.RandomErasing(fill_value="noise"), r"RandomErasing's fill_value"),
        (lambda: layers.RandomCrop(0, 3), r"RandomCrop's height"),
        (lambda: layers.Resizing(3, 3, "area"), r"unknown Resizing's interpolation 'area'"),
        (lambda: layers.Resizing(3, 3, fill_mode="nearest"), r"unknown Resizing's fill_mode 'nearest'"),
        (lambda: layers.Resizing(3, 3, "bilinear", True, True), r"crop_to_aspect_ratio or pad_to_aspect_ratio, not"),
        (lambda: layers.CenterCrop(3, 0), r"CenterCrop's width"),
        (lambda: layers.CenterCrop(3, 3, "channels_first"), r"CenterCrop takes images as .*'channels_last'"),
        (lambda: layers.UpSampling2D(2, "area"), r"unknown UpSampling2D's interpolation 'area'"),
        (lambda: layers.RandomFlip(data_format="channels_first"), r"data_format='channels_last'"),
        (lambda: layers.RandomFlip(seed=-1), r"RandomFlip's seed"),
    ],
)
def test_what_cannot_be_honoured_raises(make, said):
    with pytest.raises(ArgumentError, match=said):
        make()


def test_rows_that_are_no_images_are_refused():
    with pytest.raises(ShapeError, match=r"layer 'random_flip' .*height, width, channels.*Input\(\(28, 28, 1\)\)"):
        Sequential([Input((28, 28)), layers.RandomFlip()]).build()
