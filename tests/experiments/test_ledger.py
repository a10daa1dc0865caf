"""Trials that several processes share: whatever one was doing when it died, none is lost and none counts twice."""

import errno
import os
import threading
import time
import warnings

import pytest

from thalweg.errors import ArgumentError, MissingPackageError, ThalwegError, ThalwegWarning
from thalweg.experiments import ledger as ledgers
from thalweg.experiments import trial_storage
from thalweg.experiments.ledger import ABANDONED, PROCESS, QUEUED, RETRY, Ledger
from thalweg.experiments.trial_storage import OutageError, TrialStorage, first_line, without_password

optuna = pytest.importorskip("optuna")
NEEDED = "optuna", "tune", "a test"
QUEUE = [({"width": 8}, {"default": True}), ({}, {"entry": "relu"})]


class Plain(Ledger):
    """Trials that need nothing, unless a test says what."""

    need = staticmethod(lambda trial: True)

    def prepare(self, trial):
        return self.need(trial)


@pytest.fixture
def opened(tmp_path):
    """Opens one more ledger on the same trials, as another process does."""
    made = []

    def open_one(queue=QUEUE, **problem):
        made.append(Plain(TrialStorage(tmp_path / "trials"), "test", "maximize", problem, queue, NEEDED))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


def take(ledger, budget=None):
    return ledger.take(budget)


def end(ledger, trial, score=1.0):
    return ledger.end(trial, {}, score)


def dead(ledger):
    """The process of this ledger seems to have died."""
    ledger.process["pid"] = 2**22 + 12345


def test_the_queue_first_then_new_ones(opened):
    one, other = opened(), opened()
    trials = [take(one), take(other), take(one)]
    assert [trial.user_attrs.get(QUEUED) for trial in trials] == [0, 1, None]
    assert trials[0].user_attrs["default"]
    assert trials[1].user_attrs["entry"] == "relu"
    assert not one.over(3)
    assert all(end(one, trial) for trial in trials)
    assert one.over(3)
    assert not one.over(4)
    assert take(other, 3) is None


def test_two_makers_of_one_study_queue_nothing_twice(opened):
    one, other = opened(), opened()
    other.enqueue(QUEUE)  # all is there
    for place, (params, attributes) in enumerate(QUEUE):  # both saw an empty study
        other.study.enqueue_trial(params, attributes | {QUEUED: place})
    found = [take(one), take(other), take(one)]
    assert [trial.user_attrs.get(QUEUED) for trial in found] == [0, 1, None]
    assert [trial.number for trial in one.trials() if trial.user_attrs.get(ABANDONED)] == [2, 3]


def test_a_maker_that_died_before_it_said_what_the_study_is(opened, monkeypatch):
    monkeypatch.setattr(ledgers, "PATIENCE", 0.0)
    monkeypatch.setattr(Ledger, "known_problem", lambda ledger: None)
    opened(QUEUE[:1], rows=1)
    opened(QUEUE, rows=1)
    monkeypatch.undo()
    one = opened(rows=1)
    assert [trial.user_attrs[QUEUED] for trial in one.trials()] == [0, 1]
    with pytest.raises(ArgumentError, match="rows differ; give another storage, or the same source"):
        opened(rows=2)


def test_what_a_dead_process_had_taken_is_given_again_with_all_that_was_queued(opened):
    dying, one = opened(), opened()
    dead(dying)
    for _ in QUEUE:
        take(dying)
    again = [take(one), take(one)]
    assert [trial.user_attrs.get(RETRY) for trial in again] == [0, 1]
    assert [trial.user_attrs.get(QUEUED) for trial in again] == [0, 1]
    queued = [one.trials()[trial.number].system_attrs["fixed_params"] for trial in again]
    assert queued == [{"width": 8}, {}]
    assert again[0].user_attrs["default"]
    assert again[0].user_attrs[PROCESS] == one.process


def test_two_who_find_the_same_dead_process_give_its_trial_again_once(opened):
    dying, one, other = opened(), opened(), opened()
    dead(dying)
    trial = take(dying)
    one.fail(trial.number)
    other.fail(trial.number)
    queued = one.study.trials[-1]
    for finder in (one, other):  # both saw that nobody had
        finder.study.enqueue_trial({"width": 8}, {QUEUED: 0, "default": True, RETRY: trial.number})
    assert queued.number == 1
    found = [take(one), take(other), take(one)]
    assert [trial.user_attrs.get(RETRY) for trial in found] == [None, 0, None]  # 1 was in the queue before
    assert found[0].user_attrs[QUEUED] == 1


def test_a_second_one_whose_process_dies_is_not_given_again(opened):
    dying, one = opened(), opened()
    one.study.enqueue_trial({"width": 8}, {QUEUED: 0, "default": True})
    first, second = (trial for trial in one.trials() if trial.user_attrs[QUEUED] == 0)
    dead(dying)
    one.study._storage.set_trial_state_values(second._trial_id, optuna.trial.TrialState.RUNNING)
    one.study._storage.set_trial_user_attr(second._trial_id, PROCESS, dying.process)
    one.revive()
    assert [trial.user_attrs.get(RETRY) for trial in one.trials()] == [None] * 3
    assert take(one).number == first.number


