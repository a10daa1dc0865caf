"""A generative adversarial network: two models learn by turns, batch by batch, with an optimizer each.

`trainable` belongs to the layers, which the discriminator and the combined model share: it is set before each turn.
"""

import numpy as np

import thalweg as keras
from thalweg import layers

LATENT, BATCH, STEPS = 4, 64, 1500

keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)


def real_points(count):
    """A noisy ring of radius 1."""
    angle = draw.uniform(0, 2 * np.pi, size=count)
    radius = 1 + 0.05 * draw.normal(size=count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype("float32")


generator = keras.Sequential(
    [
        keras.Input(shape=(LATENT,)),
        layers.Dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(2),
    ],
    name="generator",
)
discriminator = keras.Sequential(
    [
        keras.Input(shape=(2,)),
        layers.Dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(1, activation="sigmoid"),
    ],
    name="discriminator",
)
discriminator.compile(keras.optimizers.Adam(0.002, beta_1=0.5), loss="binary_crossentropy")

discriminator.trainable = False
noise = keras.Input(shape=(LATENT,))
gan = keras.Model(noise, discriminator(generator(noise)), name="gan")
gan.compile(keras.optimizers.Adam(0.001, beta_1=0.5), loss="binary_crossentropy")

untrained = np.linalg.norm(generator.predict(draw.normal(size=(1000, LATENT)), verbose=0), axis=1)
for _ in range(STEPS):
    latent = draw.normal(size=(BATCH, LATENT)).astype("float32")
    points = np.concatenate([generator.predict_on_batch(latent), real_points(BATCH)])
    labels = np.concatenate([np.zeros((BATCH, 1)), np.ones((BATCH, 1))])
    discriminator.trainable = True
    d_loss = discriminator.train_on_batch(points, labels)

    discriminator.trainable = False
    frozen = discriminator.get_weights()
    g_loss = gan.train_on_batch(latent, np.ones((BATCH, 1)))

assert all(np.array_equal(a, b) for a, b in zip(frozen, discriminator.get_weights(), strict=True))

points = generator.predict(draw.normal(size=(1000, LATENT)), verbose=0)
radius = np.linalg.norm(points, axis=1)
quadrants = np.bincount((points[:, 0] > 0) * 2 + (points[:, 1] > 0), minlength=4) / 1000
assert abs(radius.mean() - 1) < 0.15
assert radius.std() < 0.25
assert quadrants.min() > 0.05  # it hasn't settled on one place
print(f"gan: radius {untrained.mean():.2f} ± {untrained.std():.2f} → {radius.mean():.2f} ± {radius.std():.2f}")
