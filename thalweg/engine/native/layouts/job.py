"""The layout of the tables that the machine reads: a program's rows and constants, and a lane's job."""

from __future__ import annotations

from thalweg.engine.native.layouts.record import LINE, Record

ROW_WIDTH = 3 * LINE  # int64 in a row of the table
CONSTANTS = 12  # float64 in a row of the constants


class LaneJob(Record):
    """What the machine is told of a lane, and what it tells. A table's name stands for its address."""

    table: int
    constants: int
    state: int
    reals: int
    prepare: int  # instructions in each phase; the gathers come first among the rows
    gathers: int
    rows: int
    collect: int
    segments: int  # of the finish, three numbers each: instructions, whether sliced, whether due
    segment_count: int
    every: int  # so many steps, an update
    prepared: int  # whether the lanes share something that is prepared
    cuts: int  # the instructions of the rows phase before which all lanes meet; how many: `meetings`
    meetings: int
    itself: int  # the address of this job, which the next lanes' follow
    lane: int
    lanes: int  # in all; those that this process runs are its `own`, from `first_lane` on. Every process prepares what
    first_lane: int  # lanes share, and finishes the step, for all lanes
    own: int
    elsewhere: int  # 0, or a function that the first thread calls with the number of a meeting when all of the
    # process's lanes have come; it returns when they have what the other processes have computed
    data_rows: int
    batch: int
    block: int
    seed: int
    shuffle: int
    order: int
    epoch: int  # where the steps begin
    first_batch: int
    iteration: int
    steps: int
    done: int  # fewer than that if the loss isn't finite
    totals: int  # the running sums of all lanes
    totals_size: int  # of one lane's, with the gap to the next lane's; without it: `sums`
    sums: int
    records: int  # the sums of finished epochs
    losses: int  # two float64 for each step, this lane's sums of loss and penalty after it; 0 for none
    slices: int  # of the parameters that this lane finishes at a time: first, after, and how many floats before its
    slice_count: int  # regular place the gradient lies
    cells: int  # the addresses of the table's operands that point to gradients
    cell_count: int
    stride: int
    lines: int  # the addresses of the cache lines of weights that this lane updates; `each` of them are requested from
    line_count: int  # other cores before every instruction of the rows phase from `free` on, from where no lane reads
    each: int  # weights
    free: int
    shared: int  # what the threads communicate through: see below
    threads: int  # that may run the lanes in this call
    patience: int  # ticks for which the first thread waits for the others
    account: int  # of ticks: each step together adds `gain`, up to `most`; long waits are deducted; when it is
    gain: int  # overdrawn, the first thread dismisses the others
    most: int
    together: int  # steps
    ticks_together: int  # without long waits
    ticks_alone: int


# What the threads share, each number in a cache line of its own: a count of arrivals at meetings, the call of the first
# thread, and for each other lane's thread whether it has come.
MET, CALL, COME = 0, LINE, LINE  # COME + LINE·lane
DISMISSED = -1  # CALL: 0 (wait), step + 1 (begin at this step), or DISMISSED
HERE, CLOSED = 1, 2  # COME: added by the thread when it comes, and by the first when it no longer waits for it
