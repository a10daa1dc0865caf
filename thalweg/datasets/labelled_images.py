"""Images with a class each, as the archives of MNIST and CIFAR hold them."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.datasets.fetching import Folder, Source, fetch, present
from thalweg.datasets.pickled import Array, read_arrays, unpickled
from thalweg.errors import DataError
from thalweg.support.untrusted import allowed, readable, too_large

SIDE, CHANNELS = 32, 3  # of CIFAR's images


def of_archive(path: Path) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The four arrays of an .npz archive."""
    x_train, y_train, x_test, y_test = read_arrays(path, ["x_train", "y_train", "x_test", "y_test"])
    return checked(x_train, y_train, str(path)), checked(x_test, y_test, str(path))


def checked(x: Array, y: Array, where: str) -> tuple[Array, Array]:
    """Images and classes, one for each."""
    if x.ndim != 3 or y.ndim != 1 or len(x) != len(y) or not {x.dtype.kind, y.dtype.kind} <= set("ui"):
        raise DataError(f"{where} holds no images with a class each: {x.shape} of {x.dtype}, {y.shape} of {y.dtype}")
    return x, y


# --- CIFAR -----------------------------------------------------------------------------------------------------------


def of_cifar(
    source: Source, unpacked: str, batches: list[str], key: str, folder: Folder
) -> list[tuple[Array, list[int]]]:
    """Images (rows, 32, 32, 3) and labels of each batch, from the packed file or from the folder that it unpacks to."""
    names = [source.name, f"{unpacked}.tar.gz"]
    names += [f"{place}/{batches[0]}" for place in (unpacked, f"{unpacked}-target/{unpacked}")]  # Keras's, old and new
    found = present(names, folder)
    path = fetch(source, folder) if found is None else found
    with readable(DataError, f"{path} isn't CIFAR's file, or it is damaged"):
        if path.name.endswith(".gz"):
            contents = of_tar(path, batches)
        else:
            contents = [(path.parent / batch).read_bytes() for batch in batches]
        return [of_batch(unpickled(content), key, path) for content in contents]


def of_tar(path: Path, batches: list[str]) -> list[bytes]:
    """The files of these names in a packed file, which isn't unpacked."""
    found: dict[str, bytes] = {}
    left = limit = allowed(path)
    with tarfile.open(path, "r:gz") as packed:
        for member in packed:
            name = Path(member.name).name
            if name in batches and member.isfile():
                left -= member.size
                if left < 0:
                    raise too_large(f"{path}, unpacked,", limit)
                stream = packed.extractfile(member)
                assert stream is not None
                found[name] = stream.read()
    missing = [name for name in batches if name not in found]
    if missing:
        raise DataError(f"{path} has no file {missing[0]}")
    return [found[name] for name in batches]


def of_batch(held: dict[str, Any], key: str, path: Path) -> tuple[Array, list[int]]:
    """Images and labels of one pickled dict."""
    pixels, labels = held["data"], held[key]
    size = CHANNELS * SIDE * SIDE
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), size) or set(map(type, labels)) != {int}:
        raise DataError(f"{path} holds no images with a label each, of {size:,} bytes")
    return np.ascontiguousarray(pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)), labels


def joined(parts: list[tuple[Array, list[int]]], kind: type[np.generic]) -> tuple[Array, Array]:
    """All batches: images, and labels as a column."""
    x = np.concatenate([x for x, _ in parts])
    return x, np.array([n for _, labels in parts for n in labels], kind).reshape(-1, 1)
