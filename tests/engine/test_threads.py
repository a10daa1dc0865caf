"""Several threads with one model: one makes what is missing, the others wait; one trains, the others are refused."""

import copy
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import Sequential
from thalweg.callbacks import Callback
from thalweg.errors import ThalwegError
from thalweg.layers import Dense
from thalweg.models.compiled import Compiled
from thalweg.models.weights import Weights
from thalweg.support.once import making, once

THREADS = 8
ROUNDS = 4
X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
Y = np.arange(40) % 3


def unbuilt(compiled=True, **options):
    model = Sequential([Dense(7, "tanh"), Dense(3, "softmax")], seed=1, **options)
    if compiled:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def together(*calls):
    """What the calls return, all begun in the same moment; a thread that fails raises here."""
    barrier = threading.Barrier(len(calls))

    def begin(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


@pytest.fixture
def impatient():
    """Threads take turns so often that they meet anywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def compiled_here(model):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.evaluate(X, Y, verbose=0)


USES = {
    "predict": lambda model: model.predict(X),
    "predict many": lambda model: model.predict(X, lanes=2),
    "predict bytes": lambda model: model.predict(np.ones((5, 6), np.uint8)),
    "evaluate": lambda model: model.evaluate(X, Y, verbose=0),
    "compile": compiled_here,
    "weights": lambda model: model.build((6,)) or np.concatenate([w.ravel() for w in model.get_weights()]),
    "program": lambda model: (
        model.evaluate(X[:1], Y[:1], verbose=0)
        and str(model.schedule("training", lanes=2 if model.engine == "native" else 1))
    ),
    "trace": lambda model: model.trace(X, Y)["y_pred"],
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_threads_that_meet_an_unbuilt_model_get_what_one_gets(use, engine, impatient):
    if (use, engine) == ("predict many", "reference"):
        pytest.skip("the reference engine has one lane")
    alone = USES[use](unbuilt(engine=engine))
    for _ in range(ROUNDS):
        model = unbuilt(compiled=use != "compile", engine=engine)
        for result in together(*[partial(USES[use], model)] * THREADS):
            assert np.array_equal(result, alone)


def test_all_at_once(impatient):
    alone = {use: call(unbuilt()) for use, call in USES.items()}
    for _ in range(ROUNDS):
        model = unbuilt()
        results = together(*[partial(call, model) for call in USES.values()] * 2)
        for use, result in zip([*USES] * 2, results, strict=True):
            assert np.array_equal(result, alone[use]), use


def test_evaluation_keeps_to_the_loss_it_began_with(impatient):
    """Else the targets of one loss would be read as another's, which are three times as many numbers."""
    model = unbuilt()
    allowed = [model.evaluate(X, Y, verbose=0)[0]]
    failures = []

    def evaluate():
        for _ in range(50):
            try:
                assert model.evaluate(X, Y, verbose=0)[0] == allowed[0]
            except ThalwegError as error:
                failures.append(str(error))

    def compile_again():
        for n in range(50):
            model.compile("adam", ("categorical_crossentropy", "sparse_categorical_crossentropy")[n % 2], ["accuracy"])

    together(evaluate, evaluate, compile_again)
    assert all("needs one-hot targets of shape (rows, 3)" in text for text in failures), set(failures)


def held_up(monkeypatch, owner, method):
    """The method takes long from now on; returns the event that says it has begun."""
    begun, original = threading.Event(), getattr(owner, method)

    def slowly(self, *arguments, **named):
        result = original(self, *arguments, **named)
        begun.set()
        time.sleep(0.3)
        return result

    monkeypatch.setattr(owner, method, slowly)
    return begun


def test_no_thread_sees_a_model_before_its_weights_are_drawn(monkeypatch):
    alone = unbuilt().predict(X)
    begun, model = held_up(monkeypatch, Weights, "place"), unbuilt()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(model.predict, X)
        assert begun.wait(60)
        assert all(weights.any() for weights in model.get_weights()[::2])  # the kernels: biases begin with 0
        assert np.array_equal(first.result(), alone)


def test_compiling_waits_until_an_evaluation_has_all_it_needs(monkeypatch):
    model = unbuilt()
    alone = model.evaluate(X, Y, verbose=0)
    begun = held_up(monkeypatch, Compiled, "data")
    with ThreadPoolExecutor(1) as pool:
        evaluation = pool.submit(model.evaluate, X, Y, verbose=0)
        assert begun.wait(60)
        model.compile("sgd", "categorical_crossentropy")  # it takes three numbers a row
        assert evaluation.result() == alone


def test_what_is_made_is_made_once():
    made = []

    @once
    def make(name):
        made.append(name)
        return object()

    for name in ("a", "b"):
        assert len(set(map(id, together(*[lambda name=name: make(name)] * THREADS)))) == 1
    assert made == ["a", "b"]
    make.cache_clear()
    make("a")
    assert made == ["a", "b", "a"]


def test_a_model_that_cannot_be_built_fails_in_every_thread_and_can_be_used_again():
    model = unbuilt()
    with pytest.raises(ThalwegError):
        together(*[lambda: model.evaluate(np.zeros((4, 6)), np.zeros((5,)), verbose=0)] * 4)
    assert together(*[lambda: model.predict(X)] * 4)[0].shape == (40, 3)


# --- training ----------------------------------------------------------------------------------------------------


class Waits(Callback):
    """Says that the training has begun, and waits to go on."""

    def __init__(self):
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def on_epoch_end(self, epoch, logs=None):
        self.begun.set()
        assert self.go_on.wait(60)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.fit(X, Y, verbose=0),
        lambda model: model.train_on_batch(X, Y),
        lambda model: model.compile("sgd", "sparse_categorical_crossentropy"),
    ],
)
def test_while_a_thread_trains_no_other_changes_the_model(change):
    model, alone = unbuilt(), unbuilt()
    alone.fit(X, Y, epochs=2, verbose=0)
    waits = Waits()
    training = threading.Thread(target=lambda: model.fit(X, Y, epochs=2, verbose=0, callbacks=[waits]))
    training.start()
    try:
        assert waits.begun.wait(60)
        with pytest.raises(ThalwegError, match=r"'sequential' is being trained by another thread.*copy\.deepcopy"):
            change(model)
        model.evaluate(X, Y, verbose=0)
        model.predict(X)
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            change(copied)
    finally:
        waits.go_on.set()
        training.join()
    assert np.array_equal(model.vector, alone.vector)
    change(model)  # now it may


