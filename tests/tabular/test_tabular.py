"""Columns to matrix: what is understood, what is learned from the training rows only, what is refused and how."""

import datetime
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data import Table, Target, infer_task, read_table, split_rows
from thalweg.data.cells import objects
from thalweg.data.columns import BooleanColumn, CategoryColumn, NumberColumn
from thalweg.data.dates import DateColumn
from thalweg.data.fitted import LeftOut, Scale
from thalweg.errors import ArgumentError, DataError, ModelFileError, ShapeError
from thalweg.tabular.features import Features

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
DATA = Path(__file__).parents[3] / "shared" / "data"
LETTERS = "abcdefghij"


def fit(columns: dict[str, object], **options: object) -> Features:
    return Features.fit(Table.of(columns), **options)


def column(features: Features, name: str) -> object:
    return next(column for column in features.columns if column.name == name)


def reason(values: object) -> str:
    """Why a column with these values is left out."""
    features = fit({"x": values, "other": np.arange(len(values))})
    assert isinstance(column(features, "x"), LeftOut)
    assert features.feature_names == ["other"]
    return features.describe()[0].understood


def refused(call: object, *arguments: object, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------------- numbers


def test_numbers_by_hand():
    """50 times -1 and 50 times 3: mean 1, deviation 2, and no tail to cut; z = ∓1, clipped to z / √(1 + 1/9)."""
    features = fit({"x": [-1, 3] * 50})
    clipped = 1 / np.sqrt(1 + 1 / 9)
    assert features.matrix(Table.of({"x": [-1, 3, 1]}))[:, 0] == pytest.approx([-clipped, clipped, 0])
    assert column(features, "x") == NumberColumn("x", median=1.0, low=-1.0, high=3.0, scale=Scale(1.0, 2.0))


def test_a_missing_number_is_the_median_and_is_indicated_only_if_training_rows_miss_some():
    features = fit({"x": [1.0, 2.0, 9.0, None], "y": [1.0, 2.0, 9.0, 4.0]})
    assert features.feature_names == ["x", "x is missing", "y"]
    matrix = features.matrix(Table.of({"x": [2.0, None], "y": [3.0, None]}))
    assert matrix[:, 1].tolist() == [0, 1]
    assert matrix[0, 0] == matrix[1, 0]  # 2 is the median of 1, 2 and 9
    assert matrix[0, 2] == matrix[1, 2]  # 3 is the median of 1, 2, 4 and 9


def test_one_wild_value_does_not_flatten_the_others():
    values = np.append(np.random.default_rng(0).normal(size=999), 1e12)
    matrix = fit({"x": values}).matrix(Table.of({"x": values}))[:, 0]
    assert matrix[:-1].std() > 0.7
    assert matrix[-1] == pytest.approx(3)


@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308, 0.0],
        [5e-324, 0.0, 1e-323],
        [0.1] * 999 + [0.2],
        [1.0, np.nextafter(1.0, 2)] * 5,
        [1e308, 5e-324, -5e-324],
    ],
)
def test_extreme_numbers_stay_finite(values):
    features = fit({"x": values})
    matrix = features.matrix(Table.of({"x": [*values, 1e308, -1e308, 0.0]}))
    assert np.isfinite(matrix).all()
    assert np.abs(matrix).max() <= 3
    assert len(np.unique(matrix[: len(values)])) > 1


def test_infinity_is_named_with_its_row():
    table = Table.of({"x": [1.0, np.inf, 2.0], "y": [1, 2, 3]})
    assert refused(Features.fit, table) == "row 2 of the column 'x' holds inf; only finite numbers can be used"
    features = Features.fit(table.take([0, 2]))
    assert refused(features.matrix, table.take([2, 1])).startswith("row 2 of the column 'x' holds inf")


# ------------------------------------------------------------------------------------- text among numbers, and codes


