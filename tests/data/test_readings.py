"""A column decides once how it is read, and each later cell is read alone: notations, units, codes, big numbers."""

import datetime
import decimal
import json
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_notations import fit, said, values

from thalweg.data import Table, Target, read_table
from thalweg.data.cells import text_column
from thalweg.data.columns import CategoryColumn, NumberColumn
from thalweg.data.fitted import LeftOut
from thalweg.data.reading import read
from thalweg.data.target import split_rows
from thalweg.errors import ArgumentError, BadRowsError, DataError, NotFoundError, ThalwegWarning
from thalweg.sklearn.intake import whole_labels
from thalweg.tabular.features import Features


@pytest.mark.parametrize(
    ("trained", "later"),
    [
        (["1", "2.5", "4"], ["5 lb", "5%", "5k", "$5", "42,125", "7,5", "約5", "(5)", "10:30", "5 M"]),
        ([1.0, 2.5, 4.0], ["5 lb", "5%", "5k", "$5", "1,234"]),
        (["96M", "1.5M", "3k"], ["5 M", "5MB", "5 kg", "1,200k"]),
        (["26 m", "3 m", "4 m"], ["5M", "5 M", "5k", "5 kg", "5%"]),
        (["45%", "30%", "7.5%"], ["45", "0.45", "45‰", "5k%"]),
        (["72 kg", "80 kg", "65"], ["5 lb", "5 g", "5%", "5k"]),
        (["0,5", "1,25", "3"], ["1.5", "1.250", "1.250,5"]),
        (["1,250", "2,500.5", "7"], ["1,25", "1.250,5"]),
        (["1.250", "2.500,5", "3"], ["1.5", "2,500.5"]),
        (["NT$411", "548", "12元"], ["US$5", "€5", "5元/年"]),
        (["10:30", "11:15", "09:00"], ["5", "10.5", "25:00"]),
    ],
)
def test_what_training_never_saw_is_refused(trained, later):
    """Notations, units and multiples: each alone, and beside what would decide otherwise, had the table a say."""
    features = fit(trained)
    assert isinstance(features.columns[0], NumberColumn)
    for cell in later:
        for cells in ([cell], [cell, *trained], [cell, *later]):
            assert f"row 1 of the column 'x' holds the text {cell!r}" in said(features, cells)
    assert np.array_equal(
        features.matrix({"x": trained, "other": [0] * 3})[1], features.matrix({"x": trained[1:2], "other": [0]})[0]
    )


def test_numbers_that_came_as_numbers_are_themselves():
    """45% is the fraction 0.45, as spreadsheets hold it; a number beside units is in that unit."""
    assert values(fit(["45%", "30%", "7.5%"]), [0.45, 0.3]) == pytest.approx([0.45, 0.3], rel=1e-5)
    assert values(fit(["72 kg", "80 kg", "65"]), [70.0, 66.5]) == pytest.approx([70, 66.5], rel=1e-5)
    assert values(fit(["1.250", "2.500,5", "3"]), [2.5]) == pytest.approx([2.5], rel=1e-4)
    assert values(fit(["10:30", "11:15", "9:00"]), [datetime.time(10, 30)]) == pytest.approx([37800], rel=1e-5)


def test_numbers_after_per_cents_that_seem_to_be_per_cents_are_told_of():
    """45 after 45% is 4,500 %: not read otherwise, but not without a word. Each number alone."""
    shares = fit(["45%", "30%", "7.5%"])
    cases = {"1 number .* such as 45 in row 2": [0.4, 45.0], "2 numbers .* such as 8 in row 1": [8.0, 45.0]}
    for told, numbers in cases.items():
        with pytest.warns(ThalwegWarning, match=rf"{told}, would lie in the range of training as .*% is 0\.\d+"):
            shares.matrix(Table.of({"x": numbers, "other": [0] * len(numbers)}))
    for quiet in ([0.4, 0.1], [0.9, 0.01], [4500.0]):  # as learned; a little outside; in per cent as strange
        shares.matrix(Table.of({"x": quiet, "other": [0] * len(quiet)}))
    fit(["45 kg", "30 kg", "7.5 kg"]).matrix(Table.of({"x": [4000.0], "other": [0]}))


