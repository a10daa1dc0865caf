"""A TabTransformer: embeddings of the categories attend to each other, and are joined with the numbers of the row."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

CATEGORIES = {"workclass": 6, "education": 8, "occupation": 10, "relationship": 5}
NUMBERS = ("age", "hours")


class SelfAttention(layers.Layer):
    """Attention of every column to every other, with several heads."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim

    def build(self, input_shape):
        width = input_shape[-1]
        self.project = self.add_weight(shape=(width, 3 * self.num_heads * self.key_dim), name="project")
        self.combine = self.add_weight(shape=(self.num_heads * self.key_dim, width), name="combine")

    def call(self, x):
        columns = x.shape[1]
        heads = ops.reshape(x @ self.project, (-1, columns, self.num_heads, 3 * self.key_dim))
        query, key, value = ops.split(ops.transpose(heads, (0, 2, 1, 3)), 3, axis=-1)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / self.key_dim**0.5
        mixed = ops.matmul(ops.softmax(scores, axis=-1), value)  # (rows, heads, columns, key_dim)
        return (
            ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, columns, self.num_heads * self.key_dim)) @ self.combine
        )

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim}


def make_table(rows, generator):
    """People; who earns much depends on pairs of categories and on a number."""
    table = {name: generator.integers(count, size=rows) for name, count in CATEGORIES.items()}
    table |= {name: generator.normal(size=rows).astype("float32") for name in NUMBERS}
    same = (table["workclass"] % 2 == table["education"] % 2) * 2.0 - 1
    other = (table["occupation"] % 2 == table["relationship"] % 2) * 1.0
    return table, (same + other + 0.5 * table["age"] > 0.5).astype("float32")


keras.utils.set_random_seed(0)
inputs = {name: layers.Input(name=name, shape=(), dtype="int32") for name in CATEGORIES}
inputs |= {name: layers.Input(name=name, shape=(), dtype="float32") for name in NUMBERS}
x = ops.stack([layers.Embedding(count, 16)(inputs[name]) for name, count in CATEGORIES.items()], axis=1)
for _ in range(2):
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, SelfAttention(num_heads=4, key_dim=4)(x)]))
    h = layers.Dense(16)(layers.Dense(32, activation="gelu")(x))
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, h]))
numbers = layers.LayerNormalization(epsilon=1e-6)(ops.stack([inputs[name] for name in NUMBERS], axis=1))
features = layers.concatenate([layers.Flatten()(x), numbers])
features = layers.Dropout(0.1)(layers.Dense(32, activation="selu")(features))
model = keras.Model(inputs=inputs, outputs=layers.Dense(1, activation="sigmoid")(features))

generator = np.random.default_rng(0)
(train, y), (test, y_test) = make_table(4000, generator), make_table(1000, generator)
model.compile(
    optimizer=keras.optimizers.AdamW(3e-3, weight_decay=1e-4), loss="binary_crossentropy", metrics=["accuracy"]
)
history = model.fit(train, y, batch_size=64, epochs=12, verbose=0).history["loss"]
loss, accuracy = model.evaluate(test, y_test, verbose=0)
assert history[-1] < 0.6 * history[0]
assert accuracy > 0.85
print(f"TabTransformer: loss {history[0]:.3f} → {history[-1]:.3f}, test accuracy {accuracy:.3f}")
