"""Callbacks that set the learning rate, write files, and swap weights: what they do, and that Keras does the same."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from test_callbacks import X, Y, fit, network, recorder

from thalweg import Sequential, schedules
from thalweg.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    SwapEMAWeights,
)
from thalweg.errors import ArgumentError, DivergedError, ModelFileError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD, Adam

SCORES = [5.0, 4.0, 4.0, 3.99995, 4.5, 4.2, 4.1, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.0, 2.0, 2.5, 2.6, 2.7, 2.8]


def keras_callbacks():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", exc_type=ImportError).callbacks


def played(callback, logs):
    """The learning rate after each epoch, where these logs come in."""
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=1.0), metrics=[])
    callback.set_model(model)
    callback.on_train_begin({})
    rates = []
    for epoch, given in enumerate(logs):
        callback.on_epoch_begin(epoch, {})
        callback.on_epoch_end(epoch, dict(given))
        rates.append(float(model.optimizer.learning_rate))
    callback.on_train_end({})
    return rates


# --- the learning rate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"patience": 2},
        {"patience": 0, "factor": 0.5, "min_lr": 0.2},
        {"patience": 2, "cooldown": 2, "factor": 0.5},
        {"patience": 3, "min_delta": 0.5},
        {"patience": 2, "mode": "max", "cooldown": 1},
    ],
)
def test_the_rate_is_reduced_where_keras_reduces_it(arguments):
    arguments = {"mode": "min"} | arguments
    logs = [{"val_loss": score} for score in SCORES]
    ours = played(ReduceLROnPlateau(**arguments), logs)
    assert len(set(ours)) > 1 or arguments == {"mode": "min"}
    np.testing.assert_allclose(ours, played(keras_callbacks().ReduceLROnPlateau(**arguments), logs), rtol=1e-6)


def test_the_rate_is_reduced_by_hand():
    logs = [{"loss": score} for score in (3.0, 2.0, 2.0, 2.0, 2.0, 1.0)]
    assert played(ReduceLROnPlateau("loss", 0.5, 2), logs) == [1, 1, 1, 0.5, 0.5, 0.5]


def test_the_rate_is_reduced_in_a_fit_and_logged(capsys):
    model = network(0.25)
    reduce = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0, min_lr=0.1, verbose=1)
    history = fit(model, reduce, epochs=4).history
    assert history["learning_rate"] == [0.25, 0.25, 0.125, 0.1]
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 2: the learning rate goes from 0.25 to 0.125",
        "Epoch 3: the learning rate goes from 0.125 to 0.1",
    ]


def test_a_scheduler_sets_the_rate_of_each_epoch(capsys):
    model, other = network(0.1), network(0.1)
    history = fit(model, LearningRateScheduler(lambda epoch, rate: rate if epoch == 0 else rate / 2, verbose=1))
    assert history.history["learning_rate"] == [0.1, 0.05, 0.025]
    assert capsys.readouterr().out.splitlines()[1] == "Epoch 2: the learning rate is 0.05"
    for rate in (0.1, 0.05, 0.025):
        other.optimizer.learning_rate = rate
        fit(other, epochs=1)
    assert np.array_equal(model.vector, other.vector)
    assert fit(network(), LearningRateScheduler(lambda epoch: 0.5**epoch)).history["learning_rate"] == [1, 0.5, 0.25]


def test_an_optimizer_with_a_schedule_refuses_a_second_one():
    for callback in (ReduceLROnPlateau("loss", patience=0, min_delta=1e9), LearningRateScheduler(lambda e, r: r)):
        with pytest.raises(ArgumentError, match="follows CosineDecay"):
            fit(network(schedules.CosineDecay(0.01, 100)), callback)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("keys", [("loss", "mae"), ("val_loss", "loss")])
def test_the_table_is_the_one_that_keras_writes(keys, separator, tmp_path):
    logs = [dict.fromkeys(keys, score) for score in SCORES[:3]]
    for append in (False, False, True):
        played(CSVLogger(tmp_path / "ours.csv", separator, append), logs)
        played(keras_callbacks().CSVLogger(str(tmp_path / "theirs.csv"), separator, append), logs)
        assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()


def test_a_table_with_other_columns_does_not_go_on(tmp_path):
    path = tmp_path / "log.csv"
    fit(network(), CSVLogger(path), epochs=2)
    assert len(path.read_text().splitlines()) == 3
    with pytest.raises(ArgumentError, match="has the columns epoch, loss, mae, val_loss, val_mae, without mse"):
        fit(network(judged_by=("mse",)), CSVLogger(path, append=True))
    assert len(path.read_text().splitlines()) == 3


def again(optimizer):
    model = Sequential([Input((4,)), Dense(6, "tanh"), Dense(1)], seed=3)
    model.compile(optimizer(), "mse")
    return model


class Crash(Callback):
    def __init__(self, at):
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise ZeroDivisionError


@pytest.mark.parametrize("optimizer", [Adam, lambda: SGD(schedules.CosineDecay(0.1, 20), momentum=0.9, use_ema=True)])
def test_a_fit_that_was_cut_off_goes_on_bit_for_bit(optimizer, tmp_path):
    whole, first, second = (again(optimizer) for _ in range(3))
    record = fit(whole, epochs=6).history["loss"]
    folder = tmp_path / "backup"
    with pytest.raises(ZeroDivisionError):
        fit(first, BackupAndRestore(folder), Crash(4), epochs=6)
    assert [path.name for path in folder.iterdir()] == ["epoch-000004.safetensors"]
    history = fit(second, BackupAndRestore(folder), epochs=6)
    assert history.epoch == [4, 5]
    assert history.history["loss"] == record[4:]
    assert second.vector.tobytes() == whole.vector.tobytes()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals that kill")
def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    folder = tmp_path / "backup"
    fit(network(), BackupAndRestore(folder, delete_checkpoint=False), epochs=2)
    path = str(folder / "epoch-000003.safetensors")
    killed = (
        "import os, pathlib, signal; from thalweg.support.files import writing\n"
        f"with writing(pathlib.Path({path!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -signal.SIGKILL
    assert len(list(folder.iterdir())) == 2
    assert fit(network(), BackupAndRestore(folder), epochs=4).epoch == [2, 3]
    assert not folder.exists()


def test_a_damaged_backup_is_said_or_the_one_before_it_serves(tmp_path):
    for double in (False, True):
        folder = tmp_path / str(double)
        with pytest.raises(ZeroDivisionError):
            fit(network(), BackupAndRestore(folder, double_checkpoint=double), Crash(3), epochs=4)
        last = folder / "epoch-000003.safetensors"
        last.write_bytes(last.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        fit(network(), BackupAndRestore(tmp_path / "False"), epochs=4)
    model, other = network(), network()
    assert fit(model, BackupAndRestore(tmp_path / "True", delete_checkpoint=False), epochs=4).epoch == [2, 3]
    fit(other, epochs=4)
    assert np.array_equal(model.vector, other.vector)
    assert (tmp_path / "True" / "epoch-000004.safetensors").exists()


def test_a_backup_of_something_else_changes_nothing(tmp_path):
    fit(again(Adam), BackupAndRestore(tmp_path, delete_checkpoint=False))
    for model in (again(SGD), network(), Sequential([Input((4,)), Dense(5), Dense(1)], seed=1)):
        if not model.compiled:
            model.compile("adam", "mse")
        before = model.get_weights()
        with pytest.raises(ModelFileError, match="doesn't fit"):
            fit(model, BackupAndRestore(tmp_path))
        assert all(map(np.array_equal, before, model.get_weights()))


# --- the average of the weights --------------------------------------------------------------------------------------


def averaging(**more):
    model = Sequential([Input((4,)), Dense(1)], seed=3)
    model.compile(SGD(0.05, use_ema=True, ema_momentum=0.8, **more), "mse")
    return model


def test_validation_sees_the_average_and_training_does_not_notice():
    plain, swapped = averaging(), averaging()
    one = fit(plain, validation_data=(X, Y), epochs=4).history
    two = fit(swapped, SwapEMAWeights(), validation_data=(X, Y), epochs=4).history
    assert one["loss"] == two["loss"]
    assert one["val_loss"] != two["val_loss"]
    assert two["val_loss"][-1] == swapped.evaluate(X, Y)  # fit ends with the average
    assert plain.vector.tobytes() == swapped.vector.tobytes()


def test_evaluation_and_prediction_see_the_average_between():
    model = averaging()
    for _ in range(3):
        model.train_on_batch(X, Y)
    before, plain = model.get_weights(), model.evaluate(X, Y)
    loss = model.evaluate(X, Y, callbacks=[SwapEMAWeights()])
    outputs = model.predict(X, callbacks=[SwapEMAWeights()])
    assert all(map(np.array_equal, before, model.get_weights()))
    model.use_average()
    assert plain != loss == model.evaluate(X, Y)
    assert np.array_equal(outputs, model.predict(X))


def test_the_end_of_an_epoch_shows_the_average_and_fit_ends_with_it(tmp_path):
    plain, swapped, seen = averaging(), averaging(), []
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(swapped.get_weights()))
    stop = LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(swapped, "stop_training", epoch == 2))
    record = fit(swapped, SwapEMAWeights(swap_on_epoch=True), look, stop, epochs=9).history["loss"]
    assert fit(plain, epochs=3).history["loss"] == record
    assert plain.vector.tobytes() == swapped.vector.tobytes()
    assert all(map(np.array_equal, seen[-1], swapped.get_weights()))
    assert not np.array_equal(seen[0][0], seen[1][0])


def test_before_the_first_update_there_is_no_average():
    model = averaging(gradient_accumulation_steps=9)
    before = model.get_weights()
    fit(model, SwapEMAWeights(), epochs=1, validation_data=(X, Y))  # three batches
    assert all(map(np.array_equal, before, model.get_weights()))


def test_events_of_evaluation_and_prediction():
    callback, heard = recorder("on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end")
    model = network()
    logs = model.evaluate(X, Y, callbacks=[callback], return_dict=True)
    assert callback.model is model
    model.predict(X, callbacks=[callback])
    assert heard == [
        ("on_test_begin", None, {}), ("on_test_end", None, logs),
        ("on_predict_begin", None, {}), ("on_predict_end", None, {}),
    ]  # fmt: skip


def test_batches_of_evaluation_and_prediction_are_told_as_keras_tells_them():
    """40 rows in batches of 16: numbers, the logs so far, the outputs of each batch."""
    callback, heard = recorder(
        "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end"
    )
    model = network()
    logs = model.evaluate(X, Y, 16, callbacks=[callback], return_dict=True)
    assert callback.params["steps"] == 3
    tests, heard[:] = list(heard), []
    assert [(event, number) for event, number, _ in tests] == [
        (event, number) for number in range(3) for event in ("on_test_batch_begin", "on_test_batch_end")
    ]
    assert [given for event, _, given in tests if event == "on_test_batch_begin"] == [{}] * 3
    for (_, _, given), rows in zip(tests[1::2], (16, 32, 40), strict=True):
        assert given == pytest.approx(model.evaluate(X[:rows], Y[:rows], return_dict=True), rel=1e-6)
    assert logs == tests[-1][2]
    outputs = model.predict(X, 16, callbacks=[callback])
    parts = [given["outputs"] for event, _, given in heard if event == "on_predict_batch_end"]
    assert [len(part) for part in parts] == [16, 16, 8]
    assert [number for event, number, _ in heard if event == "on_predict_batch_begin"] == [0, 1, 2]
    assert np.array_equal(np.concatenate(parts), outputs)
    np.testing.assert_allclose(outputs, model.predict(X), rtol=1e-6)
    heard.clear()
    model.predict(X, callbacks=[callback])
    assert len(heard) == 4  # two batches of 32, as in Keras


def test_keras_tells_the_same_batches():
    theirs, ours, heard = keras_callbacks(), {}, {}
    import keras

    kept = network()
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    other.compile("sgd", "mse", metrics=["mae"])
    other.set_weights(kept.get_weights())
    for into, model, kind in ((ours, kept, Callback), (heard, other, theirs.Callback)):

        def hear(event, into=into):
            return lambda self, number, logs=None: into.setdefault(event, []).append((number, dict(logs or {})))

        events = [f"on_{what}_batch_{end}" for what in ("test", "predict") for end in ("begin", "end")]
        listener = type("Listener", (kind,), {event: hear(event) for event in events})()
        model.evaluate(X, Y, batch_size=16, verbose=0, callbacks=[listener])
        model.predict(X, batch_size=16, verbose=0, callbacks=[listener])
    assert ours.keys() == heard.keys()
    for event in heard:
        for (number, logs), (theirs_number, theirs_logs) in zip(ours[event], heard[event], strict=True):
            assert number == theirs_number
            assert logs.keys() == theirs_logs.keys()
            for key in logs:
                np.testing.assert_allclose(logs[key], theirs_logs[key], rtol=1e-5)


def test_validation_of_a_fit_is_told_batch_by_batch_too():
    callback, heard = recorder("on_test_begin", "on_test_batch_end", "on_test_end", "on_epoch_end")
    history = fit(network(), callback, epochs=2, validation_data=(X[:24], Y[:24])).history
    assert [event for event, *_ in heard] == 2 * [
        "on_test_begin", "on_test_batch_end", "on_test_batch_end", "on_test_end", "on_epoch_end",
    ]  # fmt: skip
    assert heard[3][2] == heard[2][2] == {"loss": history["val_loss"][0], "mae": history["val_mae"][0]}
    plain = fit(network(), epochs=2, validation_data=(X[:24], Y[:24])).history
    assert plain["loss"] == history["loss"]
    assert plain["val_loss"] == pytest.approx(history["val_loss"], rel=1e-6)


def test_a_callback_may_end_evaluation_and_prediction():
    model = network()
    stop = LambdaCallback(
        on_test_batch_end=lambda batch, logs: setattr(model, "stop_evaluating", batch == 0),
        on_predict_batch_end=lambda batch, logs: setattr(model, "stop_predicting", batch == 1),
    )
    assert model.evaluate(X, Y, 16, callbacks=[stop]) == pytest.approx(model.evaluate(X[:16], Y[:16]), rel=1e-6)
    assert len(model.predict(X, 16, callbacks=[stop])) == 32
    record = fit(model, stop, epochs=2, validation_data=(X, Y)).history["val_loss"]  # nothing is left from the first
    assert record[1] == pytest.approx(model.evaluate(X[:16], Y[:16])[0], rel=1e-6)
    assert len(model.predict(X, 16)) == 40


def test_a_value_that_is_not_finite_is_found_in_its_batch():
    model, seen = network(), []
    x = X.copy()
    x[20] = np.nan
    listener = LambdaCallback(on_test_batch_end=lambda batch, logs: seen.append(batch))
    with pytest.raises(DivergedError, match="evaluation stopped in batch 2 of 3"):
        model.evaluate(x, Y, 16, callbacks=[listener])
    assert seen == [0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ReduceLROnPlateau(factor=1.0), r"factor has to be a number in \[0, 1\), got 1.0"),
        (lambda: ReduceLROnPlateau(patience=-1), "patience has to be a whole number"),
        (lambda: ReduceLROnPlateau(mode="least"), "auto, max, min"),
        (lambda: LearningRateScheduler(0.1), "schedule is a function, got 0.1"),
        (lambda: LearningRateScheduler(lambda: 0.1), "takes the epoch and the learning rate"),
        (lambda: fit(network(), LearningRateScheduler(lambda e, r: None)), "schedule returns has to be a number"),
        (lambda: CSVLogger("x", ", "), "separator is one character"),
        (lambda: fit(network(), CSVLogger("no/such/folder.csv")), "the folder no/such does not exist"),
        (lambda: BackupAndRestore(""), "backup_dir is empty"),
        (lambda: BackupAndRestore("x", save_freq=5), "save_freq is 'epoch', got 5"),
        (lambda: fit(network(), SwapEMAWeights(), validation_data=(X, Y)), "use_ema=True, unlike this SGD"),
        (lambda: network().evaluate(X, Y, callbacks=EarlyStopping()), "callbacks is a list"),
        (lambda: network().predict(X, callbacks=[ModelCheckpoint]), "callbacks is a list"),
    ],
)
def test_a_wrong_argument_is_said_in_one_sentence(make, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
