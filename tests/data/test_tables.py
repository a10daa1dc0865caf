"""Tables: every source gives the same columns, and every way that a source can be broken gives one clear sentence."""

import datetime
import decimal
import gzip
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data import Table, read_table, write_table
from thalweg.data.cells import column_of, objects
from thalweg.data.reading import MISSING_MARKERS, WHITE_SPACE, plain_number
from thalweg.errors import ArgumentError, DataError

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
DATA = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def kinds(table: Table) -> dict[str, str]:
    return {name: table.column(name).kind for name in table.names}


def cells(table: Table, name: str) -> list[object]:
    """The cells as Python values, None for a missing one of any kind."""
    column = table.column(name)
    return [None if lost else cell for cell, lost in zip(column.values.tolist(), column.missing(), strict=True)]


def same(one: Table, other: Table) -> bool:
    return kinds(one) == kinds(other) and all(cells(one, name) == cells(other, name) for name in one.names)


def message(source: object) -> str:
    """The message of the DataError that reading `source` raises: one line, no SQL, no traceback."""
    with pytest.raises(DataError) as caught:
        read_table(source)
    text = str(caught.value)
    assert "\n" not in text
    assert "LINE 1" not in text
    return text


# ---------------------------------------------------------------------------------------------------------- sources


def test_importing_the_package_loads_no_reader():
    code = "import thalweg.data, thalweg.tabular.features, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"duckdb", "narwhals", "pandas", "polars", "pyarrow", "sklearn"} & set(loaded)


def test_reading_and_writing_need_neither_pandas_nor_pyarrow(tmp_path):
    code = f"""
import sys
sys.modules.update(pandas=None, pyarrow=None, polars=None)
import numpy as np
from thalweg.data import read_table, write_table
columns = {{"s": np.array(["x", None], object), "x": np.array([1.5, np.nan]), "i": np.array([1, 2])}}
for ending in ("csv", "parquet", "json"):
    write_table(f"{tmp_path}/t.{{ending}}", columns)
    print(read_table(f"FROM '{tmp_path}/t.{{ending}}'")["s"].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n")[:3] == ["['x', None]"] * 3


def test_penguins():
    table = read_table(PENGUINS)
    assert (table.rows, len(table), table.source) == (344, 344, str(PENGUINS))
    assert kinds(table)["island"] == "text"
    assert kinds(table)["body_mass_g"] == "number"
    assert cells(table, "sex")[:5] == ["MALE", "FEMALE", "FEMALE", None, "FEMALE"]
    assert cells(table, "bill_length_mm")[:4] == [39.1, 39.5, 40.3, None]


def test_every_file_kind_gives_the_same_table(tmp_path):
    rows = "7,1.5,red,true,2020-01-31\n-3,,blue,,\n,2.0,,false,2021-12-01\n"
    csv = read_table(write(tmp_path / "t.csv", "i,x,s,b,d\n" + rows))
    assert kinds(csv) == {"i": "integer", "x": "number", "s": "text", "b": "boolean", "d": "date"}
    assert cells(csv, "i") == [7, -3, None]
    assert cells(csv, "b") == [1, None, 0]
    assert cells(csv, "d") == [datetime.datetime(2020, 1, 31), None, datetime.datetime(2021, 12, 1)]
    sources = [
        write(tmp_path / "t.tsv", ("i,x,s,b,d\n" + rows).replace(",", "\t")),
        write(tmp_path / "semicolon.csv", ("i,x,s,b,d\n" + rows).replace(",", ";")),
        write(tmp_path / "bar.txt", ("i,x,s,b,d\n" + rows).replace(",", "|")),
        write(tmp_path / "t.JSON", json.dumps(
            [
                {"i": 7, "x": 1.5, "s": "red", "b": True, "d": "2020-01-31"},
                {"i": -3, "x": None, "s": "blue"},
                {"x": 2.0, "b": False, "d": "2021-12-01"},
            ]
        )),
        f"SELECT * FROM '{tmp_path}/t.csv'",
        f"  with t as (from '{tmp_path}/t.csv') from t; ",
        f"from '{tmp_path}/t.csv' -- a comment at the end",
    ]  # fmt: skip
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("\ufeffi,x,s,b,d\r\n" + rows.replace("\n", "\r\n"))
    for source in [*sources, tmp_path / "t.csv.gz"]:
        assert same(read_table(source), csv), source


def test_lines_may_end_in_several_ways(tmp_path):
    expected = [["1", "two\r\nlines", "3", 'a "b"'], ["x", "y\n", '5" z', "w"]]
    rows = [["1", "x"], ['"two\r\nlines"', '"y\n"'], ["3", '5" z'], ['"a ""b"""', "w"]]
    for ends in (["\r\n", "\n"], ["\n", "\r\n"], ["\r", "\n"], ["\n", "\r"], ["\r\n", "\r"], ["\r\n", "\n", "\r"]):
        for delimiter, name in ((",", "m.csv"), ("\t", "m.tsv"), ("|", "m.txt")):
            lines = [["a", "b"], *rows]
            text = "".join(delimiter.join(row) + ends[n % len(ends)] for n, row in enumerate(lines))
            (tmp_path / name).write_bytes(text.encode())
            table = read_table(tmp_path / name)
            assert [cells(table, "a"), cells(table, "b")] == [[cell.strip() for cell in column] for column in expected]
    query = read_table(f"SELECT a FROM '{tmp_path}/m.csv' WHERE b = 'w'")
    assert cells(query, "a") == ['a "b"']
    (tmp_path / "m.csv").write_bytes(b"a,b\r\n1,2\n3,4,5\r\n")
    assert message(tmp_path / "m.csv") == f"can't read {tmp_path}/m.csv: line 3: 3 cells, and the header has 2"
    many = "a\r\n" + "".join(f"{n}\n" for n in range(300_000)) + "1\r\n"
    (tmp_path / "m.csv").write_bytes(many.encode())
    assert read_table(tmp_path / "m.csv")["a"].tolist() == [*range(300_000), 1]


