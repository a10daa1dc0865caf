"""Graphs, operations and own layers beside Keras: outputs, gradients (by a step of SGD) and 20 steps of Adam.

Each network is written once, as a function of the library: `thalweg` or `keras`. Both begin with the same weights.
"""

import numpy as np
import pytest

import thalweg

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras's
ROWS, STEPS = 24, 20
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 6)).astype("f")
Z = RANDOM.normal(size=(ROWS, 6)).astype("f")
SEQUENCE = RANDOM.normal(size=(ROWS, 5, 8)).astype("f")
IDS = RANDOM.integers(0, 11, (ROWS, 5))
IMAGES = RANDOM.normal(size=(ROWS, 8, 8, 3)).astype("f")
NUMBER = RANDOM.normal(size=(ROWS, 1)).astype("f")
KIND = RANDOM.integers(0, 3, ROWS)


def merged(name, **options):
    def network(k):
        x, z = k.Input((6,), name="x"), k.Input((6,), name="z")
        one = k.layers.Dense(4, "tanh", name="one")(x)
        other = k.layers.Dense(4, "tanh", name="other")(z)
        joined = getattr(k.layers, name)(**options)([one, other])
        return k.Model([x, z], k.layers.Dense(1, name="out")(joined))

    return network, [X, Z], NUMBER, "mse"


def shared(k):
    x, z = k.Input((6,), name="x"), k.Input((6,), name="z")
    twin = k.layers.Dense(4, "tanh", name="twin")
    joined = k.layers.Concatenate(name="joined")([twin(x), twin(z)])
    return k.Model([x, z], k.layers.Dense(1, name="out")(joined))


def two_outputs(k):
    x = k.Input((6,), name="x")
    h = k.layers.Dense(8, "tanh", name="h")(x)
    return k.Model(x, [k.layers.Dense(1, name="number")(h), k.layers.Dense(3, activation="softmax", name="kind")(h)])


def embedded(k):
    ids = k.Input((5,), name="ids")
    sparse = {"sparse": False} if k is thalweg else {}  # Keras updates all rows of the table
    e = k.layers.Embedding(11, 4, name="table", **sparse)(ids)
    return k.Model(ids, k.layers.Dense(1, name="out")(k.layers.GlobalAveragePooling1D(name="mean")(e)))


def attention(k):
    class Attention(k.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.q, self.k, self.v = (k.layers.Dense(8, name=n) for n in ("q", "k", "v"))

        def call(self, x):
            def heads(y):
                return k.ops.transpose(k.ops.reshape(y, (-1, 5, 2, 4)), (0, 2, 1, 3))

            q, keys, v = heads(self.q(x)), heads(self.k(x)), heads(self.v(x))
            scores = k.ops.softmax(k.ops.matmul(q, k.ops.transpose(keys, (0, 1, 3, 2))) / 2.0)
            z = k.ops.matmul(scores, v)
            return k.ops.reshape(k.ops.transpose(z, (0, 2, 1, 3)), (-1, 5, 8))

    x = k.Input((5, 8), name="x")
    h = k.layers.Add(name="add")([x, Attention(name="attention")(k.layers.LayerNormalization(name="norm")(x))])
    h = k.layers.Dense(8, activation="gelu", name="mlp")(h)
    return k.Model(x, k.layers.Dense(1, name="out")(k.layers.GlobalAveragePooling1D(name="mean")(h)))


def own_weights(k):
    class Gate(k.layers.Layer):
        def build(self, input_shape):
            size = (input_shape[-1], input_shape[-1])
            self.w = self.add_weight(shape=size, initializer="glorot_uniform", name="w")
            self.s = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="s")

        def call(self, x):
            gate = k.ops.sigmoid(k.ops.einsum("bi,ij->bj", x, self.w) * k.ops.exp(self.s))
            return k.ops.where(gate > 0.5, x, k.ops.square(x)) * gate + k.ops.mean(x, axis=1, keepdims=True)

    x = k.Input((6,), name="x")
    return k.Model(x, k.layers.Dense(1, name="out")(Gate(name="gate")(x)))


