"""Ctrl-C: real signals, at places that the tests choose."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pytest

import thalweg
from thalweg import Sequential, engine
from thalweg.callbacks import BackupAndRestore, EarlyStopping, LambdaCallback
from thalweg.data import read_table
from thalweg.data import sources as source_files
from thalweg.errors import DataError, DivergedError
from thalweg.experiments import population
from thalweg.layers import Dense, Input
from thalweg.models import trainer as training
from thalweg.optimizers import SGD
from thalweg.support.interrupts import Held, stopped_by_ctrl_c
from thalweg.tabular import Features, ensemble
from thalweg.tabular.blueprint import Blueprint
from thalweg.tabular.clock import Clock
from thalweg.tabular.training import BestEpoch

ROOT = Path(thalweg.__file__).parents[1]
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0]
ENDLESS = "SELECT sum(range) AS y FROM range(100000000000000)"


def regression(rate=0.05):
    model = Sequential([Input((4,)), Dense(6, "tanh"), Dense(1)], seed=3)
    model.compile(SGD(rate), "mse", metrics=["mae"])
    return model


def press(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def press_at(epoch, times=1):
    return LambdaCallback(on_epoch_end=lambda ended, logs: press(times) if ended == epoch else None)


@pytest.fixture(autouse=True)
def handlers_come_back():
    """Whatever happens in a fit, Ctrl-C does afterwards what it did before."""
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


def consistent(model):
    """History, counts and weights are those of the same epochs: as many without an interruption give the same bits."""
    epochs = len(model.history.epoch)
    assert model.history.epoch == list(range(epochs))
    assert {len(values) for values in model.history.history.values()} <= {epochs}
    assert (model.epochs_trained, model.optimizer.iterations) == (epochs, 2 * epochs)
    other = regression()
    other.fit(X, Y, epochs=epochs, verbose=0)
    assert np.array_equal(model.vector, other.vector)
    return epochs


def without_stages(printed):
    """What was printed, without what a slow machine says of its stages."""
    return "".join(line for line in printed.splitlines(True) if not line.startswith("… "))


@pytest.mark.parametrize("held", [{}, {"validation_split": 0.0}, {"validation_data": (X, Y)}])
def test_ctrl_c_reaches_the_caller_and_the_training_is_kept(held):
    model, ends = regression(), []
    end = LambdaCallback(on_train_end=ends.append)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=1000, verbose=0, callbacks=[press_at(2), end], **held)
    assert model.history.interrupted
    assert consistent(model) == 3
    assert list(ends[0]) == list(model.history.history)  # the callbacks have heard of the end
    assert model.history.seconds > 0
    model.fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
    assert not model.history.interrupted
    whole = regression()
    whole.fit(X, Y, epochs=5, verbose=0)
    assert np.array_equal(model.vector, whole.vector)


def test_a_loop_of_fits_ends():
    fits = []

    def loop():
        for _ in range(3):
            fits.append(regression())
            fits[-1].fit(X, Y, epochs=2, verbose=0, callbacks=[press_at(0)])

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert len(fits) == 1
    assert consistent(fits[0]) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_steps_that_run_are_counted_and_recorded(monkeypatch, times):
    chunks, run = [], training.Fit.chunk

    def interrupted(fit, done, steps, sampled):
        chunks.append(steps)
        press(times if len(chunks) == 3 else 0)
        return run(fit, done, steps, sampled)

    monkeypatch.setattr(training.Fit, "chunk", interrupted)
    model = regression()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=1_000_000, batch_size=25, verbose=0)
    assert len(chunks) == 3
    assert sum(chunks) == model.optimizer.iterations
    assert model.epochs_trained == len(model.history.history["loss"]) == sum(chunks) // 2


def test_a_second_ctrl_c_interrupts_at_once():
    model, heard = regression(), []

    def twice(epoch, logs):
        press()
        heard.append("once")
        press()
        heard.append("twice")

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=9, verbose=0, callbacks=[LambdaCallback(on_epoch_end=twice)])
    assert heard == ["once"]
    assert consistent(model) == 1


def test_ctrl_c_is_not_lost_where_the_training_diverges(monkeypatch):
    run = training.Fit.chunk

    def interrupted(fit, done, steps, sampled):
        press()
        return run(fit, done, steps, sampled)

    monkeypatch.setattr(training.Fit, "chunk", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        regression(1e38).fit(X, Y * 1e30, verbose=0)
    assert isinstance(caught.value.__context__, DivergedError)


def test_a_handler_of_the_users_own_is_called_when_the_fit_has_ended():
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(len(model.history.epoch)))
    try:
        model = regression()
        history = model.fit(X, Y, epochs=9, verbose=0, callbacks=[press_at(1)])
        assert history.interrupted
        assert calls == [2]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        history = model.fit(X, Y, epochs=9, verbose=0, callbacks=[press_at(1)])
        assert (len(history.epoch), history.interrupted) == (9, False)
    finally:
        signal.signal(signal.SIGINT, before)


def test_best_weights_come_back_and_backups_stay(tmp_path):
    model = regression(rate=0.0)
    stop = EarlyStopping("loss", patience=9, restore_best_weights=True)
    backup = BackupAndRestore(tmp_path / "backup")

    def spoil(epoch, logs):
        if epoch == 1:
            model.vector[:] = 0
            press()

    spoiled = LambdaCallback(on_epoch_end=spoil)
    model.build()
    weights = model.get_weights()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop, backup, spoiled])
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))
    assert [epochs for epochs, _ in backup.backups()] == [2]


def test_evaluation_and_single_steps_are_not_cut_in_two(monkeypatch):
    from thalweg.models import evaluator as evaluation

    class Pressing:
        """An engine in which Ctrl-C is pressed."""

        def __init__(self, engine, job):
            self.executor = make(engine, job)

        def run(self, chunk):
            press()
            outcome = self.executor.run(chunk)
            ran.append(chunk)
            return outcome

    make, ran, model = engine.make_executor, [], regression()
    monkeypatch.setattr(evaluation, "make_executor", Pressing)
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(X, Y)
    assert (len(ran), model.optimizer.iterations) == (1, 1)
    with pytest.raises(KeyboardInterrupt):
        model.evaluate(X, Y)
    assert len(ran) == 2


def test_held_contexts_hand_on_to_each_other_once():
    outer, inner, seen = Held(), Held(), []

    def nested():
        with outer:
            with inner:
                press(3)
                seen.append((inner.pressed, outer.pressed))
            seen.append((inner.pressed, outer.pressed))
            press()

    with pytest.raises(KeyboardInterrupt):
        nested()
    assert seen == [(True, False), (True, True)]


@pytest.mark.parametrize("first", ["while others are given out", "while all are awaited"])
def test_many_networks_stop(monkeypatch, first):
    """One is interrupted before it begins, which takes back what stopped it; the last ones wait for a thread."""
    run, submit = training.Fit.run, ThreadPoolExecutor.submit
    models = [regression() for _ in range(6)]
    pressed, given_out = threading.Lock(), threading.Event()

    def submitted(pool, *arguments):
        future = submit(pool, *arguments)
        if first == "while others are given out":
            press()
        elif arguments[-1].args[0] is models[-1]:
            given_out.set()
        return future

    def interrupted(fit):
        if first == "while all are awaited" and pressed.acquire(blocking=False):
            assert given_out.wait(60)
            press()
        end = time.monotonic() + 60
        while not fit.model.stop_training and time.monotonic() < end:
            time.sleep(0.01)
        return run(fit)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submitted)
    monkeypatch.setattr(training.Fit, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        thalweg.fit_many(models, X, Y, epochs=50, lanes=2)
    assert all(model.history is None or model.history.epoch == [] for model in models)


def test_ctrl_c_just_before_a_wait_is_noticed(monkeypatch):
    """A signal just before the system's wait is noticed when the wait is over: waits have to be short."""
    waits, run = [], training.Fit.run
    future_wait = population.wait

    def waited(futures, timeout):
        waits.append(timeout)
        return future_wait(futures, timeout)

    monkeypatch.setattr(population, "wait", waited)
    monkeypatch.setattr(training.Fit, "run", lambda fit: time.sleep(0.3) or run(fit))
    thalweg.fit_many([regression(), regression()], X, Y, epochs=2, lanes=2)
    assert waits
    assert max(waits) <= 1


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def pressed_while_duckdb_works(monkeypatch):
    connect = duckdb.connect

    def connected(*arguments):
        connection = connect(*arguments)
        threading.Timer(1.0, press).start()  # while it works on what would take years
        return connection

    monkeypatch.setattr(duckdb, "connect", connected)


