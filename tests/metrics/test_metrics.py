"""Metrics: their formulas in NumPy and scikit-learn, epochs of several batches on both engines, Keras's numbers."""

import os

import numpy as np
import pytest
import sklearn.metrics as sk

from thalweg import Sequential, metrics
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(0)
N, C = 23, 4
RAW = RANDOM.normal(size=(N, C)).astype(np.float32)
TARGETS = RANDOM.normal(size=(N, C)).astype(np.float32)
BITS = RANDOM.integers(0, 2, (N, C)).astype(np.float32)
LABELS = RANDOM.integers(0, C, N)
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS]
SIGMOIDS = (1 / (1 + np.exp(-RAW))).astype(np.float32)
SHARES = (np.exp(RAW) / np.exp(RAW).sum(axis=1, keepdims=True)).astype(np.float32)
AMOUNTS, OTHERS = np.exp(RAW), np.exp(TARGETS)
SIGNS = 2 * BITS - 1
EQUAL = np.where(BITS > 0, TARGETS, RAW)  # some predictions are right
VARIATION = ((TARGETS - TARGETS.mean(axis=0)) ** 2).sum(axis=0)
R2 = 1 - ((TARGETS - RAW) ** 2).sum(axis=0) / VARIATION
RIGHT = RAW.argmax(axis=1) == LABELS
RANKS = (RAW[np.arange(N), LABELS][:, None] < RAW).sum(axis=1)
GUESS = RAW.argmax(axis=1)
POSITIVE = SIGMOIDS > 0.5
TP, FP = (POSITIVE * BITS).sum(), (POSITIVE * (1 - BITS)).sum()
FN, TN = (~POSITIVE * BITS).sum(), (~POSITIVE * (1 - BITS)).sum()
NORMS = np.linalg.norm(TARGETS, axis=1) * np.linalg.norm(RAW, axis=1)
LOG = np.log(SHARES)
bce = -(BITS * np.log(SIGMOIDS) + (1 - BITS) * np.log(1 - SIGMOIDS)).mean()
ROWS = [
    (metrics.MeanSquaredError(), TARGETS, RAW, ((TARGETS - RAW) ** 2).mean()),
    (metrics.RootMeanSquaredError(), TARGETS, RAW, np.sqrt(((TARGETS - RAW) ** 2).mean())),
    (metrics.MeanAbsoluteError(), TARGETS, RAW, abs(TARGETS - RAW).mean()),
    (metrics.MeanAbsolutePercentageError(), OTHERS, RAW, 100 * (abs(OTHERS - RAW) / OTHERS).mean()),
    (metrics.MeanSquaredLogarithmicError(), OTHERS, AMOUNTS, ((np.log1p(OTHERS) - np.log1p(AMOUNTS)) ** 2).mean()),
    (metrics.LogCoshError(), TARGETS, RAW, np.log(np.cosh(TARGETS - RAW)).mean()),
    (metrics.CosineSimilarity(), TARGETS, RAW, ((TARGETS * RAW).sum(axis=1) / NORMS).mean()),
    (metrics.Hinge(), BITS, RAW, np.maximum(1 - SIGNS * RAW, 0).mean()),
    (metrics.SquaredHinge(), SIGNS, RAW, (np.maximum(1 - SIGNS * RAW, 0) ** 2).mean()),
    (
        metrics.CategoricalHinge(), ONE_HOT, RAW,
        np.maximum(((1 - ONE_HOT) * RAW).max(axis=1) - (ONE_HOT * RAW).sum(axis=1) + 1, 0).mean(),
    ),
    (metrics.BinaryCrossentropy(), BITS, SIGMOIDS, bce),
    (metrics.BinaryCrossentropy(from_logits=True), BITS, RAW, bce),
    (metrics.CategoricalCrossentropy(), ONE_HOT, SHARES, -(ONE_HOT * LOG).sum(axis=1).mean()),
    (metrics.SparseCategoricalCrossentropy(), LABELS, SHARES, -(ONE_HOT * LOG).sum(axis=1).mean()),
    (metrics.KLDivergence(), SHARES[::-1], SHARES, (SHARES[::-1] * (LOG[::-1] - LOG)).sum(axis=1).mean()),
    (metrics.Poisson(), OTHERS, AMOUNTS, (AMOUNTS - OTHERS * np.log(AMOUNTS + 1e-7)).mean()),
    (metrics.Accuracy(), TARGETS, EQUAL, (TARGETS == EQUAL).mean()),
    (metrics.BinaryAccuracy(), BITS, SIGMOIDS, (POSITIVE == BITS).mean()),
    (metrics.CategoricalAccuracy(), ONE_HOT, RAW, RIGHT.mean()),
    (metrics.SparseCategoricalAccuracy(), LABELS, RAW, RIGHT.mean()),
    (metrics.TopKCategoricalAccuracy(k=2), ONE_HOT, RAW, (RANKS < 2).mean()),
    (metrics.SparseTopKCategoricalAccuracy(k=3), LABELS, RAW, (RANKS < 3).mean()),
    (metrics.TruePositives(), BITS, SIGMOIDS, TP),
    (metrics.FalsePositives(), BITS, SIGMOIDS, FP),
    (metrics.FalseNegatives(), BITS, SIGMOIDS, FN),
    (metrics.TrueNegatives(0.5), BITS, SIGMOIDS, TN),
    (metrics.Precision(), BITS, SIGMOIDS, sk.precision_score(BITS.ravel(), POSITIVE.ravel())),
    (metrics.Recall(0.5, class_id=1), BITS, SIGMOIDS, sk.recall_score(BITS[:, 1], POSITIVE[:, 1])),
    (metrics.Precision(top_k=1), ONE_HOT, SHARES, RIGHT.mean()),
    (metrics.F1Score("macro"), ONE_HOT, SHARES, sk.f1_score(LABELS, GUESS, average="macro")),
    (metrics.F1Score("weighted"), LABELS, SHARES, sk.f1_score(LABELS, GUESS, average="weighted")),
    (
        metrics.FBetaScore("micro", 2.0, 0.4), BITS, SIGMOIDS,
        sk.fbeta_score(BITS, SIGMOIDS > 0.4, beta=2, average="micro"),
    ),
    (metrics.AUC(num_thresholds=2000), BITS, SIGMOIDS, sk.roc_auc_score(BITS.ravel(), SIGMOIDS.ravel())),
    (
        metrics.AUC(num_thresholds=2000, multi_label=True, from_logits=True), BITS, RAW,
        sk.roc_auc_score(BITS, SIGMOIDS, average="macro"),
    ),
    (metrics.R2Score(), TARGETS, RAW, R2.mean()),
    (
        metrics.R2Score("variance_weighted_average", 2), TARGETS, RAW,
        1 - (1 - (R2 * VARIATION).sum() / VARIATION.sum()) * (N - 1) / (N - 3),
    ),
    (
        metrics.PearsonCorrelation(), TARGETS, RAW,
        np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(TARGETS, RAW, strict=True)]),
    ),
    (
        metrics.PearsonCorrelation(axis=0), TARGETS, RAW,
        np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(TARGETS.T, RAW.T, strict=True)]),
    ),
]  # fmt: skip
IDS = [f"{type(row[0]).__name__}-{number}" for number, row in enumerate(ROWS)]
METRICS = pytest.mark.parametrize(("metric", "y", "p", "score"), ROWS, ids=IDS)


