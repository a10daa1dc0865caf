"""A siamese network: two digits pass through the same embedding; equal ones come close, others keep a margin."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers, ops


class EuclideanDistance(layers.Layer):
    """The distance of two vectors in each row."""

    def call(self, inputs):
        x, y = inputs
        sum_square = ops.sum(ops.square(x - y), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(sum_square, keras.backend.epsilon()))


def contrastive_loss(y_true, y_pred, margin=1.0):
    """The squared distance of a pair that belongs together (0); of another (1), its lack to the margin, squared."""
    square_pred = ops.square(y_pred)
    margin_square = ops.square(ops.maximum(margin - y_pred, 0))
    return ops.mean((1 - y_true) * square_pred + y_true * margin_square)


def make_pairs(x, y, count, seed):
    """Pairs of images: half of them of one class (0), half of two (1)."""
    draw = np.random.default_rng(seed)
    first = draw.integers(len(x), size=count)
    second = np.array([draw.choice(np.flatnonzero((y == y[i]) == (k % 2 == 0))) for k, i in enumerate(first)])
    return x[first], x[second], (y[first] != y[second]).astype("float32")[:, np.newaxis]


keras.utils.set_random_seed(0)
digits = load_digits()
x, y = (digits.data / 16).astype("float32"), digits.target
left, right, different = make_pairs(x[:1200], y[:1200], 4000, seed=1)
left_test, right_test, different_test = make_pairs(x[1200:], y[1200:], 1000, seed=2)

image = keras.Input(shape=(64,))
h = layers.BatchNormalization()(image)
h = layers.Dense(64, activation="tanh")(h)
embedding = keras.Model(image, layers.Dense(10)(h), name="embedding")

input_1, input_2 = keras.Input(shape=(64,)), keras.Input(shape=(64,))
distance = EuclideanDistance()([embedding(input_1), embedding(input_2)])
siamese = keras.Model(inputs=[input_1, input_2], outputs=distance)
siamese.compile(loss=contrastive_loss, optimizer="adam")
history = siamese.fit([left, right], different, batch_size=32, epochs=15, verbose=0).history["loss"]

apart = siamese.predict([left_test, right_test], verbose=0) > 0.5
accuracy = np.mean(apart == different_test)
assert history[-1] < 0.3 * history[0]
assert accuracy > 0.85
print(f"siamese network: loss {history[0]:.3f} → {history[-1]:.3f}, pairs told apart {accuracy:.3f}")