def test_what_a_long_file_wrote_is_read_as_learned(tmp_path):
    """DuckDB converts long columns of plain numbers; their text is kept where it has to be read otherwise."""
    cells = [f"{n // 1000}.{n % 1000:03}" for n in range(1000, 4000)]
    path = tmp_path / "t.csv"
    path.write_text("x,other\n" + "\n".join(f"{cell},0" for cell in cells))
    europe = fit(["1.250", "2.500,5", "3"])
    expected = europe.matrix(Table.of({"x": list(range(1000, 4000)), "other": [0] * 3000}))
    assert europe.kept == ("x",)
    for source in (path, f"FROM '{path}'"):
        assert np.array_equal(europe.matrix(read_table(source, text=europe.kept)), expected)
    with pytest.raises(DataError, match=r"written as 1\.234,5: read the table with read_table\(…, text=\['x'\]\)"):
        europe.matrix(read_table(path))
    with pytest.raises(DataError, match=r"to take it as a category, read the table with read_table"):
        Features.fit(read_table(path), categories=["x"])
    assert len(Features.fit(read_table(path, text=["x"]), categories=["x"]).columns[0].categories) == 100
    shares = fit(["45%", "30%", "7.5%"])
    with pytest.raises(DataError, match="row 1 of the column 'x' holds the text '1'"):
        shares.matrix(read_table(path))


# --------------------------------------------------------------------------------------- numbers, some with their unit


@pytest.mark.parametrize(
    ("cells", "numbers", "unit"),
    [
        (["22.8坪", "14.9", "約25坪", "30 坪", "不詳", "-"], [22.8, 14.9, 25, 30], "坪"),
        (["$411", "548", "$1,200"], [411, 548, 1200], "$"),
        (
            ["NT$9,900", "8,900元", "＄7,500", "0.63萬", "6500", "1,000 元/月"],
            [9900, 8900, 7500, 6300, 6500, 1000],
            None,
        ),
        (["16樓", "4F", "4"], [16, 4, 4], "F, 樓"),
        (["72kg", "80", "65公斤", "~70 kg"], [72, 80, 65, 70], "kg"),
        (["23年", "5", "無"], [23, 5], "年"),
    ],
)
def test_some_cells_may_lack_the_unit(cells, numbers, unit):
    found = read(cells)
    assert list(found.meaning.values()) == numbers
    assert unit in (None, found.unit)
    column = text_column(cells)
    assert column.values[: len(numbers)].tolist() == numbers
    assert column.odd() == 0


HOUSES = [f"{n}.5坪" if n % 3 else f"{n}.5" for n in range(10, 110)]


def test_odd_cells_among_handwritten_numbers_are_missing_and_counted():
    cells = [*HOUSES, "面議", "call us", "-", None]
    features = fit(cells)
    summary = features.describe()[0]
    assert (summary.kind, summary.missing) == ("number", 4)
    assert summary.understood == "10.5 to 109.5, median 60; written as 1234.5 with 坪; 2 odd cells taken as missing"
    message = "2 cells of the column 'x' aren't numbers written as 1234.5 with 坪 and count as missing: row 101 holds"
    with pytest.warns(ThalwegWarning, match=message):
        matrix = features.matrix(Table.of({"x": cells, "other": [0] * len(cells)}))
    assert matrix[:, 1].tolist() == [0] * 100 + [1] * 4
    with pytest.warns(ThalwegWarning, match="1 cell of the column 'x'"):
        alone = features.matrix(Table.of({"x": ["ask"], "other": [0]}))
    assert np.array_equal(alone[0], matrix[-1])
    with pytest.warns(ThalwegWarning, match="looks like numbers, but is taken as text"):
        assert isinstance(fit([*HOUSES, *["面議"] * 12]).columns[0], CategoryColumn | LeftOut)  # more than one in ten


def test_a_unit_among_plain_numbers_makes_no_odd_cell_missing():
    """A typo among plain numbers is an error with its row, and one unit beside it changes nothing of that."""
    plain = [f"{n}.5" for n in range(100)]
    for few in ([], ["3 kg"], ["3 kg", "4 kg"] * 4):
        cells = [*plain, *few, "?!"]
        with pytest.raises(BadRowsError) as caught:
            fit(cells)
        assert list(caught.value.problems) == list(range(101, len(cells) + 1))  # the units, and what is no number
    many = [f"{n} kg" for n in range(40)]
    assert fit([*plain, *many, "?!"]).describe()[0].understood.endswith("with kg; 1 odd cell taken as missing")
    assert fit([*plain, "3 kg"]).describe()[0].understood.endswith("with kg")  # all are numbers


