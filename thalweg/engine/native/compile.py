"""Kernels are compiled when first used and kept on disk, in a folder named by a hash of all kernel sources.

numba's own cache looks at the time stamp of one file only: it would miss an edit in a helper. Here an edit in any file
of this folder, another version of numba, or another processor gives another folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

import llvmlite
import numba
from numba import types
from numba.core import config

from thalweg.engine.native.llvm import FEATURES, FLAGS, VW

Function = Callable[..., Any]

SIGNATURE = types.void(*(types.CPointer(t) for t in (types.int64, types.float64, types.int64, types.float64)))
OPTIONS = {"fastmath": FLAGS["fastmath"], "error_model": FLAGS["error_model"], "nopython": True}
KEEP_SECONDS = 30 * 24 * 3600  # folders of older sources that nobody has used for so long are removed

_lock = RLock()  # two threads may ask for the same kernel
_announced = False


def fingerprint() -> str:
    """A hash of everything that the compiled code depends on."""
    parts = [numba.__version__, llvmlite.__version__, FEATURES, str(config.CPU_NAME), str(VW), sys.version]
    for path in sorted(Path(__file__).parent.glob("*.py")):
        parts += [path.name, path.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def candidates() -> Iterator[Path]:
    """Where compiled code may be kept, best first: as told, in the user's cache, in the temporary folder."""
    if told := os.environ.get("THALWEG_CACHE_DIR"):
        yield Path(told)
    with suppress(RuntimeError):  # there may be no home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thalweg"
    yield Path(tempfile.gettempdir()) / f"thalweg-{getattr(os, 'getuid', lambda: 'user')()}"


@cache
def folder() -> Path:
    """The folder for this fingerprint, made if need be; old ones beside it are removed."""
    name = fingerprint()
    for parent in candidates():
        path = parent / name
        try:
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except OSError:
            continue
        os.utime(path)
        remove_old(parent)
        return path
    raise OSError("no folder to keep compiled kernels in: set THALWEG_CACHE_DIR to one that can be written")


def remove_old(parent: Path) -> None:
    """Removes folders that an older version made and nobody has used for long; nothing else that lies there."""
    for mark in parent.glob("[0-9a-f]" * 16 + "/*.compiled"):
        with suppress(OSError):  # another process may be removing it too
            if time.time() - mark.parent.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(mark.parent, ignore_errors=True)


@contextmanager
def kept_in(path: Path) -> Iterator[None]:
    """numba's cache folder is a global setting; it is ours only while we compile."""
    before = config.CACHE_DIR
    config.CACHE_DIR = str(path)
    try:
        yield
    finally:
        config.CACHE_DIR = before


@cache
def _compiled(function: Function, signatures: Any) -> Any:
    """A C function for one signature; for several, a function that Python calls with arrays."""
    global _announced
    path = folder()
    mark = path / f"{function.__module__.rpartition('.')[2]}.{function.__name__}.compiled"
    if not mark.exists() and not _announced:
        _announced = True
        print(
            "thalweg: compiling kernels for this processor; this happens once and takes some seconds …",
            file=sys.stderr,
            flush=True,
        )
    with kept_in(path):
        if isinstance(signatures, tuple):
            kernel = numba.njit(list(signatures), cache=True, **FLAGS)(function)
        else:
            kernel = numba.cfunc(signatures, cache=True, **OPTIONS)(function)
    mark.touch()
    return kernel


def compiled(function: Function, signatures: tuple[Any, ...]) -> Function:
    """A compiled function that Python calls with arrays, for exactly these signatures."""
    with _lock:
        result: Function = _compiled(function, signatures)
        return result


@cache
def address_of(function: Function) -> int:
    """The address of the compiled kernel, compiled or loaded now if it wasn't before."""
    with _lock:
        return int(_compiled(function, SIGNATURE).address)


def callable_of(function: Function) -> Function:
    """The compiled kernel to be called from Python with four addresses, the global interpreter lock released."""
    import ctypes

    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
    return kind(address_of(function))
