"""Callbacks: which events are told, in which order, with what; and what the ready-made ones do."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg import Sequential, callbacks, load_model, metrics
from thalweg.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TensorBoard,
    TerminateOnNaN,
)
from thalweg.callbacks.callback import Model
from thalweg.callbacks.watching import improvement
from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4))
Y = X.sum(axis=1)
OLD = ("on_batch_begin", "on_batch_end")  # called by the events that replaced them
EVENTS = [name for name in vars(Callback) if name.startswith("on_") and name not in OLD]
WITHOUT_NUMBER = [e for e in EVENTS if "epoch" not in e and "batch" not in e]


def network(rate=0.05, judged_by=("mae",)):
    model = Sequential([Input((4,)), Dense(1)], seed=3)
    model.compile(SGD(rate), "mse", metrics=list(judged_by))
    return model


def fit(model, *listeners, **more):
    return model.fit(X, Y, verbose=0, callbacks=list(listeners), **{"epochs": 3, "batch_size": 16} | more)


def test_every_public_callback_has_its_tests_here_or_next_door():
    public = {c for c in vars(callbacks).values() if isinstance(c, type) and issubclass(c, Callback)}
    here = {Callback, History, EarlyStopping, ModelCheckpoint, TerminateOnNaN, LambdaCallback}
    next_door = {BackupAndRestore, CSVLogger, LearningRateScheduler, ReduceLROnPlateau, SwapEMAWeights, TensorBoard}
    assert public == here | next_door


# --- what they may use of the model ----------------------------------------------------------------------------------

PROMISED = {name for name in [*vars(Model), *Model.__annotations__] if not name.startswith("_")}


class Promised:
    """A model of which only what `callbacks.callback.Model` promises can be seen."""

    def __init__(self, model):
        object.__setattr__(self, "model", model)

    def __getattribute__(self, name):
        if name not in PROMISED:
            raise AssertionError(f"no callback is promised a model's {name}")
        return getattr(object.__getattribute__(self, "model"), name)

    def __setattr__(self, name, value):
        if name not in PROMISED:
            raise AssertionError(f"no callback is promised that it may set a model's {name}")
        setattr(object.__getattribute__(self, "model"), name, value)


def see_less(callback):
    callback.set_model = lambda model: Callback.set_model(callback, Promised(model))
    return callback


READY = [
    lambda folder: BackupAndRestore(folder / "backup"),
    lambda folder: CSVLogger(folder / "table.csv"),
    lambda folder: EarlyStopping("loss", restore_best_weights=True),
    lambda folder: LearningRateScheduler(lambda epoch, rate: rate / 2),
    lambda folder: ModelCheckpoint(folder / "model.safetensors", save_best_only=True),
    lambda folder: ModelCheckpoint(folder / "weights.safetensors", save_weights_only=True),
    lambda folder: ReduceLROnPlateau("mae", patience=0, min_delta=1e9),
    lambda folder: SwapEMAWeights(swap_on_epoch=True),
    lambda folder: TerminateOnNaN(),
]


@pytest.mark.parametrize("make", READY)
def test_they_use_no_more_of_the_model_than_is_promised(make, tmp_path):
    model = Sequential([Input((4,)), Dense(1)], seed=3)
    model.compile(SGD(0.05, use_ema=True), "mse", metrics=["mae"])
    fit(model, see_less(make(tmp_path)), validation_data=(X, Y))
    assert model.history.epoch == [0, 1, 2]


def test_the_board_uses_no_more_of_it_either(tmp_path):
    pytest.importorskip("tensorboardX")
    fit(network(), see_less(TensorBoard(tmp_path, histogram_freq=1)))
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [lambda m: m._compiled, lambda m: setattr(m, "vector", None)])
def test_more_than_is_promised_would_be_noticed(more):
    model = network()
    assert all(hasattr(model, name) for name in PROMISED)
    callback = LambdaCallback(on_train_begin=lambda logs: more(callback.model))
    with pytest.raises(AssertionError, match="no callback is promised"):
        fit(model, see_less(callback))


# --- events ----------------------------------------------------------------------------------------------------------


def recorder(*events):
    """A callback that listens to these events only, and the list of what it heard."""
    heard = []

    def listener(event):
        if event in WITHOUT_NUMBER:
            return lambda self, logs=None: heard.append((event, None, logs))
        return lambda self, number, logs=None: heard.append((event, number, logs))

    kind = type("Recorder", (Callback,), {event: listener(event) for event in events})
    return kind(), heard


def test_events_in_keras_order():
    callback, heard = recorder(*EVENTS)
    fit(network(), callback, epochs=2)
    batch = lambda b: [("on_train_batch_begin", b), ("on_train_batch_end", b)]  # noqa: E731
    epoch = lambda e: [("on_epoch_begin", e), *batch(0), *batch(1), *batch(2), ("on_epoch_end", e)]  # noqa: E731
    want = [("on_train_begin", None), *epoch(0), *epoch(1), ("on_train_end", None)]
    assert [(event, number) for event, number, _ in heard] == want


def test_logs_hold_what_keras_documents():
    callback, heard = recorder(*EVENTS)
    model = network(rate=0.0)
    history = fit(model, callback, epochs=2, validation_split=0.2, shuffle=False).history
    logs = {(event, number): given for event, number, given in heard}
    assert logs["on_train_begin", None] == logs["on_epoch_begin", 0] == logs["on_train_batch_begin", 0] == {}
    assert list(logs["on_epoch_end", 1]) == ["loss", "mae", "val_loss", "val_mae"]
    assert logs["on_epoch_end", 1] == logs["on_train_end", None] == {key: v[1] for key, v in history.items()}
    for batch, rows in ((0, 16), (1, 32)):  # means over the epoch so far
        loss, mae = model.evaluate(X[:rows], Y[:rows])
        assert logs["on_train_batch_end", batch] == pytest.approx({"loss": loss, "mae": mae}, rel=1e-6)


def test_callbacks_are_called_in_the_order_given():
    heard = []
    one = LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(("one", epoch)))
    two = LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(("two", epoch)))
    fit(network(), one, two, epochs=2)
    assert heard == [("one", 0), ("two", 0), ("one", 1), ("two", 1)]


def test_a_callback_knows_the_model_and_the_parameters_of_the_fit():
    callback, _ = recorder("on_epoch_end")
    model = network()
    fit(model, callback, epochs=5)
    assert callback.model is model
    assert callback.params["epochs"] == 5
    assert callback.params["steps"] == 3


def test_the_first_epoch_number_is_initial_epoch():
    callback, heard = recorder("on_epoch_begin", "on_epoch_end")
    fit(network(), callback, epochs=5, initial_epoch=3)
    assert [number for _, number, _ in heard] == [3, 3, 4, 4]


def test_weights_seen_at_an_event_are_those_of_that_moment():
    seen = []
    model = network()
    fit(model, LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0])))
    for epochs in (1, 2, 3):
        other = network()
        fit(other, epochs=epochs)
        assert np.array_equal(seen[epochs - 1], other.get_weights()[0])


def test_a_callback_may_change_the_learning_rate_and_stop_the_training():
    model, other = network(), network()

    def schedule(epoch, logs):
        model.optimizer.learning_rate = 0.02
        model.stop_training = epoch == 1

    history = fit(model, LambdaCallback(on_epoch_end=schedule), epochs=50)
    assert history.epoch == [0, 1]
    fit(other, epochs=1)
    other.optimizer.learning_rate = 0.02
    fit(other, epochs=1)
    assert np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_a_callback_may_stop_in_the_middle_of_an_epoch():
    model = network()

    def stop(batch, logs):
        model.stop_training = batch == 1

    history = fit(model, LambdaCallback(on_train_batch_end=stop))
    assert model.optimizer.iterations == 2
    assert history.epoch == []
    assert fit(model, epochs=1).epoch == [0]  # the next fit is not stopped


def test_an_error_in_a_callback_comes_through_and_the_model_works_on():
    model = network()

    def fail(epoch, logs):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        fit(model, LambdaCallback(on_epoch_end=fail))
    assert np.isfinite(fit(model).history["loss"]).all()


def test_lambda_callback_takes_exactly_the_events_of_a_callback():
    assert set(inspect.signature(LambdaCallback).parameters) == set(EVENTS)
    heard = []
    functions = {
        event: (lambda logs, e=event: heard.append(e))
        if event in WITHOUT_NUMBER
        else (lambda number, logs, e=event: heard.append(e))
        for event in EVENTS
    }
    model, callback = network(), LambdaCallback(**functions)
    fit(model, callback, epochs=1, batch_size=40, validation_data=(X, Y))
    model.evaluate(X, Y, 40, callbacks=[callback])
    model.predict(X, 40, callbacks=[callback])
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    test, predict = (
        [f"on_{what}_{event}" for event in ("begin", "batch_begin", "batch_end", "end")] for what in ("test", "predict")
    )
    assert heard == ["on_train_begin", "on_epoch_begin", *batch, *test, "on_epoch_end", "on_train_end", *test, *predict]


# --- early stopping --------------------------------------------------------------------------------------------------


class Script(Callback):
    """Plays given scores as if they were measured, and puts the epoch's number into the weights."""

    def __init__(self, scores, key="val_loss"):
        self.scores, self.key = scores, key

    def on_epoch_end(self, epoch, logs=None):
        logs[self.key] = self.scores[epoch]
        self.model.set_weights([np.full((4, 1), epoch), np.zeros(1)])


