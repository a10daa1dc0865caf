"""The library of ready kernels, made by `make wheels`: found, checked, and loaded by the operating system.

Beside a library lies its contents as JSON: thalweg's version, the size and checksum of the library, and for each kernel
the hash of the sources that it was made from. A kernel whose sources were edited since is not ready.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import zlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.engine.native.compiler.fingerprint import fingerprint
from thalweg.engine.native.compiler.kernel import Kernel, symbol_of
from thalweg.engine.native.compiler.system import NAMES, addresses
from thalweg.engine.native.compiler.target import USABLE, Level
from thalweg.support.once import once
from thalweg.version import __version__

FOLDER = Path(__file__).parents[1] / "ready"
HOOKS = "thalweg_hooks"  # the library's table of what its kernels call; see `system.py`
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}


class Library(NamedTuple):
    """A loaded library, and the hash of the sources of each of its kernels, by symbol."""

    level: Level
    code: Any
    kernels: Mapping[str, str]


@once
def can_compile() -> bool:
    """Whether kernels that aren't ready can be compiled: the extra `jit` is installed."""
    return find_spec("numba") is not None


@once
def library() -> Library | None:
    """The best library that this machine can use.

    Where kernels can be compiled, only that of the best level: the others would be slower than what is compiled.
    With THALWEG_READY=0 there is none, so that everything is compiled here.
    """
    if os.environ.get("THALWEG_READY") == "0":
        return None
    problems = []
    for level in USABLE[: 1 if can_compile() else None]:
        try:
            if (found := loaded(level)) is not None:
                break
        except (OSError, ValueError, KeyError) as error:
            problems.append(f"{level.name}: {error}")
    else:
        found = None
    if problems:
        instead = "compiling" if found is None else f"using those for {found.level.name}"
        print(
            f"thalweg: ready kernels can't be used ({'; '.join(problems)}), so {instead}; reinstall thalweg",
            file=sys.stderr,
            flush=True,
        )
    return found


def loaded(level: Level) -> Library | None:
    """The library of a level; None if there is none, an error that says why if it can't be used."""
    path = FOLDER / f"{level.name}{SUFFIX.get(sys.platform, '.so')}"
    if not path.exists():
        return None
    contents = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if contents["version"] != __version__:
        raise ValueError(f"{path} is of version {contents['version']}, not {__version__}")
    code = path.read_bytes()
    if (len(code), zlib.crc32(code)) != (contents["bytes"], contents["crc32"]):
        raise ValueError(f"{path} is damaged")
    found = Library(level, ctypes.CDLL(str(path)), contents["kernels"])
    hooks = (ctypes.c_void_p * len(NAMES)).in_dll(found.code, HOOKS)
    hooks[:] = list(addresses().values())
    return found


def is_ready(kernel: Kernel) -> bool:
    """Whether the library has this kernel, made from these very sources."""
    found = library()
    return found is not None and found.kernels.get(symbol_of(kernel)) == fingerprint(kernel)


def ready_address(kernel: Kernel) -> int | None:
    """The address of a ready kernel; None if it isn't ready."""
    if not is_ready(kernel):
        return None
    found = library()
    assert found is not None
    return ctypes.cast(getattr(found.code, symbol_of(kernel)), ctypes.c_void_p).value
