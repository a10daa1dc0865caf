"""How the machine's threads come together, in every order of their reads and writes of what they share."""

from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from schedules import LOAD, WAIT, WORK, Threads

from thalweg.engine.native.layouts.job import COME, LaneJob
from thalweg.engine.native.layouts.record import LINE
from thalweg.engine.native.runtime import machine, meeting


def job_of(lane, lanes, **numbers):
    """A lane's job; its thread is the only one that writes into it."""
    job = LaneJob(np.zeros(LaneJob.size, np.int64))
    for name, value in (numbers | {"lane": lane, "threads": lanes, "lanes": lanes, "own": lanes}).items():
        setattr(job, name, value)
    return job


@pytest.fixture
def threads(monkeypatch):
    """Makes threads of a function of their number, and gives the functions of `meeting` their operations."""

    def make(count, run, clock=True):
        made = Threads(count, run, clock)
        names = {"fetch_add": "add", "load_acquire": "load", "store_release": "store"}
        for name in (*names, "wait", "pause", "ticks"):
            monkeypatch.setattr(meeting, name, getattr(made, names.get(name, name)))
        monkeypatch.setattr(machine, "ticks", made.ticks)
        return made

    return make


def orders(threads):
    """The states of every order of two threads, or of some orders of more."""
    return threads.every_order() if threads.count == 2 else threads.some_orders(50, seed=1)


# --- meetings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3])
def test_nobody_passes_a_barrier_before_all_have_arrived(threads, count):
    rounds = 3

    def run(lane):
        job = job_of(lane, count)
        for number in range(rounds):
            made.work(number)
            meeting.barrier(job, count)

    made, seen = threads(count, run), 0
    for state, ended in orders(made):
        done = [len(work) for work in state.work()]
        assert max(done) - min(done) <= 1
        assert not ended or done == [rounds] * count
        seen += 1
    assert seen > 100


def test_one_thread_meets_nobody(threads):
    made = threads(1, lambda lane: meeting.barrier(job_of(0, 2), 1))
    assert [state.histories for state, _ in made.every_order()] == [((),)]


def test_waits_are_deducted_from_the_account_from_the_turn_on_at_which_they_are_long(threads, monkeypatch):
    monkeypatch.setattr(meeting, "SPINS", 1)

    def run(lane):
        job = job_of(lane, 2, account=100)
        meeting.barrier(job, 2)
        return int(-job.ticks_together), int(job.account)

    made, found = threads(2, run), set()
    for state, ended in made.every_order():
        if ended:
            waits = [any(o[0] == WAIT for o, _ in history) for history in state.histories]
            assert made.results(state) == tuple((1, 99) if long else (0, 100) for long in waits)
            found.add(tuple(waits))
    assert found == {(False, False), (True, False), (False, True)}


@pytest.mark.parametrize("elsewhere", [0, 7])
def test_other_processes_are_called_once_between_two_barriers(threads, monkeypatch, elsewhere):
    def run(lane):
        job = job_of(lane, 2, elsewhere=elsewhere)
        made.work("before", lane)
        meeting.meet(job, 2, 5)
        made.work("after", lane)

    made = threads(2, run)
    monkeypatch.setattr(meeting, "call", lambda address, number, *nothing: made.work("call", address, number))
    for state, _ in made.every_order():
        work = [*chain(*state.work())]
        calls = [each for each in work if each[0] == "call"]
        assert len(calls) <= (elsewhere > 0)
        assert calls in ([], [("call", 7, 5)])
        if calls or ("after", 0) in work or ("after", 1) in work:
            assert {("before", 0), ("before", 1)} <= {*work}
        if ("after", 0) in work or ("after", 1) in work:
            assert len(calls) == (elsewhere > 0)


# --- threads that come -------------------------------------------------------------------------------------------


def coming(lane, made, lanes, patience, steps=2):
    """The first thread asks before each step whether all are here; returns the step at which the thread begins."""
    job = job_of(lane, lanes, patience=patience)
    if lane:
        return meeting.come(job)
    for step in range(steps):
        if meeting.all_here(job):
            meeting.call_in(job, step)
            return step
        made.work(step)
    meeting.close(job)
    return -1


@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("count", [2, 3])
def test_all_begin_at_the_same_step_or_all_others_are_dismissed(threads, count, patience):
    made = threads(count, lambda lane: coming(lane, made, count, patience))
    found = set()
    for state, ended in orders(made):
        if ended:
            results = made.results(state)
            assert len(set(results)) == 1
            found.add(results[0])
    assert found == {-1, 0, 1}


def test_a_thread_that_comes_too_late_is_dismissed_without_waiting(threads):
    made = threads(2, lambda lane: coming(lane, made, 2, patience=0))
    state = made.alone(1, made.alone(0, made.begin()))
    assert made.results(state) == (-1, -1)
    assert len(state.histories[1]) == 1
    assert dict(state.memory)[8 * (COME + LINE)] == meeting.HERE + meeting.CLOSED


