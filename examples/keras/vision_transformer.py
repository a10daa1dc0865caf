"""A vision transformer: images are cut into patches, which are projected, get a position and attend to each other."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

IMAGE, PATCH, WIDTH, HEADS = 16, 4, 32, 4


def patches(images, size):
    """Cuts images into squares: (rows, height, width, channels) → (rows, patches, pixels of a patch)."""
    _, height, width, channels = images.shape
    cut = ops.reshape(images, (-1, height // size, size, width // size, size, channels))
    return ops.reshape(ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, height * width // size**2, size**2 * channels))


class PatchEncoder(layers.Layer):
    """Projects each patch, and adds an embedding of its position."""

    def __init__(self, num_patches, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_patches = num_patches
        self.projection = layers.Dense(units=projection_dim)
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patch):
        positions = ops.expand_dims(ops.arange(start=0, stop=self.num_patches, step=1), axis=0)
        return self.projection(patch) + self.position_embedding(positions)


class Attention(layers.Layer):
    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.width, self.heads = width, heads
        self.query, self.key, self.value, self.out = (layers.Dense(width) for _ in range(4))

    def call(self, x):
        shape = (-1, x.shape[1], self.heads, self.width // self.heads)
        query, key, value = (ops.reshape(f(x), shape) for f in (self.query, self.key, self.value))
        scores = ops.einsum("bqhd,bkhd->bhqk", query, key) / ops.sqrt(float(self.width // self.heads))
        mixed = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(scores), value)
        return self.out(ops.reshape(mixed, (-1, x.shape[1], self.width)))


def mlp(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dropout(dropout_rate)(layers.Dense(units, activation=keras.activations.gelu)(x))
    return x


def make_images(rows, generator):
    """Stripes across, stripes down or a chessboard, of random scale and phase, under noise."""
    labels, phase = generator.integers(3, size=rows), generator.uniform(0, 6, (rows, 1))
    wave = np.sign(np.sin(generator.uniform(0.8, 1.6, (rows, 1)) * np.arange(IMAGE) + phase))
    down, across = wave[:, :, None], wave[:, None]
    kinds = [down + 0 * across, across + 0 * down, down * across]
    images = np.choose(labels[:, None, None], kinds) + generator.normal(size=(rows, IMAGE, IMAGE))
    return images[..., None].astype("float32"), labels


keras.utils.set_random_seed(0)
inputs = keras.Input(shape=(IMAGE, IMAGE, 1))
encoded = PatchEncoder((IMAGE // PATCH) ** 2, WIDTH)(patches(inputs, PATCH))
for _ in range(2):
    x1 = layers.LayerNormalization(epsilon=1e-6)(encoded)
    x2 = layers.Add()([Attention(WIDTH, HEADS)(x1), encoded])
    x3 = mlp(layers.LayerNormalization(epsilon=1e-6)(x2), [2 * WIDTH, WIDTH], dropout_rate=0.1)
    encoded = layers.Add()([x3, x2])
features = mlp(layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(encoded)), [64], dropout_rate=0.2)
model = keras.Model(inputs=inputs, outputs=layers.Dense(3, activation="softmax")(features))

generator = np.random.default_rng(0)
(x_train, y_train), (x_test, y_test) = make_images(2000, generator), make_images(600, generator)
model.compile(keras.optimizers.AdamW(0.002, 1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=64, epochs=6, verbose=0).history["loss"]
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
assert history[-1] < 0.4 * history[0]
assert accuracy > 0.85
print(f"vision transformer: loss {history[0]:.3f} → {history[-1]:.3f}, test accuracy {accuracy:.3f}")
