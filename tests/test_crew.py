"""How many threads run the lanes: the way that was faster when both were last tried."""

import pytest

from thalweg.engine.native import executor
from thalweg.engine.native.executor import Crew


class World:
    """A clock, and how long a step takes with one thread and with two."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.step = {1: 2e-3, 2: 1.1e-3}
        self.crew = Crew(2)
        monkeypatch.setattr(executor.time, "perf_counter", lambda: self.now)

    def run(self, seconds: float) -> list[tuple[int, int]]:
        """What is run in that time, in chunks of 64 steps."""
        end, parts = self.now + seconds, []
        while self.now < end:
            for threads, steps in self.crew.plan(64):
                self.now += steps * self.step[threads]
                self.crew.saw(threads, steps, steps * self.step[threads])
                parts.append((threads, steps))
        return parts


def test_all_threads_run_and_are_seldom_compared_while_they_are_clearly_faster(monkeypatch):
    world = World(monkeypatch)
    parts = world.run(30)
    assert sum(steps for threads, steps in parts if threads == 1) <= 0.01 * sum(steps for _, steps in parts)
    assert parts[-1] == (2, 64)


def test_one_thread_takes_over_soon_when_steps_take_longer(monkeypatch):
    world = World(monkeypatch)
    world.run(2)
    world.step = {1: 2e-3, 2: 9e-3}  # another program holds a core
    world.run(1.5)
    parts = world.run(10)
    assert sum(steps for threads, steps in parts if threads == 2) <= 0.1 * sum(steps for _, steps in parts)
    world.step = {1: 2e-3, 2: 1.1e-3}  # it has ended
    world.run(1)
    assert world.run(0.2)[-1][0] == 2


def test_it_is_asked_again_and_again_while_both_ways_are_close(monkeypatch):
    world = World(monkeypatch)
    world.step = {1: 1.2e-3, 2: 1.1e-3}
    parts = world.run(10)
    assert 20 <= sum(threads == 1 for threads, _ in parts) <= 40