def stopped(scores, key="val_loss", initial_epoch=0, **arguments):
    """(the epochs that ran, the epoch whose weights the model has)"""
    model = network(0.0, ("mae", "r2_score", metrics.R2Score(name="score")))
    stopping = EarlyStopping(monitor=key, **arguments)
    history = fit(model, Script(scores, key), stopping, epochs=len(scores), initial_epoch=initial_epoch)
    return len(history.epoch), int(model.get_weights()[0][0, 0])


@pytest.mark.parametrize(
    ("scores", "arguments", "ran", "weights"),
    [
        # epochs    0    1    2    3    4    5
        ([5.0, 4.0, 3.0, 2.0, 1.0, 0.0], {}, 6, 5),
        ([5.0, 4.0, 4.5, 2.0, 1.0, 0.0], {}, 3, 2),  # patience 0: the first epoch that is no better
        ([5.0, 4.0, 4.5, 4.4, 4.3, 3.0], {"patience": 2}, 4, 3),
        ([5.0, 4.0, 4.5, 3.9, 4.3, 4.2], {"patience": 2}, 6, 5),
        ([5.0, 4.0, 4.5, 4.4, 4.3, 3.0], {"patience": 2, "restore_best_weights": True}, 4, 1),
        ([5.0, 4.0, 3.0, 2.0, 1.0, 0.5], {"patience": 2, "restore_best_weights": True}, 6, 5),
        ([5.0, 4.0, 4.0, 4.0, 4.0, 4.0], {"patience": 2}, 4, 3),  # equal is no better
        ([5.0, 4.9, 4.8, 4.7, 4.6, 4.5], {"min_delta": 0.3, "patience": 2}, 3, 2),
        ([5.0, 4.9, 4.8, 4.6, 4.5, 4.4], {"min_delta": 0.3, "patience": 3}, 6, 5),  # 4.6 is 0.4 below the best
        ([5.0, 4.9, 4.8, 4.6, 4.5, 4.4], {"min_delta": -0.3, "patience": 3}, 6, 5),  # its size counts
        ([5.0, 4.0, 3.0, 2.5, 2.6, 2.3], {"baseline": 2.0, "patience": 3}, 5, 4),  # better, but never below 2
        ([5.0, 4.0, 1.5, 1.4, 1.3, 1.2], {"baseline": 2.0, "patience": 3}, 6, 5),
        ([1.0, 9.0, 9.0, 5.0, 6.0, 7.0], {"start_from_epoch": 3, "restore_best_weights": True}, 5, 3),
        ([1.0, 2.0, 3.0, 2.0, 2.0, 2.0], {"mode": "max", "patience": 1}, 4, 3),
        ([1.0, 1.1, 1.2, 1.3, 1.7, 1.5], {"mode": "max", "min_delta": 0.5, "patience": 3}, 4, 3),
    ],
)
def test_early_stopping_stops_where_keras_does(scores, arguments, ran, weights):
    assert stopped(scores, **arguments) == (ran, weights)