def test_a_process_that_died_before_it_could_say_who_it_is(opened, monkeypatch):
    one = opened()
    nameless = one.study.ask()
    one.revive()
    assert one.study.trials[nameless.number].state.name == "RUNNING"
    monkeypatch.setattr(ledgers, "NAMELESS", -1.0)
    assert take(one).user_attrs.get(RETRY) is None  # the second of the queue
    assert take(one).user_attrs[RETRY] == nameless.number


def test_one_that_only_seemed_dead_finds_that_its_trial_went_to_another(opened):
    slow, one = opened(), opened()
    dead(slow)
    trial = take(slow)
    again = next(taken for _ in range(3) if (taken := take(one)).user_attrs.get(RETRY) == trial.number)
    assert not end(slow, trial, 5.0)
    assert end(one, again, 1.0)
    assert [found.value for found in one.finished()] == [1.0]
    slow.give_back(trial)  # changes nothing
    assert len(one.finished()) == 1


def test_a_trial_that_another_takes_while_this_process_prepares_it(opened):
    one = opened([])

    def lose(trial):
        if trial.number == 0:
            one.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            trial.set_user_attr("too", "late")
        return True

    one.need = lose
    assert take(one).number == 1


def test_a_trial_that_is_refused_is_left_out(opened):
    one = opened()
    one.need = lambda trial: "entry" in trial.user_attrs
    assert take(one, 2).user_attrs["entry"] == "relu"
    assert [trial.state.name for trial in one.trials()] == ["FAIL", "RUNNING"]


def outage(times, why="the server has gone"):
    """A question that a database doesn't answer so many times."""
    left = [times]

    def ask():
        if left[0]:
            left[0] -= 1
            raise optuna.exceptions.StorageInternalError("during the commit") from OSError(f"{why}.\nDETAIL: …")
        return "an answer"

    return ask


def test_a_database_is_asked_again(opened, monkeypatch):
    one = opened()
    assert one.answer(outage(1)) == "an answer"
    monkeypatch.setattr(one.stopped, "wait", lambda seconds: None)
    with pytest.warns(ThalwegWarning, match="trials doesn't answer: the server has gone; it is asked again for 180 s"):
        assert one.answer(outage(9)) == "an answer"
    with pytest.raises(ZeroDivisionError):  # no outage
        one.answer(lambda: 1 / 0)


def test_a_slow_database_is_asked_again(opened):
    fails = outage(1)

    def slow():
        time.sleep(0.3)
        return fails()

    assert opened().answer(slow, patience=0.2) == "an answer"


def test_an_outage_ends_in_a_sentence_and_nothing_waits_for_a_second_one(opened):
    one = opened()
    sentence = "trials doesn't answer: the server has gone; what it holds is kept, and the same command goes on with it"
    with pytest.raises(OutageError, match=sentence):
        one.answer(outage(10), patience=0.0)
    with pytest.raises(OutageError, match=sentence):
        one.trials()
    assert opened().answer(outage(0)) == "an answer"


def test_trials_of_another_version_are_refused(opened, monkeypatch):
    opened(rows=1)
    with monkeypatch.context() as patched:
        patched.setattr(ledgers, "__version__", "9.0")
        with pytest.raises(ArgumentError, match=r"holds trials of thalweg .*, and this is thalweg 9\.0: use the same"):
            opened(rows=2)
    opened(rows=1)


def at_once(error, *words):
    """A storage that failed for good: one sentence, with these words, and no waiting."""
    assert "\n" not in str(error.value)
    for word in (*words, "mend that, and the same command goes on, or give another storage"):
        assert word in str(error.value)


@pytest.fixture
def impatient(monkeypatch):
    """Asking again fails."""
    monkeypatch.setattr(trial_storage, "is_outage", lambda error: False)
    monkeypatch.setattr(ledgers, "is_outage", lambda error: False)


def test_a_disk_that_fills_ends_in_a_sentence(opened, tmp_path, impatient):
    resource = pytest.importorskip("resource", reason="no limits on the size of files")
    one = opened()
    dead(one)
    trial, before = take(one), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "trials").stat().st_size + 10, before[1]))
    try:
        with pytest.raises(OutageError) as caught:
            end(one, trial)
        with pytest.raises(OutageError):
            one.trials()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    at_once(caught, "trials can't keep trials: File too large")
    with pytest.warns(ThalwegWarning, match="was damaged or cut short, and is dropped"):
        other = opened()
    again = [take(other), take(other)]
    assert [trial.user_attrs[QUEUED] for trial in again] == [1, 0], "what was under way is given again"


def test_a_disk_that_can_only_be_read_ends_in_a_sentence(opened, tmp_path, monkeypatch, impatient):
    one = opened()

    def refused(*paths):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "symlink", refused)
    with pytest.raises(OutageError) as caught:
        take(one)
    at_once(caught, "trials can't keep trials: Read-only file system")
    with pytest.raises(ThalwegError, match="trials can't be written: Read-only file system"):
        opened()


