"""Ctrl-C during work that must not be interrupted: it waits, and is never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


@contextmanager
def stopped_by_ctrl_c(stop: Callable[[], Any]) -> Iterator[None]:
    """Ctrl-C calls `stop` before it interrupts a library that works on its own threads, such as DuckDB.

    The library waits for its threads, and turns the KeyboardInterrupt into its own error; here it is raised again.
    """
    raised: list[BaseException] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def take(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except BaseException as error:
            raised.append(error)
            stop()
            raise

    signal.signal(signal.SIGINT, take)
    try:
        yield
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """A closed terminal, and a request to end, do what Ctrl-C does, unless they are ignored, as by nohup."""
    before = {}
    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        numbers = [getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)]  # Windows: one
        before = {n: signal.SIG_DFL for n in numbers if signal.getsignal(n) is signal.SIG_DFL}
    for number in before:
        signal.signal(number, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Kept:
    """Ctrl-C during a training that is to be kept: it ends the training, however often it is pressed.

    From `begin` to the end of the context it calls what `begin` was given; before that it does what it always did.

    >>> with Kept() as kept:
    ...     kept.begin(lambda: print("the training ends"))
    ...     signal.raise_signal(signal.SIGINT)
    the training ends
    """

    def __init__(self) -> None:
        self.stop: Callable[[], Any] | None = None
        self.before: Callable[[int, FrameType | None], Any] | None = None

    def begin(self, stop: Callable[[], Any]) -> None:
        """A training begins, which `stop` ends. May be called again, for the next one."""
        self.stop = stop

    def __enter__(self) -> Kept:
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self.before = before
            signal.signal(signal.SIGINT, self.take)
        return self

    def take(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        assert self.before is not None
        if self.stop is None:
            self.before(number, frame)
        else:
            self.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


class Held:
    """While this context is open, Ctrl-C only sets `pressed`; it is passed on when the context closes.

    It goes to the previous handler: by default a KeyboardInterrupt is raised, even if another error closes the context.
    A signal that has no handler in Python is left alone, and only the main thread holds any.

    Args:
        first_only: whether a second Ctrl-C is passed on at once.

    >>> with Held() as interrupts:
    ...     interrupts.pressed
    False
    """

    def __init__(self, first_only: bool = False) -> None:
        self.first_only = first_only
        self.pressed = self.waiting = False
        self.before: Callable[[int, FrameType | None], Any] | None = None

    def __enter__(self) -> Held:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # not SIG_IGN, nor SIG_DFL
                self.before = before
                signal.signal(signal.SIGINT, self.take)
        return self

    def take(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        again = self.waiting
        self.pressed = self.waiting = True
        if again and self.first_only:
            self.hand_on()

    def hand_on(self) -> None:
        """Calls the previous handler."""
        self.waiting = False
        assert self.before is not None
        self.before(signal.SIGINT, None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
            if self.waiting:
                self.hand_on()
