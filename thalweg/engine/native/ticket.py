"""What prediction enters the machine with: where everything lies, and what an array has to be."""

# Places in a ticket: the machine, its four arguments, and the cells of the table that hold the addresses of X and Y;
# then None, and what x has to be: the type of arrays, that of its elements, rows at most, axes, and from SHAPE on their
# lengths, of which the first isn't looked at. From LONG rows on other Python threads may run meanwhile.
MACHINE, JOB, RATES, STATE, REALS, X_CELL, Y_CELL, NONE, ARRAY, FLOATS, MOST, LONG, AXES, SHAPE = range(14)
SIZE = SHAPE + 64  # as many axes as NumPy has at most

# Where NumPy keeps what it knows of an array (PyArrayObject_fields): after what every Python object begins with, at the
# end of which is its type.
OBJECT = object.__basicsize__
TYPE, DATA, COUNT, DIMENSIONS, KIND, HOW = OBJECT - 8, OBJECT, OBJECT + 8, OBJECT + 16, OBJECT + 40, OBJECT + 48
CONTIGUOUS = 1  # in HOW
