"""CIFAR-10: 60,000 colour images of ten kinds of things, 32×32 (Krizhevsky, 2009)."""

from __future__ import annotations

import numpy as np

from thalweg.datasets.fetching import Folder, Source
from thalweg.datasets.labelled_images import joined, of_cifar
from thalweg.datasets.pickled import Array

SOURCE = Source(
    "cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def load_data(folder: Folder = None) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): 50,000 and 10,000 images (rows, 32, 32, 3), classes (rows, 1), as bytes.

    The classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck. The packed file is read as it is,
    or the folder cifar-10-batches-py that it unpacks to.

    Args:
        folder: see `thalweg.datasets`.
    """
    parts = of_cifar(SOURCE, "cifar-10-batches-py", BATCHES, "labels", folder)
    return joined(parts[:-1], np.uint8), joined(parts[-1:], np.uint8)
