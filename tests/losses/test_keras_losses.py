"""Keras (and PyTorch, where Keras has no such loss) as a second opinion: values and gradients of every loss."""

import os
from functools import cache

import numpy as np
import pytest
from quick_jax import quickly_compiled

from thalweg import Sequential, losses
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")

# The network's outputs are its weights, whatever they are, so that it warns where they are probabilities.
pytestmark = pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")
if keras.backend.backend() != "jax":
    pytest.skip("Keras runs on another backend", allow_module_level=True)

RANDOM = np.random.default_rng(3)
N, C = 12, 4
RAW = RANDOM.normal(size=(N, C)).astype(np.float32)
REAL = RANDOM.normal(size=(N, C)).astype(np.float32)
BITS = RANDOM.integers(0, 2, (N, C)).astype(np.float32)
LABELS = RANDOM.integers(0, C, (N, 1)).astype(np.float32)
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS[:, 0].astype(int)]
UNIT = RANDOM.uniform(0.05, 0.95, (N, C)).astype(np.float32)
EDGES = np.where(RANDOM.random((N, C)) < 0.4, UNIT.round(), UNIT)  # probabilities of exactly 0 and 1
EDGES[:, 0] = 0.5
SHARES = UNIT / UNIT.sum(axis=1, keepdims=True)
LARGE = (1e4 * RANDOM.choice([-1, 1], (N, C))).astype(np.float32) * RANDOM.integers(1, 3, (N, C))
AMOUNTS = np.exp(RAW)
K = keras.losses

