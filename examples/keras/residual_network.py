"""A residual convolutional network for digits: each block adds what it computes to what it was given."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import thalweg as keras
from thalweg import layers


def conv_block(x, filters, strides=1, activation=True):
    """Convolution, batch normalization, ReLU."""
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(x) if activation else x


def residual_block(x, filters, strides=1):
    """Two convolutions and a shortcut, which is a 1 × 1 convolution where the shape changes."""
    shortcut = x
    x = conv_block(x, filters, strides)
    x = conv_block(x, filters, activation=False)
    if strides != 1 or shortcut.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides=strides, padding="same", use_bias=False)(shortcut)
        shortcut = layers.BatchNormalization()(shortcut)
    return layers.ReLU()(layers.add([x, shortcut]))


keras.utils.set_random_seed(0)
digits = load_digits()
images = (digits.images / 16).astype("float32")[..., None]
x_train, x_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.3, random_state=0)

inputs = keras.Input(shape=(8, 8, 1), name="img")
x = conv_block(inputs, 16)
for filters, strides in ((16, 1), (32, 2), (32, 1), (64, 2)):
    x = residual_block(x, filters, strides)
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(10)(layers.Dropout(0.2)(x))
model = keras.Model(inputs, outputs, name="residual_network")
model.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=8 * 40)),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(x_train, y_train, batch_size=32, epochs=8, verbose=0).history["loss"]
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
assert history[-1] < 0.1 * history[0]
assert accuracy > 0.93
print(f"residual network: loss {history[0]:.3f} → {history[-1]:.4f}, test accuracy {accuracy:.3f}")
