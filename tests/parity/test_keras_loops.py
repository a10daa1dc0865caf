"""Loops whose body is the user's: what Keras gives for arrays, and along the steps of a network's rows."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model
from thalweg.layers import Layer

X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("f")
ONES = np.ones(5, "f")


def step(carry, x):
    return 0.5 * carry + x, carry * x


def structures(carry, x):
    return {"a": carry["b"], "b": carry["a"] + x[0] * x[1]}, [x[0], carry["a"]]


def doubled(a, b):
    return [a[0] * b[0], a[1] * b[0] + b[1]]


LOOPS = {
    "scan": lambda o: o.scan(step, np.zeros((4, 3), "f"), X.swapaxes(0, 1)),
    "scan backwards": lambda o: o.scan(step, np.zeros((4, 3), "f"), X.swapaxes(0, 1), reverse=True, unroll=2),
    "scan of structures": lambda o: o.scan(structures, {"a": X[:, 0], "b": X[:, 1]}, (X.swapaxes(0, 1), ONES)),
    "scan by its length": lambda o: o.scan(lambda c, _: (c * 1.5, c), np.float32(1), length=3),
    "while_loop": lambda o: o.while_loop(lambda n, v: n < 10, lambda n, v: (n * 2, v + 1), (np.int32(3), X)),
    "while_loop with a bound": lambda o: o.while_loop(lambda n: n < 10, lambda n: n * 2, np.int32(3), 1),
    "fori_loop": lambda o: o.fori_loop(1, 4, lambda k, v: v * 0.5 + k, X),
    "associative_scan": lambda o: o.associative_scan(lambda a, b: a * b, X),
    "associative_scan backwards": lambda o: o.associative_scan(doubled, [X, X * X], reverse=True, axis=1),
}


def flat(value):
    """The arrays of a structure, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    return [a for inner in value for a in flat(inner)] if isinstance(value, (list, tuple)) else [np.asarray(value)]


@pytest.mark.parametrize("name", LOOPS)
def test_on_arrays(keras, name):
    found, wanted = (flat(LOOPS[name](library.ops)) for library in (thalweg, keras))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)


class Own(Layer):
    """The scan of a network's rows, with a weight."""

    def build(self, input_shape):
        self.w = self.add_weight((3,), "ones", name="w")

    def call(self, x):
        ops = thalweg.ops
        carry, ys = ops.scan(lambda c, v: (ops.tanh(c * self.w + v), c * v), 0 * x[:, 0], x, reverse=True)
        return ops.sum(ys, 1) + carry


def test_the_gradient_of_a_scan(keras):
    """One step of descent, as JAX's derivative of Keras's scan says."""
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("needs Keras on JAX")
    ops = keras.ops

    def loss(w):
        carry, ys = ops.scan(lambda c, v: (ops.tanh(c * w + v), c * v), 0 * X[:, 0] * w, X.swapaxes(0, 1), reverse=True)
        return ops.mean(ops.square(ops.sum(ys, 0) + carry))

    x = Input((5, 3))
    model = Model(x, Own()(x))
    model.compile(thalweg.optimizers.SGD(1.0), "mse")
    model.train_on_batch(X, np.zeros((4, 3), "f"))
    np.testing.assert_allclose(1 - model.get_weights()[0], np.asarray(jax.grad(loss)(np.ones(3, "f"))), atol=1e-4)