# ours, Keras's, targets, predictions
ROWS = {
    "mse": (losses.MeanSquaredError(), K.MeanSquaredError(), REAL, RAW),
    "mae": (losses.MeanAbsoluteError(), K.MeanAbsoluteError(), REAL, RAW),
    "mape": (losses.MeanAbsolutePercentageError(), K.MeanAbsolutePercentageError(), REAL, RAW),
    "mape 0": (losses.MeanAbsolutePercentageError(), K.MeanAbsolutePercentageError(), BITS, RAW),
    "msle": (losses.MeanSquaredLogarithmicError(), K.MeanSquaredLogarithmicError(), AMOUNTS[::-1], AMOUNTS),
    "msle negative": (losses.MeanSquaredLogarithmicError(), K.MeanSquaredLogarithmicError(), REAL, RAW),
    "log cosh": (losses.LogCosh(), K.LogCosh(), REAL, RAW),
    "log cosh large": (losses.LogCosh(), K.LogCosh(), REAL, 1e4 * RAW),
    "huber": (losses.Huber(0.5), K.Huber(0.5), REAL, RAW),
    "poisson": (losses.Poisson(), K.Poisson(), AMOUNTS[::-1], AMOUNTS),
    "hinge 0 1": (losses.Hinge(), K.Hinge(), BITS, RAW),
    "hinge": (losses.Hinge(), K.Hinge(), 2 * BITS - 1, RAW),
    "squared hinge": (losses.SquaredHinge(), K.SquaredHinge(), BITS, RAW),
    "categorical hinge": (losses.CategoricalHinge(), K.CategoricalHinge(), ONE_HOT, RAW),
    "cosine": (losses.CosineSimilarity(), K.CosineSimilarity(), REAL, RAW),
    "bce": (losses.BinaryCrossentropy(), K.BinaryCrossentropy(), BITS, UNIT),
    "bce smoothed": (
        losses.BinaryCrossentropy(label_smoothing=0.1), K.BinaryCrossentropy(label_smoothing=0.1), BITS, UNIT,
    ),
    "bce large": (losses.BinaryCrossentropy(True), K.BinaryCrossentropy(True), BITS, LARGE),
    "binary focal": (losses.BinaryFocalCrossentropy(True), K.BinaryFocalCrossentropy(True), BITS, UNIT),
    "binary focal logits": (
        losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True, label_smoothing=0.1),
        K.BinaryFocalCrossentropy(gamma=3.0, from_logits=True, label_smoothing=0.1), BITS, RAW,
    ),
    "cce": (losses.CategoricalCrossentropy(), K.CategoricalCrossentropy(), ONE_HOT, UNIT),
    "cce smoothed": (
        losses.CategoricalCrossentropy(True, 0.1), K.CategoricalCrossentropy(True, 0.1), ONE_HOT, RAW,
    ),
    "cce large": (losses.CategoricalCrossentropy(True), K.CategoricalCrossentropy(True), ONE_HOT, LARGE),
    "focal": (losses.CategoricalFocalCrossentropy(), K.CategoricalFocalCrossentropy(), ONE_HOT, UNIT),
    "focal logits": (
        losses.CategoricalFocalCrossentropy(0.4, 1.5, True, 0.1), K.CategoricalFocalCrossentropy(0.4, 1.5, True, 0.1),
        ONE_HOT, RAW,
    ),
    "sparse": (losses.SparseCategoricalCrossentropy(), K.SparseCategoricalCrossentropy(), LABELS, SHARES),
    "sparse large": (losses.SparseCategoricalCrossentropy(True), K.SparseCategoricalCrossentropy(True), LABELS, LARGE),
    "generalized": (
        losses.CategoricalGeneralizedCrossEntropy(0.3), K.CategoricalGeneralizedCrossEntropy(0.3), LABELS, SHARES,
    ),
    "kl divergence": (losses.KLDivergence(), K.KLDivergence(), SHARES[::-1], SHARES),
    "kl divergence of one-hot": (losses.KLDivergence(), K.KLDivergence(), ONE_HOT, SHARES),
    "dice": (losses.Dice(), K.Dice(axis=-1), BITS, UNIT),
    "tversky": (losses.Tversky(0.3, 0.8), K.Tversky(0.3, 0.8, axis=-1), BITS, UNIT),
    "gaussian nll": (
        losses.GaussianNLL(log_variance=False),
        lambda y, p: torch.nn.functional.gaussian_nll_loss(p[:, :2], y, p[:, 2:]), REAL[:, :2], UNIT,
    ),
}  # fmt: skip
# Beyond clipping, JAX and PyTorch disagree about the derivative: these agree in their values.
VALUES = {
    "bce edges": (losses.BinaryCrossentropy(), K.BinaryCrossentropy(), BITS, EDGES),
    "binary focal edges": (losses.BinaryFocalCrossentropy(), K.BinaryFocalCrossentropy(), BITS, EDGES),
    "binary focal large": (
        losses.BinaryFocalCrossentropy(from_logits=True), K.BinaryFocalCrossentropy(from_logits=True), BITS, LARGE,
    ),
    "cce edges": (losses.CategoricalCrossentropy(), K.CategoricalCrossentropy(), ONE_HOT, EDGES),
    "sparse edges": (
        losses.SparseCategoricalCrossentropy(), K.CategoricalCrossentropy(), LABELS, EDGES,
    ),
    "focal edges": (losses.CategoricalFocalCrossentropy(), K.CategoricalFocalCrossentropy(), ONE_HOT, EDGES),
    "generalized edges": (
        losses.CategoricalGeneralizedCrossEntropy(), K.CategoricalGeneralizedCrossEntropy(), LABELS, EDGES,
    ),
    "kl divergence edges": (losses.KLDivergence(), K.KLDivergence(), BITS, EDGES),
    "dice of nothing": (losses.Dice(), K.Dice(axis=-1), 0 * BITS, EDGES),
    "poisson 0": (losses.Poisson(), K.Poisson(), AMOUNTS, EDGES),
    "cosine of nothing": (losses.CosineSimilarity(), K.CosineSimilarity(), REAL, 0 * RAW),
    "categorical hinge ties": (losses.CategoricalHinge(), K.CategoricalHinge(), ONE_HOT, RAW.round()),
}  # fmt: skip
# Values alone: at a kink, JAX takes a slope between those of both sides.
VALUES |= {
    "mae ties": (losses.MeanAbsoluteError(), K.MeanAbsoluteError(), RAW.round(), RAW.round()),
    "huber at delta": (losses.Huber(1.0), K.Huber(1.0), RAW.round(), RAW.round() + 1),
    "log cosh 0": (losses.LogCosh(), K.LogCosh(), RAW, RAW),
    "hinge at the margin": (losses.Hinge(), K.Hinge(), 2 * BITS - 1, RAW.round()),
    "squared hinge at the margin": (losses.SquaredHinge(), K.SquaredHinge(), 2 * BITS - 1, RAW.round()),
    "cosine of nothing at all": (losses.CosineSimilarity(), K.CosineSimilarity(), 0 * REAL, RAW),
    "kl divergence of nothing": (losses.KLDivergence(), K.KLDivergence(), 0 * BITS, SHARES),
    "tversky edges": (losses.Tversky(), K.Tversky(axis=-1), BITS, EDGES),
    "tversky of nothing": (losses.Tversky(), K.Tversky(axis=-1), 0 * BITS, 0 * EDGES),
    "dice edges": (losses.Dice(), K.Dice(axis=-1), BITS, EDGES),
    "poisson of nothing": (losses.Poisson(), K.Poisson(), 0 * AMOUNTS, 0 * AMOUNTS),
    "msle 0": (losses.MeanSquaredLogarithmicError(), K.MeanSquaredLogarithmicError(), 0 * AMOUNTS, 0 * AMOUNTS),
    "mape 0 0": (losses.MeanAbsolutePercentageError(), K.MeanAbsolutePercentageError(), 0 * RAW, 0 * RAW),
    "cce of no class": (losses.CategoricalCrossentropy(), K.CategoricalCrossentropy(), 0 * ONE_HOT, SHARES),
    "focal large": (
        losses.CategoricalFocalCrossentropy(from_logits=True), K.CategoricalFocalCrossentropy(from_logits=True),
        ONE_HOT, LARGE,
    ),
    "sparse one class": (
        losses.SparseCategoricalCrossentropy(True), K.SparseCategoricalCrossentropy(True), 0 * LABELS, RAW,
    ),
}  # fmt: skip
# Predictions a thousand times as large, where errors are differences.
ROWS |= {
    f"{kind.__name__} far": (kind(), getattr(K, kind.__name__)(), REAL, 1e3 * RAW)
    for kind in (
        losses.MeanSquaredError, losses.MeanAbsoluteError, losses.MeanAbsolutePercentageError, losses.Huber,
        losses.Hinge, losses.SquaredHinge, losses.CategoricalHinge, losses.CosineSimilarity,
    )
}  # fmt: skip
ALONE = {losses.SumSquaredError, losses.Quantile, losses.CenterLoss}  # nobody else's
EDGY = {  # every loss is met where it is hard: a row each, beside the weights of 0 below
    losses.MeanSquaredError: "MeanSquaredError far", losses.MeanAbsoluteError: "mae ties",
    losses.MeanAbsolutePercentageError: "mape 0", losses.MeanSquaredLogarithmicError: "msle negative",
    losses.LogCosh: "log cosh large", losses.Huber: "huber at delta", losses.Poisson: "poisson 0",
    losses.Hinge: "hinge at the margin", losses.SquaredHinge: "squared hinge at the margin",
    losses.CategoricalHinge: "categorical hinge ties", losses.CosineSimilarity: "cosine of nothing",
    losses.BinaryCrossentropy: "bce edges", losses.BinaryFocalCrossentropy: "binary focal edges",
    losses.CategoricalCrossentropy: "cce edges", losses.CategoricalFocalCrossentropy: "focal edges",
    losses.SparseCategoricalCrossentropy: "sparse edges",
    losses.CategoricalGeneralizedCrossEntropy: "generalized edges", losses.KLDivergence: "kl divergence edges",
    losses.Dice: "dice of nothing", losses.Tversky: "tversky edges",
}  # fmt: skip


