"""Folders that are there while something is written or read: if a process is killed, the next one removes them.

A process holds a lock on its folder, which the system takes back when the process is gone, however it ended. Where
there are no such locks, as on Windows, nothing is known to be left over, and nothing is removed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENDING = ".thalweg"
"""How the names of such folders end."""


@contextmanager
def own_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A new folder beside those of other processes, by default where temporary ones are; gone at the end, unless it
    has been renamed.

    >>> with own_folder("thalweg-example-") as folder:
    ...     folder.is_dir(), folder.name.startswith("thalweg-example-")
    (True, True)
    >>> folder.exists()
    False
    """
    sweep(parent)
    folder, held = locked_folder(prefix, parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def locked_folder(prefix: str, parent: Path | None) -> tuple[Path, int | None]:
    """A new folder, and the lock on it; another process may take it for left over before it has the lock."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix, suffix=ENDING))
        try:
            return folder, lock(folder)
        except (BlockingIOError, FileNotFoundError):
            continue


def lock(folder: Path) -> int | None:
    """A lock on a folder of this user's, to be closed; None if there are no locks on this system or disk.

    Raises:
        BlockingIOError: somebody has it. FileNotFoundError: there is no such folder.
    """
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def sweep(parent: Path | None = None) -> None:
    """Removes the folders in this one, by default in that for temporary ones, whose processes are gone."""
    with suppress(OSError):
        for folder in list(Path(parent or tempfile.gettempdir()).iterdir()):
            if folder.name.endswith(ENDING):
                remove_left_over(folder)


def remove_left_over(folder: Path) -> None:
    """Removes a folder if nobody has the lock on it."""
    with suppress(OSError):  # it is somebody else's, no folder, or gone
        held = lock(folder)
        if held is not None:
            try:
                if os.fstat(held).st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
