"""Engines execute programs: `native` is compiled; `reference` is readable NumPy, against which `native` is checked."""

from __future__ import annotations

from thalweg.engine.contract import Engine, Executor, Job, aligned
from thalweg.engine.lanes import usable_lanes
from thalweg.engine.native.passes.pipeline import NATIVE
from thalweg.program.plain import PLAIN

__all__ = ["ENGINES", "Engine", "aligned", "make_executor", "usable_lanes"]


def reference(job: Job) -> Executor:
    from thalweg.engine.reference import ReferenceExecutor

    return ReferenceExecutor(job)


ENGINES = {"native": NATIVE, "reference": Engine(reference, PLAIN, ("float32", "float64"))}


def make_executor(engine: str, job: Job) -> Executor:
    """The named engine, bound to a job."""
    return ENGINES[engine].executor(job)
