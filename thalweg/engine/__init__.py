"""Engines execute programs: `native` is compiled; `reference` is readable NumPy, against which others are checked;
`jax` compiles the same references for accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.engine.contract import Engine, Executor, Job, aligned
from thalweg.engine.lanes import usable_lanes
from thalweg.support.lazily import lazily

if TYPE_CHECKING:
    from thalweg.engine.engines import ENGINES

__all__ = ["ENGINES", "Engine", "aligned", "make_executor", "training_soon", "usable_lanes"]


def make_executor(engine: str, job: Job) -> Executor:
    """The named engine, bound to a job."""
    from thalweg.engine.engines import ENGINES

    if job.program.turns:
        from thalweg.engine.turns import InTurn

        return InTurn(ENGINES[engine].executor, job)
    return ENGINES[engine].executor(job)


def training_soon() -> None:
    """Says that this process is about to train. If nothing was trained here yet, processes that compile start now."""
    from thalweg.engine.native.compiler.workers import hire
    from thalweg.engine.native.kernels.table import MACHINE

    hire(MACHINE)


lazily(__name__, {"ENGINES": "thalweg.engine.engines"})  # which know the passes: with the first model
