"""Optimizers and regularizers: their equations in plain NumPy, descriptions, and both engines alike."""

import numpy as np
import pytest

from thalweg import Sequential, optimizers, regularizers
from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD, Adam
from thalweg.regularizers import L1, L1L2, L2

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(24, 5)), RANDOM.normal(size=(24, 2))


def gradient(w):
    """Of the mean squared error of x·w over rows and outputs."""
    return X.T @ (X @ w - Y) / Y.size * 2


def descend(rate, steps, w):
    for _ in range(steps):
        w = w - rate * gradient(w)
    return w


def with_momentum(rate, momentum, steps, w, nesterov=False):
    v = np.zeros_like(w)
    for _ in range(steps):
        g = gradient(w)
        v = momentum * v - rate * g
        w = w + (momentum * v - rate * g if nesterov else v)
    return w


def adam(rate, beta_1, beta_2, epsilon, steps, w):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = gradient(w)
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g * g
        w = w - rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)
    return w


ROWS = {
    "sgd": (lambda: SGD(0.1), lambda steps, w: descend(0.1, steps, w), ()),
    "momentum": (lambda: SGD(0.1, momentum=0.8), lambda steps, w: with_momentum(0.1, 0.8, steps, w), ("v",)),
    "nesterov": (
        lambda: SGD(0.1, 0.8, nesterov=True), lambda steps, w: with_momentum(0.1, 0.8, steps, w, True), ("v",),
    ),
    "adam": (lambda: Adam(0.05), lambda steps, w: adam(0.05, 0.9, 0.999, 1e-7, steps, w), ("m", "v")),
    "adam tuned": (
        lambda: Adam(0.05, 0.5, 0.9, 0.1), lambda steps, w: adam(0.05, 0.5, 0.9, 0.1, steps, w), ("m", "v"),
    ),
}  # fmt: skip
OPTIMIZERS = pytest.mark.parametrize(("make", "equation", "slots"), ROWS.values(), ids=ROWS)


def test_every_optimizer_has_a_row():
    assert {type(make()) for make, *_ in ROWS.values()} == set(optimizers.CLASSES.values())
    public = {c for c in vars(optimizers).values() if isinstance(c, type) and issubclass(c, optimizers.Optimizer)}
    assert public - {optimizers.Optimizer} == set(optimizers.CLASSES.values()) == set(optimizers.NAMES.values())


def network(optimizer, **options):
    model = Sequential([Input((5,)), Dense(2, use_bias=False)], seed=2, **options)
    model.compile(optimizer, "mse")
    return model


@OPTIMIZERS
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_steps_follow_the_equation(make, equation, slots, steps):
    for options, tolerance in (({"engine": "reference", "dtype": "float64"}, 1e-12), ({}, 1e-5)):
        model = network(make(), **options)
        start = model.get_weights()[0].astype(np.float64)
        model.fit(X, Y, batch_size=len(X), epochs=steps, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], equation(steps, start), rtol=tolerance, atol=tolerance)
        assert model.optimizer.iterations == steps


@OPTIMIZERS
def test_one_step_lowers_the_loss(make, equation, slots):
    model = network(make())
    before = model.evaluate(X, Y)
    model.fit(X, Y, batch_size=len(X), verbose=0)
    assert model.evaluate(X, Y) < before


@OPTIMIZERS
def test_optimizer_comes_back_from_its_description(make, equation, slots):
    optimizer = make()
    assert optimizer.slot_names() == slots
    again = optimizers.get(optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(type(optimizer).__name__).get_config() == type(optimizer)().get_config()


@OPTIMIZERS
def test_slots_are_saved(make, equation, slots, tmp_path):
    from thalweg import load_model

    whole, half = network(make()), network(make())
    whole.fit(X, Y, batch_size=len(X), epochs=6, verbose=0)
    half.fit(X, Y, batch_size=len(X), epochs=3, verbose=0)
    half.save(tmp_path / "half.safetensors")
    again = load_model(tmp_path / "half.safetensors")
    assert again.optimizer.iterations == 3
    again.fit(X, Y, batch_size=len(X), epochs=3, verbose=0)
    assert np.array_equal(again.get_weights()[0], whole.get_weights()[0])


def test_the_learning_rate_may_change_between_fits():
    model = network(SGD(0.1), engine="reference", dtype="float64")
    start = model.get_weights()[0]
    model.fit(X, Y, batch_size=24, epochs=2, verbose=0)
    model.optimizer.learning_rate = 0.02
    model.fit(X, Y, batch_size=24, epochs=3, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], descend(0.02, 3, descend(0.1, 2, start)), rtol=1e-12)


