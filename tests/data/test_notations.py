"""Numbers and dates as people write them: what is read, by which rule, and what a fitted column makes of later rows."""

import datetime
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data import Table, Target, read_table
from thalweg.data.cells import text_column
from thalweg.data.columns import CategoryColumn, NumberColumn
from thalweg.data.dates import DateColumn
from thalweg.data.fitted import LeftOut
from thalweg.data.notations.calendars import dates_of_digits, read_dates
from thalweg.data.notations.quantities import Style, read_numbers
from thalweg.data.reading import date_in, number_in, read
from thalweg.errors import DataError, ThalwegWarning
from thalweg.tabular.features import Features


def fit(cells, name="x"):
    features = Features.fit(Table.of({name: cells, "other": np.arange(len(cells))}))
    return Features.from_json(json.loads(json.dumps(features.to_json())))


def values(features, cells, name="x"):
    """What a fitted number or date column reads: its scaled value undone."""
    scale = features.columns[0].scale
    z = features.matrix(Table.of({name: cells, "other": [0] * len(cells)}))[:, 0].astype(float)
    return z / np.sqrt(1 - (z / 3) ** 2) * scale.scale + scale.center


def said(features, cells, name="x"):
    with pytest.raises(DataError) as caught:
        features.matrix(Table.of({name: cells, "other": [0] * len(cells)}))
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("cells", "numbers", "notation", "unit"),
    [
        (["101,234", "7"], [101234, 7], "1,234.5", ""),
        (["1,234.5", "-0.25", "1234"], [1234.5, -0.25, 1234], "1,234.5", ""),
        (["1.234.567", "5"], [1234567, 5], "1.234,5", ""),
        (["1.234,50", "3"], [1234.5, 3], "1.234,5", ""),
        (["0,5", "1,250"], [0.5, 1.25], "1234,5", ""),
        (["1 234,5", "-7"], [1234.5, -7], "1 234,5", ""),
        (["1\u202f234.5", "1\u00a0000"], [1234.5, 1000], "1 234.5", ""),
        (["12 345", "999"], [12345, 999], "1 234.5", ""),
        (["12'345.60", "1’000"], [12345.6, 1000], "1'234.5", ""),
        (["NT$1,234", "NT$ 5", "-NT$7", "0"], [1234, 5, -7, 0], "1,234.5", "NT$"),
        (["$-5.25", "($1,000.00)"], [-5.25, -1000], "1,234.5", "$"),
        (["€ 1.234,50", "€ 2,00"], [1234.5, 2], "1.234,5", "€"),
        (["USD 5", "USD 7.5"], [5, 7.5], "", "USD"),
        (["1,200元", "30元"], [1200, 30], "1,234.5", "元"),
        (["45%", "12.34 %", "-7％"], [0.45, 0.1234, -0.07], "", "%"),
        (["5‰"], [0.005], "", "‰"),
        (["1.2k", "3K", "2M", "500"], [1200, 3000, 2e6, 500], "1.2k", ""),
        (["3萬", "1.2億"], [3e4, 1.2e8], "1.2k", ""),
        (["$1.1M", "$20k"], [1.1e6, 2e4], "1.2k", "$"),
        (["(1,234)", "5"], [-1234, 5], "1,234.5", ""),
        (["72 kg", "80.5 KG", "5kg."], [72, 80.5, 5], "", "KG"),
        (["1 year", "2 years"], [1, 2], "", "year"),
        (["72公斤", "5 公斤"], [72, 5], "", "公斤"),
        (["-5 °C", "−3°C"], [-5, -3], "", "°C"),
        (["30 km/h", "50km/h"], [30, 50], "", "km/h"),
        (["１２３", "４．５"], [123, 4.5], "", ""),
        (["300 K", "4 K"], [300, 4], "", "K"),
    ],
)
def test_numbers_as_people_write_them(cells, numbers, notation, unit):
    found = read(cells)
    assert (list(found.meaning.values()), found.notation, found.unit) == (numbers, notation, unit)
    column = text_column([*cells, "-", "NA"])
    assert column.values.tolist()[:-2] == numbers
    assert np.isnan(column.values[-2:]).all()


