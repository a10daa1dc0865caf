"""The layout of the tables that the machine reads: a program's rows and constants, and a lane's job."""

from __future__ import annotations

from thalweg.engine.native.layouts.record import LINE, Record

ROW_WIDTH = 3 * LINE  # int64 in a row of the table
CONSTANTS = 12  # float64 in a row of the constants


class LaneJob(Record):
    """What the machine is told of a lane, and what it tells. Addresses of tables have the tables' names."""

    # the program: its table's rows, and how many of them each phase has
    table: int
    constants: int
    state: int
    reals: int
    prepare: int
    gathers: int  # the first ones of the rows phase
    rows: int
    collect: int
    segments: int  # of the finish, three numbers each: instructions, whether sliced, whether due
    segment_count: int
    every: int  # so many steps, an update
    prepared: int  # whether the lanes share something that is prepared
    cuts: int  # the instructions of the rows phase before which all lanes meet, and whose number is `meetings`
    meetings: int

    # the lanes: all of them, and those of this process, which other processes have the rest of
    itself: int  # the address of this job, which those of the next lanes follow
    lane: int
    lanes: int
    first_lane: int
    own: int
    elsewhere: int  # a function that the first thread calls with a meeting's number, once all of the process's lanes
    # have come; it returns when they have what the others have computed. All processes prepare and finish for all lanes

    # the data, and the part of the training that is run
    data_rows: int
    batch: int
    block: int
    seed: int
    shuffle: int
    order: int
    epoch: int
    first_batch: int
    steps: int
    iteration: int
    done: int  # steps
    finite: int  # whether the loss is

    # sums
    totals: int  # of all lanes
    totals_size: int  # of a lane's, with the gap to the next lane's
    sums: int  # without the gap
    records: int  # of epochs
    losses: int  # of each step, two float64: this lane's running sums of loss and penalty after it; 0 for none

    # the lane's share of the finish
    slices: int  # of the parameter vector, three numbers each: first, after, how many floats `back` the gradient lies
    slice_count: int
    cells: int  # the addresses of the table's operands that point to gradients
    cell_count: int
    stride: int
    lines: int  # the addresses of the cache lines of weights that this lane updates
    line_count: int
    each: int  # so many are requested from other cores before every instruction of the rows phase …
    free: int  # … from this one in the table on, from where no lane reads weights

    # the threads, in ticks of the clock
    shared: int  # what they communicate through, see below
    threads: int  # how many may run the lanes in this call
    patience: int  # for which the first waits for the others to come
    account: int  # of the first: each step together adds `gain`, up to `most`; long waits are deducted, and when it is
    gain: int  # overdrawn, the others are dismissed
    most: int
    waited: int  # in all long waits
    together: int  # steps
    ticks_together: int
    ticks_alone: int


# What the threads share, each number in a cache line of its own: a count of arrivals at meetings, the call of the first
# thread, and for each other lane's thread whether it has come.
MET, CALL, COME = 0, LINE, LINE  # COME + LINE·lane
DISMISSED = -1  # CALL: 0 (wait), step + 1 (begin at this step), or DISMISSED
HERE, CLOSED = 1, 2  # COME: added by the thread when it comes, and by the first when it no longer waits for it
