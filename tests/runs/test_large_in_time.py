"""Tables on a disk under a limit of time, on clocks that tests set: what is allowed, kept for later, and taken anew."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg.data import read_table, write_table
from thalweg.data.large_source import LargeSource
from thalweg.errors import DataError
from thalweg.runs import baselines, table_training
from thalweg.runs.large import converted, large_training, roles
from thalweg.runs.large.allowance import LEAST, Allowance
from thalweg.runs.large.large_training import Place, train_large
from thalweg.runs.table_run import TableOptions, TableRun
from thalweg.tabular.clock import Clock
from thalweg.tabular.features import Features, Target

ROWS = 4000


class Set(Clock):
    """A clock that shows what a test has set."""

    now = 0.0

    @property
    def passed(self):
        return self.now


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Limits that a small table exceeds."""
    monkeypatch.setattr(large_training, "SMALL", 1000)
    monkeypatch.setattr(converted, "BLOCK_CELLS", 4096)  # blocks of 1365 rows
    monkeypatch.setattr(roles, "MOST_HELD", 200)


def columns():
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 2))
    return {"a": x[:, 0].round(3), "b": x[:, 1].round(3), "y": np.where(x[:, 0] > 0, "yes", "no").astype(object)}


def made(tmp_path, clock=None, **options):
    file = tmp_path / "rows.parquet"
    if not file.exists():
        write_table(file, columns())
    given = TableOptions(**{"target": "y", "members": 1, "layers": (8,), "epochs": 2, "seed": 5} | options)
    return train_large(LargeSource.of(str(file)), given, Place(2_000_000_000, tmp_path / "cache"), clock=clock)


def stored(rows, source):
    return SimpleNamespace(rows=rows, source=source)


def test_rows_are_allowed_by_what_they_were_seen_to_take():
    """100 rows at a second each, and one to learn: half of a block's time is to read it."""
    clock = Set(101.0)
    allowed = Allowance(clock, 100, each=1.0, learning=1.0)
    assert allowed.of(100, 0) == pytest.approx(50 / 150)
    share = allowed(stored(0, 0))
    assert share == pytest.approx(1 / 3)
    clock.now = 10 * (1 + share) / 2  # as foreseen
    assert allowed(stored(3.333, 10)) == pytest.approx(share, rel=1e-3)
    clock.now *= 2  # the machine has become busy
    less = allowed(stored(3.333, 10))
    assert allowed.each == pytest.approx(2.0)
    assert less < share / 1.9
    assert allowed.least == less


def test_the_conversion_ends_where_it_takes_too_long():
    clock = Set(101.0)
    allowed = Allowance(clock, 1000, each=10.0, learning=1.0)
    assert allowed(stored(0, 0)) == LEAST
    clock.now = 60.0
    assert allowed(stored(1, 10)) == LEAST
    clock.now = 70.0  # a third is left
    assert allowed(stored(1, 20)) == allowed.least == 0
    clock.now = 200.0
    assert Allowance(clock, 1000, 10.0, 1.0)(stored(0, 0)) == LEAST  # at least a block has to be there


def test_blocks_have_the_shares_that_are_allowed(tmp_path, monkeypatch):
    shares = iter([1.0, 0.5, 0.0])

    class Given(Allowance):
        def __call__(self, store):
            self.least = next(shares)
            return self.least

    monkeypatch.setattr(large_training, "Allowance", Given)
    run = made(tmp_path, Set(1000.0), time_limit=1000.0)
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert folder.name.endswith("-in-time")
    rows = run.facts["rows"]
    assert rows["train"] == pytest.approx(1.5 * 1365 * 0.8, abs=100)
    assert rows["train"] + rows["test"] + rows["left out by the time limit"] == ROWS