def test_integers_are_written_without_decimals():
    kinds = {cells: text_column([cells, "7"]).kind for cells in ("1,234", "1,234.0", "1.234.567", "1,5", "-1,234")}
    assert list(kinds.values()) == ["integer", "number", "integer", "number", "integer"]
    assert [text_column([cell]).kind for cell in ("5 kg", "5%", "1.2k", "3萬", "(5)")] == [
        "integer", "number", "number", "integer", "text"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [
        ["12A", "14A"], ["3+", "2"], ["5th", "6th"], ["1st", "2nd"], ["007 kg", "8 kg"], ["72 kg", "5 lb"],
        ["$5", "€5"], ["5 M", "7"], ["26 m", "5M"], ["5 m", "5 M"], ["NT$5", "US$5"], ["元/月5"], ["5元/月", "5元/年"],
        ["45%", "30"], ["1.1", "1.10", "1.2"], ["192.168.100.200", "255.255.255.100"], ["1074-03", "1080-11"],
        ["+886912345678", "+886223456789"], ["(1)", "(2)"], ["1,5", "1.5"], ["1.234", "5,678"], ["1,23,456"],
        ["1-2", "3-4"], ["1/2", "3/4"], ["12 34"], ["1'23"], ["1.2.3"], ["$"], ["kg"], ["-"], ["$-"], ["1 kg 5"],
        ["1,200k", "3k"], ["45%", "0.45"], ["--5"], ["-(5)", "1"], ["+-5"], ["№5"], ["5 €5"], ["٣ kg"],
        ["1e5e", "2"], ["1,"], [",", "1"], ["2020年5"],
    ],
)  # fmt: skip
def test_what_is_no_number(cells):
    assert read(cells) is None or read(cells).kind == "date"
    assert text_column(cells).kind in ("text", "date")


def test_gaps_are_missing_among_numbers_and_dates_only():
    for gap in ("-", "–", "—", "－", "無", "缺", "n.a.", "N/A", ".", "#N/A", "missing"):
        for present in (["5", "7"], ["1,234", "7"], ["31/12/2020", "1/1/2021"], ["72 kg", "7 kg"]):
            column = text_column([present[0], gap, present[1]])
            assert column.kind in ("integer", "date"), (gap, present)
            assert column.missing().tolist() == [False, True, False]
    assert text_column(["yes", "-", "no"]).values.tolist() == ["yes", "-", "no"]
    assert text_column(["true", "-"]).values.tolist() == ["true", "-"]
    assert text_column(["-", "—"]).values.tolist() == ["-", "—"]


def test_a_column_reads_numbers_as_it_learned_them():
    commas = fit(["0,5", "1,25", "3"])
    assert commas.columns[0].notation == "1234,5"
    assert values(commas, ["1,250", "2,500"]) == pytest.approx([1.25, 2.5], rel=1e-5)
    assert values(commas, [1.25, 2.0]) == pytest.approx([1.25, 2.0], rel=1e-5)
    thousands = fit(["1,250", "2,500", "10,000.5"])
    assert values(thousands, ["1,250"]) == pytest.approx([1250], rel=1e-5)
    assert values(thousands, ["1,250", "-", "2"])[1] == pytest.approx(thousands.columns[0].median, rel=1e-5)
    europe = fit(["1.250", "2.500,5", "3"])
    assert values(europe, ["1.250"]) == pytest.approx([1250], rel=1e-5)
    assert values(europe, ["2.500", "3"]) == pytest.approx([2500, 3], rel=1e-5)
    assert values(europe, [2.5]) == pytest.approx([2.5], rel=1e-4)


