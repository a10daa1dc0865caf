"""Progress: on a terminal, lines that rich redraws; in a notebook a figure; elsewhere, or without rich, plain lines.

Of work without epochs, the stages are told to whoever listens, so that a command isn't silent for seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from datetime import timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from thalweg.errors import ArgumentError
from thalweg.support.printing import out
from thalweg.support.terminal import interactive, redrawing, width

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

Logs = dict[str, Any]
LEVELS = {0: 0, 1: 1, 2: 2, "0": 0, "1": 1, "2": 2, "auto": 1}
ALL = 100  # the number of first epochs that have a line each, …
PAUSE = 0.1  # … later ones if the last line is this many seconds old
LONG = 30.0  # seconds in an epoch after which a line says how far it is
BAR = (8, 24)  # the least and the greatest width


def level(verbose: Any) -> int:
    """0: nothing; 1: redrawn lines on a terminal, a figure in a notebook; 2: a line for each epoch."""
    found = [number for name, number in LEVELS.items() if name == verbose]
    if not found:
        raise ArgumentError(f"verbose is 0, 1, 2 or 'auto', got {verbose!r}")
    return found[0]


def pairs(logs: Logs) -> list[str]:
    """["loss 0.123", "accuracy 0.95"]"""
    return [f"{key} {value:.4g}" for key, value in logs.items()]


def shown(logs: Logs) -> str:
    """ "loss 0.123  accuracy 0.95" """
    return "  ".join(pairs(logs))


def redrawable(stream: Any = None) -> bool:
    """Whether lines can be redrawn: on a terminal, where rich is installed."""
    return interactive(stream) and find_spec("rich") is not None


class Display:
    """Redrawn lines on a terminal: a progress bar, and numbers below it.

    The last parts of a line that is too long are left out.
    """

    def __init__(self, total: int, stderr: bool = False) -> None:
        from rich.console import Console
        from rich.live import Live

        self.total: float = total
        self.done: float = 0
        self.ended = self.unknown = False
        self.head = self.place = self.speed = ""
        self.below: list[list[str]] = []
        self.begin = time.perf_counter()
        self.redraws = ExitStack()
        self.live = Live(
            console=Console(stderr=stderr),
            get_renderable=lambda: self,
            transient=stderr,
            refresh_per_second=8,
            redirect_stderr=False,
        )

    def start(self) -> None:
        """Begins to redraw."""
        self.redraws.enter_context(redrawing())
        self.live.start()

    def stop(self) -> None:
        """Draws a last time."""
        self.live.stop()
        self.redraws.close()

    def clock(self) -> str:
        """The time left; at the end, the time taken."""
        passed = time.perf_counter() - self.begin
        if self.ended:
            return str(timedelta(seconds=round(passed)))
        if self.unknown:
            return ""
        return f"{timedelta(seconds=round(passed / self.done * (self.total - self.done)))} left" if self.done else ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        room = options.max_width - 1  # a line that fills the last column is two on some terminals
        texts = [text for text in (self.place, self.clock(), self.speed) if text]
        while texts and len("  ".join([self.head, *texts])) + 2 + BAR[0] > room:
            texts.pop()
        bar = min(BAR[1], room - 2 - len("  ".join([self.head, *texts])))
        full = round(bar * self.done / max(1, self.total))
        line, signs = Text(f"{self.head}  ", no_wrap=True), "=-" if options.ascii_only else "━─"
        line.append(signs[0] * full, "green").append(signs[1] * (bar - full))  # distinct without colours too
        yield line.append("".join(f"  {text}" for text in texts))
        for parts in self.below:
            yield Text(fitting(parts, room), no_wrap=True)


def fitting(parts: Sequence[str], room: int) -> str:
    """As many of the parts as a line holds, then … if some are left out."""
    for count in range(len(parts), 0, -1):
        line = "  ".join([*parts[:count], *["…"] * (count < len(parts))])
        if width(line) <= room:
            return line
    return ""


class Figure(Protocol):
    """A live figure of a fit, such as a notebook's."""

    inside: Callable[[], tuple[Any, dict[str, Any]]] | None
    """What is recorded inside the layers, if it is: epochs, and of each layer the sizes of its steps."""

    def add(self, first: int, records: Sequence[Any] | NDArray[Any], logs: Callable[[Any], Logs]) -> None:
        """After epochs from `first` on; `logs` makes the numbers of a record."""
        ...

    def say(self, place: str) -> None:
        """How far the fit is."""
        ...

    def close(self, end: str) -> bool:
        """The fit has ended, in the word `end` if it was before its time; returns whether something is left to see."""
        ...


