"""What every optimizer can do, in numbers that follow by hand: decay, accumulation, averages, factors."""

import numpy as np
import pytest

from thalweg import Sequential
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

X, Y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[1.0], [0.0], [2.0], [1.0]])


def model_of(optimizer):
    """ŷ = w·x + b, with w = 2 and b = 1."""
    model = Sequential([Input((1,)), Dense(1, name="line")], seed=0)
    model.compile(optimizer, "mse")
    model.set_weights([[[2.0]], [1.0]])
    return model


def gradient(x, y, w=2.0, b=1.0):
    error = w * x + b - y
    return float(2 * (error * x).mean()), float(2 * error.mean())


def weights(model):
    return [float(w.item()) for w in model.get_weights()]


def test_weights_can_be_left_out_of_the_decay():
    for given, decayed in (({}, (1, 1)), ({"var_list": ["line/b"]}, (1, 0)), ({"var_names": ["kernel"]}, (0, 1))):
        optimizer = SGD(0.1, weight_decay=0.5)
        if given:
            optimizer.exclude_from_weight_decay(**given)
        model = model_of(optimizer)
        model.train_on_batch(X, Y)
        dw, db = gradient(X, Y)
        shrunk = [w * (1 - 0.1 * 0.5 * own) for w, own in zip((2.0, 1.0), decayed, strict=True)]
        assert weights(model) == pytest.approx([shrunk[0] - 0.1 * dw, shrunk[1] - 0.1 * db], rel=1e-5, abs=1e-6)


def test_accumulated_gradients_are_averaged():
    model = model_of(SGD(0.1, gradient_accumulation_steps=2))
    model.train_on_batch(X[:2], Y[:2])
    assert weights(model) == [2.0, 1.0]
    model.train_on_batch(X[2:], Y[2:])
    parts = np.array([gradient(X[:2], Y[:2]), gradient(X[2:], Y[2:])]).mean(axis=0)
    assert weights(model) == pytest.approx([2 - 0.1 * parts[0], 1 - 0.1 * parts[1]], rel=1e-5, abs=1e-6)
    model.train_on_batch(X[:2], Y[:2])  # the next sum begins at 0
    model.train_on_batch(X[:2], Y[:2])
    w, b = 2 - 0.1 * parts[0], 1 - 0.1 * parts[1]
    dw, db = gradient(X[:2], Y[:2], w, b)
    assert weights(model) == pytest.approx([w - 0.1 * dw, b - 0.1 * db], rel=1e-5, abs=1e-6)


def test_the_average_begins_with_the_first_weights():
    model = model_of(SGD(0.1, use_ema=True, ema_momentum=0.75))
    seen = []
    for _ in range(3):
        model.train_on_batch(X, Y)
        seen.append(np.array(weights(model)))
    average = seen[0]
    for later in seen[1:]:
        average = 0.75 * average + 0.25 * later
    model._compiled.use_average()
    assert weights(model) == pytest.approx(average.tolist(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("limit", "size"), [("clipvalue", 0.5), ("clipnorm", 0.5), ("global_clipnorm", 0.5)])
def test_gradients_are_clipped(limit, size):
    model = model_of(SGD(0.1, **{limit: size}))
    model.train_on_batch(X, Y)
    dw, db = gradient(X, Y)
    norm = np.hypot(dw, db) if limit == "global_clipnorm" else 0.0
    clipped = [g * size / norm if norm else np.sign(g) * min(size, abs(g)) for g in (dw, db)]
    assert weights(model) == pytest.approx([2 - 0.1 * clipped[0], 1 - 0.1 * clipped[1]], rel=1e-5, abs=1e-6)


def test_the_longest_name_decides_the_factor():
    model = model_of(SGD(0.1, learning_rate_factors={"line": 0.5, "line/b": 0.0}))
    model.train_on_batch(X, Y)
    assert weights(model) == pytest.approx([2 - 0.05 * gradient(X, Y)[0], 1.0], rel=1e-5, abs=1e-6)
