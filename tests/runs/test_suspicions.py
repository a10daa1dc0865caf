"""What makes a score suspect: leaks, rows in both parts, rare classes."""

import numpy as np
import pytest

from thalweg.data.tables import Table
from thalweg.runs import suspicions
from thalweg.tabular import Features

ROWS = 600
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=(ROWS, 3))
KIND = np.array(["cat", "dog", "eel"], object)[RANDOM.integers(0, 3, ROWS)]


def columns(**more):
    return Table.of({"a": NOISE[:, 0], "b": NOISE[:, 1], **more})


def found(table, target):
    return [leak.column for leak in suspicions.leaks(Features.fit(table, target), table, seconds=np.inf)[0]]


@pytest.mark.parametrize(
    "leak",
    [
        np.char.add("id-", KIND.astype(str)).astype(object),
        np.where(KIND == "cat", 1.0, np.where(KIND == "dog", 3.0, 2.0)) + 0.1 * NOISE[:, 2],
        np.array([np.datetime64("2024-01-01") + np.timedelta64(40 * "cde".index(k[0]), "D") for k in KIND]),
    ],
    ids=["text", "number", "date"],
)
def test_a_column_that_tells_the_class_is_named(leak):
    assert found(columns(leak=leak, y=KIND), "y") == ["leak"]


def test_a_column_that_tells_the_number_is_named():
    y = 100 + 20 * NOISE[:, 2]
    assert found(columns(euro=y / 1.1 + 0.1 * NOISE[:, 0], y=y), "y") == ["euro"]
    assert found(columns(weak=y + 10 * NOISE[:, 0], y=y), "y") == []


def test_good_columns_are_no_leaks():
    weak = np.where(RANDOM.random(ROWS) < 0.9, KIND, "cat").astype(object)  # right in most rows
    assert found(columns(weak=weak, y=KIND), "y") == []
    # A rare class is not found by a column that always says the usual one.
    rare = np.where(np.arange(ROWS) % 200 == 0, "rare", "usual").astype(object)
    assert found(columns(y=rare), "y") == []


def test_what_there_was_no_time_for_is_counted():
    table = columns(leak=KIND, y=KIND)
    features = Features.fit(table, "y")
    assert suspicions.leaks(features, table, seconds=np.inf)[1] == 3
    assert suspicions.leaks(features, table, seconds=-1.0) == ([], 0)


def test_few_rows_say_nothing_about_leaks():
    table = Table.of({"x": np.arange(12.0), "y": np.arange(12.0)})
    assert suspicions.leaks(Features.fit(table, "y"), table) == ([], 0)


def test_rows_that_stand_in_both_parts_are_counted(monkeypatch):
    monkeypatch.setattr(suspicions, "CHUNK", 64)
    table = columns(word=KIND, y=KIND)
    features = Features.fit(table, "y")
    train, test = table.take(np.arange(400)), table.take([*range(300, 420), 5, 5])
    assert suspicions.twins(features, train, test) == 102
    assert suspicions.twins(features, train, table.take(np.arange(400, 600))) == 0
    # Columns count by place: the same cells in another order are another row.
    swapped = Table.of({"a": train["b"], "b": train["a"], "word": train["word"], "y": train["y"]})
    assert suspicions.twins(features, train, swapped) == 0


def test_rare_classes():
    y = np.array(["a"] * 570 + ["b"] * 28 + ["c"] * 2, object)
    table = columns(y=y)
    assert suspicions.rare_classes(Features.fit(table, "y"), table) == pytest.approx({"c": 2 / 600, "b": 28 / 600})
    even = columns(y=KIND)
    assert suspicions.rare_classes(Features.fit(even, "y"), even) == {}
    numbers = columns(y=NOISE[:, 2])
    assert suspicions.rare_classes(Features.fit(numbers, "y"), numbers) == {}


# --- row numbers and keys --------------------------------------------------------------------------------------------


def keys(target=KIND, **more):
    """The keys found among the rows that are learned from: four of five."""
    learn = np.sort(np.random.default_rng(1).permutation(ROWS)[: 4 * ROWS // 5])
    table = columns(**more, y=target).take(learn)
    return [key.column for key in suspicions.keys(Features.fit(table, "y"), table)]


NUMBERS = np.arange(1.0, ROWS + 1)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("PassengerId", NUMBERS),
        ("n", NUMBERS - 1),
        ("anything", RANDOM.permutation(NUMBERS)),
        ("customer_id", 10_000 + RANDOM.permutation(np.arange(ROWS) * 37.0)),
        ("訂單編號", 2_000_000 + 3 * NUMBERS),
        ("Unnamed: 0", NUMBERS - 1),
    ],
)
def test_row_numbers_and_keys_are_named(name, cells):
    assert keys(**{name: cells}) == [name]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("year", 1900.0 + np.arange(ROWS)),  # one row a year
        ("sorted", np.sort(NOISE[:, 2])),
        ("price", np.sort(RANDOM.integers(1, 10**6, ROWS)).astype(float)),
        ("humid", 40 + np.arange(ROWS) * 2.0),
        ("id", (np.arange(ROWS) // 4).astype(float)),  # of groups
        ("store_no", RANDOM.integers(1, 30, ROWS).astype(float)),
        ("n", np.where(np.arange(ROWS) == 7, np.nan, NUMBERS)),
    ],
)
def test_measurements_years_and_groups_are_no_keys(name, cells):
    assert keys(**{name: cells}) == []


def test_a_day_that_says_something_is_no_key():
    trend = NUMBERS / 50 + NOISE[:, 2]
    assert keys(trend, day=NUMBERS) == []
    assert keys(NOISE[:, 2], day=NUMBERS) == ["day"]


def test_of_few_rows_nothing_is_called_a_key():
    table = Table.of({"id": np.arange(12.0), "y": np.arange(12.0) ** 2})
    assert suspicions.keys(Features.fit(table, "y"), table) == []
