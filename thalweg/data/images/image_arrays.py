"""Arrays of pictures in files: .npz archives, and IDX files as MNIST's."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from thalweg.data.cells import Array
from thalweg.errors import DataError, NotFoundError
from thalweg.support.untrusted import CHUNK, Npz, allowed, read_exactly, readable, too_large, unpacked

Pair = tuple[Array, Array]  # x and y, as the file has them
IDX_NAMES = {"train": "train", "test": "t10k"}  # as MNIST's four files begin
MOST_AXES = 4  # of an IDX file: row, height, width, channel
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_npz(path: Path) -> list[Pair]:
    """x_train, y_train, x_test and y_test, or x and y; X_train, … too."""
    with readable(DataError, f"{path} is not an .npz archive of plain arrays, or it is damaged"), Npz(path) as archive:
        names = {name.lower(): name for name in archive.members}
        if {"x_train", "y_train"} <= names.keys():
            wanted = [("x_train", "y_train")]
            if {"x_test", "y_test"} <= names.keys():
                wanted.append(("x_test", "y_test"))
        elif {"x", "y"} <= names.keys():
            wanted = [("x", "y")]
        else:
            raise DataError(f"{path} needs x_train and y_train, or x and y; it has {', '.join(names) or 'nothing'}")
        return [(archive[names[x]], archive[names[y]]) for x, y in wanted]


def has_idx(folder: Path) -> bool:
    """Whether IDX files lie in the folder."""
    return any("-ubyte" in f.name for f in folder.iterdir() if f.is_file())


def read_idx_folder(folder: Path) -> list[Pair]:
    """MNIST's layout: train-images-idx3-ubyte, train-labels-idx1-ubyte, and the same from t10k for testing."""
    pairs: list[Pair] = []
    for part, prefix in IDX_NAMES.items():
        images, labels = (idx_file(folder, prefix, kind) for kind in ("images", "labels"))
        if images and labels:
            pairs.append((read_idx(images), read_idx(labels)))
        elif part == "train" or images or labels:
            kind = "labels" if images else "images"
            raise NotFoundError(f"{folder} has no IDX file of {part} {kind}: {prefix}-{kind}-idx…-ubyte, or with .gz")
    return pairs


def idx_file(folder: Path, prefix: str, kind: str) -> Path | None:
    """The file of that name, with a dash or a dot before idx."""
    return next(iter(sorted(folder.glob(f"{prefix}-{kind}[-.]idx*-ubyte*"))), None)


def read_idx(file: Path) -> Array:
    """An array in LeCun's IDX format: two zeros, a type, the number of dimensions, the dimensions, the elements."""
    with readable(DataError, f"{file} can't be unpacked"), unpacked(file) as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES:
            raise DataError(f"{file} is not an IDX file: it does not begin with two zeros and a known type")
        if head[3] > MOST_AXES:
            raise DataError(f"{file} has {head[3]} axes: images have {MOST_AXES} at most")
        start = 4 + 4 * head[3]
        sizes = stream.read(start - 4)
        if len(sizes) < start - 4:
            raise DataError(f"{file} is truncated: {4 + len(sizes):,} bytes of {start:,}")
        shape = np.frombuffer(sizes, ">u4").tolist()
        kind = np.dtype(IDX_TYPES[head[2]])
        size, limit = math.prod(shape) * kind.itemsize, allowed(file)
        if size > limit and file.suffix == ".gz":
            raise too_large(f"{file}, unpacked,", limit, size)
        content = read_exactly(stream, size)
        if len(content) < size:
            raise DataError(f"{file} is truncated: {start + len(content):,} bytes of {start + size:,}")
        if rest := len(stream.read(CHUNK)):
            some = f"{rest:,}" if rest < CHUNK else f"{rest:,} or more"
            raise DataError(f"{file} has {some} bytes more than its header says")
        return np.frombuffer(content, kind).reshape(shape).astype(kind.newbyteorder("="))
