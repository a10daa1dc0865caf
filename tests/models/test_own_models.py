"""Layers, models and losses of the user's own classes."""

import copy
import pickle

import numpy as np
import pytest
from ops_checks import FLOAT64, check_gradients

from thalweg import Input, Model, Sequential, load_model, losses, ops
from thalweg.errors import ThalwegError
from thalweg.layers import BatchNormalization, Dense, Dropout, Layer
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 4)).astype(np.float32), RANDOM.normal(size=(40, 2)).astype(np.float32)


class Gate(Layer):
    """x·σ(x·W + b), by hand."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], input_shape[-1]), name="w")
        self.b = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="b")

    def call(self, x):
        return self.scale * x * ops.sigmoid(ops.matmul(x, self.w) + self.b)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


class Block(Layer):
    """Layers in a list, in a dict and inside layers; dropout and normalization that act by `training`."""

    def __init__(self, width, depth=2, rate=0.0, name=None):
        super().__init__(name=name)
        self.width, self.depth, self.rate = width, depth, rate
        self.chain = [Dense(width, "tanh") for _ in range(depth)]
        self.parts = {"gate": Gate(name="gate"), "out": Dense(width)}
        self.norm, self.drop = BatchNormalization(), Dropout(rate)

    def call(self, x, training=None):
        for layer in self.chain:
            x = layer(x)
        x = self.norm(self.parts["gate"](x), training=training)
        return self.parts["out"](self.drop(x, training=training))

    def get_config(self):
        return {"width": self.width, "depth": self.depth, "rate": self.rate, "name": self.name}


class Net(Model):
    """A model with `call`."""

    def __init__(self, width=5, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.block = Block(width)
        self.out = Dense(2)

    def call(self, x):
        return self.out(self.block(x))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


OBJECTS = {"Gate": Gate, "Block": Block, "Net": Net}


def graph(layer, **options):
    x = Input((4,))
    return Model(x, Dense(2)(layer(Dense(4, "tanh")(x))), seed=1, **options)


# --- layers -----------------------------------------------------------------------------------------------------------


def test_a_layer_computes_its_call():
    gate = Gate(2.0)
    model = Model(x := Input((4,)), gate(x), seed=1)
    w, b = gate.get_weights()
    want = 2 * X / (1 + np.exp(-(X @ w + b)))
    np.testing.assert_allclose(model.predict(X), want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gate(X), want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [Gate, lambda: Block(5), lambda: Block(3, 4)])
def test_gradients_of_layers(make):
    check_gradients(graph(make(), **FLOAT64), X, Y, "mse")


def test_weights_of_layers_in_lists_and_dicts_are_named_once():
    block = Block(5)
    model = graph(block)
    names = [path for path, _ in block.all_parameters()]
    assert len(set(names)) == len(names) == 4 + 2 + 2 + 4
    assert model.count_params() == 20 + block.count_params() + 12
    model.compile("adam", "mse")
    before = block.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(not np.array_equal(v, w) for v, w in zip(before, block.get_weights(), strict=True))


def test_training_is_passed_to_layers_inside():
    """Dropout and batch statistics in training; averages in prediction."""
    block = Block(5, rate=0.5)
    model = graph(block)
    model.compile(SGD(0.0), "mse")
    assert model.train_on_batch(X, Y) != pytest.approx(model.test_on_batch(X, Y), rel=1e-3)
    assert np.abs(block.norm.get_weights()[2]).max() > 0  # the average of means has moved
    np.testing.assert_array_equal(model.predict(X), model.predict(X))


def test_a_layer_that_is_always_in_training():
    class Always(Layer):
        def __init__(self):
            super().__init__()
            self.drop = Dropout(0.5)

        def call(self, x):
            return self.drop(x, training=True)

    model = Model(x := Input((4,)), Always()(x), seed=1)
    got = model.predict(np.ones((200, 4)))
    assert set(np.unique(got)) == {0.0, 2.0}


def test_weights_shared_by_two_attributes():
    class Twice(Layer):
        def __init__(self):
            super().__init__()
            self.one = self.other = Dense(4, use_bias=False)
            self.all = [self.one]

        def call(self, x):
            return self.one(x) + self.other(2 * x)

    layer = Twice()
    model = Model(x := Input((4,)), layer(x), seed=1, **FLOAT64)
    assert len(model.get_weights()) == 1
    y = RANDOM.normal(size=(40, 4))
    (dW,) = check_gradients(model, X, y, "mse")
    error = 2 * (3 * X @ model.get_weights()[0] - y) / y.size
    np.testing.assert_allclose(dW, 3 * X.T @ error, rtol=1e-6)


def test_a_weight_that_another_layer_uses():
    """Tied weights: the decoder multiplies by the encoder's kernel, transposed."""

    class Tied(Layer):
        def __init__(self, of):
            super().__init__()
            self.of = of

        def call(self, x):
            return ops.matmul(x, ops.transpose(self.of.W))

    encoder = Dense(3, "tanh", use_bias=False)
    model = Model(x := Input((4,)), Tied(encoder)(encoder(x)), seed=1, **FLOAT64)
    assert [w.shape for w in model.get_weights()] == [(4, 3)]
    W = model.get_weights()[0]
    (dW,) = check_gradients(model, X, X, "mse")
    h = np.tanh(X @ W)
    error = 2 * (h @ W.T - X) / X.size
    np.testing.assert_allclose(dW, error.T @ h + X.T @ (error @ W * (1 - h * h)), rtol=1e-5)


