"""How many threads run the lanes: the faster way, and one where the others aren't let run; the results are the same."""

import gc
import os
import subprocess
import sys
import weakref
from concurrent.futures import Future

import numpy as np
import pytest

import thalweg
from thalweg.engine.native.runtime import threads
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.native.runtime.threads import Part, ThreadPolicy


class World:
    """A clock, and how long a step takes with one thread and with two; `wait` is what a step on two waits besides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.step = {1: 2e-3, 2: 1.1e-3}
        self.wait = 0.0
        self.policy = ThreadPolicy(2, flops=1_000_000)
        monkeypatch.setattr(threads.time, "perf_counter", lambda: self.now)

    def run(self, seconds: float, chunk: int = 64) -> list[tuple[int, int]]:
        """(threads, steps) as they were run in that time: as the machine does it, which leaves the others."""
        end, parts = self.now + seconds, []
        while self.now < end:
            for count, steps in self.policy.plan(chunk):
                together = 0
                _, account, gain, most = self.policy.limits()
                while count == 2 and together < steps and account >= 0:
                    together += 1
                    account = min(account - self.wait + gain, most)
                self.now += together * (self.step[2] + self.wait) + (steps - together) * self.step[1]
                parts += [(n, k) for n, k in ((2, together), (1, steps - together)) if k]
                part = Part(
                    steps - together, (steps - together) * self.step[1], together, together * self.step[2], account
                )
                self.policy.saw(count, part)
        return parts


def share(parts: list[tuple[int, int]], count: int) -> float:
    return sum(steps for n, steps in parts if n == count) / sum(steps for _, steps in parts)


def test_all_threads_run_and_are_seldom_compared_while_they_are_clearly_faster(monkeypatch):
    world = World(monkeypatch)
    parts = world.run(30)
    assert share(parts, 1) <= 0.01
    assert parts[-1] == (2, 64)


def test_one_thread_takes_over_soon_when_steps_take_longer(monkeypatch):
    world = World(monkeypatch)
    world.run(2)
    world.step = {1: 2e-3, 2: 9e-3}  # the cores are slower together
    world.run(1.5)
    assert share(world.run(10), 2) <= 0.1
    world.step = {1: 2e-3, 2: 1.1e-3}
    world.run(1)
    assert world.run(0.2)[-1][0] == 2


def test_it_is_asked_again_and_again_while_both_ways_are_close(monkeypatch):
    world = World(monkeypatch)
    world.step = {1: 1.2e-3, 2: 1.1e-3}
    parts = world.run(10)
    assert 20 <= sum(n == 1 for n, _ in parts) <= 40


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_waits_for_a_thread_that_is_not_let_run_end_in_one_thread(monkeypatch, chunk):
    world = World(monkeypatch)
    world.wait = 30e-3  # other programs hold the core of the other thread
    begin, steps = world.now, sum(k for _, k in world.run(20, chunk))
    assert (world.now - begin) / steps <= 1.3 * world.step[1]
    world.wait = 0.0  # they have ended
    world.run(threads.LONGEST_PAUSE)
    assert share(world.run(5, chunk), 2) >= 0.9


def test_rare_waits_are_paid_by_what_all_threads_gain(monkeypatch):
    world = World(monkeypatch)
    world.run(2)
    for _ in range(50):
        world.wait = 10e-3
        world.run(0.005, 1)  # the core is gone for one step …
        world.wait = 0.0
        world.run(0.1)  # … and 0.1 s there
    assert share(world.run(1), 2) >= 0.9


# --- the machine --------------------------------------------------------------------------------------------------


def trained(lanes: int = 2, epochs: int = 4, seed: int = 0) -> list[np.ndarray]:
    """Weights after a fit in which batches are shuffled and lanes meet within the rows, too."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 8)).astype(np.float32), rng.integers(0, 3, 200)
    layers = [thalweg.Input((8,)), thalweg.layers.Dense(32, "relu"), thalweg.layers.BatchNormalization()]
    model = thalweg.Sequential([*layers, thalweg.layers.Dense(3, "softmax")], seed=seed)
    model.compile(thalweg.optimizers.Adam(global_clipnorm=1.0), "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=epochs, verbose=0, lanes=lanes).history
    return [*model.get_weights(), np.array(history["loss"]), np.array(history["accuracy"])]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch):
    """Sets the limits that the machine is told, and collects what it did."""

    def set_limits(patience: float, account: float, gain: float = 0.0) -> list[Part]:
        parts: list[Part] = []
        monkeypatch.setattr(ThreadPolicy, "limits", lambda self: (patience, account, gain, 1.0))
        monkeypatch.setattr(ThreadPolicy, "saw", lambda self, count, part: parts.append(part))
        return parts

    return set_limits


