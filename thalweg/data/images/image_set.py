"""Pictures of one size, each with a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.images.image_arrays import Pair
from thalweg.data.images.picture_files import spell
from thalweg.errors import BadRowsError, DataError

Range = tuple[float, float]  # black and white
BYTES: Range = (0.0, 255.0)
WHOLE_WHITES, WHITES = (1, 16, 255, 4095, 65535), (1, 255, 65535)
"""What white is in arrays: of whole numbers (a mask, scikit-learn's digits, 8, 12 or 16 bits) and of others."""
DARKEST = 64.0
"""A white that no picture reaches a quarter of isn't the white; of numbers that aren't whole."""


@dataclass(frozen=True, eq=False)
class Images:
    """Pictures of one size, each with a class.

    Attributes:
        x: (rows, height, width, channels), uint8, or float32 if the source holds other numbers.
        y: the class number of each row.
        classes: the name of each class.
        source: where they come from.
        test: the source's test pictures, if it has any.
        skipped: what was wrong with each picture left out.
        range: the numbers for black and white; None if they aren't known.
        files: of pictures from files, their paths, (rows,).
        stretched: how much wider each was made in proportion to its height, (rows,); None: none was.
    """

    x: Array
    y: Array
    classes: tuple[str, ...]
    source: str
    test: Images | None = None
    skipped: tuple[str, ...] = ()
    range: Range | None = BYTES
    files: Array | None = None
    stretched: Array | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        height, width, channels = self.x.shape[1:]
        return height, width, channels

    def take(self, rows: Array) -> Images:
        """The images with these rows; no copy if these are all."""
        if len(rows) == len(self.y):
            return self
        files, stretched = (None if part is None else part[rows] for part in (self.files, self.stretched))
        return replace(self, x=self.x[rows], y=self.y[rows], files=files, stretched=stretched)

    def name(self, row: int) -> str:
        """How a message calls an image: its file, or its number in the array."""
        return f"image {row} (counted from 0)" if self.files is None else str(self.files[row])


def of_arrays(pairs: Sequence[Pair], source: str, skip_bad: bool = False) -> Images:
    """(x, y) for training and, where there are two pairs, for testing."""
    labels = [labels_of(x, y, source) for x, y in pairs]
    pixels = [pixels_of(x, source) for x, _ in pairs]
    skipped: list[str] = []
    for part, x in enumerate(pixels):
        bad = not_finite(x, source)
        if bad and not skip_bad:
            raise BadRowsError(bad)
        if bad:
            pixels[part], labels[part] = (np.delete(array, list(bad), axis=0) for array in (x, labels[part]))
            skipped += bad.values()
    names = np.unique(np.concatenate(labels))
    if len(names) < 2 or not all(map(len, labels)):
        found = f"only one class, {names[0]!s}" if len(names) else "no images"
        raise DataError(f"{source} has {found}: there is nothing to tell apart")
    classes = tuple(str(name) for name in names.tolist())
    if len({x.shape[1:] for x in pixels}) > 1 or len({x.dtype for x in pixels}) > 1:
        raise DataError(f"{source}: the images for training and for testing differ in shape or type")
    white = range_of(pixels[0])
    parts = [
        Images(x, np.searchsorted(names, y), classes, source, range=white) for x, y in zip(pixels, labels, strict=True)
    ]
    test = parts[1] if len(parts) > 1 else None
    return replace(parts[0], test=test, skipped=tuple(skipped))


def range_of(x: Array) -> Range | None:
    """Black and white of an array of pictures, by its least and its greatest number.

    >>> [range_of(np.array(x)) for x in ([0, 16], [0, 200], [0.0, 0.9], [-1.0, 0.5], [-0.4, 2.8])]
    [(0.0, 16.0), (0.0, 255.0), (0.0, 1.0), (-1.0, 1.0), None]
    """
    least, most = float(x.min()), float(x.max())
    if least < 0:
        return (-1.0, 1.0) if least >= -1 and most <= 1 else None
    whole = x.dtype.kind in "bui" or bool((x == np.rint(x)).all())
    white = next((white for white in (WHOLE_WHITES if whole else WHITES) if most <= white), None)
    if white is None or (not whole and 1 < most <= DARKEST):
        return None
    return 0.0, float(white)


def labels_of(x: Array, y: Array, source: str) -> Array:
    """One label a row."""
    y = y.reshape(len(y)) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or y.dtype.kind not in "biuU" or not len(y):
        raise DataError(f"{source}: y has to be one class a row, not {spell(y.shape) or 'a single'} of {y.dtype}")
    if len(x) != len(y):
        raise DataError(f"{source} has {len(x):,} images but {len(y):,} labels")
    return y


def pixels_of(x: Array, source: str) -> Array:
    """(rows, height, width, channels): bytes stay bytes, other numbers become float32."""
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or x.dtype.kind not in "biuf" or not x.size:
        raise DataError(
            f"{source}: x has to be images, (rows, height, width) or (rows, height, width, channels), "
            f"not {spell(x.shape) or 'a single value'} of {x.dtype}"
        )
    if x.dtype.kind in "bui" and x.min() >= 0 and x.max() <= 255:
        return x.astype(np.uint8, copy=False)
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


def not_finite(pixels: Array, source: str) -> dict[int, str]:
    """The images with a pixel that isn't finite, counted from 0, and the first such pixel of each."""
    bad: dict[int, str] = {}
    if pixels.dtype == np.uint8:
        return bad
    for row in np.flatnonzero(~np.isfinite(pixels).all(axis=(1, 2, 3))).tolist():
        place = tuple(np.argwhere(~np.isfinite(pixels[row]))[0].tolist())
        bad[row] = f"{source}: image {row} (counted from 0) holds {pixels[row][place]} at pixel {place}"
    return bad
