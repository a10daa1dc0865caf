"""The machine: whole chunks of an epoch in one native call. Every lane runs this same function on its own job.

A program is a table of rows [kernel, operands …, sizes …] of int64, and a table of constants. A step is: prepare, then
the blocks of rows that are this lane's, then collect; all lanes meet; then each lane sums, penalises and updates its
own share of the parameter vector; all lanes meet again.
"""

import math

import numba

from thalweg.engine.native.counter import shuffle
from thalweg.engine.native.llvm import (
    FLAGS,
    call,
    doubles,
    fetch_add,
    integers,
    load_acquire,
    pause,
    sched_yield,
)
from thalweg.engine.native.state import (
    ACCUMULATE,
    BATCH_ROWS,
    FIRST_ROW,
    ITERATION,
    LANE,
    LANES,
    LEARNING_RATE,
    ORDER,
    ROWS,
    SEED,
    START,
)
from thalweg.engine.native.updates import part, share

ROW_WIDTH = 16  # int64 in a row of the table: two cache lines
CONSTANTS = 4  # float64 in a row of the constants
SPINS = 2000  # turns of the spin loop before the core is given away

# Places in a job. PREPARE … FINISH count the instructions of each phase; the gathers come first among the rows.
(
    JOB_TABLE, JOB_CONSTANTS, JOB_STATE, JOB_REALS, JOB_PREPARE, JOB_GATHERS, JOB_ROWS, JOB_COLLECT, JOB_FINISH,
    JOB_LANE, JOB_LANES, JOB_DATA_ROWS, JOB_BATCH, JOB_BLOCK, JOB_EPOCH, JOB_FIRST_BATCH, JOB_STEPS, JOB_ITERATION,
    JOB_SEED, JOB_SHUFFLE, JOB_ORDER, JOB_TOTALS, JOB_TOTALS_SIZE, JOB_RECORDS, JOB_GRADIENTS, JOB_VECTOR,
    JOB_BARRIER, JOB_DONE, JOB_FINITE, JOB_LOSS, JOB_COUNTED,
) = range(31)  # fmt: skip
JOB_SIZE = 32