def test_the_first_thread_is_patient_once_in_a_call(threads):
    made = threads(2, lambda lane: coming(lane, made, 2, patience=3, steps=4))
    state = made.alone(0, made.begin())
    kinds = [o[0] for o, _ in state.histories[0]]
    assert [kinds[: kinds.index(WORK)].count(LOAD), kinds.count(LOAD)] == [4, 7]


# --- whole chunks ------------------------------------------------------------------------------------------------

ALL = "all"  # the lane of what the first thread does for all


@pytest.fixture
def chunks(threads, monkeypatch):
    """Makes threads that run a chunk in the machine, whose work is noted instead of done: (step, part, segment), lane.

    numbers: of the lanes' jobs. finite: whether the loss is. The finish has two segments.
    """

    def make(count, steps, finite=True, **numbers):
        thread = SimpleNamespace(job=None)  # the one that is run

        def run(lane):
            given = {"batch": 4, "block": 4, "every": 1, "cuts": 1, "segments": 2, "segment_count": 2, "steps": steps}
            thread.job = job = job_of(lane, count, **given | {"account": 1 << 40} | numbers)
            job.rows = job.meetings + 1
            machine.machine(job.numbers, np.zeros(2 * steps), None, None)
            return int(job.done)

        def note(part, segment, lane):
            made.work((int(thread.job.done), part, int(segment)), lane if lane == ALL else int(lane))

        made = threads(count, run, clock=not {"account", "patience"}.isdisjoint(numbers))
        tables = {1: np.arange(1, 9), 2: np.array([1, 0, 0, 1, 0, 0])}
        replaced = {
            "flush_denormals": lambda: 0,
            "restore_denormals": lambda before: None,
            "integers": lambda address, n: tables.get(int(address)),
            "doubles": lambda address, n: np.zeros(8),
            "job_of": lambda job, k: job_of(job.lane + k, count),
            "shuffle": lambda *others: note(0, 0, ALL),
            "prepare_of_lane": lambda job, *others: note(1, 0, job.lane) if numbers.get("prepared") else None,
            "blocks": lambda job, threads, start, rows, begin, end: note(2, begin, job.lane),
            "segment_of_lane": lambda job, first, after, sliced: note(3, first, job.lane),
            "loss_is_finite": lambda job: finite,
            "record": lambda job, epoch: note(-1, 0, ALL),
        }
        for name, function in replaced.items():
            monkeypatch.setattr(machine, name, function)
        return made

    return make


def work_of(steps, lanes, data_rows, meetings=0, shuffle=0, prepared=0, **others):
    """What has to be worked on, in this order; within each set, in any."""
    each, per_epoch = {*range(lanes)}, data_rows // 4
    for step in range(steps):
        if shuffle and (step % per_epoch == 0):
            yield (step, 0, 0), {ALL}
        if prepared:
            yield (step, 1, 0), each
        for segment in range(meetings + 1):
            yield (step, 2, segment), each
        for segment in range(2):
            yield (step, 3, meetings + 1 + segment), each
        if (step + 1) % per_epoch == 0:
            yield (step + 1, -1, 0), {ALL}  # when the step is done


CHUNKS = {
    "one epoch": {"data_rows": 8},
    "an epoch in each step": {"data_rows": 4},
    "shuffled": {"data_rows": 4, "shuffle": 1, "order": 3},
    "with meetings": {"data_rows": 12, "meetings": 2},
    "prepared": {"data_rows": 8, "prepared": 1},
    "overdrawn": {"data_rows": 8, "account": 0},
    "patient": {"data_rows": 8, "patience": 2},
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", CHUNKS)
def test_every_lane_s_work_is_done_once_and_after_all_work_before(chunks, monkeypatch, name, count):
    steps, numbers = 2, CHUNKS[name]
    if "account" in numbers:
        monkeypatch.setattr(meeting, "SPINS", 1)  # every wait is charged
    made, whole = chunks(count, steps, **numbers), [*work_of(steps, count, **numbers)]
    steps_together = set()
    for state, ended in orders(made):
        work = [*chain(*state.work())]
        done = {phase: {lane for p, lane in work if p == phase} for phase, _ in whole}
        assert len(work) == sum(map(len, done.values())), "something has been done twice, or is nothing of this"
        begun = [n for n, (phase, _) in enumerate(whole) if done[phase]]
        assert all(done[phase] == lanes for phase, lanes in whole[: max(begun, default=0)])
        if ended:
            assert all(done[phase] == lanes for phase, lanes in whole)
            assert made.results(state)[0] == steps
            others = {tuple(sorted({step for (step, part, _), _ in mine if part == 2})) for mine in state.work()[1:]}
            assert len(others) == 1
            steps_together |= others
    assert steps_together == {(), (1,), (0, 1)} | ({(0,)} if "account" in numbers else set())


@pytest.mark.parametrize("count", [2, 3])
def test_where_the_loss_is_not_finite_all_stop_in_the_same_step(chunks, count):
    made = chunks(count, 2, finite=False, data_rows=8)
    for state, ended in orders(made):
        assert all(part == 2 and step == 0 for (step, part, _), _ in [*chain(*state.work())])
        assert not ended or made.results(state)[0] == 0
