"""The printed ranges of activations, losses and metrics: no value leaves them, and both ends are come to."""

import math

import numpy as np
import pytest

from thalweg import activations, losses, metrics

RANDOM = np.random.default_rng(8)
ROWS, OUTPUTS = 400, 2
FAR = 100.0  # what is beyond this counts as unbounded


def bounds(text, **values):
    """(low, high) of "0 and above", "−1 to 1, 1 is best", "[0, ∞)", "{0, 1}"."""
    text = text.replace("−", "-").partition(" is best")[0].partition(", of ")[0].partition("; ")[0]
    if text[0] in "([{":
        inside = text[1 : min(text.index(c) for c in ")]}" if c in text)]
        low, high = (number(part, values) for part in inside.split(", "))
        return low, high
    words = text.partition(",")[0]
    if words == "any number":
        return -math.inf, math.inf
    if words.endswith(" and above"):
        return number(words.removesuffix(" and above"), values), math.inf
    if words.startswith("up to "):
        return -math.inf, number(words.removeprefix("up to "), values)
    low, high = (number(word, values) for word in words.split(" to "))
    return low, high


def number(text, values):
    return float(eval(text.replace("∞", "inf").replace("π", "pi"), {"inf": math.inf, "pi": math.pi, **values}))


def check(values, low, high, rounding=1e-6):
    """All values inside; the smallest at the low end, the largest at the high one."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    assert values.min() >= low - rounding
    assert values.max() <= high + rounding
    assert values.min() < -FAR if low == -math.inf else values.min() <= low + 1e-3
    assert values.max() > FAR if high == math.inf else values.max() >= high - 1e-3


def test_a_printed_range_is_read():
    assert bounds("0 and above, 0 is best") == (0, math.inf)
    assert bounds("−1 to 1, 1 is best") == (-1, 1)
    assert bounds("up to 1, 1 is best") == (-math.inf, 1)
    assert bounds("any number, less is better") == (-math.inf, math.inf)
    assert bounds("0 to 1/q", q=0.5) == (0, 2)
    assert bounds("(−π/2, π/2)") == (-math.pi / 2, math.pi / 2)
    assert bounds("(0, 1]") == (0, 1)


@pytest.mark.parametrize("name", sorted(activations.NAMES.keys() - {"threshold", "hard_shrink"}))
def test_activations(name):
    function = activations.NAMES[name]
    low, high = bounds(function.range, alpha=1.0)
    x = np.concatenate([np.linspace(-30, 30, 60_001), [-1e4, 1e4]])
    x = np.clip(x, -200, 200) if name in ("exponential", "golu") else x  # whose exponentials overflow
    if function.rowwise:
        x = np.stack([x, np.zeros_like(x)], axis=1)
    check(function(x), low, high, rounding=6e-4)  # of the printed minimum


def test_activations_whose_range_has_gaps():
    x = np.linspace(-30, 30, 60_001)
    a = activations.hard_shrink.using(threshold=0.5)(x)  # (−∞, −threshold) ∪ {0} ∪ (threshold, ∞)
    assert ((a == 0) | (abs(a) > 0.5)).all()
    assert abs(a[a != 0]).min() < 0.502
    a = activations.threshold.using(threshold=1, default_value=-3)(x)  # {default_value} ∪ (threshold, ∞)
    assert ((a == -3) | (a > 1)).all()


NUMBERS = RANDOM.normal(size=(ROWS, OUTPUTS)) * 10.0 ** RANDOM.integers(-3, 7, size=(ROWS, 1))
OTHERS = RANDOM.normal(size=(ROWS, OUTPUTS)) * 10.0 ** RANDOM.integers(-3, 7, size=(ROWS, 1))
OTHERS[:50] = NUMBERS[:50] * RANDOM.choice([-1, 1], size=(50, 1))
BITS = RANDOM.integers(0, 2, size=(ROWS, OUTPUTS)).astype(float)
BITS[:20] = [1, 0]
INSIDE = 1 / (1 + np.exp(-np.clip(8 * RANDOM.normal(size=(ROWS, OUTPUTS)), -30, 30)))
INSIDE[:20] = np.linspace([1, 0], [0, 1], 20)
LABELS = RANDOM.integers(0, OUTPUTS, size=(ROWS, 1)).astype(float)
LABELS[:20] = 0
ONE_HOT = np.eye(OUTPUTS)[LABELS[:, 0].astype(int)]
SHARES = INSIDE / INSIDE.sum(axis=1, keepdims=True)
SHARES[:20] = np.linspace([1, 0], [0, 1], 20)
DATA = {  # name → targets and predictions as they should be; all others take any numbers
    "MeanSquaredLogarithmicError": (abs(NUMBERS) * np.repeat([1, 1e9], ROWS // 2)[:, None], abs(OTHERS)),
    "Poisson": (abs(NUMBERS), abs(OTHERS) + 1e-3),
    "GaussianNLL": (NUMBERS[:, :1], np.stack([NUMBERS[:, 0], np.linspace(-600, 600, ROWS)], axis=1)),
    "Hinge": (2 * BITS - 1, OTHERS), "SquaredHinge": (2 * BITS - 1, OTHERS), "CategoricalHinge": (ONE_HOT, OTHERS),
    "CosineSimilarity": (NUMBERS, OTHERS), "Dice": (BITS, INSIDE), "Tversky": (BITS, INSIDE),
    "BinaryCrossentropy": (BITS, INSIDE), "BinaryFocalCrossentropy": (BITS, INSIDE),
    "CategoricalCrossentropy": (ONE_HOT, SHARES), "CategoricalFocalCrossentropy": (ONE_HOT, SHARES),
    "SparseCategoricalCrossentropy": (LABELS, SHARES), "CategoricalGeneralizedCrossEntropy": (LABELS, SHARES),
    "KLDivergence": (SHARES[::-1], SHARES),
    "Accuracy": (BITS, INSIDE.round()), "CategoricalAccuracy": (ONE_HOT, SHARES),
    "SparseCategoricalAccuracy": (LABELS, SHARES), "PearsonCorrelation": (NUMBERS, OTHERS),
    "TopKCategoricalAccuracy": (ONE_HOT, SHARES), "SparseTopKCategoricalAccuracy": (LABELS, SHARES),
    "R2Score": (NUMBERS, OTHERS),
}  # fmt: skip
LOGITS = {  # from which clipped cross-entropies, at most −log 10⁻⁷, go on
    name: {"from_logits": True}
    for name in ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy")
}
CLIPPED = {"BinaryFocalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence"}


@pytest.mark.parametrize("name", sorted(losses.CLASSES.keys() - {"CenterLoss"}))
def test_losses(name):
    kind = losses.CLASSES[name]
    loss = kind()
    y, p = DATA.get(name, (NUMBERS, OTHERS))
    low, high = bounds(kind.range, q=getattr(loss, "q", None))
    values = [loss(y[r : r + 1], p[r : r + 1]) for r in range(ROWS)]
    if name in LOGITS:
        raw = kind(**LOGITS[name])
        values += [raw(y[r : r + 1], OTHERS[r : r + 1]) for r in range(ROWS)]
    if name in CLIPPED:
        assert max(values) > 1.5  # which is no end
        high = max(values)
    check(values, low, high)


RATES = {"Precision", "Recall", "AUC", "F1Score", "FBetaScore", "BinaryAccuracy"}
OPTIONS = {
    "F1Score": {"average": "macro"}, "FBetaScore": {"average": "macro"}, "TopKCategoricalAccuracy": {"k": 1},
    "SparseTopKCategoricalAccuracy": {"k": 1},
}  # fmt: skip
COUNTS = {"TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"}


@pytest.mark.parametrize("name", sorted(metrics.CLASSES))
def test_metrics(name):
    kind = metrics.CLASSES[name]
    y, p = DATA.get(name, (BITS, INSIDE) if name in RATES | COUNTS else (NUMBERS, OTHERS))
    low, high = bounds(kind.range)

    def score(y, p, **options):
        return kind(**OPTIONS.get(name, {}) | options)(y, p)

    step = 5 if kind().between_rows or name in RATES else 1
    values = [score(y[r : r + step], p[r : r + step]) for r in range(0, ROWS, step)]
    if name in RATES:  # everything right, everything wrong
        values += [score(y, y), score(y, 1 - y)]
    if name in LOGITS:
        values += [score(y[r : r + 1], OTHERS[r : r + 1], **LOGITS[name]) for r in range(ROWS)]
    if name in COUNTS:
        values += [
            score(np.tile(b, (20_000, 1)), np.tile(q, (20_000, 1)))
            for b in (BITS[:1], 1 - BITS[:1])
            for q in (b, 1 - b)
        ]
    if name in CLIPPED:
        high = max(values)
    check(values, low, high)
