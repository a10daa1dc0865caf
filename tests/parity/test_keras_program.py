"""keras.io's "Simple MNIST convnet" (F. Chollet, 2015), only its imports and the lines that load the data changed."""

import numpy as np

import thalweg as keras
from thalweg import layers


def load_data():
    """Two classes of small images, a bright upper or lower half, as MNIST would be loaded."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, 100, (320, 28, 28)).astype("uint8")
    y = generator.integers(0, 2, 320)
    for image, label in zip(x, y, strict=True):
        image[14 * label : 14 * label + 14] += 150
    return (x[:256], y[:256]), (x[256:], y[256:])


def test_the_program_runs(capsys):
    # Model / data parameters
    num_classes = 10
    input_shape = (28, 28, 1)

    # Load the data and split it between train and test sets
    (x_train, y_train), (x_test, y_test) = load_data()

    # Scale images to the [0, 1] range
    x_train = x_train.astype("float32") / 255
    x_test = x_test.astype("float32") / 255
    # Make sure images have shape (28, 28, 1)
    x_train = np.expand_dims(x_train, -1)
    x_test = np.expand_dims(x_test, -1)
    print("x_train shape:", x_train.shape)
    print(x_train.shape[0], "train samples")
    print(x_test.shape[0], "test samples")

    # convert class vectors to binary class matrices
    y_train = keras.utils.to_categorical(y_train, num_classes)
    y_test = keras.utils.to_categorical(y_test, num_classes)

    model = keras.Sequential(
        [
            keras.Input(shape=input_shape),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )

    model.summary()

    batch_size = 128
    epochs = 15

    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

    model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, validation_split=0.1)

    score = model.evaluate(x_test, y_test, verbose=0)
    print("Test loss:", score[0])
    print("Test accuracy:", score[1])

    assert score[1] > 0.9
    printed = capsys.readouterr().out
    assert "conv2d (Conv2D)" in printed
    assert "Total params: 34,826 (136.04 KB)" in printed