def test_few_points_in_a_file_are_read_as_learned(tmp_path):
    europe = fit(["1.250", "2.500,5", "3"])
    path = tmp_path / "t.csv"
    path.write_text("x,other\n1.250,0\n2.500,0\n")
    expected = europe.matrix(Table.of({"x": [1250, 2500], "other": [0, 0]}))
    assert np.array_equal(europe.matrix(read_table(path)), expected)
    assert read_table(path)["x"].tolist() == [1.25, 2.5]


def test_a_unit_is_part_of_a_number():
    weights = fit(["72 kg", "80 kg", "65.5 kg"])
    assert weights.describe()[0].understood == "65.5 to 80, median 72; written as 1234.5 with kg"
    assert values(weights, ["72 kg", "70", "71KG"]) == pytest.approx([72, 70, 71], rel=1e-5)
    assert values(weights, ["72"]) == pytest.approx([72], rel=1e-5)
    assert "row 2 of the column 'x' holds the text '150 lb'" in said(weights, ["72 kg", "150 lb"])
    assert "row 1 of the column 'x' holds the text '150 lb'" in said(weights, ["150 lb"])
    money = fit(["NT$1,234", "NT$56", "NT$9,999"])
    assert money.describe()[0].understood == "56 to 9999, median 1234; written as 1,234.5 with NT$"


def test_columns_of_numbers_of_runs_made_before_are_read():
    stored = fit([1.0, 2.0, 4.0]).to_json()
    for column in stored["columns"]:
        del column["notation"], column["unit"], column["odd"], column["forgiving"]
    before = Features.from_json(stored)
    assert values(before, ["3", "2"]) == pytest.approx([3, 2], rel=1e-5)
    assert values(before, ["0:00:03"]) == pytest.approx([3], rel=1e-5)  # times had no notation of their own
    dates = fit(["2020-01-01", "2021-05-05"]).to_json()
    del dates["columns"][0]["notation"]
    assert isinstance(Features.from_json(dates).columns[0], DateColumn)


def test_plain_numbers_of_a_large_file_are_read_by_the_rules_of_training(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,other\n" + "".join(f"{n / 8},0\n" for n in range(2000)))
    assert read_table(path).column("x").text is None  # DuckDB converted them

    stored = fit([1.0, 2.0, 4.0]).to_json()
    for column in stored["columns"]:
        del column["notation"], column["unit"], column["odd"], column["forgiving"]
    before, now = Features.from_json(stored), fit([1.0, 2.0, 4.0])
    assert np.array_equal(before.matrix(path), now.matrix(path))

    shares = fit([f"{n}%" for n in range(100)] + ["call us"])
    path.write_text("x,other\n" + "".join(f"{n + 1},0\n" for n in range(2000)))
    with pytest.warns(ThalwegWarning, match="2,000 cells of the column 'x' aren't numbers written as 1234.5 with %"):
        assert (shares.matrix(path)[:, 1] == 1).all()


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "-2", ".5", "1e3", "-", "n/a", None], ["1", "inf", "-INF"], ["+7", "-0", "3"], ["１２", "− 5", "7"],
        ["1,234", "5", "—"], ["1,5", "2", "1e3"], ["1.234,5", "1"], ["1'234", "0"], ["1 234,5", "7"],
        ["(5)", "7", "約3"],
        ["5 kg", "7", "72 KG."], ["45%", "12.5%", "0"], ["1.2k", "300", "5M"], ["1.2萬元", "300元"],
        ["NT$1,234", "5元", "0"], ["10:30", "9:05:15.5", None],
        ["2024-05-31", "31 May 2024", "-"], ["31/5/2024", "1/2/2024"], ["1/2/2024", None], ["113/5/31", "99/1/2"],
        ["20240531T1030", "2024-05", "2024Q2"],
    ],
)  # fmt: skip
def test_cells_read_together_are_what_each_is_by_itself(cells):
    """A column that was read by the very style that is asked for isn't read again: that has to be the same."""
    column = text_column(cells)
    assert column.kind in ("integer", "number", "date")
    for text, value in zip(cells, column.values, strict=True):
        if text is not None:
            alone = date_in(text, column.notation) if column.kind == "date" else number_in(text, column.style)
            assert str(alone) == str(value)  # -0.0 and NaN, too


