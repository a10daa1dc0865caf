"""Inception blocks: convolutions of several sizes and a pooling see the same image, and their channels are joined."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import thalweg as keras
from thalweg import layers


class ConvModule(layers.Layer):
    """Convolution, batch normalization, ReLU."""

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.conv = layers.Conv2D(filters, kernel_size, strides=strides, padding="same")
        self.bn = layers.BatchNormalization()

    def call(self, inputs, training=False):
        return keras.activations.relu(self.bn(self.conv(inputs), training=training))

    def get_config(self):
        config = super().get_config()
        config.update(filters=self.filters, kernel_size=self.kernel_size, strides=self.strides)
        return config


def inception_block(
    x, filters_1x1, filters_3x3_reduce, filters_3x3, filters_5x5_reduce, filters_5x5, filters_pool, name
):
    conv_1x1 = layers.Conv2D(filters_1x1, (1, 1), padding="same", activation="relu")(x)
    conv_3x3 = layers.Conv2D(filters_3x3_reduce, (1, 1), padding="same", activation="relu")(x)
    conv_3x3 = layers.Conv2D(filters_3x3, (3, 3), padding="same", activation="relu")(conv_3x3)
    conv_5x5 = layers.Conv2D(filters_5x5_reduce, (1, 1), padding="same", activation="relu")(x)
    conv_5x5 = layers.Conv2D(filters_5x5, (5, 5), padding="same", activation="relu")(conv_5x5)
    pool = layers.MaxPool2D((3, 3), strides=(1, 1), padding="same")(x)
    pool = layers.Conv2D(filters_pool, (1, 1), padding="same", activation="relu")(pool)
    return layers.concatenate([conv_1x1, conv_3x3, conv_5x5, pool], axis=3, name=name)


keras.utils.set_random_seed(0)
digits = load_digits()
images = (digits.images / 16).astype("float32")[..., None]
x_train, x_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.3, random_state=0)

inputs = layers.Input(shape=(8, 8, 1))
x = ConvModule(16, (3, 3), name="stem")(inputs)
x = inception_block(x, 8, 8, 16, 4, 8, 8, name="inception_a")
x = layers.MaxPool2D((2, 2), padding="same")(x)
x = inception_block(x, 16, 8, 24, 4, 8, 8, name="inception_b")
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.2)(x)
model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="inception")
model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, keras.utils.to_categorical(y_train, 10), batch_size=32, epochs=12, verbose=0).history[
    "loss"
]
accuracy = model.evaluate(x_test, keras.utils.to_categorical(y_test, 10), verbose=0)[1]
assert history[-1] < 0.25 * history[0]
assert accuracy > 0.88
print(f"inception: loss {history[0]:.3f} → {history[-1]:.3f}, test accuracy {accuracy:.3f}")
