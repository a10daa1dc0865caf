"""Loads object code by LLVM's linker alone: a process that finds its kernels compiled imports no compiler."""

from __future__ import annotations

import ctypes
import itertools
import sys
from typing import Any

import llvmlite.binding as binding

from thalweg.support.once import once

ENTRY = "thalweg_kernel"  # the symbol of every object's entry
YIELD = "thalweg_sched_yield"
NAP = "thalweg_nap"
CLOCK = "thalweg_clock"
FAILED = "thalweg_failed"

_numbers = itertools.count()  # every library has a name of its own
_loaded: list[Any] = []  # LLVM unloads libraries without a reference


def yield_address() -> int:
    """The address of the C function that yields the rest of this thread's time slice to other threads."""
    return address(system().SwitchToThread if sys.platform == "win32" else system().sched_yield)


def nap_address() -> int:
    """The address of a C function that sleeps for a number of microseconds, on Windows milliseconds."""
    return address(system().Sleep if sys.platform == "win32" else system().usleep)


def clock_address() -> int:
    """The address of the C function that reads a monotonic clock; see `llvm.ticks`."""
    return address(system().QueryPerformanceCounter if sys.platform == "win32" else system().clock_gettime)


@once
def ticks_a_second() -> int:
    """The frequency of that clock."""
    if sys.platform == "win32":
        result = ctypes.c_int64()
        system().QueryPerformanceFrequency(ctypes.byref(result))
        return result.value
    return 10**9


def system() -> Any:
    """The operating system's functions."""
    if sys.platform == "win32":
        return ctypes.WinDLL("kernel32")
    return ctypes.CDLL(None)


def address(function: Any) -> int:
    """The address of a C function."""
    result = ctypes.cast(function, ctypes.c_void_p).value
    assert result is not None
    return result


@ctypes.CFUNCTYPE(None)
def failed() -> None:
    """Called by a kernel instead of raising; Python prints the error, as for any C function that can't return one."""
    raise RuntimeError("a compiled function raised an exception, and its results are incomplete")


# Bound by name whenever code is loaded: compiled code contains the name, not the address.
SYMBOLS = {YIELD: yield_address(), NAP: nap_address(), CLOCK: clock_address(), FAILED: address(failed)}


@once
def linker() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.create_lljit_compiler(suppress_errors=True)  # `load` handles them


def load(code: bytes, known: dict[str, int]) -> int | None:
    """The address of the function in the object code; None if this process lacks a function that the code calls.

    known: the addresses of other object code that it calls, by name.
    """
    library = binding.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(ENTRY)
    for name, place in (SYMBOLS | known).items():
        library.import_symbol(name, place)
    try:
        _loaded.append(library.link(linker(), f"kernel_{next(_numbers)}"))
    except RuntimeError:
        return None
    return int(_loaded[-1][ENTRY])
