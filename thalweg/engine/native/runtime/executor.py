"""The native engine: links a program to addresses once, then runs whole chunks in one call on every lane."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import NamedTuple

import numpy as np

from thalweg.engine.contract import Array, Chunk, Job, Outcome, added, aligned
from thalweg.engine.native.compiler.compile import callable_of, prepare
from thalweg.engine.native.compiler.system import ticks_a_second
from thalweg.engine.native.kernels.table import ALONE, MACHINE, kernels_of
from thalweg.engine.native.layouts.job import CALL, CLOSED, COME, DISMISSED, ROW_WIDTH, LaneJob
from thalweg.engine.native.layouts.record import LINE
from thalweg.engine.native.layouts.regions import EXCHANGE, PREPARED
from thalweg.engine.native.layouts.state import Reals, State
from thalweg.engine.native.runtime.linking import Memory, link
from thalweg.engine.native.runtime.partition import first_free, lines, slices
from thalweg.engine.native.runtime.table_rows import cells
from thalweg.engine.native.runtime.threads import Part, ThreadPolicy
from thalweg.engine.native.scheduling.blocks import block_of, shared_gradients
from thalweg.engine.native.scheduling.phases import finish_of, overlaps, phases_of
from thalweg.engine.native.scheduling.schedule import schedule_of
from thalweg.engine.native.scheduling.traits import OwnInputs
from thalweg.errors import ArgumentError
from thalweg.program.instructions.batches import Gather
from thalweg.program.ir.alignment import ALIGNMENT, align
from thalweg.program.ir.instruction import DATA, GRADIENTS, LOSS, NORMS, PENALTY, ROWS, TOTALS, WORKSPACE, Instruction


class Share(NamedTuple):
    """The part of a job that this process runs, if others run the rest. Then these sum up the gradients of all lanes.

    Attributes:
        lanes: those of this process.
        meeting: the address of a function that the machine calls when they have come to a meeting, with its number.
    """

    lanes: range
    meeting: int


class NativeExecutor:
    """Runs a job with compiled kernels, on one or more lanes; or a share of its lanes."""

    def __init__(self, job: Job, share: Share | None = None) -> None:
        if job.parameters.dtype != np.float32:
            raise ArgumentError(f"the native engine computes in float32, not {job.parameters.dtype}")
        self.job = job
        self.own, self.elsewhere = share or Share(range(job.lanes), 0)
        self.threads = ThreadPolicy(len(self.own), job.program.flops(job.batch))
        self.process = os.getpid()  # the process that owns the pool's threads
        self.pool: ThreadPoolExecutor | None = None
        self.others: list[Future[None]] = []  # threads that may still be about to enter the machine
        self.schedule = schedule = schedule_of(job.program)
        self.shared_gradients = [] if share else shared_gradients(schedule, job.batch, job.lanes)
        self.segments = finish_of(schedule, 1 if share else job.lanes, self.shared_gradients)
        self.phases = phases_of(schedule, job.lanes, self.segments)
        self.watched = False  # whether the gradients of the last call were kept
        prepare(frozenset([MACHINE, *(k for phase in self.phases for k in kernels_of(phase))]))
        self.run_lanes = callable_of(MACHINE)
        self.allocate()
        self.share_out()
        self.link_tables()
        self.tell()

    def allocate(self) -> None:
        """Allocates the memory of all lanes, and what the machine keeps for each."""
        job, schedule, lanes, block = self.job, self.schedule, self.job.lanes, block_of(self.job)
        vector, plan = align(job.parameters.size) if job.program.backward else 0, schedule.plan
        self.gradients = aligned(lanes * vector).reshape(lanes, vector)
        self.norms = aligned(lanes * schedule.norms, np.float64)
        self.totals = np.zeros((lanes, align(job.totals)), np.float64)
        self.order = np.zeros(job.rows if (job.shuffle or job.ordered) and not job.one_batch else 0, np.int64)
        self.shared = aligned(COME + LINE * lanes, np.int64)  # through which the threads communicate
        self.states = aligned(lanes * State.size, np.int64).reshape(lanes, -1)
        self.reals = aligned(lanes * Reals.size, np.float64).reshape(lanes, -1)
        jobs = aligned(lanes * LaneJob.size, np.int64).reshape(lanes, -1)
        self.jobs, self.all_jobs = [LaneJob(own) for own in jobs], LaneJob(jobs.T)
        stride = align(plan.row * block) + plan.once + ALIGNMENT  # its address isn't round
        workspaces = aligned(lanes * stride).reshape(lanes, stride)
        common = {PREPARED: aligned(plan.prepared), EXCHANGE: aligned(lanes * plan.exchange), NORMS: self.norms}
        own = zip(workspaces, self.gradients, self.totals, strict=True)
        self.memories = [
            Memory(job, schedule, block, common | {WORKSPACE: w, GRADIENTS: g, TOTALS: t}) for w, g, t in own
        ]

    def share_out(self) -> None:
        """Determines where the lanes meet, and which part of the finish each does."""
        job, lanes, met = self.job, range(self.job.lanes), self.schedule.meetings
        self.cuts = np.array([n for n, i in enumerate(self.phases[1]) if any(i is other for other in met)], np.int64)
        self.finish_cuts = np.array([(len(s.instructions), s.sliced, s.due) for s in self.segments], np.int64)
        shared, sparse = self.shared_gradients, self.schedule.sparse_gradients
        read_again = sum(any(overlaps(i, shared) for i in s.instructions) for s in self.segments) > 1
        self.slices = [slices(job.parameters.size, shared, lane, job.lanes, read_again, sparse) for lane in lanes]
        self.moves = [own[:, 2].copy() for own in self.slices]
        self.lines = [lines(job.parameters, own, shared) for own in self.slices]

    def link_tables(self) -> None:
        """Links the tables, and notes which of their cells are rewritten later, because the addresses change."""
        self.tables = [link(self.phases, memory, self.memories[0]) for memory in self.memories]
        every = [(n, column, b) for n, i in enumerate(chain(*self.phases)) for column, b in cells(i)]
        self.data_cells = [cell for cell in every if cell[2].region == DATA]  # with addresses of the caller's arrays
        finish = sum(map(len, self.phases[:3]))
        moved = GRADIENTS if self.shared_gradients else None
        # The finish's operands that are gradients, if some gradients are moved.
        places = [n * ROW_WIDTH + column for n, column, b in every if n >= finish and b.region == moved]
        self.cells = [table.ctypes.data + 8 * np.array(places, np.int64) for table, _ in self.tables]

    def tell(self) -> None:
        """Writes into the lanes' jobs what stays as it is, first what all have in common."""
        job, jobs, free = self.job, self.all_jobs, first_free(self.phases[1])
        jobs.prepare, jobs.rows, jobs.collect = map(len, self.phases[:3])
        jobs.prepared = int(self.schedule.meets_early)
        jobs.gathers = sum(isinstance(i, Gather) for i in self.phases[1])
        jobs.cuts, jobs.meetings = self.cuts.ctypes.data, len(self.cuts)
        jobs.segments, jobs.segment_count = self.finish_cuts.ctypes.data, len(self.segments)
        jobs.every, jobs.lanes, jobs.threads = job.program.every, job.lanes, 1
        jobs.first_lane, jobs.own, jobs.elsewhere = self.own.start, len(self.own), self.elsewhere
        jobs.data_rows, jobs.batch, jobs.block = job.rows, job.batch, self.memories[0].block
        jobs.seed = int(np.uint64(job.seed).astype(np.int64))
        jobs.shuffle = int(self.order.size > 0 and not job.ordered)
        jobs.order = self.order.ctypes.data if self.order.size else 0
        jobs.totals, jobs.totals_size, jobs.sums = self.totals.ctypes.data, self.totals.shape[1], job.totals
        jobs.stride, jobs.shared = self.memories[0].regions[WORKSPACE].size, self.shared.ctypes.data
        jobs.free = len(self.phases[0]) + free
        for lane, own in enumerate(self.jobs):
            own.lane, own.itself = lane, own.numbers.ctypes.data
            own.table, own.constants = (a.ctypes.data for a in self.tables[lane])
            own.state, own.reals = self.state_of(lane)
            own.slices, own.slice_count = self.slices[lane].ctypes.data, len(self.slices[lane])
            own.cells, own.cell_count = self.cells[lane].ctypes.data, len(self.cells[lane])
            own.lines, own.line_count = self.lines[lane].ctypes.data, len(self.lines[lane])
            own.each = -(-len(self.lines[lane]) // max(1, len(self.phases[1]) - free))

    def rebind(self, job: Job) -> bool:
        """Binds the same program to other data with another number of rows; returns False if they need more memory.

        Otherwise a prediction of many rows would spend a tenth of its time on linking.
        """
        block = block_of(job)
        if block > self.memories[0].block:
            return False
        self.job = job
        jobs = self.all_jobs
        jobs.data_rows, jobs.batch, jobs.block = job.rows, job.batch, block
        for memory, (table, _) in zip(self.memories, self.tables, strict=True):
            memory.data, memory.first = job.data, job.first
            memory.starts.clear()
            for place, column, buffer in self.data_cells:
                table[place, column] = memory.address(buffer)
        return True

    def restart(self) -> None:
        self.totals[:] = 0

    def run(self, chunk: Chunk) -> Outcome:
        job = self.job
        done, finite = 0, True
        records = np.empty(((chunk.batch + chunk.steps) // job.steps_per_epoch, job.totals), np.float64)
        numbers = chunk.numbers()
        self.arrange(chunk)
        before = self.totals.sum(axis=0)[[LOSS, PENALTY]] if job.by_step else np.zeros(2)
        running = np.zeros((job.lanes, chunk.steps if job.by_step else 0, 2))
        if chunk.watched or self.watched:
            self.watch(chunk.watched)
        for threads, steps in self.threads.plan(chunk.steps):
            ended = (chunk.batch + done) // job.steps_per_epoch
            self.begin(chunk, done, steps, records[ended:], running[:, done:])
            self.call(numbers[done:], threads)
            just_done = int(self.jobs[self.own.start].done)
            done, finite = done + just_done, just_done == steps
            if not finite:
                break
        ended = (chunk.batch + done) // job.steps_per_epoch
        totals = self.totals.sum(axis=0)
        if not finite:
            self.totals[:] = 0  # so that the steps can be repeated one by one
        losses = added(running.sum(axis=0)[:done], before, chunk.batch, job.steps_per_epoch) if job.by_step else None
        return Outcome(done, records[:ended], finite, totals[: job.totals], losses)

    def watch(self, watched: bool) -> None:
        """Prepares the next call for `gradient`: none is moved, and rows that it doesn't write are 0."""
        self.watched = watched
        for moved, own in zip(self.moves, self.slices, strict=True):
            own[:, 2] = 0 if watched else moved
        for sparse in self.schedule.sparse_gradients if watched else []:
            self.gradients[:, sparse.offset :][:, : sparse.size] = 0

    def gradient(self) -> Array:
        """The first lane's gradients, which are the sum of all."""
        return self.gradients[0, : self.job.parameters.size]

    def arrange(self, chunk: Chunk) -> None:
        """Takes the rows in the chunk's order, if it is for it to say."""
        if self.job.ordered and self.order.size:
            self.order[:] = np.arange(self.order.size) if chunk.order is None else chunk.order

    def begin(self, chunk: Chunk, done: int, steps: int, records: Array, running: Array) -> None:
        """Writes into every lane's job which part of the chunk comes next."""
        epoch, batch = divmod(chunk.batch + done, self.job.steps_per_epoch)
        jobs = self.all_jobs
        jobs.epoch, jobs.first_batch, jobs.steps = chunk.epoch + epoch, batch, steps
        jobs.iteration, jobs.records = chunk.iteration + done, records.ctypes.data
        for job, own in zip(self.jobs, running, strict=True):
            job.losses = own.ctypes.data if own.size else 0

    def call(self, numbers: Array, threads: int) -> None:
        """Enters the machine: on this thread, which begins with all lanes, and on others, which join when they can.

        A thread that comes too late is dismissed on entry, and nobody waits for it.
        """
        if self.process != os.getpid():  # after a fork there are no other threads
            self.process, self.pool, self.others = os.getpid(), None, []
        asked, jobs, second = threads, self.all_jobs, ticks_a_second()
        if not all(other.done() for other in self.others):  # a thread of the last call has still to enter
            threads = 1
        jobs.threads = threads
        if len(self.own) > 1:
            jobs.patience, jobs.account, jobs.gain, jobs.most = (round(s * second) for s in self.threads.limits())
            jobs.together = jobs.ticks_together = jobs.ticks_alone = 0
        try:
            if threads > 1:
                self.invite(numbers)
            self.enter(0, numbers)
        except BaseException:  # Ctrl-C before this thread was inside: the others must not wait for it
            self.shared[CALL] = DISMISSED
            raise
        if threads > 1:
            for lane, other in enumerate(self.others, start=1):
                if self.shared[COME + LINE * lane] != CLOSED:
                    other.result()
        if len(self.own) > 1:
            self.threads.saw(asked, self.part(second))

    def part(self, second: int) -> Part:
        """What the last call did; second: a second in ticks."""
        job = self.jobs[self.own.start]
        return Part(
            alone=int(job.done - job.together),
            seconds_alone=int(job.ticks_alone) / second,
            together=int(job.together),
            seconds_together=max(0, int(job.ticks_together)) / second,
            account=int(job.account) / second,
        )

    def invite(self, numbers: Array) -> None:
        """Submits a thread for every other lane of this process."""
        if self.pool is None:
            self.pool = self.make_pool()
        self.shared[:] = 0
        self.others = []
        try:
            for lane in range(1, len(self.own)):
                self.others.append(self.pool.submit(self.enter, lane, numbers))
        except RuntimeError:  # the system has no thread left, or Python is shutting down: one thread does it all
            self.pool.shutdown(wait=False, cancel_futures=True)
            self.pool = None

    def make_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(len(self.own) - 1, "thalweg-lane")

    def enter(self, lane: int, numbers: Array) -> None:
        """Runs the machine on this thread. A method, so that a late thread keeps the executor's memory alive.

        lane: counted from the first that this process runs.
        """
        lane += self.own.start
        self.run_lanes(int(self.jobs[lane].itself), numbers.ctypes.data, *self.state_of(lane))

    def state_of(self, lane: int) -> tuple[int, int]:
        return self.states[lane].ctypes.data, self.reals[lane].ctypes.data

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Memory]]:
        for instruction, lane, _ in self.step_by_step(chunk, repeats=1):
            yield instruction, self.memories[lane]

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        """Seconds that each instruction of the program takes in one step: the least of `repeats` runs."""
        times: dict[int, float] = {}
        for instruction, _, seconds in self.step_by_step(chunk, repeats):
            times[id(instruction)] = times.get(id(instruction), 0.0) + seconds
        return [times.get(id(i), 0.0) for i in self.job.program]

    def step_by_step(self, chunk: Chunk, repeats: int) -> Iterator[tuple[Instruction, int, float]]:
        """One step, every kernel called separately: yields the instruction, the lane whose memory it used, seconds."""
        job, lanes, block = self.job, self.job.lanes, self.memories[0].block
        epoch, batch = divmod(chunk.batch, job.steps_per_epoch)
        start = batch * job.batch
        rows = min(job.batch, job.rows - start)
        if job.ordered:
            self.arrange(chunk)
        elif self.order.size:
            from thalweg.program.ir.counter import permutation

            self.order[:] = permutation(job.seed, chunk.epoch + epoch, job.rows)
        s, f = State(self.states[0]), Reals(self.reals[0])
        s.numbers[:] = 0
        s.batch_rows, s.block, s.lanes, s.busy = rows, block, 1, min(lanes, -(-rows // block))
        s.iteration, s.update = chunk.iteration + 1, chunk.iteration // job.program.every + 1
        s.after, s.seed, s.start = job.parameters.size, self.jobs[0].seed, start
        s.order = self.order[start:].ctypes.data if self.order.size else 0
        f.learning_rate = chunk.learning_rates[0] if len(chunk.learning_rates) else 0.0
        f.penalties = 1.0 if chunk.penalties is None else chunk.penalties[0]

        ends = np.cumsum([0, *(len(p) for p in self.phases)])
        for lane in range(lanes):
            for i, _, seconds in self.one_by_one(self.phases[0], ends[0], repeats, lane):
                if lane == 0 or any(b.region == WORKSPACE for b in i.outputs):  # each lane's own
                    yield i, lane, seconds
        for number, first in enumerate(range(0, rows, block)):
            s.rows = self.memories[number % lanes].rows = min(block, rows - first)
            s.first_row, s.start, s.accumulate = first, start + first, int(number >= lanes)
            s.order = self.order[start + first :].ctypes.data if self.order.size else 0
            yield from self.one_by_one(self.phases[1], ends[1], repeats, number % lanes)
        for lane in range(s.busy):
            yield from self.one_by_one(self.phases[2], ends[2], repeats, lane)
        s.accumulate, s.stride = 0, self.jobs[0].stride
        place = ends[3]
        for segment in self.segments:
            if not segment.due or (chunk.iteration + 1) % job.program.every == 0:
                for n, i in enumerate(segment.instructions):
                    for lane in range(lanes if isinstance(i, OwnInputs) else 1):
                        yield from self.one_by_one([i], place + n, repeats, lane)
            place += len(segment.instructions)
        self.totals[0, ROWS] += rows

    def one_by_one(
        self, instructions: Sequence[Instruction], place: int, repeats: int, lane: int = 0
    ) -> Iterator[tuple[Instruction, int, float]]:
        (table, constants), run = self.tables[lane], callable_of(ALONE)
        for number, instruction in enumerate(instructions, start=int(place)):
            self.states[0, State.lane] = lane if isinstance(instruction, OwnInputs) else 0
            words = np.array([table[number].ctypes.data, constants[number].ctypes.data, *self.state_of(0)], np.int64)
            at, seconds = words.ctypes.data, []
            for _ in range(repeats):
                begin = time.perf_counter()
                run(at, 0, 0, 0)
                seconds.append(time.perf_counter() - begin)
            yield instruction, lane, min(seconds)
