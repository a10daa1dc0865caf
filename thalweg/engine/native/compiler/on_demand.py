"""Micro-kernels are made when they are first called: of a family's hundred, a network needs a few.

Compiled code leaves a request, begins a thread that serves it, and waits (`linalg/awaiting.py`). Python's handlers of
signals run on the main thread between instructions of Python's, and none is executed there meanwhile: what the code
calls are functions written in C.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable
from functools import partial

from thalweg.engine.native.compiler.kernel import Kernel, family_of
from thalweg.engine.native.compiler.system import address
from thalweg.engine.native.layouts.request import FAILED, MADE, Request
from thalweg.errors import ThalwegError
from thalweg.support.once import once

REQUEST, BEGIN, SERVE = "thalweg_request", "thalweg_begin", "thalweg_serve"
HOLDS, THREAD = "thalweg_holds", "thalweg_thread"


class NotCompiledError(ThalwegError):
    """A micro-kernel couldn't be made; the error that says why is printed before."""

    def __init__(self) -> None:
        super().__init__("a kernel couldn't be compiled, for the reason above; what was computed by it is wrong")


UNBORN = 0.05  # seconds in which a thread begins; until then it has the number of the one that waits, in Python's books

_requests: deque[int] = deque()  # addresses; each lies on the stack of the thread that waits
if hasattr(os, "register_at_fork"):  # a child has only the thread that forked, which doesn't wait
    os.register_at_fork(after_in_child=_requests.clear)

_kept: list[object] = []  # what compiled code calls has to stay


def serve(make: Callable[[Kernel], int]) -> None:
    """Makes what is requested. An error is raised in the thread that waits, once it executes Python again."""
    while _requests:
        try:
            place = _requests.popleft()
        except IndexError:  # another thread took it
            return
        request = Request((ctypes.c_int64 * Request.size).from_address(place))
        try:
            family = family_of(ctypes.string_at(request.family).decode())
            ctypes.c_int64.from_address(request.slot).value = make(family._replace(member=str(request.key)))
            request.state = MADE
        except BaseException:
            sys.excepthook(*sys.exc_info())
            time.sleep(UNBORN)
            thread, error = ctypes.c_ulong(request.thread), ctypes.py_object(NotCompiledError)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)
            request.state = FAILED


@once
def counter(make: Callable[[Kernel], int]) -> dict[str, int]:
    """What compiled code calls to request, by name. make: compiles a micro-kernel, or finds it; returns its address."""
    take = ctypes.CFUNCTYPE(None, ctypes.c_int64)(_requests.append)
    begin = ctypes.CFUNCTYPE(None)(partial(start_new_thread, serve, (make,)))
    here = ctypes.CFUNCTYPE(None)(partial(serve, make))
    functions = (take, begin, here, ctypes.pythonapi.PyGILState_Check, ctypes.pythonapi.PyThread_get_thread_ident)
    _kept.append(functions)
    return dict(zip((REQUEST, BEGIN, SERVE, HOLDS, THREAD), map(address, functions), strict=True))
