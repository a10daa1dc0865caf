"""The files of a folder and their labels: found, shuffled, divided and made into batches, as Keras does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.dataset import Batches
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.ops.with_numpy import ArrayResult
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose
from thalweg.support.nested import mapped
from thalweg.support.printing import out
from thalweg.support.seeds import draw_seed

LABEL_MODES = ("int", "categorical", "binary")
SUBSETS = ("training", "validation", "both")
AHEAD = 2  # batches that are read before they are asked for


@dataclass(frozen=True)
class Folder:
    """A folder of files in a folder for each class, and what of it is wanted: the arguments of Keras's functions."""

    directory: str | Path
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    format: str
    verbose: bool
    endings: tuple[str, ...]
    read: Callable[[str], Any]  # a file as what stands in a batch
    gather: Callable[[list[Any]], NDArray[Any]] = np.stack

    def __post_init__(self) -> None:
        if self.labels not in ("inferred", None) and not isinstance(self.labels, (list, tuple)):
            raise ArgumentError(f"labels is 'inferred', None or a list of class numbers, got {self.labels!r}")
        if self.labels != "inferred" and self.class_names:
            raise ArgumentError("class_names belong to labels='inferred': they say in which order the folders count")
        if self.label_mode is not None:
            choose("label_mode", self.label_mode, LABEL_MODES)
        if choose("format", self.format, ("tf", "grain")) == "grain":
            raise ArgumentError("format='grain' isn't there: leave out format; the batches are NumPy arrays")
        if self.batch_size is not None:
            whole("batch_size", self.batch_size)
        if not self.validation_split:
            if self.subset:
                raise ArgumentError("subset needs a validation_split: the share of the files for validation")
            return
        if number("validation_split", self.validation_split, 0, 1) == 0:
            raise ArgumentError(f"validation_split has to be between 0 and 1, got {self.validation_split!r}")
        if self.subset is None:
            raise ArgumentError(f"validation_split needs a subset: {', '.join(SUBSETS)}")
        choose("subset", self.subset, SUBSETS)
        if self.shuffle and self.seed is None and self.subset != "both":
            raise ArgumentError("a shuffled split needs a seed, or training and validation would share files")

    def batches(self) -> Any:
        """The batches; for subset="both" the pair of those for training and for validation."""
        labels = None if self.label_mode is None else self.labels
        seed = draw_seed() % 10**6 if self.seed is None else whole("seed", self.seed, 0)
        files, numbers, names = self.index(labels)
        if self.label_mode == "binary" and names is not None and len(names) != 2:
            raise ArgumentError(f"label_mode='binary' needs two classes, got {len(names)}: {', '.join(names)}")
        if self.shuffle:
            order = np.arange(len(files))
            np.random.RandomState(seed).shuffle(order)  # the order in which Keras has them
            files, numbers = [files[k] for k in order], None if numbers is None else numbers[order]
        parts = [self.subset] if self.subset != "both" else ["training", "validation"]
        made = [self.part(part, files, numbers, names, seed) for part in parts]
        return made if self.subset == "both" else made[0]

    def index(self, labels: Any) -> tuple[list[str], NDArray[Any] | None, list[str] | None]:
        """Paths, class numbers, and the classes' names, in Keras's order: by names of folders, then files."""
        folder = os.fspath(self.directory)
        if not os.path.isdir(folder):
            raise NotFoundError(f"there is no folder {folder}")
        names = [""]
        if labels == "inferred":
            there = sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))
            names = there if self.class_names is None else list(self.class_names)
            if not set(names) <= set(there):
                missing = next(n for n in names if n not in there)
                raise ArgumentError(f"class_names has {missing!r}, and {folder} has the folders {', '.join(there)}")
        files, numbers = [], []
        for k, name in enumerate(names):
            for path in self.inside(os.path.join(folder, name) if name else folder):
                files.append(path)
                numbers.append(k)
        if labels is None:
            self.say(f"Found {len(files)} files.")
            return files, None, None
        if labels != "inferred":
            if len(labels) != len(files):
                raise DataError(f"labels has {len(labels)} numbers, and {folder} has {len(files)} files")
            numbers, names = list(labels), [str(label) for label in sorted(set(labels))]
        self.say(f"Found {len(files)} files belonging to {len(names)} classes.")
        return files, np.array(numbers, np.int32), names

    def inside(self, folder: str) -> Iterator[str]:
        """The files with the right endings in a folder and those in it."""
        for root, _, files in sorted(os.walk(folder, followlinks=self.follow_links)):
            yield from (os.path.join(root, name) for name in sorted(files) if name.lower().endswith(self.endings))

    def part(
        self, part: str | None, files: list[str], numbers: NDArray[Any] | None, names: list[str] | None, seed: int
    ) -> Batches:
        """The batches of a part of the files; the last ones are for validation."""
        if part is not None and self.validation_split:
            held = int(self.validation_split * len(files))
            count = held if part == "validation" else len(files) - held
            self.say(f"Using {count} files for {part}.")
            kept = slice(len(files) - held, None) if part == "validation" else slice(len(files) - held)
            files, numbers = files[kept], None if numbers is None else numbers[kept]
        if not files:
            raise DataError(
                f"{os.fspath(self.directory)} has no files{f' for {part}' if part else ''} that end in "
                f"{', '.join(self.endings)}"
            )
        y = None if numbers is None else encoded(numbers, str(self.label_mode), len(names or ()))

        def samples(rows: NDArray[Any]) -> Any:
            x = self.gather([self.read(files[row]) for row in rows])
            return x if y is None else (x, y[rows])

        shuffled = self.shuffle and not (self.subset == "both" and part == "validation")
        made = batched(samples, len(files), self.batch_size, seed if shuffled else None, names, files)
        return made.prefetch(AHEAD)

    def say(self, sentence: str) -> None:
        if self.verbose:
            out(sentence)


def encoded(numbers: NDArray[Any], mode: str, classes: int) -> NDArray[Any]:
    """Class numbers in a label_mode.

    >>> encoded(np.array([0, 1]), "binary", 2).tolist(), encoded(np.array([0, 1]), "categorical", 2).tolist()
    ([[0.0], [1.0]], [[1.0, 0.0], [0.0, 1.0]])
    """
    if mode == "binary":
        return numbers.astype(np.float32)[:, None]
    return numbers if mode == "int" else (numbers[:, None] == np.arange(classes)).astype(np.float32)


def batched(
    samples: Callable[[NDArray[Any]], Any],
    rows: int,
    batch_size: int | None,
    seed: int | None,
    class_names: list[str] | None = None,
    file_paths: list[str] | None = None,
) -> Batches:
    """Batches of samples, in a new order in each pass if there is a seed. batch_size None: the samples themselves.

    The arrays have `numpy()`, which Keras's programs call.
    """

    def make(number: int) -> Iterator[Any]:
        order = np.arange(rows) if seed is None else np.random.default_rng((seed, number)).permutation(rows)
        for first in range(0, rows, batch_size or 1):
            made = samples(order[first : first + (batch_size or 1)])
            if batch_size is None:
                made = tuple(part[0] for part in made) if isinstance(made, tuple) else made[0]
            yield mapped(made, lambda v: v.view(ArrayResult) if type(v) is np.ndarray else v)

    return Batches(make, -(-rows // (batch_size or 1)), class_names, file_paths)
