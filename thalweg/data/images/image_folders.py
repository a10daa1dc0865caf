"""Folders of pictures, a folder for each class: everything that is wrong with one is told in one message."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from mimetypes import guess_type
from pathlib import Path

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.images.image_set import Images
from thalweg.data.images.picture_files import Reading, read_picture, spell
from thalweg.errors import BadRowsError, DataError, NotFoundError, ThalwegWarning
from thalweg.support.naming import listed
from thalweg.support.untrusted import allowed, too_large

TRAIN, TEST, VALIDATION = "train", "test", ("val", "valid", "validation")
LEFT_BY_PROGRAMS = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")  # beside pictures, by Windows and macOS
FOLDERS_OF_PROGRAMS = ("@eaDir", "$RECYCLE.BIN", "System Volume Information")
SHOWN = 3  # files that a message names of those with the same problem


@dataclass
class Survey:
    """What is wrong with a folder.

    Attributes:
        bad: pictures and class folders that can't be used, and why.
        shapes: pictures by their height and width.
        notes: what should be known though nothing is wrong.
    """

    bad: dict[Path, str] = field(default_factory=dict)
    shapes: dict[tuple[int, ...], list[Path]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def check(self, skip_bad: bool) -> None:
        """Raises if anything is wrong that isn't to be left out; else warns of what should be known."""
        said = [*([sizes(self.shapes)] if len(self.shapes) > 1 else []), *([] if skip_bad else grouped(self.bad))]
        if self.bad and not skip_bad:
            raise BadRowsError(self.bad, said="; ".join(said))
        if said:
            raise DataError(said[0])
        for said_too in self.notes:
            warnings.warn(said_too, ThalwegWarning, stacklevel=4)


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures that could be read: pixels, class numbers, files, and how much wider each was made."""

    x: Array
    y: Array
    files: Array
    stretched: Array


def grouped(bad: dict[Path, str]) -> list[str]:
    """A part of a sentence for each kind of problem, with the files that have it.

    >>> grouped({Path(name): f"{name} is empty" for name in "abcd"} | {Path("e"): "e is no image"})
    ['a, b, c and 1 more: each is empty', 'e is no image']
    """
    kinds: dict[str, list[Path]] = {}
    for file, problem in bad.items():
        kinds.setdefault(problem.removeprefix(str(file)), []).append(file)
    return [listed(files, SHOWN) + (what if len(files) == 1 else f": each{what}") for what, files in kinds.items()]


def sizes(shapes: dict[tuple[int, ...], list[Path]]) -> str:
    """A sentence on pictures of several sizes, the most frequent first."""
    found = sorted(shapes.items(), key=lambda shape: -len(shape[1]))
    shown = [f"{len(files):,} of {spell(shape)} ({files[0]})" for shape, files in found[:SHOWN]]
    more = f" and {len(found) - SHOWN:,} more sizes" if len(found) > SHOWN else ""
    return f"the pictures differ in height × width: {', '.join(shown)}{more}: give a size for all, such as --size 64"


def read_folder(folder: Path, reading: Reading, skip_bad: bool = False) -> Images:
    """A folder of class folders, or train/ and test/ with the same classes."""
    survey = Survey()
    parts = parts_in(folder, survey)
    train, test = (folder / part for part in parts) if parts else (folder, None)
    names = class_folders(train, survey)
    further = class_folders(test, survey, least=0) if test is not None else []
    pictures = read_classes(train, names, reading, survey, alone=test is None)
    if pictures is not None and test is not None:
        same = replace(reading, channels=pictures.x.shape[3])
        tested = read_classes(test, names, same, survey, held=True)
    for name in further:
        if test is not None and name not in names:
            survey.bad[test / name] = f"{test / name} is a class that {train} doesn't have"
    survey.check(skip_bad)
    if pictures is None:
        raise DataError(f"{train} has no images")
    skipped = tuple(survey.bad.values())
    images = of_classes(train, pictures, names, skipped)
    if test is None:
        return images
    if tested is None:
        raise DataError(f"{test} has no images")
    kept = np.isin(tested.y, [names.index(name) for name in images.classes])
    numbers = np.array([images.classes.index(name) if name in images.classes else -1 for name in names])
    held = Images(tested.x, numbers[tested.y], images.classes, str(test), None, (), *rest_of(tested))
    return replace(images, source=str(folder), test=held.take(np.flatnonzero(kept)))


def rest_of(pictures: Pictures) -> tuple[tuple[float, float], Array, Array]:
    """The range of the pixels, the files, and how they were stretched."""
    return (0.0, 255.0), pictures.files, pictures.stretched


def of_classes(folder: Path, pictures: Pictures, names: Sequence[str], skipped: tuple[str, ...]) -> Images:
    """The pictures of the classes that have any."""
    counts = np.bincount(pictures.y, minlength=len(names))
    kept = np.flatnonzero(counts)
    classes = tuple(names[number] for number in kept.tolist())
    if len(classes) < 2:
        raise DataError(f"{folder} has images of one class only, {classes[0]!r}: there is nothing to tell apart")
    y = np.searchsorted(kept, pictures.y)
    return Images(pictures.x, y, classes, str(folder), None, skipped, *rest_of(pictures))


def parts_in(folder: Path, survey: Survey) -> tuple[str, str] | None:
    """The folders for training and for testing, if it is divided so: train and test, or train and val."""
    found = {name.lower(): name for name in folders_in(folder)}
    held = [found[name] for name in (TEST, *VALIDATION) if name in found]
    if TRAIN not in found or not held:
        return None
    if len(held) > 1:
        survey.notes.append(f"{folder / held[1]} isn't used: scores are those of {folder / held[0]}")
    if others := [name for key, name in found.items() if key not in (TRAIN, TEST, *VALIDATION)]:
        survey.notes.append(
            f"{listed([folder / name for name in others], SHOWN)}: not used, beside {found[TRAIN]} and {held[0]}"
        )
    return found[TRAIN], held[0]


def class_folders(folder: Path, survey: Survey, least: int = 2) -> list[str]:
    """The names of the classes: the folders in it that aren't hidden."""
    names = folders_in(folder)
    loose = [file for file in files_in(folder) if is_picture(file)]
    if len(names) >= least:
        if loose:
            survey.notes.append(f"pictures beside the class folders aren't used: {listed(loose, SHOWN)}")
        deep = [folder / name / inner for name in names for inner in folders_in(folder / name)]
        if deep:
            survey.notes.append(f"pictures in folders of a class folder count as that class: {listed(deep, SHOWN)}")
        return names
    needed = f"{folder} needs a folder of images for each of at least two classes"
    if not names:
        found = f"it has {len(loose):,} pictures without one" if loose else "it has none"
        raise DataError(f"{needed}, {found}")
    inner = folders_in(folder / names[0])
    hint = f": did you mean {folder / names[0]}, which has {', '.join(inner[:SHOWN])}?" if len(inner) > 1 else ""
    raise DataError(f"{needed}, it has only one, {names[0]!r}{hint}")


