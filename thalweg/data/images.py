"""Images: folders of pictures, IDX files (MNIST's) and .npz archives, as one array of pixels and class numbers.

Pixels of one byte stay bytes (uint8) in memory; the network converts a batch when it gathers it. Pillow reads the
pictures, and is imported for the first one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.sources import is_table_file
from thalweg.errors import ArgumentError, BadRowsError, DataError, NotFoundError, ThalwegError
from thalweg.support.extras import need
from thalweg.support.untrusted import (
    CHUNK,
    VARIABLE,
    Npz,
    allowed,
    given_max_bytes,
    read_exactly,
    readable,
    reason,
    too_large,
    unpacked,
)

Size = tuple[int, int]  # height, width
CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}  # number, and Pillow's name
PARTS = ("train", "test")
IDX_NAMES = {"train": "train", "test": "t10k"}  # as MNIST's four files begin
PIXEL_BYTES = 24  # memory that reading a pixel may take; with 2 GiB this gives Pillow's own limit
MOST_AXES = 4  # of an IDX file: row, height, width, channel
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


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
    """

    x: Array
    y: Array
    classes: tuple[str, ...]
    source: str
    test: Images | None = None
    skipped: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        height, width, channels = self.x.shape[1:]
        return height, width, channels


def is_image_source(path: str | Path) -> bool:
    """Whether this is a folder, an .npz archive or an IDX file: what `read_images` reads, and `read_table` does not.

    It isn't a folder whose subfolders (or which itself, if it has none) hold tables and no pictures: `read_table` says
    how to name those.
    """
    path = Path(path)
    if not path.is_dir():
        return path.suffix == ".npz" or "-ubyte" in path.name
    if has_idx(path):
        return True
    tables = False
    for folder in [path / name for name in folders_in(path)] or [path]:
        for file in pictures_in(folder):
            if (guess_type(file.name)[0] or "").startswith("image/"):
                return True
            tables = tables or is_table_file(file)
    return not tables


def read_images(
    path: str | Path, size: Size | None = None, channels: int | None = None, skip_bad: bool = False
) -> Images:
    """Reads pictures and their classes.

    Args:
        path: a folder with a folder of pictures for each class, or with such folders in train/ and test/; a folder
            with MNIST's four IDX files, or one of them, .gz too; or an .npz archive with x_train, y_train, x_test,
            y_test, or x and y.
        size: (height, width) to which pictures of a folder are resized; without it all must have one size.
        channels: 1 (grey), 3 (RGB) or 4 (with transparency) to convert pictures to; without it all must be alike.
        skip_bad: leaves out pictures that can't be read, class folders without any, and images with pixels that aren't
            finite; `Images.skipped` says which.

    The memory for pictures and for unpacking an archive is limited: see `thalweg.support.untrusted`.

    Raises:
        NotFoundError: there is no such file or folder. DataError: it can't be read as images; the file is named.
        BadRowsError: some pictures can't be read; the first three are named.
        ArgumentError: `size` or `channels` for a source whose arrays are taken as they are.
    """
    path = Path(path)
    if not path.exists():
        raise NotFoundError(f"there is no file or folder {path}")
    if channels is not None and channels not in CHANNELS:
        raise ArgumentError(f"channels is 1, 3 or 4, got {channels!r}")
    if path.is_dir() and not has_idx(path):
        return read_folder(path, size, channels, skip_bad)
    if size is not None or channels is not None:
        raise ArgumentError(f"{path} holds arrays of pixels, which are taken as they are: leave out size and channels")
    if path.suffix == ".npz":
        return read_npz(path, skip_bad)
    return read_idx_folder(path if path.is_dir() else path.parent, skip_bad)


# --- folders of pictures ---------------------------------------------------------------------------------------------


