"""A time limit counts from the beginning, and takes fewer rows or ends at once; what takes long is said before."""

import json
import math
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg.cli import report, report_page, train
from thalweg.data import read_table
from thalweg.errors import ArgumentError
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions, load
from thalweg.support import stopwatch
from thalweg.tabular import planning
from thalweg.tabular.clock import Clock
from thalweg.tabular.planning import Outlook, drawn, sample_in_time
from thalweg.tabular.trees import grow

RNG = np.random.default_rng(0)
ROWS = 30_000
X = RNG.normal(size=(ROWS, 3))
TABLE = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")}
OPTIONS = TableOptions(target="y", members=1, trees=False, layers=(8,), seed=0)


class Slow(Clock):
    """A clock on which only what the test says has taken time: making rows ready, a second for each 10,000."""

    ready = 0.0

    @property
    def passed(self):
        return self.ready


@pytest.fixture
def clock(monkeypatch):
    clock, prepare = Slow(2.0), table_training.prepare

    def slow(table, *arguments, **more):
        clock.ready += table.rows / 10_000
        return prepare(table, *arguments, **more)

    monkeypatch.setattr(table_training, "prepare", slow)
    monkeypatch.setattr(planning, "TRIAL", 2000)
    monkeypatch.setattr(planning, "measured", lambda *_: 0.00512)  # of 64 rows: a second for 10,000, a fifth kept back
    for real in ("watching", "refusing"):
        monkeypatch.setattr(Clock, real, lambda *_: nullcontext())
    return clock


def test_a_limit_too_short_for_all_rows_takes_a_sample(clock, monkeypatch):
    """0.2 of 2 seconds are the trial's, 0.2 are kept for the end: 8000 rows are ready after 0.8, and learned in 0.8."""
    plans = []
    run = table_training.train(read_table(TABLE), OPTIONS, plans.append, clock=clock)
    assert (plans[0].parts.train.rows, plans[0].rows) == (8000, 24_000)
    assert plans[0].sample.needed == 6  # 0.2 + 2.4 + 2.4 seconds, and a tenth
    assert run.facts["rows"]["train"] == 8000
    assert run.facts["rows"]["left out by the time limit"] == 16_000
    assert run.facts["rows"]["test"] == 6000


def test_a_limit_long_enough_takes_all(clock):
    clock.limit = clock.until = 7.0
    some = sample_in_time(lambda rows: ready(rows, clock), 24_000, None, clock, 2, 0)
    assert some is None
    clock.limit = clock.until = 2.0
    clock.ready = 0.0
    assert sample_in_time(lambda rows: ready(rows, clock), 24_000, None, clock, 2, 0) is not None  # the control
    assert sample_in_time(lambda rows: ready(rows, clock), 24_000, None, Clock(None), 2, 0) is None


def ready(rows, clock):
    table = read_table(TABLE).take(rows)
    return table_training.made_ready(table, table_training.Target.of(table, "y", None), OPTIONS)


def test_a_sample_keeps_rare_classes():
    codes = np.repeat([0, 1, 2], [9000, 30, 970])
    rows = drawn(np.random.default_rng(0), 10_000, 500, codes)
    assert np.bincount(codes[rows])[1] == 30
    assert np.bincount(codes[rows])[2] >= 50
    assert (np.diff(rows) > 0).all()


def test_a_limit_that_is_over_ends_what_runs():
    def endless():
        with Clock(0.3).refusing("reading the table"):
            while True:
                time.sleep(0.01)

    with pytest.raises(ArgumentError, match=r"time_limit=0\.3 s was over .* reading the table took"):
        endless()


def test_an_error_and_a_block_in_time_pass_through():
    with pytest.raises(KeyError), Clock(30).refusing("reading"):
        raise KeyError
    with pytest.raises(KeyboardInterrupt), Clock(30).refusing("reading"):
        raise KeyboardInterrupt
    with Clock(30).refusing("reading"):
        pass


def test_the_command_refuses_while_it_reads(run_thalweg):
    endless = "SELECT sum(range) AS y FROM range(100000000000000)"
    code, out, error = run_thalweg("train", endless, "--target", "y", "--time-limit", "1")
    assert (code, out) == (2, "")
    assert error.startswith("thalweg: --time-limit 1 s was over before training began: reading the table took")
    assert not Path("runs").exists()


def test_parts_of_a_clock_share_what_is_left():
    clock = Slow(100.0)
    clock.part(1 / 4)
    assert clock.left == 24
    clock.stop()
    clock.ready = 40.0
    clock.part(1 / 3)
    assert (clock.left, clock.stopped) == (19, False)
    clock.interrupt()
    clock.part(1 / 2)
    assert clock.stopped


def test_trees_of_a_short_limit_learn_from_fewer_rows(monkeypatch):
    """On a pace of a millisecond a row, four fits on two lanes, and twice the iterations."""
    from thalweg.tabular import trees

    options = replace(OPTIONS, trees=True)
    table = read_table(TABLE)
    prepared = table_training.made_ready(table, table_training.Target.of(table, "y", None), options)
    seen = []

    def boosted(z, y, weights, learn, held, *more, iterations):
        seen.append((len(learn), iterations))
        return fit(z, y, weights, learn, held, *more, iterations=3)

    fit, clock = trees.boosted, Slow(101.0)
    monkeypatch.setitem(trees.KINDS, trees.BOOSTED, [boosted])
    monkeypatch.setattr(trees.TreePace, "of", lambda *_: trees.TreePace(0.001, 40))
    arguments = prepared.features, prepared.rows.x, prepared.judge.y, None, prepared.folds, [trees.BOOSTED], 0
    assert [kind.name for kind in grow(*arguments, clock, 2)] == ["HistGradientBoosting"]
    assert seen == [(7500, 80)] * 4  # 30 s · 2 lanes / (4 fits · 2 · 0.001 s)
    seen.clear()
    grow(*arguments, Clock(None), 2)
    assert {iterations for _, iterations in seen} == {500}
    assert all(rows > 20_000 for rows, _ in seen)


