"""Progress on a terminal, drawn by rich: epoch, step, loss, metrics, rows a second, time left. Quiet elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from thalweg.errors import ArgumentError

Logs = dict[str, Any]


def shown(logs: Logs) -> str:
    """ "loss 0.123  accuracy 0.950" """
    return "  ".join(f"{key} {value:.4g}" for key, value in logs.items())


class Progress:
    """verbose: 0 nothing; 1 or "auto" a live line on a terminal, nothing elsewhere; 2 a line for each epoch."""

    def __init__(self, verbose: int | str, epochs: int, initial_epoch: int, steps_per_epoch: int, rows: int) -> None:
        if verbose not in (0, 1, 2, "auto", "0", "1", "2"):
            raise ArgumentError(f"verbose is 0, 1, 2 or 'auto', got {verbose!r}")
        self.lines = str(verbose) == "2"
        self.live = str(verbose) in ("1", "auto") and sys.stdout.isatty()
        self.epochs, self.initial_epoch = epochs, initial_epoch
        self.steps_per_epoch, self.rows = steps_per_epoch, rows
        self.bar: Any = None

    def __enter__(self) -> Progress:
        self.begin = time.perf_counter()
        if self.live:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[step]}  {task.fields[logs]}  {task.fields[speed]}", markup=False),
                TimeRemainingColumn(),
                refresh_per_second=8,
            )
            self.task = self.bar.add_task(
                "",
                total=(self.epochs - self.initial_epoch) * self.steps_per_epoch,
                epoch=self.initial_epoch,
                epochs=self.epochs,
                step="",
                logs="",
                speed="",
            )
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def advance(self, epoch: int, step: int, logs: Logs) -> None:
        """After a chunk: `epoch` epochs and `step` steps of the next are done."""
        if self.bar is None:
            return
        done = (epoch - self.initial_epoch) * self.steps_per_epoch + step
        speed = done / self.steps_per_epoch * self.rows / (time.perf_counter() - self.begin)
        self.bar.update(
            self.task,
            completed=done,
            epoch=min(epoch + 1, self.epochs),
            step=f"step {step or self.steps_per_epoch}/{self.steps_per_epoch}",
            logs=shown(logs),
            speed=f"{speed:,.0f} rows/s",
        )

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation."""
        if self.lines:
            print(f"epoch {epoch + 1}/{self.epochs}  {shown(logs)}", flush=True)

    def say(self, text: str) -> None:
        """A message that stays."""
        if self.bar is not None:
            self.bar.console.print(text, highlight=False, markup=False)
        else:
            print(text, flush=True)