def test_the_disk_needs_room_for_what_is_allowed(tmp_path, monkeypatch):
    free = ROWS * 12 // 2  # two inputs and a target
    monkeypatch.setattr(converted.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    class Given(Allowance):
        def __call__(self, store):
            self.least = 0.4
            return self.least

    monkeypatch.setattr(large_training, "Allowance", Given)
    assert made(tmp_path, Set(1000.0), time_limit=1000.0).facts["rows"]["train"] < ROWS / 2
    with pytest.raises(DataError, match="make room there"):
        made(tmp_path)


def test_a_whole_conversion_is_used_and_one_of_another_limit_isnt(tmp_path, monkeypatch):
    real, parts = converted.part, []

    def part(*given):
        parts.append(given[-1])
        return real(*given)

    monkeypatch.setattr(converted, "part", part)
    limited = {"time_limit": 1000.0}
    made(tmp_path, Set(1000.0), **limited)
    assert parts == [1.0] * 3
    made(tmp_path, Set(1000.0), **limited)
    assert len(parts) == 6  # it may have allowed fewer
    whole = made(tmp_path)
    assert len(parts) == 9
    again = made(tmp_path, Set(1000.0), **limited)
    assert len(parts) == 9
    assert np.array_equal(again.model.vector, whole.model.vector)


def test_what_follows_the_training_is_timed_before_it(monkeypatch):
    """A second for a thousand rows that are judged by, 2 ms for a thousand that a network holds out, 3 to write."""
    clock = Set(100.0)
    table = read_table(columns())
    target = Target.of(table, "y")
    prepared = table_training.made_ready(table, target, TableOptions(target="y", members=2, trees=False, layers=(8,)))

    def advance(seconds, real):
        def slow(*given, **more):
            clock.now += seconds
            return real(*given, **more)

        return slow

    monkeypatch.setattr(table_training, "TRIAL", 1000)
    monkeypatch.setattr(TableRun, "predicted", advance(1.0, TableRun.predicted))
    monkeypatch.setattr(type(prepared.judge), "__call__", advance(0.002, type(prepared.judge).__call__))
    model = type(prepared.blueprint.member(0, 0, 1)[0])
    monkeypatch.setattr(model, "save", advance(3.0, model.save))
    held = 2 * ROWS / 8
    looks = 0.002 * held / 1000 * (1 + 30 / 9)
    assert table_training.closing_seconds(prepared, table, clock) == pytest.approx(1.5 * (4.0 + looks + 3.0))


@pytest.mark.parametrize("on_disk", [False, True])
def test_it_is_kept_from_the_training(on_disk, tmp_path, monkeypatch):
    """The comparisons that need no network come before, too."""
    clock, done = Set(1000.0, page=20.0), []
    monkeypatch.setattr(table_training, "closing_seconds", lambda *_: 30.0)
    for module in (table_training, large_training):
        real = module.solve

        def solve(*given, real=real, **more):
            done.append(("training", clock.left))
            return real(*given, **more)

        monkeypatch.setattr(module, "solve", solve)
    line = baselines.linear

    def linear(*given):
        done.append(("linear", given[-1]))
        return line(*given)

    monkeypatch.setattr(baselines, "linear", linear)
    if on_disk:
        run = made(tmp_path, clock, time_limit=1000.0)
    else:
        options = TableOptions(target="y", members=1, layers=(8,), epochs=2, seed=5, trees=False, time_limit=1000.0)
        run = table_training.train(read_table(columns()), options, clock=clock)
    assert done == [("linear", pytest.approx(0.05 * (1000 - 100 - 20))), ("training", 950)]
    assert {"baseline", "linear", "twins", "warnings"} <= set(run.facts)


def test_a_linear_model_learns_from_as_many_rows_as_there_is_time_for(monkeypatch):
    """Half a second for the first five hundred rows."""
    table = read_table(columns())
    features = Features.fit(table, "y")
    now = iter([0.0, 0.5])
    monkeypatch.setattr(baselines, "TRIAL", 500)
    monkeypatch.setattr(baselines, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    assert baselines.linear(features, table, table, seconds=2.0)["rows"] == 2000
    now = iter([0.0, 0.5])
    assert baselines.linear(features, table, table, seconds=0.01)["rows"] == 500  # at least those of the trial
    assert baselines.linear(features, table, table, seconds=math.inf)["rows"] == ROWS
