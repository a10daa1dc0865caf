"""Kernels are compiled when first used and kept on disk (cache.py).

An edit in any file of this folder, another version of numba, or another processor makes them be compiled again. What is
kept is object code. A process that finds all it needs loads it without numba, whose import takes longer than anything
else such a process does at its start, and more memory.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from thalweg.engine.native.cache import keep, kept, warn_of_refused
from thalweg.engine.native.loader import load
from thalweg.engine.once import once
from thalweg.engine.stopwatch import compiling

Function = Callable[..., Any]

FAMILY = "thalweg."  # begins the names of families of micro-kernels, which are files of their own

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


@once
def address_of(kernel: Kernel) -> int:
    """The address of the compiled kernel, compiled or loaded now if it wasn't before."""
    return linked(kept(kernel)) or compiled(kernel)


def callable_of(kernel: Kernel) -> Function:
    """The compiled kernel to be called from Python with four addresses, the global interpreter lock released."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address_of(kernel))