def test_text_in_a_number_column_is_named_with_its_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "\n".join("abc,1" if row == 17 else f"{row / 4},2" for row in range(1, 41)))
    said = refused(Features.fit, read_table(path))
    assert said == (
        "row 17 of the column 'x' holds the text 'abc', where the others are numbers; "
        "correct the cell, leave it empty, or take the column as a category"
    )
    table = read_table(path)
    rows = np.delete(np.arange(40), 16)
    features = Features.fit(table.take(rows))
    assert isinstance(column(features, "x"), NumberColumn)
    assert refused(features.matrix, table.take([3, 16])) == (
        "row 17 of the column 'x' holds the text 'abc', and in training it held numbers without units or marks; "
        "write it so, or leave the cell empty"
    )


def test_one_mistake_in_a_short_column():
    assert "row 3 of the column 'x' holds the text 'abc'" in refused(fit, {"x": [1, 2, "abc", 4, 5]})
    assert isinstance(column(fit({"x": ["1", "2", "more", "2"]}), "x"), CategoryColumn)
    assert isinstance(column(fit({"x": [1, 1, "abc", 1, 1]}, categories=["x"]), "x"), CategoryColumn)


def test_text_at_prediction_where_numbers_were():
    features = fit({"x": [1, 2, 3]})
    assert "row 3 of the column 'x' holds the text 'ten'" in refused(features.matrix, Table.of({"x": [1, 2, "ten"]}))
    said = refused(features.matrix, Table.of({"x": objects([datetime.date(2020, 1, 1)])}))
    assert said == "the column 'x' held numbers in training and holds dates in a dict of columns"
    as_text, as_numbers = (features.matrix(Table.of({"x": x})) for x in (["2", None, "?"], [2, None, None]))
    assert np.array_equal(as_text, as_numbers)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([str(number) for number in range(40)], NumberColumn),
        (["0", "1", "2"] * 20, NumberColumn),
        (pd.Series(["0", "1", "2"] * 20, dtype="category"), CategoryColumn),
        (["0", "1", "2", "1"] * 20 + ["3+"] * 5, CategoryColumn),
        (["1", "2", "more"] * 20, CategoryColumn),
        ([f"{number:05d}" for number in range(30)] * 3, CategoryColumn),
        (["01234", *[str(number) for number in range(10000, 10029)]] * 3, CategoryColumn),
    ],
)
def test_text_of_digits(values, kind):
    assert isinstance(column(Features.fit(read_table(pd.DataFrame({"x": values}))), "x"), kind)


def test_a_repeated_word_among_many_numbers_is_refused_too():
    said = refused(fit, {"x": [str(n) for n in range(100)] + ["unknown"] * 5})
    assert "row 101 of the column 'x' holds the text 'unknown'" in said


def test_numbers_can_be_demanded_as_categories():
    features = fit({"zip": [98001, 98002, 98003] * 3, "x": np.arange(9)}, categories=["zip"])
    assert features.feature_names == ["zip=98001", "zip=98002", "zip=98003", "x"]
    for cells in ([98002, 1], ["98002", "no"], [98002.0, 0.5]):
        assert features.matrix(Table.of({"zip": cells, "x": [0, 0]}))[:, :3].tolist() == [[0, 1, 0], [0, 0, 0]]
    with_zeros = fit({"code": ["007", "008", "009"] * 3})
    assert with_zeros.matrix(Table.of({"code": [8]})).tolist() == [[0, 1, 0]]


# ------------------------------------------------------------------------------------------- categories and booleans


