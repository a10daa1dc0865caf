"""The trials of a search, in a file that several processes share and that survives their end."""

import multiprocessing
import os
import signal
import warnings
from collections import Counter

import numpy as np
import pytest

import thalweg
from thalweg.data.recipe import recipe
from thalweg.errors import ArgumentError, ModelFileError, ThalwegWarning
from thalweg.experiments.trial_file import drop_half_line, mend, refuse_other_files
from thalweg.experiments.trial_storage import TrialStorage
from thalweg.experiments.tuning.journal import Journal
from thalweg.experiments.tuning.jury import Metric
from thalweg.experiments.tuning.space import Space

pytest.importorskip("optuna")
SPACE = Space.of(recipe("binary"), 1000)
METRIC = Metric.of("binary", None)
SPAWN = multiprocessing.get_context("spawn")


OPEN = []


def opened(path, **problem):
    OPEN.append(Journal(TrialStorage(path), SPACE, METRIC, {"rows": 1} | problem, 0))
    return OPEN[-1]


@pytest.fixture(autouse=True)
def closed():
    """No process goes on showing that it lives."""
    yield
    while OPEN:
        OPEN.pop().close()


def end(journal, trial, score):
    journal.end(trial, {"scores": [], "temperatures": [], "seconds": 0.0}, score)


def take_all(path, budget, taken):
    """Takes trials and ends them, without training anything."""
    journal = opened(path)
    while (trial := journal.claim(budget, quasi_random=True)) is not None:
        taken.put((os.getpid(), trial.number))
        end(journal, trial, float(trial.number))


def die(path):
    """Takes a trial, and is killed."""
    journal = opened(path)
    assert journal.claim(None, quasi_random=True) is not None
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_processes_take_each_trial_once(tmp_path):
    path, taken = tmp_path / "trials", SPAWN.Queue()
    workers = [SPAWN.Process(target=take_all, args=(path, 16, taken)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [taken.get(timeout=100) for _ in range(16)]
    for worker in workers:
        worker.join(100)
        assert worker.exitcode == 0
    assert taken.empty()
    numbers = [number for _, number in found]
    assert max(Counter(numbers).values()) == 1
    journal = opened(path)
    done = journal.finished()
    assert sorted(numbers) == [trial.number for trial in done]
    assert len(done) == 16
    assert len({tuple(trial.params.values()) for trial in done}) == 16
    assert sum(bool(trial.user_attrs.get("default")) for trial in done) == 1


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_the_trial_of_a_killed_process_is_given_again(tmp_path):
    path = tmp_path / "trials"
    worker = SPAWN.Process(target=die, args=(path,))
    worker.start()
    worker.join(100)
    assert worker.exitcode == -signal.SIGKILL
    journal = opened(path)
    assert journal.counted() == 1  # it seems to run
    trial = journal.claim(1, quasi_random=True)
    assert trial.user_attrs["default"]
    assert SPACE.read(trial.params) == SPACE.default
    end(journal, trial, 0.5)
    assert journal.claim(1, quasi_random=True) is None
    assert [trial.number for trial in journal.finished()] == [1]


def test_who_comes_too_late_gives_the_trial_back(tmp_path, monkeypatch):
    one, other = opened(tmp_path / "trials"), opened(tmp_path / "trials")
    first = one.claim(1, quasi_random=True)
    looks = [[]]  # as if it had looked before
    monkeypatch.setattr(other, "revive", lambda: looks.pop() if looks else other.trials())
    assert other.claim(1, quasi_random=True) is None
    monkeypatch.undo()
    assert other.counted() == 1
    end(one, first, 0.1)
    assert [trial.number for trial in other.finished()] == [first.number]


def test_an_interrupted_trial_waits_for_the_next(tmp_path):
    journal = opened(tmp_path / "trials")
    end(journal, journal.claim(None, quasi_random=True), 0.5)
    trial = journal.claim(None, quasi_random=True)
    params = dict(trial.params)
    journal.give_back(trial)
    assert journal.counted() == 1
    again = opened(tmp_path / "trials").claim(None, quasi_random=False)
    assert again.params == params
    assert again.number != trial.number


def test_a_third_goes_on_and_the_default_always(tmp_path):
    journal = opened(None)
    default = journal.claim(None, quasi_random=True)
    others = [journal.claim(None, quasi_random=True) for _ in range(9)]
    for score, trial in enumerate(others):
        journal.report(trial, 0, score / 10)
    assert not journal.report(default, 0, 99.0)
    last = [journal.claim(None, quasi_random=True) for _ in range(4)]
    pruned = [journal.report(trial, 0, score) for trial, score in zip(last, (0.05, 0.15, 0.55, 0.95), strict=True)]
    assert pruned == [False, False, True, True]


def test_another_search_is_refused(tmp_path):
    opened(tmp_path / "trials")
    opened(tmp_path / "trials")
    with pytest.raises(ArgumentError, match="rows differ"):
        opened(tmp_path / "trials", rows=2)
    for text in ("no trials\n", '{"some": "json"}\n', "[1]\n"):
        (tmp_path / "text").write_text(text)
        with pytest.raises(ModelFileError, match="doesn't hold the trials"):
            opened(tmp_path / "text")
        assert (tmp_path / "text").read_text() == text


def searched(path):
    """A journal with three finished trials, and the scores in it."""
    journal = opened(path)
    for score in range(3):
        end(journal, journal.claim(None, quasi_random=True), float(score))
    return path.read_bytes()


def test_a_journal_cut_anywhere_is_mended(tmp_path):
    """At every byte of its last two lines, and of its first two; what lacks the line break alone is complete."""
    path = tmp_path / "trials"
    whole = searched(path)
    lines = whole.splitlines(keepends=True)
    last, first = len(lines[-1]) + len(lines[-2]), len(lines[0]) + len(lines[1])
    for mended in (mend, drop_half_line):
        for size in [*range(1, first), *range(len(whole) - last, len(whole))]:
            cut = whole[:size].rfind(b"\n") + 1
            complete = whole[size : size + 1] == b"\n"
            path.write_bytes(whole[:size])
            refuse_other_files(path)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                mended(path)
            assert path.read_bytes() == (whole[: size + 1] if complete else whole[:cut])
            assert len(said) == (size != cut and not complete)
            assert not said or f"{size - cut:,} bytes, was damaged or cut short" in str(said[0].message)


@pytest.mark.parametrize("left", [-1, -2, -70])
def test_a_journal_cut_short_goes_on(left, tmp_path):
    path = tmp_path / "trials"
    path.write_bytes(searched(path)[:left])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)
        journal = opened(path)
    end(journal, journal.claim(None, quasi_random=True), 9.0)
    assert [trial.value for trial in opened(path).finished()][:2] == [0.0, 1.0]
    assert 9.0 in [trial.value for trial in opened(path).finished()]


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe\x00", b"\x00" * 100, b"{}\n", b"rubbish\n\xc3\n\n\xc3", b'{"op_code": 4}\n']
)
def test_garbage_at_the_end_is_dropped(damage, tmp_path):
    path = tmp_path / "trials"
    whole = searched(path)
    path.write_bytes(whole + damage)
    with pytest.warns(ThalwegWarning, match=f"{len(damage)} bytes, was damaged or cut short, and is dropped"):
        journal = opened(path)
    assert path.read_bytes().startswith(whole)
    assert [trial.value for trial in journal.finished()] == [0.0, 1.0, 2.0]