@numba.njit(**FLAGS)
def barrier(address, lanes):
    """Waits until every lane has come as often as this one: spinning first, then giving the core away."""
    if lanes == 1:
        return
    goal = (fetch_add(address, 1) // lanes + 1) * lanes
    turns = 0
    while load_acquire(address) < goal:
        turns += 1
        if turns < SPINS:
            pause()
        else:
            sched_yield()


@numba.njit(inline="always", **FLAGS)
def execute(job, first, after):
    """Calls the kernels of the table's rows first … after − 1."""
    for i in range(first, after):
        row = job[JOB_TABLE] + 8 * ROW_WIDTH * i
        call(
            integers(row, 1)[0],
            row + 8,
            job[JOB_CONSTANTS] + 8 * CONSTANTS * i,
            job[JOB_STATE],
            job[JOB_REALS],
        )


@numba.njit(**FLAGS)
def blocks(job, s, start, rows, gather):
    """Runs the rows phase on every block that is this lane's; returns whether there was one."""
    lane, lanes, block = job[JOB_LANE], job[JOB_LANES], job[JOB_BLOCK]
    begin = job[JOB_PREPARE] + (0 if gather else job[JOB_GATHERS])
    end = job[JOB_PREPARE] + job[JOB_ROWS]
    s[ACCUMULATE] = 0
    for first in range(lane * block, rows, lanes * block):
        s[ROWS] = min(block, rows - first)
        s[FIRST_ROW] = first
        s[START] = start + first
        s[ORDER] = job[JOB_ORDER] + 8 * (start + first) if job[JOB_ORDER] else 0
        execute(job, begin, end)
        s[ACCUMULATE] = 1
    return s[ACCUMULATE] == 1


@numba.njit(**FLAGS)
def sum_gradients(job, rows):
    """Adds the gradients of the other lanes to the first lane's, in this lane's share, always in the same order."""
    first, after = share(job[JOB_VECTOR], job[JOB_LANE], job[JOB_LANES])
    busy = min(job[JOB_LANES], (rows + job[JOB_BLOCK] - 1) // job[JOB_BLOCK])  # lanes that had a block
    result = part(job[JOB_GRADIENTS], first, after)
    for other in range(1, busy):
        addend = part(job[JOB_GRADIENTS] + 4 * other * job[JOB_VECTOR], first, after)
        for i in range(result.size):
            result[i] += addend[i]


@numba.njit(**FLAGS)
def record(job, epoch):
    """Writes the sums over all lanes as the record of an epoch that has ended, and clears them."""
    size = job[JOB_TOTALS_SIZE]
    totals = doubles(job[JOB_TOTALS], size * job[JOB_LANES])
    result = doubles(job[JOB_RECORDS] + 8 * size * epoch, size)
    for i in range(size):
        result[i] = 0.0
        for lane in range(job[JOB_LANES]):
            result[i] += totals[lane * size + i]
            totals[lane * size + i] = 0.0


@numba.njit(**FLAGS)
def loss_is_finite(job):
    """Every lane asks this between the same two barriers and gets the same answer."""
    size = job[JOB_TOTALS_SIZE]
    totals = doubles(job[JOB_TOTALS], size * job[JOB_LANES])
    result = 0.0
    for lane in range(job[JOB_LANES]):
        result += totals[lane * size + job[JOB_LOSS]]
    return math.isfinite(result)


def machine(o, c, s, f):
    """Runs a chunk. o: the job; c: a learning rate for each step; s and f: this lane's state."""
    job = o
    lane, lanes = job[JOB_LANE], job[JOB_LANES]
    n, batch = job[JOB_DATA_ROWS], job[JOB_BATCH]
    per_epoch = (n + batch - 1) // batch
    totals = doubles(job[JOB_TOTALS] + 8 * job[JOB_TOTALS_SIZE] * lane, job[JOB_TOTALS_SIZE])
    finish = job[JOB_PREPARE] + job[JOB_ROWS] + job[JOB_COLLECT]
    # When every batch is the whole data and fits one block, it is still in the workspace from the step before.
    stays = per_epoch == 1 and n <= job[JOB_BLOCK] * lanes
    s[SEED], s[LANE], s[LANES] = job[JOB_SEED], lane, lanes
    job[JOB_DONE], job[JOB_FINITE] = 0, 1
    recorded = 0

    for step in range(job[JOB_STEPS]):
        epoch = (job[JOB_FIRST_BATCH] + step) // per_epoch
        start = (job[JOB_FIRST_BATCH] + step) % per_epoch * batch
        rows = min(batch, n - start)
        if job[JOB_SHUFFLE] and (start == 0 or step == 0):
            if lane == 0:
                shuffle(integers(job[JOB_ORDER], n), job[JOB_SEED], job[JOB_EPOCH] + epoch)
            barrier(job[JOB_BARRIER], lanes)
        s[BATCH_ROWS] = rows
        s[ITERATION] = job[JOB_ITERATION] + step + 1
        f[LEARNING_RATE] = c[step]

        execute(job, 0, job[JOB_PREPARE])
        if blocks(job, s, start, rows, not stays or step == 0):
            execute(job, job[JOB_PREPARE] + job[JOB_ROWS], finish)
        barrier(job[JOB_BARRIER], lanes)
        if not loss_is_finite(job):
            job[JOB_FINITE] = 0
            return
        if lanes > 1 and job[JOB_VECTOR]:
            sum_gradients(job, rows)
        execute(job, finish, finish + job[JOB_FINISH])
        if lane == 0:
            totals[job[JOB_COUNTED]] += rows
        barrier(job[JOB_BARRIER], lanes)

        job[JOB_DONE] = step + 1
        if start + rows == n:
            if lane == 0:
                record(job, recorded)
            recorded += 1
            if not job[JOB_SHUFFLE]:
                barrier(job[JOB_BARRIER], lanes)  # nobody adds to the sums before they are cleared
