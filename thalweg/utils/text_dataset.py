"""Batches of the texts of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import DataError
from thalweg.support.checks import whole
from thalweg.support.naming import suggesting
from thalweg.utils.directories import Folder


@suggesting
def text_dataset_from_directory(
    directory: str | Path,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Batches (texts, labels) of a folder with a folder of .txt files for each class: arrays of strings, (rows,).

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
            format, verbose: see `image_dataset_from_directory`.
        max_length: so many bytes of each text count, as TensorFlow cuts them; a letter that is cut in two is left out.

    Returns:
        `Batches`: they have `class_names` and `file_paths`.

    Raises: NotFoundError: there is no such folder. DataError: it has no texts, or one that isn't UTF-8.
    """
    most = None if max_length is None else whole("max_length", max_length)

    def read(path: str) -> str:
        content = Path(path).read_bytes()
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path} isn't UTF-8: {error.reason} at byte {error.start}") from None
        return text if most is None else content[:most].decode("utf-8", "ignore")

    return Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
        format, verbose, (".txt",), read, np.array,
    ).batches()  # fmt: skip
