"""What kernels call besides each other: functions of the operating system and of Python, by name.

Compiled code contains the names. Whoever loads it binds them, so that the code is the same on every system.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from thalweg.support.once import once

YIELD, NAP, CLOCK = "thalweg_sched_yield", "thalweg_nap", "thalweg_clock"
HOLD, LEAVE, REENTER = "thalweg_hold", "thalweg_leave", "thalweg_reenter"
NAMES = (YIELD, NAP, CLOCK, HOLD, LEAVE, REENTER)


@once
def ticks_a_second() -> int:
    if sys.platform == "win32":
        result = ctypes.c_int64()
        system().QueryPerformanceFrequency(ctypes.byref(result))
        return result.value
    return 10**9


def system() -> Any:
    if sys.platform == "win32":
        return ctypes.WinDLL("kernel32")
    return ctypes.CDLL(None)


def address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@once
def addresses() -> dict[str, int]:
    """The address of each of them.

    The first lets the system run another thread on this core, the second sleeps for a number of microseconds (on
    Windows milliseconds), the third reads a monotonic clock; see `llvm.ticks`.
    """
    here, python = system(), ctypes.pythonapi
    windows = ("SwitchToThread", "Sleep", "QueryPerformanceCounter") if sys.platform == "win32" else ()
    functions = [getattr(here, name) for name in windows or ("sched_yield", "usleep", "clock_gettime")]
    functions += [python.Py_IncRef, python.PyEval_SaveThread, python.PyEval_RestoreThread]
    return dict(zip(NAMES, map(address, functions), strict=True))
