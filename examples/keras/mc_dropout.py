"""Monte Carlo dropout: predictions with other units left out each time; where they differ, the network is unsure."""

import numpy as np

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
x = draw.uniform(-2, 2, size=(600, 1)).astype("float32")
y = (np.sin(2 * x) + draw.normal(scale=0.1, size=x.shape)).astype("float32")


def build_model(rate=0.1):
    """A multilayer perceptron with dropout after each hidden layer."""
    inputs = keras.Input(shape=(1,))
    h = inputs
    for units in (64, 64):
        h = layers.Dense(units, activation="relu", kernel_initializer="he_normal")(h)
        h = layers.Dropout(rate)(h)
    return keras.Model(inputs, layers.Dense(1)(h))


model = build_model()
model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="mse")
model.fit(x, y, epochs=100, batch_size=32, verbose=0)

known = np.linspace(-1.8, 1.8, 50, dtype="float32")[:, np.newaxis]
beyond = np.linspace(4, 6, 50, dtype="float32")[:, np.newaxis]
samples = np.stack([np.asarray(model(np.concatenate([known, beyond]), training=True)) for _ in range(50)])
mean, std = samples.mean(axis=0)[:, 0], samples.std(axis=0)[:, 0]
same = [np.asarray(model(known, training=False)) for _ in range(2)]

error = np.sqrt(np.mean(np.square(mean[:50] - np.sin(2 * known[:, 0]))))
assert error < 0.25  # the sine's own size is 0.7
assert std[50:].mean() > 2 * std[:50].mean() > 0  # unsure where there were no data
assert np.array_equal(*same)  # without training=True nothing is dropped
print(f"MC dropout: error {error:.3f}; ±{std[:50].mean():.3f} among the data, ±{std[50:].mean():.3f} beyond")