REPEATS = {
    "broadcast_to": lambda w, x: ops.broadcast_to(w, (ops.shape(x)[0], 1, 4)),
    "repeat": lambda w, x: ops.repeat(w, ops.shape(x)[0], axis=0),
    "tile": lambda w, x: ops.tile(w, [ops.shape(x)[0], 1, 1]),
    "one row": lambda w, x: w,
    "zeros": lambda w, x: w + ops.zeros((ops.shape(x)[0], 1, 4)),
    "array": lambda w, x: ops.concatenate([w + 0 * x[:, :1], ops.zeros((ops.shape(x)[0], 1, 4))], 1)[:, :1],
}


@pytest.mark.parametrize("name", REPEATS)
@pytest.mark.parametrize("options", [{}, FLOAT64])
def test_a_weight_before_each_row(name, options):
    """What transformers do for the token of the class."""

    class Token(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(1, 1, 4), name="token")

        def call(self, x):
            return ops.concatenate([REPEATS[name](self.w, x), x], axis=1)

    token = Token()
    model = Model(x := Input((3, 4)), token(x), seed=1, **options)
    values = RANDOM.normal(size=(10, 3, 4)).astype(np.float32)
    want = np.concatenate([np.broadcast_to(token.get_weights()[0], (10, 1, 4)), values], 1)
    np.testing.assert_allclose(model.predict(values), want, rtol=1e-6)
    if options:
        check_gradients(model, values, RANDOM.normal(size=(10, 4, 4)), "mse")


def test_frozen_layers_inside():
    block = Block(5)
    block.chain[0].trainable = False
    model = graph(block)
    model.compile("adam", "mse")
    before = block.get_weights()
    model.fit(X, Y, verbose=0)
    same = [np.array_equal(v, w) for v, w in zip(before, block.get_weights(), strict=True)]
    assert same == [True, True] + [False] * 10
    block.trainable = False
    model.compile("adam", "mse")
    before = block.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(v, w) for v, w in zip(before, block.get_weights(), strict=True))


def test_several_inputs_and_outputs_of_a_layer():
    class Mix(Layer):
        def build(self, input_shape):
            assert input_shape == [(None, 4), (None, 2)]
            self.w = self.add_weight(shape=(4, 2), name="w")

        def call(self, inputs):
            a, b = inputs
            h = a @ self.w
            return {"sum": h + b, "difference": h - b}

    a, b = Input((4,)), Input((2,))
    mixed = Mix()([a, b])
    model = Model([a, b], [mixed["sum"], mixed["difference"]], seed=1)
    one, other = model.predict([X, Y])
    np.testing.assert_allclose(one - other, 2 * Y, atol=1e-5)


