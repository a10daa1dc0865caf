"""Kernels are compiled when first used and kept on disk, in a folder named by a hash of all kernel sources.

An edit in any file of this folder, another version of numba, or another processor gives another folder. What is kept is
object code. A process that finds all it needs there loads it without numba, whose import takes longer than anything
else such a process does at its start, and more memory.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import llvmlite

from thalweg.engine.native.loader import load
from thalweg.engine.native.processor import FEATURES, NAME, VW
from thalweg.engine.stopwatch import compiling

Function = Callable[..., Any]

KEEP_SECONDS = 30 * 24 * 3600  # folders of older sources that nobody has used for so long are removed
SUFFIX = ".compiled"
FAMILY = "thalweg."  # begins the names of families of micro-kernels, which are files of their own

lock = RLock()  # two threads may ask for the same kernel
_announced = False
_own: list[Any] = []  # numba's functions that couldn't be kept; numba unloads what nobody holds


class CompilerError(Exception):
    """numba can't compile a function; the message is numba's."""


class Kernel(NamedTuple):
    """A native function by name. What defines it is imported only if it has to be compiled."""

    module: str  # of this folder
    name: str
    text: str = ""  # the module's, where it isn't a file
    method: bool = False  # called by Python as a method of an object; see `entrance.py`

    def function(self) -> Function:
        """What is compiled."""
        if self.text:
            names: dict[str, Any] = {"__name__": f"thalweg_{self.module}"}
            exec(compile(self.text, f"<{self.name}>", "exec"), names)
            made: Function = names[self.name]
            return made
        defined: Function = getattr(importlib.import_module(f"{__package__}.{self.module}"), self.name)
        return defined


def numba_version() -> str:
    """What tells one numba from another, read without importing it (importlib.metadata takes 20 ms)."""
    spec = find_spec("numba")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")


def fingerprint() -> str:
    """A hash of everything that the compiled code depends on."""
    parts = [numba_version(), llvmlite.__version__, FEATURES, NAME, str(VW), sys.version]
    for path in sorted(Path(__file__).parent.glob("*.py")):
        parts += [path.name, path.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def candidates() -> Iterator[Path]:
    """Where compiled code may be kept, best first: as told, in the user's cache, in the temporary folder."""
    if told := os.environ.get("THALWEG_CACHE_DIR"):
        yield Path(told)
    with suppress(RuntimeError):  # there may be no home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thalweg"
    with suppress(OSError):
        yield own_temporary_folder()


def own_temporary_folder() -> Path:
    """A folder that others can't write to. Everybody can make one of this name; what lies in it is executed."""
    user = os.getuid() if hasattr(os, "getuid") else None
    path = Path(tempfile.gettempdir()) / f"thalweg-{'user' if user is None else user}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if user is not None and (found.st_uid != user or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022):
        raise OSError(f"{path} is somebody else's, or others can write to it")
    return path


@cache
def folders() -> tuple[Path, ...]:
    """Where compiled code is looked for: the folders for this fingerprint, up to the first that can be written.

    That one comes last and is made if need be; old ones beside it are removed.
    """
    name, result = fingerprint(), []
    for parent in candidates():
        path = parent / name
        try:
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except OSError:
            if path.is_dir():
                result.append(path)
            continue
        os.utime(path)
        remove_old(parent)
        return (*result, path)
    raise OSError("no folder to keep compiled kernels in: set THALWEG_CACHE_DIR to one that can be written")


def remove_old(parent: Path) -> None:
    """Removes folders that an older version made and nobody has used for long; nothing else that lies there."""
    for mark in parent.glob("[0-9a-f]" * 16 + "/*.compiled"):
        with suppress(OSError):  # another process may be removing it too
            if time.time() - mark.parent.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(mark.parent, ignore_errors=True)


def file_name(kernel: Kernel) -> str:
    return f"{kernel.module}.{kernel.name}{SUFFIX}"


def kept(kernel: Kernel) -> bytes | None:
    """What `make` wrote to disk; None if there is nothing, or if it isn't what was written."""
    for path in folders():
        try:
            content = (path / file_name(kernel)).read_bytes()
        except OSError:
            continue
        digest, code = content[:32], content[32:]
        if digest == hashlib.sha256(code).digest():
            return code
    return None


def keep(kernel: Kernel, code: bytes) -> None:
    """Writes it, after its hash, to disk; at once, so that nobody reads half a file.

    What tempfile makes can be read by its owner alone; here it is as the umask says.
    """
    path = folders()[-1] / file_name(kernel)
    new = path.with_name(f"{os.urandom(8).hex()}.new")
    new.write_bytes(hashlib.sha256(code).digest() + code)
    new.replace(path)


def announce() -> None:
    global _announced
    if not _announced:
        _announced = True
        print(
            "thalweg: compiling kernels that this network is the first here to need; that takes some seconds …",
            file=sys.stderr,
            flush=True,
        )


def symbol_of(kernel: Kernel) -> str:
    """The name by which kernels call a family of micro-kernels."""
    return f"{FAMILY}{kernel.module}.{kernel.name}"


def family_of(symbol: str) -> Kernel:
    """The family with this name."""
    module, name = symbol.removeprefix(FAMILY).split(".")
    return Kernel(module, name)


def make(kernel: Kernel) -> bytes | None:
    """What is kept of a kernel or a family, compiled now; None where another process couldn't use it.

    A line with the names of the families that it calls, then object code.
    """
    from thalweg.engine.native import emit

    function = kernel.function()
    family = hasattr(function, "emit")
    made = (emit.family_code(function), []) if family else emit.object_code(function, kernel.method)
    if made is None:
        return None
    code, families = made
    content = " ".join(families).encode() + b"\n" + code
    keep(kernel, content)
    return content


def families_of(content: bytes) -> list[str]:
    """The names in the first line of what is kept."""
    return content.partition(b"\n")[0].decode().split()


def linked(content: bytes | None) -> int | None:
    """The address of what is kept, joined with the families that it calls; None where that can't be done here."""
    if content is None:
        return None
    code = content.partition(b"\n")[2]
    return load(code, {symbol: address_of(family_of(symbol)) for symbol in families_of(content)})


@compiling
def compiled(kernel: Kernel) -> int:
    """The address of the kernel, compiled now."""
    announce()
    place = linked(make(kernel))
    if place is None:  # it is compiled in every process, and loaded by numba
        from thalweg.engine.native import emit

        _own.append(emit.by_numba(kernel.function(), kernel.method))
        return int(_own[-1].address)
    return place


@cache
def address_of(kernel: Kernel) -> int:
    """The address of the compiled kernel, compiled or loaded now if it wasn't before."""
    with lock:
        return linked(kept(kernel)) or compiled(kernel)


def callable_of(kernel: Kernel) -> Function:
    """The compiled kernel to be called from Python with four addresses, the global interpreter lock released."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address_of(kernel))