def test_quotes_may_be_text(tmp_path):
    path = write(tmp_path / "t.tsv", 'c\tm\nham\tsay "hi" to\nspam\t"quoted"\n')
    assert cells(read_table(path), "m") == ['say "hi" to', "quoted"]
    assert cells(read_table(path, quote=""), "m") == ['say "hi" to', '"quoted"']
    odd = write(tmp_path / "odd.tsv", 'c\t"m\nham\t"hi" to\nspam\tx\n')
    assert "where quotes are part of the text, give quote=\"\" (--quote '')" in message(odd)
    table = read_table(odd, quote="")
    assert (table.names, cells(table, '"m')) == (["c", '"m'], ['"hi" to', "x"])
    single = write(tmp_path / "s.csv", "a,b\n'x, y',\"2\"\n")
    assert [cells(read_table(single, quote="'"), name) for name in "ab"] == [["x, y"], ['"2"']]
    for quote, source, reason in (
        ("''", path, "has to be one sign"), (",", path, "has to be one sign"), ("é", path, "has to be one sign"),
        ("", "SELECT 1 AS a", "a query has none"), ("", {"a": [1]}, "a dict has none"),
        ("", PENGUINS.with_name("none.parquet"), "there is no file"),
    ):  # fmt: skip
        with pytest.raises((ArgumentError, DataError), match=reason):
            read_table(source, quote=quote)
    write_table(tmp_path / "t.parquet", {"a": np.ones(1)})
    with pytest.raises(ArgumentError, match="has no such quotes"):
        read_table(tmp_path / "t.parquet", quote="")


@pytest.mark.skipif(not (DATA / "sms_spam.tsv").exists(), reason="needs shared/data")
def test_messages_with_quotes():
    assert "line 284" in message(DATA / "sms_spam.tsv")
    assert read_table(DATA / "sms_spam.tsv", quote="").rows == 5574


def test_a_decimal_comma(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "x;i;s;code;k\n1,5;1;a,b;0,7;1,250\n-0,25;;1,5;01;2,500\n"))
    assert kinds(table) == {"x": "number", "i": "integer", "s": "text", "code": "text", "k": "number"}
    assert (cells(table, "x"), cells(table, "k")) == ([1.5, -0.25], [1.25, 2.5])
    # Without semicolons the comma divides thousands, unless a cell shows that it doesn't.
    quoted = read_table(write(tmp_path / "quoted.csv", 'x,k\n"1,5","1,250"\n"2,250","2,500"\n'))
    assert (cells(quoted, "x"), cells(quoted, "k")) == ([1.5, 2.25], [1250, 2500])


