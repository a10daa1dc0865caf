"""NaN and infinity: training stops at once, says where and what to try, and keeps the last finite weights."""

import numpy as np
import pytest

from thalweg import Sequential
from thalweg.callbacks import LambdaCallback, TerminateOnNaN
from thalweg.engine.native.scheduling import blocks
from thalweg.errors import DataError, DivergedError, ThalwegWarning
from thalweg.layers import Dense, Input
from thalweg.models import trainer as training
from thalweg.optimizers import SGD, Adam

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 3))
Y = X.sum(axis=1)
ENGINES = pytest.mark.parametrize(
    "options", [{}, {"engine": "reference"}, {"engine": "reference", "dtype": "float64"}], ids=["native", "f32", "f64"]
)
CHUNKS = pytest.mark.parametrize("seconds", [1e-9, 1e9], ids=["small chunks", "one chunk"])


def network(optimizer=None, **options):
    model = Sequential([Input((3,)), Dense(8, "tanh"), Dense(1)], seed=1, **options)
    model.compile(optimizer or SGD(0.01), "mse")
    return model


def linear(rate, **options):
    model = Sequential([Input((3,)), Dense(1)], seed=1, **options)
    model.compile(SGD(rate), "mse")
    return model


def spoilt(array, row, value=np.nan, column=None):
    array = array.copy()
    array[row if column is None else (row, column)] = value
    return array


def diverge(model, x, y, **more):
    """The message; checks that it is one sentence after another on one line, and that the weights are finite."""
    with pytest.raises(DivergedError) as caught:
        model.fit(x, y, verbose=0, **{"batch_size": 8, "epochs": 3, "shuffle": False} | more)
    assert "\n" not in str(caught.value)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert np.isfinite(model.slots).all()
    return str(caught.value)


def same(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


@ENGINES
@CHUNKS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_inputs_are_named_by_row_and_column(options, seconds, value, monkeypatch):
    monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
    model = network(**options)
    message = diverge(model, spoilt(X, 40, value, 1), Y)
    assert "epoch 1, batch 6 of 8" in message
    assert f"the data holds {value}: x at row 40, column 1" in message
    assert "'gather'" in message
    assert "missing values" in message
    before = network(**options)
    before.fit(X[:40], Y[:40], batch_size=8, shuffle=False, verbose=0)  # the five batches before
    assert same(model, before)
    assert model.optimizer.iterations == 5


@ENGINES
def test_bad_targets_are_named_by_row(options):
    model = network(**options)
    message = diverge(model, X, spoilt(Y, 17))
    assert "epoch 1, batch 3 of 8" in message
    assert "the data holds nan: y at row 17" in message


@ENGINES
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_shuffled_batch_is_found_too(options, lanes, monkeypatch):
    monkeypatch.setattr(blocks, "LEAST_BLOCK", 16)
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    if options:
        lanes = 1
    model = network(**options)
    message = diverge(model, spoilt(X, 40, np.nan, 1), Y, shuffle=True, batch_size=32, lanes=lanes)
    assert "x at row 40, column 1" in message
    assert "epoch 1, batch " in message


def test_bad_sample_weights_and_labels_never_reach_the_engine():
    model = network()
    start = model.get_weights()
    for weight in (spoilt(np.ones(64), 3), spoilt(np.ones(64), 3, np.inf), spoilt(np.ones(64), 3, -1.0)):
        with pytest.raises(DataError, match="sample_weight"):
            model.fit(X, Y, sample_weight=weight, verbose=0)
    with pytest.warns(ThalwegWarning, match="takes probabilities"):  # which is not the point here
        model.compile("sgd", "binary_crossentropy")
    with pytest.raises(DataError, match="between 0 and 1"):
        model.fit(X, spoilt(np.ones(64), 5, np.inf), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True))


