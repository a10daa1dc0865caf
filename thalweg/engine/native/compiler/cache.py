"""The folder in which compiled code is kept. Its name is a hash of compiler and processor, a file's of its sources.

Files in it are executed. So a folder, and a file in it, is used only if nobody but this user and root can have written
it; and a file begins with a hash of its code and of the kernel and the folder that it was made for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from thalweg.engine.native.compiler.fingerprint import environment, fingerprint
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.support.extras import can_compile
from thalweg.support.once import once
from thalweg.support.terminal import interactive, redrawn

KEEP_SECONDS = 30 * 24 * 3600  # code unused for this long is removed
USED_SECONDS = 24 * 3600  # how often the use of a file is recorded
UNFINISHED_SECONDS = 3600  # files begun this long ago and never finished are removed
SUFFIX, UNFINISHED = ".compiled", ".new"
PROBE = 1 << 16  # bytes for which a folder has to have room
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_warned = False


class Places(NamedTuple):
    """Where compiled code is looked for, where it is kept, and why earlier candidates were refused."""

    read: tuple[Path, ...]
    write: Path | None
    refused: tuple[str, ...]


def candidates() -> Iterator[Path]:
    """Where compiled code may be kept, best first: THALWEG_CACHE_DIR, the user's cache, the temporary folder."""
    if told := os.environ.get("THALWEG_CACHE_DIR"):
        yield Path(told)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the specification says to ignore any other
        yield Path(base) / "thalweg"
    else:
        with suppress(RuntimeError):  # there may be no home
            yield Path.home() / ".cache" / "thalweg"
    with suppress(OSError):  # nor a temporary folder
        yield Path(tempfile.gettempdir()) / f"thalweg-{os.geteuid() if hasattr(os, 'geteuid') else 'user'}"


@once
def places() -> Places:
    """The folders for this environment, up to the first that is writable, which is created if necessary; none where
    nothing can be compiled."""
    if not can_compile():
        return Places((), None, ())
    name, read, refused = environment(), [], []
    for parent in candidates():
        path = parent / name
        try:
            for folder in (parent, path):
                make(folder)
                check(folder)
            read.append(path)
            with tempfile.TemporaryFile(dir=path, buffering=0) as file:
                file.write(bytes(PROBE))
        except OSError as error:
            refused.append(f"{parent} ({error.strerror or error})")
            continue
        with suppress(OSError):
            os.utime(path)
        return Places(tuple(read), path, tuple(refused))
    return Places(tuple(read), None, tuple(refused))


def make(folder: Path) -> None:
    """Creates a folder and its parents for this user alone, whatever the umask."""
    if not folder.is_absolute():
        raise OSError("not an absolute path")
    if os.path.isdir(folder):
        return
    make(folder.parent)
    found = folder.parent.stat()
    if not (trusted(found) or found.st_mode & stat.S_ISVTX):
        raise OSError(f"{folder.parent} is somebody else's")  # as with sudo, which may keep another user's HOME
    with suppress(FileExistsError):  # another process made it, or it isn't a folder, which `check` will detect
        folder.mkdir(mode=0o700)


def check(folder: Path) -> None:
    """Raises an OSError that says why files in the folder must not be executed."""
    found = folder.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError("not a folder")
    if not (trusted(found) and trusted(folder.lstat())):  # anybody could have put a link there, too
        raise OSError("it is somebody else's")
    if others_write(found):
        raise OSError("others can write to it: chmod go-w")


def trusted(found: os.stat_result) -> bool:
    """Whether a file belongs to this user or root."""
    return not hasattr(os, "geteuid") or found.st_uid in (0, os.geteuid())


def others_write(found: os.stat_result) -> bool:
    """Whether a file can be written by others; Windows has no such modes."""
    return hasattr(os, "geteuid") and bool(found.st_mode & OTHERS_WRITE)


@once
def remove_old(path: Path) -> None:
    """Once in a process that compiles, removes unfinished files and code that hasn't been used for long, including
    other versions' folders."""
    for mark in path.parent.glob("[0-9a-f]" * 16 + f"/*{SUFFIX}"):
        with suppress(OSError):  # another process may be removing it too
            if time.time() - mark.parent.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(mark.parent, ignore_errors=True)
    for suffix, seconds in ((UNFINISHED, UNFINISHED_SECONDS), (SUFFIX, KEEP_SECONDS)):
        for file in path.glob(f"*{suffix}"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > seconds:
                    file.unlink()


def file_name(kernel: Kernel) -> str:
    member = f".{kernel.member}" if kernel.member else ""
    return f"{kernel.module}.{kernel.name}{member}.{fingerprint(kernel)}{SUFFIX}"


def digest(folder: Path, kernel: Kernel, code: bytes) -> bytes:
    """A hash of the code, of its file's name and of the folder: no file can take another's place."""
    return hashlib.sha256("\0".join((folder.name, file_name(kernel), str(kernel.method), "")).encode() + code).digest()


def kept(kernel: Kernel) -> bytes | None:
    """The code that `keep` wrote to disk; None if there is none, or if it was changed since."""
    for folder in places().read:
        try:
            with open(folder / file_name(kernel), "rb") as file:
                found, content = os.fstat(file.fileno()), file.read()
        except OSError:
            continue
        if not trusted(found) or others_write(found):
            continue
        if content[:32] == digest(folder, kernel, content[32:]):
            if time.time() - found.st_mtime > USED_SECONDS:
                with suppress(OSError):  # it may be another user's folder, which is only read
                    os.utime(folder / file_name(kernel))
            return content[32:]
    return None


def keep(kernel: Kernel, code: bytes) -> None:
    """Writes the code to disk, after its hash; atomically, so that nobody reads half a file. Warns if it can't."""
    folder = places().write
    if folder is None:
        return
    remove_old(folder)
    new = folder / f"{os.urandom(8).hex()}{UNFINISHED}"
    try:
        with open(new, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(digest(folder, kernel, code) + code)
        new.replace(folder / file_name(kernel))
    except BaseException as error:
        with suppress(OSError):
            new.unlink()
        if not isinstance(error, OSError):
            raise
        warn(
            f"compiled kernels can't be kept in {folder.parent} ({error.strerror or error}), so the next process "
            "compiles them again; make room there, or set THALWEG_CACHE_DIR to a folder with room"
        )


@once
def announce() -> None:
    """Says once, when something has to be compiled, why the program seems to do nothing, unless a terminal shows a line
    that is redrawn; warns which folders were refused and why."""
    if not (redrawn() and interactive(sys.stderr)):
        with suppress(OSError, ValueError):  # nobody reads it any more
            text = "compiling kernels that this network is the first here to need; that takes some seconds …"
            print(f"thalweg: {text}", file=sys.stderr, flush=True)
    _, folder, refused = places()
    if folder is None:
        warn(
            f"compiled kernels can't be kept, so every process compiles them anew: not in {', '.join(refused)}; "
            "set THALWEG_CACHE_DIR to a folder of yours with room"
        )
    elif refused:
        warn(f"compiled kernels are kept in {folder.parent}, not in {', '.join(refused)}")


def warn(text: str) -> None:
    """Prints the first warning, and only that, on standard error."""
    global _warned
    if not _warned:
        _warned = True
        print(f"thalweg: {text}", file=sys.stderr, flush=True)
