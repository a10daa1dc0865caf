"""What is being done, told to whoever listens: so that a command isn't silent for seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

Listener = Callable[[str], AbstractContextManager[None]]
LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)
"""What is entered for each stage, with its name: the command line's; None in a program of one's own."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """The `with` of work that may take seconds; of stages within stages the outermost is told.

    >>> from contextlib import nullcontext
    >>> heard = []
    >>> with told(lambda name: nullcontext(heard.append(name))), stage("reading rows.csv"), stage("sniffing"):
    ...     pass
    >>> heard
    ['reading rows.csv']
    """
    listener = LISTENER.get()
    if listener is None:
        yield
        return
    token = LISTENER.set(None)
    try:
        with listener(name):
            yield
    finally:
        LISTENER.reset(token)


@contextmanager
def told(listener: Listener) -> Iterator[None]:
    """Inside, the listener is told of every stage."""
    token = LISTENER.set(listener)
    try:
        yield
    finally:
        LISTENER.reset(token)
