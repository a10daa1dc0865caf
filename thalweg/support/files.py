"""Files are written under another name and then moved: a file is either complete or as it was before.

Folders that are there while something is written are removed by the next process if theirs is killed: it holds a lock
on them, which the system takes back. Where there are no such locks, as on Windows, nothing is removed.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from thalweg.errors import ThalwegError

ENDING = ".thalweg"
"""How the names of folders that are there for a while end."""

UNFINISHED = ".thalweg-"
"""How the names of files that are being written begin."""


@contextmanager
def explained(path: Path, error: type[ThalwegError] = ThalwegError) -> Iterator[None]:
    """Turns the system's error while writing into one of ours."""
    try:
        yield
    except OSError as caught:
        why = caught.strerror or str(caught)
        raise error(f"{path} can't be written: {why}; make room there, or give another path") from None


@contextmanager
def writing(path: Path, error: type[ThalwegError] = ThalwegError) -> Iterator[Path]:
    """A temporary path to write to; the finished file is moved to `path`, after an error it is deleted.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder) / "a.txt") as new:
    ...         _ = new.write_text("whole")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'whole')]
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise error(f"{path} is a folder or a device: give the path of a file")
    new = path.with_name(f"{UNFINISHED}{os.urandom(8).hex()}{path.suffix}")
    with explained(path, error):
        try:
            new.open("xb").close()
            yield new
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise


def append(path: Path, text: str) -> None:
    """Appends text to a file, all of it or nothing."""
    rest = text.encode()
    with explained(path), path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with suppress(OSError):
                file.truncate(before)
            raise


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON with a line break at its end. NaN and infinity, which JSON lacks, become null.

    >>> to_json({"loss": float("nan"), "scores": (0.5, 1.0)})
    '{"loss": null, "scores": [0.5, 1.0]}\\n'
    """
    return json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Plain values with None in place of NaN and infinity."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- folders for a while -----------------------------------------------------------------------------------------


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
