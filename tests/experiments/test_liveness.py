"""Which processes live: those of this machine by what the system says, others by a number that goes on."""

import os

import pytest

from thalweg.experiments import liveness
from thalweg.experiments.liveness import BEAT, SILENCE, Pulse, Watch, born, lives_here, name_of_worker, process

NOBODY = 2**22 + 12345


def test_living_and_dead_processes_of_this_machine():
    own = process()
    assert lives_here(own)
    assert lives_here(own | {"pid": NOBODY}) is False
    if born(os.getpid()):
        assert lives_here(own | {"born": "1"}) is False  # another process that had this number
    del own["space"]  # as earlier journals have it
    assert lives_here(own)


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"space": "pid:[1]"}, {"pid": None}])
def test_what_the_system_can_t_say(other):
    assert lives_here(process() | other) is None
    assert name_of_worker(process() | other) != name_of_worker(process())


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    return now


def test_a_number_that_stands_still(clock):
    watch = Watch()
    for count in range(20):
        watch.look({"living": count, "dead": 7})
        clock[0] += BEAT
    assert watch.silent("living") == 0
    assert watch.silent("dead") == 19 * BEAT > SILENCE
    assert watch.silent("never seen") == 0


def test_time_in_which_nobody_looked_is_no_silence(clock):
    watch = Watch()
    watch.look({"other": 1})
    clock[0] += 10 * SILENCE  # this machine slept, or the database didn't answer
    watch.look({"other": 1, "new": None})
    assert watch.silent("other") == 2 * BEAT < SILENCE
    assert watch.silent("new") == 0


def test_a_pulse_ends_with_the_first_error(monkeypatch):
    monkeypatch.setattr(liveness, "BEAT", 0.001)
    counts = []

    def beat(count):
        counts.append(count)
        if count == 3:
            raise OSError("the disk is gone")

    pulse = Pulse(beat)
    pulse.begin()
    thread = pulse.thread
    pulse.begin()
    assert pulse.thread is thread
    thread.join(10)
    assert counts == [1, 2, 3]
