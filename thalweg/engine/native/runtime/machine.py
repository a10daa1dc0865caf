"""The machine: runs whole chunks of an epoch in one native call, which every thread makes for the lanes it runs.

A program is a table of rows [kernel, operands and sizes …] of int64, and a table of constants. A step is, for each
lane: its share of what is prepared; all meet; this lane's blocks of rows (in segments between which all meet, if they
exchange something), then collect; all meet; the finish on the lane's own share of the parameter vector, in segments
between which all meet; all meet. What a lane computes doesn't depend on which thread runs it.

The first thread begins with all lanes; once all others have come, they join it between two steps. If other programs
hold the cores, it would wait for them again and again: then it dismisses them and continues alone.
"""

import math

from thalweg.engine.native.compiler.llvm import call, doubles, integers, take, ticks
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.layouts.job import CONSTANTS, ROW_WIDTH, LaneJob
from thalweg.engine.native.layouts.state import Reals, State
from thalweg.engine.native.linalg.hashing import shuffle
from thalweg.engine.native.runtime.denormals import flush_denormals, restore_denormals
from thalweg.engine.native.runtime.meeting import all_here, barrier, call_in, close, come, dismiss, dismissed, meet
from thalweg.program.ir.instruction import LOSS, PENALTY, ROWS


@inlined
def execute(job, first, after):
    """Calls the kernels of the table's rows first … after − 1."""
    for i in range(first, after):
        row = job.table + 8 * ROW_WIDTH * i
        call(integers(row, 1)[0], row + 8, job.constants + 8 * CONSTANTS * i, job.state, job.reals)


@inlined
def execute_and_take(job, first, after):
    """The same for rows of the backward phase. Before each kernel, it also requests a few cache lines of the weights
    that this lane updates afterwards from the other cores, which have read them; the kernel runs while they arrive."""
    each, count = job.each, job.line_count
    lines = integers(job.lines, count)
    for i in range(first, after):
        taken = (i - job.free) * each
        for n in range(taken, min(taken + each, count)):
            take(lines[n])
        execute(job, i, i + 1)


@inlined
def place(job, s, start):
    """Sets where in the data the next rows are."""
    s.start = start
    s.order = job.order + 8 * start if job.order else 0


@compiled
def blocks(job, threads, start, rows, begin, end):
    """Runs a segment of the rows phase on every block that is this lane's; returns whether there was one."""
    s, lanes, block = State(job.state), job.lanes, job.block
    s.accumulate = 0
    first = job.lane * block
    while first < rows:  # a range with a step begins with a division, which here takes as long as 30 numbers
        s.rows = min(block, rows - first)
        s.first_row = first
        place(job, s, start + first)
        follows = job.order and start + job.batch + first + s.rows <= job.data_rows
        s.next = s.order + 8 * job.batch if follows else 0
        takes = threads > 1 and first + lanes * block >= rows
        free = min(max(begin, job.free), end) if takes else end
        execute(job, begin, free)
        execute_and_take(job, free, end)
        s.accumulate = 1
        first += lanes * block
    return s.accumulate == 1


@compiled
def record(job, epoch):
    """Writes the sums over all lanes as the record of a finished epoch, and clears them."""
    size = job.sums
    result = doubles(job.records + 8 * size * epoch, size)
    for lane in range(job.lanes):
        totals = doubles(job.totals + 8 * job.totals_size * lane, size)
        for i in range(size):
            result[i] = result[i] + totals[i] if lane else totals[i]
        for i in range(size):
            totals[i] = 0.0


@compiled
def loss_is_finite(job):
    """Whether the loss is finite. Every thread checks between the same two barriers and gets the same answer."""
    size = job.totals_size
    totals = doubles(job.totals, size * job.lanes)
    result = 0.0
    for lane in range(job.lanes):
        result += totals[lane * size + LOSS]
    return math.isfinite(result)


@inlined
def job_of(job, k):
    """The job of the k-th lane from this thread's first lane on."""
    return LaneJob(job.itself + 8 * LaneJob.size * k)


