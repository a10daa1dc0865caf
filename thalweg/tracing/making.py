"""Makes a trace: one step followed, repeated with the new weights, and its gradients checked if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk, Job, mean_loss
from thalweg.engine.reference import ReferenceExecutor
from thalweg.losses import Loss, SumSquaredError
from thalweg.optimizers import SGD, Optimizer
from thalweg.program.ir.program import Program, changes
from thalweg.tracing.central import Check, check
from thalweg.tracing.following import Followed, Place, follow
from thalweg.tracing.step import Setting
from thalweg.tracing.step_trace import Trace


def trace(
    engine: str, job: Job, chunk: Chunk, places: Sequence[Place], setting: Setting, slots: int, plain: Job | None
) -> Trace:
    """The trace of a step of a job, whose parameters and slots it doesn't change.

    plain: the job of the same step for the reference engine in float64, if the gradients are to be checked.
    """

    def followed(parameters: Array) -> Followed:
        own = replace(job, parameters=parameters.copy(), slots=job.slots.copy())
        return follow(make_executor(engine, own), own, chunk, places, slots)

    step = followed(job.parameters)
    after = followed(step.after).loss
    weights = tuple(step.weights())
    found: Check | None = None
    if plain is not None:
        where = [(w, p.buffer.offset) for w, p in zip(weights, places, strict=True)]
        found = check(loss_of(plain, chunk), plain.parameters.copy(), where)
    return Trace(step.values, setting, tuple(step.steps()), weights, step.loss, after, found)


def loss_of(job: Job, chunk: Chunk) -> Callable[[Array], float]:
    """The loss of the step for any vector of weights, by the reference engine: forward alone, without what lasts."""
    program = Program([i for i in job.program.forward if not changes(i)])
    forward = replace(job, program=program, parameters=job.parameters.copy())
    executor = ReferenceExecutor(forward)

    def loss(vector: Array) -> float:
        forward.parameters[:] = vector
        outcome = executor.run(chunk)
        return float(mean_loss(outcome.records[0] if len(outcome.records) else outcome.totals))

    return loss


def setting_of(losses: Sequence[Loss | None], weighted: bool, optimizer: Optimizer, job: Job, engine: str) -> Setting:
    """What the step is a step of. `weighted`: whether rows or outputs have weights."""
    only = losses[0] if len(losses) == 1 else None
    half = isinstance(only, SumSquaredError) and only.half and not weighted
    return Setting(
        rows=job.rows,
        divisor=1 if getattr(only, "reduction", "") == "sum" else job.rows,
        iteration=optimizer.iterations,
        learning_rate=float(optimizer.learning_rate),
        optimizer=type(optimizer).__name__,
        plain=isinstance(optimizer, SGD) and not changed(optimizer),
        losses=tuple(None if loss is None else type(loss).__name__ for loss in losses),
        half_squared=half,
        engine=engine,
        dtype=np.dtype(job.parameters.dtype).name,
    )


def changed(optimizer: SGD) -> bool:
    """Whether its step is more than w −= learning rate·dW."""
    usual = SGD(0.01)
    return any(
        value != getattr(usual, name)
        for name, value in optimizer.get_config().items()
        if name not in ("name", "learning_rate") and hasattr(usual, name)
    )
