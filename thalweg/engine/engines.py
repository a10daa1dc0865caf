"""All engines by their names, with the passes of each."""

from __future__ import annotations

from typing import Any

from thalweg.engine.contract import Engine, Executor, Job
from thalweg.engine.native.passes.image_columns import LEAST_ROWS
from thalweg.engine.native.passes.input_split import splits
from thalweg.engine.native.passes.pipeline import PIPELINE
from thalweg.engine.native.scheduling.blocks import most_lanes
from thalweg.engine.native.scheduling.phases import plan
from thalweg.program.ir.instruction import Instruction
from thalweg.program.plain import PLAIN


def origin(i: Instruction) -> str:
    from thalweg.engine.native.kernels import table

    return table.origin(i)


def native_executor(job: Job) -> Executor:
    """The compiler is loaded only now."""
    if job.ranks is not None:
        from thalweg.engine.ranks.ranked_executor import RankedExecutor

        return RankedExecutor(job)
    from thalweg.engine.native.runtime.executor import NativeExecutor

    return NativeExecutor(job)


def predictor(*arguments: Any) -> Any:
    from thalweg.engine.native.runtime.predict import NativePredictor

    return NativePredictor(*arguments)


def reference_executor(job: Job) -> Executor:
    from thalweg.engine.reference import ReferenceExecutor

    return ReferenceExecutor(job)


def jax_executor(job: Job) -> Executor:
    from thalweg.engine.jax.chunks import JaxExecutor

    return JaxExecutor(job)


def steps_with_jax() -> int | None:
    from thalweg.engine.jax.devices import steps_together

    return steps_together()


# A predictor's method reads Python's objects itself, and knows the usual layout: not that of a free-threaded Python.
USUAL_OBJECTS = object.__basicsize__ == 16
ENGINES = {
    "native": Engine(
        native_executor,
        PIPELINE,
        ("float32",),
        predictor if USUAL_OBJECTS else None,
        most_lanes,
        LEAST_ROWS,
        splits,
        plan,
        origin,
    ),
    "reference": Engine(reference_executor, PLAIN, ("float32", "float64")),
    "jax": Engine(
        jax_executor, PLAIN, ("float32", "float64"), package="jax", stores_at_once=False, steps_together=steps_with_jax
    ),
}
