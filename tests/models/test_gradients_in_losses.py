"""Gradients in the losses of steps of one's own: by differences, and derived once more."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, ops
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import (
    LSTM,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LayerNormalization,
    MaxPooling2D,
    Multiply,
    Reshape,
    Softmax,
)  # fmt: skip

RANDOM = np.random.default_rng(0)
X, WAY = RANDOM.normal(size=(6, 16)), RANDOM.normal(size=16)
engines = pytest.mark.parametrize("engine", ["reference", "native"])


class Penalised(Model):
    """The penalty of WGAN-GP, on the rows themselves."""

    def penalty(self, x):
        slope = self.gradient(self(x, training=self.learns), x)
        return ops.mean(ops.square(ops.sqrt(ops.sum(ops.square(slope), axis=-1) + 1e-12) - 1))

    def loss_of(self, x):
        return ops.mean(self(x, training=self.learns)) + self.penalty(x)

    def train_step(self, x):
        loss = self.loss_of(x)
        self.minimize(loss)
        return {"loss": loss}

    def test_step(self, x):
        slope = self.gradient(self(x), x)
        return {"loss": self.loss_of(x), "slope": ops.sum(slope * WAY, axis=-1)}


def dense(name):
    return lambda x: Dense(3, name)(x)


STACKS = {
    **{name: dense(name) for name in ("tanh", "relu", "sigmoid", "softplus", "gelu", "silu", "elu", "exponential")},
    "leaky": lambda x: thalweg.layers.LeakyReLU(0.3)(Dense(5)(x)),
    "image": lambda x: Flatten()(Conv2D(3, 2, activation="tanh")(Reshape((4, 4, 1))(x))),
    "strides": lambda x: Flatten()(Conv2D(2, 3, strides=2, padding="same", activation="silu")(Reshape((4, 4, 1))(x))),
    "layer normalization": lambda x: LayerNormalization()(Dense(4, "tanh")(x)),
    "positions": lambda x: Flatten()(LayerNormalization(axis=-1)(Dense(4)(Reshape((4, 4))(x)))),
    "softmax": lambda x: Softmax()(Dense(4)(x)),
    "parts": lambda x: Concatenate()([Multiply()([Dense(4, "tanh")(x), Dense(4)(x)]), x[:, 2:5]]),
    "quotients": lambda x: Dense(4)(x) / (1 + ops.square(Dense(4)(x))) + ops.power(ops.abs(x[:, :4]) + 1, 1.5),
    "products": lambda x: Flatten()(ops.matmul(Reshape((4, 4))(Dense(16)(x)), Reshape((4, 4))(x))),
    "eigenvectors": lambda x: ops.svd(Reshape((2, 3))(Dense(6)(x)) + 3.0 * np.eye(2, 3))[2][:, 0] ** 2,
    "sums": lambda x: ops.logsumexp(Dense(4)(x), axis=-1, keepdims=True) + ops.max(Dense(4)(x), axis=-1, keepdims=True),
}


def critic(make, engine="reference", kind=Penalised, acting=False):
    x = Input((16,))
    model = kind(x, Dense(1)(make(x)), seed=1, engine=engine, dtype="float64" if engine == "reference" else "float32")
    model.learns = acting
    model.compile(thalweg.optimizers.SGD(1.0))
    return model


def assert_derived(model):
    """Compares what a step of gradient descent changes with differences of the loss, along a random direction."""
    weights = model.get_weights()
    model.train_on_batch(X)
    gradient = [w - v for w, v in zip(weights, model.get_weights(), strict=True)]
    way = [RANDOM.normal(size=w.shape) for w in weights]
    found = []
    for size in (1e-5, -1e-5):
        model.set_weights([w + size * v for w, v in zip(weights, way, strict=True)])
        found.append(model.test_on_batch(X)[0])
    wanted = sum(float((g * v).sum()) for g, v in zip(gradient, way, strict=True))
    assert (found[0] - found[1]) / 2e-5 == pytest.approx(wanted, rel=1e-5, abs=1e-8)
    assert abs(wanted) > 1e-3


@pytest.mark.parametrize("name", STACKS)
def test_a_gradient_of_a_gradient_is_that_of_differences(name):
    assert_derived(critic(STACKS[name]))


@pytest.mark.parametrize("name", STACKS)
def test_a_gradient_by_inputs_is_that_of_differences(name):
    model = critic(STACKS[name])
    wanted = (model.predict(X + 1e-5 * WAY) - model.predict(X - 1e-5 * WAY)).mean() / 2e-5
    assert model.test_on_batch(X)[1] == pytest.approx(wanted, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["tanh", "image"])
def test_the_native_engine_computes_the_same(name):
    models = [critic(STACKS[name], engine) for engine in ("reference", "native")]
    for model in models:
        model.optimizer.learning_rate = 0.05
        model.fit(X, batch_size=4, epochs=3, verbose=0)
    for w, v in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-3, atol=1e-5)


@engines
def test_a_gradient_by_inputs_is_that_of_a_formula(engine):
    class Told(Penalised):
        def test_step(self, x):
            y = self(x)
            one = self.gradient(y, x)
            both = self.gradient(ops.sum(ops.square(y)), {"x": x, "y": y})
            return {"one": one[:, 0], "chain": both["x"][:, 0], "y": both["y"][:, 0]}

    model = critic(lambda x: x, engine, Told)
    w, b = (a.astype(np.float64) for a in model.get_weights())
    y = X @ w + b
    wanted = {"one": w[0, 0], "chain": np.mean(2 * y * w[0, 0]), "y": np.mean(2 * y)}
    assert model.evaluate(X, return_dict=True, verbose=0) == pytest.approx(wanted, rel=1e-4)


def pooled(x):
    return Flatten()(MaxPooling2D(2)(Dropout(0.5)(Conv2D(2, 2)(Reshape((4, 4, 1))(x)))))


@pytest.mark.parametrize(
    ("stack", "named"),
    [
        (pooled, "max pooling adjoint"),
        (lambda x: LSTM(3)(Reshape((4, 4))(x)), "scan"),
        (lambda x: Flatten()(ops.inv(Reshape((4, 4))(Dense(16)(x)) + 5.0 * np.eye(4))), "scan"),
    ],
    ids=["pooling", "recurrence", "inverse"],
)
def test_a_gradient_may_be_taken_through_what_can_be_derived_once(stack, named):
    class Fooled(Penalised):
        def train_step(self, x):
            slope = ops.stop_gradient(self.gradient(self(x, training=True), x))
            loss = ops.mean(self(x + 0.1 * ops.sign(slope)))
            self.minimize(loss)
            return {"loss": loss}

    critic(stack, kind=Fooled).fit(X, verbose=0)
    with pytest.raises(ThalwegError, match=f"can't be derived through '{named}'"):
        critic(stack).fit(X, verbose=0)


def test_what_gradient_cannot_derive_says_so():
    class Wrong(Penalised):
        def train_step(self, x):
            self.minimize(ops.mean(self.wrong(x)))
            return {}

    wrong = {
        "mixes the rows": lambda self, x: self.gradient(self(x, training=True), x),
        "doesn't depend": lambda self, x: self.gradient(self(x), ops.square(x)),
        "the numbers of each row": lambda self, x: self.gradient(ops.mean(self(x)), x),
        "by weights, minimize": lambda self, x: self.gradient(self(x), self.weights[0]),
    }
    for said, how in wrong.items():
        model = critic(lambda x: BatchNormalization()(Dense(3)(x)), kind=type("Own", (Wrong,), {"wrong": how}))
        with pytest.raises((ArgumentError, ThalwegError), match=said):
            model.fit(X, verbose=0)
    with pytest.raises(ThalwegError, match="gradient belongs in train_step"):
        critic(dense("tanh")).gradient(0.0, 0.0)


class Adapted(Penalised):
    """A loss behind an inner step by the gradient of another, in each row with weights of its own."""

    def error(self, x, weights):
        first, last = weights
        return ops.mean(
            ops.square(ops.matmul(ops.tanh(ops.matmul(x[:, :, :3], first)), last) - x[:, :, 3:]), axis=(1, 2)
        )

    def loss_of(self, x):
        x = ops.reshape(x, (-1, 4, 4))
        weights = [layer.W + 0 * x[:, :1, :1] for layer in self.layers[-2:]]
        slopes = self.gradient(self.error(x[:, :2], weights), weights)
        weights = [w - 0.3 * slope for w, slope in zip(weights, slopes, strict=True)]
        return ops.mean(self.error(x[:, 2:], weights))


def test_a_loss_behind_an_inner_step_is_derived_through_it():
    x = Input((16,))
    stack = [Dense(3, use_bias=False), Dense(1, use_bias=False)]
    model = Adapted(x, stack[1](stack[0](x[:, :3])), seed=1, engine="reference", dtype="float64")
    model.learns = False
    model.compile(thalweg.optimizers.SGD(1.0))
    assert_derived(model)
