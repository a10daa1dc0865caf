"""Python functions of `thalweg.ops` as activations, regularizers, losses and metrics, and losses that are classes."""

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, ops, saving
from thalweg.errors import ThalwegError
from thalweg.layers import Dense, Embedding, Input
from thalweg.regularizers import L2

X = np.random.default_rng(0).normal(size=(64, 4)).astype("f")
Y = X[:, 0] * X[:, 1]


@saving.register_keras_serializable()
def swish_of_own(x):
    return x * ops.sigmoid(1.5 * x)


@saving.register_keras_serializable()
def squares(w):
    return 0.01 * ops.sum(ops.square(w))


@saving.register_keras_serializable()
def squared_error(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@saving.register_keras_serializable()
def within(y_true, y_pred):
    return ops.cast(ops.abs(y_true - y_pred) < 0.5, "float32")


def network(activation, penalty, loss, metrics, engine="native"):
    layers = [Input((4,)), Dense(6, activation, kernel_regularizer=penalty), Dense(1)]
    model = Sequential(layers, seed=0, engine=engine)
    model.compile("adam", loss, metrics=metrics)
    return model


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_they_train_as_the_built_in_ones(engine):
    own = network(swish_of_own, squares, squared_error, [within, "mae"], engine)
    built_in = network("x * sigmoid(1.5 * x)", L2(0.01), "mse", ["mae"], engine)
    ours, theirs = (model.fit(X, Y, epochs=5, verbose=0).history for model in (own, built_in))
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
    np.testing.assert_allclose(ours["mae"], theirs["mae"], rtol=1e-5)
    inside = np.mean(np.abs(Y[:, None] - own.predict(X)) < 0.5)
    assert own.evaluate(X, Y, verbose=0, return_dict=True)["within"] == pytest.approx(inside)


def test_they_are_saved_by_their_names(tmp_path):
    model = network(swish_of_own, squares, squared_error, [within])
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = thalweg.load_model(tmp_path / "model.safetensors")
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    both = [m.fit(X, Y, epochs=2, verbose=0).history["loss"] for m in (model, again)]
    assert both[0] == both[1]


def test_a_function_that_nobody_registered_is_named(tmp_path):
    def unknown(x):
        return ops.tanh(x)

    model = network(unknown, None, "mse", [])
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ThalwegError, match="unknown"):
        thalweg.load_model(tmp_path / "model.safetensors")
    again = thalweg.load_model(tmp_path / "model.safetensors", custom_objects={"unknown": unknown})
    assert np.array_equal(again.predict(X), model.predict(X))


def test_activations_are_called_on_tensors(tmp_path):
    x = Input((4,))
    h = Dense(3)(x)
    model = thalweg.Model(x, [thalweg.activations.relu(h), thalweg.activations.elu(h, alpha=0.5)], seed=1)
    dense = thalweg.Model(x, h)
    relu, elu = model.predict(X)
    values = dense.predict(X)
    np.testing.assert_allclose(relu, np.maximum(values, 0), rtol=1e-6)
    np.testing.assert_allclose(elu, thalweg.activations.elu(values, alpha=0.5), rtol=1e-5, atol=1e-7)
    model.save(tmp_path / "model.safetensors")
    again = thalweg.load_model(tmp_path / "model.safetensors").predict(X)
    assert all(np.array_equal(a, b) for a, b in zip(again, (relu, elu), strict=True))


def test_a_sum_over_the_batch_is_no_metric():
    with pytest.raises(ThalwegError, match="take the mean"):
        network("relu", None, "mse", [lambda y_true, y_pred: ops.sum(y_true - y_pred)]).fit(X, Y, verbose=0)


def test_an_own_loss_with_a_name_and_class_numbers():
    class Entropy(thalweg.losses.Loss):
        def __init__(self, name="entropy"):
            super().__init__(name=name)
            self.scale = 2.0

        def call(self, y_true, y_pred):
            return self.scale * thalweg.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

    model = Sequential([Input((4,)), Dense(3)], seed=1)
    model.compile("sgd", Entropy(), metrics=["sparse_categorical_accuracy"])
    y = np.arange(len(X)) % 3
    _, accuracy = model.evaluate(X, y, verbose=0)
    assert accuracy == pytest.approx(np.mean(model.predict(X).argmax(axis=1) == y))
    assert Entropy().name == "entropy"
    assert Entropy().get_config()["name"] == "entropy"


def test_compute_loss_as_keras_has_it():
    class Twice(thalweg.Model):
        def __init__(self):
            super().__init__()
            self.layer = Dense(1)

        def call(self, x):
            return self.layer(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
            return 2 * ops.mean(ops.square(y - y_pred))

    model = Twice()
    model.compile("sgd", metrics=["mse"])
    loss, mse = model.evaluate(X, Y[:, None], verbose=0)
    assert loss == pytest.approx(2 * mse, rel=1e-5)


def test_an_embedding_of_one_id_a_row():
    x = Input((2,))
    model = thalweg.Model(x, Embedding(5, 3)(x[:, 0]), seed=1)
    rows = np.stack([np.arange(12) % 5, np.zeros(12)], axis=1)
    assert np.array_equal(model.predict(rows), model.get_weights()[0][np.arange(12) % 5])