@pytest.mark.parametrize("damage", ["cut", "other", "read-only"])
def test_a_sqlite_file_that_can_t_keep_trials(damage, tmp_path, impatient):
    path = tmp_path / "trials.db"

    def opened_file(options=""):
        url = f"sqlite:///file:{path}?{options}uri=true"
        return Plain(TrialStorage(url), "test", "maximize", {}, QUEUE, NEEDED)

    opened_file().close()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "other":
        path.write_bytes(b"something else " * 1000)
    with pytest.raises(OutageError) as caught:
        opened_file("mode=ro&" if damage == "read-only" else "").take(None)
    at_once(caught, "can't keep trials: ", {"cut": "malformed", "other": "not a database"}.get(damage, "readonly"))


def test_work_that_ends_early_waits_for_no_answer(opened):
    one = opened()
    one.stopped.set()
    with pytest.raises(OutageError):
        one.answer(outage(10))


def test_what_was_asked_for_when_the_database_failed_is_tried_again(opened):
    one = opened()
    prepared = []

    def prepare(trial):
        prepared.append(trial.number)
        if len(prepared) == 1:
            outage(1)()
        return True

    one.need = prepare
    trial = take(one)
    assert prepared == [0, 1]
    assert take(one).user_attrs[RETRY] == 0
    assert trial.user_attrs["entry"] == "relu"


def test_signs_of_life_keep_a_trial_of_another_machine(opened, monkeypatch):
    one, other = opened(), opened()
    other.process["host"] = "elsewhere"
    trial = take(other)
    monkeypatch.setattr(one.watch, "silent", lambda name: 1000.0)
    frozen = one.trials()[trial.number]
    assert one.is_dead(frozen)
    monkeypatch.undo()
    for count in range(3):
        other.beat(count)
        one.beat(count)
    assert not one.is_dead(frozen)
    assert sum("worker elsewhere:" in name for name in one.study.user_attrs) == 1


def test_a_storage_in_memory_has_no_pulse(opened):
    before = threading.active_count()
    one = Plain(TrialStorage(None), "test", "maximize", {}, QUEUE, NEEDED)
    assert take(one) is not None
    assert threading.active_count() == before


# --- databases -----------------------------------------------------------------------------------------------------


def test_no_password_is_shown():
    given = "postgresql+psycopg://ann:se:cret@host:5432/trials"
    assert str(TrialStorage(given)) == "postgresql+psycopg://ann:***@host:5432/trials"
    assert without_password("runs/a:b@c") == "runs/a:b@c"
    assert str(TrialStorage("postgresql://ann@host/trials")) == "postgresql://ann@host/trials"


def test_postgresql_takes_the_driver_that_is_there(monkeypatch):
    for installed, scheme in ((["psycopg", "psycopg2"], "psycopg"), (["psycopg2"], "psycopg2")):
        monkeypatch.setattr(trial_storage, "find_spec", lambda name, there=installed: name in there or None)
        assert TrialStorage("postgresql://host/name").url == f"postgresql+{scheme}://host/name"
    assert TrialStorage("postgresql+pg8000://host/name").url == "postgresql+pg8000://host/name"
    monkeypatch.setattr(trial_storage, "find_spec", lambda name: None)
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"PostgreSQL database needs psycopg: .*thalweg\[postgresql\]"):
        _ = TrialStorage("postgresql://host/name").url


def test_a_machine_that_vanishes_stops_nobody_for_long():
    options = TrialStorage("postgresql+psycopg://host/name?connect_timeout=3").engine
    assert options["pool_pre_ping"]
    assert "idle_in_transaction_session_timeout" in options["connect_args"]["options"]
    assert "connect_timeout" not in options["connect_args"], "the URL's own counts"
    assert "connect_args" not in TrialStorage("sqlite:///trials.db").engine


def test_a_driver_that_isn_t_there_and_a_url_that_is_none():
    with pytest.raises(MissingPackageError, match="trials in mysql://host/name need MySQLdb: pip install MySQLdb"):
        TrialStorage("mysql://host/name").open()
    with pytest.raises(ArgumentError, match="nothing://host can't keep trials"):
        TrialStorage("nothing://host").open()


def test_several_searches_in_one_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    made = [
        Plain(TrialStorage(url), ledgers.named("thalweg tune", name), "maximize", {"rows": rows}, QUEUE, NEEDED)
        for name, rows in ((None, 1), ("second", 2), ("second", 2))
    ]
    assert [len(one.trials()) for one in made] == [2, 2, 2]
    with pytest.raises(ArgumentError, match="several searches in one database need a study each"):
        Plain(TrialStorage(url), "thalweg tune", "maximize", {"rows": 2}, QUEUE, NEEDED)
    trial = take(made[1])
    assert end(made[1], trial)
    assert len(made[2].finished()) == 1
    assert not made[0].finished()


def test_a_driver_s_words_are_one_line():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert first_line(ValueError("all is lost!\nSQL: SELECT")) == "all is lost"
    assert first_line(ValueError("")) == "ValueError"