def test_every_metric_has_a_row():
    assert {type(row[0]) for row in ROWS} == set(metrics.CLASSES.values()) == set(metrics.NAMES.values())
    words = ("formula", "range", "use")
    assert all(getattr(kind, word) for kind in metrics.CLASSES.values() for word in words)


@METRICS
def test_metric_is_its_formula(metric, y, p, score):
    metric.reset_state()
    assert metric(y, p) == pytest.approx(score, rel=1e-5)
    assert 0 < abs(score) != 1  # a case that can tell


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")  # for class numbers it has the loss alone
@METRICS
def test_metric_of_an_epoch_counts_every_row_once(metric, y, p, score):
    """With a learning rate of 0 the score over the epoch's batches, the last one smaller, is the score of all rows."""
    loss = "sparse_categorical_crossentropy" if y.ndim == 1 else "mse"
    for options in ({}, {"engine": "reference", "dtype": "float64"}):
        model = Sequential([Input((C,)), Dense(C, use_bias=False)], **options)
        model.compile(SGD(0.0), loss, metrics=[metric])
        model.set_weights([np.eye(C)])
        history = model.fit(p, y, batch_size=7, epochs=2, verbose=0).history
        assert history[metric.name] == pytest.approx([score, score], rel=1e-5)
        assert model.evaluate(p, y, return_dict=True)[metric.name] == pytest.approx(score, rel=1e-5)