def read_folder(folder: Path, size: Size | None, channels: int | None, skip_bad: bool = False) -> Images:
    """A folder of class folders, or train/ and test/ with the same classes."""
    parts = [folder / part for part in PARTS]
    if not all(part.is_dir() for part in parts):
        return read_classes(folder, size, channels, class_folders(folder), skip_bad)
    train = read_classes(parts[0], size, channels, class_folders(parts[0]), skip_bad)
    odd = {
        parts[1] / name: f"{parts[1]} has the class {name!r}, which {parts[0]} doesn't"
        for name in class_folders(parts[1])
        if name not in train.classes
    }
    if odd and not skip_bad:
        raise BadRowsError(odd)
    test = read_classes(parts[1], size, channels, train.classes, skip_bad, some=True)
    if test.shape != train.shape:
        raise DataError(
            f"{parts[0]} has images of {spell(train.shape)}, {parts[1]} of {spell(test.shape)}: give --size"
        )
    skipped = (*train.skipped, *odd.values(), *test.skipped)
    return Images(train.x, train.y, train.classes, str(folder), test, skipped)


def class_folders(folder: Path) -> list[str]:
    """The names of the classes: the folders in it that aren't hidden."""
    names = folders_in(folder)
    if len(names) < 2:
        found = f"only one, {names[0]!r}" if names else "none"
        raise DataError(f"{folder} needs a folder of images for each of at least two classes, it has {found}")
    return names


def read_classes(
    folder: Path,
    size: Size | None,
    channels: int | None,
    classes: Sequence[str],
    skip_bad: bool = False,
    some: bool = False,
) -> Images:
    """The pictures of each class; with `some`, a class may have none."""
    files = [(number, f) for number, name in enumerate(classes) for f in pictures_in(folder / name)]
    bad: dict[Path, str] = {}
    read = read_pictures([f for _, f in files], size, channels, bad, skip_bad)
    y = np.array([number for number, f in files if f not in bad], int)
    counts = np.bincount(y, minlength=len(classes))
    for name in () if some else [classes[number] for number in np.flatnonzero(counts == 0).tolist()]:
        unread = any(path.is_relative_to(folder / name) for path in bad)
        bad[folder / name] = f"the class folder {folder / name} has no images{' that can be read' if unread else ''}"
    if bad and not skip_bad:
        raise BadRowsError(bad)
    if read is None:
        raise DataError(f"{folder} has no images{' that can be read' if files else ''}")
    kept: list[int] = (np.arange(len(classes)) if some else np.flatnonzero(counts)).tolist()
    if len(kept) < 2:
        raise DataError(f"{folder} has images of one class only, {classes[kept[0]]!r}: there is nothing to tell apart")
    names = tuple(classes[number] for number in kept)
    return Images(read, np.searchsorted(kept, y), names, str(folder), skipped=tuple(bad.values()))


def read_pictures(
    files: Sequence[Path], size: Size | None, channels: int | None, bad: dict[Path, str], skip_bad: bool
) -> Array | None:
    """(rows, height, width, channels) of the pictures that can be read, and in `bad` why the others can't: all of them,
    or the first three unless they are skipped. None if there are none."""
    x, first, row = None, None, 0
    for file in files:
        try:
            picture = read_picture(file, size, channels)
        except DataError as error:
            bad[file] = str(error)
            if len(bad) == BadRowsError.SHOWN and not skip_bad:
                break
            continue
        if x is None:
            first, limit, needed = file, allowed(*files), len(files) * picture.nbytes
            if needed > limit:
                what = f"{len(files):,} pictures of {spell(picture.shape)} bytes"
                raise too_large(what, limit, needed, "give a smaller --size, or, ")
            x = np.empty((len(files), *picture.shape), np.uint8)
        elif picture.shape[2] != x.shape[3]:
            raise DataError(f"{file} has {picture.shape[2]} channels, {first} has {x.shape[3]}: give --channels 1 or 3")
        elif picture.shape != x.shape[1:]:
            raise DataError(
                f"{file} is {spell(picture.shape)}, {first} is {spell(x.shape[1:])}: "
                "give a size to bring them to, such as --size 64"
            )
        x[row] = picture
        row += 1
    return None if x is None else x[:row]