def test_damage_before_the_end_is_said_and_nothing_changed(tmp_path):
    path = tmp_path / "trials"
    lines = searched(path).splitlines(keepends=True)
    damaged = b"".join([*lines[:4], b"\xff\n", *lines[5:]])
    path.write_bytes(damaged)
    with pytest.raises(ModelFileError, match=f"line 5 of {len(lines)} is none of Optuna's"):
        opened(path)
    assert path.read_bytes() == damaged


def test_what_a_dying_process_leaves_is_no_beginning_of_another_line(tmp_path):
    """While a search runs, another process dies within a line."""
    path = tmp_path / "trials"
    journal, other = opened(path), opened(path)
    trial = journal.claim(None, quasi_random=True)
    with path.open("ab") as file:
        file.write(b'{"op_code":6,"wor')
    with pytest.warns(ThalwegWarning, match="17 bytes"):
        end(journal, trial, 0.5)
    end(other, other.claim(None, quasi_random=True), 0.7)
    assert [trial.value for trial in journal.finished()] == [0.5, 0.7]
    assert [trial.value for trial in opened(path).finished()] == [0.5, 0.7]


def test_a_search_goes_on_where_it_stopped(tmp_path):
    x = np.random.default_rng(0).normal(size=(120, 2))
    y = (x[:, 0] > 0).astype(int)
    space = {"width": 8, "depth": 1, "activation": "relu", "batch_size": 32, "loss": "binary_crossentropy"}
    quick = {"space": space, "folds": 2, "seeds": 1, "lanes": 1, "storage": tmp_path / "folder" / "trials"}
    first = thalweg.tune(x, y, trials=3, **quick)
    second = thalweg.tune(x, y, trials=5, **quick)
    assert [t.scores for t in second.trials[:3]] == [t.scores for t in first.trials]
    assert len(second.trials) == 5
    with pytest.raises(ArgumentError, match="another search"):
        thalweg.tune(x, 1 - y, trials=5, **quick)
    with pytest.raises(ArgumentError, match="metric differ"):
        thalweg.tune(x, y, trials=5, metric="accuracy", **quick)
