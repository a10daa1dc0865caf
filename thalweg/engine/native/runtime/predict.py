"""Prediction prepared in advance: a call writes two addresses and a number of rows, and executes the instructions."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

import numpy as np

from thalweg.engine.contract import Array, Job
from thalweg.engine.native.compiler.compile import address_of
from thalweg.engine.native.kernels.table import ENTER
from thalweg.engine.native.layouts.predict_frame import PredictFrame
from thalweg.engine.native.layouts.state import State
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.native.runtime.table_rows import cells
from thalweg.program.instructions.batches import Gather, Store
from thalweg.program.ir.instruction import Buffer
from thalweg.program.ir.program import Program
from thalweg.support.once import once

MOST_ROWS = 4096  # for which the workspace is planned; larger inputs go through it in blocks
FLOAT = np.dtype(np.float32)
Shape = tuple[int, ...]


class Definition(ctypes.Structure):
    """Python's PyMethodDef."""

    _fields_ = [("name", ctypes.c_char_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


ONE_ARGUMENT = 0x8  # METH_O
new_method = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


@once
def definition() -> Definition:
    """The definition of the method `enter`, kept for ever because methods refer to it."""
    return Definition(b"enter", address_of(ENTER), ONE_ARGUMENT, None)


@once
def maker_of_arrays() -> int:
    """The address of NumPy's PyArray_NewFromDescr, from the table of NumPy's C API."""
    table = ctypes.pythonapi.PyCapsule_GetPointer
    table.restype, table.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    core = importlib.import_module("numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core")
    start = table(core._multiarray_umath._ARRAY_API, None)
    return int(ctypes.c_void_p.from_address(start + 94 * ctypes.sizeof(ctypes.c_void_p)).value or 0)


class NativePredictor:
    """A workspace and a table for an inference program, and the method `enter`. One thread uses it at a time."""

    def __init__(
        self, program: Program, parameters: Array, inputs: Shape, outputs: Shape, many: int, long: int
    ) -> None:
        """many: rows from which on `enter` refuses; long: rows from which on other Python threads may run meanwhile."""
        some = {"X": np.zeros((1, *inputs), FLOAT), "Y_pred": np.zeros((1, *outputs), FLOAT)}
        job = Job(program, some, MOST_ROWS, MOST_ROWS, parameters, parameters[:0])
        self.executor = executor = NativeExecutor(job)
        memory = State(executor.states[0])
        memory.lanes, memory.busy, memory.block = 1, 1, executor.memories[0].block
        first, after, x_cells, y_cells = self.cells()
        held = [np.array(each, np.int64) for each in (x_cells, [0, *inputs], y_cells, [0, *outputs])]
        self.held = held  # what the frame points to
        self.frame = np.zeros(PredictFrame.size, np.int64)
        frame = PredictFrame(self.frame)
        frame.job, frame.first, frame.after = executor.jobs[0].itself, first, after
        frame.x_cells, frame.x_shape, frame.y_cells, frame.y_shape = (each.ctypes.data for each in held)
        frame.x_count, frame.x_bytes, frame.x_axes = len(x_cells), some["X"].nbytes, 1 + len(inputs)
        frame.y_count, frame.y_bytes, frame.y_axes = len(y_cells), some["Y_pred"].nbytes, 1 + len(outputs)
        frame.none, frame.many, frame.long, frame.new = id(None), many, long, maker_of_arrays()
        frame.array, frame.floats = id(np.ndarray), id(FLOAT)
        self.enter: Any = new_method(ctypes.addressof(definition()), self.frame, None)

    def cells(self) -> tuple[int, int, list[int], list[int]]:
        """The table's rows to execute (first, after), and the addresses of the cells that point to x and to y.

        The batch isn't gathered, nor the result stored: the instructions in between use the caller's arrays directly.
        Only if nothing is computed, the result is stored.
        """
        program, (table, _) = self.executor.phases[1], self.executor.tables[0]
        gather, store = program[0], program[-1]
        assert isinstance(gather, Gather)
        assert isinstance(store, Store)
        begin = len(self.executor.phases[0])
        x, y = gather.x.storage, store.y.storage
        last = len(program) if x is y else len(program) - 1
        if x is y:
            y = store.Y

        def holding(buffer: Buffer) -> list[int]:
            return [
                table[begin + row, column:].ctypes.data
                for row in range(1, last)
                for column, operand in cells(program[row])
                if operand.storage is buffer
            ]

        return begin + 1, begin + last, holding(x), holding(y)
