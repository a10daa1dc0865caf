"""Engines execute programs: `native` is compiled; `reference` is readable NumPy, against which others are checked;
`jax` compiles the same references for accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.engine.contract import Engine, Executor, Job, aligned
from thalweg.engine.lanes import usable_lanes
from thalweg.support.lazily import lazily

if TYPE_CHECKING:
    from thalweg.engine.engines import ENGINES

MOST_EXECUTORS = 16  # that are kept, each with its memory
__all__ = ["ENGINES", "Engine", "Executors", "aligned", "make_executor", "usable_lanes"]


def make_executor(engine: str, job: Job) -> Executor:
    """The named engine, bound to a job."""
    from thalweg.engine.engines import ENGINES

    if job.program.turns:
        from thalweg.engine.turns import InTurn

        return InTurn(ENGINES[engine].executor, job)
    if job.states:
        from thalweg.engine.handed_on import HandedOn

        return HandedOn(ENGINES[engine], job)
    return ENGINES[engine].executor(job)


class Executors:
    """Executors of an engine, kept by their programs: for jobs whose batches need now this one, now that one."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.kept: dict[tuple[int, int], Executor] = {}  # by the program's id, which it holds, and the lanes

    def of(self, job: Job) -> Executor:
        """One that is bound to a job, without running sums."""
        key = id(job.program), job.lanes
        found = None if job.shuffle or job.ordered else self.kept.pop(key, None)  # these have an order for their rows
        if found is None or not found.rebind(job):
            found = make_executor(self.engine, job)
        found.restart()
        if len(self.kept) >= MOST_EXECUTORS:
            self.kept.pop(next(iter(self.kept)))
        self.kept[key] = found
        return found


lazily(__name__, {"ENGINES": "thalweg.engine.engines"})  # which know the passes: with the first model