def folders_in(folder: Path) -> list[str]:
    """The folders in it, by name, except hidden ones and those of programs, such as __MACOSX and __pycache__."""
    return sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "__")))


def pictures_in(folder: Path) -> Iterator[Path]:
    """Every file below the folder that isn't hidden, in the order of their names."""
    if folder.is_dir():
        yield from sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))


def read_picture(file: Path, size: Size | None = None, channels: int | None = None) -> Array:
    """One picture as (height, width, channels) bytes, turned upright as the camera noted."""
    need("PIL", "images", f"reading {file}")
    from PIL import Image, ImageOps, UnidentifiedImageError

    limit = Image.MAX_IMAGE_PIXELS
    if (given := given_max_bytes()) is not None:
        limit = given // PIXEL_BYTES
        Image.MAX_IMAGE_PIXELS = max(limit, Image.MAX_IMAGE_PIXELS or limit)  # Pillow's limit may only be raised
    many = DataError(
        f"{file} has more than {limit or 0:,} pixels: if you trust it, "
        f"set {VARIABLE} to {PIXEL_BYTES} times their number"
    )
    try:
        with warnings.catch_warnings(), Image.open(file) as opened:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if limit is not None and opened.width * opened.height > limit:
                raise many
            picture = ImageOps.exif_transpose(opened)
            mode = CHANNELS[channels] if channels else mode_of(picture.mode, file)
            picture = picture.convert(mode)
            if size is not None:
                picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=2.0)
            pixels = np.asarray(picture, np.uint8)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {file}") from None
    except UnidentifiedImageError:
        raise DataError(f"{file} is not an image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise many from None
    except ThalwegError:
        raise
    except Exception as error:  # Pillow's plugins raise anything
        raise DataError(f"{file} is a damaged image: {reason(error)}") from error
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def mode_of(mode: str, file: Path) -> str:
    """Grey, colour, or colour with transparency, for the mode that Pillow gives a file."""
    known = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "RGBA": "RGBA", "LA": "RGBA"}
    if mode not in known:
        raise DataError(f"{file} has pixels of the kind {mode!r}, not of one byte a channel: give --channels 1 or 3")
    return known[mode]


def spell(shape: Sequence[int]) -> str:
    """ "28×28×1" """
    return "×".join(map(str, shape))


# --- arrays ----------------------------------------------------------------------------------------------------------


def read_npz(path: Path, skip_bad: bool = False) -> Images:
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
        pairs = [tuple(archive[names[name]] for name in pair) for pair in wanted]
    return of_arrays(pairs, str(path), skip_bad)


def has_idx(folder: Path) -> bool:
    """Whether IDX files lie in the folder."""
    return any("-ubyte" in f.name for f in folder.iterdir() if f.is_file())


def read_idx_folder(folder: Path, skip_bad: bool = False) -> Images:
    """MNIST's layout: train-images-idx3-ubyte, train-labels-idx1-ubyte, and the same from t10k for testing."""
    pairs = []
    for part, prefix in IDX_NAMES.items():
        files = [idx_file(folder, prefix, kind) for kind in ("images", "labels")]
        if all(files):
            pairs.append(tuple(read_idx(file) for file in files if file))
        elif part == "train" or any(files):
            kind = "labels" if files[0] else "images"
            raise NotFoundError(f"{folder} has no IDX file of {part} {kind}: {prefix}-{kind}-idx…-ubyte, or with .gz")
    return of_arrays(pairs, str(folder), skip_bad)


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


def of_arrays(pairs: Sequence[Any], source: str, skip_bad: bool = False) -> Images:
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
    parts = [Images(x, np.searchsorted(names, y), classes, source) for x, y in zip(pixels, labels, strict=True)]
    first = parts[0]
    return Images(first.x, first.y, classes, source, parts[1] if len(parts) > 1 else None, tuple(skipped))


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
