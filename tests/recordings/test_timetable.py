"""When samples are taken: some in any case, the others as long as they stay cheap."""

import time
from contextlib import nullcontext

import numpy as np
import pytest

from thalweg import Sequential
from thalweg.layers import Dense
from thalweg.recordings import timetable
from thalweg.recordings.recorder import Recorder
from thalweg.recordings.timetable import RECORDING_SECONDS, SHARE, Timetable
from thalweg.support.stopwatch import compiling


def followed(table, step_seconds, sample_seconds):
    """The sampled steps of a training in which steps and samples take so long."""
    done, sampled = 0, []
    while done < table.steps:
        following = table.next(done)
        if following <= done:
            sampled.append(done)
            table.sampled(done, sample_seconds)
            done += 1
        else:
            steps = min(following - done, 1000)
            table.ran(steps, steps * step_seconds)
            done += steps
    return sampled


def test_what_a_step_takes_is_known_after_some_time():
    table = Timetable(1000, 50)
    for step in (0, 1):
        table.sampled(step, 1e-4)
    table.ran(1, 1e-3)  # much slower than the next
    assert table.next(3) == 250
    table.ran(100, 5e-3)
    assert table.next(103) < 250


def test_cheap_samples_are_taken_densely_at_first_and_then_every_epoch():
    sampled = followed(Timetable(1000, 50), 1.0, 0.001)
    assert sampled[:8] == [0, 1, 3, 4, 6, 7, 9, 12]
    assert set(range(0, 1000, 50)) <= set(sampled)
    assert sampled[-1] == 999
    assert len(sampled) < 50


def test_seconds_to_spend_make_short_trainings_dense():
    few = followed(Timetable(640, 32), 2e-5, 1e-3)
    many = followed(Timetable(640, 32, floor=0.06), 2e-5, 1e-3)
    assert len(few) < 6
    assert many[:6] == [0, 1, 3, 4, 6, 7]
    assert 20 < len(many) < 60
    assert len(followed(Timetable(640, 32, floor=0.06), 2e-5, 1.0)) < 6  # samples as dear as this are few all the same


def test_dear_samples_are_taken_at_the_ends_and_until_that_is_known():
    assert followed(Timetable(1000, 50), 1e-5, 1.0) == [0, 1, 250, 500, 999]
    assert followed(Timetable(1000, 50), 1e-2, 1.0) == [0, 1, 999]


def test_a_slow_first_step_is_known_at_once():
    table = Timetable(100, 100)
    table.first = 0.01
    table.sampled(0, 0.02)
    assert table.next(1) == 2  # 100 steps take 1 s, in which one more sample is too much: a step is timed
    table.ran(1, 0.01)
    assert table.next(2) == 99
    table = Timetable(1000, 100)
    table.first = 0.01
    table.sampled(0, 0.02)
    assert table.next(1) == 1


def test_the_shortest_trainings_have_some_samples():
    assert followed(Timetable(500, 5), 1e-5, 5e-4) == [0, 1, 125, 250, 375, 499]


@pytest.mark.parametrize("sample", [0.5, 3.0, 20.0])
def test_samples_take_no_more_than_their_share(sample):
    sampled = followed(Timetable(100_000, 500), 1.0, sample)
    necessary = 6
    assert len(sampled) > 2 * necessary
    spent = sample * len(sampled) / 100_000
    assert spent <= SHARE + necessary * sample / 100_000
    if sample == 20.0:  # as many as the share allows, not a few
        assert spent > 0.8 * SHARE


def test_a_part_of_the_time_may_be_spent_on_the_first_steps(monkeypatch):
    first = [sum(k < 100 for k in followed(Timetable(100_000, 500), 1.0, 5.0))]
    monkeypatch.setattr(timetable, "ADVANCE", 0.0)
    first.append(sum(k < 100 for k in followed(Timetable(100_000, 500), 1.0, 5.0)))
    assert first[0] > 10 > 2 >= first[1]


def test_with_accumulated_gradients_steps_that_update_are_sampled():
    sampled = followed(Timetable(103, 10, every=4, begun=2), 1.0, 0.001)
    assert all((2 + k + 1) % 4 == 0 for k in sampled)
    assert sampled[0] == 1
    assert sampled[-1] == 101


def test_after_thinning_samples_are_further_apart():
    table = Timetable(1000, 1, most=16)
    assert len(followed(Timetable(1000, 1), 1.0, 0.0)) == 999  # every step is an epoch; one was to be timed
    for step in range(16):
        table.ran(1, 1.0)
        table.sampled(step, 0.0)
    table.thin()
    assert table.next(16) == 17
    table.thin()
    assert table.next(16) == 19


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_short_trainings(steps):
    assert followed(Timetable(steps, 10), 1.0, 1.0) == list(range(steps))


def test_what_compiling_takes_is_no_time_of_a_sample(monkeypatch):
    """The first run of a network compiles what measures it: its report is to have as many samples as the next one's."""
    measured, first = Recorder.measured, iter([0.3])

    def with_compiling(self, step):
        seconds = next(first, 0)
        with compiling if seconds else nullcontext():
            end = time.thread_time() + seconds
            while time.thread_time() < end:
                pass
        return measured(self, step)

    monkeypatch.setattr(Recorder, "measured", with_compiling)
    x = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    model = Sequential([Dense(64, "tanh"), Dense(64, "tanh"), Dense(1)], seed=0)
    model.compile("adam", "mse")
    model.fit(x, x[:, :1], epochs=40, verbose=0, record=RECORDING_SECONDS)
    assert next(first, None) is None
    assert len(model.recording) > 3  # those of the first two steps and of the last would be there in any case
