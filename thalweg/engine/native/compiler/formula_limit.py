"""Formulas that a user types may take LLVM long: a limit, within which a process of its own compiles them.

A thread can't be stopped, and a process can. The worker is an interpreter of its own, neither a fork nor a copy of the
caller's main module; it reads one kernel per line and compiles it to disk. Where there can be none, the process that
needs a kernel compiles it without a limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Event, Thread
from typing import Any

from thalweg.engine.native.compiler.cache import is_there, places
from thalweg.engine.native.compiler.compile import make, need_compiler
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.compiler.ready import is_ready
from thalweg.engine.native.compiler.telling import progress
from thalweg.support.once import once

TOO_LONG = 75  # the exit status of a worker that ended because a kernel took too long
LOOKS = 0.02  # seconds between two looks at the time that a kernel has taken


class TooSlowError(Exception):
    """A formula takes longer to compile than its user would wait."""


class Limit:
    """Compiles kernels of formulas in a worker, which is ended when one of them takes too long.

    Args:
        seconds: processor time that a kernel may take, so that a busy machine allows as much as an idle one.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.worker: subprocess.Popen[str] | None = None

    def compile(self, kernel: Kernel) -> None:
        """Compiles a kernel to disk; TooSlowError if it takes too long. If no worker can, the caller has to."""
        try:
            self.worker = worker = self.worker or start()
            assert worker.stdin is not None
            assert worker.stdout is not None
            print(json.dumps([*kernel, self.seconds]), file=worker.stdin, flush=True)
            answered = worker.stdout.readline()
        except (OSError, ValueError):
            answered = ""
        if not answered and self.close() == TOO_LONG:
            raise TooSlowError(f"compiling {kernel.name} took more than {self.seconds:g} s")

    def close(self) -> int | None:
        """Ends the worker, and returns its exit status if it had ended by itself."""
        worker, self.worker = self.worker, None
        if worker is None:
            return None
        if worker.stdin is not None:
            worker.stdin.close()  # a worker that is idle ends by that
        try:
            status = worker.wait(0.5)
        except subprocess.TimeoutExpired:
            worker.kill()
            status = worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()
        return status


_limit: ContextVar[Limit | None] = ContextVar("limit", default=None)


@contextmanager
def formulas_within(seconds: float) -> Iterator[None]:
    """Within it, in this thread, a formula of which a kernel takes longer to compile raises TooSlowError."""
    limit = Limit(seconds)
    before = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(before)
        limit.close()


@once
def prepare(kernels: frozenset[Kernel]) -> None:
    """Notes which kernels of a program are missing, and compiles those of formulas that may take too long."""
    kernels = frozenset(kernel for kernel in kernels if not is_ready(kernel))
    if not kernels:
        return
    need_compiler(kernels)
    limit = _limit.get()
    if limit is not None and possible():
        for kernel in sorted(kernels):
            if kernel.text and "formula" in kernel.name and not is_there(kernel):
                limit.compile(kernel)
    progress.need(kernel for kernel in kernels if not is_there(kernel))


def possible() -> bool:
    """Whether there are a folder through which to pass the code, and an interpreter, which a program that embeds Python
    isn't."""
    return places().write is not None and Path(sys.executable or "").stem.lower().startswith("python")


def start() -> subprocess.Popen[str]:
    """Starts a worker with this process's module search path."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        text=True,
    )


def serve() -> None:
    """The loop of a worker: a line holds a kernel, and the seconds after which to give up."""
    from thalweg.engine.native.compiler.emit import target_machine

    target_machine()  # before there is work
    answers: Any = sys.stdout
    sys.stdout = sys.stderr  # for whatever prints when it is imported
    for line in sys.stdin:
        with suppress(Exception):  # it will recur in the process that needs the kernel
            *parts, seconds = json.loads(line)
            with giving_up_after(seconds):
                make(Kernel(*parts))
        print(file=answers, flush=True)


@contextmanager
def giving_up_after(seconds: float) -> Iterator[None]:
    """Ends this process if what is within computes for longer."""
    done, end = Event(), time.process_time() + seconds

    def watch() -> None:
        while not done.wait(LOOKS):
            if time.process_time() > end:
                os._exit(TOO_LONG)

    Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
