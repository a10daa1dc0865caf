"""CIFAR-100: 60,000 colour images of a hundred kinds of things in twenty groups, 32×32 (Krizhevsky, 2009)."""

from __future__ import annotations

import numpy as np

from thalweg.datasets.fetching import Folder, Source
from thalweg.datasets.labelled_images import joined, of_cifar
from thalweg.datasets.pickled import Array
from thalweg.support.naming import choose

SOURCE = Source(
    "cifar-100-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)


def load_data(label_mode: str = "fine", folder: Folder = None) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): 50,000 and 10,000 images (rows, 32, 32, 3), bytes, and classes (rows, 1).

    The packed file is read as it is, or the folder cifar-100-python that it unpacks to.

    Args:
        label_mode: "fine" for the hundred classes, "coarse" for the twenty groups. folder: see `thalweg.datasets`.
    """
    key = choose("label_mode", label_mode, ("fine", "coarse")) + "_labels"
    train, test = of_cifar(SOURCE, "cifar-100-python", ["train", "test"], key, folder)
    return joined([train], np.int64), joined([test], np.int64)
