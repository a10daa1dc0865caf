"""What is said while kernels are compiled: on a terminal a line that is redrawn, elsewhere one line in a process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from thalweg.engine.native.compiler.cache import warn_of_refused
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.support.stopwatch import compiling
from thalweg.support.terminal import interactive, shortened, taken, tell, width


class Progress:
    """How many kernels are compiled, of those that are needed. What a terminal shows is taken back at the end.

    One thread compiles at a time (`support/once.py`).
    """

    def __init__(self) -> None:
        self.needed: set[Kernel] = set()
        self.made: set[Kernel] = set()
        self.announced = False
        self.drawn = 0  # columns of the line on the terminal

    def need(self, kernels: Iterable[Kernel]) -> None:
        self.needed.update(kernels)

    @contextmanager
    def compiling(self, kernel: Kernel) -> Iterator[None]:
        """While this kernel is compiled, it is said that some are."""
        self.need([kernel])
        self.announce()
        self.show(f"compiling kernels: {len(self.made)} of {len(self.needed)}, {compiling.so_far:.0f} s")
        try:
            with compiling:
                yield
            self.made.add(kernel)
        finally:
            self.show("")

    def announce(self) -> None:
        """Says, unless it is a terminal, why the program seems to do nothing; warns of folders without kernels."""
        if self.announced:
            return
        self.announced = True
        if not interactive(sys.stderr):
            print(
                "thalweg: compiling kernels that this network is the first here to need; that takes some seconds …",
                file=sys.stderr,
                flush=True,
            )
        warn_of_refused()

    def show(self, count: str) -> None:
        """Draws the line, or leaves the count to whoever redraws it; an empty one is taken back."""
        tell(count)
        if interactive(sys.stderr):
            self.draw(f"thalweg: {count}; only once on this machine …" if count and not taken() else "")

    def draw(self, text: str) -> None:
        """Draws the line on the terminal in place of the one before."""
        if not text and not self.drawn:
            return
        text = shortened(text, shutil.get_terminal_size().columns - 1)
        gap = " " * (self.drawn - width(text))
        self.drawn = width(text)
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stderr.write(f"\r{text}{gap}" if text else f"\r{gap}\r")
            sys.stderr.flush()


progress = Progress()
