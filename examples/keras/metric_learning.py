"""Metric learning by triplets: an anchor comes closer to an image of its class than to one of another, by a margin."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers, ops


class TripletLoss(layers.Layer):
    """Adds the mean of max(d(anchor, positive) − d(anchor, negative) + margin, 0) to the loss; returns both d."""

    def __init__(self, margin=0.5, **kwargs):
        super().__init__(**kwargs)
        self.margin = margin

    def call(self, inputs):
        anchor, positive, negative = inputs
        ap_distance = ops.sum(ops.square(anchor - positive), axis=-1)
        an_distance = ops.sum(ops.square(anchor - negative), axis=-1)
        self.add_loss(ops.mean(ops.maximum(ap_distance - an_distance + self.margin, 0.0)))
        return ap_distance, an_distance

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


class UnitLength(layers.Layer):
    """x / |x|."""

    def call(self, x):
        return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-6)


def make_triplets(x, y, count, seed):
    """Images of an anchor, another of its class, and one of another class."""
    draw = np.random.default_rng(seed)
    anchors = draw.integers(len(x), size=count)
    positives = [draw.choice(np.flatnonzero(y == y[i])) for i in anchors]
    negatives = [draw.choice(np.flatnonzero(y != y[i])) for i in anchors]
    return {"anchor": x[anchors], "positive": x[positives], "negative": x[negatives]}


def neighbours(vectors, labels):
    """How often the nearest other row is of the same class."""
    distance = np.square(vectors[:, np.newaxis] - vectors).sum(axis=-1)
    np.fill_diagonal(distance, np.inf)
    return np.mean(labels[distance.argmin(axis=1)] == labels)


keras.utils.set_random_seed(0)
digits = load_digits()
x, y = (digits.data / 16).astype("float32"), digits.target
train, test = slice(0, 1200), slice(1200, None)

images = keras.Input(shape=(64,))
h = layers.Dense(64, activation="relu")(images)
h = layers.BatchNormalization()(h)
embedding = keras.Model(images, UnitLength()(layers.Dense(4)(h)), name="embedding")

inputs = {name: keras.Input(shape=(64,), name=name) for name in ("anchor", "positive", "negative")}
distances = TripletLoss()([embedding(inputs[name]) for name in ("anchor", "positive", "negative")])
siamese = keras.Model(inputs=inputs, outputs=distances)
siamese.compile(optimizer=keras.optimizers.Adam(0.002))
before = neighbours(embedding.predict(x[test], verbose=0), y[test])
history = siamese.fit(make_triplets(x[train], y[train], 6000, 1), epochs=10, verbose=0).history["loss"]

after = neighbours(embedding.predict(x[test], verbose=0), y[test])
near, far = siamese.predict(make_triplets(x[test], y[test], 500, 2), verbose=0)
assert np.mean(near < far) > 0.9
assert after > 0.85
assert after > before + 0.1
print(f"metric learning: nearest neighbour of the same class {before:.3f} → {after:.3f}, loss {history[-1]:.3f}")