def test_a_column_is_numbers_if_the_user_says_so():
    cells = ["3/9", "4F", "12樓", "5", "-", "8/9", "6"]
    table = Table.of({"x": cells, "other": range(7)})
    features = Features.fit(table, numbers=["x"])
    with pytest.warns(ThalwegWarning, match="2 cells of the column 'x' aren't numbers"):
        matrix = features.matrix(table)
    assert matrix[:, 1].tolist() == [1, 0, 0, 0, 1, 1, 0]
    assert features.describe()[0].understood.endswith("with F, 樓; 2 odd cells taken as missing")
    stored = Features.from_json(json.loads(json.dumps(features.to_json())))
    assert stored == features
    plain = Table.of({"x": ["1", "2", "abc", "4", "5"]})
    with pytest.raises(DataError, match="'abc', where the others are numbers"):
        Features.fit(plain)
    assert Features.fit(plain, numbers=["x"]).columns[0].odd == 1
    with pytest.raises(DataError, match="'x' can't be taken as numbers: none of its cells is one"):
        Features.fit({"x": ["a", "b"]}, numbers=["x"])
    with pytest.raises(DataError, match="'x' holds dates, which can't be taken as numbers"):
        Features.fit({"x": [datetime.date(2020, 1, 1)]}, numbers=["x"])
    with pytest.raises(ArgumentError, match="'x' can't be a number and a category"):
        Features.fit(plain, numbers=["x"], categories=["x"])
    with pytest.raises(NotFoundError, match="no column 'y'"):
        Features.fit(plain, numbers=["y"])


def test_a_target_may_be_written_by_hand():
    cells = [*[f"{n}.5萬" for n in range(30)], *[f"NT${n * 999:,}" for n in range(30)], "面議", "1200", None]
    table = Table.of({"y": cells, "x": range(63)})
    with pytest.warns(ThalwegWarning, match="1 cell of the column 'y' isn't a number"):
        target = Target.of(table, "y")
    assert (target.task, target.missing, target.forgiving) == ("regression", 2, True)
    stored = Target.from_json(json.loads(json.dumps(target.to_json())))
    assert stored == target
    assert target.numbers(Table.of({"y": ["2萬", "NT$1,500", "ask"]})).tolist()[:2] == [20000, 1500]
    assert target.missing_in(Table.of({"y": ["ask", "7"]})).tolist() == [True, False]
    for few in (["3 rooms", "4", "5 rooms"] * 9, ["$5", "7", "$9"] * 9):
        assert Target.of(Table.of({"y": few}), "y", "regression").task == "regression"


# ------------------------------------------------------------------------------------- whole numbers beyond 2^53, codes

BIG = [9007199254740993, 9007199254740992, 18014398509481985]


def big_tables(folder):
    rows = BIG * 10
    frame = pd.DataFrame({"y": rows, "x": range(30)})
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet")
    frame.to_json(folder / "t.jsonl", orient="records", lines=True)
    with_gap = frame.astype({"y": "Int64"})
    with_gap.loc[len(with_gap)] = [pd.NA, 99]
    long = pd.concat([frame] * 50)
    long.to_csv(folder / "long.csv", index=False)
    return {
        "csv": folder / "t.csv", "long csv": folder / "long.csv", "parquet": folder / "t.parquet",
        "jsonl": folder / "t.jsonl",
        "query": f"FROM '{folder}/t.csv'", "query of parquet": f"FROM '{folder}/t.parquet'",
        "pandas": frame, "uint64": frame.astype({"y": "uint64"}), "nullable": with_gap,
        "text": frame.astype({"y": str}), "categories": frame.astype({"y": "category"}),
        "polars": pl.DataFrame({"y": [*rows, None], "x": range(31)}), "arrow": pa.table({"y": rows, "x": range(30)}),
        "numpy": {"y": np.array(rows), "x": np.arange(30)}, "python": {"y": rows, "x": range(30)},
        "decimals": {"y": list(map(decimal.Decimal, rows)), "x": range(30)},
    }  # fmt: skip


def test_whole_numbers_beyond_2_to_53_stay_apart(tmp_path):
    tables = {name: read_table(source) for name, source in big_tables(tmp_path).items()}
    for name, table in tables.items():
        target = Target.of(table, "y", "multiclass")
        assert sorted(map(int, target.classes)) == sorted(BIG), name
        assert {type(label) for label in target.classes} == ({str} if name == "categories" else {int}), name
        stored = Target.from_json(json.loads(json.dumps(target.to_json())))
        assert stored.decode(np.eye(3)).tolist() == list(target.classes)
        features = Features.fit(table, categories=["y"])
        assert features.columns[0].categories == tuple(sorted(map(str, BIG)))
        for used, other in tables.items():
            rows = other.take(np.arange(3))
            expected = [target.classes.index(type(target.classes[0])(label)) for label in BIG]
            assert target.encode(rows).tolist() == expected, (name, used)
            assert features.columns[0].codes(rows.column("y")).tolist() == [2, 1, 0], (name, used)
    with pytest.warns(ThalwegWarning, match="'y' holds whole numbers beyond 2\\^53, .* taken as text: --number y"):
        assert isinstance(Features.fit(tables["csv"]).columns[0], CategoryColumn)
    assert isinstance(Features.fit(tables["csv"], numbers=["y"]).columns[0], NumberColumn)