def test_every_loss_is_compared():
    assert {type(row[0]) for row in ROWS.values()} | ALONE == set(losses.CLASSES.values())


def test_every_loss_of_keras_is_met_at_its_edges():
    theirs = {kind for kind in losses.CLASSES.values() if hasattr(K, kind.__name__)}
    assert EDGY.keys() == theirs
    assert all(type((ROWS | VALUES)[row][0]) is kind for kind, row in EDGY.items())


def identity(loss):
    """A network whose outputs are its weights, on the native engine."""
    model = Sequential([Input((N,)), Dense(C, use_bias=False)])
    model.compile(SGD(1.0), loss)
    return model


@cache
def compiled_loss(loss, kind, y_shape, p_shape):
    """(p, y, weights) → (value, gradient by p)"""

    def value(p, y, weights):
        return keras.ops.mean(keras.ops.convert_to_tensor(loss(y, p, weights)))

    like = np.zeros(p_shape, np.float32), np.zeros(y_shape, kind), np.zeros(N, np.float32)
    return quickly_compiled(jax.value_and_grad(value), *like)


def theirs(loss, y, p, weights=None):
    """(value, gradient by the predictions)"""
    if isinstance(loss, K.Loss):
        if isinstance(loss, K.CategoricalCrossentropy) and y.shape[1] == 1:
            y = np.eye(C, dtype=np.float32)[y[:, 0].astype(int)]
        if isinstance(loss, K.CategoricalGeneralizedCrossEntropy):
            y = y[:, 0]
        weights = np.ones(N, np.float32) if weights is None else weights
        value, gradient = compiled_loss(loss, y.dtype, y.shape, p.shape)(np.asarray(p, np.float32), y, weights)
        return float(value), np.asarray(gradient)
    p = torch.tensor(p, requires_grad=True)
    value = loss(torch.tensor(y), p)
    value.backward()
    return float(value.detach()), p.grad.numpy()