def arrangements(k):
    class Arranged(k.layers.Layer):
        def call(self, x):
            ops = k.ops
            first, second = ops.split(x, 2, axis=-1)
            z = ops.concatenate([first[:, 1:], second[:, :-1]], axis=1)
            z = ops.pad(z, ((0, 0), (1, 0), (0, 0)))
            z = ops.flip(ops.roll(z, 1, axis=1), axis=2) + ops.expand_dims(ops.max(z, axis=1), 1)
            z = ops.logsumexp(z, axis=1) + ops.cumsum(ops.take(z, [0, 2, 1, 0], axis=2), axis=1)[:, -1]
            return ops.stack([z, ops.tanh(z)], axis=1)

    x = k.Input((5, 8), name="x")
    h = k.layers.Dense(8, name="h")(x)
    return k.Model(x, k.layers.Dense(1, name="out")(k.layers.Flatten(name="flat")(Arranged(name="moved")(h))))


def shaped(k):
    x = k.Input((8, 8, 3), name="x")
    down = k.layers.Conv2D(4, 3, padding="same", activation="tanh", name="down")(x)
    small = k.layers.Conv2D(6, 3, strides=2, padding="same", activation="tanh", name="small")(down)
    up = k.layers.UpSampling2D(2, name="up")(small)
    h = k.layers.Conv2D(2, 3, padding="same", name="joined")(k.layers.Concatenate(name="skip")([down, up]))
    return k.Model(x, k.layers.Dense(1, name="out")(k.layers.GlobalAveragePooling2D(name="mean")(h)))


NETWORKS = {
    "Add": merged("Add"),
    "Subtract": merged("Subtract"),
    "Multiply": merged("Multiply"),
    "Average": merged("Average"),
    "Maximum": merged("Maximum"),
    "Minimum": merged("Minimum"),
    "Concatenate": merged("Concatenate"),
    "Dot": merged("Dot", axes=1),
    "Dot normalized": merged("Dot", axes=-1, normalize=True),
    "shared layer": (shared, [X, Z], NUMBER, "mse"),
    "two outputs": (two_outputs, X, [NUMBER, KIND], ["mse", "sparse_categorical_crossentropy"]),
    "embedding": (embedded, IDS, NUMBER, "mse"),
    "attention": (attention, SEQUENCE, NUMBER, "mse"),
    "own weights": (own_weights, X, NUMBER, "mse"),
    "arrangements": (arrangements, SEQUENCE, NUMBER, "mse"),
    "U-shaped": (shaped, IMAGES, NUMBER, "mse"),
}


def by_layer(model):
    return {layer.name: [np.asarray(w) for w in layer.get_weights()] for layer in model.layers if layer.get_weights()}


def close(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, arrays in theirs.items():
        for one, other in zip(ours[name], arrays, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4, err_msg=name)


def lists(values):
    return values if isinstance(values, list) else [values]


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_computes_and_trains_the_same(keras, name):
    network, x, y, loss = NETWORKS[name]
    pair = {k: network(k) for k in (thalweg, keras)}
    for layer in pair[thalweg].layers:
        if layer.get_weights():
            layer.set_weights(pair[keras].get_layer(layer.name).get_weights())
    weights = {"loss_weights": [0.5, 2.0]} if isinstance(loss, list) else {}
    outputs = {k: lists(model.predict(x, verbose=0)) for k, model in pair.items()}
    for one, other in zip(outputs[thalweg], outputs[keras], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for k, model in pair.items():  # a step of SGD is the gradient
        model.compile(k.optimizers.SGD(0.1), loss=loss, **weights)
        model.train_on_batch(x, y)
    close(*(by_layer(pair[k]) for k in (thalweg, keras)))
    losses = {}
    for k, model in pair.items():
        model.compile(k.optimizers.Adam(0.01, epsilon=1e-3), loss=loss, **weights)
        history = model.fit(x, y, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
        losses[k] = history.history["loss"]
    np.testing.assert_allclose(losses[thalweg], losses[keras], rtol=1e-4, atol=1e-5)
    assert losses[thalweg][-1] < losses[thalweg][0]
    close(*(by_layer(pair[k]) for k in (thalweg, keras)))