def test_auto_mode_goes_by_the_metric():
    rising = [0.1, 0.2, 0.3, 0.4]
    for key in ("accuracy", "val_accuracy", "val_binary_accuracy", "score", "val_score", "val_r2_score"):
        assert stopped(rising, key)[0] == 4
        assert stopped(rising[::-1], key)[0] == 2
    for key in ("loss", "val_loss", "mae", "val_mae", "val_of_my_own"):
        assert stopped(rising, key)[0] == 2


@pytest.mark.parametrize("kind", [c for c in metrics.CLASSES.values() if c.higher_is_better], ids=lambda c: c.__name__)
def test_auto_mode_knows_every_metric_that_is_to_be_high(kind):
    """AUC, precision, F1 … were taken for losses: `restore_best_weights` gave the worst epoch's weights."""
    model = SimpleNamespace(metrics=[metrics.Named("mine", kind)])
    for monitor in ("mine", "val_mine"):
        assert improvement(monitor, "auto", model)(0.6, 0.5)
        assert not improvement(monitor, "min", model)(0.6, 0.5)


def test_early_stopping_says_when(capsys):
    stopped([5.0, 4.0, 4.5, 4.4], patience=1, verbose=1)
    assert capsys.readouterr().out == "Epoch 3: early stopping; the best epoch was 2\n"