def test_categories_by_hand():
    features = fit({"town": ["Ulm", "Bonn", "Köln", "Bonn", "Ulm", None], "sex": ["m", "f", "f", "m", "m", "f"]})
    assert features.feature_names == ["town=Bonn", "town=Köln", "town=Ulm", "town is missing", "sex=m"]
    table = Table.of({"sex": ["m", "f", None, "x"], "town": ["Köln", None, "Ulm", "Rom"]})
    assert features.matrix(table).tolist() == [[0, 1, 0, 0, 1], [0, 0, 0, 1, -1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert features.unseen(table) == {"town": ["Rom"], "sex": ["x"]}
    assert features.unknown(table) == {3: ["town", "sex"]}


def test_rare_categories_share_a_column():
    words = [f"w{number:03d}" for number in range(103)]
    features = fit({"w": words * 2 + words[3:] * 2})
    assert features.feature_names[:1] + features.feature_names[-1:] == ["w=w003", "w is rare"]
    assert len(features.feature_names) == 101
    matrix = features.matrix(Table.of({"w": ["w000", "never seen", "w003", None]}))
    assert matrix[:, -1].tolist() == [1, 1, 0, 0]
    assert matrix.sum(axis=1).tolist() == [1, 1, 1, 0]
    assert features.unseen(Table.of({"w": ["never seen"]})) == {}


def test_booleans():
    features = fit({"b": [True, False, None, True], "x": [1, 2, 3, 4]})
    assert isinstance(column(features, "b"), BooleanColumn)
    for cells in ([True, None, False], ["TRUE", "?", "false"], [1, None, 0], ["yes", None, "no"], ["T", "", "F"]):
        matrix = features.matrix(Table.of({"b": cells, "x": [1, 1, 1]}))
        assert matrix[:, :2].tolist() == [[1, 0], [0, 1], [-1, 0]]
    for cells in (["maybe"], [2], [datetime.date(2024, 1, 1)]):
        said = refused(features.matrix, Table.of({"b": cells, "x": [1]}))
        assert "the column 'b' held true and false in training" in said


def test_what_is_left_out_and_why():
    assert reason([7.0] * 5) == "one value, 7, in all training rows"
    assert reason(["a"] * 5) == "one value, 'a', in all training rows"
    assert reason([True] * 5) == "one value, true, in all training rows"
    assert reason([datetime.date(2020, 1, 1)] * 5) == "one date, 2020-01-01, in all training rows"
    assert reason(np.full(5, np.nan)) == "no values in the training rows"
    assert reason([None] * 5) == "no values in the training rows"
    assert reason([f"name {row}" for row in range(5)]) == "all 5 values differ, as in an id or free text"
    assert reason([f"name {row // 3 * row}" for row in range(60)]) == (
        "58 of 60 values differ, as in an id or free text"
    )
    assert "no column to learn from (a: one value, 1," in refused(fit, {"a": [1, 1], "b": [None, None]})


@pytest.mark.parametrize("value", [5.0, "a", True, datetime.date(2020, 1, 1)])
def test_one_value_or_missing_is_told_apart_by_the_indicator(value):
    features = fit({"x": [value, None, value]})
    assert features.feature_names == ["x is missing"]
    assert features.matrix(Table.of({"x": [value, None]})).tolist() == [[0], [1]]
    assert features.describe()[0].missing == 1


def test_lists_are_refused_by_name_unless_ignored():
    columns = {"tags": [["a"], ["b", "c"]], "x": [1, 2]}
    assert refused(fit, columns).startswith("the column 'tags' holds list values, which no network of this kind")
    features = fit(columns, ignore=["tags"])
    assert features.matrix(Table.of(columns)).shape == (2, 1)
    by_text = fit({"x": ["a", "b", "a"]})
    said = refused(by_text.matrix, Table.of({"x": [["a"]]}))
    assert said == "the column 'x' held text in training and holds list in a dict of columns"
    assert "holds LIST values" in refused(Features.fit, read_table("SELECT [1] AS l, 2 AS x"))


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize("missing", [0, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 40])
@pytest.mark.parametrize("rows", [1, 2500])
def test_categories_are_looked_up_as_they_are_arranged(rows, count, missing, rest):
    """By blocks of rows, where `arranged` says it cell by cell."""
    fitted = CategoryColumn("town", tuple(f"{k:02}" for k in range(count)), rest, missing)
    codes = np.random.default_rng(count).integers(-2, count, rows)
    cells = [None if code == -2 else "another" if code == -1 else fitted.categories[code] for code in codes]
    table, out = Table.of({"town": cells}), np.full((rows, len(fitted.features) + 2), 7, np.float32)
    fitted.write(table.column("town"), table, out[:, 1:-1])
    wanted = np.full_like(out, 7)
    for place, values in enumerate(fitted.arranged(np, codes), 1):
        wanted[:, place] = values
    assert out.tobytes() == wanted.tobytes()


# ------------------------------------------------------------------------------------------------------------ dates


def test_dates_by_hand():
    days = pd.date_range("2023-01-01", "2024-12-31", freq="D").to_list()
    features = fit({"d": [*days, None]})
    weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    assert features.feature_names == [
        "d day", "d season sin", "d season cos", *[f"d is a {day}" for day in weekdays], "d is missing"
    ]  # fmt: skip
    matrix = features.matrix(Table.of({"d": ["2024-01-01", "2024-07-01 00:00", None]}))  # ISO text is a date too
    assert matrix[0] == pytest.approx([matrix[0, 0], 0, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    assert matrix[1] == pytest.approx([matrix[1, 0], 0, -1, 1, 0, 0, 0, 0, 0, 0, 0], abs=0.02)
    assert matrix[2].tolist() == [0] * 10 + [1]
    assert matrix[0, 0] == pytest.approx(0, abs=0.01)  # the middle of two years


def test_only_parts_of_a_date_that_vary():
    hours = fit({"t": [datetime.datetime(2024, 5, 6, hour) for hour in range(24)]})
    assert hours.feature_names == ["t day", "t time sin", "t time cos"]
    assert hours.matrix(Table.of({"t": [datetime.datetime(2024, 5, 6, 6)]}))[0, 1:] == pytest.approx([1, 0], abs=1e-6)
    mondays = fit({"t": [datetime.date(2024, 1, 1) + datetime.timedelta(weeks=week) for week in range(9)]})
    assert mondays.feature_names == ["t day", "t season sin", "t season cos"]
    assert "2024-01-01 to 2024-02-26: day, season" in mondays.describe()[0].understood


def test_dates_in_text():
    features = fit({"d": ["2024-01-31", None, "2024-02-29T10:30", "2024-03-01 10:30:15.5Z"]})
    assert isinstance(column(features, "d"), DateColumn)
    said = refused(features.matrix, Table.of({"d": ["2024-01-31", "May"]}))
    assert said.startswith("row 2 of the column 'd' holds the text 'May'")
    assert "row 1 of the column 'd' holds the text '05/06/2024'" in refused(
        features.matrix, Table.of({"d": ["05/06/2024"]})
    )
    assert "row 1" in refused(features.matrix, Table.of({"d": ["2024-02-31"]}))
    assert "held dates in training and holds numbers" in refused(features.matrix, Table.of({"d": [5]}))
    assert isinstance(column(fit({"d": ["2024-02-30", "2024-02-29"]}), "d"), CategoryColumn)


# -------------------------------------------------------------------------------------- the table at prediction time


def test_columns_are_found_by_name():
    table = read_table(PENGUINS)
    features = Features.fit(table, "target")
    rows = {name: table[name] for name in reversed(table.names) if name != "target"}
    other = Table.of({"new": np.arange(table.rows), **rows})
    assert np.array_equal(features.matrix(other), features.matrix(table))
    without = Table.of({name: values for name, values in rows.items() if name not in ("sex", "island")})
    assert "lacks 'island', 'sex', which the model was trained with" in refused(features.matrix, without)
    renamed = Table.of({**rows, "Island ": rows["island"]})
    renamed = Table.of({name: renamed[name] for name in renamed.names if name != "island"})
    assert "lacks 'island', which the model was trained with (did you mean Island ?)" in refused(
        features.matrix, renamed
    )


@pytest.mark.parametrize(
    "values", [[1.5, 2.5, None], ["a", "b", "a"], [True, False, None], ["2024-01-01"] * 2 + [None]]
)
def test_a_column_without_values_is_missing_everywhere(values):
    features = fit({"x": values, "y": [1, 2, 3]})
    for cells in ([None], np.array([np.nan])):
        matrix = features.matrix(Table.of({"x": cells, "y": [1]}))
        assert np.isfinite(matrix).all()
        if "x is missing" in features.feature_names:
            assert matrix[0, features.feature_names.index("x is missing")] == 1


def test_one_row_is_enough_at_prediction():
    table = read_table(PENGUINS)
    features = Features.fit(table, "target")
    whole = features.matrix(table)
    assert whole.flags.c_contiguous
    assert whole.dtype == np.float32
    assert np.array_equal(np.vstack([features.matrix(table.take([row])) for row in range(9)]), whole[:9])
    assert features.matrix(table.take([])).shape == (0, 13)


def test_arguments_of_fit():
    table = read_table(PENGUINS)
    assert "has no column 'speces'" in refused(Features.fit, table, "speces")
    assert "has no column 'sexx' (did you mean sex?)" in refused(Features.fit, table, "target", ignore=["sexx"])
    with pytest.raises(ArgumentError, match="the target 'target' can't be among"):
        Features.fit(table, "target", ignore=["target"])
    with pytest.raises(ArgumentError, match="task='binary' goes with the name"):
        Features.fit(table, Target.of(table, "target"), task="binary")
    with pytest.raises(ArgumentError, match="task='classes' is unknown; it is one of binary, multiclass, regression"):
        Features.fit(table, "target", task="classes")
    without = Features.fit(table)
    assert "target=Adelie" in without.feature_names
    for call in (without.targets, without.decode, without.probabilities):
        with pytest.raises(ArgumentError, match="without a target"):
            call(table)


def test_describe():
    table = read_table(PENGUINS)
    rows = {row.name: row for row in Features.fit(table, "target").describe()}
    assert list(rows) == table.names[:-1]
    assert rows["island"][1:] == ("category", "3 categories: Biscoe, Dream, Torgersen", 3, 0)
    assert rows["bill_length_mm"][1:] == ("number", "32.1 to 59.6, median 44.45", 2, 2)


# ------------------------------------------------------------------------------------------------------- the target


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 5, "binary"),
        ([True, False], "binary"),
        ([0, 1, 1], "binary"),
        ([2.5, 7.5], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([0, 1, 2] * 5, "multiclass"),
        ([1.0, 2.0, 3.0, None] * 5, "multiclass"),
        ([-1, 0, 1] * 5, "multiclass"),
        ([0, 1, 2] * 4, "regression"),  # fewer than 5 rows a class
        ([3, 4, 5] * 50, "regression"),  # grades
        ([0, 1, 3] * 50, "regression"),  # a gap
        (list(range(21)) * 50, "regression"),  # more than 20
        ([0.5, 1.0, 1.5] * 50, "regression"),
        ([str(number) for number in range(50)], "regression"),
        (["1", "2", "3"] * 5, "multiclass"),
    ],
)
def test_the_task_follows_from_the_target(values, task):
    assert infer_task(Table.of({"y": values}), "y") == task


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here")
@pytest.mark.parametrize(
    ("name", "task"),
    [("adult", "binary"), ("letter", "multiclass"), ("wine_quality", "regression"), ("abalone", "regression"),
     ("bike_hour", "regression"), ("diamonds", "regression"), ("titanic", "binary"), ("spambase", "binary")],
)  # fmt: skip
def test_the_task_of_real_targets(name, task):
    assert infer_task(read_table(DATA / f"{name}.parquet"), "target") == task


def test_the_task_can_be_overridden():
    table = Table.of({"y": [3, 4, 5] * 5, "word": ["1", "2", "x"] * 5})
    several = Target.of(table, "y", "multiclass")
    assert (several.classes, several.outputs, several.why) == ((3, 4, 5), 3, "as asked for")
    assert 'task="multiclass" takes them as classes' in Target.of(table, "y").why
    assert Target.of(Table.of({"y": [0, 1, 0]}), "y", "regression").outputs == 1
    assert Target.of(Table.of({"y": ["1", "2.5", "9"]}), "y", "regression").mean == pytest.approx(12.5 / 3)
    assert "holds 3 different values; a binary task has two" in refused(Target.of, table, "y", "binary")
    assert "row 3 of the column 'word' holds the text 'x'" in refused(Target.of, table, "word", "regression")
    many = Table.of({"y": np.arange(50) / 7})
    assert "50 different values in 50 rows: too many to be classes" in refused(Target.of, many, "y", "multiclass")
    digits = Table.of({"y": [str(row // 2) for row in range(60)]})
    target = Target.of(digits, "y", "multiclass")
    assert target.encode(digits.take([2, 3])).tolist() == [target.classes.index(1)] * 2


def test_useless_targets():
    assert "holds one value only, 'a'" in refused(Target.of, Table.of({"y": ["a", "a", None]}), "y")
    assert "holds no values" in refused(Target.of, Table.of({"y": [None, None]}), "y")
    assert "holds dates, which can't be a target" in refused(Target.of, Table.of({"y": [datetime.date.today()]}), "y")
    assert "holds list values" in refused(Target.of, Table.of({"y": [[1], [2]]}), "y")
    assert "row 2 of the column 'y' holds inf" in refused(Target.of, Table.of({"y": [1.5, np.inf]}), "y")
    names = [f"name {row}" for row in range(50)]
    assert "too many to be classes" in refused(Target.of, Table.of({"y": names}), "y")
    typed = [str(row) for row in range(50)] + ["oops"]
    assert "row 51 of the column 'y' holds the text 'oops'" in refused(Target.of, Table.of({"y": typed}), "y")


def test_labels_keep_their_type():
    for labels, kind in [(["no", "yes"], str), ([3, 7], int), ([0.5, 1.5], float), ([False, True], bool)]:
        table = Table.of({"y": labels * 3, "x": np.arange(6)})
        features = Features.fit(table, "y")
        assert [type(label) for label in features.target.classes] == [kind, kind]
        assert features.targets(table).tolist() == [[0], [1]] * 3
        assert features.targets(table).dtype == np.float32
        decoded = features.decode(np.array([[0.5], [0.49]], np.float32))
        assert decoded.tolist() == labels[::-1]
        assert type(decoded.tolist()[0]) is kind
        by_label = features.probabilities(np.array([[0.25], [1.0]]))
        assert {label: column.tolist() for label, column in by_label.items()} == {
            labels[0]: [0.75, 0], labels[1]: [0.25, 1]
        }  # fmt: skip


def test_several_classes():
    table = read_table(PENGUINS)
    features = Features.fit(table, "target")
    codes = features.targets(table)
    assert (codes.dtype, codes.shape) == (np.int64, (344,))
    one_hot = np.eye(3, dtype=np.float32)[codes]
    assert features.decode(one_hot).tolist() == table["target"].tolist()
    assert features.probabilities(one_hot)["Gentoo"].sum() == 124
    with pytest.raises(ShapeError, match=r"y_pred has shape \(5, 2\); for 'target' it has to be \(rows, 3\)"):
        features.decode(np.zeros((5, 2)))


def test_a_number_is_standardised_and_back():
    table = Table.of({"y": [10.0, 20.0, 30.0, 40.0], "x": [1, 2, 3, 4]})
    features = Features.fit(table.take([0, 2]), Target.of(table, "y"))
    assert (features.target.mean, features.target.scale) == (20, 10)  # of the training rows, 10 and 30
    y = features.targets(table)
    assert (y.dtype, y.tolist()) == (np.float32, [[-1], [0], [1], [2]])
    assert features.decode(y).tolist() == [10, 20, 30, 40]
    assert features.decode(y[:, 0]).dtype == np.float64
    with pytest.raises(ArgumentError, match="no class probabilities"):
        features.probabilities(y)


def test_rows_without_a_target_take_no_part():
    table = Table.of({"y": ["a", None, "b", "?"], "x": [1.0, 99.0, 3.0, 99.0]})
    target = Target.of(table, "y")
    assert target.missing == 2
    features = Features.fit(table, target)
    assert (features.rows, column(features, "x").high) == (2, 3)
    assert refused(features.targets, table) == "row 2 has no value in the target column 'y'"
    train, test = split_rows(np.array(["a", None] * 4), "binary", 0.5, seed=0)
    assert np.union1d(train, test).tolist() == [0, 2, 4, 6]


def test_a_class_of_the_held_out_rows_only():
    table = Table.of({"y": ["a", "b", "c", "a", "b", "a"], "x": np.arange(6)})
    train, test = table.take([0, 1, 3, 4]), table.take([2, 5])
    features = Features.fit(train, Target.of(table, "y"))
    assert features.targets(test).tolist() == [2, 0]
    by_name = Features.fit(train, "y")
    assert refused(by_name.targets, test) == "row 3 has c in the target column 'y', which is none of its classes (a, b)"


# ------------------------------------------------------------------------------------------------------ split of rows


def test_split_is_stratified_and_repeatable():
    y = np.array(["a"] * 800 + ["b"] * 200)
    train, test = split_rows(y, "binary", 0.25, seed=3)
    assert (len(train), len(test), (y[test] == "b").sum()) == (750, 250, 50)
    again = split_rows(y, "binary", 0.25, seed=3)
    assert np.array_equal(train, again[0])
    assert np.array_equal(test, again[1])
    assert not np.array_equal(test, split_rows(y, "binary", 0.25, seed=4)[1])


def test_split_refuses():
    assert "3 rows with a target can't be split with test_share=0.9" in refused(split_rows, [1, 2, 3], "binary", 0.9, 0)
    assert "1 rows" in refused(split_rows, np.array([1.5, np.nan]), "regression", 0.5, 0)
    assert "each class needs one row to train on" in refused(split_rows, ["a", "b", "c"], "multiclass", 0.4, 0)
    with pytest.raises(ArgumentError, match=r"test_share=1\.5 must lie between"):
        split_rows([1, 2], "binary", 1.5, 0)
    with pytest.raises(ArgumentError, match="seed=-1 must"):
        split_rows([1, 2], "binary", 0.5, -1)
    with pytest.raises(ArgumentError, match="task='x' is unknown"):
        split_rows([1, 2], "x", 0.5, 0)
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        split_rows(np.zeros((2, 2)), "binary", 0.5, 0)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.none() | st.sampled_from(LETTERS), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["multiclass", "regression"]),
)
def test_a_split_is_a_partition_and_trains_on_every_class(labels, share, seed, task):
    y = objects(labels)
    if task == "regression":
        y = np.array([np.nan if label is None else float(LETTERS.index(label)) for label in labels])
    present = {row for row, label in enumerate(labels) if label is not None}
    try:
        train, test = split_rows(y, task, share, seed)
    except DataError:
        assert len(present) < 2 or np.ceil(share * len(present)) >= len(present) or len(set(y[sorted(present)])) > 1
        return
    assert len(train)
    assert len(test)
    assert np.array_equal(train, np.sort(train))
    assert np.array_equal(test, np.sort(test))
    assert set(train.tolist()) | set(test.tolist()) == present
    assert not set(train.tolist()) & set(test.tolist())
    if task == "multiclass":
        assert set(y[train]) == {labels[row] for row in present}


# -------------------------------------------------------------------------------------------------- stored and read


def test_features_are_stored_as_json_and_read_back():
    table = Table.of(
        {
            "x": [0.1, None, 1 / 3, 5e-324, 1e300],
            "s": ["a", None, "b", "c", "a"],
            "b": [True, False, None, True, True],
            "d": [*pd.date_range("2024-01-01", periods=4, freq="7h").to_list(), None],
            "id": list("vwxyz"),
            "y": [1.1, 2.2, 3.3, 4.4, 5.5],
        }
    )
    features = Features.fit(table, "y")
    stored = json.loads(json.dumps(features.to_json(), allow_nan=False))
    assert Features.from_json(stored) == features
    assert np.array_equal(Features.from_json(stored).matrix(table), features.matrix(table))
    assert Features.from_json(Features.fit(table).to_json()).target is None


def damage(stored: dict, *path: object, value: object) -> dict:
    stored = json.loads(json.dumps(stored))
    place = stored
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return stored


def test_damaged_features_are_refused():
    sound = Features.fit(read_table(PENGUINS), "target").to_json()
    for path, value in [
        (["columns"], None),
        (["columns", 0], 5),
        (["columns", 0, "kind"], "colour"),
        (["columns", 0, "categories"], "Biscoe"),
        (["columns", 0, "extra"], 1),
        (["columns", 1, "median"], "3"),
        (["columns", 1, "median"], float("nan")),
        (["columns", 1, "missing"], -1),
        (["columns", 1, "scale"], {"center": 1.0}),
        (["columns", 1, "scale", "scale"], -1.0),
        (["rows"], True),
        (["target"], 5),
        (["target", "task"], "guess"),
        (["target", "classes"], ["one"]),
        (["target", "scale"], 0.0),
        (["target", "mean"], None),
        (["target", "name"], None),
    ]:
        with pytest.raises(ModelFileError, match=r"^the model's (table columns are|target is) damaged"):
            Features.from_json(damage(sound, *path, value=value))
    with pytest.raises(ModelFileError):
        Features.from_json([])


# ------------------------------------------------------------------------------------------------------- properties

numbers = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=8, max_size=8)
words = st.lists(st.none() | st.text("abc", min_size=1, max_size=2), min_size=8, max_size=8)
truths = st.lists(st.none() | st.booleans(), min_size=8, max_size=8)
moments = st.lists(st.none() | st.datetimes(datetime.datetime(1900, 1, 1)), min_size=8, max_size=8)
tables = st.fixed_dictionaries({"x": numbers, "s": words, "b": truths, "d": moments})


@settings(max_examples=examples(150), deadline=None)
@given(tables, tables)
def test_no_matrix_holds_a_nan_and_json_is_exact(seen, new):
    table = Table.of({**seen, "always": np.arange(8)})
    features = Features.fit(table)
    for rows in (table, Table.of({**new, "always": np.arange(8)})):
        matrix = features.matrix(rows)
        assert matrix.shape == (8, len(features.feature_names))
        assert np.isfinite(matrix).all()
        assert np.abs(matrix).max() <= 3
        restored = Features.from_json(json.loads(json.dumps(features.to_json(), allow_nan=False)))
        assert restored == features
        assert np.array_equal(restored.matrix(rows), matrix)


@settings(max_examples=examples(50), deadline=None)
@given(tables, tables)
def test_only_training_rows_are_learned_from(seen, new):
    """Whatever stands in the other rows, the fit is that of the training rows, and rows are transformed one by one."""
    always = {"always": np.arange(16), "y": np.arange(16) / 7}
    table = Table.of({**{name: seen[name] + new[name] for name in seen}, **always})
    other = Table.of({**{name: seen[name] + new[name][::-1] for name in seen}, **always})
    train = np.arange(8)
    features = Features.fit(table.take(train), Target.of(table, "y"))
    assert features == Features.fit(other.take(train), Target.of(other, "y"))
    matrix = features.matrix(table)
    assert np.array_equal(features.matrix(table.take([11, 3])), matrix[[11, 3]])


@given(st.lists(st.sampled_from(LETTERS), min_size=10, max_size=40), st.text(min_size=1, max_size=5))
def test_an_unseen_category_is_zero_everywhere(seen, new):
    features = fit({"s": [*seen, "k", "k", "l"], "always": np.arange(len(seen) + 3)})
    row = features.matrix(Table.of({"s": [new + "?!"], "always": [0]}))[0, :-1]
    assert row.tolist() == [0] * len(row)


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=30).filter(lambda y: min(y) < max(y)))
def test_a_regression_target_comes_back(y):
    table = Table.of({"y": np.array(y), "x": np.arange(len(y))})
    features = Features.fit(table, "y", task="regression")
    error = np.abs(features.decode(features.targets(table)) - y)
    assert error.max() <= 1e-6 * max(np.abs(y).max(), features.target.scale)


def test_no_cell_of_fifty_thousand_rows_is_a_call_of_python():
    random = np.random.default_rng(0)
    columns: dict[str, object] = {f"x{i}": random.lognormal(size=50_000) for i in range(8)}
    columns |= {f"s{i}": random.integers(0, 20 * i + 2, 50_000).astype(str).astype(object) for i in range(7)}
    columns["s6"] = np.array([f"code-{code}" for code in random.integers(0, 300, 50_000)], dtype=object)
    columns["d"] = np.datetime64("2020-01-01", "s") + random.integers(0, 10**8, 50_000).astype("m8[s]")
    table = Table.of(columns)
    calls = []
    sys.setprofile(lambda frame, event, argument: event == "call" and calls.append(frame.f_code.co_name))
    try:
        features = Features.fit(table)
        matrix = features.matrix(table)
    finally:
        sys.setprofile(None)
    assert len(calls) < 50_000, Counter(calls).most_common(5)
    assert matrix.shape == (50_000, len(features.feature_names))
