"""Keras (and PyTorch, where Keras has no such loss) as a second opinion: values and gradients of every loss."""

import os

import numpy as np
import pytest

from thalweg import Sequential, losses
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
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
ALONE = {losses.SumSquaredError, losses.Quantile}  # nobody else's


def test_every_loss_is_compared():
    assert {type(row[0]) for row in ROWS.values()} | ALONE == set(losses.CLASSES.values())


def identity(loss):
    """A network whose outputs are its weights, on the native engine."""
    model = Sequential([Input((N,)), Dense(C, use_bias=False)])
    model.compile(SGD(1.0), loss)
    return model


def theirs(loss, y, p):
    """(value, gradient by the predictions)"""
    if isinstance(loss, K.Loss):
        if isinstance(loss, K.CategoricalCrossentropy) and y.shape[1] == 1:
            y = np.eye(C, dtype=np.float32)[y[:, 0].astype(int)]
        if isinstance(loss, K.CategoricalGeneralizedCrossEntropy):
            y = y[:, 0]
        per_row = lambda p: keras.ops.mean(keras.ops.convert_to_tensor(loss(y, p)))  # noqa: E731
        value, gradient = jax.value_and_grad(per_row)(p)
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
