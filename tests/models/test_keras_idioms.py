"""What published programs of Keras do, and short doors of its API that they need."""

import numpy as np
import pytest

import thalweg as keras
from thalweg import backend as K
from thalweg import layers, ops
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegWarning

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 4), np.float32), RNG.random((40, 1), np.float32)


def absolute(y_true, y_pred):
    return K.mean(K.abs(y_true - y_pred), axis=-1)


def softplus_of_ours(x):
    return ops.log(1.0 + ops.exp(x))


def test_a_function_of_operations_is_a_metric_and_is_saved(tmp_path):
    model = keras.Sequential([layers.Dense(3, activation=softplus_of_ours, input_shape=(4,)), layers.Dense(1)])
    model.compile("adam", "mse", metrics=[absolute, "mae"])
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["absolute"] == pytest.approx(logs["mae"], rel=1e-6)
    assert model.metrics_names == ["loss", "absolute", "mae"]
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(tmp_path / "m.keras")
    own = {"absolute": absolute, "softplus_of_ours": softplus_of_ours}
    again = keras.models.load_model(tmp_path / "m.keras", custom_objects=own)
    assert again.evaluate(X, Y, return_dict=True, verbose=0) == model.evaluate(X, Y, return_dict=True, verbose=0)


def test_metrics_of_functions_for_several_outputs_are_saved(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("adam", "mse", metrics={"a": [absolute], "b": ["mae"]})
    model.fit(X, [Y, Y], epochs=1, verbose=0)
    keras.models.save_model(model, tmp_path / "m.h5")
    again = keras.models.load_model(tmp_path / "m.h5", custom_objects={"absolute": absolute})
    assert again.evaluate(X, [Y, Y], verbose=0) == model.evaluate(X, [Y, Y], verbose=0)


def test_an_activation_made_of_operations_equals_the_built_in_one():
    ours = layers.Activation(softplus_of_ours)(X)
    assert np.allclose(ours, keras.activations.softplus(X), atol=1e-6)


def test_activations_are_functions_of_tensors(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, keras.activations.softmax(keras.activations.elu(x, alpha=0.5), axis=-1))
    wanted = keras.activations.softmax(keras.activations.elu(X, alpha=0.5))
    assert np.allclose(model.predict(X, verbose=0), wanted, atol=1e-6)
    model.save(tmp_path / "m.keras")
    assert np.allclose(keras.models.load_model(tmp_path / "m.keras").predict(X, verbose=0), wanted, atol=1e-6)


class Positions(layers.Layer):
    def __init__(self, last=4):
        super().__init__()
        self.table, self.last = layers.Embedding(4, 3), last

    def call(self, x):
        return x + self.table(ops.expand_dims(ops.arange(0, self.last), 0))


def test_an_embedding_of_constant_ids_is_trained():
    x = keras.Input((4, 3))
    model = keras.Model(x, layers.Flatten()(Positions()(x)))
    model.compile(keras.optimizers.SGD(0.1), "sse")
    before = model.get_weights()[0]
    rows = np.zeros((8, 4, 3), np.float32)
    assert np.allclose(model.predict(rows, verbose=0)[0], before.ravel())
    model.train_on_batch(rows, np.zeros((8, 12), np.float32))
    assert np.allclose(model.get_weights()[0], before - 0.1 * 2 * before, atol=1e-6)
    with pytest.raises(DataError, match="takes ids from 0 to 3"):
        Positions(last=5)(keras.Input((5, 3)))


def test_an_embedding_takes_one_id_a_row():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.users = layers.Embedding(5, 2)

        def call(self, x):
            return self.users(x[:, 0]) * self.users(x[:, 1])

    model, ids = Two(), np.array([[1, 2], [3, 3]])
    table = None
    found = model.predict(ids, verbose=0)
    table = model.get_weights()[0]
    assert np.allclose(found, table[ids[:, 0]] * table[ids[:, 1]])


def test_tensordot_over_rows_is_told():
    with pytest.raises((ShapeError, ArgumentError), match="rows"):
        ops.tensordot(keras.Input((3,)), keras.Input((3,)), 2)


def test_input_layer_and_batch_shape():
    for first in (
        layers.InputLayer(input_shape=(4,)), layers.InputLayer((4,)), keras.Input(batch_shape=(None, 4)),
        keras.Input((4,), batch_size=8),
    ):  # fmt: skip
        assert keras.Sequential([first, layers.Dense(2)]).count_params() == 10
    with pytest.raises(ArgumentError, match="takes a shape"):
        keras.Input()


def test_lambda_takes_output_shape():
    z = layers.Lambda(lambda x: K.l2_normalize(x, axis=-1), output_shape=(4,))(X)
    assert np.allclose(np.linalg.norm(z, axis=-1), 1, atol=1e-6)


def test_initial_weights_as_in_keras():
    assert (
        layers.Dense(1, bias_initializer=keras.initializers.Constant(np.array([-1.5])))(np.zeros((1, 2)))[0, 0] == -1.5
    )
    drawn = layers.Dense(2, kernel_initializer=lambda shape, dtype=None: ops.full(shape, 3.0, dtype=dtype))
    assert (drawn(np.ones((1, 2))) == 6).all()
    assert isinstance(keras.initializers.get(None), keras.initializers.GlorotUniform)


def test_model_from_config_and_own_output_shape():
    class Scaled(layers.Layer):
        def call(self, x):
            return 2 * x

        def compute_output_shape(self, input_shape):
            return input_shape

    x = keras.Input((4,))
    model = keras.Model(x, Scaled()(x))
    again = keras.Model.from_config(model.get_config(), custom_objects={"Scaled": Scaled})
    assert np.allclose(again.predict(X, verbose=0), 2 * X)


def test_old_events_of_batches_are_called():
    class Old(keras.callbacks.Callback):
        batches = 0

        def on_batch_end(self, batch, logs=None):
            self.batches += 1

    model, old = keras.Sequential([layers.Dense(1)]), Old()
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[old])
    assert old.batches == 8


def test_a_picture_without_graphviz_becomes_svg(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
    with pytest.warns(ThalwegWarning, match="needs Graphviz's dot"):
        path = keras.utils.plot_model(model, tmp_path / "m.png")
    assert path.name == "m.svg"
    assert path.read_text(encoding="utf-8").startswith("<svg")


def test_functions_of_the_backend():
    assert K.flatten(np.ones((2, 3, 4))).shape == (2, 12)
    assert K.random_normal((2, 3)).shape == K.random_uniform((2, 3)).shape == (2, 3)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
    K.set_value(model.weights[1], np.array([0.5]))
    assert K.get_value(model.weights[1]).item() == 0.5
    with pytest.raises(ArgumentError, match=r"model\.optimizer\.learning_rate"):
        K.set_value(0.1, 0.2)