@pytest.mark.parametrize(("ours", "other", "y", "p"), [*ROWS.values(), *VALUES.values()], ids=[*ROWS, *VALUES])
def test_values_agree(ours, other, y, p):
    value, _ = theirs(other, y, p)
    if not any(
        ours is row[0] for row in VALUES.values()
    ):  # at the edges float64, in which a loss is called, clips elsewhere
        assert ours(y, p) == pytest.approx(value, rel=1e-5, abs=1e-6)
    model = identity(ours)
    model.set_weights([p])
    assert model.evaluate(np.eye(N), y) == pytest.approx(value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("ours", "other", "y", "p"), ROWS.values(), ids=ROWS)
def test_gradients_agree(ours, other, y, p):
    """One step of gradient descent with a learning rate of 1, from the predictions as weights."""
    _, gradient = theirs(other, y, p)
    model = identity(ours)
    model.set_weights([p])
    trace = model.trace(np.eye(N), y)
    np.testing.assert_allclose(trace["dW"], gradient, rtol=1e-5, atol=1e-6 * abs(gradient).max())


WEIGHTED = {name: row for name, row in ROWS.items() if isinstance(row[1], K.Loss)}


@pytest.mark.parametrize("weights", [np.arange(N) % 3 / 2, np.zeros(N)], ids=["some 0", "all 0"])
@pytest.mark.parametrize(("ours", "other", "y", "p"), WEIGHTED.values(), ids=WEIGHTED)
def test_rows_of_weight_0_agree(ours, other, y, p, weights):
    weights = weights.astype(np.float32)
    value, gradient = theirs(other, y, p, weights)
    model = identity(ours)
    model.set_weights([p])
    assert model.evaluate(np.eye(N), y, sample_weight=weights) == pytest.approx(value, rel=1e-5, abs=1e-6)
    found = model.trace(np.eye(N), y, sample_weight=weights)["dW"]
    np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-6 * abs(gradient).max())
    assert not found[weights == 0].any()
