"""What prediction enters the machine with: where everything lies, and what an array has to be."""

# Places in a frame: the job; 1 while a call uses it; the first of the rows' instructions and the one after the last;
# the list of cells of the table that hold the address of X, how many they are and how many bytes a row of it has, and
# the same for Y; None; how many rows are too many; from how many on other threads of Python run meanwhile; NumPy's
# function that makes an array; what x has to be: its class, the type of its elements, its axes; and the axes of y.
# From X_SHAPE and Y_SHAPE on stand the lengths of the axes, of which the first, the rows, is filled in for y.
(
    JOB, TAKEN, FIRST, AFTER, X_CELLS, X_COUNT, X_BYTES, Y_CELLS, Y_COUNT, Y_BYTES, NONE, MANY, LONG, NEW, ARRAY,
    FLOATS, X_AXES, Y_AXES, X_SHAPE,
) = range(19)  # fmt: skip
MOST_AXES = 64  # that NumPy has
Y_SHAPE = X_SHAPE + MOST_AXES
SIZE = Y_SHAPE + MOST_AXES

# Where Python keeps an object's class, and NumPy what it knows of an array (PyArrayObject_fields): after what every
# Python object begins with.
DATA = object.__basicsize__
CLASS = DATA - 8
COUNT, DIMENSIONS, KIND, HOW = DATA + 8, DATA + 16, DATA + 40, DATA + 48
READY = 0x101  # in HOW: contiguous, and every element at a multiple of its size
