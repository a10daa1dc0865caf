"""Prediction that is prepared once: a call writes two addresses and a number of rows, and enters the machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from thalweg.engine.native import machine as m
from thalweg.engine.native.compile import address_of, compiled
from thalweg.engine.native.executor import NativeExecutor
from thalweg.engine.native.llvm import call, integers
from thalweg.engine.native.machine import machine
from thalweg.engine.work import Array, Job
from thalweg.program.program import Program

MOST_ROWS = 4096  # for which the workspace is planned; more go through it in blocks

# Places in a ticket: the machine, its four arguments, and the cells of the table that hold the addresses of X and Y.
MACHINE, JOB, RATES, STATE, REALS, X_CELL, Y_CELL = range(7)
READABLE = types.Array(types.float32, 1, "C", readonly=True)
WRITABLE = types.Array(types.float32, 1, "C")
TICKET = types.Array(types.int64, 1, "C")
SIGNATURES = tuple(types.void(TICKET, x, WRITABLE, types.int64) for x in (WRITABLE, READABLE))


def enter(ticket, x, y, rows):
    """Points the table at x and y and runs the machine for one step over these rows."""
    integers(ticket[X_CELL], 1)[0] = x.ctypes.data
    integers(ticket[Y_CELL], 1)[0] = y.ctypes.data
    job = integers(ticket[JOB], m.JOB_SIZE)
    job[m.JOB_DATA_ROWS] = rows
    job[m.JOB_BATCH] = rows
    call(ticket[MACHINE], ticket[JOB], ticket[RATES], ticket[STATE], ticket[REALS])


class NativePredictor:
    """One thread's own workspace and table for an inference program. Not for two threads at once."""

    def __init__(self, program: Program, parameters: Array, inputs: int, outputs: int) -> None:
        some = {"X": np.zeros((1, inputs), np.float32), "Y_pred": np.zeros((1, outputs), np.float32)}
        job = Job(program, some, MOST_ROWS, MOST_ROWS, parameters, parameters[:0])
        self.executor = executor = NativeExecutor(job)
        self.record = np.zeros(executor.totals.shape[1])
        self.rates = np.zeros(1)
        executor.jobs[0, [m.JOB_STEPS, m.JOB_RECORDS]] = 1, self.record.ctypes.data
        names = [i.kernel for i in executor.phases[1]]
        table, _ = executor.tables[0]
        first = len(executor.phases[0])  # the rows phase follows what is prepared
        self.ticket = np.array(
            [
                address_of(machine),
                executor.jobs.ctypes.data,
                self.rates.ctypes.data,
                *executor.state_of(0),
                table[first + names.index("gather"), 1:].ctypes.data,  # gather reads its first operand
                table[first + names.index("store"), 2:].ctypes.data,  # store writes its second
            ]
        )
        self.enter: Any = compiled(enter, SIGNATURES)

    def __call__(self, x: Array, y: Array) -> None:
        """Fills y (rows, …) with the outputs for x (rows, …); both contiguous float32."""
        self.enter(self.ticket, x.reshape(-1), y.reshape(-1), len(x))
