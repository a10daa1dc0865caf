"""Small data sets in the plane, as NumPy functions that need nothing else: an exported program holds their text.

Each takes the number of rows, the noise (a standard deviation, about 0 … 1), a seed and the number of classes, and
returns x (rows, inputs) and y (rows,), class numbers or numbers. They lie in about −3 … 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def blobs(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """Clouds around points of a circle, one for each class."""
    draw = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    angle = 2 * np.pi * y / classes + np.pi / 4
    middle = 1.8 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return middle + draw.normal(size=(rows, 2)) * (0.2 + noise), y


def moons(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """Two half circles that reach into each other."""
    draw = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    angle = np.pi * draw.random(rows)
    side = 1 - 2 * y  # the second is the first, turned around
    x = np.stack([side * (np.cos(angle) - 0.5), side * (np.sin(angle) - 0.25)], axis=1)
    return 1.8 * x + draw.normal(size=(rows, 2)) * noise, y


def circles(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """A disc, and a ring around it."""
    draw = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    angle = 2 * np.pi * draw.random(rows)
    radius = np.where(y == 1, draw.uniform(2.0, 2.8, rows), 1.2 * np.sqrt(draw.random(rows)))
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + draw.normal(size=(rows, 2)) * noise, y


def spiral(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """One arm for each class, around a common middle."""
    draw = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    along = np.sqrt(draw.random(rows))
    angle = 3.5 * np.pi * along + 2 * np.pi * y / classes
    x = 2.8 * along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return x + draw.normal(size=(rows, 2)) * noise, y


def xor(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """Four squares; those that touch at a corner are of one class."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-2.6, 2.6, (rows, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return x + 0.2 * np.sign(x) + draw.normal(size=(rows, 2)) * noise, y


def plane(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """A number that rises along the diagonal."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-3.0, 3.0, (rows, 2))
    return x, (x[:, 0] + x[:, 1]) / 6 + draw.normal(size=rows) * noise


def hills(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """Three hills and two hollows, each a Gaussian bell."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-3.0, 3.0, (rows, 2))
    tops = np.array([[1.5, 1.5], [-1.8, 0.2], [0.6, -2.0], [-0.6, 2.2], [2.2, -0.6]])
    signs = np.array([1.0, 1.0, 1.0, -1.0, -1.0])
    squares = ((x[:, None, :] - tops) ** 2).sum(axis=2)
    return x, np.exp(-squares) @ signs + draw.normal(size=rows) * noise


def line(rows: int, noise: float, seed: int, classes: int) -> tuple[Array, Array]:
    """A wavy curve over one input."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-3.0, 3.0, (rows, 1))
    return x, 0.8 * np.sin(2 * x[:, 0]) + 0.1 * x[:, 0] + draw.normal(size=rows) * noise


def divided(rows: int, share: float, seed: int) -> tuple[Array, Array]:
    """The numbers of the rows to learn from, and of those to validate on, drawn at random."""
    order = np.random.default_rng(seed).permutation(rows)
    held = round(share * rows)
    return np.sort(order[held:]), np.sort(order[:held])


def expanded(x: Array, inputs: list[str]) -> Array:
    """The inputs that a network gets of points (rows, 2), or (rows, 1), by their names: (rows, inputs)."""
    x0, x1 = x[:, 0], x[:, -1]
    ways = {
        "x0": x0,
        "x1": x1,
        "x0²": x0**2,
        "x1²": x1**2,
        "x0·x1": x0 * x1,
        "sin x0": np.sin(x0),
        "sin x1": np.sin(x1),
    }
    return np.stack([ways[name] for name in inputs], axis=1).astype(np.float32)


def edges(images: Array, kernel: Array) -> Array:
    """What a convolution by a kernel (h, w) makes of images (rows, H, W, 1): (rows, H − h + 1, W − w + 1, 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(images[..., 0], kernel.shape, axis=(1, 2))
    maps: Array = np.einsum("rijyx,yx->rij", windows, kernel)[..., None]
    return maps