def test_dates_that_are_digits_alone_are_read_by_what_digits_say():
    dates = fit(["20240531T1030", "2024-05-31", "2024-06-01"])
    assert "row 1 of the column 'x' holds the text '15001231'" in said(dates, ["15001231", "2024-05-31"])


def test_a_category_that_was_a_gap_or_a_number_with_a_unit_is_found_as_before():
    known = CategoryColumn("x", ("-", "1,234", "5 kg"))
    assert known.codes(text_column(["1,234", "-", "7"])).tolist() == [1, 0, -1]
    assert known.codes(text_column(["5 kg", "7 kg"])).tolist() == [2, -1]
    assert CategoryColumn("x", ("1,234", "7")).codes(text_column(["1,234", "-", "7"])).tolist() == [0, -2, 1]


def test_few_cells_with_units_are_classes_and_many_are_numbers():
    doors = Table.of({"y": ["3 doors", "4 doors", "5 doors", "-"] * 5})
    target = Target.of(doors, "y")
    assert (target.task, target.classes, target.missing) == ("multiclass", ("3 doors", "4 doors", "5 doors"), 5)
    assert target.encode(doors.take([2, 0])).tolist() == [2, 0]
    assert Target.of(doors, "y", "regression").task == "regression"
    money = Table.of({"y": [f"NT${n * 100:,}" for n in range(1, 40)]})
    assert Target.of(money, "y").task == "regression"
    assert Target.of(money, "y").mean == pytest.approx(2000)


# ------------------------------------------------------------------------------------------------------------ dates

NEW_YEARS_EVE = np.datetime64("2020-12-31", "us")


@pytest.mark.parametrize(
    "text",
    [
        "2020-12-31", "2020/12/31", "2020.12.31", "31/12/2020", "31.12.2020", "31-12-2020", "12/31/2020", "12-31-2020",
        "2020年12月31日", "2020 年 12 月 31 號", "民國109年12月31日", "中華民國 109 年 12 月 31 日", "109年12月31日",
        "109/12/31",
        "民國109/12/31", "109.12.31", "31 Dec 2020", "31-Dec-2020", "31-Dec-20", "31 December, 2020", "31st Dec 2020",
        "Dec 31, 2020", "DECEMBER 31 2020", "Dec. 31, 2020", "Thu, 31 Dec 2020", "Thursday, December 31, 2020",
        "2020-Dec-31", "2020/12/31 (四)", "2020年12月31日 星期四", "２０２０／１２／３１", "2020-W53-4",
        "20201231T0000",
        "2020-12-31T00:00:00Z", "2020-12-31 00:00:00.000000000", "2020-12-31T08:00+08:00", "2020-12-31T08:00:00 +0800",
        "20201231T080000+0800", "31/12/2020 12:00 AM", "2020/12/31 上午 12:00:00", "2020-12-31 00:00 UTC",
        "Thu, 31 Dec 2020 00:00:00 GMT", "2020年12月31日 0時00分",
    ],
)  # fmt: skip
def test_dates_as_people_write_them(text):
    found = read([text])
    assert found.kind == "date"
    assert found.meaning[text] == NEW_YEARS_EVE


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-12", "2020-12-01"), ("12/2020", "2020-12-01"), ("2020年12月", "2020-12-01"), ("Dec 2020", "2020-12-01"),
        ("2020Q4", "2020-10-01"), ("2020-W01", "2019-12-30"), ("民國元年1月2日", "1912-01-02"),
        ("Dec 31, 2020 3:04 PM", "2020-12-31T15:04"), ("2020/12/31 下午 03:04:05", "2020-12-31T15:04:05"),
        ("2020年12月31日15時4分", None), ("2020年12月31日15時04分05秒", "2020-12-31T15:04:05"),
        ("31/12/2020 12:30 pm", "2020-12-31T12:30"), ("2020-12-31T10:30:15,5-05:30", "2020-12-31T16:00:15.5"),
        ("31-Dec-69", "1969-12-31"), ("31-Dec-68", "2068-12-31"),
        ("31-Nov-2020", None), ("2020-02-30", None), ("13:00 PM", None), ("31/12/20", None), ("32/1/2020", None),
        ("2020-12-3110:30", None), ("1-2", None), ("May", None), ("May 5", None), ("2021-13", None), ("99/12/31", None),
        ("2020/12-31", None), ("31.Dez.2020", None), ("2020-12-31 13:00 PM", None), ("2020-W54", None), ("1.2.3", None),
        ("250/1/1", None), ("2020-12-31 25:00", None), ("12/31/2020x", None),
    ],
)  # fmt: skip
def test_moments_months_and_lookalikes(text, moment):
    found = read_dates([text])
    assert (found and found.meaning[text]) == (moment and np.datetime64(moment, "us"))


