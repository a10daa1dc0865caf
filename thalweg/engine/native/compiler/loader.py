"""Object code is loaded by LLVM's linker alone: a process that finds its kernels compiled imports no compiler."""

from __future__ import annotations

import ctypes
import itertools
import sys
from typing import Any

import llvmlite.binding as binding

from thalweg.support.once import once

ENTRY = "thalweg_kernel"  # the symbol by which every object is called
YIELD = "thalweg_sched_yield"
NAP = "thalweg_nap"
CLOCK = "thalweg_clock"
FAILED = "thalweg_failed"

_numbers = itertools.count()  # every library has a name of its own
_loaded: list[Any] = []  # LLVM unloads what nobody holds


def yield_address() -> int:
    """The address of the C function that gives the rest of this thread's time slice to other threads."""
    return address(system().SwitchToThread if sys.platform == "win32" else system().sched_yield)


def nap_address() -> int:
    """The address of a C function that sleeps: for so many microseconds, or of Windows milliseconds."""
    return address(system().Sleep if sys.platform == "win32" else system().usleep)


def clock_address() -> int:
    """The address of the C function that reads a clock which never goes back; see `llvm.ticks`."""
    return address(system().QueryPerformanceCounter if sys.platform == "win32" else system().clock_gettime)


@once
def ticks_a_second() -> int:
    """How fast that clock counts."""
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
    """What a kernel calls instead of raising; Python prints the error, as of any C function that can't return one."""
    raise RuntimeError("a compiled function raised an exception, and its results are incomplete")


# Bound by name whenever code is loaded: compiled code holds the name, not the address.
SYMBOLS = {YIELD: yield_address(), NAP: nap_address(), CLOCK: clock_address(), FAILED: address(failed)}


@once
def linker() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.create_lljit_compiler(suppress_errors=True)  # `load` answers them


def load(code: bytes, known: dict[str, int]) -> int | None:
    """The address of the function in the object code; None where this process lacks what the code calls.

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
