"""What ranks that train a model together agree on: what they begin with, how many steps come next, when they end."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.engine.contract import Array, Chunk, Executor, Job
from thalweg.engine.ranks.forecast import Forecast
from thalweg.engine.ranks.ranked_executor import RankedExecutor
from thalweg.engine.ranks.traded_rows import TradedRows
from thalweg.engine.ranks.world import Ranks, digest
from thalweg.errors import ArgumentError
from thalweg.program.ir.instruction import fields_of
from thalweg.program.ir.program import Program
from thalweg.support.interrupts import Held
from thalweg.support.printing import out
from thalweg.version import __version__


class Team:
    """One rank's part in a `fit` of all ranks. compiled: the compiled model."""

    def __init__(self, ranks: Ranks, compiled: Any) -> None:
        self.ranks, self.compiled = ranks, compiled
        self.shares: TradedRows | None = None
        """The rows of a disk, of which each rank reads a part."""
        self.marks: dict[str, str] = {}  # of some of these rows, by the name of their array
        if ranks.size > 1 and compiled.runs.most_lanes is None:
            ranks.common = True
            raise ArgumentError(
                f"ranks divide the lanes of the native engine, and the {compiled.engine} engine has none: leave out "
                f"engine={compiled.engine!r}"
            )
        if ranks.size > 1 and not ranks.agree([compiled.seed_given]).all():
            ranks.common = True
            raise ArgumentError(
                f"{compiled.graph.name!r} has no seed, and every rank would draw another: give the model one, "
                "such as Sequential([…], seed=0)"
            )

    def compare(self, job: Job, held: Mapping[str, Array] | None, numbers: dict[str, Any]) -> None:
        """Raises unless all ranks are about to do the same."""
        from thalweg.engine.native.compiler.levels import LEVEL

        facts: dict[str, Any] = {
            "version of thalweg": __version__,
            "level of processors": LEVEL.name,
            "seed": job.seed,
            "number of lanes": job.lanes,
            "batch_size": job.batch,
            "number of rows": job.rows,
            "shuffle": (job.shuffle, job.ordered),
            "fast_sums": self.ranks.fast_sums,
            **numbers,
            "model": said(job.program),
            "weights": digest(job.parameters),
            "state of the optimizer": digest(job.slots),
            **{f"data ({name})": mark for name, mark in (self.marks or digests(job.data)).items()},
            **{f"validation_data ({name})": mark for name, mark in digests(held or {}).items()},
        }
        self.ranks.compare(facts)

    def sharing(self, job: Job, source: Any, shuffle: bool) -> TradedRows:
        """How ranks share the rows of a source. job: such as the one that follows, but on a few rows."""
        self.marks = digests(source.sample())
        self.compare(job, None, {"number of rows": source.rows, "shuffle": shuffle})
        self.shares = TradedRows(self.ranks, job, source.rows)
        return self.shares

    def begin(self, model: Any) -> None:
        """Gives all ranks the first one's weights and counts, which a callback may have read from a file."""
        compiled, optimizer = self.compiled, self.compiled.optimizer
        counts = (optimizer.iterations, compiled.epochs_trained, model.initial_epoch, optimizer.learning_rate)
        iterations, compiled.epochs_trained, model.initial_epoch, rate = self.ranks.told(counts)
        if iterations != optimizer.iterations:
            optimizer.iterations = iterations
        if rate != optimizer.learning_rate:
            optimizer.learning_rate = rate
        self.ranks.spread(compiled.weights.vector, compiled.slots)

    def goes_on(self, job: Job, stop: bool, interrupts: Held) -> bool:
        """Whether neither a callback nor Ctrl-C has ended the training on any rank; an interrupt is told to all.

        Raises if the ranks' weights differ.
        """
        pressed = interrupts.pressed
        rate = float(self.compiled.optimizer.learning_rate)
        found = self.ranks.agree([stop, pressed, rate, mark(job.parameters), mark(job.slots)])
        stop, pressed = (bool(column.any()) for column in found.T[:2])
        self.ranks.common |= pressed
        names = ("learning rate", "weights", "state of the optimizer")
        if not (found[:, 2:] == found[0, 2:]).all():
            self.ranks.compare(dict(zip(names, found[self.ranks.number, 2:].tolist(), strict=True)))
        if pressed and not interrupts.pressed:
            interrupts.take(signal.SIGINT, None)
        return not stop and not pressed

    def chunk(self, steps: int, sampled: bool) -> tuple[int, bool]:
        """How many steps come next, and whether they are sampled, as the first rank says."""
        steps, sampled = self.ranks.told((steps, sampled))
        return steps, sampled

    def forecast(self, executor: Executor, chunk: Chunk, job: Job, aloud: bool) -> None:
        """Prints what a step takes on other numbers of ranks, by some steps that are undone, if the first is aloud."""
        if self.ranks.told(aloud):
            assert isinstance(executor, RankedExecutor)
            text = str(Forecast.measured(self.ranks, executor, chunk, job))
            if self.ranks.first:
                out(text)


def digests(arrays: Mapping[str, Array]) -> dict[str, str]:
    """What is in each array, as a short text."""
    return {name: digest(array) for name, array in arrays.items()}


def mark(vector: Array) -> float:
    """A number that tells two vectors apart that differ in one element."""
    words = vector.view(np.uint32)
    return float(int(words.sum(dtype=np.uint64)) % (1 << 52))


def said(program: Program) -> str:
    """A short text for what a program computes."""
    lines = "\n".join(f"{type(i).__name__} {i.formula} {fields_of(i)}" for i in program)
    return digest(np.frombuffer(re.sub(" at 0x[0-9a-f]+", "", lines).encode(), np.uint8))