def test_one_rule_for_the_day_holds_for_the_column():
    first = ["1/2/2020", "3/4/2020"]
    assert read_dates([*first, "13/1/2020"]).notation == "day first"
    assert read_dates([*first, "1/13/2020"]).notation == "month first"
    assert read_dates([*first, "13/1/2020", "1/13/2020"]) is None
    assert read_dates(first).notation == "day or month first"
    assert read_dates(["5/5/2020"]).notation == "day or month first"
    assert read_dates(["3.4.2020", "1/2/2020"]).notation == "day first"  # points are never after the month
    assert read_dates([*first, "1/13/2020"]).meaning["1/2/2020"] == np.datetime64("2020-01-02", "us")
    assert read_dates([*first, "2020-05-06"]).meaning["1/2/2020"] == np.datetime64("2020-02-01", "us")
    assert read_dates(["99/12/31", "100/1/1"]).meaning["99/12/31"] == np.datetime64("2010-12-31", "us")


DAYS = ["1/2/2020", "13/5/2020", "25/6/2020"]
MONTHS = ["1/2/2020", "5/13/2020", "6/25/2020"]
OPEN = ["1/2/2020", "3/4/2020", "5/6/2020"]


def test_a_column_reads_dates_by_the_rule_it_learned():
    day, month, either = fit(DAYS), fit(MONTHS), fit(OPEN)
    typed = fit([datetime.date(2020, 2, 1), datetime.date(2020, 5, 13)])
    as_days = lambda features, cells: (values(features, cells) + 0.5).astype(int).astype("M8[D]").astype(str).tolist()  # noqa: E731
    for cells in (["2/3/2020"], ["2/3/2020", "4/5/2020"], ["2/3/2020", "2020-04-05"]):
        assert as_days(day, cells)[0] == as_days(either, cells)[0] == "2020-03-02"
        assert as_days(month, cells)[0] == "2020-02-03"
    assert as_days(day, ["2020-03-02", "-"])[0] == "2020-03-02"
    assert as_days(month, [datetime.date(2020, 3, 2)]) == ["2020-03-02"]
    assert as_days(typed, ["2020-03-13", "2 Mar 2020"]) == ["2020-03-13", "2020-03-02"]
    assert "row 1 of the column 'x' holds the text '13/3/2020'" in said(typed, ["13/3/2020"])
    message = "row 1 of the column 'x' holds the text '3/13/2020', and in training it held dates"
    assert f"{message}, day first; write them as 2024-05-31" in said(day, ["3/13/2020"])
    assert f"{message}, day or month first" in said(either, ["3/13/2020", "1/1/2020"])
    assert "'13/3/2020'" in said(month, ["13/3/2020"])
    assert "row 1 of the column 'x' holds the text '2/3/2020'" in said(typed, ["2/3/2020"])
    assert [features.describe()[0].understood.partition("; ")[2] for features in (day, month, either, typed)] == [
        "day first", "month first", "taken as day first, no number is above 12", ""
    ]  # fmt: skip


