"""Layers along the last axis take it by its number, and refuse any other."""

from functools import partial

import numpy as np
import pytest

from thalweg import Sequential, activations, load_model
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import BatchNormalization, GroupNormalization, Input, LayerNormalization, Normalization, Softmax

ALONG_THE_LAST = [BatchNormalization, LayerNormalization, partial(GroupNormalization, groups=1), Softmax, Normalization]


@pytest.mark.parametrize("make", ALONG_THE_LAST)
@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 5, 3)])
def test_the_last_axis_may_be_named_by_its_number(make, shape, tmp_path):
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    results = []
    for axis in (-1, len(shape), [len(shape)]):
        layer = make(axis=axis)
        if isinstance(layer, Normalization):
            layer.adapt(x)
        model = Sequential([Input(shape), layer])
        results.append(model.predict(x))
        model.save(tmp_path / "model.safetensors")
        again = load_model(tmp_path / "model.safetensors")
        assert again.layers[0].axis == layer.axis
        np.testing.assert_array_equal(again.predict(x), results[-1])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("make", ALONG_THE_LAST)
def test_another_axis_is_refused(make):
    for axis in (0, -2, -3, True, 1.0, "last", [1, 2], []):
        with pytest.raises(ArgumentError, match=r"works along the last axis: axis is -1 or its number, .* got "):
            make(axis=axis)
    for axis in (1, 2, 4):
        with pytest.raises(ShapeError, match=rf"last axis, which is axis 3 of inputs \('rows', 4, 5, 3\), not {axis}"):
            Sequential([Input((4, 5, 3)), make(axis=axis)]).build()
    with pytest.raises(ShapeError, match="last axis, which is axis 2"):
        Normalization(axis=3).adapt(np.zeros((2, 4, 3)))
    x = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(activations.softmax(x, axis=1), activations.softmax(x))
