"""The frame with which prediction enters the machine: addresses, and what an array has to be."""

from __future__ import annotations

from thalweg.engine.native.layouts.record import Record


class PredictFrame(Record):
    """What a call needs. `x_cells`, `y_cells`: the table's cells that hold the address of X, and of Y."""

    job: int
    taken: int  # 1 while a call uses it
    first: int  # the instructions that are executed: up to before `after`
    after: int
    x_cells: int
    x_count: int
    x_bytes: int  # of a row
    y_cells: int
    y_count: int
    y_bytes: int
    none: int  # Python's None
    many: int  # rows: too many
    long: int  # rows from which on other Python threads may run meanwhile
    new: int  # NumPy's function that creates an array
    array: int  # the class, element type and number of axes that x must have
    floats: int
    x_axes: int
    x_shape: int
    y_axes: int
    y_shape: int  # whose first length, the rows, is filled in by the call


# Offsets of an object's class in Python, and of an array's fields in NumPy (PyArrayObject_fields), which follow the
# header of every Python object.
DATA = object.__basicsize__
CLASS = DATA - 8
COUNT, DIMENSIONS, KIND, HOW = DATA + 8, DATA + 16, DATA + 40, DATA + 48
READY = 0x101  # in HOW: contiguous, and every element at a multiple of its size
