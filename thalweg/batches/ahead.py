"""Batches that are made before they are asked for, by threads or processes, in the order in which they are taken."""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

END = object()
MADE: list[Any] = []
"""The dataset whose batches this process makes, if that is its work."""


def begin_work(dataset: Any) -> None:
    """A worker process begins: Ctrl-C is for the process that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    MADE[:] = [dataset]


def batch_of(number: int) -> Any:
    """A batch, in a worker process."""
    return MADE[0][number]


@contextmanager
def working(pool: Executor) -> Iterator[None]:
    """What is still to be made is given up in the end; a batch that is being made is finished."""
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_turn(submit: Callable[[int], Future[Any]], numbers: Iterable[int], queue: int) -> Iterator[Any]:
    """Results in the order of their numbers, of which up to `queue` are being made or wait."""
    coming = iter(numbers)
    waiting = deque(submit(number) for number in islice(coming, queue))
    while waiting:
        batch = waiting.popleft().result()
        waiting.extend(submit(number) for number in islice(coming, 1))
        yield batch


def numbered(dataset: Any, numbers: Iterable[int]) -> Iterator[Any]:
    """The batches of a PyDataset with these numbers, by its workers, if it has several or they are processes.

    Each pass has new processes, so that they know what `on_epoch_end` has changed.
    """
    workers, processes = dataset.workers, dataset.use_multiprocessing
    dataset.on_epoch_begin()
    if workers < 1 or (workers == 1 and not processes):
        yield from map(dataset.__getitem__, numbers)
    elif not processes:
        pool: Executor = ThreadPoolExecutor(workers, "thalweg-batches")
        with working(pool):
            yield from in_turn(lambda n: pool.submit(dataset.__getitem__, n), numbers, dataset.max_queue_size)
    else:
        context = multiprocessing.get_context()
        pool = ProcessPoolExecutor(workers, context, begin_work, (dataset,))

        def submit(number: int) -> Future[Any]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a fork beside threads, whose locks the new process doesn't use
                return pool.submit(batch_of, number)

        with working(pool):
            yield from in_turn(submit, numbers, dataset.max_queue_size)
    dataset.on_epoch_end()


def prefetched(batches: Iterator[Any], count: int) -> Iterator[Any]:
    """The same batches, of which a thread makes up to `count` in advance.

    >>> list(prefetched(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    pool = ThreadPoolExecutor(1, "thalweg-batches")
    with working(pool):
        waiting = deque(pool.submit(next, batches, END) for _ in range(count))
        while (batch := waiting.popleft().result()) is not END:
            waiting.append(pool.submit(next, batches, END))
            yield batch