def test_every_frame_gives_the_same_table():
    columns = {
        "i": [1, None, 3],
        "x": [1.5, None, -2.0],
        "s": ["a", None, "?"],
        "b": [True, None, False],
        "d": [datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)],
        "t": [datetime.datetime(2020, 1, 1, 3, 4, 5, 678000), None, None],
        "clock": [datetime.time(3, 4), None, datetime.time(0, 0, 1)],
        "span": [datetime.timedelta(days=1), None, datetime.timedelta(0)],
        "n": [decimal.Decimal("1.25"), None, decimal.Decimal("-3.00")],
        "whole": [5, 6, 7],
    }
    by_dict = read_table(columns)
    assert kinds(by_dict)["i"] == kinds(by_dict)["whole"] == "integer"
    assert cells(by_dict, "s") == ["a", None, None]
    assert cells(by_dict, "clock") == [3 * 3600 + 4 * 60, None, 1]
    assert cells(by_dict, "span") == [86400, None, 0]
    frames = {
        "pandas": pd.DataFrame({**columns, "i": pd.array(columns["i"], dtype="Int64")}),
        "nullable pandas": pd.DataFrame(columns).convert_dtypes(),
        "polars": pl.DataFrame(columns),
        "lazy polars": pl.LazyFrame(columns),
        "arrow": pa.table(columns),
    }
    for name, frame in frames.items():
        table = read_table(frame)
        assert table.rows == 3
        assert {**kinds(table), "n": "number"} == kinds(by_dict), name
        for column in columns:
            assert cells(table, column) == cells(by_dict, column), (name, column)


def test_dtypes_of_frames():
    frame = pd.DataFrame({"town": pd.Categorical(["x", None, "y"]), "code": pd.Categorical([10, None, 2])})
    frame["zone"] = pd.to_datetime(["2020-01-01T03:00+02:00", None, "2020-06-01T00:00+02:00"])
    frame["mixed"] = [1.5, "abc", None]
    frame["lists"] = [[1], None, [2]]
    frame[7] = np.array([1, 2, 3], dtype=np.uint8)
    table = read_table(frame)
    assert kinds(table) == {
        "town": "text", "code": "text", "zone": "date", "mixed": "text", "lists": "other", "7": "integer"
    }  # fmt: skip
    assert cells(table, "code") == ["10", None, "2"]
    assert cells(table, "zone")[0] == datetime.datetime(2020, 1, 1, 1)
    assert cells(table, "mixed") == ["1.5", "abc", None]
    assert table.column("lists").holds == "list"
    enum = pl.DataFrame({"e": pl.Series(["a", None, "b"], dtype=pl.Enum(["a", "b"]))})
    assert cells(read_table(enum), "e") == ["a", None, "b"]


