"""The frame with which prediction enters the machine: addresses, and what an array has to be."""

# Indices in a frame: the job; 1 while a call uses it; the first instruction of the rows phase and the one after the
# last; the list of the table's cells that hold the address of X, their number and the bytes in a row of X, and the same
# for Y; None; how many rows are too many; from how many rows on other Python threads may run meanwhile; NumPy's
# function that creates an array; x's required class, element type and number of axes; and the number of axes of y.
# The lengths of the axes start at X_SHAPE and Y_SHAPE; the first of y, the rows, is filled in by the call.
(
    JOB, TAKEN, FIRST, AFTER, X_CELLS, X_COUNT, X_BYTES, Y_CELLS, Y_COUNT, Y_BYTES, NONE, MANY, LONG, NEW, ARRAY,
    FLOATS, X_AXES, Y_AXES, X_SHAPE,
) = range(19)  # fmt: skip
MOST_AXES = 64  # NumPy's limit
Y_SHAPE = X_SHAPE + MOST_AXES
SIZE = Y_SHAPE + MOST_AXES

# Offsets of an object's class in Python, and of an array's fields in NumPy (PyArrayObject_fields), which follow the
# header of every Python object.
DATA = object.__basicsize__
CLASS = DATA - 8
COUNT, DIMENSIONS, KIND, HOW = DATA + 8, DATA + 16, DATA + 40, DATA + 48
READY = 0x101  # in HOW: contiguous, and every element at a multiple of its size
