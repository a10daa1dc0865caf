"""Residual blocks as a layer of one's own; the model is saved with them, and is the same when it is loaded."""

import tempfile
from pathlib import Path

import numpy as np

import thalweg as keras
from thalweg import layers

FILE = "model.safetensors"


@keras.saving.register_keras_serializable(package="examples")
class ResidualBlock(layers.Layer):
    """x + f(x), with a hidden layer in f, behind a normalization."""

    def __init__(self, hidden_units, dropout_rate=0.0, activation="gelu", **kwargs):
        super().__init__(**kwargs)
        self.hidden_units = hidden_units
        self.dropout_rate = dropout_rate
        self.activation = keras.activations.get(activation)
        self.normalization = layers.LayerNormalization(epsilon=1e-6)
        self.dropout = layers.Dropout(dropout_rate)
        self.add = layers.Add()

    def build(self, input_shape):
        self.hidden = layers.Dense(self.hidden_units, activation=self.activation)
        self.projection = layers.Dense(input_shape[-1])
        super().build(input_shape)

    def call(self, inputs, training=None):
        x = self.normalization(inputs)
        x = self.hidden(x)
        x = self.dropout(x, training=training)
        return self.add([inputs, self.projection(x)])

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "hidden_units": self.hidden_units,
                "dropout_rate": self.dropout_rate,
                "activation": keras.activations.serialize(self.activation),
            }
        )
        return config


keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
x = draw.normal(size=(1500, 6)).astype("float32")
y = (np.sin(2 * x[:, :1]) * x[:, 1:2] + np.abs(x[:, 2:3])).astype("float32")

inputs = keras.Input(shape=(6,))
h = layers.Dense(32)(inputs)
for number in range(3):
    h = ResidualBlock(64, dropout_rate=0.02, name=f"block_{number}")(h)
model = keras.Model(inputs, layers.Dense(1)(layers.LayerNormalization()(h)))
model.compile(optimizer=keras.optimizers.AdamW(learning_rate=3e-3, weight_decay=1e-4), loss="mse")
model.fit(x[:1200], y[:1200], batch_size=32, epochs=40, verbose=0)

with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / FILE)
    loaded = keras.models.load_model(Path(folder) / FILE)
error = loaded.evaluate(x[1200:], y[1200:], verbose=0)
assert np.allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
assert loaded.get_layer("block_1").get_config()["hidden_units"] == 64
assert error < 0.35 * np.var(y[1200:])
print(f"residual MLP: squared error {error:.3f} after loading; variance {np.var(y[1200:]):.3f}")
