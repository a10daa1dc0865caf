"""Kernels are compiled when first used and kept on disk (cache.py).

An edit in any file of this folder, another version of numba, or another processor makes them be compiled again. What is
kept is object code. A process that finds all it needs loads it without numba, whose import takes longer than anything
else such a process does at its start, and more memory.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from thalweg.engine.native.compiler.cache import keep, kept, warn_of_refused
from thalweg.engine.native.compiler.kernel import Function, Kernel, family_of
from thalweg.engine.native.compiler.loader import load
from thalweg.support.once import once
from thalweg.support.stopwatch import compiling

_announced = False
_own: list[Any] = []  # numba's functions that couldn't be kept; numba unloads what nobody holds


def announce() -> None:
    global _announced
    if not _announced:
        _announced = True
        print(
            "thalweg: compiling kernels that this network is the first here to need; that takes some seconds …",
            file=sys.stderr,
            flush=True,
        )
        warn_of_refused()


def make(kernel: Kernel) -> bytes | None:
    """What is kept of a kernel or a family, compiled now; None where another process couldn't use it.

    A line with the names of the families that it calls, then object code.
    """
    from thalweg.engine.native.compiler import emit

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
        from thalweg.engine.native.compiler import emit

        _own.append(emit.by_numba(kernel.function(), kernel.method))
        return int(_own[-1].address)
    return place


@once
def address_of(kernel: Kernel) -> int:
    """The address of the compiled kernel, compiled or loaded now if it wasn't before."""
    return linked(kept(kernel)) or compiled(kernel)


def callable_of(kernel: Kernel) -> Function:
    """The compiled kernel to be called from Python with four addresses, the global interpreter lock released."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address_of(kernel))
