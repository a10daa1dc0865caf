"""A process for each peer and number of threads. It stays alive and is asked in turn, so rounds can be interleaved.

Libraries share a process badly: each brings a thread pool, reads its settings when it is imported, and adds to the
memory measured for the others.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.memory import Memory, memory
from benchmarks.peers import BEFORE, variants
from benchmarks.workloads import Workload

TIMEOUT = 240.0
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
ALWAYS = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
ONE_XLA_THREAD = "--xla_cpu_multi_thread_eigen=false"


class WorkerError(Exception):
    """The worker raised, died, or didn't answer in time."""


class Session:
    """The requests that a worker answers, in its own process."""

    def __init__(self) -> None:
        self.runners: dict[str, Any] = {}

    def variants(self, peer: str, work: Workload) -> list[str]:
        return list(variants(peer, work))

    def make(self, peer: str, work: Workload, variant: str) -> None:
        self.runners[variant] = variants(peer, work)[variant](work)

    def check(self, variant: str) -> Any:
        return self.runners[variant].check()

    def run(self, variant: str, count: int) -> float:
        """Seconds for `count` units of work."""
        begin = time.perf_counter()
        self.runners[variant].run(count)
        return time.perf_counter() - begin

    def clear(self) -> None:
        for runner in self.runners.values():
            runner.close()
        self.runners.clear()
        gc.collect()

    def memory(self) -> Memory:
        return memory()


def serve(connection: Connection, pinned: list[int] | None) -> None:
    """Answers until the other end is closed."""
    if pinned is not None:
        os.sched_setaffinity(0, pinned)
    warnings.filterwarnings("ignore")
    session = Session()
    while True:
        try:
            name, arguments = connection.recv()
        except (EOFError, KeyboardInterrupt):
            session.clear()
            return
        try:
            answer: tuple[bool, Any] = (True, getattr(session, name)(*arguments))
        except Exception as error:  # whatever a library raises: the driver reports it and continues without the peer
            answer = (False, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:150]}")
        with suppress(BrokenPipeError):  # the driver was stopped meanwhile
            connection.send(answer)


@contextmanager
def environment(peer: str, threads: int | None) -> Iterator[None]:
    """The variables a worker starts with; libraries read them when they are imported."""
    before = dict(os.environ)
    os.environ.update(ALWAYS)
    if peer != BEFORE:
        os.environ.pop("BENCHMARKS_THALWEG", None)
    if threads is not None:
        os.environ.update(dict.fromkeys(POOLS, str(threads)))
    if threads == 1:
        os.environ["XLA_FLAGS"] = ONE_XLA_THREAD
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Worker:
    """The driver's end of a worker. `pinned`: the cores it may use; by default all."""

    def __init__(self, peer: str, threads: int | None = None, pinned: list[int] | None = None) -> None:
        self.peer, self.threads = peer, threads
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, pinned))
        with environment(peer, threads):
            self.process.start()
        theirs.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def send(self, name: str, *arguments: Any) -> None:
        self.connection.send((name, arguments))

    def receive(self, timeout: float = TIMEOUT) -> Any:
        """The answer; a worker that doesn't answer in time is ended."""
        try:
            if not self.connection.poll(timeout):
                self.process.kill()
                raise WorkerError(f"no answer in {timeout:.0f} seconds")
            done, answer = self.connection.recv()
        except (EOFError, OSError):
            raise WorkerError("the process died") from None
        if not done:
            raise WorkerError(answer)
        return answer

    def ask(self, name: str, *arguments: Any, timeout: float = TIMEOUT) -> Any:
        if not self.alive:
            raise WorkerError("the process has ended")
        self.send(name, *arguments)
        return self.receive(timeout)

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    def close(self) -> None:
        self.connection.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