PAIR = ["9007199254740993", "9007199254740992"] * 20  # one float64, 2^53


def pairs(folder):
    """The two ids in every form that keeps them."""
    whole, decimals = list(map(int, PAIR)), list(map(decimal.Decimal, PAIR))
    (folder / "t.csv").write_text("\n".join(["y", *PAIR]))
    (folder / "long.csv").write_text("\n".join(["y", *PAIR * 50]))
    (folder / "t.jsonl").write_text("".join(f'{{"y": {cell}}}\n' for cell in PAIR))
    pq.write_table(pa.table({"y": pa.array(decimals, pa.decimal128(20, 0))}), folder / "decimals.parquet")
    pq.write_table(pa.table({"y": pa.array(whole, pa.uint64())}), folder / "unsigned.parquet")
    return {
        "text": {"y": PAIR}, "negative": {"y": [f"-{cell}" for cell in PAIR]}, "python": {"y": whole},
        "int64": {"y": np.array(whole)}, "uint64": {"y": np.array(whole, np.uint64)}, "decimals": {"y": decimals},
        "objects": {"y": np.array(whole, object)}, "rows": [{"y": cell} for cell in whole],
        "grouped": {"y": [f"{int(cell):,}" for cell in PAIR]}, "units": {"y": [f"{cell} kg" for cell in PAIR]},
        "csv": folder / "t.csv", "long csv": folder / "long.csv", "jsonl": folder / "t.jsonl",
        "decimals.parquet": folder / "decimals.parquet", "unsigned.parquet": folder / "unsigned.parquet",
        "query": "SELECT 9007199254740992 + range % 2 AS y FROM range(40)",
        "pandas": pd.DataFrame({"y": whole}), "nullable": pd.DataFrame({"y": pd.array(whole, "Int64")}),
        "arrow's": pd.DataFrame({"y": pd.Series(whole, dtype="int64[pyarrow]")}),
        "categories": pd.DataFrame({"y": pd.Categorical([*whole, None])}),
        "polars": pl.DataFrame({"y": whole}), "polars' decimals": pl.DataFrame({"y": decimals}),
        "128 bits": pl.DataFrame({"y": pl.Series([cell + 2**64 for cell in whole], dtype=pl.Int128)}),
        "arrow": pa.table({"y": whole}), "arrow's dictionary": pa.table({"y": pa.array(whole).dictionary_encode()}),
    }  # fmt: skip


@pytest.mark.parametrize("task", [None, "binary", "multiclass"])
def test_the_two_that_are_one_float64_are_two_classes(tmp_path, task):
    for name, source in pairs(tmp_path).items():
        table = read_table(source)
        table = table.take(np.arange(40))
        target = Target.of(table, "y", task)
        last = {str(label).replace(",", "").removesuffix(" kg")[-1] for label in target.classes}
        assert last in ({"2", "3"}, {"8", "9"}), name
        codes = target.encode(table).ravel()
        assert sorted(codes[:2]) == [0, 1], name
        assert (codes.reshape(20, 2) == codes[:2]).all(), name


def test_rows_are_divided_by_each_of_the_two():
    train, test = split_rows(np.array(list(map(int, PAIR))), "binary", 0.5, seed=0)
    assert np.bincount(train % 2).tolist() == np.bincount(test % 2).tolist() == [10, 10]


@pytest.mark.parametrize(
    "source",
    [
        {"y": [f"{cell}.0" for cell in PAIR]},
        {"y": [9007199254740993, 9007199254740992, 0.5] * 9},
        {"y": [decimal.Decimal(f"0.1000000000000000000{n % 2}") for n in range(20)]},
        {"y": [f"0.1000000000000000000{n % 2}" for n in range(20)]},
        {"y": ["900719925474.0993萬", "900719925474.0992萬"] * 9},
        pytest.param(
            {"y": np.array([9007199254740993, 9007199254740992] * 9, np.longdouble)},
            marks=pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="a longdouble is a float64 here"),
        ),
        "SELECT 9007199254740992.25 + range % 2 * 0.25 AS y FROM range(20)",
        "SELECT 9007199254740992.0 + range % 2 AS y FROM range(20)",
    ],
    ids=["text", "mixed", "decimals", "fractions", "units", "longdouble", "scaled", "query"],
)
def test_numbers_that_one_float64_stands_for_are_refused_as_classes(source):
    table = read_table(source)
    with pytest.raises(DataError, match=r"holds .* and .*, which are one number to a computer: put a letter before"):
        Target.of(table, "y", "multiclass")


