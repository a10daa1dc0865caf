"""The learning rate range test: what it measures is what training does, and the model stays as it was."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from thalweg import Sequential, find_learning_rate
from thalweg.callbacks import LambdaCallback
from thalweg.errors import ArgumentError, DivergedError
from thalweg.experiments.range_test import SMOOTHING, moving_average, steepest
from thalweg.layers import Dense, Dropout, Input
from thalweg.optimizers import SGD, Adam

X = np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32)
Y = X @ [1.0, -2.0, 0.5, 3.0]


def network(optimizer, engine="native"):
    model = Sequential([Input((4,)), Dense(6, "tanh"), Dropout(0.1), Dense(1)], seed=3, engine=engine)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("optimizer", [Adam(use_ema=True), SGD(momentum=0.9, gradient_accumulation_steps=3)])
def test_the_model_stays_as_it_was(optimizer):
    model = network(optimizer)
    model.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    other = copy.deepcopy(model)
    history = model.history
    test = find_learning_rate(model, X, Y, steps=20)
    assert test.losses.max() > test.losses.min()  # the copies were trained
    assert model.vector.tobytes() == other.vector.tobytes()
    assert model.slots.tobytes() == other.slots.tobytes()
    assert model.history is history
    assert (model.optimizer.iterations, model.epochs_trained) == (6, 2)
    assert model.optimizer.learning_rate == other.optimizer.learning_rate
    for m in (model, other):
        m.fit(X, Y, epochs=1, verbose=0)
    assert model.vector.tobytes() == other.vector.tobytes()


@pytest.mark.parametrize(("engine", "batches"), [("native", 1), ("reference", 1), ("native", 2)])
def test_losses_are_those_of_a_training_with_these_rates(engine, batches):
    steps = 7 if batches == 1 else 3  # beyond the end of an epoch of three batches
    accumulation = None if batches == 1 else batches
    test = find_learning_rate(network("sgd", engine), X, Y, start=1e-3, end=0.1, steps=steps, batch_size=32)
    if accumulation:
        model = network(SGD(gradient_accumulation_steps=batches))
        test = find_learning_rate(model, X, Y, start=1e-3, end=0.1, steps=steps, batch_size=32)
    np.testing.assert_allclose(test.learning_rates, np.geomspace(1e-3, 0.1, steps))
    rates = np.repeat(test.learning_rates, batches)
    model = network(
        SGD(lambda step: float(rates[min(step, len(rates) - 1)]), gradient_accumulation_steps=accumulation), engine
    )
    found = []

    def end(batch, logs):
        rows = (32, 64, 70)[batch]  # logs are means over the epoch so far
        found.append((rows * logs["loss"], rows))

    model.fit(X, Y, batch_size=32, epochs=3, verbose=0, callbacks=[LambdaCallback(on_train_batch_end=end)])
    sums = np.array([np.subtract(f, found[i - 1] if i % 3 else (0, 0)) for i, f in enumerate(found)])
    sums = sums[: steps * batches].reshape(steps, batches, 2).sum(axis=1)
    np.testing.assert_allclose(test.losses, sums[:, 0] / sums[:, 1], rtol=1e-5)


def test_the_suggestion_trains_and_what_lies_far_from_it_does_not():
    """A quadratic: gradient descent on it needs a rate below 2/(largest curvature)."""
    model = Sequential([Input((4,)), Dense(1)], seed=3)
    model.compile("sgd", "mse")
    test = find_learning_rate(model, X, Y, batch_size=70)
    assert test.ended == "loss rose"
    assert test.losses[-1] > 4 * test.losses.min()
    curvature = 2 * np.linalg.eigvalsh(X.T @ X / 70)[-1]
    assert test.suggestion is not None
    assert 0.01 < test.suggestion * curvature < 2

    def after(rate):
        model = Sequential([Input((4,)), Dense(1)], seed=3)
        model.compile(SGD(rate), "mse")
        model.fit(X, Y, batch_size=70, epochs=20, verbose=0)
        return model.evaluate(X, Y, verbose=0)

    first = test.losses[0]
    assert after(test.suggestion) < 0.1 * first
    assert after(test.suggestion / 1000) > 0.5 * first  # the control
    with pytest.raises(DivergedError):
        after(100 * test.suggestion)


def test_a_step_that_is_not_finite_ends_the_sweep():
    model = network("sgd")
    before = model.get_weights()
    test = find_learning_rate(model, X, Y, start=1e-3, end=1e38, steps=4, stop_factor=1e30)
    assert test.ended == "not finite"
    assert len(test.losses) == len(test.learning_rates) == len(test.smoothed) < 4
    assert np.isfinite(test.losses).all()
    assert all(map(np.array_equal, before, model.get_weights()))


def test_the_steepest_place_of_a_known_curve():
    rates = np.geomspace(1e-5, 1, 51)
    logs = np.log10(rates)
    curve = -np.tanh((logs + 2) / 0.5)  # falls fastest at 1e-2
    assert steepest(rates, curve) == pytest.approx(1e-2)
    assert steepest(rates, moving_average(curve, 2.0)) == pytest.approx(1e-2)
    assert steepest(rates, -curve) is None
    assert steepest(rates[:2], curve[:2]) is None
    np.testing.assert_allclose(moving_average(np.full(9, 3.0), 1.5), 3.0)
    assert moving_average(np.eye(1, 41, 20)[0], 1.5).max() == pytest.approx(1 / (1.5 * np.sqrt(2 * np.pi)), rel=1e-6)


def test_the_chart():
    test = find_learning_rate(network("sgd"), X, Y, steps=5)
    chart = test.chart()
    steps, smoothed = chart.curves
    assert (steps.dots, chart.log_x) == (True, True)
    assert np.array_equal(steps.y, test.losses)
    assert np.array_equal(smoothed.y, test.smoothed)
    assert chart.marks == [(test.suggestion, f"steepest: {test.suggestion:.2g}")]
    assert "steepest" in test._repr_html_()
    assert replace(test, suggestion=None).chart().marks == []


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture(tmp_path, ending):
    pytest.importorskip("matplotlib")
    test = find_learning_rate(network("sgd"), X, Y, steps=5)
    test.plot(tmp_path / f"test.{ending}")
    content = (tmp_path / f"test.{ending}").read_bytes()
    assert content.startswith(b"\x89PNG") if ending == "png" else b"<svg" in content
    with pytest.raises(ArgumentError, match=r"written as \.png or \.svg, not as 'test\.pdf'"):
        test.plot("test.pdf")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start": 0.0}, "start has to lie above 0 and below end, got 0.0"),
        ({"start": 1.0, "end": 0.1}, "below end, got 1.0 and 0.1"),
        ({"end": "high"}, "end has to be a number"),
        ({"steps": 2}, "steps has to be a whole number of at least 3"),
        ({"stop_factor": 0.5}, "stop_factor has to be a number in"),
        ({"batch_size": 0}, "batch_size has to be a whole number"),
    ],
)
def test_a_wrong_argument_is_said_in_one_sentence(arguments, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        find_learning_rate(network("sgd"), X, Y, **arguments)
    assert "\n" not in str(caught.value)


def test_an_explosion_in_the_last_step_hides_nothing_before_it():
    model = Sequential([Input((4,)), Dense(1)], seed=3)
    model.compile(SGD(), "mse")
    test = find_learning_rate(model, X, Y, start=1e-3, end=1e6, steps=12)
    limit = max(test.losses[0], 4 * test.losses.min())
    assert (test.ended, test.losses[-1] > limit) == ("loss rose", True)
    assert test.smoothed.max() <= limit * (1 + 1e-9)
    assert moving_average(test.losses, SMOOTHING * 12).max() > limit  # a case that can tell