def test_arrays_and_cells_of_a_dict():
    masked = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    zoned = datetime.datetime(2020, 1, 1, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    table = read_table(
        {
            "masked": masked,
            "single": np.array([0.1, np.nan, np.inf], np.float32),
            "unicode": np.array(["a", "NA", " "]),
            "days": np.array(["2020-01-01", "NaT", "1969-12-31"], "M8[D]"),
            "spans": np.array([1, 2, "NaT"], "m8[m]"),
            "truths": np.array([True, False, True]),
            "ids": [uuid.UUID(int=5), None, "x"],
            "mixed": [True, "b", 3],
            "zoned": [zoned, None, np.datetime64("2020-01-01")],
            "series": pd.Series([1.0, 2.0, 3.0]),
            "stamps": pd.Series(pd.to_datetime(["2020-01-01T03:00+02:00", None, "2020-01-02T00:00+02:00"])),
            "huge": [10**400, 1, -(10**400)],
            "odd": [{"a": 1}, 2, None],
            "complex": np.array([1j, 2, 3]),
            "points": [(1, 2), (3, 4), (5, 6)],
            "nothing": [None, float("nan"), pd.NA],
            "chars": ["a", "b", "c"],
        }
    )
    assert cells(table, "masked") == [1, None, 3]
    assert masked.data.tolist() == [1, 2, 3]
    assert cells(table, "unicode") == ["a", None, None]
    assert cells(table, "days")[::2] == [datetime.datetime(2020, 1, 1), datetime.datetime(1969, 12, 31)]
    assert cells(table, "spans") == [60, 120, None]
    assert cells(table, "ids") == [str(uuid.UUID(int=5)), None, "x"]
    assert cells(table, "mixed") == ["true", "b", "3"]
    assert cells(table, "zoned") == [datetime.datetime(2020, 1, 1, 1), None, datetime.datetime(2020, 1, 1)]
    assert cells(table, "stamps")[:2] == [datetime.datetime(2020, 1, 1, 1), None]
    assert cells(table, "huge") == [np.inf, 1, -np.inf]
    assert cells(table, "nothing") == [None] * 3
    held = [table.column(name).holds for name in ("odd", "complex", "points")]
    assert held == ["dict and int", "complex128", "tuple"]


def test_every_duckdb_type():
    table = read_table(
        """
        SELECT * FROM (VALUES
            (1::TINYINT, 5::UBIGINT, 1.5::DECIMAL(10,2), 7::DECIMAL(9,0), 123::HUGEINT, true, DATE '2020-01-01',
             TIMESTAMP '2020-01-01 03:04:05.678', TIMESTAMPTZ '2020-01-01 03:04:05+02', TIMESTAMP_NS '2020-01-01',
             TIME '03:04:05', INTERVAL 3 DAY, '0b0e3c5a-5a5b-4f5e-9d3b-000000000000'::UUID, 'x'::ENUM('x', 'y'),
             [1, 2], {'a': 1}, MAP{'a': 1}, '\\x00'::BLOB, 0.1::FLOAT, 'NA', '"q"'::JSON, 'infinity'::DATE),
            (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             NULL, NULL, NULL, NULL)
        ) t(ti, ub, de, d0, hu, bo, da, ts, tz, tn, tm, iv, uu, en, li, su, ma, bl, fl, na, js, fo)
        """
    )
    found = kinds(table)
    assert {name for name, kind in found.items() if kind == "integer"} == {"ti", "ub", "d0", "hu"}
    assert {name for name, kind in found.items() if kind == "number"} == {"de", "fl", "tm", "iv"}
    assert {name for name, kind in found.items() if kind == "date"} == {"da", "ts", "tz", "tn", "fo"}
    assert {name for name, kind in found.items() if kind == "text"} == {"uu", "en", "na", "js"}
    assert found["bo"] == "boolean"
    assert {name: table.column(name).holds for name, kind in found.items() if kind == "other"} == {
        "li": "LIST", "su": "STRUCT", "ma": "MAP", "bl": "BLOB"
    }  # fmt: skip
    assert all(column[1] is None for column in (cells(table, name) for name in table.names))
    assert cells(table, "tz")[0] == datetime.datetime(2020, 1, 1, 1, 4, 5)
    assert (cells(table, "tm")[0], cells(table, "iv")[0]) == (3 * 3600 + 4 * 60 + 5, 3 * 86400)
    assert (cells(table, "js")[0], cells(table, "na")[0], cells(table, "fo")[0]) == ("q", None, None)
    assert cells(table, "fl")[0] == float(np.float32(0.1))


def test_missing_markers_leave_a_csv_column_its_type(tmp_path):
    body = "".join(f"{marker},1,x\n" for marker in MISSING_MARKERS if marker)
    table = read_table(write(tmp_path / "m.csv", "a, b, c\n 5, 2, y \n" + body + ",3, ? \n"))
    assert kinds(table) == {"a": "integer", "b": "integer", "c": "text"}
    assert table.column("a").missing().sum() == len(MISSING_MARKERS)
    assert cells(table, "c") == ["y"] + ["x"] * (len(MISSING_MARKERS) - 1) + [None]


def test_spaced_numbers_are_numbers_and_codes_are_text(tmp_path):
    table = read_table(write(tmp_path / "m.csv", "a,zip\n 5,01234\n ? ,99999\n 1.5,00000\n"))
    assert cells(table, "a") == [5, None, 1.5]
    assert cells(table, "zip") == ["01234", "99999", "00000"]


def test_text_far_down_does_not_break_the_reading(tmp_path):
    lines = [f"{i},{i / 2}" for i in range(30_000)]
    table = read_table(write(tmp_path / "long.csv", "a,b\n" + "\n".join(lines) + "\nabc,1\n"))
    assert kinds(table) == {"a": "text", "b": "number"}
    assert (table.rows, cells(table, "a")[-2:], cells(table, "b")[2]) == (30_001, ["29999", "abc"], 1.0)


def test_quotes_newlines_and_hashes(tmp_path):
    table = read_table(write(tmp_path / "q.csv", '"a, b",c\n#x,1\n"q ""r"" , s",2\n\n"two\nlines",3\n'))
    assert cells(table, "a, b") == ["#x", 'q "r" , s', "two\nlines"]


def test_all_text_keeps_its_first_row(tmp_path):
    assert read_table(write(tmp_path / "t.csv", "size,cls\nbig,yes\nsmall,no\n")).rows == 2


def test_a_glob_joins_by_name_in_the_order_of_file_names(tmp_path):
    write(tmp_path / "b.csv", "y,x\n4,3\n")
    write(tmp_path / "a.csv", "x,y\n1,2\n")
    write(tmp_path / "c.csv", "x,z\n5,6\n")
    table = read_table(tmp_path / "*.csv")
    assert [cells(table, name) for name in "xyz"] == [[1, 3, 5], [2, 4, None], [None, None, 6]]


def test_names_that_look_like_patterns_or_queries(tmp_path, monkeypatch):
    write(tmp_path / "br[1].csv", "a\n1\n")
    write(tmp_path / "from here.csv", "a\n2\n")
    (tmp_path / "seed=1").mkdir()
    write(tmp_path / "seed=1" / "o'clock.csv", "a\n3\n")
    monkeypatch.chdir(tmp_path)
    assert cells(read_table("br[1].csv"), "a") == [1]
    assert cells(read_table("from here.csv"), "a") == [2]
    assert read_table("seed=1/o'clock.csv").names == ["a"]


def test_row_order_and_row_numbers():
    table = read_table("SELECT range AS i FROM range(100000) ORDER BY i % 7, i DESC")
    expected = sorted(range(100_000), key=lambda i: (i % 7, -i))
    assert table["i"].tolist() == expected
    part = table.take([5, 2]).take([1])
    assert part.row_number(0) == 3
    assert part["i"].tolist() == [expected[2]]


def test_json_numbers_with_text_among_them(tmp_path):
    table = read_table(write(tmp_path / "m.jsonl", '{"a": 1, "b": [1]}\n{"a": "abc", "b": []}\n{"a": 2.5}\n'))
    assert cells(table, "a") == ["1", "abc", "2.5"]
    assert table.column("b").holds == "LIST"


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here")
def test_real_files():
    for path in [*DATA.glob("*.parquet"), *DATA.glob("*.csv")]:
        table = read_table(path)
        assert table.rows > 100
        assert "other" not in kinds(table).values()
    assert same(read_table(DATA / "titanic.csv"), read_table(DATA / "titanic.parquet"))
    assert read_table(f"SELECT * FROM '{DATA}/adult.parquet' WHERE age > 60").rows == 3606


# ----------------------------------------------------------------------------------------------------------- errors


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "penguins.csv", "a\n1\n")
    assert message(tmp_path / "pengiuns.csv") == (
        f"there is no file {tmp_path}/pengiuns.csv (did you mean penguins.csv?)"
    )
    assert message(str(tmp_path / "x.csv")) == f"there is no file {tmp_path}/x.csv"
    assert "there is no folder" in message(tmp_path / "none" / "x.csv")
    assert message(f"SELECT * FROM '{tmp_path}/penguin.csv'").endswith("(did you mean penguins.csv?)")
    assert message(tmp_path / "*.json") == f"no file matches {tmp_path}/*.json"
    assert "is a folder; name a file in it" in message(tmp_path)