def test_a_query_is_interrupted(pressed_while_duckdb_works):
    with pytest.raises(KeyboardInterrupt):
        read_table(ENDLESS)


@pytest.mark.parametrize("error", [RuntimeError("Query interrupted"), DataError("can't read it: Interrupted")])
def test_what_a_library_makes_of_ctrl_c_is_one_again(error):
    stopped = []

    def work():
        with stopped_by_ctrl_c(lambda: stopped.append("stopped")):
            try:
                press()
            except KeyboardInterrupt:
                raise error from None

    with pytest.raises(KeyboardInterrupt):
        work()
    assert stopped == ["stopped"]


def test_errors_without_ctrl_c_are_what_they_are():
    with pytest.raises(RuntimeError, match="of another kind"), stopped_by_ctrl_c(print):
        raise RuntimeError("of another kind")


def test_the_command_line_is_interrupted_while_it_reads(run_thalweg, pressed_while_duckdb_works):
    assert run_thalweg("train", ENDLESS, "--target", "y") == (130, "", "thalweg: interrupted\n")


@pytest.mark.parametrize("arguments", [("--members", "1"), ("--members", "3", "--lanes", "2"), ("--folds", "2")])
def test_a_run_that_ctrl_c_ends_is_kept(run_thalweg, monkeypatch, arguments):
    """Whether the third network has begun or not: those that have are kept, with their best epochs so far."""
    train, presses = BestEpoch.on_epoch_end, iter([press])  # once, though several networks train side by side

    def on_epoch_end(self, epoch, logs):
        train(self, epoch, logs)
        if epoch == 2:
            next(presses, lambda: None)()
        time.sleep(0.05 * (epoch > 2))

    monkeypatch.setattr(BestEpoch, "on_epoch_end", on_epoch_end)
    code, out, error = run_thalweg("train", PENGUINS, "--target", "target", "--seed", "0", "--out", "run", *arguments)
    assert (code, error) == (0, "")
    assert "(interrupted)" in out
    facts = json.loads(Path("run/run.json").read_text())
    assert facts["interrupted"]
    assert "folds" not in facts
    members = facts["members"]
    whole = Counter(json.loads(line)["member"] for line in Path("run/history.jsonl").read_text().splitlines())
    for number, member in enumerate(members):
        assert 1 <= member["best epoch"] <= member["epochs"] < 32
        assert member["epochs"] == max(whole[number], member["best epoch"]) <= whole[number] + 1
    assert run_thalweg("evaluate", "run", PENGUINS)[0] == 0


