"""An independent statement of every loss, in plain NumPy: what each row of a batch should lose.

A new loss needs a row here.
"""

import numpy as np

from thalweg import losses

RANDOM = np.random.default_rng(0)
N, C = 9, 4
RAW = RANDOM.normal(size=(N, C))
TARGETS = RANDOM.normal(size=(N, C))
BITS = RANDOM.integers(0, 2, (N, C)).astype(float)
LABELS = RANDOM.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
PROBABILITIES = np.exp(RAW) / np.exp(RAW).sum(axis=1, keepdims=True)
SIGMOIDS = 1 / (1 + np.exp(-RAW))


SMOOTHED = 0.8 * BITS + 0.1
EDGES = np.where(RAW > 0.5, 1.0, np.where(RAW < -0.5, 0.0, SIGMOIDS))  # some are 0 or 1


def cross(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def bce(y, p):
    return cross(y, p).mean(axis=1)


def focal(p, alpha=0.3):
    missing = SMOOTHED * (1 - p) + (1 - SMOOTHED) * p
    balance = np.where(BITS == 1, 0.9 * alpha + 0.1 * (1 - alpha), 0.1 * alpha + 0.9 * (1 - alpha))
    return balance * missing**2 * cross(SMOOTHED, np.clip(p, 1e-7, 1 - 1e-7))


def cce(y, p):
    return -(y * np.log(p)).sum(axis=1)


AMOUNTS, OTHER_AMOUNTS = np.exp(RAW), np.exp(TARGETS)
SIGNS = 2 * BITS - 1
ERRORS = abs(TARGETS - RAW)
P_T = BITS * SIGMOIDS + (1 - BITS) * (1 - SIGMOIDS)
LOG_P = np.log(PROBABILITIES)
NORMS = np.linalg.norm(TARGETS, axis=1) * np.linalg.norm(RAW, axis=1)
MEANS, VARIANCES = SIGMOIDS[:, :2], SIGMOIDS[:, 2:]
FEW = TARGETS[:, :2]


# name → (loss, targets, predictions, what each row's loss should be, the activation of a network that learns it)
ROWS = {
    "mse": (losses.MeanSquaredError(), TARGETS, RAW, ((TARGETS - RAW) ** 2).mean(axis=1), None),
    "sse": (losses.SumSquaredError(), TARGETS, RAW, ((TARGETS - RAW) ** 2).sum(axis=1), None),
    "half sse": (losses.SumSquaredError(half=True), TARGETS, RAW, ((TARGETS - RAW) ** 2).sum(axis=1) / 2, "sigmoid"),
    "mae": (losses.MeanAbsoluteError(), TARGETS, RAW, abs(TARGETS - RAW).mean(axis=1), "tanh"),
    "bce": (losses.BinaryCrossentropy(), BITS, SIGMOIDS, bce(BITS, SIGMOIDS), "sigmoid"),
    "bce clipped": (losses.BinaryCrossentropy(), BITS, EDGES, bce(BITS, np.clip(EDGES, 1e-7, 1 - 1e-7)), "sigmoid"),
    "focal clipped": (
        losses.BinaryFocalCrossentropy(True, 0.3, label_smoothing=0.2), BITS, EDGES, focal(EDGES).mean(axis=1),
        "sigmoid",
    ),
    "kl divergence clipped": (
        losses.KLDivergence(), np.clip(2 * TARGETS, 0, 1.5), 1.5 * EDGES,
        (T := np.clip(2 * TARGETS, 1e-7, 1), T * np.log(T / np.clip(1.5 * EDGES, 1e-7, 1)))[1].sum(axis=1), "sigmoid",
    ),
    "focal without focus": (
        losses.BinaryFocalCrossentropy(gamma=0.0), BITS, EDGES, bce(BITS, np.clip(EDGES, 1e-7, 1 - 1e-7)), "sigmoid",
    ),
    "focal logits without focus": (
        losses.BinaryFocalCrossentropy(gamma=0.0, from_logits=True), BITS, RAW, bce(BITS, SIGMOIDS), None,
    ),
    "focal logits unbalanced": (
        losses.BinaryFocalCrossentropy(from_logits=True), BITS, RAW,
        (-((1 - P_T) ** 2) * np.log(P_T)).mean(axis=1), None,
    ),
    "focal logits clipped": (
        losses.BinaryFocalCrossentropy(True, 0.3, from_logits=True, label_smoothing=0.2), BITS, 40 * RAW,
        focal(1 / (1 + np.exp(-40 * RAW))).mean(axis=1), None,
    ),
    "bce logits smoothed": (
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2), BITS, RAW, bce(SMOOTHED, SIGMOIDS), None,
    ),
    "bce logits": (losses.BinaryCrossentropy(from_logits=True), BITS, RAW, bce(BITS, SIGMOIDS), None),
    "bce smoothed": (
        losses.BinaryCrossentropy(label_smoothing=0.2), BITS, SIGMOIDS, bce(BITS * 0.8 + 0.1, SIGMOIDS), "sigmoid",
    ),
    "cce": (losses.CategoricalCrossentropy(), ONE_HOT, PROBABILITIES, cce(ONE_HOT, PROBABILITIES), "softmax"),
    "cce logits": (
        losses.CategoricalCrossentropy(from_logits=True), ONE_HOT, RAW, cce(ONE_HOT, PROBABILITIES), None,
    ),
    "cce smoothed": (
        losses.CategoricalCrossentropy(label_smoothing=0.2), ONE_HOT, PROBABILITIES,
        cce(ONE_HOT * 0.8 + 0.2 / C, PROBABILITIES), "softmax",
    ),
    "cce of sums": (
        losses.CategoricalCrossentropy(), ONE_HOT, 3 * PROBABILITIES, cce(ONE_HOT, PROBABILITIES), "sigmoid",
    ),
    "sparse": (losses.SparseCategoricalCrossentropy(), LABELS, PROBABILITIES, cce(ONE_HOT, PROBABILITIES), "softmax"),
    "sparse logits": (
        losses.SparseCategoricalCrossentropy(from_logits=True), LABELS, RAW, cce(ONE_HOT, PROBABILITIES), None,
    ),
    "mape": (
        losses.MeanAbsolutePercentageError(), OTHER_AMOUNTS, RAW,
        100 * (abs(OTHER_AMOUNTS - RAW) / OTHER_AMOUNTS).mean(axis=1), None,
    ),
    "msle": (
        losses.MeanSquaredLogarithmicError(), OTHER_AMOUNTS, AMOUNTS,
        ((np.log1p(OTHER_AMOUNTS) - np.log1p(AMOUNTS)) ** 2).mean(axis=1), "sigmoid",
    ),
    "log cosh": (losses.LogCosh(), TARGETS, RAW, np.log(np.cosh(ERRORS)).mean(axis=1), None),
    "huber": (
        losses.Huber(0.8), TARGETS, RAW,
        np.where(ERRORS <= 0.8, ERRORS**2 / 2, 0.8 * ERRORS - 0.32).mean(axis=1), None,
    ),
    "quantile": (
        losses.Quantile(0.9), TARGETS, RAW,
        np.where(TARGETS > RAW, 0.9 * ERRORS, 0.1 * ERRORS).mean(axis=1), None,
    ),
    "poisson": (
        losses.Poisson(), OTHER_AMOUNTS, AMOUNTS,
        (AMOUNTS - OTHER_AMOUNTS * np.log(AMOUNTS + 1e-7)).mean(axis=1), "sigmoid",
    ),
    "gaussian nll": (
        losses.GaussianNLL(), FEW, RAW,
        (RAW[:, 2:] + (FEW - RAW[:, :2]) ** 2 / np.exp(RAW[:, 2:])).mean(axis=1) / 2, None,
    ),
    "gaussian nll of variances": (
        losses.GaussianNLL(log_variance=False), FEW, SIGMOIDS,
        (np.log(VARIANCES) + (FEW - MEANS) ** 2 / VARIANCES).mean(axis=1) / 2, "sigmoid",
    ),
    "hinge": (losses.Hinge(), BITS, RAW, np.maximum(1 - SIGNS * RAW, 0).mean(axis=1), None),
    "squared hinge": (losses.SquaredHinge(), BITS, RAW, (np.maximum(1 - SIGNS * RAW, 0) ** 2).mean(axis=1), None),
    "categorical hinge": (
        losses.CategoricalHinge(), ONE_HOT, RAW,
        np.maximum(((1 - ONE_HOT) * RAW).max(axis=1) - (ONE_HOT * RAW).sum(axis=1) + 1, 0), None,
    ),
    "cosine": (losses.CosineSimilarity(), TARGETS, RAW, -(TARGETS * RAW).sum(axis=1) / NORMS, None),
    "binary focal": (
        losses.BinaryFocalCrossentropy(gamma=1.5), BITS, SIGMOIDS, (-((1 - P_T) ** 1.5) * np.log(P_T)).mean(axis=1),
        "sigmoid",
    ),
    "binary focal balanced": (
        losses.BinaryFocalCrossentropy(True, 0.3, from_logits=True, label_smoothing=0.2), BITS, RAW,
        focal(SIGMOIDS).mean(axis=1), None,
    ),
    "focal": (
        losses.CategoricalFocalCrossentropy(0.3, 1.5), ONE_HOT, 2 * PROBABILITIES,
        -(0.3 * (1 - PROBABILITIES) ** 1.5 * ONE_HOT * LOG_P).sum(axis=1), "softmax",
    ),
    "focal logits": (
        losses.CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.2), ONE_HOT, RAW,
        -(0.25 * (1 - PROBABILITIES) ** 2 * (ONE_HOT * 0.8 + 0.2 / C) * LOG_P).sum(axis=1), None,
    ),
    "sparse smoothed": (
        losses.SparseCategoricalCrossentropy(label_smoothing=0.2), LABELS, PROBABILITIES,
        cce(ONE_HOT * 0.8 + 0.2 / C, PROBABILITIES), "softmax",
    ),
    "generalized": (
        losses.CategoricalGeneralizedCrossEntropy(0.7), LABELS, PROBABILITIES,
        (1 - (ONE_HOT * PROBABILITIES).sum(axis=1) ** 0.7) / 0.7, "softmax",
    ),
    "kl divergence": (
        losses.KLDivergence(), PROBABILITIES[::-1], PROBABILITIES,
        (PROBABILITIES[::-1] * np.log(PROBABILITIES[::-1] / PROBABILITIES)).sum(axis=1), "softmax",
    ),
    "dice": (
        losses.Dice(), BITS, SIGMOIDS,
        1 - 2 * (BITS * SIGMOIDS).sum(axis=1) / (BITS.sum(axis=1) + SIGMOIDS.sum(axis=1) + 1e-7), "sigmoid",
    ),
    "tversky": (
        losses.Tversky(0.3, 0.6), BITS, SIGMOIDS,
        1 - (BITS * SIGMOIDS).sum(axis=1)
        / (BITS * SIGMOIDS + 0.3 * (1 - SIGMOIDS) * BITS + 0.6 * SIGMOIDS * (1 - BITS) + 1e-7 / C).sum(axis=1),
        "sigmoid",
    ),
}  # fmt: skip
