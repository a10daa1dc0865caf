"""Engines execute programs: `native` is compiled; `reference` is NumPy, readable, and the measure of the other."""

from __future__ import annotations

from thalweg.engine.contract import Executor, Job, aligned
from thalweg.engine.lanes import usable_lanes

__all__ = ["aligned", "make_executor", "usable_lanes"]


def make_executor(engine: str, job: Job) -> Executor:
    """The named engine, bound to a job. The compiler is loaded when the native engine is first used."""
    if engine == "reference":
        from thalweg.engine.reference import ReferenceExecutor

        return ReferenceExecutor(job)
    from thalweg.engine.native.runtime.executor import NativeExecutor

    return NativeExecutor(job)
