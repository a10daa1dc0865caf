"""Data sets that many examples use, as in Keras: `mnist.load_data()` returns (x_train, y_train), (x_test, y_test).

A file is looked for in the folder that the call names; otherwise in the one that the environment variable THALWEG_DATA
names; otherwise in ~/.thalweg/datasets and in Keras's own folder, ~/.keras/datasets. Only if it isn't there, it is
downloaded, and kept only if its checksum is the published one. Nothing in a file is run: pickled data are parsed by a
reader that knows arrays, lists and numbers alone.
"""

from thalweg.datasets import boston_housing, california_housing, cifar10, cifar100, fashion_mnist, imdb, mnist, reuters

__all__ = ["boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]