@compiled
def prepare_of_lane(job, step, start, rows, learning_rate, penalties):
    """Sets the state of the step, and runs this lane's share of the prepare phase."""
    s, f = State(job.state), Reals(job.reals)
    s.stride = 0
    if step == 0 or rows != s.batch_rows:
        s.seed, s.lane, s.lanes = job.seed, job.lane, job.lanes
        s.batch_rows, s.block = rows, job.block
        s.busy = min(job.lanes, (rows + job.block - 1) // job.block)
    s.iteration = job.iteration + step + 1
    s.update = s.iteration if job.every == 1 else (s.iteration - 1) // job.every + 1
    f.learning_rate, f.penalties = learning_rate, penalties
    if job.prepared:
        place(job, s, start)
    if job.prepared or 0 <= job.lane - job.first_lane < job.own:
        execute(job, 0, job.prepare)


@compiled
def gradients(job, threads, start, rows, gather):
    """Forward and backward on the blocks of this thread's lanes, segment by segment; then all have met."""
    end = job.prepare + job.rows
    cuts = integers(job.cuts, job.meetings)
    begin = job.prepare + (0 if gather else job.gathers)
    for number in range(job.meetings + 1):
        last = number == job.meetings
        after = end if last else job.prepare + cuts[number]
        for k in range(job.own if threads == 1 else 1):
            one = job_of(job, k)
            if blocks(one, threads, start, rows, begin, after) and last:
                execute(one, end, end + one.collect)
        meet(job, threads, number)
        begin = after


@compiled
def move_gradients(job, back):
    """Moves the table's operands that are gradients back by this many floats."""
    cells = integers(job.cells, job.cell_count)
    for i in range(cells.size):
        integers(cells[i], 1)[0] -= 4 * back


@compiled
def segment_of_lane(job, first, after, sliced):
    """Runs instructions first … after − 1 of the finish: if sliced, on each slice of this lane's share; else once."""
    s = State(job.state)
    s.accumulate, s.stride = 0, job.stride
    if not sliced:
        execute(job, first, after)
        return
    slices = integers(job.slices, 3 * job.slice_count)
    for number in range(job.slice_count):
        s.first, s.after, back = slices[3 * number], slices[3 * number + 1], slices[3 * number + 2]
        move_gradients(job, back)
        execute(job, first, after)
        move_gradients(job, -back)
        s.accumulate = 1


@compiled
def finish(job, low, high, threads, iteration):
    """Runs penalties, the sum of the gradients and the update, on this thread's share of all lanes."""
    first = job.prepare + job.rows + job.collect
    segments = integers(job.segments, 3 * job.segment_count)
    for number in range(job.segment_count):
        count, sliced, due = segments[3 * number], segments[3 * number + 1], segments[3 * number + 2]
        if not due or job.every == 1 or iteration % job.every == 0:
            if number:
                barrier(job, threads)
            for k in range(low, high):
                segment_of_lane(job_of(job, k), first, first + count, sliced)
        first += count


@compiled
def note_losses(job, low, high, step):
    """Writes the running sums of a thread's share of the lanes after a step; no other has cleared or changed them."""
    for k in range(low, high):
        one = job_of(job, k)
        totals = doubles(one.totals + 8 * one.totals_size * one.lane, one.totals_size)
        place = doubles(one.losses + 16 * step, 2)
        place[0], place[1] = totals[LOSS], totals[PENALTY]


@compiled
def share_of_all(job, threads):
    """(low, high): the share of all lanes that this thread prepares and finishes for, counted from its first lane.

    Its own, unless other processes run lanes too."""
    if threads == 1:
        return -job.lane, job.lanes - job.lane
    place, lanes = job.lane - job.first_lane, job.lanes
    return lanes * place // threads - job.lane, lanes * (place + 1) // threads - job.lane


@compiled
def compute(job, c, step, threads, start, rows, gather):
    """A step on the rows from `start` on, this thread's part of it; returns whether the loss is finite."""
    low, high = share_of_all(job, threads)
    for k in range(low, high):
        prepare_of_lane(job_of(job, k), step, start, rows, c[2 * step], c[2 * step + 1])
    if job.prepared or job.elsewhere:  # then one thread prepares for another's lanes
        barrier(job, threads)
    gradients(job, threads, start, rows, gather)
    if not loss_is_finite(job):
        return False
    finish(job, low, high, threads, job.iteration + step + 1)
    if job.losses:
        note_losses(job, low, high, step)
    return True


@inlined
def note_ticks(job, threads, since):
    """Adds the ticks since then to those of one thread or of all; returns the clock."""
    now = ticks()
    if threads > 1:
        job.ticks_together += now - since
    else:
        job.ticks_alone += now - since
    return now


@compiled
def run(job, c, first, threads):
    """Runs the steps from `first` on, for this thread's lanes; returns how many threads ran the last step."""
    leads, n, batch = job.lane == job.first_lane, job.data_rows, job.batch
    per_epoch = (n + batch - 1) // batch
    # If every batch is the whole data set and fits one block per lane, it is still in the workspace from the last step.
    stays = per_epoch == 1 and n <= job.block * job.lanes
    job.done = first
    at = job.first_batch + first
    ended, start = 0, at % per_epoch * batch  # ended: epochs
    alone = threads == 1 and job.threads > 1  # alone so far, and waiting for the others
    since = ticks()

    for step in range(first, job.steps):
        if alone and all_here(job):
            since, alone, threads = note_ticks(job, threads, since), False, job.threads
            call_in(job, step)
        rows = min(batch, n - start)
        if job.shuffle and (start == 0 or step == 0):
            if leads:
                shuffle(integers(job.order, n), job.seed, job.epoch + at // per_epoch + ended)
            barrier(job, threads)
        if not compute(job, c, step, threads, start, rows, not stays or step == 0):
            break
        if leads:
            doubles(job.totals, job.totals_size)[ROWS] += rows
        leaves = leads and threads > 1 and job.account < 0
        if leaves:
            dismiss(job)
        barrier(job, threads)

        job.done = step + 1
        start += rows
        if start == n:
            if leads:
                record(job, ended)
            ended, start = ended + 1, 0
            barrier(job, threads)  # no thread adds to the sums before they are cleared
        if threads > 1:
            job.together += 1
            job.account = min(job.account + job.gain, job.most)
            if leaves:
                since, threads = note_ticks(job, threads, since), 1
            elif not leads and dismissed(job):
                return threads
    note_ticks(job, threads, since)
    return threads


def machine(o, c, s, f):
    """Runs a chunk, or on every thread but the first a part of it. o: the job of the thread's first lane; c: for each
    step the learning rate and the factor of the penalties."""
    job, before = LaneJob(o), flush_denormals()
    leads, first, threads = job.lane == job.first_lane, 0, 1
    if not leads:
        first, threads = come(job), job.threads
    if first >= 0:  # one call
        last = run(job, c, first, threads)
        if leads and last == 1 and job.threads > 1:
            close(job)
    restore_denormals(before)


@kernel
def alone(row, constants, state, reals):
    """Calls the kernel of a row of the table, as the machine does."""
    before = flush_denormals()
    call(integers(row, 1)[0], row + 8, constants, state, reals)
    restore_denormals(before)
