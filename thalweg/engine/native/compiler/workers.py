"""Compiles kernels in several processes at once, for whoever waits.

A worker is an interpreter of its own, neither a fork nor a copy of the caller's main module. It reads one kernel per
line, compiles it to disk, and answers with the families of micro-kernels that it calls, which are work too. Kernels
that no worker compiled are left to the process that needs them.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import groupby
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from thalweg.engine.lanes import cores
from thalweg.engine.native.compiler.cache import is_there, kept, places
from thalweg.engine.native.compiler.compile import families_of, make, need_compiler
from thalweg.engine.native.compiler.kernel import Kernel, family_of
from thalweg.engine.native.compiler.ready import is_ready
from thalweg.engine.native.compiler.telling import progress
from thalweg.support.extras import can_compile
from thalweg.support.once import once

MANY = 4  # kernels from which on it pays to start workers, which takes a second
MOST = 4  # workers, each of which compiles functions that several kernels share

TOO_LONG = 75  # the exit status of a worker that ended because a kernel took too long
LOOKS = 0.02  # seconds between two looks at the time that a kernel has taken


_hired: list[subprocess.Popen[str]] = []  # workers that wait for work


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


class Work:
    """Groups of kernels. Neighbours have much in common, which each worker that compiles one of them has to compile
    too: so some workers begin with the first, and the others with the last."""

    def __init__(self, groups: Iterable[list[Kernel]]) -> None:
        self.waiting = list(groups)
        self.known = {kernel for group in self.waiting for kernel in group}
        self.busy = 0
        self.changed = Condition()

    def take(self, first: bool) -> list[Kernel]:
        """The first group or the last; empty if there will be no more."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or not self.busy)
            if not self.waiting:
                return []
            self.busy += 1
            return self.waiting.pop(0 if first else -1)

    def found(self, families: Iterable[Kernel]) -> None:
        """Adds the families that aren't known yet. They have nothing in common with others."""
        with self.changed:
            new = [kernel for kernel in families if kernel not in self.known]
            self.known.update(new)
            progress.need(new)
            self.waiting += [[kernel] for kernel in new]
            self.changed.notify_all()

    def done(self) -> None:
        with self.changed:
            self.busy -= 1
            self.changed.notify_all()


@once
def prepare(kernels: frozenset[Kernel], more: Callable[[], Iterable[Kernel]] = tuple) -> None:
    """Compiles the missing kernels of a program, if they are many, and those of formulas if they may take too long.

    more: gives kernels that will probably be needed soon, which are compiled if others are.
    """
    kernels = frozenset(kernel for kernel in kernels if not is_ready(kernel))
    if kernels:
        need_compiler(kernels)
    limit = _limit.get()
    if limit is not None and alone_possible():
        for kernel in sorted(kernels):
            if kernel.text and "formula" in kernel.name and not is_there(kernel):
                limit.compile(kernel)
    missing = {kernel for kernel in kernels if not is_there(kernel)}
    if not missing:
        return
    if possible():
        missing |= {kernel for kernel in more() if not is_ready(kernel) and not is_there(kernel)}
    progress.need(missing)
    if len(missing) >= MANY and possible():
        with progress:
            compile_together(missing)


def compile_together(kernels: Iterable[Kernel]) -> None:
    """Compiles kernels in several workers; those of one file in one worker."""
    kernels = sorted(kernels)
    groups = [list(group) for _, group in groupby(kernels, key=lambda kernel: kernel.module)]
    work = Work(groups)
    workers: list[subprocess.Popen[str]] = []
    threads: list[Thread] = []
    try:
        for n in range(min(cores(), MOST, len(groups))):
            workers.append(worker := _hired.pop() if _hired else start())
            thread = Thread(target=direct, args=(worker, work, n % 2 == 0), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    except (OSError, RuntimeError):  # no worker, or no thread, can be started here
        pass
    finally:
        for worker in workers:
            worker.kill()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.communicate()  # closes the pipes


def hire(kernel: Kernel) -> None:
    """Starts workers that wait for work, if this kernel, which will soon be needed, is missing."""
    if _hired or not can_compile() or not possible() or is_ready(kernel) or is_there(kernel):
        return
    with suppress(OSError):  # none can be started here
        _hired.extend(start() for _ in range(min(cores(), MOST)))


@atexit.register
def dismiss() -> None:
    """Ends the workers for which there was no work."""
    while _hired:
        worker = _hired.pop()
        worker.kill()
        worker.communicate()


def possible() -> bool:
    """Whether several workers would be faster: they need a second core."""
    return cores() > 1 and alone_possible()


def alone_possible() -> bool:
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


def direct(worker: subprocess.Popen[str], work: Work, first: bool) -> None:
    """Gives a worker one kernel after another until none is left or the worker ends."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    while group := work.take(first):
        try:
            for kernel in group:
                print(json.dumps([*kernel, None]), file=worker.stdin, flush=True)
                work.found(Kernel(*family) for family in json.loads(worker.stdout.readline()))
                progress.done(kernel)
        except (OSError, ValueError):  # the worker has ended
            return
        finally:
            work.done()


def lean() -> None:
    """Leaves out of this process what compiling doesn't need."""
    gc.disable()  # it would scan many objects again and again, and free little


def serve() -> None:
    """The loop of a worker: a line holds a kernel, and the seconds after which to give up, or null."""
    lean()
    from thalweg.engine.native.compiler.emit import target_machine

    target_machine()  # before there is work
    answers: Any = sys.stdout
    sys.stdout = sys.stderr  # for whatever prints when it is imported
    for line in sys.stdin:
        families = []
        try:
            *parts, seconds = json.loads(line)
            kernel = Kernel(*parts)
            with giving_up_after(seconds):
                content = kept(kernel) or make(kernel)
            if content and not is_there(kernel):  # the disk is full: nothing can be passed on
                return
            families = [family_of(symbol) for symbol in families_of(content or b"")]
        except Exception:  # it will recur in the process that needs the kernel
            pass
        print(json.dumps(families), file=answers, flush=True)


@contextmanager
def giving_up_after(seconds: float | None) -> Iterator[None]:
    """Ends this process if what is within computes for longer: a thread can't be stopped, and a process can."""
    if seconds is None:
        yield
        return
    from thalweg.engine.native.compiler import emit  # noqa: F401 — importing LLVM isn't the formula's fault

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