def test_one_early_stopping_may_serve_several_fits():
    model, stopping = (
        network(0.0),
        EarlyStopping("loss", patience=1, min_delta=1e-6),
    )  # the order of the rows changes the last bits
    assert len(fit(model, stopping, epochs=9).epoch) == 2
    assert len(fit(model, stopping, epochs=9).epoch) == 2


def test_early_stopping_on_real_training_restores_the_best_epoch():
    x, y = X[:12], Y[:12] + RANDOM.normal(size=12)
    model = Sequential([Input((4,)), Dense(64, "tanh"), Dense(1)], seed=3)
    model.compile(SGD(0.1), "mse")
    stopping = EarlyStopping(patience=10, restore_best_weights=True)
    history = model.fit(x, y, epochs=500, verbose=0, validation_data=(X[12:], Y[12:]), callbacks=[stopping]).history
    best = int(np.argmin(history["val_loss"]))
    assert len(history["loss"]) == best + 11
    assert model.evaluate(X[12:], Y[12:]) == pytest.approx(history["val_loss"][best], rel=1e-6)


def test_a_monitor_that_is_not_logged_is_said_with_those_that_are():
    for callback in (EarlyStopping(), ModelCheckpoint("unused", save_best_only=True)):
        with pytest.raises(ArgumentError, match=r"'val_loss', which isn't logged .*validation data.*: loss, mae"):
            fit(network(), callback)
    with pytest.raises(ArgumentError, match="'val_acc', which isn't logged; logged: loss, mae, val_loss, val_mae"):
        fit(network(), EarlyStopping("val_acc"), validation_split=0.2)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_checkpoint_saves_every_epoch_under_its_name(tmp_path):
    model = network()
    fit(model, ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.2f}.safetensors"))
    losses = model.history.history["loss"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{epoch:02d}-{loss:.2f}.safetensors" for epoch, loss in enumerate(losses, start=1)]
    assert np.array_equal(load_model(tmp_path / names[-1]).predict(X), model.predict(X))
    two = network()
    fit(two, epochs=2)
    assert np.array_equal(load_model(tmp_path / names[1]).predict(X), two.predict(X))


@pytest.mark.parametrize(
    ("scores", "arguments", "saved"),
    [
        ([3.0, 1.0, 2.0, 0.5], {}, [1, 2, 4]),
        ([3.0, 1.0, 2.0, 0.5], {"mode": "max"}, [1]),
        ([3.0, 1.0, 2.0, 0.5], {"initial_value_threshold": 0.7}, [4]),
    ],
)
def test_checkpoint_of_the_best_only(scores, arguments, saved, tmp_path):
    path = tmp_path / "{epoch}.safetensors"
    fit(network(0.0), Script(scores), ModelCheckpoint(path, save_best_only=True, **arguments), epochs=4)
    assert sorted(int(p.stem) for p in tmp_path.iterdir()) == saved


def test_checkpoint_of_weights_and_by_batches(tmp_path, capsys):
    model = network()
    path = tmp_path / "weights.safetensors"
    fit(model, ModelCheckpoint(path, save_weights_only=True, save_freq=2, verbose=1), epochs=1)
    assert capsys.readouterr().out == f"Epoch 1: saved {path}\n"  # after batch 2 of 3
    two, other = network(), network()
    two.train_on_batch(*(a[order(0)] for a in (X, Y)))
    two.train_on_batch(*(a[order(1)] for a in (X, Y)))
    other.load_weights(path)
    assert np.array_equal(other.get_weights()[0], two.get_weights()[0])


def order(batch):
    from thalweg.program.ir.counter import permutation

    return permutation(3, 0, 40)[16 * batch : 16 * (batch + 1)]


@pytest.mark.parametrize("path", ["{val_loss}", "{}", "{epoch:x.y}", "{epoch"])
def test_a_file_name_that_can_not_be_made_is_said(path, tmp_path):
    with pytest.raises(ArgumentError, match="filepath") as caught:
        fit(network(), ModelCheckpoint(tmp_path / path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EarlyStopping(mode="lowest"), "auto, max, min"),
        (lambda: ModelCheckpoint("x", mode="lowest"), "auto, max, min"),
        (lambda: ModelCheckpoint("x", save_freq=0), "save_freq is 'epoch' or a number of batches, got 0"),
        (lambda: ModelCheckpoint("x", save_freq="batch"), "got 'batch'"),
        (lambda: LambdaCallback(on_epoch_end=3), "on_epoch_end has to be a function, got 3"),
        (lambda: fit(network(), EarlyStopping), "callbacks is a list of thalweg.callbacks"),
        (lambda: network().fit(X, Y, callbacks=EarlyStopping("loss")), "callbacks is a list"),
    ],
)
def test_a_wrong_argument_is_said_in_one_sentence(make, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_history_round_trips_as_records():
    history = fit(network(), validation_split=0.2)
    records = history.records()
    again = History()
    for record in records:
        again.append(record.pop("epoch"), record)
    assert again.history == history.history
    assert again.epoch == history.epoch


def test_the_rate_rests_after_a_reduction():
    model = SimpleNamespace(metrics=[], optimizer=SimpleNamespace(learning_rate=1.0))
    callback, rates = ReduceLROnPlateau("loss", factor=0.5, patience=1, cooldown=2), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(6):
        callback.on_epoch_end(epoch, {"loss": 1.0})
        rates.append(model.optimizer.learning_rate)
    assert rates == [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
