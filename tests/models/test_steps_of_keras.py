"""Training steps in the words of TensorFlow, PyTorch and JAX: each of their errors leads to `minimize`."""

import types
from pathlib import Path

import numpy as np
import pytest

import thalweg as keras
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.absent import GUIDE
from thalweg.errors import ArgumentError, ThalwegError

X, Y = np.ones((8, 3), np.float32), np.ones(8, np.float32)


class Tape:
    """What a step sees of tf.GradientTape: it takes what NumPy can read."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def gradient(self, loss, weights):
        return [np.asarray(loss) * w for w in weights]


tf = types.SimpleNamespace(
    GradientTape=Tape,
    shape=lambda x: np.asarray(x).shape,
    concat=lambda values, axis: np.concatenate([np.asarray(v) for v in values], axis),
    ones=np.ones,
    zeros=np.zeros,
)
jax = types.SimpleNamespace(value_and_grad=lambda f, has_aux: lambda *given: (f(*given), given[0]))


class Adversaries(Model):
    """Keras's example of a GAN, up to its step."""

    def __init__(self):
        super().__init__(seed=0)
        self.discriminator = Sequential([Input((3,)), layers.Dense(4, "relu"), layers.Dense(1)])
        self.generator = Sequential([Input((2,)), layers.Dense(3)])
        self.latent_dim = 2
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn


class OfTensorFlow(Adversaries):
    def train_step(self, real_images):
        batch_size = tf.shape(real_images)[0]
        random_latent_vectors = keras.random.normal((batch_size, self.latent_dim), seed=self.seed_generator)
        combined_images = tf.concat([self.generator(random_latent_vectors), real_images], axis=0)
        labels = tf.concat([tf.ones((batch_size, 1)), tf.zeros((batch_size, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(combined_images))
        grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights, strict=True))
        self.d_loss_tracker.update_state(d_loss)
        return {"d_loss": self.d_loss_tracker.result()}


class OfPyTorch(Adversaries):
    def train_step(self, real_images):
        batch_size = real_images.shape[0]
        random_latent_vectors = keras.random.normal((batch_size, self.latent_dim), seed=self.seed_generator)
        generated_images = self.generator(random_latent_vectors)
        self.zero_grad()
        d_loss = ops.mean(self.discriminator(generated_images))
        d_loss.backward()
        grads = [v.value.grad for v in self.discriminator.trainable_weights]
        self.d_optimizer.apply(grads, self.discriminator.trainable_weights)
        return {"d_loss": d_loss}


class OfPyTorchWithoutZeros(OfPyTorch):
    def zero_grad(self):
        """As of another base."""


def as_tensorflow(self, data):
    x, y = data
    with tf.GradientTape() as tape:
        y_pred = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=y_pred)
    trainable_vars = self.trainable_variables
    self.optimizer.apply(tape.gradient(loss, trainable_vars), trainable_vars)
    for metric in self.metrics:
        metric.update_state(loss if metric.name == "loss" else (y, y_pred))
    return {m.name: m.result() for m in self.metrics}


def as_pytorch(self, data):
    x, y = data
    loss = self.compute_loss(y=y, y_pred=self(x, training=True))
    loss.backward()


def by_grad_of_values(self, data):
    x, y = data
    self.compute_loss(y=y, y_pred=self(x, training=True))
    return [v.value.grad for v in self.trainable_weights]


def by_grad(self, data):
    return [v.grad for v in self.trainable_weights]


def as_jax(self, state, data):
    trainable_variables, *_ = state
    (loss, _), grads = jax.value_and_grad(self.compute_loss, has_aux=True)(trainable_variables)
    return {"loss": loss}, grads


def by_stateless_calls(self, data):
    return jax.value_and_grad(self.stateless_call, has_aux=True)(self.trainable_variables)


def by_stateless_updates(self, data):
    return self.optimizer.stateless_apply(self.optimizer.variables, [], self.trainable_variables)


def by_apply_gradients(self, data):
    self.optimizer.apply_gradients([])


def by_parameters(self, data):
    return list(self.parameters())


def by_a_tape_of_keras(self, data):
    with keras.GradientTape():
        return {}


def compiled_loss(self, data):
    x, y = data
    return {"loss": self.compiled_loss(y, self(x))}


def trains_nothing(self, data):
    return {"loss": ops.mean(self(data[0]))}


