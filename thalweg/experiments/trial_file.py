"""The file of a journal of trials: a line for each thing that Optuna notes. A line cut short is dropped."""

from __future__ import annotations

import json
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from thalweg.errors import ModelFileError, ThalwegWarning
from thalweg.support.files import explained

BEGIN = b'{"op_code":'
"""How Optuna's lines begin."""
LOCKED = 10  # seconds after which the lock of a killed process is broken


def open_file(path: Path) -> Any:
    """Optuna's storage in this file, which is made if it isn't there, and mended if its end is damaged.

    Raises:
        ModelFileError: it is no journal of Optuna's, or is damaged before its end: nothing is changed.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    class Lock(JournalFileSymlinkLock):
        """Whoever has it may append, and finds the end of a line: a process that died may have left half of one."""

        def acquire(self) -> bool:
            got = super().acquire()
            try:
                drop_half_line(path)
            except BaseException:
                self.release()
                raise
            return got

        def release(self) -> None:
            """Whoever was silent for so long that another broke its lock has written nevertheless."""
            with suppress(RuntimeError):
                super().release()

    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            refuse_other_files(path)
        lock = Lock(str(path), grace_period=LOCKED)
        backend = JournalFileBackend(str(path), lock)
        lock.acquire()
        try:
            mend(path)
        finally:
            lock.release()
        return JournalStorage(backend)


def refuse_other_files(path: Path) -> None:
    """Raises if the file is no journal of Optuna's: nothing may be changed in it."""
    with path.open("rb") as file:
        begin = file.readline()
    if not (begin.startswith(BEGIN) or BEGIN.startswith(begin)):
        raise ModelFileError(f"{path} doesn't hold the trials of a search: its first line is none of Optuna's")


def drop_half_line(path: Path) -> None:
    """Mends the file if it doesn't end in a line break."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read() != b"\n":
            mend(path)


def mend(path: Path) -> None:
    """Removes damaged lines at the end; a whole one that lacks its line break gets it.

    Raises:
        ModelFileError: whole lines follow a damaged one.
    """
    with path.open("rb+") as file:
        lines = file.readlines()
        good = [is_whole(line) for line in lines]
        first = len(good) if all(good) else good.index(False)
        if any(good[first:]):
            raise ModelFileError(
                f"{path} is damaged: line {first + 1:,} of {len(lines):,} is none of Optuna's; give another storage"
            )
        dropped = sum(map(len, lines[first:]))
        if dropped:
            file.truncate(sum(map(len, lines[:first])))
        elif lines and not lines[-1].endswith(b"\n"):
            file.write(b"\n")
    if dropped:
        say_dropped(path, dropped)


def is_whole(line: bytes) -> bool:
    """Whether it is one of Optuna's lines, from its beginning to its end."""
    try:
        found = json.loads(line)
    except ValueError:  # JSONDecodeError, or UnicodeDecodeError
        return False
    return isinstance(found, dict) and isinstance(found.get("op_code"), int) and "worker_id" in found


def say_dropped(path: Path, size: int) -> None:
    """Warns that trials may be lost."""
    warnings.warn(
        f"the end of {path}, {size:,} bytes, was damaged or cut short, and is dropped; its trial is trained again",
        ThalwegWarning,
        stacklevel=2,
    )
