"""Tables of few rows: every row held out in turn, one epoch for all networks, a linear model beside them."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

import thalweg
from thalweg import Input, Sequential
from thalweg.data import read_table
from thalweg.errors import ModelFileError
from thalweg.layers import Dense
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions
from thalweg.sklearn import TabularClassifier, TabularRegressor
from thalweg.tabular import holdouts
from thalweg.tabular.qualities import FEW, LINEAR
from thalweg.tabular.training import agree
from thalweg.tabular.trees import averaging_shares

ONE = {"random_state": 0, "n_jobs": 1}
QUICK = ONE | {"layers": (8,), "epochs": 6}


def noisy(rows, seed=0, columns=6):
    """Two classes of which the first column tells a little."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, columns))
    return x, (x[:, 0] + random.normal(scale=1.5, size=rows) > 0).astype(int)


def line(rows, seed=0):
    """Numbers that are linear in the first of six columns, with as much noise."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 6))
    return x, x[:, 0] + random.normal(size=rows)


@pytest.mark.parametrize("members", [None, "networks"])
def test_forty_noisy_rows_are_not_predicted_with_certainty(members):
    x, y = noisy(40, seed=1)
    test, truth = noisy(2000, seed=100)
    model = TabularClassifier("fast", members=members, **ONE).fit(x, y)
    p = model.predict_proba(test)
    assert log_loss(truth, p) < log_loss(truth, LogisticRegression().fit(x, y).predict_proba(test)) + 0.02
    assert abs(p.max(axis=1).mean() - (p.argmax(axis=1) == truth).mean()) < 0.1
    assert set(model.shares_) == ({"networks"} if members else {"networks", LINEAR})


def test_forty_noisy_numbers_are_not_followed():
    x, y = line(40)
    test, truth = line(2000, seed=1)
    model = TabularRegressor("fast", **ONE).fit(x, y)
    reference = np.mean((Ridge().fit(x, y).predict(test) - truth) ** 2)
    assert np.mean((model.predict(test) - truth) ** 2) < 1.05 * reference


def test_every_row_is_held_out_and_all_networks_keep_one_epoch():
    x, y = noisy(40)
    model = TabularClassifier("fast", **QUICK).fit(x, y)
    assert len(model.members_) == 8
    assert sorted(np.concatenate([member.held_out for member in model.members_])) == list(range(40))
    assert len({member.best_epoch for member in model.members_}) == 1
    assert not np.isnan(model.out_of_fold_).any()
    assert np.isfinite(model.validation_score_)


def test_many_rows_are_held_out_as_before():
    x, y = noisy(FEW + 50)
    model = TabularClassifier("fast", **QUICK).fit(x, y)
    assert len(model.members_) == 2
    assert LINEAR not in model.shares_


def test_few_rows_repeated_are_few():
    x, y = noisy(100)
    model = TabularClassifier("fast", **QUICK).fit(np.tile(x, (4, 1)), np.tile(y, 4))
    assert len(model.members_) == 8
    for member in model.members_:  # a row and its copies
        assert len(np.unique(member.held_out % 100)) * 4 == len(member.held_out)


def test_members_asked_for_are_as_many():
    x, y = noisy(40)
    assert len(TabularClassifier(members=3, **QUICK).fit(x, y).members_) == 3


@dataclass
class Watched:
    """A training in which one of two epochs predicts the only row held out better; judged by the outputs' sum."""

    rows: np.ndarray
    seen: dict[int, float]
    at: int = 0
    outputs: np.ndarray | None = field(default=None)

    def judge(self, rows, outputs):
        return (float(outputs.sum()),)

    def take(self, epoch):
        self.at = max(seen for seen in self.seen if seen <= epoch)
        self.outputs = np.array([self.seen[self.at]])


def test_networks_agree_on_the_epoch_that_is_best_for_all_rows_together():
    lucky, other, ended = (Watched(np.array([k]), seen) for k, seen in enumerate(({1: 5, 2: 3}, {1: 0, 2: 3}, {1: 1})))
    agree([lucky, other, ended])
    assert [lucky.at, other.at, ended.at] == [2, 2, 1]


