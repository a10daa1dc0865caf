"""Kernels are compiled when first used and kept on disk (cache.py).

An edit in a source file they depend on, another version of numba, or another processor causes them to be compiled
again. Object code is kept: a process that finds all it needs loads it without numba, whose import takes longer than
anything else such a process does at its start, and more memory.
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
_own: list[Any] = []  # numba's functions that couldn't be kept on disk; numba unloads those without a reference


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
    """Compiles a kernel or a family now, and keeps and returns its content; None if other processes couldn't use it.

    The content is a line with the names of the families that it calls, then object code.
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
    """The names in the first line of the content."""
    return content.partition(b"\n")[0].decode().split()


def linked(content: bytes | None) -> int | None:
    """The address of the content, linked with the families that it calls; None if that isn't possible here."""
    if content is None:
        return None
    code = content.partition(b"\n")[2]
    return load(code, {symbol: address_of(family_of(symbol)) for symbol in families_of(content)})


@compiling
def compiled(kernel: Kernel) -> int:
    """The address of the kernel, compiled now."""
    announce()
    place = linked(make(kernel))
    if place is None:  # then it is compiled in every process, and loaded by numba
        from thalweg.engine.native.compiler import emit

        _own.append(emit.by_numba(kernel.function(), kernel.method))
        return int(_own[-1].address)
    return place


@once
def address_of(kernel: Kernel) -> int:
    """The address of the compiled kernel, which is loaded or compiled on the first call."""
    return linked(kept(kernel)) or compiled(kernel)


def callable_of(kernel: Kernel) -> Function:
    """The compiled kernel, callable from Python with four addresses; it runs without the global interpreter lock."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address_of(kernel))
