"""A mixture density network: where one x has several possible y, it gives a mixture of normal distributions."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

COMPONENTS = 5


class MixtureDensity(layers.Layer):
    """Weights (as logits), means and logarithms of standard deviations of the components, one after the other."""

    def __init__(self, components, **kwargs):
        super().__init__(**kwargs)
        self.components = components

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], 3 * self.components), initializer="glorot_uniform", trainable=True
        )
        spread = keras.initializers.RandomUniform(-0.5, 0.5, seed=0)
        self.bias = self.add_weight(name="bias", shape=(3 * self.components,), initializer=spread, trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.kernel) + self.bias

    def get_config(self):
        return {**super().get_config(), "components": self.components}


def negative_log_likelihood(y_true, y_pred):
    """−ln Σ πₖ N(y; μₖ, σₖ²) for each row."""
    logits, mean, log_std = ops.split(y_pred, 3, axis=-1)
    log_weight = logits - ops.logsumexp(logits, axis=-1, keepdims=True)
    z = (y_true - mean) * ops.exp(-log_std)
    log_density = -0.5 * ops.square(z) - log_std - 0.5 * np.log(2 * np.pi)
    return -ops.logsumexp(log_weight + log_density, axis=-1)


keras.utils.set_random_seed(7)
draw = np.random.default_rng(0)
y = draw.uniform(-1, 1, size=(2000, 1)).astype("float32")
x = (y + 0.45 * np.sin(2 * np.pi * y) + draw.normal(scale=0.03, size=y.shape)).astype("float32")  # folded: x has 1–3 y

model = keras.Sequential(
    [
        keras.Input(shape=(1,)),
        layers.Dense(64, activation="tanh"),
        layers.Dense(64, activation="tanh"),
        MixtureDensity(COMPONENTS),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(5e-3), loss=negative_log_likelihood)
model.fit(x[:1600], y[:1600], epochs=60, batch_size=64, verbose=0)

loss = model.evaluate(x[1600:], y[1600:], verbose=0)
residual = y[:1600] - np.poly1d(np.polyfit(x[:1600, 0], y[:1600, 0], 5))(x[:1600])
single = 0.5 * np.log(2 * np.pi * np.e * np.var(residual))  # one normal distribution around a polynomial
assert loss < single - 0.25
print(f"mixture density network: −ln p(y | x) {loss:.3f}; {single:.3f} with one normal distribution")