def minimized(rest):
    """A step that trains, and then does something else."""

    def train_step(self, data):
        x, y = data
        loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.minimize(loss)
        return rest(self, loss)

    return train_step


STEPS = [
    as_tensorflow, as_pytorch, by_grad_of_values, by_grad, as_jax, by_stateless_calls, by_stateless_updates,
    by_apply_gradients, by_parameters, by_a_tape_of_keras, compiled_loss, trains_nothing,
]  # fmt: skip
AFTER = {
    "update_state": lambda self, loss: [m.update_state(loss) for m in self.metrics],
    "result": lambda self, loss: {m.name: m.result() for m in self.metrics},
    "compute_metrics": lambda self, loss: self.compute_metrics(None, None, None),
    "get_metrics_result": lambda self, loss: self.get_metrics_result(),
    "reset_metrics": lambda self, loss: self.reset_metrics(),
    "compiled_metrics": lambda self, loss: self.compiled_metrics,
    "backward": lambda self, loss: loss.backward(),
    "numpy": lambda self, loss: {"loss": loss.numpy()},
    "item": lambda self, loss: {"loss": loss.item()},
}


def leads(call):
    """The sentence that a call ends in, which has to name `minimize` and the guide."""
    with pytest.raises(ThalwegError) as error:
        call()
    said = str(error.value)
    assert "self.minimize(loss, weights, optimizer), see docs/guides/own-training-steps.md" in said
    assert "\n" not in said
    assert said.count(GUIDE) == 1
    return said


def fitted(train_step):
    x = Input((3,))
    model = type("Own", (Model,), {"train_step": train_step})(x, layers.Dense(1)(x), seed=0)
    model.compile("sgd", "mse", metrics=["mae"])
    return model.fit(X, Y, verbose=0)


def test_the_guide_is_there():
    assert (Path(__file__).parents[2] / GUIDE).exists()


@pytest.mark.parametrize("kind", [OfTensorFlow, OfPyTorch, OfPyTorchWithoutZeros])
def test_keras_s_gan(kind):
    model = kind()
    model.compile(keras.optimizers.Adam(), keras.optimizers.Adam(), keras.losses.BinaryCrossentropy(from_logits=True))
    assert kind.__name__ in leads(lambda: model.fit(X, batch_size=4, verbose=0)) or kind is OfPyTorchWithoutZeros


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_does_not_minimize(step):
    leads(lambda: fitted(step))


@pytest.mark.parametrize("rest", AFTER)
def test_what_keras_does_beside_the_gradient(rest):
    assert rest in leads(lambda: fitted(minimized(AFTER[rest])))


@pytest.mark.parametrize("name", ["metrics", "compute_loss_and_updates", "stateless_call", "make_train_function"])
def test_an_override_that_belongs_to_such_a_step(name):
    kinds = {"metrics": property(lambda self: [])}
    said = leads(lambda: type("GAN", (Model,), {name: kinds.get(name, lambda self, *_: None)}))
    assert said.startswith(f"GAN.{name} would never be called: ")


def test_outside_of_a_step():
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    leads(lambda: model.zero_grad)
    leads(lambda: model.optimizer.apply([], []))
    leads(lambda: keras.GradientTape)


def test_a_tracker_of_a_tensor_is_told_what_to_return():
    tracker = keras.metrics.Mean()
    with pytest.raises(ThalwegError, match=r"no numbers before there is data.*what a train_step returns is logged"):
        fitted(minimized(lambda self, loss: tracker.update_state(loss)))


def test_errors_of_a_step_that_minimizes_are_its_own():
    with pytest.raises(ZeroDivisionError):
        fitted(minimized(lambda self, loss: {"loss": 1 / 0}))

    def helped(self, data):
        raise KeyError("x") if data is None else self.help(data)

    def help_(self, data):
        def inside(loss):
            self.minimize(loss)

        inside(data["x"])

    x = Input((3,))
    model = type("Own", (Model,), {"train_step": helped, "help": help_})(x, layers.Dense(1)(x))
    model.compile("sgd")
    with pytest.raises(TypeError, match="tuple indices"):
        model.fit(X, Y, verbose=0)
    with pytest.raises(ArgumentError, match="a dict of names and numbers"):
        fitted(minimized(lambda self, loss: loss))
