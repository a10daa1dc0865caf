"""Transfer learning: a convnet trained on five digits serves, frozen, for the other five, and is then fine-tuned."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
digits = load_digits()
x, y = (digits.images / 16)[..., np.newaxis].astype("float32"), digits.target
draw = np.random.default_rng(0)
old = np.flatnonzero(y < 5)
new = draw.permutation(np.flatnonzero(y >= 5))
few, test = new[:100], new[100:]  # there are only a few images of the new digits

base_model = keras.Sequential(
    [
        keras.Input(shape=(8, 8, 1)),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
    ],
    name="base",
)
pretraining = keras.Sequential([base_model, layers.Dense(5, activation="softmax")])
pretraining.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
pretraining.fit(x[old], y[old], batch_size=32, epochs=20, verbose=0)

# Freeze the base, and train a new classifier on top of it.
base_model.trainable = False
inputs = keras.Input(shape=(8, 8, 1))
h = base_model(inputs, training=False)  # by its moving averages, also when it is unfrozen
h = layers.Dropout(0.2)(h)
outputs = layers.Dense(5)(h)
model = keras.Model(inputs, outputs)
assert len(model.trainable_weights) == 2
frozen = base_model.get_weights()

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.01), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
model.fit(x[few], y[few] - 5, batch_size=16, epochs=50, verbose=0)
_, transferred = model.evaluate(x[test], y[test] - 5, verbose=0)
assert all(np.array_equal(a, b) for a, b in zip(frozen, base_model.get_weights(), strict=True))

# Unfreeze it, and train everything with a low learning rate.
base_model.trainable = True
model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
model.fit(x[few], y[few] - 5, batch_size=16, epochs=40, verbose=0)
_, tuned = model.evaluate(x[test], y[test] - 5, verbose=0)

assert not np.array_equal(frozen[0], base_model.get_weights()[0])
assert transferred > 0.6
assert tuned > transferred + 0.05
print(f"transfer learning: accuracy {transferred:.3f} with the frozen base, {tuned:.3f} after fine-tuning")