def test_years_of_the_republic():
    features = fit(["99/12/31", "109/12/31", "109/5/6"])
    assert features.describe()[0].understood.startswith("2010-12-31 to 2020-12-31")
    assert features.describe()[0].understood.endswith("; years of 民國")
    later = features.matrix(Table.of({"x": ["98/1/2"], "other": [0]}))
    assert np.array_equal(later, features.matrix(Table.of({"x": ["2009-01-02"], "other": [0]})))


def test_digits_are_dates_where_all_are_and_the_name_or_their_number_says_so():
    days = [int(day.strftime("%Y%m%d")) for day in pd.date_range("2020-12-20", periods=30)]
    assert isinstance(fit(days).columns[0], DateColumn)
    assert fit(days).describe()[0].understood.endswith("written in digits")
    assert isinstance(fit(days[:9]).columns[0], NumberColumn)
    for name in ("date", "Sale_Date", "出生日期", "birthdate", "dt"):
        assert isinstance(fit(days[:9], name).columns[0], DateColumn), name
    assert isinstance(fit([*days, 20201331]).columns[0], NumberColumn)
    assert isinstance(fit([*days, None]).columns[0], DateColumn)
    minguo = [1091220, 1091231, 990105]
    assert fit(minguo, "日期").describe()[0].understood.startswith("2010-01-05 to 2020-12-31")
    assert isinstance(fit(minguo).columns[0], NumberColumn)
    features = fit(days)
    expected = features.matrix(Table.of({"x": [20201225], "other": [0]}))
    for cell in ("2020-12-25", "20201225", datetime.date(2020, 12, 25), "25 Dec 2020"):
        assert np.array_equal(features.matrix(Table.of({"x": [cell], "other": [0]})), expected), cell
    assert "held dates in training and holds" in said(features, [5])
    assert dates_of_digits(np.array([20200230.0])) is None


# --------------------------------------------------------------------------------------------------------- warnings


def warned(cells):
    with pytest.warns(ThalwegWarning) as caught:
        features = fit(cells)
    assert isinstance(features.columns[0], CategoryColumn | LeftOut)
    (message,) = {str(warning.message) for warning in caught}
    return message


def test_text_that_looks_like_numbers_or_dates_is_named():
    numbers = [f"{n * 37:,}" for n in range(40, 80)]
    assert warned([*numbers, "no idea", *["unknown"] * 5]) == (
        "the column 'x' looks like numbers, but is taken as text: 40 of 46 cells are numbers; 6 aren't: "
        "row 41 of the column 'x' holds the text 'no idea'; row 42 of the column 'x' holds the text 'unknown'; "
        "row 43 of the column 'x' holds the text 'unknown'; and 3 more; "
        "correct these cells or leave them empty, or take the column as a category"
    )
    assert "40 of 60 cells are numbers; 20 aren't" in warned([*map(str, range(40)), *["a", "b"] * 10])
    dates = [str(day.date()) for day in pd.date_range("2020-01-01", periods=40)]
    assert "looks like dates, but is taken as text: 40 of 43 cells are dates; 3 aren't" in warned(
        [*dates, *["soon"] * 3]
    )
    both = [f"{1 + n % 28}/{1 + n % 12}/2020" for n in range(40)] + [
        f"{1 + n % 12}/{1 + n % 28}/2020" for n in range(40)
    ]
    assert "they are written in several ways" in warned(both)


