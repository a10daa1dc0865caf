"""Engines execute programs: `native` is compiled; `reference` is readable NumPy, against which `native` is checked."""

from __future__ import annotations

from thalweg.engine.contract import Executor, Job, Target, aligned
from thalweg.engine.lanes import usable_lanes
from thalweg.engine.native.passes.pipeline import TARGET
from thalweg.program.plain import PLAIN

__all__ = ["TARGETS", "aligned", "make_executor", "usable_lanes"]

TARGETS = {"native": TARGET, "reference": Target(PLAIN)}


def make_executor(engine: str, job: Job) -> Executor:
    """The named engine, bound to a job. The compiler is loaded when the native engine is first used."""
    if engine == "reference":
        from thalweg.engine.reference import ReferenceExecutor

        return ReferenceExecutor(job)
    from thalweg.engine.native.runtime.executor import NativeExecutor

    return NativeExecutor(job)
