"""Ranks that do calls for the first one: trainings that are independent of each other need no common step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any

from thalweg.engine.ranks.world import Ranks

LOOKS = 0.005  # seconds between two looks for a message: waiting in MPI would hold a core
CALL, ANSWER = 1, 2
_workers: ContextVar[Workers | None] = ContextVar("workers", default=None)


def workers() -> Workers | None:
    """The other ranks, if this process may send them calls."""
    return _workers.get()


class Workers:
    """On the first rank: the others, each of which does one call at a time."""

    def __init__(self, ranks: Ranks) -> None:
        self.comm = ranks.comm
        self.others = range(1, ranks.size)
        self.given: dict[int, Any] = {}  # what a rank was given last
        self.busy: set[int] = set()

    def places(self, here: int) -> SimpleQueue[int | None]:
        """Where so many calls may be done at a time as this process can do, and one on every other rank: None is
        here."""
        result: SimpleQueue[int | None] = SimpleQueue()
        for place in [*[None] * here, *self.others]:
            result.put(place)
        return result

    def call(self, rank: int, function: Callable[..., Any], given: Any, *arguments: Any) -> Any:
        """function(given, *arguments) on another rank. `given` is sent only if the rank hasn't been given it before."""
        known = self.given.get(rank) is given
        self.given[rank] = given
        self.busy.add(rank)
        self.comm.send((function, None if known else given, arguments), dest=rank, tag=CALL)
        awaited(self.comm, rank, ANSWER)
        answer = self.comm.recv(source=rank, tag=ANSWER)
        self.busy.discard(rank)
        return answer

    def close(self) -> None:
        """Lets the others end."""
        for rank in self.others:
            self.comm.send(None, dest=rank, tag=CALL)


@contextmanager
def employed(ranks: Ranks) -> Iterator[None]:
    """On the first rank: within this context the others do calls, and no `fit` is divided among ranks."""
    made = Workers(ranks)
    token = _workers.set(made)
    try:
        with ranks.apart():
            yield
    except BaseException:
        if not made.busy:  # then the others end without an error of their own
            ranks.common = True
            made.close()
        raise
    else:
        made.close()
    finally:
        _workers.reset(token)


def serve(ranks: Ranks) -> None:
    """On the others: does the first one's calls until it lets them end."""
    given = None
    with ranks.apart():
        while True:
            awaited(ranks.comm, 0, CALL)
            call = ranks.comm.recv(source=0, tag=CALL)
            if call is None:
                return
            function, new, arguments = call
            given = given if new is None else new
            ranks.comm.send(function(given, *arguments), dest=0, tag=ANSWER)


def awaited(comm: Any, rank: int, tag: int) -> None:
    """Waits for a message."""
    while not comm.Iprobe(source=rank, tag=tag):
        time.sleep(LOOKS)
