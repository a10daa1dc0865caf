"""Which rows are held out: each once, later ones after those learned from, and never the only row of a class."""

import numpy as np

from thalweg.sklearn.folds import splits
from thalweg.tabular.holdouts import latest, rotating

TIMES = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 4))


def test_each_fold_is_the_part_after_the_rows_that_are_learned_from():
    judged = []
    for learn, judge in splits(np.zeros(len(TIMES)), False, 3, None, TIMES, 0):
        assert TIMES[learn].max() < TIMES[judge].min()
        assert TIMES[learn].min() == 0
        judged += judge.tolist()
    assert sorted(judged) == np.flatnonzero(TIMES >= 10).tolist()  # all but the first quarter, each once


def test_the_latest_eighth_is_held_out():
    held = latest(TIMES, members=2)
    assert len(held) == 2
    for rows in held:
        assert rows.tolist() == np.flatnonzero(TIMES >= 35).tolist()
    few = latest(np.arange(30), members=1)[0]
    assert few.tolist() == list(range(20, 30))  # of few rows, ten


def test_the_only_row_of_a_class_is_always_learned_from():
    classes = np.array([0] * 9 + [1] * 9 + [2])
    held = rotating(len(classes), 8, classes, seed=0)
    assert sorted(row for rows in held for row in rows.tolist()) == list(range(18))
    assert all(abs((classes[rows] == 0).sum() - (classes[rows] == 1).sum()) <= 1 for rows in held)  # shared evenly