def test_the_bits_are_the_same_however_many_threads_ran_the_lanes(told):
    parts = told(patience=60.0, account=60.0)
    together = trained()
    assert all(part.alone == 0 and part.together > 0 for part in parts)
    parts = told(patience=60.0, account=-1.0)  # overdrawn after the first step: the others are left
    left = trained()
    assert {part.together for part in parts} == {1}
    assert sum(part.alone for part in parts) > 0
    assert same(together, left)
    assert not same(together, trained(seed=1))


def test_nobody_waits_for_a_thread_that_does_not_come(told, monkeypatch):
    expected = trained()
    parts = told(patience=0.0, account=60.0)
    late: list[tuple[int, ...]] = []

    class Slow:
        """A pool whose threads enter the machine after the call that invited them."""

        def submit(self, function, *arguments):
            late.append(arguments)
            return Future()

    monkeypatch.setattr(NativeExecutor, "make_pool", lambda self: Slow())
    assert same(trained(), expected)
    assert sum(part.together for part in parts) == 0
    assert len(late) == 1  # who hasn't come yet isn't invited again


def test_a_thread_that_comes_late_finds_the_door_closed(told, monkeypatch):
    told(patience=0.0, account=60.0)
    entered = []

    class After:
        def submit(self, function, *arguments):
            future: Future[None] = Future()
            entered.append(lambda: (function(*arguments), future.set_result(None)))
            return future

    def enter_and_run(self, chunk, own=NativeExecutor.run):
        outcome = own(self, chunk)
        while entered:  # returns at once, and changes nothing
            before = self.job.parameters.copy(), self.totals.copy()
            entered.pop()()
            assert np.array_equal(before[0], self.job.parameters)
            assert np.array_equal(before[1], self.totals)
        return outcome

    monkeypatch.setattr(NativeExecutor, "make_pool", lambda self: After())
    monkeypatch.setattr(NativeExecutor, "run", enter_and_run)
    with_late_threads = trained()
    monkeypatch.undo()
    assert same(with_late_threads, trained())


def test_what_a_late_thread_looks_at_is_still_there(told, monkeypatch):
    told(patience=0.0, account=60.0)
    late, executors = [], []

    class After:
        def submit(self, function, *arguments):
            late.append(lambda: function(*arguments))
            return Future()

    def seen(self, learning_rates, own=NativeExecutor.invite):
        executors.append(weakref.ref(self))
        own(self, learning_rates)

    monkeypatch.setattr(NativeExecutor, "make_pool", lambda self: After())
    monkeypatch.setattr(NativeExecutor, "invite", seen)
    trained()
    gc.collect()
    assert executors[0]() is not None  # though the fit is over
    late.pop()()
    gc.collect()
    assert executors[0]() is None


def test_a_system_without_threads_to_give_trains_on_one(monkeypatch):
    expected = trained()

    class None_left:
        def submit(self, function, *arguments):
            raise RuntimeError("can't start new thread")

        def shutdown(self, wait, cancel_futures):
            assert cancel_futures  # or a later thread would find this one's work

    monkeypatch.setattr(NativeExecutor, "make_pool", lambda self: None_left())
    assert same(trained(), expected)


def test_an_interruption_before_the_machine_leaves_no_thread_waiting_in_it(told, monkeypatch):
    told(patience=0.0, account=60.0)
    executors = []

    def interrupted(self, learning_rates, own=NativeExecutor.invite):
        own(self, learning_rates)
        executors.append(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NativeExecutor, "invite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained()
    for other in executors[0].others:
        other.result(timeout=60)


FORKS = {
    "predict": "predict(x)",
    "fit": "model.fit(x[:20000], y[:20000], batch_size=512, epochs=2, verbose=0, lanes=2)",
    "evaluate": "model.evaluate(x, y, batch_size=50000, verbose=0)",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", FORKS)
@pytest.mark.parametrize("how", ["fork", "pool"])
def test_a_forked_child_has_threads_of_its_own(what, how):
    script = f"""
import multiprocessing, os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, thalweg
rng = np.random.default_rng(0)
x, y = rng.normal(size=(100_000, 30)).astype("f"), rng.integers(0, 3, 100_000)
layers = [thalweg.Input((30,)), thalweg.layers.Dense(64, "relu"), thalweg.layers.Dense(3, "softmax")]
model = thalweg.Sequential(layers, seed=0)
model.compile("sgd", "sparse_categorical_crossentropy")
def predict(x): return model.predict(x, verbose=0, lanes=2)
def work(_=None): {FORKS[what]}; return float(predict(x).sum())
expected = work()
if {how!r} == "pool":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(3))
else:
    child = os.fork()
    if not child:
        work()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
work()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "done", done.stderr
