"""Which rows are held out: whole groups, the latest, folds."""

import numpy as np
import pytest

from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError, BadRowsError, DataError, NotFoundError
from thalweg.runs.divisions import Division

ROWS = 400
RANDOM = np.random.default_rng(1)
DAYS = np.datetime64("2023-01-01", "us") + RANDOM.permutation(ROWS) * np.timedelta64(86_400_000_000, "us")
Y = np.array(["no", "yes"], object)[(RANDOM.random(ROWS) < 0.2).astype(int)]
TABLE = Table.of(
    {
        "x": RANDOM.normal(size=ROWS),
        "patient": RANDOM.zipf(1.5, ROWS) % 60,
        "day": DAYS,
        "year": 2000 + np.arange(ROWS) // 80,
        "y": Y,
        "z": RANDOM.normal(size=ROWS),
    }
)
YES, NUMBER = Target.of(TABLE, "y"), Target.of(TABLE, "z")


@pytest.mark.parametrize("target", [YES, NUMBER])
def test_groups_stay_together(target):
    train, test = Division(0.25, group="patient").once(TABLE, target)
    assert sorted([*train, *test]) == list(range(ROWS))
    patients = TABLE["patient"]
    assert not set(patients[train]) & set(patients[test])
    assert 0.2 < len(test) / ROWS < 0.3
    assert np.array_equal(Division(0.25, group="patient").once(TABLE, target)[1], test)
    assert not np.array_equal(Division(0.25, group="patient", seed=1).once(TABLE, target)[1], test)


def test_classes_are_alike_in_groups_where_they_can_be():
    """Every group has one class."""
    y = np.repeat(np.array(["no", "yes"], object), [300, 100])
    table = Table.of({"x": np.arange(400.0), "group": np.arange(400) // 10, "y": y})
    shares = []
    for seed in range(5):
        _, test = Division(0.25, group="group", seed=seed).once(table, Target.of(table, "y"))
        shares.append((y[test] == "yes").mean())
    assert 0.15 <= min(shares) <= max(shares) <= 0.35


def test_rows_without_a_group_or_a_target():
    table = Table.of({"x": [1, 2, 3, 4, 5, 6], "g": ["a", "a", None, None, "b", "b"], "y": [1.5, 2, 3, 4, 5, None]})
    train, test = Division(0.5, group="g").once(table, Target.of(table, "y", "regression"))
    assert sorted([*train, *test]) == [0, 1, 2, 3, 4]
    one = Table.of({"x": [1, 2, 3], "g": ["a"] * 3, "y": [1.0, 2.5, 3.0]})
    with pytest.raises(DataError, match="all rows are of one group"):
        Division(0.5, group="g").once(one, Target.of(one, "y"))
    with pytest.raises(NotFoundError, match="no column 'pateint'"):
        Division(0.2, group="pateint").once(TABLE, YES)


@pytest.mark.parametrize("text", [False, True])
def test_the_latest_rows_are_held_out(text):
    days = np.datetime_as_string(DAYS, unit="D").astype(object) if text else DAYS
    table = Table.of({"day": days, "y": Y})
    train, test = Division(0.2, time="day").once(table, Target.of(table, "y"))
    assert (len(train), len(test)) == (320, 80)
    assert DAYS[train].max() < DAYS[test].min()


def test_rows_of_one_moment_stay_together():
    train, test = Division(0.29, time="year").once(TABLE, NUMBER)
    assert set(TABLE["year"][test]) == {2004}  # a fifth is nearer to 0.29 than two fifths
    assert set(TABLE["year"][train]) == {2000, 2001, 2002, 2003}
    assert set(TABLE["year"][Division(0.9, time="year").once(TABLE, NUMBER)[0]]) == {2000}


def test_times_that_cannot_be_used():
    table = Table.of({"word": list("abcd"), "day": [1, None, 3, 4], "same": [1] * 4, "y": [1.0, 2.5, 3.0, 4.0]})
    target = Target.of(table, "y")
    with pytest.raises(DataError, match="holds text values; --time takes dates, or numbers"):
        Division(0.5, time="word").once(table, target)
    with pytest.raises(BadRowsError, match="row 2 has no value in the column 'day', by which rows are held out"):
        Division(0.5, time="day").once(table, target)
    with pytest.raises(DataError, match="one value in all rows"):
        Division(0.5, time="same").once(table, target)
    with pytest.raises(ArgumentError, match="by --group or by --time"):
        Division(0.5, time="day", group="word")


@pytest.mark.parametrize("target", [YES, NUMBER])
@pytest.mark.parametrize("group", [None, "patient"])
def test_every_row_is_tested_on_in_one_fold(target, group):
    folds = list(Division(0.2, group=group, seed=3).folds(TABLE, target, 4))
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(ROWS))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(ROWS))
        if group:
            assert not set(TABLE[group][train]) & set(TABLE[group][test])
        if target is YES and not group:
            assert (Y[test] == "yes").mean() == pytest.approx((Y == "yes").mean(), abs=0.02)


def test_folds_in_order_of_time():
    folds = list(Division(0.2, time="day").folds(TABLE, YES, 4))
    assert len(folds) == 4
    for train, test in folds:
        assert DAYS[train].max() < DAYS[test].min()
        assert len(test) == 80
    assert len(folds[-1][0]) == 320
    with pytest.raises(DataError, match="too few different values for 7 folds"):
        list(Division(0.2, time="year").folds(TABLE, YES, 7))


def test_too_few_rows_or_groups_for_folds():
    table = Table.of({"g": list("aabbc"), "y": [1.0, 2.5, 3.0, 4.0, 5.0]})
    target = Target.of(table, "y")
    with pytest.raises(DataError, match="too few for 3 folds: give fewer --folds"):
        list(Division(0.2).folds(table, target, 3))
    few = Table.of({"g": ["a", "b"] * 9, "y": np.arange(18.0) / 4})
    with pytest.raises(DataError, match="has 2 groups, too few for 3 folds"):
        list(Division(0.2, group="g").folds(few, Target.of(few, "y"), 3))
