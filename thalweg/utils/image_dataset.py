"""Batches of the pictures of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError
from thalweg.program.instructions.images.resizing import INTERPOLATIONS, interpolated, nearest
from thalweg.support.checks import whole
from thalweg.support.naming import choose, suggesting
from thalweg.utils.directories import Folder
from thalweg.utils.pillow import MODES, load_img

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


@suggesting
def image_dataset_from_directory(
    directory: str | Path,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Batches (pictures, labels) of a folder with a folder of pictures for each class.

    Pictures are float32 from 0 to 255, (rows, height, width, channels): .bmp, .gif (the first frame), .jpeg, .jpg and
    .png. A loop over the batches reads the files; each pass is shuffled anew.

    Args:
        directory: the folder.
        labels: "inferred": the folders' numbers. None: no labels. A list: class numbers of all files below the folder,
            in the order of their paths.
        label_mode: "int" (int32), "categorical" (one-hot), "binary" (0.0 or 1.0 in a column), or None: no labels.
        class_names: the classes' folders in the order of their numbers; by default that of the alphabet.
        color_mode: "grayscale", "rgb" or "rgba": 1, 3 or 4 channels.
        batch_size: pictures of a batch; None: single pictures.
        image_size: (height, width) to which all are brought.
        shuffle: whether the files are shuffled; otherwise they come in the order of their paths.
        seed: fixes the order, and with it the split.
        validation_split: the share of the files that is kept for validation, the last of their order.
        subset: "training", "validation", or "both": a pair.
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        follow_links: whether folders are looked into that are links.
        crop_to_aspect_ratio: cuts off what would distort a picture, at both sides.
        pad_to_aspect_ratio: puts black at both sides instead.
        data_format: None or "channels_last".
        format: "tf", which are the batches that it returns.
        verbose: whether the numbers of files and classes are printed.

    Returns:
        `Batches`: they have `class_names` and `file_paths`, and go into `fit`, `evaluate`, `predict` and `adapt`.

    Raises: NotFoundError: there is no such folder. DataError: it has no pictures, or one that can't be read.
    """
    if data_format not in (None, "channels_last"):
        raise ArgumentError(f"data_format is None or 'channels_last', got {data_format!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("a picture is cropped or padded to the proportions of image_size, not both")
    choose("color_mode", color_mode, MODES)
    choose("interpolation", interpolation, INTERPOLATIONS)
    pair = (image_size,) * 2 if not isinstance(image_size, (tuple, list)) else tuple(image_size)
    if len(pair) != 2:
        raise ArgumentError(f"image_size is (height, width), got {image_size!r}")
    size = whole("image_size", pair[0]), whole("image_size", pair[1])
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    read = partial(pixels_of_file, color_mode=color_mode, size=size, interpolation=interpolation, fit=fit)
    return Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
        format, verbose, ENDINGS, read,
    ).batches()  # fmt: skip


def pixels_of_file(path: str, color_mode: str, size: tuple[int, int], interpolation: str, fit: str) -> NDArray[Any]:
    """The picture, (height, width, channels) in float32."""
    pixels = np.asarray(load_img(path, color_mode))
    if pixels.dtype.itemsize > 1:  # 16 bits, of which the upper 8 count
        pixels = pixels // 256
    x = (pixels if pixels.ndim == 3 else pixels[:, :, None]).astype(np.float32)
    (tall, wide), (height, width) = x.shape[:2], size
    if fit == "crop":
        h, w = max(min(tall, wide * height // width), 1), max(min(wide, tall * width // height), 1)
        top, left = (tall - h) // 2, (wide - w) // 2
        return resized(x[top : top + h, left : left + w], size, interpolation)
    if fit == "stretch":
        return resized(x, size, interpolation)
    ratio = max(wide / width, tall / height)
    h, w = max(min(int(tall / ratio), height), 1), max(min(int(wide / ratio), width), 1)
    top, left = (height - h) // 2, (width - w) // 2
    framed = np.zeros((*size, x.shape[2]), np.float32)
    framed[top : top + h, left : left + w] = resized(x, (h, w), interpolation)
    return framed


def resized(x: NDArray[Any], size: tuple[int, int], interpolation: str) -> NDArray[Any]:
    """A picture in another size, as `layers.Resizing` makes it."""
    if x.shape[:2] == size:
        return x
    if interpolation == "nearest":
        return x[nearest(x.shape[0], size[0])][:, nearest(x.shape[1], size[1])]
    sides = zip(x.shape[:2], size, strict=True)
    down, across = (interpolated(n, m, interpolation, False).astype(np.float32) for n, m in sides)
    high = np.tensordot(down, x, (1, 0))
    return np.ascontiguousarray(np.tensordot(across, high, (1, 1)).transpose(1, 0, 2))