@pytest.mark.parametrize(("seconds", "said"), [(20, False), (31, True)])
def test_what_takes_long_is_said_before(seconds, said, capsys, monkeypatch):
    plans = []
    monkeypatch.setattr(table_training, "outlook", lambda *_: [Outlook(seconds, 2e8), Outlook(10.0, 0.0)])
    monkeypatch.setattr(report, "peak_memory", lambda: 10**9)
    table_training.train(read_table(TABLE), replace(OPTIONS, epochs=1), plans.append)
    assert plans[0].outlook[0].seconds == seconds
    report.announce_table(plans[0])
    out = capsys.readouterr().out
    line = "this takes about 30 seconds, with up to 1.2 GB of memory; --quality fast takes about 10 seconds"
    assert (line in out) == said


def test_an_outlook_counts_steps_trees_and_folds(monkeypatch):
    table = read_table(TABLE)
    options = replace(OPTIONS, members=4, epochs=3, trees=True)
    prepared = table_training.made_ready(table, table_training.Target.of(table, "y", None), options)
    monkeypatch.setattr(planning, "measured", lambda *_: 0.01)
    monkeypatch.setattr(planning.TreePace, "of", lambda *_: planning.TreePace(1e-4, 10))
    assert planning.outlook(prepared, 2) == []  # it takes seconds
    monkeypatch.setattr(planning, "WORK", 0)
    steps = math.ceil(ROWS / 256) * 3
    first, fast = planning.outlook(prepared, 2, replace(options, members=2, trees=False).settings)
    assert first.seconds == pytest.approx(4 * steps * 0.01 / 0.8 / 2 + ROWS * 1e-4 * 4 / 2)
    assert fast == Outlook(pytest.approx(2 * steps * 0.01 / 0.8 / 2), 0.0)
    assert first.memory == 2 * ROWS * (16 * 3 + 40)
    assert table_training.times_folds(first, replace(options, folds=4)).seconds == 5 * first.seconds


def test_the_command_says_what_it_left_out(run_thalweg, monkeypatch):
    def short(table, train, target, options, clock):
        rows = np.arange(0, 275, 3)
        return table_training.made_ready(train.take(rows), target, options), planning.Sample(rows, 190)

    monkeypatch.setattr(table_training, "ready_in_time", short)
    penguins = Path(__file__).parents[2] / "examples" / "penguins.csv"
    quick = ("--members", "1", "--no-trees", "--epochs", "1", "--no-report", "--out", "run")
    code, out, _ = run_thalweg("train", penguins, "--target", "target", "--time-limit", "60", *quick)
    assert code == 0
    assert "the time limit allows 92 of 275 rows; --time-limit 190 would allow all" in out
    assert json.loads(Path("run/run.json").read_text())["rows"]["left out by the time limit"] == 183
    assert run_thalweg("inspect", "run")[0] == 0


QUICK = ("--members", "1", "--no-trees", "--epochs", "1", "--layers", "4", "--seed", "1")
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


def test_the_command_counts_from_the_start_of_its_process(run_thalweg, monkeypatch):
    given = ("train", PENGUINS, "--target", "target", "--time-limit", "600", *QUICK, "--no-report", "--out")
    assert run_thalweg(*given, "one")[0] == 0
    monkeypatch.setattr(stopwatch.command, "began", time.perf_counter() - 601)
    code, out, error = run_thalweg(*given, "two")
    assert (code, out) == (2, "")
    assert "--time-limit 600 s was over before training began: reading the table took 6" in error
    command = stopwatch.Command()
    assert command.seconds == 0
    command.begin()
    assert command.seconds >= stopwatch.process_seconds() - 1


@pytest.mark.parametrize(("more", "kept"), [((), 7.0), (("--no-report",), 0.0)])
def test_seconds_are_kept_for_the_report(more, kept, run_thalweg, monkeypatch):
    real, made = Clock, []

    def clock(*given):
        made.append(real(*given))
        return made[-1]

    monkeypatch.setattr(train, "Clock", clock)
    code, out, _ = run_thalweg("train", PENGUINS, "--target", "target", "--time-limit", "100", *QUICK, *more)
    assert code == 0
    assert ("report: " in out) == bool(kept)
    assert made[-1].page == pytest.approx(kept)
    assert [report_page.page_seconds(limit) for limit in (None, 10.0, 1e6)] == [0, pytest.approx(0.7), 15]


@pytest.mark.parametrize("left", [0.1, 0.6])
def test_a_report_that_there_is_no_time_for_is_given_up(left, run_thalweg, monkeypatch, capsys):
    code, _, _ = run_thalweg("train", PENGUINS, "--target", "target", *QUICK, "--no-report", "--out", "run")
    assert code == 0
    run = load("run")
    given = []

    def endless(*_, seconds, **more):
        given.append(seconds)
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(report_page.pages, "write_stored", endless)
    report_page.report_trained(run, Path("run"), left)
    assert given in ([], [pytest.approx(0.6 * left)])
    assert "note: the time limit left none for the report; thalweg report run makes one" in capsys.readouterr().err


def test_the_doctor_gets_a_part_of_what_is_left(monkeypatch):
    given = []
    run = SimpleNamespace(diagnose=lambda seconds: given.append(seconds))
    for left in (math.inf, 60.0, 3.0):
        report.show_diagnosis(run, left)
    assert given == [10, 10, 1]