def test_a_learning_rate_of_0_changes_nothing():
    model = network(SGD(0.0))
    start = model.get_weights()[0]
    model.fit(X, Y, epochs=3, verbose=0)
    assert np.array_equal(model.get_weights()[0], start)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(-0.1), "SGD: learning_rate .* got -0.1"),
        (lambda: SGD("fast"), "SGD: learning_rate .* got 'fast'"),
        (lambda: SGD(float("nan")), "got nan"),
        (lambda: SGD(float("inf")), "got inf"),
        (lambda: SGD(None), "got None"),
        (lambda: SGD(momentum=1.0), r"momentum .*\[0, 1\), got 1"),
        (lambda: SGD(nesterov=True), "nesterov needs a momentum"),
        (lambda: Adam(beta_1=1.0), r"beta_1 .*\[0, 1\), got 1"),
        (lambda: Adam(beta_2=-0.1), "beta_2"),
        (lambda: Adam(epsilon=-1e-7), "epsilon"),
        (lambda: optimizers.get("adamm"), "did you mean 'adam'.* Choose from"),
        (lambda: optimizers.get(3), "unknown optimizer 3"),
        (lambda: L2(-1.0), "L2's factor .* got -1.0"),
        (lambda: L1("0.1"), "got '0.1'"),
        (lambda: L1L2(0.1, float("nan")), "got nan"),
        (lambda: regularizers.get("l3"), "Choose from: .*l1.*l2"),
    ],
)
def test_an_argument_out_of_range_is_said_in_one_sentence(make, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_changed_learning_rate_is_checked_too():
    optimizer = SGD(0.1)
    with pytest.raises(ArgumentError):
        optimizer.learning_rate = -1
    assert optimizer.learning_rate == 0.1


# --- regularizers ----------------------------------------------------------------------------------------------------

PENALTIES = [L1(0.03), L2(0.02), L1L2(0.01, 0.04), L1L2()]


def test_every_regularizer_has_a_row():
    assert {type(p) for p in PENALTIES} == set(regularizers.CLASSES.values()) == set(regularizers.NAMES.values())
    public = {c for c in vars(regularizers).values() if isinstance(c, type) and issubclass(c, regularizers.Regularizer)}
    assert public - {regularizers.Regularizer} == set(regularizers.CLASSES.values())


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("lanes", [1, 2])
def test_penalty_is_added_to_loss_and_gradient(penalty, lanes):
    """w ← w − rate·(gradient + l1·sign w + 2·l2·w) on kernel and bias; in the loss with every batch size."""
    l1, l2 = penalty.factors()
    for options, tolerance in (({"engine": "reference", "dtype": "float64"}, 1e-12), ({}, 1e-5)):
        layer = Dense(2, kernel_regularizer=penalty, bias_regularizer=penalty, bias_initializer="ones")
        model = Sequential([Input((5,)), layer], seed=2, **options)
        model.compile(SGD(0.1), "mse")
        W, b = (w.astype(np.float64) for w in model.get_weights())
        plain = ((X @ W + b - Y) ** 2).mean()
        loss = plain + sum(l1 * abs(w).sum() + l2 * (w * w).sum() for w in (W, b))
        if not options:
            assert model.evaluate(X, Y, lanes=lanes) == pytest.approx(loss, rel=1e-5)
        assert model.evaluate(X, Y) == pytest.approx(loss, rel=max(tolerance, 1e-12))
        error = 2 * (X @ W + b - Y) / Y.size
        W1 = W - 0.1 * (X.T @ error + l1 * np.sign(W) + 2 * l2 * W)
        b1 = b - 0.1 * (error.sum(axis=0) + l1 * np.sign(b) + 2 * l2 * b)
        history = model.fit(X, Y, batch_size=24, verbose=0, lanes=None if options else lanes)
        assert history.history["loss"][0] == pytest.approx(loss, rel=max(tolerance, 1e-12))
        for got, want in zip(model.get_weights(), (W1, b1), strict=True):
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def test_the_penalty_of_an_epoch_is_its_mean_over_the_batches_rows():
    model = Sequential([Input((5,)), Dense(2, kernel_regularizer=L2(0.02), use_bias=False)], seed=2)
    model.compile(SGD(0.0), "mse")
    W = model.get_weights()[0].astype(np.float64)
    loss = ((X @ W - Y) ** 2).mean() + 0.02 * (W * W).sum()
    assert model.fit(X, Y, batch_size=7, verbose=0).history["loss"][0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_regularizer_comes_back_from_its_description(penalty):
    assert regularizers.get(regularizers.serialize(penalty)) == penalty
    assert regularizers.get(penalty) is penalty
    assert regularizers.get(None) is regularizers.serialize(None) is None
