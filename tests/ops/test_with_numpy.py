"""Results with Keras's `numpy()`: NumPy's arrays and Python's floats in all other respects."""

import copy
import json
import pickle

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers, losses, metrics

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def network():
    return Sequential([Input((3,)), layers.Dense(2)], seed=0)


def scored(metric):
    metric.update_state([[0.0], [1.0]], [[0.5], [1.0]])
    return metric.result()


ARRAYS = {
    "a model": (lambda: network()(X), np.float32),
    "a model as in training": (lambda: network()(X, training=True), np.float32),
    "a layer": (lambda: layers.Dense(2, kernel_initializer="ones")(X), np.float32),
    "a function of losses": (lambda: losses.mean_squared_error(X, 0 * X), np.float64),
    "a function of metrics": (lambda: metrics.binary_accuracy(X > 0, X), np.float64),
    "thresholds": (lambda: scored(metrics.Precision(thresholds=[0.2, 0.7])), np.float64),
}
FLOATS = {
    "a loss": lambda: losses.MeanSquaredError()(X, 0 * X),
    "one row": lambda: losses.mean_squared_error(X[0], 0 * X[0]),
    "a metric": lambda: scored(metrics.MeanSquaredError()),
    "nothing yet": lambda: metrics.MeanSquaredError().result(),
    "a running mean": lambda: metrics.Mean()(X),
    "an overlap": lambda: metrics.MeanIoU(2)([0, 1], [0, 1]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_have_it_and_are_arrays(name):
    make, dtype = ARRAYS[name]
    result = make()
    assert isinstance(result, np.ndarray)
    assert type(result.numpy()) is np.ndarray
    assert result.dtype == result.numpy().dtype == dtype
    assert np.array_equal(result.numpy(), np.asarray(result))
    assert repr(result) == repr(np.asarray(result))
    result.numpy()[...] = 9  # a copy
    assert not (result == 9).any()


@pytest.mark.parametrize("name", FLOATS)
def test_numbers_have_it_and_are_floats(name):
    result = FLOATS[name]()
    assert isinstance(result, float)
    assert result.numpy() == result
    assert type(result.numpy()) is np.float64
    assert json.loads(json.dumps(result)) == result
    assert repr(result) == repr(float(result))
    assert f"{result:.3f}" == f"{float(result):.3f}"


def test_what_is_computed_of_an_array():
    result = network()(X)
    assert (result * 2)[:, 0].numpy() == pytest.approx(2 * np.asarray(result)[:, 0])
    assert np.exp(result).numpy() == pytest.approx(np.exp(np.asarray(result)))
    for number in (result.sum(), result[0, 0], result.max(), np.mean(result)):
        assert isinstance(number, np.float32)
        assert hash(number) == hash(float(number))
    for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert np.array_equal(again.numpy(), result)


def test_predictions_are_arrays_of_numpy():
    assert type(network().predict(X, verbose=0)) is np.ndarray


def test_a_model_with_several_outputs():
    x = Input((3,))
    model = Model(x, {"a": layers.Dense(1)(x), "b": layers.Dense(2)(x)})
    assert [value.numpy().shape for value in model(X).values()] == [(4, 1), (4, 2)]
