"""What published Keras programs do, each in a few lines, and what is left of it here."""

import numpy as np
import pytest

import thalweg as keras
from thalweg import Input, layers, ops
from thalweg.errors import ArgumentError, ThalwegError

DRAW = np.random.default_rng(0)
X = DRAW.random((16, 4)).astype("f")


def trained(model, x, y, loss="mse"):
    """The model after one step, whose loss it returns."""
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model.fit(x, y, batch_size=len(y), verbose=0).history["loss"][0]


class Appending(keras.Model):
    """Its layers get into a list, and into a dict, one after the other."""

    def __init__(self, **named):
        super().__init__(**named)
        self.hidden, self.heads = [], {}
        for _ in range(2):
            self.hidden.append(layers.Dense(3, "tanh"))
        self.heads["out"] = layers.Dense(1)

    def call(self, x):
        for layer in self.hidden:
            x = layer(x)
        return self.heads["out"](x)


def test_layers_appended_to_a_list_are_the_model_s(tmp_path):
    model = Appending(seed=1)
    trained(model, X, X[:, :1])
    assert model.count_params() == 4 * 3 + 3 + 3 * 3 + 3 + 3 + 1
    W1, b1, W2, b2, W3, b3 = model.get_weights()
    np.testing.assert_allclose(model.predict(X), np.tanh(np.tanh(X @ W1 + b1) @ W2 + b2) @ W3 + b3, rtol=1e-5)
    model.save_weights(tmp_path / "w.safetensors")
    other = Appending(seed=2)
    other.build((None, 4))
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


class Outside(keras.Model):
    """Its call uses a layer that it doesn't own."""

    def __init__(self, layer):
        super().__init__()
        self.out, self.uses = layers.Dense(1), lambda x: layer(x)

    def call(self, x):
        return self.out(self.uses(x))


def test_weights_of_a_layer_that_is_no_attribute_are_refused():
    norm = layers.Normalization()
    norm.adapt(X)
    with pytest.raises(
        ThalwegError, match="computes with μ, of a layer that isn't in it: a layer that a call uses is an"
    ):
        trained(Outside(norm), X, X[:, :1])
    assert np.isfinite(trained(Outside(layers.Activation("tanh")), X, X[:, :1]))  # it has no weights


class Weighing(keras.Model):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=(4,), initializer="ones")

    def call(self, x):
        return x * self.scale


def test_weights_of_a_model_itself_belong_into_a_layer():
    with pytest.raises(ArgumentError, match=r"Weighing.add_weight\('weight'\): the weights of a model are its layers'"):
        trained(Weighing(), X, X)


class Built(keras.Model):
    """Makes its layers in `build`, and calls the one of its base."""

    def build(self, input_shape):
        assert input_shape == (None, 4)
        self.dense = layers.Dense(1)
        super().build(input_shape)

    def call(self, x):
        return self.dense(x)


def test_a_model_with_a_build_keeps_its_best_weights():
    model = Built(seed=1)
    model.compile("sgd", "mse")
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, restore_best_weights=True)
    model.fit(X, X[:, :1], epochs=2, callbacks=[stop], verbose=0)
    assert [w.shape for w in model.get_weights()] == [(4, 1), (1,)]
    other = Built()
    other.build((None, 4))
    assert other.count_params() == 5


class Summing(layers.Layer):
    """Its build takes nothing, and its sum begins with zeros that += adds to."""

    def __init__(self):
        super().__init__()
        self.inner = [layers.Dense(2), layers.Dense(2)]

    def build(self):
        self.built = True

    def call(self, x):
        total = ops.zeros([ops.shape(x)[0], 2])
        for layer in self.inner:
            total += layer(x)
        total /= len(self.inner)
        return total


def test_a_build_without_arguments_and_a_sum_in_place():
    x = Input((4,))
    model = keras.Model(x, Summing()(x), seed=1)
    W1, b1, W2, b2 = model.get_weights()
    np.testing.assert_allclose(model.predict(X), (X @ W1 + b1 + X @ W2 + b2) / 2, rtol=1e-5)


class Block(layers.Layer):
    """A transformer's block, whose Sequential takes sequences of any length."""

    def __init__(self, **named):
        super().__init__(**named)
        self.ffn = keras.Sequential([layers.Dense(8, "relu"), layers.Dense(4)])

    def call(self, x):
        return x + self.ffn(x)


def test_a_sequential_within_a_layer_takes_sequences_of_any_length():
    x = Input((None, 4))
    model = keras.Model(x, Block()(x), seed=1)
    W1, b1, W2, b2 = model.get_weights()
    for length in (3, 11):
        rows = DRAW.random((5, length, 4)).astype("f")
        wanted = rows + np.maximum(rows @ W1 + b1, 0) @ W2 + b2
        np.testing.assert_allclose(model.predict(rows), wanted, rtol=1e-4, atol=1e-5)
    ragged = [DRAW.random((n, 4)) for n in (3, 9, 5, 9)]
    assert np.isfinite(trained(model, ragged, ragged))


def test_a_sequential_with_an_input_keeps_its_length():
    ffn = keras.Sequential([Input((3, 4)), layers.Dense(2)])
    with pytest.raises(ThalwegError, match="takes rows of shape"):
        ffn(Input((5, 4)))


class Softly(layers.Layer):
    def build(self, input_shape):
        self.pi = self.add_weight(shape=(4, 3))

    def call(self, x):
        return ops.matmul(x, keras.activations.softmax(self.pi))


def test_softmax_of_weights():
    layer = Softly()
    got = layer(X)
    pi = np.exp(layer.get_weights()[0])
    np.testing.assert_allclose(got, X @ (pi / pi.sum(1, keepdims=True)), rtol=1e-5)


class Queries(layers.Layer):
    """One array of queries for every row."""

    def __init__(self):
        super().__init__()
        query, data = Input((2, 4), name="query"), Input((3, 4), name="data")
        self.cross = keras.Model({"query": query, "data": data}, layers.Attention()([query, data]))

    def build(self, input_shape):
        self.query = self.add_weight(shape=(2, 4))

    def call(self, x):
        return self.cross({"query": ops.expand_dims(self.query, 0), "data": x})


def test_a_weight_as_a_batch_of_one_is_every_row_s():
    layer, x = Queries(), DRAW.random((5, 3, 4)).astype("f")
    got, query = layer(x), np.asarray(layer.get_weights()[0])
    np.testing.assert_allclose(got, layers.Attention()([np.repeat(query[None], 5, 0), x]), rtol=1e-5, atol=1e-6)


def test_batches_have_numpy():
    data = keras.utils.timeseries_dataset_from_array(DRAW.random((30, 2)), DRAW.random(30), 5, batch_size=4)
    for x, y in data.take(1):
        assert type(x.numpy()) is type(x[0][:, 1].numpy()) is type(y.numpy()) is np.ndarray


def test_one_category_a_row_is_encoded():
    x = Input((), dtype="int32")
    model = keras.Model(x, layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")(x))
    np.testing.assert_array_equal(model.predict(np.array([2, 0])), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("made", [layers.Conv2D(2, 3, data_format="channels_last"), layers.Flatten(data_format=None)])
def test_the_channels_are_last(made):
    assert made(np.ones((1, 4, 4, 1))).shape in ((1, 2, 2, 2), (1, 16))
    with pytest.raises(ArgumentError, match="Flatten has the channels last"):
        layers.Flatten(data_format="channels_first")