@ENGINES
@CHUNKS
def test_an_exploding_loss_is_stopped_at_the_step_that_broke(options, seconds, monkeypatch):
    monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
    model = linear(3.0, **options)
    message = diverge(model, X, Y, epochs=500)
    where = message.split(":")[0].split()
    epoch, batch = int(where[4].rstrip(",")), int(where[6])
    steps = (epoch - 1) * 8 + batch - 1
    assert "the first value that is not finite is" in message
    assert "the output of 'squared error'" in message or "gradient" in message or "affine" in message
    assert "smaller learning rate (it is 3)" in message
    assert steps > 16  # well into the run: many epochs were in the chunk
    assert model.optimizer.iterations == steps
    before = linear(3.0, **options)  # stopped just before
    done = steps // 8 * 64
    before.fit(X, Y, batch_size=8, epochs=steps // 8, shuffle=False, verbose=0)
    for first in range(0, (steps * 8 - done), 8):
        before.train_on_batch(X[first : first + 8], Y[first : first + 8])
    assert same(model, before)
    assert model.epochs_trained == steps // 8
    assert len(model.history.epoch) == steps // 8  # the epochs before are in the history
    assert model.history.epoch == list(range(steps // 8))
    losses = model.history.history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] > losses[0]


def test_the_history_of_a_failed_run_is_the_same_for_any_chunks(monkeypatch):
    histories = []
    for seconds in (1e-9, 1e-4, 1e9):
        monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
        model = linear(3.0)
        diverge(model, X, Y, epochs=500)
        histories.append(model.history.history["loss"])
    assert histories[0] == histories[1] == histories[2]


def test_two_lanes_stop_at_the_same_step_with_the_same_weights(monkeypatch):
    monkeypatch.setattr(blocks, "LEAST_BLOCK", 16)
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    messages, models = [], []
    for lanes in (1, 2):
        model = linear(3.0)
        messages.append(diverge(model, X, Y, epochs=500, batch_size=32, lanes=lanes))
        models.append(model)
    assert messages[0].split(":")[0] == messages[1].split(":")[0]
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)


@ENGINES
def test_a_step_too_large_for_the_weights_is_found_at_the_update(options):
    """The loss is finite, the new weights are not."""
    most = np.finfo(options.get("dtype", "float32")).max
    model = linear(float(most) / 1e3, **options)
    start = model.get_weights()
    message = diverge(model, 1e6 * X, Y, epochs=1)
    assert "epoch 1, batch 1 of 8" in message
    assert "'gradient descent'" in message
    assert "The step itself was too large" in message
    assert all(np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True))


def test_an_optimizer_that_overflows_is_found_though_the_weights_stay_finite():
    """Adam's v is the square of a gradient of 10²⁰: infinite in float32, and the weights would never move again."""
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")], seed=1)
    model.compile(Adam(), "mse")
    message = diverge(model, np.full((8, 1), 1e12), np.zeros(8), epochs=1)
    assert "'adam'" in message
    assert "inf in v" in message


@ENGINES
@CHUNKS
def test_terminate_on_nan_ends_quietly(options, seconds, monkeypatch, capsys):
    monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
    ended = []
    callbacks = [TerminateOnNaN(), LambdaCallback(on_train_end=lambda logs: ended.append(True))]
    model = linear(3.0, **options)
    history = model.fit(X, Y, batch_size=8, epochs=500, shuffle=False, verbose=0, callbacks=callbacks)
    other = linear(3.0, **options)
    message = diverge(other, X, Y, epochs=500)
    assert capsys.readouterr().out == f"TerminateOnNaN: {message}\n"
    assert ended == [True]
    assert same(model, other)
    assert history.history == other.history.history
    assert 0 < len(history.epoch) < 500


def test_terminate_on_nan_may_raise(capsys):
    with pytest.raises(DivergedError, match="training stopped in epoch"):
        linear(3.0).fit(X, Y, epochs=500, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])
    assert capsys.readouterr().out == ""


@ENGINES
def test_after_a_failure_training_can_go_on(options):
    model = linear(3.0, **options)
    diverge(model, X, Y, epochs=500)
    model.set_weights([np.zeros((3, 1)), np.zeros(1)])
    model.optimizer.learning_rate = 0.05
    history = model.fit(X, Y, epochs=40, verbose=0)
    assert history.history["loss"][-1] < 0.01


@ENGINES
def test_a_single_batch_that_fails_leaves_the_weights(options):
    model = network(**options)
    start = model.get_weights()
    with pytest.raises(DivergedError, match="x at row 2, column 0"):
        model.train_on_batch(spoilt(X, 2, np.nan, 0), Y)
    assert all(np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True))
    assert model.optimizer.iterations == 0


@ENGINES
def test_evaluation_of_bad_data_says_which(options):
    model = network(**options)
    with pytest.raises(DivergedError, match=r"evaluation stopped.* x at row 9, column 2"):
        model.evaluate(spoilt(X, 9, np.nan, 2), Y)
    with pytest.raises(DivergedError, match="y at row 5"):
        model.test_on_batch(X, spoilt(Y, 5, np.inf))
    with pytest.raises(DivergedError, match="x at row 9"):
        model.fit(X, Y, validation_data=(spoilt(X, 9, np.nan, 2), Y), verbose=0)
    assert np.isfinite(model.evaluate(X, Y))  # and the next evaluation is not spoilt


def test_a_prediction_of_nan_is_nan_in_its_own_row_only():
    model = network()
    bad = model.predict(spoilt(X, 9, np.nan, 2))
    assert np.isnan(bad[9]).all()
    assert np.array_equal(np.delete(bad, 9, axis=0), np.delete(model.predict(X), 9, axis=0))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh", "softmax", None])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_no_activation_swallows_a_nan(activation, engine):
    model = Sequential([Input((3,)), Dense(4, activation), Dense(1)], engine=engine)
    assert np.isnan(model.predict(np.array([[np.nan, 0, 0]]))).all()