@pytest.mark.parametrize(("owner", "name"), [(Features, "fit"), (Blueprint, "member")])
def test_before_training_nothing_is_left(run_thalweg, monkeypatch, owner, name):
    monkeypatch.setattr(owner, name, lambda *_, **__: press())
    code, _, error = run_thalweg("train", PENGUINS, "--target", "target", "--epochs", "2")
    assert (code, error) == (130, "thalweg: interrupted\n")
    assert not [path for path in Path().rglob("*") if path.is_file()]


def test_before_a_step_is_done_nothing_is_left(run_thalweg, monkeypatch):
    """Ctrl-C reaches the main thread; the network that is about to begin waits here until it has been heard."""
    make, interrupt, heard = engine.make_executor, Clock.interrupt, threading.Event()

    def interrupted(clock):
        interrupt(clock)
        heard.set()

    def pressed(name, job):
        press()
        assert heard.wait(60)
        return make(name, job)

    monkeypatch.setattr(Clock, "interrupt", interrupted)
    monkeypatch.setattr(engine, "make_executor", pressed)
    code, _, error = run_thalweg("train", PENGUINS, "--target", "target", "--epochs", "2")
    assert (code, error) == (130, "thalweg: interrupted\n")
    assert heard.is_set()
    assert not [path for path in Path().rglob("*") if path.is_file()]


def test_a_half_written_table_is_removed(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "replace", lambda *_: press())
    with pytest.raises(KeyboardInterrupt):
        source_files.write_file(tmp_path / "answers.csv", {"a": np.arange(3.0)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["thalweg.layers", "typer", "duckdb", "sklearn.metrics"])
def test_the_command_line_is_interrupted_while_it_imports(tmp_path, module):
    script = f"""
import os, signal, sys

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
sys.argv = ["thalweg", "train", {str(PENGUINS)!r}, "--target", "target", "--epochs", "1", "--quality", "fast"]
from thalweg.__main__ import main
main()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert (done.returncode, without_stages(done.stderr)) == (130, "thalweg: interrupted\n")


def test_the_epochs_of_a_network_bear_its_number_where_one_before_it_is_left_out(run_thalweg, monkeypatch):
    fit_one = ensemble.fit_one

    def diverging(blueprint, rows, held, judge, number, *others):
        if number == 0:
            raise DivergedError("training stopped")
        return fit_one(blueprint, rows, held, judge, number, *others)

    monkeypatch.setattr(ensemble, "fit_one", diverging)
    code, _, _ = run_thalweg(
        "train", PENGUINS, "--target", "target", "--seed", "0", "--out", "run", "--members", "3", "--epochs", "2"
    )
    assert code == 0
    assert len(json.loads(Path("run/run.json").read_text())["members"]) == 2
    members = [json.loads(line)["member"] for line in Path("run/history.jsonl").read_text().splitlines()]
    assert sorted(set(members)) == [0, 1]