def test_empty_files(tmp_path):
    empty = write(tmp_path / "e.csv", "")
    for path in (empty, write(tmp_path / "e.parquet", ""), write(tmp_path / "blank.csv", "\n\n")):
        assert message(path) == f"{path} is empty: it holds no header and no rows"
    header = write(tmp_path / "h.csv", "a,b\n")
    assert message(header) == f"{header} has the columns a, b but no rows"
    assert message("SELECT 1 AS a WHERE false") == "the query's result has the column a but no rows"
    assert message({}) == "a dict of columns has no columns"
    assert "no rows" in message(pd.DataFrame({"a": []}))
    assert "no columns" in message(pd.DataFrame())


def test_unreadable_files(tmp_path):
    write(tmp_path / "bad.parquet", "garbage" * 30)
    assert "No magic bytes found" in message(tmp_path / "bad.parquet")
    assert re.search("alformed", message(write(tmp_path / "bad.json", '{"a": 1')))
    assert message(write(tmp_path / "ragged.csv", "a,b,c\n1,2,3\n4,5\n6,7,8\n")) == (
        f"can't read {tmp_path}/ragged.csv: line 3: 2 cells, and the header has 3"
    )
    assert "line 2: 3 cells, and the header has 2" in message(write(tmp_path / "long.csv", "a,b\n1,2,3\n"))
    (tmp_path / "latin.csv").write_bytes("a,b\n1,café\n".encode("latin-1"))
    assert "it isn't UTF-8; it looks like latin-1" in message(tmp_path / "latin.csv")
    (tmp_path / "bad.csv.gz").write_bytes(b"no gzip at all")
    assert "can't read" in message(tmp_path / "bad.csv.gz")
    assert "can't read" in message(write(tmp_path / "quote.csv", 'a,b\n1,"x\n2,y\n'))
    assert "can't tell what" in message(write(tmp_path / "x.ods", "PK"))
    write(tmp_path / "x.json", "[]")
    assert "files of different kinds" in message(tmp_path / "[bx]*.[jp]*")


