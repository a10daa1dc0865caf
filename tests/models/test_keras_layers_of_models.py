"""What Keras's programs do with the layers of a model: count them, take them, add to them, copy their weights."""

import numpy as np
import pytest

import thalweg
from thalweg import Model, Sequential, layers, load_model
from thalweg.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = X[:, :2]


def dense(name, units=2):
    return layers.Dense(units, name=name)


def branched(keras):
    """Branches of different lengths, one of whose weights have the shape of another's."""
    a, b, u = (keras.Input((n,), name=name) for n, name in ((4, "a"), (4, "b"), (1, "u")))

    def made(name, units=2):
        return keras.layers.Dense(units, name=name)

    shared = made("shared")
    short, long = made("short", 4)(b), made("second", 4)(made("first", 4)(a))
    joined = keras.layers.Concatenate(name="joined")([short, long])
    inner = keras.Model(i := keras.Input((8,), name="i"), keras.layers.Add(name="sum")([
        made("quick")(i), made("late")(made("early", 8)(i)),
    ]), name="inner")  # fmt: skip
    outputs = {"x": shared(joined), "y": shared(made("mid", 8)(joined)), "z": inner(joined)}
    return keras.Model([a, b, u], outputs)


ORDER = ["a", "first", "b", "second", "short", "joined", "mid", "shared", "inner"]


def test_the_layers_are_counted_as_in_keras():
    model = branched(thalweg)
    names = [layer.name for layer in model.layers]
    assert sorted(names) == sorted([*ORDER, "u"])
    assert isinstance(model.layers[0], layers.InputLayer)
    assert model.get_layer(index=1) is model.layers[1]
    assert model.get_layer("b").output is model.inputs[1]
    assert model.get_layer("u") in model.layers
    with pytest.raises(ArgumentError, match="none at index 10"):
        model.get_layer(index=10)


def test_the_order_of_layers_and_weights_is_keras_s(keras):
    ours, theirs = branched(thalweg), branched(keras)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.input_shape == theirs.input_shape
    given = [np.asarray(w.value) for w in theirs.weights]
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in given]
    ours.set_weights(given)
    rows = [X, X + 1, X[:, :1]]
    for got, wanted in zip(ours.predict(rows).values(), theirs.predict(rows, verbose=0).values(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_a_saved_model_has_the_same_order(tmp_path):
    model = branched(thalweg)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), model.get_weights(), strict=True))
    assert [name for name, _ in again.named_parameters()] == [name for name, _ in model.named_parameters()]


def test_an_input_layer_begins_a_sequential_which_does_not_count_it():
    model = Sequential([layers.InputLayer(shape=(4,)), dense("one")])
    assert [layer.name for layer in model.layers] == ["one"]
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
    x = thalweg.Input((4,))
    assert layers.InputLayer(input_tensor=x).output is x
    with pytest.raises(ArgumentError, match="not both"):
        layers.InputLayer(shape=(4,), input_tensor=x)
    with pytest.raises(ArgumentError, match="call a layer on its output"):
        model.layers[0].input.layer(x)


def test_weights_are_there_as_soon_as_the_input_is_known():
    for read in (
        lambda layer: [w.shape for w in layer.get_weights()],
        lambda layer: [w.shape for w in layer.weights],
        lambda layer: [layer.kernel.shape, layer.bias.shape],
    ):
        model = Sequential([thalweg.Input((4,)), dense("one")])
        assert read(model.layers[0]) == [(4, 2), (2,)]
    assert dense("one").get_weights() == []
    assert Sequential([dense("one")]).layers[0].get_weights() == []
    taken = Sequential([thalweg.Input((4,)), dense("one")])
    taken.layers[0].set_weights([np.ones((4, 2)), np.zeros(2)])
    assert np.allclose(taken.predict(X), X.sum(axis=1, keepdims=True), atol=1e-5)


def test_shapes_as_in_keras_and_unknown_before_the_first_data():
    model = Sequential([thalweg.Input((4,)), dense("one")])
    assert model.output_shape == (None, 2)
    unknown = Sequential([dense("one")])
    assert unknown.output_shape is None
    unknown.predict(X)
    assert (unknown.input_shape, unknown.output_shape) == ((None, 4), (None, 2))


def test_layers_come_and_go_and_the_others_keep_their_weights(capsys):
    model = Sequential([thalweg.Input((4,)), dense("one", 3)])
    model.summary()
    first = model.get_weights()
    model.add(dense("two"))
    assert model.predict(X).shape == (12, 2)
    assert all(np.array_equal(a, b) for a, b in zip(model.layers[0].get_weights(), first, strict=True))
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    trained = model.layers[0].get_weights()
    model.pop()
    assert model.output_shape == (None, 3)
    np.testing.assert_allclose(model.predict(X), X @ trained[0] + trained[1], atol=1e-5)
    model.add(dense("three"))
    assert model.optimizer.iterations == 0  # it starts over
    before = model.evaluate(X, Y, verbose=0)
    assert model.fit(X, Y, epochs=40, verbose=0).history["loss"][-1] < before


def test_a_changed_sequential_is_saved_as_it_is(tmp_path):
    model = Sequential([thalweg.Input((4,)), dense("one", 3), dense("two", 5)])
    model.compile("adam", "mse")
    model.fit(X, np.tile(Y, (1, 3))[:, :5], verbose=0)
    model.pop()
    model.add(dense("end"))
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    for one in (model, again):
        one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_sequential_takes_the_layers_of_another_with_their_weights():
    base = Sequential([thalweg.Input((4,)), layers.Dense(3), layers.Dense(2)])
    base.compile("sgd", "mse")
    base.fit(X, Y, verbose=0)
    names = [name for name, _ in base.named_parameters()]
    grown = Sequential([thalweg.Input((4,)), layers.Dense(4), *base.layers[:-1], layers.Dense(1)])
    assert np.array_equal(grown.get_weights()[2], base.get_weights()[0])
    assert [name for name, _ in base.named_parameters()] == names
    assert [layer.name for layer in grown.layers] == ["dense_1", "dense", "dense_2"]
    assert Model(grown.input, grown.layers[1].output if False else grown.output).predict(X).shape == (12, 1)


@pytest.mark.parametrize("given", [["mse", "mse"], []])
def test_one_output_takes_one_loss(given):
    model = Sequential([thalweg.Input((4,)), dense("one")])
    model.build()
    with pytest.raises(ArgumentError, match=f"loss is a list of {len(given)}, but the model has one output"):
        model.compile("sgd", given)
    with pytest.raises(ArgumentError, match="loss_weights is a list of 2"):
        model.compile("sgd", "mse", loss_weights=[1, 2])
    model.compile("sgd", ["mse"], loss_weights=[1])
    assert model.fit(X, Y, verbose=0).history["loss"]


def test_a_layer_without_a_name_is_called_by_its_kind():
    layer = layers.Dense(2)
    layer.build(input_shape=(None, 4))
    assert layer.kernel.shape == (4, 2)
    with pytest.raises(thalweg.errors.ThalwegError, match="layer 'dense' has no weights yet"):
        layer.get_weights()
    with pytest.raises(ArgumentError, match="layer 'add' takes a list of 2 or more"):
        layers.Add()(thalweg.Input((4,)))


class Scaled(layers.Layer):
    """A layer whose `build` has its argument under another name."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.w


def test_build_takes_its_argument_by_name():
    layer = Scaled()
    layer.build(shape=(None, 4))
    assert layer.w.shape == (4,)
    with pytest.raises(TypeError, match="shape"):
        Scaled().build(units=(None, 4))
