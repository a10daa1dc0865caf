"""A limit of time: what is kept for later, and trainings that fit into the rest, on clocks that tests set."""

import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError, DivergedError
from thalweg.schedules import CosineDecay, FlatCos
from thalweg.tabular import ensemble
from thalweg.tabular.clock import Clock, TimeOverError, interrupted_after
from thalweg.tabular.course import Course
from thalweg.tabular.preparation import prepare
from thalweg.tabular.qualities import settings_of

X = np.random.default_rng(0).normal(size=640)


class Set(Clock):
    """A clock that shows what a test has set."""

    now = 0.0

    @property
    def passed(self):
        return self.now


def training(schedule):
    """What a course knows of a model."""
    return SimpleNamespace(optimizer=SimpleNamespace(iterations=0, schedule=schedule), stop_training=False)


def prepared(**given):
    settings = settings_of("fast", members=4, **given)
    target = Target("y", "binary", ("no", "yes"))
    return prepare(Table.of({"a": X}), target, replace(settings, trees=()), numbers=(X > 0).astype(int))


def test_what_follows_is_kept_from_the_trainings():
    clock = Set(60.0, page=6.0)
    assert clock.left == 53  # a second, as long as nothing was measured
    clock.reserve(4.0)
    assert (clock.kept, clock.left, clock.remaining) == (10, 50, 60)
    clock.now = 50.0
    assert (clock.left, clock.remaining) == (0, 10)
    clock.check("reading")  # the page is the first to go without
    clock.reserve(4.0)
    assert (clock.after, clock.page, clock.left) == (2, 3, 5)  # half of what is left
    clock.now = 61.0
    assert clock.left < 0 == clock.remaining
    with pytest.raises(ArgumentError, match=r"was over before training began: reading took 61\.00 s"):
        clock.check("reading")


def test_a_clock_may_have_begun_before():
    assert 100 <= Clock(60.0, before=100).passed < 110
    assert Clock(60.0, before=100).left < 0


def test_the_learning_rate_falls_to_0_when_the_time_is_over():
    """A hundred steps are planned, of which there is time for 10 + 4 · 9."""
    model = training(FlatCos(0.1, 100, 0.5))
    course = Course(model, until=11.0, steps=100, planned=True)
    course.look(1.0)
    assert (model.optimizer.schedule.total_steps, course.first) == (100, None)  # kernels are compiled
    model.optimizer.iterations = 10
    course.look(2.0)
    for second in range(3, 11):
        model.optimizer.iterations += 4
        course.look(float(second))
        assert model.optimizer.schedule.total_steps == 46
    assert not model.stop_training
    assert model.optimizer.schedule(46) == 0
    assert model.optimizer.schedule(20) == model.optimizer.schedule.learning_rate == 0.1
    course.look(11.0)
    assert model.stop_training


def test_a_machine_that_becomes_slower_or_faster_is_noticed():
    model = training(FlatCos(0.1, 100, 0.5))
    course = Course(model, until=10.0, steps=100, planned=True)
    planned = []
    for second, done in ((0, 1), (2, 21), (4, 23), (6, 60), (8, 99)):
        model.optimizer.iterations = done
        course.look(float(second))
        planned.append(model.optimizer.schedule.total_steps)
    assert planned == [100, 100, 23 + 33, 60 + 39, 100]


def test_a_course_of_its_own_is_left_alone():
    model = training(CosineDecay(0.1, 100))
    course = Course(model, until=10.0, steps=100)
    model.optimizer.iterations = 1
    for second in (1.0, 2.0, 3.0):
        course.look(second)
    assert isinstance(model.optimizer.schedule, CosineDecay)
    course.look(10.0)
    assert model.stop_training


def test_a_look_at_the_clock_looks_at_all_trainings():
    clock, models = Set(11.0), [training(FlatCos(0.1, 100)) for _ in range(2)]
    clock.running = {Course(models[0], until=5.0, steps=100), Course(models[1], until=10.0, steps=100)}
    clock.now = 6.0
    clock.look()
    assert [model.stop_training for model in models] == [True, False]
    assert not clock.stopped
    clock.now = 10.5
    clock.look()
    assert clock.stopped
    assert models[1].stop_training


def test_networks_share_the_time_that_is_left(monkeypatch):
    """One after the other: a quarter; and of what the first didn't need, the others have more."""
    clock, until = Set(101.0), []

    def trained(*given):
        until.append(given[7])
        clock.now += 10
        raise DivergedError("it diverged")

    monkeypatch.setattr(ensemble, "fit_one", trained)
    with pytest.raises(DivergedError):
        prepared().train(clock, 1)
    assert until == [25, 40, 60, 100]


@pytest.mark.parametrize("optimizer", [None, "sgd"])
def test_a_training_ends_in_time_with_its_learning_rate_at_0(optimizer, monkeypatch):
    """Twenty epochs are planned, and each takes as long as a tenth of the time."""
    clock, models = Set(11.0), []
    real = ensemble.Course

    def course(model, *given):
        models.append(model)
        return real(model, *given)

    def epoch_ended(*_):
        clock.now += 1
        clock.look()

    monkeypatch.setattr(ensemble, "Course", course)
    ready = prepared(epochs=20, optimizer=optimizer, learning_rate=None if optimizer is None else 0.01, patience=0)
    ready = replace(ready, folds=ready.folds[:1], blueprint=replace(ready.blueprint, settings=one(ready)))
    found = ready.train(clock, 1, epoch_ended)
    (member,) = found.members
    assert len(member.records) == 10
    steps = models[0].optimizer.iterations
    assert models[0].optimizer.schedule.total_steps == pytest.approx(steps, abs=steps / 5)
    assert clock.running == set()


def one(ready):
    """The settings, for a single network."""
    return replace(ready.blueprint.settings, members=1)


def endless():
    while True:
        pass


@pytest.mark.parametrize("seconds", [0.0, 0.05])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_block_is_ended_after_so_many_seconds(seconds, ignored):
    """Where Ctrl-C is ignored, as in the background of a shell, too."""
    before = signal.getsignal(signal.SIGINT)
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(TimeOverError), interrupted_after(seconds):
            endless()
        assert signal.getsignal(signal.SIGINT) is (signal.SIG_IGN if ignored else before)
    finally:
        signal.signal(signal.SIGINT, before)
    with interrupted_after(30.0):
        pass
    with pytest.raises(KeyboardInterrupt), interrupted_after(30.0):
        raise KeyboardInterrupt
