"""The library of ready kernels, made by `make wheels`: found, checked, and loaded by the operating system.

A library's contents lie beside it as JSON: thalweg's version, the library's name, size and checksum, and for each
kernel the hash of the sources that it was made from. A kernel whose sources were edited since is not ready.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.engine.native.compiler.fingerprint import fingerprint
from thalweg.engine.native.compiler.kernel import Kernel, family_of, symbol_of
from thalweg.engine.native.compiler.levels import USABLE, Level
from thalweg.engine.native.compiler.system import NAMES, address, addresses
from thalweg.support.extras import can_compile
from thalweg.support.once import once
from thalweg.version import __version__

FOLDER = Path(__file__).parents[1] / "ready"
LOOP = "thalweg.runtime.machine.machine"  # the kernel that calls all others
HOOKS = "thalweg_hooks"  # the library's table of what its kernels call; see `system.py`


class Library(NamedTuple):
    """A loaded library, the hash of the sources of each of its kernels, by symbol, and the LLVM that made them."""

    level: Level
    code: Any
    kernels: Mapping[str, str]
    llvm: Sequence[int]


def folder_of() -> Path:
    return Path(os.environ.get("THALWEG_READY") or FOLDER)


@once
def library() -> Library | None:
    """The best library that this machine can use.

    Where kernels can be compiled, only that of the best level: the others would be slower than what is compiled.
    THALWEG_READY is another folder of libraries, or 0: then there is none, and everything is compiled here.
    """
    if os.environ.get("THALWEG_READY") == "0":
        return None
    problems = []
    for level in USABLE[: 1 if can_compile() else None]:
        try:
            if (found := loaded(folder_of(), level)) is not None:
                break
        except (OSError, ValueError) as error:
            problems.append(str(error))
    else:
        found = None
    if problems:
        instead = "kernels are compiled" if can_compile() else "there are no kernels"
        if found is not None:
            instead = f"those for {found.level.name} are used"
        print(f"thalweg: reinstall thalweg: {'; '.join(problems)}; until then {instead}", file=sys.stderr, flush=True)
    return found


def loaded(folder: Path, level: Level) -> Library | None:
    """The library of a level; None if there is none, an error that says why if it can't be used."""
    listed = folder / f"{level.name}.json"
    if not listed.exists():
        return None
    try:
        contents = json.loads(listed.read_text(encoding="utf-8"))
        version, path = contents["version"], folder / contents["file"]
        sizes, kernels, llvm = (contents["bytes"], contents["crc32"]), dict(contents["kernels"]), contents["llvm"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{listed} is damaged") from None
    if version != __version__ and kernels.get(LOOP) != fingerprint(family_of(LOOP)):  # a checkout's may be the same
        raise ValueError(f"{path} is of thalweg {version}, not {__version__}")
    code = path.read_bytes()
    if (len(code), zlib.crc32(code)) != sizes:
        raise ValueError(f"{path} is damaged")
    found = Library(level, ctypes.CDLL(str(path)), kernels, llvm)
    hooks = (ctypes.c_void_p * len(NAMES)).in_dll(found.code, HOOKS)
    hooks[:] = list(addresses().values())
    return found


def is_current(folder: Path, wanted: Iterable[Kernel], level: Level) -> bool:
    """Whether the library of a level in a folder has all of these kernels, made from these very sources."""
    try:
        known = json.loads((folder / f"{level.name}.json").read_text(encoding="utf-8"))["kernels"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all(known.get(symbol_of(kernel)) == fingerprint(kernel) for kernel in wanted)


def is_ready(kernel: Kernel) -> bool:
    """Whether the library has this kernel, made from these very sources."""
    found = library()
    return found is not None and found.kernels.get(symbol_of(kernel)) == fingerprint(kernel)


def ready_address(kernel: Kernel) -> int | None:
    """The address of a ready kernel; None if it isn't ready."""
    found = library()
    return address(getattr(found.code, symbol_of(kernel))) if found is not None and is_ready(kernel) else None
