"""Segmentation with a U-shaped network: the way down sees the whole, the skip connections keep the edges sharp."""

import numpy as np

import thalweg as keras
from thalweg import layers

SIZE, CLASSES = 16, 3


def double_conv(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def get_model(img_size, num_classes, widths=(8, 16)):
    """Down: convolutions and pooling. Up: upsampling, the skip connection of the same size, convolutions."""
    inputs = keras.Input(shape=(*img_size, 1))
    x, skips = inputs, []
    for filters in widths:
        x = double_conv(x, filters)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = double_conv(x, 2 * widths[-1])
    for filters, skip in zip(reversed(widths), reversed(skips), strict=True):
        x = layers.UpSampling2D(2)(x)
        x = layers.Concatenate(axis=-1)([x, skip])
        x = double_conv(x, filters)
    outputs = layers.Conv2D(num_classes, 1, activation="softmax", padding="same")(x)
    return keras.Model(inputs, outputs)


def make_scenes(rows, generator):
    """A disc (1) and a square frame (2) on a dark ground (0), under noise; and the class of every pixel."""
    y, x = np.mgrid[:SIZE, :SIZE]
    masks = np.zeros((rows, SIZE, SIZE), dtype="int32")
    for mask in masks:
        (top, left), size = generator.integers(0, 8, size=2), generator.integers(5, 8)
        mask[top : top + size, left : left + size] = 2
        mask[top + 1 : top + size - 1, left + 1 : left + size - 1] = 0
        (down, across), radius = generator.integers(3, SIZE - 3, size=2), generator.uniform(2, 4)
        mask[(y - down) ** 2 + (x - across) ** 2 < radius**2] = 1
    images = (masks > 0) + 0.3 * generator.normal(size=masks.shape)  # both shapes have the same brightness
    return images[..., None].astype("float32"), masks


keras.utils.set_random_seed(0)
generator = np.random.default_rng(0)
(x_train, y_train), (x_val, y_val) = make_scenes(600, generator), make_scenes(150, generator)
model = get_model((SIZE, SIZE), CLASSES)
model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
callbacks = [keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=3, verbose=0)]
history = model.fit(
    x_train, y_train, epochs=12, batch_size=16, validation_data=(x_val, y_val), callbacks=callbacks, verbose=0
).history

found = model.predict(x_val, verbose=0).argmax(axis=-1)
iou = [np.sum((found == k) & (y_val == k)) / np.sum((found == k) | (y_val == k)) for k in range(CLASSES)]
assert history["loss"][-1] < 0.3 * history["loss"][0]
assert min(iou) > 0.6
print(f"segmentation: loss {history['loss'][0]:.3f} → {history['loss'][-1]:.3f}, overlap {np.round(iou, 3)}")