class Stating(Layer):
    """States its output's shape, as layers of Keras may."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def call(self, inputs):
        return ops.concatenate(inputs, axis=-1)

    def compute_output_shape(self, input_shape):
        assert input_shape == [(None, 2), (None, 3)]
        return (input_shape[0][0], self.width)


def test_a_stated_shape_has_to_be_the_computed_one():
    inputs = [Input((2,)), Input((3,))]
    assert Model(inputs, Stating(5)(inputs)).output_shape == (None, 5)
    with pytest.raises(ThalwegError, match=r"states \(None, 4\), but its call computes \(None, 5\)"):
        Model(inputs, Stating(4)(inputs))


@pytest.mark.parametrize("make", [lambda: Gate(2.0), lambda: Block(5, 3, 0.3)])
def test_layers_survive_saving(make, tmp_path):
    model = graph(make())
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", OBJECTS)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    for m in (model, again):
        m.fit(X, Y, epochs=4, initial_epoch=2, verbose=0)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ThalwegError, match=r"Gate|Block"):
        load_model(tmp_path / "m.safetensors")


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_model_learns_its_shapes_from_data():
    model = Net(seed=1)
    assert not model.built
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.built
    assert model.predict(X).shape == (40, 2)
    assert model.count_params() == sum(w.size for w in model.get_weights())


def test_gradients_of_a_model():
    model = Net(**FLOAT64)
    model.build((None, 4))
    check_gradients(model, X, Y, "mse")


def test_a_model_is_its_layers():
    own = Net(seed=1)
    own.build((None, 4))
    x = Input((4,))
    block, out = Block(5), Dense(2)
    drawn = Model(x, out(block(x)), seed=2)
    drawn.set_weights(own.get_weights())
    np.testing.assert_allclose(own.predict(X), drawn.predict(X), rtol=1e-5, atol=1e-6)


def test_models_survive_saving_and_copying(tmp_path):
    model = Net(6, seed=1, name="mine")
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", OBJECTS)
    assert type(again) is Net
    assert (again.width, again.name) == (6, "mine")
    others = [again, copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for other in others:
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    for m in (model, *others):
        m.fit(X, Y, epochs=4, initial_epoch=2, verbose=0)
    for other in others:
        for v, w in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(v, w)
    fresh = Net(6)
    fresh.build((None, 4))
    model.save_weights(tmp_path / "w.safetensors")
    fresh.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(fresh.predict(X), model.predict(X))


def test_a_model_inside_models():
    inner = Net(seed=1)
    x = Input((4,))
    model = Model(x, Dense(1)(inner(x)), seed=2)
    model.compile("adam", "mse")
    before = inner.predict(X)
    model.fit(X, Y[:, :1], verbose=0)
    assert not np.array_equal(inner.predict(X), before)
    W, b = model.get_weights()[-2:]
    np.testing.assert_allclose(model.predict(X), inner.predict(X) @ W + b, rtol=1e-4, atol=1e-5)
    inner.trainable = False
    model.compile("adam", "mse")
    before = inner.get_weights()
    model.fit(X, Y[:, :1], verbose=0)
    for v, w in zip(before, inner.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)


def test_a_sequential_of_own_layers():
    model = Sequential([Input((4,)), Gate(), Block(3), Net(2, **FLOAT64)], seed=1, **FLOAT64)
    check_gradients(model, X, Y, "mse")


class Pair(Model):
    """Two inputs in a dict, two outputs in a dict."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.one, self.other = Dense(2), Dense(3, "softmax")

    def call(self, inputs):
        h = ops.concatenate([inputs["wide"], inputs["deep"]], 1)
        return {"value": self.one(h), "kind": self.other(h)}


def test_dicts_in_and_out(tmp_path):
    model = Pair(seed=1)
    kinds = RANDOM.integers(0, 3, 40)
    model.compile("adam", {"value": "mse", "kind": "sparse_categorical_crossentropy"}, metrics={"kind": ["accuracy"]})
    x, y = {"wide": X, "deep": Y}, {"value": Y, "kind": kinds}
    history = model.fit(x, y, epochs=2, verbose=0).history
    assert set(history) == {"loss", "value_loss", "kind_loss", "kind_accuracy"}
    got = model.predict(x)
    assert {k: v.shape for k, v in got.items()} == {"value": (40, 2), "kind": (40, 3)}
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", {"Pair": Pair})
    for name, values in again.predict(x).items():
        np.testing.assert_array_equal(values, got[name])
    reordered = model.predict({"deep": Y, "wide": X})
    np.testing.assert_array_equal(reordered["kind"], got["kind"])


# --- losses -----------------------------------------------------------------------------------------------------------


def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Power(losses.Loss):
    """mean |y − ŷ|^p"""

    def __init__(self, p=2.0, **kwargs):
        super().__init__(**kwargs)
        object.__setattr__(self, "p", p)

    def call(self, y_true, y_pred):
        return ops.mean(ops.power(ops.abs(y_true - y_pred), self.p), axis=-1)


SQUARES = {
    "of rows": squares,
    "of every number": lambda y_true, y_pred: (y_true - y_pred) ** 2,
    "of the batch": lambda y_true, y_pred: ops.mean(ops.square(y_true - y_pred)),
    "a class": Power(2.0),
}


