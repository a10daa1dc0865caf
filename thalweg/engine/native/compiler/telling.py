"""What is said while kernels are compiled: on a terminal a line that is redrawn, elsewhere a line from time to time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Lock, Thread
from types import TracebackType

from thalweg.engine.native.compiler.cache import warn_of_refused
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.support.stopwatch import compiling
from thalweg.support.terminal import interactive, shortened, taken, tell, width

LOOK = 0.2  # seconds after which the line on a terminal is redrawn
AGAIN = 10.0  # seconds after which there is another line elsewhere


class Progress:
    """How many kernels are compiled, of those that are needed. It is shown while any thread is within it.

    What a terminal shows is taken back at the end. Elsewhere, there is an announcement, once in a process.
    """

    def __init__(self) -> None:
        self.needed: set[Kernel] = set()
        self.made: set[Kernel] = set()
        self.inside, self.lock, self.ended = 0, Lock(), Event()
        self.thread: Thread | None = None
        self.announced = self.warned = False
        self.said = 0.0  # seconds of compiling at the last line
        self.drawn = 0  # columns of the line on the terminal

    def need(self, kernels: Iterable[Kernel]) -> None:
        """Notes kernels that have to be compiled."""
        with self.lock:
            self.needed.update(kernels)

    def done(self, kernel: Kernel) -> None:
        """Notes that a kernel is compiled."""
        with self.lock:
            self.needed.add(kernel)
            self.made.add(kernel)

    def __enter__(self) -> Progress:
        compiling.__enter__()
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.announce()
                self.ended.clear()
                self.thread = Thread(target=self.watch, daemon=True)
                with suppress(RuntimeError):  # the system has no thread left
                    self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self.inside -= 1
            thread = None if self.inside else self.thread
            if thread is not None:
                self.ended.set()
        if thread is not None and thread.ident is not None:
            thread.join()
        compiling.__exit__()

    def announce(self) -> None:
        """Says, unless it is a terminal, why the program seems to do nothing; warns of folders without kernels."""
        if not self.announced and not interactive(sys.stderr):
            self.announced = True
            print(
                "thalweg: compiling kernels that this network is the first here to need; that takes some seconds …",
                file=sys.stderr,
                flush=True,
            )
        if not self.warned:
            self.warned = True
            warn_of_refused()

    def watch(self) -> None:
        """Shows how far it is, until the last thread has left."""
        with suppress(OSError, ValueError):  # nobody reads it any more
            while not self.ended.wait(LOOK):
                self.show()
            self.draw("")
        tell("")

    def show(self) -> None:
        seconds = compiling.so_far
        count = f"{len(self.made)} of {len(self.needed)}, {seconds:.0f} s"
        if interactive(sys.stderr):
            tell(f"compiling kernels: {count}")
            text = f"thalweg: compiling kernels: {count}; only once on this machine …"
            self.draw("" if taken() else text)
        elif seconds >= self.said + AGAIN:
            self.said = seconds
            print(f"thalweg: … compiled {count} so far", file=sys.stderr, flush=True)

    def draw(self, text: str) -> None:
        """Draws the line on the terminal in place of the one before."""
        if not text and not self.drawn:
            return
        text = shortened(text, shutil.get_terminal_size().columns - 1)
        gap = " " * (self.drawn - width(text))
        self.drawn = width(text)
        sys.stderr.write(f"\r{text}{gap}" if text else f"\r{gap}\r")
        sys.stderr.flush()


progress = Progress()
