"""Says on standard error what a command is doing, if it has been silent for more than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

from thalweg.support.terminal import interactive, redrawing

QUIET = 1.0
"""Seconds of a stage before it is said; …"""
AGAIN = 10.0
"""… where lines can't be redrawn, it is said again after so many more."""


@contextmanager
def doing(name: str) -> Iterator[None]:
    """A stage of a command: a spinner on a terminal, a line elsewhere; nothing if it ends at once."""
    ended, begin = Event(), time.perf_counter()
    shown = ExitStack()

    def watch() -> None:
        pause = QUIET
        while not ended.wait(pause):
            if interactive(sys.stderr):
                shown.enter_context(spinner(name))
                return
            passed = "" if pause == QUIET else f", {time.perf_counter() - begin:.0f} s so far"
            print(f"… {name}{passed}", file=sys.stderr, flush=True)
            pause = AGAIN

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        shown.close()


@contextmanager
def spinner(name: str) -> Iterator[None]:
    """A redrawn line that vanishes at the end of its stage; it leaves what others print alone."""
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    live = Live(
        Spinner("line", Text(name)),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=8,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with redrawing(), live:
        yield
