"""How many steps are due: by a clock that the test holds in its hand."""

import pytest

from thalweg.play import rhythm


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(rhythm.time, "monotonic", lambda: now[0])
    return now


def test_steps_are_due_as_time_passes(clock):
    pace = rhythm.Pace(2.0)  # epochs a second, of ten steps each
    pace.step_seconds = 1e-4
    assert pace.steps(10) == 0
    clock[0] += 0.25
    assert pace.steps(10) == 5
    pace.done(5, 0.001, 10)
    assert pace.steps(10) == 0
    assert 0 < pace.wait(10) <= 1 / 20


def test_what_was_missed_is_not_made_up_for(clock):
    pace = rhythm.Pace(2.0)
    pace.step_seconds = 1e-4
    clock[0] += 0.4
    assert pace.steps(10) == 8  # a short delay is
    clock[0] += 60
    assert pace.steps(10) == 1
    pace.done(1, 0.001, 10)
    clock[0] += 0.1
    assert pace.steps(10) == 2
