"""An `Ordering` decides how the rows of an epoch are taken: their order, their weights, the penalties of a batch."""

import numpy as np
import pytest

import thalweg
from thalweg.batches.ordering import Ordering, Taken
from thalweg.errors import ArgumentError, DivergedError

ROWS, BATCH = 23, 5
random = np.random.default_rng(0)
X, Y = random.normal(size=(ROWS, 3)), random.normal(size=(ROWS, 1))
ORDERS = [random.permutation(ROWS) for _ in range(4)]
WEIGHTS = random.uniform(size=(4, ROWS))
PENALTIES = random.uniform(size=(4, 5))
RATE, L2 = 0.05, 0.1


class Given(Ordering):
    def __init__(self, weighted=True, ordered=True):
        self.weighted, self.ordered, self.asked = weighted, ordered, []

    def epoch(self, number):
        self.asked.append(number)
        order = ORDERS[number] if self.ordered else None
        return Taken(order, WEIGHTS[number] if self.weighted else None, PENALTIES[number])


def model(**arguments):
    layer = thalweg.layers.Dense(1, kernel_regularizer=thalweg.regularizers.L2(L2), kernel_initializer="ones")
    made = thalweg.Sequential([thalweg.Input((3,)), layer], **arguments)
    made.compile(thalweg.optimizers.SGD(RATE), "mse")
    return made


def by_hand(ordered=True):
    """Weights and losses after each epoch, a step written out."""
    W, b, losses = np.ones((3, 1)), np.zeros(1), []
    for order, weights, penalties in zip(ORDERS, WEIGHTS, PENALTIES, strict=True):
        order, total = order if ordered else np.arange(ROWS), 0.0
        for batch, factor in enumerate(penalties):
            rows = order[batch * BATCH : (batch + 1) * BATCH]
            error, w = X[rows] @ W + b - Y[rows], weights[rows, None]
            total += (w * error**2).sum() + len(rows) * factor * L2 * (W**2).sum()
            W, b = (
                W - RATE * (2 * X[rows].T @ (w * error) / len(rows) + 2 * factor * L2 * W),
                b - RATE * 2 * (w * error).mean(axis=0),
            )
        losses.append(total / ROWS)
    return W, b, losses


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("arguments", "lanes"),
    [({}, 1), ({}, 2), ({"engine": "reference", "dtype": "float64"}, 1)],
    ids=["one lane", "two lanes", "reference"],
)
def test_a_step_by_hand(arguments, lanes, ordered):
    made, ordering = model(**arguments), Given(ordered=ordered)
    history = made.fit(
        X, Y, BATCH, epochs=4, shuffle=ordering, sample_weight=np.ones(ROWS), verbose=0, lanes=lanes
    ).history
    W, b, losses = by_hand(ordered)
    tolerance = 1e-5 if made.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(history["loss"], losses, rtol=tolerance)
    np.testing.assert_allclose(made.get_weights()[0], W, rtol=tolerance)
    np.testing.assert_allclose(made.get_weights()[1], b, rtol=tolerance)
    assert ordering.asked == [0, 1, 2, 3]


def test_a_second_fit_asks_for_the_epochs_that_follow():
    made, ordering = model(), Given(weighted=False)
    made.fit(X, Y, BATCH, epochs=2, shuffle=ordering, verbose=0)
    made.fit(X, Y, BATCH, epochs=2, shuffle=ordering, verbose=0)
    assert ordering.asked == [0, 1, 2, 3]


def test_weights_need_a_weighted_fit():
    with pytest.raises(ArgumentError, match="give it a sample_weight"):
        model().fit(X, Y, BATCH, shuffle=Given(), verbose=0)


def test_a_step_that_diverges_is_found_in_the_same_order():
    wrong = Y.copy()
    wrong[ORDERS[1][12]] = np.inf
    made = model()
    with pytest.raises(DivergedError, match="epoch 1, batch"):
        made.fit(X, np.where(np.isinf(wrong), np.nan, Y), BATCH, epochs=3, shuffle=Given(weighted=False), verbose=0)
    before = 1 + int(np.flatnonzero(ORDERS[0] == ORDERS[1][12])[0]) // BATCH
    with pytest.raises(DivergedError, match=f"epoch 1, batch {before} of 5"):
        model().fit(X, np.where(np.isinf(wrong), np.nan, Y), BATCH, epochs=3, shuffle=Given(weighted=False), verbose=0)
