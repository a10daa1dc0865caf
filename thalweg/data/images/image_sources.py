"""Images: folders of pictures, IDX files (MNIST's) and .npz archives, as one array of pixels and class numbers.

Pixels of one byte stay bytes (uint8) in memory; the network converts a batch when it gathers it. Pillow reads the
pictures, and is imported for the first one.
"""

from __future__ import annotations

from pathlib import Path

from thalweg.data.images.image_arrays import has_idx, read_idx_folder, read_npz
from thalweg.data.images.image_folders import folders_in, is_picture, pictures_in, read_folder
from thalweg.data.images.image_set import Images, of_arrays
from thalweg.data.images.picture_files import CHANNELS, Reading, Size
from thalweg.data.sources import is_table_file
from thalweg.errors import ArgumentError, DataError, NotFoundError


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
            if is_picture(file):
                return True
            tables = tables or is_table_file(file)
    return not tables


def read_images(
    path: str | Path,
    size: Size | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    fit: str | None = None,
) -> Images:
    """Reads pictures and their classes.

    Args:
        path: a folder with a folder of pictures for each class, or with such folders in train/ and test/ (or val/); a
            folder with MNIST's four IDX files, or one of them, .gz too; or an .npz archive with x_train, y_train,
            x_test, y_test, or x and y.
        size: (height, width) to which pictures of a folder are brought; without it all must have one size.
        channels: 1 (grey), 3 (RGB) or 4 (with transparency) to convert pictures to; without it, 1 if all are grey, and
            3 otherwise. Transparent pixels are laid on white for 1 and 3.
        skip_bad: leaves out pictures that can't be read, class folders without any, and images with pixels that aren't
            finite; `Images.skipped` says which.
        fit: with a size, "stretch" (the default, as Keras has it) changes proportions, "crop" cuts off what sticks out,
            "pad" adds black.

    The memory for pictures and for unpacking an archive is limited: see `thalweg.support.untrusted`.

    Raises:
        NotFoundError: there is no such file or folder. DataError: it can't be read as images; the file is named.
        BadRowsError: some pictures can't be read; all problems are told, each with the first files that have it.
        ArgumentError: `size`, `channels` or `fit` for a source whose arrays are taken as they are, or `fit` alone.
    """
    path = Path(path)
    if not path.exists():
        raise NotFoundError(f"there is no file or folder {path}")
    if channels is not None and channels not in CHANNELS:
        raise ArgumentError(f"channels is 1, 3 or 4, got {channels!r}")
    if path.is_dir() and not has_idx(path):
        if fit is not None and size is None:
            raise ArgumentError(f"--fit {fit} goes with --size: it says how pictures are brought to it")
        return read_folder(path, Reading(size, channels, fit or "stretch"), skip_bad)
    if is_one_picture(path):
        raise DataError(one_picture(path))
    if size is not None or channels is not None or fit is not None:
        raise ArgumentError(
            f"{path} holds arrays of pixels, which are taken as they are: leave out --size, --channels and --fit"
        )
    pairs = read_npz(path) if path.suffix == ".npz" else read_idx_folder(path if path.is_dir() else path.parent)
    source = path if path.suffix == ".npz" or path.is_dir() else path.parent
    return of_arrays(pairs, str(source), skip_bad)


def is_one_picture(source: str | Path) -> bool:
    """Whether it is a file named as a picture."""
    return is_picture(Path(source)) and Path(source).is_file()


def one_picture(path: str | Path) -> str:
    """What to say where a picture is given for a source of pictures with classes."""
    return f"{path} is a single picture: give a folder with a folder of pictures for each class"
