"""The machine: runs whole chunks of an epoch in one native call, which every thread makes for the lanes it runs.

A program is a table of rows [kernel, operands and sizes …] of int64, and a table of constants. A step is, for each
lane: its share of what is prepared; all meet; this lane's blocks of rows (in segments between which all meet, if they
exchange something), then collect; all meet; the finish on the lane's own share of the parameter vector, in segments
between which all meet; all meet. What a lane computes doesn't depend on which thread runs it.

The first thread begins with all lanes; once all others have come, they join it between two steps. If other programs
hold the cores, it would wait for them again and again: then it dismisses them and continues alone.
"""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import (
    call,
    doubles,
    fetch_add,
    integers,
    load_acquire,
    nap,
    pause,
    sched_yield,
    store_release,
    take,
    ticks,
)
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.layouts.job import (
    CALL,
    CLOSED,
    COME,
    CONSTANTS,
    DISMISSED,
    HERE,
    JOB_ACCOUNT,
    JOB_BARRIER,
    JOB_BATCH,
    JOB_BLOCK,
    JOB_CELL_COUNT,
    JOB_CELLS,
    JOB_COLLECT,
    JOB_CONSTANTS,
    JOB_COUNTED,
    JOB_CUTS,
    JOB_DATA_ROWS,
    JOB_DONE,
    JOB_EACH,
    JOB_ELSEWHERE,
    JOB_EPOCH,
    JOB_EVERY,
    JOB_FINITE,
    JOB_FIRST_BATCH,
    JOB_FIRST_LANE,
    JOB_FREE,
    JOB_GAIN,
    JOB_GATHERS,
    JOB_ITERATION,
    JOB_LANE,
    JOB_LANES,
    JOB_LINE_COUNT,
    JOB_LINES,
    JOB_LOSS,
    JOB_LOSSES,
    JOB_MEETINGS,
    JOB_MOST,
    JOB_ORDER,
    JOB_OWN,
    JOB_PATIENCE,
    JOB_PENALTY,
    JOB_PREPARE,
    JOB_PREPARED,
    JOB_REALS,
    JOB_RECORDS,
    JOB_ROWS,
    JOB_SEED,
    JOB_SEGMENT_COUNT,
    JOB_SEGMENTS,
    JOB_SELF,
    JOB_SHUFFLE,
    JOB_SIZE,
    JOB_SLICE_COUNT,
    JOB_SLICES,
    JOB_STATE,
    JOB_STEPS,
    JOB_STRIDE,
    JOB_SUMS,
    JOB_TABLE,
    JOB_THREADS,
    JOB_TICKS_ALONE,
    JOB_TICKS_TOGETHER,
    JOB_TOGETHER,
    JOB_TOTALS,
    JOB_TOTALS_SIZE,
    JOB_WAITED,
    MET,
    ROW_WIDTH,
    WORD,
)
from thalweg.engine.native.layouts.state import (
    ACCUMULATE,
    AFTER,
    BATCH_ROWS,
    BLOCK,
    BUSY,
    FIRST,
    FIRST_ROW,
    ITERATION,
    LANE,
    LANES,
    LEARNING_RATE,
    NEXT,
    ORDER,
    PENALTIES,
    REALS,
    ROWS,
    SEED,
    START,
    STATE,
    STRIDE,
    UPDATE,
)
from thalweg.engine.native.linalg.hashing import shuffle
from thalweg.engine.native.runtime.denormals import flush_denormals, restore_denormals

# Turns of the spin loop before the thread yields its core, and of yielding before it sleeps: the scheduler may leave a
# thread that has just woken on the core of one that yields, for some milliseconds, while another core is idle.
SPINS, YIELDS = 500, 200


@inlined
def wait(turns):
    """One turn of a loop that waits for another thread: first it spins, then it yields the core, then it sleeps."""
    if turns < SPINS:
        pause()
    elif turns < SPINS + YIELDS:
        sched_yield()
    else:
        nap()