class Progress:
    """The progress of a fit.

    verbose: 0 nothing; 1 or "auto" redrawn lines on a terminal, a figure in a notebook; elsewhere, as with 2, a line
    for each epoch. With 1 and "auto" the first hundred epochs have one each, later ones at most ten a second and the
    last one, and a long epoch says how far it is.

    figure: makes the figure of a fit that begins, or None where there is none.
    """

    def __init__(
        self,
        verbose: int | str,
        epochs: int,
        initial_epoch: int,
        steps_per_epoch: int,
        rows: int,
        figure: Callable[[], Figure | None] = lambda: None,
    ) -> None:
        kind = level(verbose)
        self.live = kind == 1 and redrawable()
        self.figure = figure() if kind == 1 and not self.live else None
        self.lines = kind > 0 and not self.live and self.figure is None
        self.all = kind == 2
        self.epochs, self.initial_epoch = epochs, initial_epoch
        self.steps_per_epoch, self.rows = steps_per_epoch, rows
        self.unknown = False  # whether the number of steps isn't known yet
        self.display: Display | None = None
        self.pictured = False  # whether the fit has left a picture
        self.interrupted = False  # whether Ctrl-C, or a notebook's Stop, ends the fit
        self.printed, self.last = 0, 0.0  # lines, and when the last one was
        self.unprinted: tuple[int, Logs] | None = None  # the last epoch, if it has had no line

    def __enter__(self) -> Progress:
        self.begin = self.last = time.perf_counter()
        if self.live:
            self.display = Display((self.epochs - self.initial_epoch) * self.steps_per_epoch)
            self.display.head = self.epoch(self.initial_epoch)
            self.display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = "interrupted" if self.interrupted else "stopped by an error" if error is not None else ""
        self.pictured = self.figure is not None and self.figure.close(end)
        if self.figure is not None and not self.pictured:
            self.lines = True  # for the one epoch that is no picture
        self.catch_up()
        if self.display is not None:
            self.display.ended = True
            self.display.stop()

    def epoch(self, number: int) -> str:
        """ "epoch 3/50", the third being number 2."""
        return f"epoch {min(number + 1, self.epochs)}/{self.epochs}"

    def advance(self, epoch: int, step: int, logs: Logs) -> None:
        """After a chunk: `epoch` epochs and `step` steps of the next are done."""
        place = f"step {step or self.steps_per_epoch}" + ("" if self.unknown else f"/{self.steps_per_epoch}")
        if self.display is not None:
            display = self.display
            display.total = (self.epochs - self.initial_epoch) * self.steps_per_epoch
            display.unknown = self.unknown
            display.done = (epoch - self.initial_epoch) * self.steps_per_epoch + step
            seconds = time.perf_counter() - display.begin
            display.head = self.epoch(epoch if step else epoch - 1)
            display.place = place
            display.speed = f"{display.done / self.steps_per_epoch * self.rows / seconds:,.0f} rows/s"
            display.below[:1] = [pairs(logs)]
        elif self.figure is not None:
            self.figure.say(self.how_far(epoch, step, place))
        elif self.lines and not self.all and step and time.perf_counter() - self.last > LONG:
            self.print(f"{self.epoch(epoch)}, {place}  {shown(logs)}")

    def how_far(self, epoch: int, step: int, place: str) -> str:
        """ "epoch 3/50, step 4/10, 12,000 rows/s, 0:00:12 left" """
        done = (epoch - self.initial_epoch) * self.steps_per_epoch + step
        total = (self.epochs - self.initial_epoch) * self.steps_per_epoch
        seconds = max(time.perf_counter() - self.begin, 1e-9)
        left = "" if self.unknown else timedelta(seconds=round(seconds / max(1, done) * (total - done)))
        speed = f"{done / self.steps_per_epoch * self.rows / seconds:,.0f} rows/s"
        head = self.epoch(epoch if step else epoch - 1)
        return ", ".join([head, *([place] if step else []), speed, *([] if self.unknown else [f"{left} left"])])

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation."""
        if self.display is not None:
            held = pairs({key: value for key, value in logs.items() if key.startswith("val_")})
            self.display.below[1:] = [held] if held else []
        self.end_epochs(epoch, [logs], dict)

    def end_epochs(self, first: int, records: Sequence[Any] | NDArray[Any], logs: Callable[[Any], Logs]) -> None:
        """After epochs from `first` on; `logs` makes the numbers of a record."""
        count = len(records)
        if self.figure is not None and count:
            self.figure.add(first, records, logs)
            self.unprinted = (first + count - 1, logs(records[-1]))
        if not self.lines or not count:
            return
        due = list(range(count if self.all else min(count, max(0, ALL - self.printed))))
        if len(due) < count and time.perf_counter() - self.last >= PAUSE:
            due.append(count - 1)
        for place in due:
            self.print_epoch(first + place, logs(records[place]))
        self.unprinted = None if count - 1 in due else (first + count - 1, logs(records[-1]))

    def catch_up(self) -> None:
        """Prints the last epoch, if it has had no line."""
        if self.unprinted is not None and self.lines:
            self.print_epoch(*self.unprinted)
            self.unprinted = None

    def print_epoch(self, epoch: int, logs: Logs) -> None:
        self.print(f"{self.epoch(epoch)}  {shown(logs)}")

    def print(self, text: str) -> None:
        try:
            out(text)
        except OSError:  # the reader is gone, or the log's disk is full, which is no reason to end a training
            self.lines = False
        self.printed, self.last = self.printed + 1, time.perf_counter()

    def say(self, text: str) -> None:
        """A message that stays."""
        self.catch_up()
        if self.display is not None:
            self.display.live.console.print(text, highlight=False, markup=False)
        else:
            out(text)


class Trainings:
    """How many of many trainings are done, on standard error: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.display: Display | None = None
        self.last = time.perf_counter()

    def __enter__(self) -> Trainings:
        if redrawable(sys.stderr):
            self.display = Display(1, stderr=True)
            self.display.head = self.what
            self.display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.display is not None:
            self.display.stop()

    def __call__(self, done: float, total: float, place: str = "") -> None:
        """`done` of `total` are done; `place` says so in other words."""
        place = place or f"{done} of {total} trainings"
        if self.display is not None:
            self.display.done, self.display.total, self.display.place = done, total, place
        elif time.perf_counter() - self.last > LONG:
            print(f"{self.what}: {place}", file=sys.stderr, flush=True)
            self.last = time.perf_counter()


# --- stages ----------------------------------------------------------------------------------------------------------

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