def test_a_callback_may_train_and_an_error_ends_the_training():
    class Trains(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.train_on_batch(X, Y)
            raise KeyError("mine")

    model = unbuilt()
    with pytest.raises(KeyError, match="mine"):
        model.fit(X, Y, verbose=0, callbacks=[Trains()])
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(model.fit, X, Y, verbose=0).result().history["loss"]


def test_threads_begin_to_fit_one_model_and_one_does(impatient):
    model = unbuilt()

    def fit():
        try:
            return bool(model.fit(X, Y, epochs=200, verbose=0).history)
        except ThalwegError:
            return False

    assert any(together(*[fit] * THREADS))
    assert np.isfinite(model.vector).all()


# --- processes ---------------------------------------------------------------------------------------------------

FIRST = """
import sys, threading
import numpy as np
from thalweg import Sequential
from thalweg.layers import Dense
from thalweg.models.compiled import Compiled
from thalweg.models.weights import Weights
sys.setswitchinterval(1e-6)
model = Sequential([Dense(7, "tanh"), Dense(3)], seed=1)
x = np.ones((4, 6), np.float32)
barrier, results = threading.Barrier(8), []
def predict():
    barrier.wait()
    results.append(model.predict(x).tobytes())
threads = [threading.Thread(target=predict) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(results), len(set(results)))
"""


def test_the_first_kernels_of_a_process_may_be_asked_for_by_several_threads(tmp_path):
    for _ in range(2):  # compiled, then loaded
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", FIRST],
            env=os.environ | {"PYTHONPATH": str(Path(thalweg.__file__).parents[1]), "THALWEG_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (0, "8 1\n"), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*:RuntimeWarning")  # of JAX, where another test has imported it
def test_a_fork_while_another_thread_makes_something_leaves_the_child_free_to_make():
    held, leave = threading.Event(), threading.Event()

    def make():
        with making:
            held.set()
            leave.wait(60)

    thread = threading.Thread(target=make)
    thread.start()
    held.wait()
    threading.Timer(0.2, leave.set).start()
    child = os.fork()
    if not child:
        os._exit(0 if making.acquire(timeout=10) else 1)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


POOLED = """
import os, threading, time
from thalweg.support.once import making
from concurrent.futures import ThreadPoolExecutor
held, forking = threading.Event(), threading.Event()
def make():
    with making:
        held.set()
        forking.wait()
        time.sleep(0.3)  # in which the fork takes the pools' lock, if it takes that first
        ThreadPoolExecutor(1).submit(int).result()
thread = threading.Thread(target=make)
thread.start()
held.wait()
os.register_at_fork(before=forking.set)
child = os.fork()
if not child:
    os._exit(0 if making.acquire(timeout=60) else 1)
thread.join()
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_waits_for_what_another_thread_makes_with_a_pool():
    environment = os.environ | {"PYTHONPATH": str(Path(thalweg.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", POOLED], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
