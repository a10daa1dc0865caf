"""Image augmentation: a pipeline of random layers in front of a convnet of separable convolutions."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers

CLASSES = 10

keras.utils.set_random_seed(0)
digits = load_digits()
images, y = digits.images[..., np.newaxis].astype("float32") * (255 / 16), digits.target
draw = np.random.default_rng(0)


def moved(images, most):
    """Each image on a larger ground, some pixels away from its middle."""
    ground = np.zeros((len(images), 12, 12, 1), "float32")
    for target, image, (down, right) in zip(
        ground, images, draw.integers(-most, most + 1, (len(images), 2)), strict=True
    ):
        target[2 + down : 10 + down, 2 + right : 10 + right] = image
    return ground


x_train, y_train = moved(images[:300], 0), y[:300]  # few images, all in the middle
x_test, y_test = moved(images[300:], 2), y[300:]  # and tests that aren't


def make_model(augment):
    """The convnet, with or without augmentation; either gets images of 12 × 12 pixels."""
    inputs = keras.Input(shape=(12, 12, 1))
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Resizing(16, 16)(x)
    if augment:
        data_augmentation_layers = [
            layers.RandomTranslation(0.17, 0.17, fill_mode="constant"),
            layers.RandomRotation(0.03, fill_mode="constant"),
            layers.RandomZoom(0.1, fill_mode="constant"),
            layers.RandomContrast(0.2),
        ]
        for layer in data_augmentation_layers:
            x = layer(x)
    x = layers.Conv2D(12, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation("relu")(x)
    previous_block_activation = x
    for size in [24, 32]:
        x = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(size, 1, strides=2, padding="same")(previous_block_activation)
        x = layers.add([x, residual])
        previous_block_activation = x
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


accuracy = {}
for augment in (False, True):
    model = make_model(augment)
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    model.fit(x_train, y_train, batch_size=32, epochs=20, verbose=0)
    accuracy[augment] = model.evaluate(x_test, y_test, verbose=0)[1]

assert np.array_equal(model.predict(x_test[:8], verbose=0), model.predict(x_test[:8], verbose=0))  # nothing is random
assert accuracy[True] > 0.5
assert accuracy[True] > accuracy[False] + 0.1
print(f"image augmentation: accuracy {accuracy[False]:.3f} without it, {accuracy[True]:.3f} with it")
