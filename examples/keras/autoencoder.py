"""An autoencoder of 8×8 digits: 64 pixels through 8 numbers and back; encoder and decoder are also used alone."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
images = (load_digits().data / 16).astype("float32")
train, test = images[:1500], images[1500:]

pixels = keras.Input(shape=(64,), name="pixels")
x = layers.Dense(64, activation="relu")(pixels)
code = layers.Dense(8, name="code")(x)
encoder = keras.Model(pixels, code, name="encoder")

code_input = keras.Input(shape=(8,))
x = layers.Dense(64, activation="relu")(code_input)
restored = layers.Dense(64, activation="sigmoid")(x)
decoder = keras.Model(code_input, restored, name="decoder")

autoencoder = keras.Model(pixels, decoder(encoder(pixels)), name="autoencoder")
autoencoder.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy", metrics=["mse"])
autoencoder.fit(train, train, batch_size=64, epochs=40, validation_data=(test, test), verbose=0)

codes = encoder.predict(test, verbose=0)
error = np.mean(np.square(decoder.predict(codes, verbose=0) - test))
blind = np.mean(np.square(train.mean(axis=0) - test))  # of the mean image for every digit
assert codes.shape == (len(test), 8)
assert abs(error - autoencoder.evaluate(test, test, verbose=0, return_dict=True)["mse"]) < 1e-4
assert error < 0.4 * blind
print(f"autoencoder: squared error {error:.4f} through 8 numbers; {blind:.4f} for the mean image")