@METRICS
def test_metric_comes_back_from_its_description(metric, y, p, score):
    named = metrics.Named("word", metric)
    assert metrics.get(metrics.serialize(named), (C,), (C,)) == named
    kind = type(metric)
    if kind is not metrics.Accuracy:  # that word means the kind that fits
        assert metrics.get(kind.__name__, (C,), (C,)).metric == kind()
        assert metrics.get(kind().name, (C,), (C,)).metric == kind()


def test_a_metric_may_have_a_name_of_its_own():
    model = Sequential([Input((C,)), Dense(C)])
    model.compile("sgd", "mse", metrics=[metrics.AUC(name="area"), metrics.AUC(curve="PR", name="pr"), "auc"])
    assert [named.key for named in model.metrics] == ["area", "pr", "auc"]


def test_accuracy_is_the_kind_that_fits_the_loss():
    assert metrics.get("accuracy", (1,), (1,)).metric == metrics.BinaryAccuracy()
    assert metrics.get("acc", (3,), (3,)) == metrics.Named("acc", metrics.CategoricalAccuracy())
    assert metrics.get("accuracy", (3,), (1,)).metric == metrics.SparseCategoricalAccuracy()


def test_r2_of_equal_targets_is_nan_not_a_huge_number():
    assert np.isnan(metrics.R2Score()([0.1] * 7, [0.2] * 7))
    assert np.isnan(metrics.R2Score()(np.full(10_000, 0.3), np.zeros(10_000)))
    assert metrics.R2Score()([1e4, 1e4 + 1], [1e4, 1e4]) == pytest.approx(-1)  # small, but not equal
    assert metrics.R2Score()([1.0, 2.0], [1.0, 2.0]) == 1


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: metrics.Accuracy()([1.0, 2.0], [1.0]), ShapeError, "of one shape"),
        (lambda: metrics.Accuracy()([[1.0], [2.0]], [[1.0]]), ShapeError, "1 rows but y_true has 2"),
        (lambda: metrics.Accuracy()(LABELS, RAW), ShapeError, "one shape"),
        (lambda: metrics.SparseCategoricalAccuracy()(ONE_HOT, RAW), ShapeError, "needs class numbers"),
        (lambda: metrics.SparseCategoricalCrossentropy()(ONE_HOT, RAW), ShapeError, "targets of shape"),
        (lambda: metrics.get("acuracy", (1,), (1,)), ArgumentError, "Choose from"),
        (lambda: metrics.get(7, (1,), (1,)), ArgumentError, "got 7"),
        (lambda: metrics.get(metrics.Precision([0.3, 0.5]), (1,), (1,)), ArgumentError, "a history keeps one number"),
        (lambda: metrics.Precision([0.3, 1.5]), ArgumentError, "Precision's thresholds has to be a number in"),
        (lambda: metrics.Recall([]), ArgumentError, "got an empty one"),
        (lambda: metrics.Precision(class_id=4)(BITS, RAW), ArgumentError, "class_id of precision is 4"),
        (lambda: metrics.F1Score()(ONE_HOT, RAW), ArgumentError, "needs an average"),
        (lambda: metrics.F1Score("mean"), ArgumentError, "macro, micro, weighted"),
        (lambda: metrics.AUC(curve="LIFT"), ArgumentError, "Choose from: PR, ROC"),
        (lambda: metrics.PearsonCorrelation(axis=1), ArgumentError, "or 0"),
        (lambda: metrics.TopKCategoricalAccuracy(0), ArgumentError, "at least 1"),
        (lambda: metrics.FBetaScore(threshold="0.5"), ArgumentError, "FBetaScore's threshold has to be a number"),
        (lambda: metrics.FBetaScore(beta="0.5"), ArgumentError, "FBetaScore's beta has to be a number"),
        (lambda: metrics.F1Score(threshold=0), ArgumentError, "has to be greater than 0"),
        (lambda: metrics.BinaryAccuracy(threshold="0.5"), ArgumentError, "BinaryAccuracy's threshold has to be"),
        (lambda: metrics.BinaryCrossentropy(label_smoothing="0.1"), ArgumentError, "BinaryCrossentropy's label_smoo"),
        (lambda: metrics.CosineSimilarity(axis="0"), ArgumentError, "axis"),
        (lambda: metrics.TrueNegatives()(RAW, RAW, [[1.0, 2.0]]), ShapeError, "a number for each"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_sentence(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


# --- Keras -----------------------------------------------------------------------------------------------------------

TIES = np.round(SHARES * 4) / 4
EDGES = np.where(BITS[::-1] > 0, SIGMOIDS.round(), SIGMOIDS)
EXTRA = [
    (metrics.AUC(), BITS, SIGMOIDS),
    (metrics.AUC(summation_method="minoring"), BITS, EDGES),
    (metrics.AUC(curve="PR"), BITS, EDGES),
    (metrics.AUC(50, "PR", "majoring"), BITS, TIES),
    (metrics.AUC(), 0 * BITS, SIGMOIDS),  # no positives
    (metrics.Precision(0.9), BITS, 0 * SIGMOIDS),  # nothing predicted
    (metrics.Recall(), 0 * BITS, SIGMOIDS),
    (metrics.Precision(top_k=2), ONE_HOT, TIES),
    (metrics.TopKCategoricalAccuracy(k=2), ONE_HOT, TIES),
    (metrics.F1Score("macro"), np.eye(C, dtype=np.float32)[np.minimum(LABELS, 1)], TIES),  # classes without rows
    (metrics.CategoricalAccuracy(), ONE_HOT, TIES),
    (metrics.Accuracy(), BITS, BITS),
    (metrics.BinaryAccuracy(), BITS, TIES),  # some are the threshold exactly
    (metrics.BinaryAccuracy(0.25), BITS, TIES),
    (metrics.SparseCategoricalAccuracy(), LABELS, TIES),
    (metrics.SparseTopKCategoricalAccuracy(k=2), LABELS, TIES),
    (metrics.TopKCategoricalAccuracy(k=C), ONE_HOT, RAW),  # all classes
    (metrics.TruePositives(0.25), BITS, TIES),
    (metrics.FalsePositives(0.25), BITS, TIES),
    (metrics.TrueNegatives(0.25), BITS, TIES),
    (metrics.FalseNegatives(0.25), BITS, TIES),
    (metrics.TruePositives(), 0 * BITS, SIGMOIDS),
    (metrics.FalsePositives(), 0 * BITS + 1, SIGMOIDS),
    (metrics.TrueNegatives(), 0 * BITS + 1, SIGMOIDS),
    (metrics.FalseNegatives(), 0 * BITS, SIGMOIDS),
    (metrics.Precision(), 0 * BITS, SIGMOIDS),
    (metrics.Recall(), BITS, 0 * SIGMOIDS),
    (metrics.F1Score("weighted"), np.eye(C, dtype=np.float32)[np.minimum(LABELS, 1)], TIES),
    (metrics.F1Score("micro", 0.9), BITS, 0 * SIGMOIDS),  # nothing predicted
    (metrics.FBetaScore("macro", 2.0, 0.5), 0 * BITS, SIGMOIDS),  # nothing there
    (metrics.AUC(), 0 * BITS + 1, SIGMOIDS),  # no negatives
    (metrics.AUC(curve="PR"), 0 * BITS, SIGMOIDS),
    (metrics.BinaryCrossentropy(), BITS, EDGES),
    (metrics.BinaryCrossentropy(from_logits=True), BITS, 1e4 * RAW),
    (metrics.CategoricalCrossentropy(), ONE_HOT, np.maximum(EDGES, [[0.5, 0, 0, 0]])),
    (metrics.CategoricalCrossentropy(from_logits=True), ONE_HOT, 1e4 * RAW),
    (metrics.SparseCategoricalCrossentropy(from_logits=True), LABELS, 1e4 * RAW),
    (metrics.KLDivergence(), BITS, EDGES),
    (metrics.Poisson(), OTHERS, 0 * AMOUNTS),
    (metrics.MeanSquaredError(), TARGETS, 1e4 * RAW),
    (metrics.RootMeanSquaredError(), TARGETS, TARGETS),
    (metrics.MeanAbsoluteError(), TARGETS, 1e4 * RAW),
    (metrics.MeanAbsolutePercentageError(), BITS, RAW),  # targets of 0
    (metrics.MeanSquaredLogarithmicError(), TARGETS, RAW),  # negative numbers
    (metrics.LogCoshError(), TARGETS, 1e4 * RAW),
    (metrics.CosineSimilarity(), 0 * TARGETS, RAW),
    (metrics.CosineSimilarity(), TARGETS, 0 * RAW),
    (metrics.Hinge(), SIGNS, RAW.round()),  # at the margin
    (metrics.SquaredHinge(), SIGNS, 1e4 * RAW),
    (metrics.CategoricalHinge(), ONE_HOT, TIES),
    (metrics.R2Score(), TARGETS, TARGETS),
    (metrics.PearsonCorrelation(), TARGETS, 3 * TARGETS + 1),
]
KERAS = [row[:3] for row in ROWS if row[0] != metrics.PearsonCorrelation(axis=0)]


@pytest.mark.parametrize(("metric", "y", "p"), KERAS, ids=range(len(KERAS)))
def test_keras_has_the_same_number(metric, y, p):
    if metric == metrics.R2Score("variance_weighted_average", 2):
        pytest.skip("Keras takes rows times outputs for the number of rows")
    if isinstance(metric, (metrics.F1Score, metrics.FBetaScore)) and y.ndim == 1:
        pytest.skip("Keras takes one-hot targets only")
    metric.reset_state()
    assert metric(y, p) == pytest.approx(keras_score(metric, y, p), rel=1e-5, abs=1e-6)


def keras_score(metric, y, p):
    """Keras's number."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend")
    theirs = getattr(keras.metrics, type(metric).__name__)(**metric.get_config())
    theirs.update_state(y[:, None] if y.ndim == 1 else y, p)
    return float(theirs.result())


def test_every_metric_is_met_at_an_edge():
    assert {type(metric) for metric, *_ in EXTRA} == set(metrics.CLASSES.values())


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")  # predictions as weights
@pytest.mark.parametrize(("metric", "y", "p"), EXTRA, ids=range(len(EXTRA)))
def test_keras_has_the_same_number_at_the_edges(metric, y, p):
    """By the engine, with the predictions as weights: at 0 and 1, float32 clips elsewhere than float64."""
    model = Sequential([Input((N,)), Dense(C, use_bias=False)])
    model.compile("sgd", "sparse_categorical_crossentropy" if y.ndim == 1 else "mse", metrics=[metric])
    model.set_weights([p])
    score = model.evaluate(np.eye(N), y, return_dict=True)[metric.name]
    assert score == pytest.approx(keras_score(metric, y, np.asarray(p, np.float32)), rel=1e-5, abs=1e-6)