@compiled
def barrier(o, threads):
    """Waits until every thread has arrived as often as this one, and counts the ticks of long waits."""
    if threads == 1:
        return
    met = o[JOB_BARRIER] + 8 * MET
    goal = (fetch_add(met, 1) // threads + 1) * threads
    turns, begin = 0, 0
    while load_acquire(met) < goal:
        turns += 1
        if turns == SPINS:
            begin = ticks()
        wait(turns)
    if turns >= SPINS:
        waited = ticks() - begin
        o[JOB_WAITED] += waited
        o[JOB_ACCOUNT] -= waited


@compiled
def meet(o, threads, number):
    """A meeting of all lanes, those of other processes too: how many have been in the step."""
    barrier(o, threads)
    if o[JOB_ELSEWHERE]:
        if o[JOB_LANE] == o[JOB_FIRST_LANE]:
            call(o[JOB_ELSEWHERE], number, 0, 0, 0)
        barrier(o, threads)


@compiled
def come(o):
    """On every thread but the first: reports that it has come; returns the step at which it begins, −1 if dismissed."""
    call = o[JOB_BARRIER] + 8 * CALL
    place = COME + WORD * (o[JOB_LANE] - o[JOB_FIRST_LANE])
    if fetch_add(o[JOB_BARRIER] + 8 * place, HERE) == CLOSED:
        return -1
    turns = 0
    while load_acquire(call) == 0:
        turns += 1
        wait(turns)
    said = load_acquire(call)
    return -1 if said == DISMISSED else said - 1


@compiled
def all_here(o):
    """On the first thread: whether the others have come. In each call, it waits for PATIENCE ticks at most."""
    begin = ticks()
    for lane in range(1, o[JOB_THREADS]):
        while load_acquire(o[JOB_BARRIER] + 8 * (COME + WORD * lane)) != HERE:
            if ticks() - begin >= o[JOB_PATIENCE]:
                o[JOB_PATIENCE] = 0
                return False
            pause()
    return True


@compiled
def dismiss(o):
    """Dismisses the threads that have come, and closes the call to the others, so that nobody waits for them."""
    for lane in range(1, o[JOB_THREADS]):
        fetch_add(o[JOB_BARRIER] + 8 * (COME + WORD * lane), CLOSED)
    store_release(o[JOB_BARRIER] + 8 * CALL, DISMISSED)


@inlined
def execute(job, first, after):
    """Calls the kernels of the table's rows first … after − 1."""
    for i in range(first, after):
        row = job[JOB_TABLE] + 8 * ROW_WIDTH * i
        call(integers(row, 1)[0], row + 8, job[JOB_CONSTANTS] + 8 * CONSTANTS * i, job[JOB_STATE], job[JOB_REALS])


@inlined
def execute_and_take(job, first, after):
    """The same for rows of the backward phase. Before each kernel, it also requests a few cache lines of the weights
    that this lane updates afterwards from the other cores, which have read them; the kernel runs while they arrive."""
    each, count = job[JOB_EACH], job[JOB_LINE_COUNT]
    lines = integers(job[JOB_LINES], count)
    for i in range(first, after):
        taken = (i - job[JOB_FREE]) * each
        for n in range(taken, min(taken + each, count)):
            take(lines[n])
        execute(job, i, i + 1)


@inlined
def place(job, s, start):
    """Sets where in the data the next rows are."""
    s[START] = start
    s[ORDER] = job[JOB_ORDER] + 8 * start if job[JOB_ORDER] else 0


@compiled
def blocks(job, s, threads, start, rows, begin, end):
    """Runs a segment of the rows phase on every block that is this lane's; returns whether there was one."""
    lane, lanes, block = job[JOB_LANE], job[JOB_LANES], job[JOB_BLOCK]
    s[ACCUMULATE] = 0
    first = lane * block
    while first < rows:  # a range with a step begins with a division, which here takes as long as 30 numbers
        s[ROWS] = min(block, rows - first)
        s[FIRST_ROW] = first
        place(job, s, start + first)
        follows = job[JOB_ORDER] and start + job[JOB_BATCH] + first + s[ROWS] <= job[JOB_DATA_ROWS]
        s[NEXT] = s[ORDER] + 8 * job[JOB_BATCH] if follows else 0
        takes = threads > 1 and first + lanes * block >= rows
        free = min(max(begin, job[JOB_FREE]), end) if takes else end
        execute(job, begin, free)
        execute_and_take(job, free, end)
        s[ACCUMULATE] = 1
        first += lanes * block
    return s[ACCUMULATE] == 1


@compiled
def record(job, epoch):
    """Writes the sums over all lanes as the record of a finished epoch, and clears them."""
    size = job[JOB_SUMS]
    result = doubles(job[JOB_RECORDS] + 8 * size * epoch, size)
    for lane in range(job[JOB_LANES]):
        totals = doubles(job[JOB_TOTALS] + 8 * job[JOB_TOTALS_SIZE] * lane, size)
        for i in range(size):
            result[i] = result[i] + totals[i] if lane else totals[i]
        for i in range(size):
            totals[i] = 0.0


@compiled
def loss_is_finite(job):
    """Whether the loss is finite. Every thread checks between the same two barriers and gets the same answer."""
    size = job[JOB_TOTALS_SIZE]
    totals = doubles(job[JOB_TOTALS], size * job[JOB_LANES])
    result = 0.0
    for lane in range(job[JOB_LANES]):
        result += totals[lane * size + job[JOB_LOSS]]
    return math.isfinite(result)


@inlined
def lane_job(o, k):
    """The job of the k-th lane from this thread's first lane on: the lanes' jobs are contiguous."""
    return integers(o[JOB_SELF] + 8 * JOB_SIZE * k, JOB_SIZE)


@compiled
def prepare_of_lane(job, step, start, rows, learning_rate, penalties):
    """Sets the state of the step, and runs this lane's share of the prepare phase."""
    s = integers(job[JOB_STATE], STATE)
    s[STRIDE] = 0
    if step == 0 or rows != s[BATCH_ROWS]:
        s[SEED], s[LANE], s[LANES] = job[JOB_SEED], job[JOB_LANE], job[JOB_LANES]
        s[BATCH_ROWS], s[BLOCK] = rows, job[JOB_BLOCK]
        s[BUSY] = min(job[JOB_LANES], (rows + job[JOB_BLOCK] - 1) // job[JOB_BLOCK])
    s[ITERATION] = job[JOB_ITERATION] + step + 1
    s[UPDATE] = s[ITERATION] if job[JOB_EVERY] == 1 else (s[ITERATION] - 1) // job[JOB_EVERY] + 1
    f = doubles(job[JOB_REALS], REALS)
    f[LEARNING_RATE], f[PENALTIES] = learning_rate, penalties
    if job[JOB_PREPARED]:
        place(job, s, start)
    if job[JOB_PREPARED] or 0 <= job[JOB_LANE] - job[JOB_FIRST_LANE] < job[JOB_OWN]:
        execute(job, 0, job[JOB_PREPARE])


@compiled
def gradients(o, mine, threads, start, rows, gather):
    """Forward and backward on the blocks of this thread's lanes, segment by segment."""
    prepare, end = o[JOB_PREPARE], o[JOB_PREPARE] + o[JOB_ROWS]
    cuts = integers(o[JOB_CUTS], o[JOB_MEETINGS])
    begin = prepare + (0 if gather else o[JOB_GATHERS])
    for number in range(o[JOB_MEETINGS] + 1):
        last = number == o[JOB_MEETINGS]
        after = end if last else prepare + cuts[number]
        for k in range(mine):
            job = lane_job(o, k)
            if blocks(job, integers(job[JOB_STATE], STATE), threads, start, rows, begin, after) and last:
                execute(job, end, end + job[JOB_COLLECT])
        if not last:
            meet(o, threads, number)
        begin = after


@compiled
def move_gradients(job, back):
    """Moves the table's operands that are gradients back by this many floats."""
    cells = integers(job[JOB_CELLS], job[JOB_CELL_COUNT])
    for i in range(cells.size):
        integers(cells[i], 1)[0] -= 4 * back


@compiled
def segment_of_lane(job, first, after, sliced):
    """Runs instructions first … after − 1 of the finish: if sliced, on each slice of this lane's share; else once."""
    s = integers(job[JOB_STATE], STATE)
    s[ACCUMULATE], s[STRIDE] = 0, job[JOB_STRIDE]
    if not sliced:
        execute(job, first, after)
        return
    slices = integers(job[JOB_SLICES], 3 * job[JOB_SLICE_COUNT])
    for number in range(job[JOB_SLICE_COUNT]):
        s[FIRST], s[AFTER], back = slices[3 * number], slices[3 * number + 1], slices[3 * number + 2]
        move_gradients(job, back)
        execute(job, first, after)
        move_gradients(job, -back)
        s[ACCUMULATE] = 1


@compiled
def finish(o, low, high, threads, iteration):
    """Runs penalties, the sum of the gradients and the update, on this thread's share of all lanes."""
    first = o[JOB_PREPARE] + o[JOB_ROWS] + o[JOB_COLLECT]
    segments = integers(o[JOB_SEGMENTS], 3 * o[JOB_SEGMENT_COUNT])
    for number in range(o[JOB_SEGMENT_COUNT]):
        count, sliced, due = segments[3 * number], segments[3 * number + 1], segments[3 * number + 2]
        if not due or o[JOB_EVERY] == 1 or iteration % o[JOB_EVERY] == 0:
            if number:
                barrier(o, threads)
            for k in range(low, high):
                segment_of_lane(lane_job(o, k), first, first + count, sliced)
        first += count


@compiled
def note_losses(o, low, high, step):
    """Writes the running sums of a thread's share of the lanes after a step; no other has cleared or changed them."""
    for k in range(low, high):
        job = lane_job(o, k)
        totals = doubles(job[JOB_TOTALS] + 8 * job[JOB_TOTALS_SIZE] * job[JOB_LANE], job[JOB_TOTALS_SIZE])
        place = doubles(job[JOB_LOSSES] + 16 * step, 2)
        place[0], place[1] = totals[job[JOB_LOSS]], totals[job[JOB_PENALTY]]


@compiled
def share_of_all(o, threads):
    """(low, high): the share of all lanes that this thread prepares and finishes for, counted from its first lane.

    Its own, unless other processes run lanes too."""
    place = o[JOB_LANE] - o[JOB_FIRST_LANE] if threads > 1 else 0
    lanes = o[JOB_LANES]
    return lanes * place // threads - o[JOB_LANE], lanes * (place + 1) // threads - o[JOB_LANE]


@compiled
def run(o, c, first, threads):
    """Runs the steps from `first` on, for this thread's lanes; returns how many threads ran the last step."""
    leads, mine = o[JOB_LANE] == o[JOB_FIRST_LANE], o[JOB_OWN] // threads
    low, high = share_of_all(o, threads)
    n, batch = o[JOB_DATA_ROWS], o[JOB_BATCH]
    per_epoch = (n + batch - 1) // batch
    # If every batch is the whole data set and fits one block per lane, it is still in the workspace from the last step.
    stays = per_epoch == 1 and n <= o[JOB_BLOCK] * o[JOB_LANES]
    o[JOB_DONE], o[JOB_FINITE] = first, 1
    at = o[JOB_FIRST_BATCH] + first
    recorded, epoch, start = np.int64(0), at // per_epoch, at % per_epoch * batch
    alone = threads == 1 and o[JOB_THREADS] > 1  # alone so far, and waiting for the others
    since = ticks()

    for step in range(first, o[JOB_STEPS]):
        if alone and all_here(o):
            now = ticks()
            o[JOB_TICKS_ALONE], since, alone = now - since, now, False
            threads, mine = o[JOB_THREADS], 1
            low, high = share_of_all(o, threads)
            store_release(o[JOB_BARRIER] + 8 * CALL, step + 1)
        rows = min(batch, n - start)
        if o[JOB_SHUFFLE] and (start == 0 or step == 0):
            if leads:
                shuffle(integers(o[JOB_ORDER], n), o[JOB_SEED], o[JOB_EPOCH] + epoch)
            barrier(o, threads)

        for k in range(low, high):
            prepare_of_lane(lane_job(o, k), step, start, rows, c[2 * step], c[2 * step + 1])
        if o[JOB_PREPARED] or o[JOB_ELSEWHERE]:  # then one thread prepares for another's lanes
            barrier(o, threads)
        gradients(o, mine, threads, start, rows, not stays or step == 0)
        meet(o, threads, o[JOB_MEETINGS])
        if not loss_is_finite(o):
            o[JOB_FINITE] = 0
            break
        finish(o, low, high, threads, o[JOB_ITERATION] + step + 1)
        if o[JOB_LOSSES]:
            note_losses(o, low, high, step)
        if leads:
            doubles(o[JOB_TOTALS], o[JOB_TOTALS_SIZE])[o[JOB_COUNTED]] += rows
        leaves = leads and threads > 1 and o[JOB_ACCOUNT] < 0
        if leaves:
            store_release(o[JOB_BARRIER] + 8 * CALL, DISMISSED)
        barrier(o, threads)

        o[JOB_DONE] = step + 1
        start += rows
        if start == n:
            if leads:
                record(o, recorded)
            recorded, epoch, start = recorded + 1, epoch + 1, 0
            barrier(o, threads)  # no thread adds to the sums before they are cleared
        if threads > 1:
            o[JOB_TOGETHER] += 1
            o[JOB_ACCOUNT] = min(o[JOB_ACCOUNT] + o[JOB_GAIN], o[JOB_MOST])
            if leaves:
                now = ticks()
                o[JOB_TICKS_TOGETHER], since = now - since, now
                threads, mine = 1, o[JOB_OWN]
                low, high = share_of_all(o, threads)
            elif not leads and load_acquire(o[JOB_BARRIER] + 8 * CALL) == DISMISSED:
                return threads
    if threads > 1:
        o[JOB_TICKS_TOGETHER] += ticks() - since
    else:
        o[JOB_TICKS_ALONE] += ticks() - since
    return threads


def machine(o, c, s, f):
    """Runs a chunk, or on every thread but the first a part of it. o: the job of the thread's first lane; c: for each
    step the learning rate and the factor of the penalties."""
    before = flush_denormals()
    first, threads = 0, 1
    leads = o[JOB_LANE] == o[JOB_FIRST_LANE]
    if not leads:
        first, threads = come(o), o[JOB_THREADS]
    if first >= 0:  # one call
        last = run(o, c, first, threads)
        if leads and last == 1 and o[JOB_THREADS] > 1:
            dismiss(o)
    restore_denormals(before)
