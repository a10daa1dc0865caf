"""The arguments of every native function, and their layout.

Every kernel is a C function `void kernel(int64 *o, double *c, int64 *s, double *f)`:

- o: the operands (addresses) and the whole numbers that it asks for, in the order of its parameters,
- c: the real numbers,
- s: whole numbers, the state of the step, and f: its real numbers; kernels ask for them by the names below.

The parameters have names: see `compiler/parameters.py`.
"""

from __future__ import annotations

from thalweg.engine.native.layouts.record import Record


class State(Record):
    """The whole numbers of a step."""

    rows: int  # in this block
    first_row: int  # where the block starts in its batch
    batch_rows: int  # in the whole batch
    accumulate: int  # 1 if this lane has already written gradients (or, in the finish, norms) for the batch
    iteration: int  # steps, this one included
    order: int  # address of this block's row numbers, or 0: they are consecutive from `start` on
    start: int
    seed: int
    lane: int
    lanes: int
    first: int  # the stretch of the parameter vector that is worked on: up to before `after`
    after: int
    busy: int  # lanes that had a block of the batch: their gradients count
    update: int  # updates of the weights, this one included
    block: int  # rows of a whole block
    stride: int  # floats from one lane's workspace to the next in the finish; 0 before
    next: int  # address of the row numbers that this block will have in the next step, or 0


class Reals(Record):
    """The real numbers of a step."""

    learning_rate: float
    penalties: float  # the factor of the l1 and l2 penalties on weights
