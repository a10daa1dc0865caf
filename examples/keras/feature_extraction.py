"""Feature extraction: a model of the layers in between, a map of where a digit was found, and what decided it."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
digits = load_digits()
draw = np.random.default_rng(0)
small, y = (digits.images / 16).astype("float32"), digits.target
x = np.zeros((len(small), 20, 20, 1), "float32")  # each digit is somewhere on a larger image
corners = draw.integers(0, 13, size=(len(small), 2))
for image, digit, (top, left) in zip(x, small, corners, strict=True):
    image[top : top + 8, left : left + 8, 0] = digit
train, test = slice(0, 1400), slice(1400, None)

model = keras.Sequential(
    [
        keras.Input(shape=(20, 20, 1)),
        layers.Conv2D(16, 3, activation="relu", name="edges"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Conv2D(32, 3, activation="relu", name="strokes"),
        layers.Conv2D(32, 3, activation="relu", name="last_conv"),
        layers.GlobalMaxPooling2D(name="features"),
        layers.Dense(10, name="scores"),
    ]
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
model.fit(x[train], y[train], epochs=15, batch_size=32, verbose=0)
_, accuracy = model.evaluate(x[test], y[test], verbose=0)
assert accuracy > 0.8

# The outputs of all layers at once, by name.
extractor = keras.Model(inputs=model.inputs, outputs={layer.name: layer.output for layer in model.layers})
features = extractor.predict(x[test], verbose=0)
assert np.allclose(features["scores"], model.predict(x[test], verbose=0), atol=1e-4)
assert features["edges"].shape[1:] == (18, 18, 16)

# Class activation: the last feature maps, weighted by what they mean for the class that is predicted.
kernel = model.get_layer("scores").get_weights()[0]
predicted = features["scores"].argmax(axis=1)
heatmap = np.einsum("nhwc,cn->nhw", features["last_conv"], np.maximum(kernel[:, predicted], 0))

# Occlusion: how much the score falls when a part of the image is covered.
chosen = x[test][:100]
rows = np.arange(len(chosen))
fall = np.zeros((len(chosen), 5, 5))
for i in range(5):
    for j in range(5):
        covered = chosen.copy()
        covered[:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4] = 0
        scores = model.predict_on_batch(covered)
        fall[:, i, j] = features["scores"][:100][rows, predicted[:100]] - scores[rows, predicted[:100]]

centre = corners[test] + 3.5


def hits(maps, scale, offset):
    """How often the largest value of a map lies within the digit."""
    place = np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[1:]), axis=1)
    return np.mean(np.abs(place * scale + offset - centre[: len(maps)]).max(axis=1) <= 6)


by_activation, by_occlusion = hits(heatmap, 2, 5.5), hits(fall, 4, 1.5)
assert by_activation > 0.8
assert by_occlusion > 0.8
print(
    f"feature extraction: accuracy {accuracy:.3f}, the digit found in {by_activation:.0%} of the images by activation, "
    f"{by_occlusion:.0%} by occlusion"
)