def read_classes(
    folder: Path, classes: Sequence[str], reading: Reading, survey: Survey, alone: bool = False, held: bool = False
) -> Pictures | None:
    """The pictures of each class, None without any.

    `alone`: they are all there are, to learn from and to judge by. `held`: to judge by, where a class may have none.
    """
    files = [(number, f) for number, name in enumerate(classes) for f in pictures_in(folder / name)]
    found = read_pictures([f for _, f in files], reading, survey)
    read = found[0]
    counts = np.bincount([number for number, f in files if f in read], minlength=len(classes))
    for number in () if held else np.flatnonzero(counts == 0).tolist():
        there = any(n == number for n, _ in files)
        path = folder / classes[number]
        survey.bad[path] = f"{path} is a class folder without images{' that can be read' if there else ''}"
    if alone and (single := [folder / classes[number] for number in np.flatnonzero(counts == 1).tolist()]):
        survey.notes.append(
            f"class folders with a single picture, learned from and not judged by: {listed(single, SHOWN)}"
        )
    if found[1] is None:
        return None
    y = np.array([number for number, f in files if f in read], int)
    paths = np.empty(len(y), object)
    paths[:] = list(read)
    return Pictures(found[1], y, paths, np.array(list(read.values())))


def read_pictures(files: Sequence[Path], reading: Reading, survey: Survey) -> tuple[dict[Path, float], Array | None]:
    """The pictures that can be read, with how much wider each was made, and their pixels, (rows, height, width,
    channels); the survey gets what is wrong with the others.

    Where some are grey and others coloured, and nothing else is asked for, all are taken in colour.
    """
    read: dict[Path, float] = {}
    x: Array | None = None
    grey = 0
    for file in files:
        try:
            picture, stretched = read_picture(file, reading)
        except NotFoundError:
            raise
        except DataError as error:
            survey.bad[file] = str(error)
            continue
        survey.shapes.setdefault(picture.shape[:2], []).append(file)
        if x is None:
            x = room(files, picture)
        elif picture.shape[:2] != x.shape[1:3]:
            continue
        elif picture.shape[2] > x.shape[3]:
            coloured = room(files, picture)
            coloured[: len(read)] = x[: len(read)]
            x = coloured
        x[len(read)] = picture
        read[file] = stretched
        grey += picture.shape[2] == 1
    if x is not None and 0 < grey < len(read):
        some = f"grey and coloured pictures ({grey:,} of {len(read):,} are grey)"
        survey.notes.append(f"{some}: all are taken in colour; --channels 1 makes all grey")
    return read, None if x is None else x[: len(read)]


def room(files: Sequence[Path], picture: Array) -> Array:
    """An array for all files; raises if they need more memory than is allowed."""
    limit, needed = allowed(*files), len(files) * picture.nbytes
    if needed > limit:
        what = f"{len(files):,} pictures of {spell(picture.shape)} bytes"
        raise too_large(what, limit, needed, "give a smaller --size, or, ")
    return np.empty((len(files), *picture.shape), np.uint8)


def folders_in(folder: Path) -> list[str]:
    """The folders in it, by name, except hidden ones and those of programs, such as __MACOSX and __pycache__."""
    return sorted(f.name for f in folder.iterdir() if f.is_dir() and not hidden(f.name, folder=True))


def files_in(folder: Path) -> list[Path]:
    """The files right in it, by name, except hidden ones and those that programs leave, such as Thumbs.db."""
    return sorted(f for f in folder.iterdir() if f.is_file() and not hidden(f.name))


def pictures_in(folder: Path) -> Iterator[Path]:
    """Every file below the folder that isn't hidden, nor in a hidden folder, in the order of their names."""
    if not folder.is_dir():
        return
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        *folders, name = file.relative_to(folder).parts
        if not hidden(name) and not any(hidden(inner, folder=True) for inner in folders):
            yield file


def hidden(name: str, folder: bool = False) -> bool:
    """Whether a file or folder is hidden, or left by a program: .DS_Store, Thumbs.db, __MACOSX/, @eaDir/."""
    if folder:
        return name.startswith((".", "__")) or name in FOLDERS_OF_PROGRAMS
    return name.startswith(".") or name.lower() in LEFT_BY_PROGRAMS


def is_picture(file: Path) -> bool:
    """Whether the name ends as a picture's."""
    return (guess_type(file.name)[0] or "").startswith("image/")
