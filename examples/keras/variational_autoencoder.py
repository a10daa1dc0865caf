"""A variational autoencoder: a layer draws z from N(μ, σ²), and adds the Kullback–Leibler divergence from N(0, 1)."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers, ops


class Sampling(layers.Layer):
    """Draws z, the code of a digit, from its mean and the logarithm of its variance."""

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        kl = -0.5 * ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=1)
        self.add_loss(self.weight * ops.mean(kl))
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


keras.utils.set_random_seed(0)
images = (load_digits().data / 16).astype("float32")
pixels = keras.Input(shape=(64,))
x = layers.Dense(64, activation="relu")(pixels)
z_mean = layers.Dense(2, name="z_mean")(x)
z_log_var = layers.Dense(2, name="z_log_var")(x)
z = Sampling(name="z")([z_mean, z_log_var])
encoder = keras.Model(pixels, [z_mean, z_log_var, z], name="encoder")

latent = keras.Input(shape=(2,))
x = layers.Dense(64, activation="relu")(latent)
decoder = keras.Model(latent, layers.Dense(64, activation="sigmoid")(x), name="decoder")


def reconstruction(y_true, y_pred):
    """The binary cross-entropy of an image, summed over its pixels."""
    return 64 * keras.losses.binary_crossentropy(y_true, y_pred)


vae = keras.Model(pixels, decoder(encoder(pixels)[2]), name="vae")
vae.compile(optimizer=keras.optimizers.Adam(3e-3), loss=reconstruction)
history = vae.fit(images, images, epochs=30, batch_size=64, verbose=0).history["loss"]

mean, log_var, drawn = encoder.predict(images, verbose=0)
sigma = np.exp(0.5 * log_var)
made = decoder.predict(np.random.default_rng(0).normal(size=(100, 2)).astype("float32"), verbose=0)
assert history[-1] < 0.75 * history[0]
assert 0.5 < drawn.std() < 2.0  # the divergence keeps the codes near N(0, 1)
assert 0.02 < np.mean(sigma) < 0.9
assert np.abs(drawn - mean).max() > 0.1  # z is drawn in prediction too
assert made.std(axis=0).max() > 0.2  # new digits differ
print(f"variational autoencoder: loss {history[0]:.1f} → {history[-1]:.1f}, σ of the codes {np.mean(sigma):.2f}")
