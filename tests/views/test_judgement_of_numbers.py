"""What a report says of predicted numbers, by hand."""

import numpy as np

from thalweg.views.report import number_judgement

TRUTH = np.arange(40, dtype=np.float64)
GUESS = TRUTH + np.where(TRUTH < 20, 1.0, -3.0)


def test_errors_in_parts_of_the_rows():
    rows = number_judgement.by_truth(TRUTH, GUESS, "y")["rows"]
    assert [int(count) for _, count, _, _ in rows] == [40 // number_judgement.PARTS] * number_judgement.PARTS
    assert [(float(size), float(bias.replace("−", "-"))) for _, _, size, bias in (rows[0], rows[-1])] == [
        (1, 1),
        (3, -3),
    ]


def test_residuals_are_true_minus_predicted():
    figure = number_judgement.residuals(TRUTH, GUESS, "y")
    assert np.array_equal(figure["x"], GUESS)
    assert np.array_equal(figure["y"], TRUTH - GUESS)
    bars = number_judgement.spread(TRUTH, GUESS, "y")
    assert bars["values"].sum() == 40
    assert bars["values"][[0, -1]].tolist() == [20, 20]
