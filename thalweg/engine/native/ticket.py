"""What prediction enters the machine with: where everything lies, and what an array has to be."""

# Places in a ticket: the machine, its four arguments, and the cells of the table that hold the addresses of X and Y;
# then None; from how many rows on other threads of Python may run meanwhile; and what x has to be: the type of its
# elements, its axes, and from SHAPE on their lengths, of which the first isn't looked at.
MACHINE, JOB, RATES, STATE, REALS, X_CELL, Y_CELL, NONE, LONG, FLOATS, AXES, SHAPE = range(12)
SIZE = SHAPE + 64  # as many axes as NumPy has at most

# Where NumPy keeps what it knows of an array (PyArrayObject_fields): after what every Python object begins with.
DATA = object.__basicsize__
COUNT, DIMENSIONS, KIND, HOW = DATA + 8, DATA + 16, DATA + 40, DATA + 48
CONTIGUOUS = 1  # in HOW
