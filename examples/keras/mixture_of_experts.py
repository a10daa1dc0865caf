"""A mixture of experts: a gate weighs small networks, all computed by one einsum; a loss keeps every expert in use."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops


class MixtureOfExperts(layers.Layer):
    """Σₑ gate(x)ₑ · (relu(x Aₑ + aₑ) Bₑ + bₑ)."""

    def __init__(self, num_experts, hidden_units, units, balance=0.01, **kwargs):
        super().__init__(**kwargs)
        self.num_experts, self.hidden_units, self.units, self.balance = num_experts, hidden_units, units, balance
        self.gate = layers.Dense(num_experts, activation="softmax", name="gate")

    def build(self, input_shape):
        n, width, hidden, units = self.num_experts, input_shape[-1], self.hidden_units, self.units
        each = keras.initializers.RandomNormal(stddev=(2 / width) ** 0.5, seed=1)
        self.kernel_1 = self.add_weight(shape=(n, width, hidden), initializer=each, name="kernel_1")
        self.bias_1 = self.add_weight(shape=(n, hidden), initializer="zeros", name="bias_1")
        self.kernel_2 = self.add_weight(shape=(n, hidden, units), initializer="glorot_uniform", name="kernel_2")
        self.bias_2 = self.add_weight(shape=(n, units), initializer="zeros", name="bias_2")
        self.gate.build(input_shape)
        self.built = True

    def call(self, x):
        gate = self.gate(x)  # (rows, experts)
        self.add_loss(self.balance * ops.mean(ops.sum(gate * ops.log(gate + 1e-7), axis=-1)))
        hidden = ops.relu(ops.einsum("bi,eih->beh", x, self.kernel_1) + self.bias_1)
        answers = ops.einsum("beh,eho->beo", hidden, self.kernel_2) + self.bias_2
        return ops.einsum("be,beo->bo", gate, answers)

    def get_config(self):
        own = {"num_experts": self.num_experts, "hidden_units": self.hidden_units, "units": self.units}
        return {**super().get_config(), **own, "balance": self.balance}


class ExpertModel(keras.Model):
    """Two such layers, the second one after a residual connection."""

    def __init__(self, width, outputs, **kwargs):
        super().__init__(**kwargs)
        self.inward = layers.Dense(width, activation="relu")
        self.experts = MixtureOfExperts(4, 16, width)
        self.norm = layers.LayerNormalization()
        self.outward = layers.Dense(outputs)

    def call(self, inputs):
        x = self.inward(inputs)
        return self.outward(self.norm(x + self.experts(x)))


def make_data(rows, generator):
    """A function with another law in each quarter of the plane."""
    x = generator.uniform(-1, 1, size=(rows, 6)).astype("float32")
    laws = [x[:, 2], -x[:, 3] * 2, x[:, 4] * x[:, 5] * 3, 1 - x[:, 2] - x[:, 5]]
    return x, np.choose(2 * (x[:, 0] > 0) + (x[:, 1] > 0), laws)[:, None]


keras.utils.set_random_seed(0)
generator = np.random.default_rng(0)
(x_train, y_train), (x_test, y_test) = make_data(4000, generator), make_data(1000, generator)
model = ExpertModel(32, 1)
model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", metrics=["mae"])
history = model.fit(x_train, y_train, batch_size=64, epochs=25, verbose=0).history["loss"]
error = np.mean(np.square(model.predict(x_test, verbose=0) - y_test)) / y_test.var()
assert history[-1] < 0.3 * history[0]
assert error < 0.2
print(f"mixture of experts: loss {history[0]:.3f} → {history[-1]:.3f}, unexplained variance {error:.3f}")