@pytest.mark.parametrize(
    "cells",
    [
        [f"word {n}" for n in range(50)],
        ["0", "1", "2", "3+"] * 20,
        [*map(str, range(30)), *[f"word {n}" for n in range(40)]],
        [f"{n:05}" for n in range(50)] + ["A0001"] * 20,
        [f"12{letter}{n}" for letter in "ab" for n in range(30)],
    ],
)
def test_other_text_is_not(cells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(cells)


def test_a_category_that_is_asked_for_is_not_examined():
    cells = [*map(str, range(40)), *["a", "b"] * 10]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Features.fit(Table.of({"x": cells}), categories=["x"])


# ----------------------------------------------------------------------------------------------------- at random

exact = st.integers(-(10**9), 10**9).map(lambda n: n / 100)
NOTATIONS = {
    "1,234.5": lambda n: f"{n:,.2f}",
    "1.234,5": lambda n: f"{n:,.2f}".translate(str.maketrans(",.", ".,")),
    "1 234,5": lambda n: f"{n:,.2f}".translate(str.maketrans(",.", " ,")),
    "1'234.5": lambda n: f"{n:,.2f}".replace(",", "'"),
    "1234,5": lambda n: f"{n:.2f}".replace(".", ","),
}
UNITS = {"": "{}", "NT$": "NT${}", "€": "{} €", "kg": "{} kg", "公斤": "{}公斤", "(": "({})"}


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(exact, min_size=1, max_size=6), st.sampled_from(sorted(NOTATIONS)), st.sampled_from(sorted(UNITS)))
def test_a_number_in_any_notation_reads_back(numbers, notation, unit):
    numbers = [*numbers, 1234567.25]  # shows how thousands are divided
    if unit == "(":
        texts = [f"({NOTATIONS[notation](-n)})" if n < 0 else NOTATIONS[notation](n) for n in numbers]
    else:
        texts = [UNITS[unit].format(NOTATIONS[notation](n)) for n in numbers]
    found = read(set(texts))
    assert found.notation == notation
    assert [found.meaning[text] for text in texts] == numbers
    style = Style(found.notation, found.unit)
    assert [number_in(text, style) for text in texts] == numbers


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.dates(datetime.date(1950, 1, 1), datetime.date(2090, 1, 1)), min_size=1, max_size=6),
    st.sampled_from(
        [
            "%d/%m/%Y",
            "%m/%d/%Y",
            "%d.%m.%Y",
            "%Y/%m/%d",
            "%d %B %Y",
            "%b %d, %Y",
            "%Y年%m月%d日",
            "%A, %d %b %Y",
            "%Y%m%dT0000Z",
        ]
    ),
)
def test_a_date_in_any_form_reads_back(days, form):
    days = [*days, datetime.date(2020, 12, 31)]  # shows which is the day
    texts = [day.strftime(form) for day in days]
    found = read_dates(set(texts))
    assert [found.meaning[text].astype("M8[D]").astype(object) for text in texts] == days


pieces = st.sampled_from(
    [
        *"0123456789",
        *"0123456789",
        *"+-.,' ()$%€/:年月日民國萬",
        "kg",
        "NT$",
        "k",
        "Dec",
        "T",
        "Z",
        "AM",
        "–",
        "１",
        "nan",
        "-W",
        "Q",
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.lists(pieces, min_size=1, max_size=9).map("".join), min_size=1, max_size=3))
def test_whatever_is_read_is_read_again(texts):
    """No text makes the readers fail; what a column means as a whole, it means by the rule that it names."""
    column = text_column(texts)
    if column.kind in ("integer", "number") and column.text is not None:
        style = Style(column.notation, column.unit)
        again = [np.nan if text is None else number_in(text, style) for text in column.text]
        np.testing.assert_array_equal(again, column.values)
    if column.kind == "date":
        assert re.search(r"\d|１", "".join(texts))
    assert read_numbers([]) is None