@pytest.mark.parametrize("name", SQUARES)
def test_own_losses_train_as_ours(name):
    model = graph(Gate())
    own, ours = copy.deepcopy(model), copy.deepcopy(model)
    own.compile(SGD(0.1), SQUARES[name])
    ours.compile(SGD(0.1), "mse")
    weights = np.linspace(0, 2, 40)
    for m in (own, ours):
        m.fit(X, Y, epochs=2, batch_size=16, sample_weight=weights, verbose=0)
    np.testing.assert_allclose(own.history.history["loss"], ours.history.history["loss"], rtol=1e-4)
    for one, other in zip(own.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    assert own.evaluate(X, Y, verbose=0) == pytest.approx(float(((own.predict(X) - Y) ** 2).mean()), rel=1e-4)


@pytest.mark.parametrize("loss", [Power(3.0), lambda t, p: ops.logsumexp(t * p, -1) + ops.max(ops.square(t - p), -1)])
def test_gradients_of_own_losses(loss):
    check_gradients(graph(Gate(), **FLOAT64), X, Y, loss)


def test_own_losses_survive_saving(tmp_path):
    model = graph(Gate())
    model.compile("adam", squares)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", {**OBJECTS, "squares": squares})
    for m in (model, again):
        m.fit(X, Y, epochs=2, initial_epoch=1, verbose=0)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


class Active(Layer):
    """Passes x on, and adds 0.1·mean(x²) to the loss."""

    def __init__(self, over_all=False):
        super().__init__()
        self.over_all = over_all

    def call(self, x):
        self.add_loss(0.1 * (ops.mean(ops.square(x)) if self.over_all else ops.square(x)))
        return x


@pytest.mark.parametrize("over_all", [False, True])
def test_add_loss(over_all):
    x = Input((4,))
    h = Dense(3, "tanh", name="h")(x)
    model = Model(x, Dense(2)(Active(over_all)(h)), seed=1, **FLOAT64)
    model.compile("sgd", "mse")
    hidden = Model(x, h, **FLOAT64).predict(X)
    want = ((model.predict(X) - Y) ** 2).mean() + 0.1 * (hidden**2).mean()
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(float(want), rel=1e-6)
    check_gradients(model, X, Y, "mse")


def test_a_loss_of_add_loss_alone():
    x = Input((4,))
    model = Model(x, Active()(Dense(3, "tanh")(x)), seed=1)
    model.compile("adam")
    history = model.fit(X, epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_a_penalty_on_weights_by_add_loss():
    class Small(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(4, 2), name="w")

        def call(self, x):
            self.add_loss(ops.sum(ops.square(self.w)))
            return x @ self.w

    layer = Small()
    model = Model(x := Input((4,)), layer(x), seed=1, **FLOAT64)
    model.compile("sgd", "mse")
    (w,) = layer.get_weights()
    want = ((X @ w - Y) ** 2).mean() + (w**2).sum()
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(float(want), rel=1e-6)
    check_gradients(model, X, Y, "mse")


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_a_class_without_call_or_init_is_told():
    class Nothing(Layer):
        pass

    class Forgets(Layer):
        def __init__(self):
            self.w = 1

    class Broken(Layer):
        def call(self, x):
            return ops.matmul(x, np.ones((7, 2)))

    with pytest.raises(ThalwegError, match="call"):
        Nothing()(Input((4,)))
    with pytest.raises(ThalwegError, match=r"super\(\).__init__"):
        Forgets()(Input((4,)))
    with pytest.raises(ThalwegError, match=r"test_own_models\.py, line"):
        Broken()(Input((4,)))


def test_a_weight_that_isnt_used_is_named():
    class Idle(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(3,), name="idle")

        def call(self, x):
            return x

    model = graph(Idle())
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError, match="idle"):
        model.fit(X, Y, verbose=0)


class Around(Layer):
    """Builds the layers inside in its `build`, as Keras's layers do."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.gate = Dense(3, name="dense"), Gate(name="gate")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.gate.build((None, 3))
        self.gate.build((None, 3))  # built already
        super().build(input_shape)

    def call(self, x):
        return self.gate(self.dense(x))


def test_a_layer_that_is_built_by_the_one_around_it_has_its_weights_once():
    layer = Around()
    model = Sequential([Input((4,)), layer, Dense(2)], seed=0)
    model.compile("adam", "mse")
    losses = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert [w.path for w in layer.weights] == [f"around/{k}" for k in ("dense/W", "dense/b", "gate/w", "gate/b")]
    wrong = Dense(3)
    wrong.build((None, 5))
    with pytest.raises(ThalwegError, match="already belongs to a model"):
        wrong.build((None, 4))