def test_bad_queries():
    assert message("SELECT * FROM").startswith("can't read the query: syntax error")
    assert "nope" in message(f"SELECT nope FROM '{PENGUINS}'")
    assert message("SELECT 1; SELECT 2") == "a query is one SELECT statement, got SELECT, SELECT"
    duckdb = pytest.importorskip("duckdb")
    assert duckdb  # a variable of a caller is out of a query's reach
    assert "duckdb does not exist" in message("SELECT * FROM duckdb")


def test_sources_of_other_types():
    assert "can't read a table from builtins.int" in message(5)
    assert "can't read a table from numpy.ndarray" in message(np.zeros((2, 2)))
    repeated = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert message(repeated) == "the pandas frame has several columns of one name: a"
    arrow = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert message(arrow) == "the pyarrow frame has several columns of one name: a"
    assert message(pd.DataFrame([[1, 2]], columns=[1, "1"])) == "the pandas frame has several columns of one name: 1"
    assert message({"a": [1, 2], "b": [1]}) == (
        "the columns of a dict of columns differ in length: 'a' has 2 rows, 'b' has 1"
    )
    assert message({1: [1], "1": [2]}) == "a dict of columns has several columns of one name: 1"
    assert message({"a": 5, "b": [1]}) == "the column 'a' is a single int; give an array or a list"
    assert message({"a": [1], "b": "xyz"}) == "the column 'b' is a single str; give an array or a list"
    assert "can't read a table from builtins.list" in message([[1, 2]])
    assert message({}) == "a dict of columns has no columns"
    assert message([]) == "the list of rows has no columns"
    assert message({"a": np.zeros((2, 3))}) == "the column 'a' has shape (2, 3); a column has one axis"


def test_a_row_is_a_dict_and_rows_are_a_list_of_them():
    row = {"a": 1, "b": "x", "c": None, "d": np.float32(0.5), "e": np.array(7)}
    for one in (row, [row]):
        table = read_table(one)
        assert (table.rows, kinds(table)["b"], kinds(table)["d"]) == (1, "text", "number")
        assert [cells(table, name)[0] for name in row] == [1, "x", None, 0.5, 7]
    table = read_table([{"a": 1}, {"b": "y", "a": None}, {}])
    assert (cells(table, "a"), cells(table, "b")) == ([1, None, None], [None, "y", None])
    assert same(read_table({"a": [[1], [1, 2]]}), Table.of({"a": [[1], [1, 2]]}))  # one column of lists, no row


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".json", ".jsonl"])
def test_a_table_of_no_rows_is_read_where_that_is_asked_for(ending, tmp_path):
    path = tmp_path / f"t{ending}"
    write_table(path, {"a": np.zeros(0), "s": objects([])})
    if ending not in (".json", ".jsonl"):  # which name no columns, then
        table = read_table(path, least_rows=0)
        assert (table.rows, table.names) == (0, ["a", "s"])
        assert message(path).endswith("has the columns a, s but no rows")
    assert read_table([], least_rows=0).rows == 0
    with pytest.raises(DataError, match="but 1 row, and 2 are needed"):
        read_table({"a": [1]}, least_rows=2)