def test_json_keeps_whole_numbers_beside_fractions(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text("".join(f'{{"y": {cell}, "x": {k / 7}}}\n' for k, cell in enumerate([*PAIR, "0.5"])))
    table = read_table(file)
    assert table.column("y").as_text()[:2].tolist() == PAIR[:2]
    assert (table.column("x").kind, table.column("x").origin) == ("number", "typed")
    with pytest.raises(DataError, match="9007199254740993 and 9007199254740992, which are one number"):
        Target.of(table, "y", "multiclass")


def test_a_label_is_no_other_number_of_one_float64():
    target = Target.of({"y": [9007199254740992, 5] * 9}, "y")
    same = [
        {"y": "9007199254740992"},
        {"y": "9007199254740992.0"},
        {"y": 9007199254740992},
        {"y": "9.007199254740992e15"},
    ]
    assert target.encode(Table.of_rows(same)).ravel().tolist() == [1, 1, 1, 1]
    for other in ("9007199254740993", "9007199254740993.0", 9007199254740993, "9,007,199,254,740,993"):
        with pytest.raises(BadRowsError, match="which is none of its classes"):
            target.encode(Table.of_rows([{"y": other}]))


@pytest.mark.parametrize(
    ("name", "cells", "kind", "message"),
    [
        ("version", ["1.1", "1.10", "2.0"] * 10, CategoryColumn, "looks like versions, with 1.1 beside 1.10"),
        ("ip", [f"192.168.100.{n}" for n in (100, 101, 200)] * 10, CategoryColumn, ""),
        ("product", ["1074-03", "1080-11", "1099-12"] * 10, CategoryColumn, ""),
        ("phone", [f"+88691234567{n}" for n in range(3)] * 10, CategoryColumn, ""),
        ("phone", [f"091234567{n}" for n in range(3)] * 10, CategoryColumn, ""),
        ("x", [f"91234567{n}" for n in range(3)] * 10, NumberColumn, r"looks like codes \(all have 9 digits\)"),
        ("zip code", ["10001", "94016"] * 15, NumberColumn, r"looks like codes \(its name says so\)"),
        ("郵遞區號", [10001, 94016] * 15, NumberColumn, r"looks like codes \(its name says so\)"),
    ],
)
def test_identifiers_stay_text_or_a_warning_says_so(name, cells, kind, message):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        column = Features.fit({name: cells, "other": range(30)}).columns[0]
    assert isinstance(column, kind)
    assert bool(caught) == bool(message)
    assert all(re.search(message, str(warning.message)) for warning in caught)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(Features.fit({name: cells, "other": range(30)}, categories=[name]).columns[0], CategoryColumn)


def test_a_category_is_never_another():
    versions = Features.fit({"x": ["1.1", "1.2"] * 9, "y": range(18)}, categories=["x"]).columns[0]
    assert versions.codes(text_column(["1.10", "1.1", "1.2"])).tolist() == [-1, 0, 1]
    codes = Features.fit({"x": ["7", "007", "7.5"] * 9, "y": range(27)}, categories=["x"]).columns[0]
    assert codes.codes(text_column(["7.0", "007", "7"])).tolist() == [-1, 0, 1]
    assert codes.codes(text_column(["7.0"])).tolist() == [-1]
    assert codes.codes(Table.of({"x": [7, 7.5]}).column("x")).tolist() == [1, 2]
    gaps = Features.fit({"x": ["7", "8"] * 9, "y": range(18)}, categories=["x"]).columns[0]
    assert gaps.codes(text_column(["-", "7"])).tolist() == [*gaps.codes(text_column(["-"])).tolist(), 0] == [-2, 0]


def test_pandas_nullable_whole_labels_stay_apart_beyond_the_exact():
    labels = pd.Series([2**53 + 1, 2**53], dtype="Int64")
    kept = whole_labels(labels)
    assert (kept.dtype.kind, kept.tolist()) == ("i", [2**53 + 1, 2**53])
    lost = pd.Series([2**53, None], dtype="Int64")
    assert whole_labels(lost) is lost  # a missing one is refused where targets are checked
