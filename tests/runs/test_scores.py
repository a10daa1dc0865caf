"""Scores and their intervals: scikit-learn's values, and limits that hold as often as they say."""

import numpy as np
import pytest
from sklearn import metrics

from thalweg.data.tables import Table
from thalweg.runs import baselines
from thalweg.runs.mistakes import calibration, class_mistakes, number_mistakes
from thalweg.runs.scores import class_scores, number_scores, wilson
from thalweg.tabular import Features


def classes(rows, count, seed=0):
    """Class numbers drawn from the probabilities, and the probabilities."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(count) * 0.7, rows)
    return (shares.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1), shares


def numbers(rows, seed=0):
    random = np.random.default_rng(seed)
    truth = random.gamma(4, size=rows)
    return truth, truth + random.laplace(size=rows)


@pytest.mark.parametrize("count", [2, 5])
def test_the_values_are_scikit_learns(count):
    codes, shares = classes(300, count)
    guesses = shares.argmax(axis=1)
    wanted = {
        "accuracy": metrics.accuracy_score(codes, guesses),
        "balanced accuracy": metrics.balanced_accuracy_score(codes, guesses),
        "F1 (macro)": metrics.f1_score(codes, guesses, average="macro"),
        "AUC": metrics.roc_auc_score(codes, shares[:, 1] if count == 2 else shares, multi_class="ovr"),
        "log loss": metrics.log_loss(codes, shares),
    }
    assert {name: score.value for name, score in class_scores(codes, shares).items()} == pytest.approx(wanted)
    truth, guess = numbers(300)
    assert {name: score.value for name, score in number_scores(truth, guess).items()} == pytest.approx(
        {
            "R²": metrics.r2_score(truth, guess),
            "RMSE": metrics.root_mean_squared_error(truth, guess),
            "MAE": metrics.mean_absolute_error(truth, guess),
        }
    )


def covered(draw, score, rows=200, times=400, scale=1.0):
    """By score, how often the interval of 200 rows holds the value of 200,000."""
    true = {name: found.value for name, found in score(*draw(200_000, 999)).items()}
    hits = dict.fromkeys(true, 0)
    for seed in range(times):
        for name, found in score(*draw(rows, seed)).items():
            half = (found.high - found.low) / 2 * scale
            hits[name] += (found.high + found.low) / 2 - half <= true[name] <= (found.high + found.low) / 2 + half
    return {name: count / times for name, count in hits.items()}


@pytest.mark.parametrize(
    ("draw", "score"),
    [
        (lambda rows, seed: classes(rows, 2, seed), class_scores),
        (lambda rows, seed: classes(rows, 3, seed), class_scores),
        (lambda rows, seed: numbers(rows, seed), number_scores),
    ],
    ids=["two classes", "three", "numbers"],
)
def test_an_interval_holds_the_true_score_as_often_as_it_says(draw, score):
    assert all(0.90 <= share <= 0.985 for share in covered(draw, score).values())
    assert all(share < 0.88 for share in covered(draw, score, scale=0.7).values())  # the control


def test_wilson_is_honest_near_1():
    low, high = wilson(20, 20)
    assert (round(low, 3), high) == (0.839, 1.0)
    assert wilson(0, 20)[0] == 0


def test_scores_that_are_not_defined():
    one = class_scores(np.array([1]), np.array([[0.2, 0.8]]))
    assert one["accuracy"].value == 1
    assert np.isnan([one["AUC"].value, one["balanced accuracy"].value, one["log loss"].low]).all()
    perfect = class_scores(np.array([0, 1] * 10), np.eye(2)[[0, 1] * 10])
    assert np.isnan(perfect["F1 (macro)"].low)  # 20 right rows don't say that no other is wrong
    assert np.isnan(number_scores(np.ones(3), np.zeros(3))["R²"].value)
    assert np.isnan(number_scores(np.ones(1), np.zeros(1))["RMSE"].low)


def test_calibration_by_hand():
    """Four rows at 0.9 of which three are right, and two at 0.6 that are both right."""
    codes = np.array([1, 1, 1, 0, 0, 0])
    shares = np.array([[0.1, 0.9]] * 4 + [[0.6, 0.4]] * 2)
    found = calibration(codes, shares)
    assert found["error"] == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)
    assert [(one["rows"], one["right"]) for one in found["bins"]] == [(2, 1.0), (4, 0.75)]
    codes, shares = classes(20_000, 3)
    assert calibration(codes, shares)["error"] < 0.01
    assert calibration(codes, shares**3 / (shares**3).sum(axis=1, keepdims=True))["error"] > 0.1


def test_the_rarest_of_many_classes_are_together():
    codes = np.repeat(np.arange(12), np.arange(1, 13))
    guesses = np.where(codes == 11, 0, codes)
    guesses[0] = 1
    found = class_mistakes(codes, np.eye(12)[guesses], [f"c{k}" for k in range(12)])["confusion"]
    assert found["classes"] == [f"c{k}" for k in range(4, 12)]
    assert (found["others"], found["right among others"]) == (4, 9)
    counts = np.array(found["counts"])
    assert counts.sum() == len(codes)
    assert counts[-1, -1] == 10
    assert counts[7, 8] == 12
    few = class_mistakes(codes[codes < 3], np.eye(3)[codes[codes < 3]], ["a", "b", "c"])["confusion"]
    assert few == {"classes": ["a", "b", "c"], "counts": [[1, 0, 0], [0, 2, 0], [0, 0, 3]]}


def test_where_the_errors_of_numbers_are():
    truth = np.arange(8.0)
    guess = truth + np.array([0, 0, 0, 0, 0, 0, 1, -3])
    found = number_mistakes(truth, guess, lambda row: 10 + row)
    assert [(one["from"], one["to"], one["MAE"], one["too high by"]) for one in found["quarters"]] == [
        (0, 1, 0, 0),
        (2, 3, 0, 0),
        (4, 5, 0, 0),
        (6, 7, 2, -1),
    ]
    assert found["worst"][:2] == [
        {"row": 17, "truth": 7.0, "prediction": 4.0},
        {"row": 16, "truth": 6.0, "prediction": 7.0},
    ]


# --- what a network has to beat --------------------------------------------------------------------------------------


def table(rows, y, seed=0):
    x = np.random.default_rng(seed).normal(size=rows)
    return Table.of({"x": x, "y": y(x)})


def test_a_constant_answer_and_a_linear_model():
    train, test = (table(rows, lambda x: np.where(x > 0.5, "b", "a").astype(object), rows) for rows in (400, 300))
    features = Features.fit(train, "y")
    always = baselines.constant(features, train, test)
    assert always["answer"] == "a"
    assert always["scores"]["accuracy"] == (test["y"] == "a").mean()
    assert always["scores"]["AUC"] == 0.5
    line = baselines.linear(features, train, test)
    assert line["model"] == "logistic regression"
    assert line["scores"]["accuracy"] > 0.97

    train, test = (table(rows, lambda x: 5 * x + 2, rows) for rows in (400, 300))
    features = Features.fit(train, "y")
    assert baselines.constant(features, train, test)["answer"] == pytest.approx(train["y"].mean())
    assert baselines.constant(features, train, test)["scores"]["R²"] < 0.01
    assert baselines.linear(features, train, test)["scores"]["R²"] > 0.9  # the matrix bends what is far off


def test_the_linear_model_learns_from_a_sample_of_many_rows(monkeypatch):
    monkeypatch.setattr(baselines, "CELLS", 150)
    train = table(400, lambda x: np.where(x > 0, 3.0, 1.0) + x)
    line = baselines.linear(Features.fit(train, "y"), train, train)
    assert line["rows"] == 150
    assert line["scores"]["R²"] > 0.8


def test_balanced_classes_weigh_the_same():
    random = np.random.default_rng(0)
    y = np.where(random.random(3000) < 0.05, "rare", "usual").astype(object)
    rows = Table.of({"x": random.normal(size=3000) + 1.5 * (y == "rare"), "y": y})
    features = Features.fit(rows, "y")
    plain, balanced = (baselines.linear(features, rows, rows, balanced)["scores"] for balanced in (False, True))
    assert balanced["balanced accuracy"] > plain["balanced accuracy"] + 0.1
