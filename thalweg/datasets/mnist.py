"""MNIST: 70,000 grey images of handwritten digits, 28×28 (LeCun, Cortes, Burges)."""

from __future__ import annotations

from thalweg.datasets.fetching import GOOGLE, Folder, Source, fetch
from thalweg.datasets.labelled_images import of_archive
from thalweg.datasets.pickled import Array

SOURCE = Source("mnist.npz", GOOGLE + "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")


def load_data(path: Folder = "mnist.npz", folder: Folder = None) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): 60,000 and 10,000 images (rows, 28, 28) and digits (rows,), as bytes.

    Args:
        path: the file's name in the folder, or its whole path. folder: see `thalweg.datasets`.
    """
    return of_archive(fetch(SOURCE, folder, path))
