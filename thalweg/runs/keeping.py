"""Saves the result of a long training somewhere else if its folder can't be written."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from thalweg.errors import ModelFileError, ThalwegError

Save = Callable[[Path], object]  # writes a folder that doesn't exist yet


def keep(save: Save, folder: Path) -> tuple[Path, str]:
    """Saves to the folder, otherwise to a temporary one, otherwise to one that the user names.

    Returns:
        the folder it was saved to, and a sentence on what went wrong; "" if it is the given folder.

    Raises:
        ModelFileError: no folder could be written, and nobody at a terminal could name one.
    """
    why = failure(save, folder)
    if not why:
        return folder, ""
    for place in other_places():
        with suppress(OSError):
            parent = Path(tempfile.mkdtemp(dir=place, prefix="thalweg-"))
            if not failure(save, parent / folder.name):
                return parent / folder.name, f"{why}; it is kept in {parent / folder.name}: move it from there"
            shutil.rmtree(parent, ignore_errors=True)
    print(f"thalweg: {why}", file=sys.stderr)
    for place in asked(folder):
        again = failure(save, place)
        if not again:
            return place, "" if place == folder else f"{why}; it is kept in {place}"
        print(f"thalweg: {again}", file=sys.stderr)
    raise ModelFileError(f"{why}; there was no other place for it either, so it is lost")


def failure(save: Save, folder: Path) -> str:
    """Saves; returns the reason if it can't, otherwise nothing."""
    try:
        save(folder)
    except (ThalwegError, OSError) as error:
        return str(error)
    return ""


def other_places() -> Iterator[Path]:
    """Folders for temporary files, best first; the second is in memory, on systems that have it."""
    with suppress(OSError):  # there may be none
        yield Path(tempfile.gettempdir())
    yield Path("/dev/shm")
    with suppress(RuntimeError):  # nor a home
        yield Path.home()


def asked(folder: Path) -> Iterator[Path]:
    """Folders that the user names, if there is a terminal to ask at."""
    while sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        question = f"Make room and press Enter to try {folder} again, or type another folder: "
        print(question, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield Path(line.strip()).expanduser() if line.strip() else folder
