"""Prediction that is prepared once: a call writes two addresses and a number of rows, and enters the machine."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from thalweg.engine.native import layout as m
from thalweg.engine.native import ticket as t
from thalweg.engine.native.compile import Kernel, address_of
from thalweg.engine.native.executor import NativeExecutor
from thalweg.engine.native.kernels import MACHINE
from thalweg.engine.work import Array, Job
from thalweg.program.program import Program

MOST_ROWS = 4096  # for which the workspace is planned; more go through it in blocks
FLOAT = np.dtype(np.float32)
Shape = tuple[int, ...]
ENTER = Kernel("entrance", "enter", method=True)


class Definition(ctypes.Structure):
    """Python's PyMethodDef."""

    _fields_ = [("name", ctypes.c_char_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


FASTCALL = 0x80  # arguments as an array
new_method = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


@cache
def definition() -> Definition:
    """Of the method `enter`; methods that are made of it refer to it for ever."""
    return Definition(b"enter", address_of(ENTER), FASTCALL, None)


class NativePredictor:
    """One thread's own workspace and table for an inference program. Not for two threads at once."""

    def __init__(self, program: Program, parameters: Array, inputs: Shape, outputs: Shape, long: int) -> None:
        """long: rows from which on other threads of Python run meanwhile."""
        some = {"X": np.zeros((1, *inputs), FLOAT), "Y_pred": np.zeros((1, *outputs), FLOAT)}
        job = Job(program, some, MOST_ROWS, MOST_ROWS, parameters, parameters[:0])
        self.executor = executor = NativeExecutor(job)
        self.record = np.zeros(executor.totals.shape[1])
        self.rates = np.zeros(1)
        executor.jobs[0, [m.JOB_STEPS, m.JOB_RECORDS]] = 1, self.record.ctypes.data
        names = [i.kernel for i in executor.phases[1]]
        table, _ = executor.tables[0]
        first = len(executor.phases[0])  # the rows phase follows what is prepared
        self.ticket = np.zeros(t.SIZE, np.int64)
        places = {
            t.MACHINE: address_of(MACHINE),
            t.JOB: executor.jobs.ctypes.data,
            t.RATES: self.rates.ctypes.data,
            t.STATE: executor.state_of(0)[0],
            t.REALS: executor.state_of(0)[1],
            t.X_CELL: table[first + names.index("gather"), 1:].ctypes.data,  # gather reads its first operand
            t.Y_CELL: table[first + names.index("store"), 2:].ctypes.data,  # store writes its second
            t.NONE: id(None),
            t.FLOATS: id(FLOAT),
            t.LONG: long,
            t.AXES: 1 + len(inputs),
            **{t.SHAPE + 1 + axis: size for axis, size in enumerate(inputs)},
        }
        self.ticket[list(places)] = list(places.values())
        self.enter: Any = new_method(ctypes.addressof(definition()), self.ticket, None)
        self.outputs, self.shape = outputs, (1, *outputs)

    def __call__(self, x: Array) -> Array | None:
        """The outputs for an array's rows; None unless it is contiguous, of the network's inputs, in float32."""
        if len(x) != self.shape[0]:
            self.shape = (len(x), *self.outputs)
        result: Array | None = self.enter(x, np.empty(self.shape, FLOAT))
        return result
