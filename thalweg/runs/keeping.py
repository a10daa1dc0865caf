"""What took long is not lost because its folder can't be written: another place is looked for, or asked for."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from thalweg.errors import ModelFileError, ThalwegError

Save = Callable[[Path], object]  # writes a folder that isn't there


def keep(save: Save, folder: Path) -> tuple[Path, str]:
    """Saves. Returns the folder where it is, and a sentence on what went wrong, empty if it is the one given.

    Raises:
        ModelFileError: there was no place, and nobody at a terminal who could name one.
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
    """Saves; returns why it can't, or nothing."""
    try:
        save(folder)
    except (ThalwegError, OSError) as error:
        return str(error)
    return ""


def other_places() -> Iterator[Path]:
    """Where something can be kept for a while, best first; the second is in memory, where there is such a folder."""
    with suppress(OSError):  # there may be none
        yield Path(tempfile.gettempdir())
    yield Path("/dev/shm")
    with suppress(RuntimeError):  # nor a home
        yield Path.home()


def asked(folder: Path) -> Iterator[Path]:
    """Folders that the user names, as long as there is a user."""
    while sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        question = f"Make room and press Enter to try {folder} again, or type another folder: "
        print(question, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield Path(line.strip()).expanduser() if line.strip() else folder
