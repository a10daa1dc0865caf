"""The arguments of every native function, and their layout.

Every kernel is a C function `void kernel(int64 *o, double *c, int64 *s, double *f)`:

- o: the operands (addresses) and the whole numbers that it asks for, in the order of its parameters,
- c: the real numbers,
- s: whole numbers, the state of the step; the names below are their indices, and in lower case those by which kernels
  ask for them,
- f: real numbers of the step.

The parameters have names: see `compiler/parameters.py`.
"""

ROWS = 0  # rows in this block
FIRST_ROW = 1  # where the block starts in its batch
BATCH_ROWS = 2  # rows in the whole batch
ACCUMULATE = 3  # 1 if this lane has already written gradients (or, in the finish, norms) for the batch
ITERATION = 4  # steps, this one included
ORDER = 5  # address of this block's row numbers, or 0: they are consecutive from START on
START = 6
SEED = 7
LANE = 8
LANES = 9
FIRST, AFTER = 10, 11  # the stretch of the parameter vector that is worked on
BUSY = 12  # lanes that had a block of the batch: their gradients count
UPDATE = 13  # updates of the weights, this one included
BLOCK = 14  # rows of a whole block
STRIDE = 15  # floats from one lane's workspace to the next in the finish; 0 before
NEXT = 16  # address of the row numbers that this block will have in the next step, or 0
STATE = 24  # their number, rounded up to whole cache lines so that lanes don't share one

LEARNING_RATE = 0
PENALTIES = 1  # the factor of the l1 and l2 penalties on weights
REALS = 8