@pytest.mark.parametrize("kinds", [["a"] * 9 + ["b"], ["a"] * 8 + ["b", "b"], list("abcabcabca"), list("abcdefghij")])
def test_ten_rows_of_twelve_columns(kinds):
    random = np.random.default_rng(2)
    frame = pd.DataFrame({f"c{k}": random.normal(size=10) for k in range(8)})
    frame = frame.assign(same=1, none=np.nan, town=list("uvwuvwuvwu"), some=[np.nan, 1.0] * 5)
    p = TabularClassifier(**QUICK).fit(frame, kinds).predict_proba(frame)
    assert p.shape == (10, len(set(kinds)))
    assert np.allclose(p.sum(axis=1), 1)
    numbers = TabularRegressor(**QUICK).fit(frame, random.normal(size=10)).predict(frame)
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_a_handful_of_rows_says_little(rows):
    x, y = np.arange(rows, dtype=float)[:, None], np.arange(rows) % 2
    model = TabularClassifier(**ONE).fit(x, y)
    assert model.predict_proba(x).max() < (0.8 if rows == 2 else 0.95)  # of two rows none can be held out


def test_a_linear_model_stays_within_the_range_learned_from():
    x = np.linspace(0, 1, 40)[:, None]
    model = TabularRegressor("fast", **QUICK).fit(x, x[:, 0] * 10)
    assert model.shares_[LINEAR] > 0.5
    assert model.predict([[-5.0], [5.0]]).min() >= 0
    assert model.predict([[-5.0], [5.0]]).max() <= 10


def test_the_latest_of_few_rows_are_held_out():
    held = holdouts.latest(np.arange(40), members=2)
    assert [rows.tolist() for rows in held] == [list(range(30, 40))] * 2
    assert holdouts.latest(np.arange(8), members=1)[0].tolist() == [4, 5, 6, 7]
    assert len(holdouts.latest(np.arange(800), members=1)[0]) == 100
    x, y = noisy(40)
    model = TabularClassifier("fast", **QUICK).fit(x, y, time=np.arange(40))
    assert {len(member.held_out) for member in model.members_} == {10}


def test_doubt_pulls_shares_to_equal_ones():
    """By hand: p·w − y = w₁ in one row, and w₁² + doubt·¼·2·(w₁ − ½)² is least at w₁ = doubt/(4 + 2·doubt)."""
    p, y = np.array([[1.0, 0.0]]), np.array([0.0])
    assert averaging_shares(p, y) == pytest.approx([0, 1], abs=1e-3)
    for doubt in (1, 4):
        first = doubt / (4 + 2 * doubt)
        assert averaging_shares(p, y, doubt=doubt) == pytest.approx([first, 1 - first], abs=1e-3)


def test_a_run_of_few_rows_comes_back(tmp_path):
    x, y = noisy(60)
    columns = {f"c{k}": x[:, k] for k in range(6)} | {"y": np.where(y, "yes", "no")}
    options = TableOptions(target="y", layers=(8,), epochs=6, quality="fast", seed=0, lanes=1)
    run = table_training.train(read_table(columns), options)
    assert [kind["name"] for kind in run.facts["trees"]] == [LINEAR]
    assert sum(member["held out"] for member in run.facts["members"]) == run.facts["rows"]["train"]
    run.save(tmp_path / "run", ["thalweg"])
    again = thalweg.load_run(tmp_path / "run")
    assert np.array_equal(again.predict_proba(columns), run.predict_proba(columns))
    wrong = Sequential([Input((99,)), Dense(1)], name=LINEAR)
    run.trees[0] = run.trees[0]._replace(model=wrong)
    run.save(tmp_path / "wrong", ["thalweg"])
    with pytest.raises(ModelFileError, match="and the columns don't belong together"):
        thalweg.load_run(tmp_path / "wrong")
