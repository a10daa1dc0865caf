"""Run folders: written as a whole or not at all; read back, every value that is used later is checked.

A run folder holds model.safetensors (weights and their description), a description of the data (columns.json or
images.json), history.jsonl (a line for each epoch), run.json (the exact command, options, versions, scores), and for
the report recording.npz (what was measured while it trained), evidence.npz and evidence.json (held-out rows and some of
their inputs); older runs lack these.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import words
from thalweg.errors import ArgumentError, ModelFileError, NotFoundError
from thalweg.models.model import Model
from thalweg.recordings import Recording
from thalweg.runs.facts import holds, is_number, is_whole, problem_in
from thalweg.support.files import explained, own_folder, to_json
from thalweg.support.untrusted import read_json, readable
from thalweg.version import __version__

MODEL, COLUMNS, IMAGES, SERIES = "model.safetensors", "columns.json", "images.json", "series.json"
HISTORY, RUN = "history.jsonl", "run.json"
RECORDING = "recording.npz"
PACKAGES = ("numpy", "llvmlite", "duckdb", "safetensors", "scikit-learn")
"""Whose versions run.json names, where they are installed: llvmlite is in an extra."""
Facts = dict[str, Any]
Records = list[dict[str, Any]]


# --- writing ---------------------------------------------------------------------------------------------------------


def free_folder(stem: str, parent: str = "runs") -> Path:
    """The first of runs/penguins, runs/penguins-2, … that doesn't exist."""
    return free_path(Path(parent) / stem)


def free_path(path: Path) -> Path:
    """The path, or the first of filters-2.png, filters-3.png, … that doesn't exist."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def refuse_existing(path: Path) -> None:
    """Raises if the path exists: nothing is overwritten."""
    if path.exists():
        raise ArgumentError(f"{path} exists already and is not overwritten: give another --out")


def refuse_unwritable(folder: Path) -> None:
    """Raises before training if the folder couldn't be written afterwards; leaves nothing behind."""
    try:
        refuse_existing(folder)
        with own_folder(f".{folder.name}.", next(p for p in folder.absolute().parents if p.exists())):
            pass
    except OSError as error:
        raise ArgumentError(f"{folder} can't be made: {error.strerror}; give another --out") from None


def write_folder(
    folder: Path, command: Sequence[str], model: Model, descriptions: dict[str, Any], history: Records, facts: Facts
) -> None:
    """Writes a run folder under another name first, then renames it: it is either whole or not there.

    `descriptions` are further files, by name: JSON, arrays by name for one that ends in .npz, or a function that writes
    the file.
    """
    refuse_existing(folder)
    from importlib.metadata import distributions

    versions = {"thalweg": __version__, "python": platform.python_version()}
    versions |= {name: found.version for name in PACKAGES for found in [*distributions(name=name)][:1]}
    facts = {"command": list(command), **facts, "versions": versions}
    with explained(folder, ModelFileError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with own_folder(f".{folder.name}.", folder.parent) as temporary:
            model.save(temporary / MODEL)
            for name, content in descriptions.items():
                if callable(content):
                    content(temporary / name)
                elif name.endswith(".npz"):
                    np.savez(temporary / name, **content)
                else:
                    (temporary / name).write_text(to_json(words.kept(content), indent=2), encoding="utf-8")
            (temporary / HISTORY).write_text("".join(map(to_json, history)), encoding="utf-8")
            (temporary / RUN).write_text(to_json(words.kept(facts), indent=2), encoding="utf-8")
            temporary.chmod(0o755)
            refuse_existing(folder)
            temporary.rename(folder)


# --- reading ---------------------------------------------------------------------------------------------------------


def is_image_run(folder: Path) -> bool:
    """Whether the folder holds a run on images."""
    return (folder / IMAGES).is_file()


def is_series_run(folder: Path) -> bool:
    """Whether the folder holds a run on series."""
    return (folder / SERIES).is_file()


def read_folder(folder: Path, description: str) -> tuple[Any, Records, Facts]:
    """The description of the data (the file of that name), the history, and the facts of a run folder."""
    if not folder.exists():
        raise NotFoundError(f"there is no run folder {folder}")
    if not folder.is_dir():
        raise NotFoundError(f"{folder} is a file, not a run folder")
    if description != SERIES and is_series_run(folder):
        raise ArgumentError(f"{folder} was trained on series: thalweg predict, evaluate and report take such a run")
    missing = [name for name in (MODEL, description, HISTORY, RUN) if not (folder / name).is_file()]
    if missing:
        raise NotFoundError(f"{folder} is not a run folder: it has no {missing[0]}")
    records, facts = read_history(folder / HISTORY), words.restored(read_json(folder / RUN, ModelFileError))
    if problem := problem_in(facts):
        raise ModelFileError(f"{folder / RUN} is damaged: {problem}")
    return words.restored(read_json(folder / description, ModelFileError)), records, facts


def read_recording(folder: Path) -> Recording | None:
    """What was recorded while the run's network, or its first one, trained; None in a run without that."""
    path = folder / RECORDING
    return Recording.load(path) if path.is_file() else None


def read_history(path: Path) -> Records:
    """The records of the epochs, one per line: numbers, by the same names in each."""
    with readable(ModelFileError, f"{path} is damaged"):
        lines = path.read_text("utf-8").splitlines()
    records = [read_json(path, ModelFileError, line) for line in lines]
    for number, record in enumerate(records, start=1):
        if not holds(record, is_number, "epoch") or not is_whole(record["epoch"]):
            raise ModelFileError(f"{path} is damaged: line {number} is no record of an epoch")
        if record.keys() != records[0].keys():
            raise ModelFileError(f"{path} is damaged: line {number} names other values than line 1")
    return records
