"""A convolutional autoencoder that takes noise out of images: it halves the image twice, and doubles it twice."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
images = (load_digits().images / 16).astype("float32")[..., np.newaxis]
noise = np.random.default_rng(0).normal(scale=0.4, size=images.shape)
noisy = np.clip(images + noise, 0.0, 1.0).astype("float32")
train, test, noisy_train, noisy_test = images[:1500], images[1500:], noisy[:1500], noisy[1500:]

image = layers.Input(shape=(8, 8, 1))
# Encoder
x = layers.Conv2D(32, (3, 3), activation="relu", padding="same")(image)
x = layers.MaxPooling2D((2, 2), padding="same")(x)
x = layers.Conv2D(32, (3, 3), activation="relu", padding="same")(x)
x = layers.MaxPooling2D((2, 2), padding="same")(x)
# Decoder: one way to double an image, then the other
x = layers.Conv2DTranspose(32, (3, 3), strides=2, activation="relu", padding="same")(x)
x = layers.UpSampling2D((2, 2))(x)
x = layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)

autoencoder = keras.Model(image, x)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
autoencoder.fit(
    noisy_train, train, epochs=20, batch_size=32, validation_data=(noisy_test, test), callbacks=[stop], verbose=0
)

before = np.mean(np.square(noisy_test - test))
after = np.mean(np.square(autoencoder.predict(noisy_test, verbose=0) - test))
assert after < 0.55 * before
print(f"denoising autoencoder: squared error {before:.4f} with noise, {after:.4f} without")