def test_an_unknown_column_names_the_nearest():
    table = Table.of({"height": [1], "weight": [2], "Age": [3]})
    with pytest.raises(DataError, match=r"has no column 'wieght' \(did you mean weight or height\?\)"):
        table["wieght"]
    with pytest.raises(DataError, match=r"\(did you mean Age\?\)"):
        table["age"]
    with pytest.raises(DataError, match=r"'zzz'; it has the columns height, weight, Age$"):
        table["zzz"]
    assert "height" in table
    assert "zzz" not in table


# ---------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".json", ".jsonl"])
def test_what_is_written_reads_back(tmp_path, ending):
    columns = {
        "i": np.array([1, -2, 2**53]),
        "x": np.array([0.1, np.nan, -1e300]),
        "f": np.array([0.1, 2.5, np.nan], dtype=np.float32),
        'a "quoted", name': objects(["x", None, 'y "z", ü\nw']),
        "u": np.array(["p", "q", "r"]),
        "b": np.array([True, False, True]),
        "d": np.array(["2020-01-01T03:04:05", "NaT", "1969-12-31"], dtype="M8[s]"),
    }
    path = tmp_path / f"out{ending}"
    write_table(path, columns)
    back = read_table(path)
    assert back.names == list(columns)
    assert list(kinds(back).values()) == ["integer", "number", "number", "text", "text", "boolean", "date"]
    for name in columns:
        expected = column_of(columns[name])
        read = back.column(name)
        if name == "f":
            assert np.array_equal(read.values.astype(np.float32), columns["f"], equal_nan=True)
        elif name == "d":
            assert np.array_equal(read.values, expected.values, equal_nan=True)
        else:
            assert [*read.as_text()] == [*expected.as_text()], name
    if ending == ".csv":
        assert path.read_text().splitlines()[1] == "1,0.1,0.1,x,p,true,2020-01-01 03:04:05"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_is_not_written(tmp_path):
    one = {"a": np.array([1])}
    for path, columns, reason in [
        (write(tmp_path / "old.csv", "mine"), one, "exists already; give another name"),
        (tmp_path / "new.xlsx", one, "the name must end in .csv, .tsv, .parquet, .json"),
        (tmp_path / "none" / "new.csv", one, "there is no folder"),
        (tmp_path / "new.csv", {}, "there are no columns"),
        (tmp_path / "new.csv", {**one, "b": np.array([1, 2])}, r"differ in length \(a: 1, b: 2\)"),
        (tmp_path / "new.csv", {"a": np.zeros((1, 2))}, r"shape \(1, 2\)"),
        (tmp_path / "new.csv", {"a": np.array([1j])}, "complex128"),
    ]:
        with pytest.raises((ArgumentError, DataError), match=reason):
            write_table(path, columns)
    assert (tmp_path / "old.csv").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["old.csv"]


texts = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(allow_infinity=True), st.integers(-(2**53), 2**53), texts, st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_a_parquet_round_trip_is_exact(tmp_path_factory, rows):
    numbers, integers, words, truths = zip(*rows, strict=True)
    columns = {
        "x": np.array(numbers),
        "i": np.array(integers),
        "s": objects(words),
        "b": np.array(truths),
    }
    path = tmp_path_factory.mktemp("round") / "t.parquet"
    write_table(path, columns)
    assert same(read_table(path), Table.of(columns))


@given(st.floats(allow_nan=False))
def test_a_plain_number_is_read_exactly(value):
    assert plain_number(repr(value)) == value


@given(st.lists(st.none() | st.sampled_from(MISSING_MARKERS) | st.text(max_size=3), max_size=30))
def test_text_has_one_missing_value(words):
    column = column_of(objects(words))
    bare = [None if cell is None else cell.strip(WHITE_SPACE) for cell in words]
    assert column.missing().tolist() == [cell is None or cell in MISSING_MARKERS for cell in bare]
    if column.kind == "text":
        assert column.values.tolist() == [None if cell in MISSING_MARKERS else cell for cell in bare]


def test_a_table_of_a_thousand_columns_takes_little_memory(tmp_path):
    """Images are given as tables, too; DuckDB takes gigabytes to count the different cells of so many at once."""
    path = tmp_path / "wide.csv"
    columns = range(1000)
    lines = [",".join(f"c{n}" for n in columns), *(",".join(str(n * row % 7) for n in columns) for row in range(5))]
    path.write_text("\n".join(lines))
    table = read_table(path)
    assert len(table.names) == 1000
    assert table["c3"].tolist() == [n * 3 % 7 for n in range(5)]
