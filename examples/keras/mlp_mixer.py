"""An MLP-Mixer with squeeze and excitation: dense layers mix patches and channels in turn, by transposing the axes."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import thalweg as keras
from thalweg import layers, ops

PATCHES, WIDTH = 16, 32


class MLPMixerLayer(layers.Layer):
    def __init__(self, num_patches, hidden_units, dropout_rate, **kwargs):
        super().__init__(**kwargs)
        self.mlp1 = keras.Sequential(
            [layers.Dense(num_patches, activation="gelu"), layers.Dense(num_patches), layers.Dropout(dropout_rate)]
        )
        self.mlp2 = keras.Sequential(
            [layers.Dense(hidden_units, activation="gelu"), layers.Dense(hidden_units), layers.Dropout(dropout_rate)]
        )
        self.normalize = layers.LayerNormalization(epsilon=1e-6)

    def call(self, inputs):
        x = self.normalize(inputs)
        x_channels = ops.transpose(x, axes=(0, 2, 1))
        mlp1_outputs = ops.transpose(self.mlp1(x_channels), axes=(0, 2, 1))
        x = mlp1_outputs + inputs
        return x + self.mlp2(self.normalize(x))


class SqueezeExcitation(layers.Layer):
    """Scales every channel by a number that follows from the means of all of them."""

    def __init__(self, ratio=4, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        channels = int(input_shape[-1])
        self.squeeze = layers.Dense(channels // self.ratio, activation="relu")
        self.excite = layers.Dense(channels, activation="sigmoid")

    def call(self, x):
        scale = self.excite(self.squeeze(ops.mean(x, axis=1, keepdims=True)))
        return layers.multiply([x, scale])

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}


keras.utils.set_random_seed(0)
digits = load_digits()
images = (digits.images / 16).astype("float32")[..., None]
x_train, x_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.3, random_state=0)

inputs = layers.Input(shape=(8, 8, 1))
x = layers.Conv2D(WIDTH, kernel_size=2, strides=2)(inputs)  # a patch is 2 × 2 pixels
x = layers.Reshape((PATCHES, WIDTH))(x)
mixer = keras.Sequential([MLPMixerLayer(PATCHES, WIDTH, dropout_rate=0.1) for _ in range(2)])
x = SqueezeExcitation()(mixer(x))
x = layers.Dropout(rate=0.1)(layers.GlobalAveragePooling1D()(x))
model = keras.Model(inputs=inputs, outputs=layers.Dense(10)(x))
model.compile(
    optimizer=keras.optimizers.AdamW(learning_rate=0.005, weight_decay=0.0001),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[
        keras.metrics.SparseCategoricalAccuracy(name="acc"),
        keras.metrics.SparseTopKCategoricalAccuracy(3, name="top3-acc"),
    ],
)
history = model.fit(x_train, y_train, batch_size=32, epochs=15, verbose=0).history["loss"]
_, accuracy, top = model.evaluate(x_test, y_test, verbose=0)
assert history[-1] < 0.15 * history[0]
assert accuracy > 0.88
assert top > 0.95
print(f"MLP-Mixer: loss {history[0]:.3f} → {history[-1]:.3f}, test accuracy {accuracy:.3f}, top 3 {top:.3f}")
