"""The compiled loop over the steps of a chunk."""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

from thalweg.engine.jax.devices import Devices
from thalweg.engine.jax.library import jax, jnp, lax
from thalweg.engine.jax.pieces import Array, Layout
from thalweg.engine.jax.traced_step import TracedStep
from thalweg.program.ir.instruction import (
    DATA,
    GRADIENTS,
    LOSS,
    NORMS,
    PARAMETERS,
    ROWS,
    SLOTS,
    TOTALS,
    WORKSPACE,
    StepState,
)
from thalweg.program.ir.program import Program


class Steps(NamedTuple):
    """What steps are given. Of each array there is an element for every step that a call has room for."""

    count: Any  # steps to do
    iteration: Any  # steps done before
    order: Any  # (steps, rows), the numbers of their rows in the data
    begins: Any  # (steps,), whether an epoch begins with it
    numbers: Any  # (steps, 2), the learning rate, and the factor of the penalties
    keys: Any  # (steps, streams, 2), of their random numbers


class Done(NamedTuple):
    """What they leave behind."""

    count: Array  # steps done, the one included whose loss isn't finite
    finite: Array
    parameters: Array
    slots: Array
    gradient: Array  # of the last step
    sums: Array  # (steps, totals), the running sums after each
    stored: dict[str, Array]  # the data that are written


class Loop:
    """A program's steps as one function, compiled once for each number of rows in a batch."""

    def __init__(self, program: Program, devices: Devices) -> None:
        self.program, self.devices = program, devices
        outputs = [b for i in program for b in i.outputs]
        self.streams = sorted({stream for i in program for stream in i.streams})
        self.stored = sorted({b.name for b in outputs if b.region == DATA})
        self.only_stores = {b.region for b in outputs} <= {DATA, WORKSPACE}
        self.norms = max((b.offset + b.size for b in program.buffers() if b.region == NORMS), default=0)
        self.run = jax.jit(self.steps, donate_argnums=(0, 1, 3), out_shardings=devices.everywhere)

    def steps(
        self,
        parameters: Array,
        slots: Array,
        data: dict[str, Array],
        stored: dict[str, Array],
        totals: Array,
        given: Steps,
    ) -> Done:
        """Up to `given.count` steps, until a loss isn't finite, whose step then changes nothing that lasts."""
        kind = parameters.dtype
        vectors = {
            PARAMETERS: parameters,
            SLOTS: slots,
            GRADIENTS: jnp.zeros(parameters.size, kind),
            TOTALS: totals,
            NORMS: jnp.zeros(self.norms),
        }
        layout = Layout(self.program, {region: vector.size for region, vector in vectors.items()})

        def body(carry: Any) -> Any:
            k, _, pieces, sums, stored = carry
            begun = {TOTALS: [jnp.where(given.begins[k], 0, piece) for piece in pieces[TOTALS]]}
            m = TracedStep(layout, pieces | begun, data | stored, self.state(given, k), kind, self.devices)
            finite = self.step(m)
            totals = jnp.concatenate(m.pieces[TOTALS]).at[ROWS].add(jnp.where(finite, m.step.rows, 0))
            m.pieces[TOTALS] = layout.cut(TOTALS, totals)
            return k + 1, finite, m.pieces, sums.at[k].set(totals), {name: m.data[name] for name in stored}

        pieces = {region: layout.cut(region, vector) for region, vector in vectors.items()}
        sums = jnp.zeros((len(given.order), totals.size))
        k, finite, pieces, sums, stored = lax.while_loop(
            lambda carry: (carry[0] < given.count) & carry[1],
            body,
            (jnp.int32(0), jnp.bool_(True), pieces, sums, stored),
        )
        whole = {r: jnp.concatenate([vectors[r][:0], *pieces[r]]) for r in (PARAMETERS, SLOTS, GRADIENTS)}
        return Done(k, finite, whole[PARAMETERS], whole[SLOTS], whole[GRADIENTS], sums, stored)

    def step(self, m: TracedStep) -> Array:
        """One step; returns whether its loss is finite."""
        every = self.program.every
        m.execute(self.program.computed())
        finite = jnp.isfinite(m.pieces[TOTALS][0][LOSS])
        before = {region: m.pieces[region] for region in (PARAMETERS, SLOTS)}
        for due, some in groupby(self.program.changes(), lambda i: i.due and every > 1):
            if due:
                m.execute_if(m.step.iteration % every == 0, list(some))
            else:
                m.execute(some)
        for region, olds in before.items():
            m.pieces[region] = [jnp.where(finite, new, old) for new, old in zip(m.pieces[region], olds, strict=True)]
        return finite

    def state(self, given: Steps, k: Array) -> StepState:
        done = given.iteration + k
        numbers: dict[str, Any] = {"iteration": done + 1, "update": done // self.program.every + 1}
        numbers |= {"learning_rate": given.numbers[k, 0], "penalties": given.numbers[k, 1], "order": given.order[k]}
        keys = {stream: (given.keys[k, n, 0], given.keys[k, n, 1]) for n, stream in enumerate(self.streams)}
        rows = given.order.shape[1]
        return StepState(rows=rows, batch_rows=rows, keys=keys, **numbers)
