"""Cells as they stood: an id comes out of every format as it went in, by its text and by its type."""

import csv
import datetime
import decimal
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from thalweg.data import read_table, write_table
from thalweg.errors import ArgumentError

TEXTS = [
    "+886 912 345 000", "1e5", "00:00:05", "1.10", "45%", "+7", "2024-05-01T00:00:00+08:00", "NA", "-", "007", " 7 ",
    "1234567890123456788", "1234567890123456789", "2024-05-01", "true", "NULL", "nan", 'a "b", c', "", None, "二月",
]  # fmt: skip
ALIKE = [["1e5", "1e05"], ["+7", "7"], ["1.10", "1.1"], ["45%", "45 %"], ["00:00:05", "0:00:05"], ["007", "008"]]
SPANS = [[str(10**18 + n) for n in range(200)], [str(10**25 + n) for n in range(200)]]
OUTPUTS = (".csv", ".tsv", ".parquet", ".json", ".jsonl")
TIME = datetime.datetime(2024, 5, 1, 9, 30)
ZONED = TIME.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=8)))


def written(path, ids, sep=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=sep)
        writer.writerow(["n", "id"])
        writer.writerows(enumerate(ids))
    return str(path)


def inputs(folder, ids):
    """The column of text in every format that has a place for it."""
    columns = {"n": range(len(ids)), "id": ids}
    arrow = pa.table({"n": range(len(ids)), "id": pa.array(ids, pa.string())})
    pa.parquet.write_table(arrow, folder / "i.parquet")
    pa.feather.write_feather(arrow, folder / "i.arrow", compression="uncompressed")
    records = [{"n": n, "id": cell} for n, cell in enumerate(ids)]
    (folder / "i.json").write_text(json.dumps(records))
    (folder / "i.jsonl").write_text("\n".join(map(json.dumps, records)))
    comma = written(folder / "i.csv", ids)
    return {
        "csv": comma,
        "semicolons": written(folder / "s.csv", ids, ";"),
        "tsv": written(folder / "i.tsv", ids, "\t"),
        "query of CSV": f"FROM '{comma}'",
        "parquet": folder / "i.parquet",
        "query of Parquet": f"SELECT * FROM '{folder}/i.parquet'",
        "arrow": folder / "i.arrow",
        "json": folder / "i.json",
        "jsonl": folder / "i.jsonl",
        "dict": {name: list(cells) for name, cells in columns.items()},
        "rows": records,
        "pandas": pd.DataFrame(columns),
        "pandas string": pd.DataFrame(columns).astype({"id": "string"}),
        "polars": pl.DataFrame({"n": range(len(ids)), "id": pl.Series(ids, dtype=pl.String)}),
        "arrow table": arrow,
    }


def read_back(path):
    """The ids in a file, by a reader that changes nothing."""
    if path.suffix in (".csv", ".tsv"):
        with path.open(newline="", encoding="utf-8") as file:
            return [row["id"] for row in csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")]
    if path.suffix == ".parquet":
        return pa.parquet.read_table(path)["id"].to_pylist()
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if path.suffix == ".json" else map(json.loads, text.splitlines())
    return [row["id"] for row in rows]


def outputs(folder, cells):
    """The ids as each format holds them after they were written."""
    for ending in OUTPUTS:
        path = folder / f"out{ending}"
        path.unlink(missing_ok=True)
        write_table(path, {"row": np.arange(len(cells)), "id": cells})
        yield ending, read_back(path)


@pytest.mark.parametrize("ids", [TEXTS, *ALIKE, *SPANS], ids=lambda ids: str(ids[:2]))
def test_text_stays_as_it_was_from_every_format_to_every_other(ids, tmp_path):
    """The same cells are written once, wherever they come from."""
    known = {}
    for name, source in inputs(tmp_path, ids).items():
        empty = "csv" in name.lower() or name in ("semicolons", "tsv")  # an empty cell is a missing one there
        for table in (read_table(source, verbatim=["id"]), read_table(source, verbatim=["id"]).take(range(len(ids)))):
            cells = table.column("id").verbatim
            assert cells is not None, name
            key = cells.sql_type, cells.texts.dtype, *map(type, cells.texts), *cells.texts
            if key not in known:
                known[key] = dict(outputs(tmp_path, cells))
            for ending, found in known[key].items():
                missing = "" if ending in (".csv", ".tsv") else None
                expected = [missing if c is None or (c == "" and empty) else c for c in ids]
                if name == "query of CSV" and ids is SPANS[0]:  # integers that are written in no other way
                    found = list(map(str, found))
                assert found == expected, (name, ending)


def test_integers_beyond_a_float_stay_apart(tmp_path):
    """200 different ones of 19 digits are two as float64."""
    ids = [2**60 + n for n in range(200)]
    assert len(set(map(float, ids))) == 2
    frame = pd.DataFrame({"id": ids})
    frame.to_parquet(tmp_path / "i.parquet")
    frame.to_json(tmp_path / "i.json", orient="records")
    for source in (frame, pl.DataFrame({"id": ids}), {"id": ids}, tmp_path / "i.parquet", tmp_path / "i.json"):
        for ending, found in outputs(tmp_path, read_table(source, verbatim=["id"]).column("id").verbatim):
            assert found == (list(map(str, ids)) if ending in (".csv", ".tsv") else ids), ending


TYPED = {
    "integer": (pa.array([7, None, -3], pa.int64()), pa.int64(), ["7", "", "-3"]),
    "integer of few bits": (pa.array([7, None, 255], pa.uint8()), pa.uint8(), ["7", "", "255"]),
    "unsigned": (pa.array([2**64 - 1, 0, 5], pa.uint64()), pa.uint64(), [str(2**64 - 1), "0", "5"]),
    "decimal": (
        pa.array(list(map(decimal.Decimal, ("1.10", "2.00", "-3.25"))), pa.decimal128(10, 2)),
        pa.decimal128(10, 2), ["1.10", "2.00", "-3.25"],
    ),
    "float": (pa.array([1.1, float("nan"), 1e300], pa.float64()), pa.float64(), ["1.1", "", "1e+300"]),
    "truth": (pa.array([True, None, False]), pa.bool_(), ["true", "", "false"]),
    "date": (pa.array([datetime.date(2024, 5, 1), None], pa.date32()), pa.date32(), ["2024-05-01", ""]),
    "moment": (pa.array([TIME, None], pa.timestamp("us")), pa.timestamp("us"), ["2024-05-01 09:30:00", ""]),
    "zoned moment": (
        pa.array([ZONED, None], pa.timestamp("us", "Asia/Taipei")),
        pa.timestamp("us", "UTC"), ["2024-05-01 01:30:00+00", ""],
    ),
    "time": (pa.array([datetime.time(0, 0, 5)], pa.time64("us")), pa.time64("us"), ["00:00:05"]),
    "text": (pa.array(["7", " NA"]), pa.string(), ["7", " NA"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPED)
def test_a_type_stays_too(kind, tmp_path):
    cells, stored, texts = TYPED[kind]
    pa.parquet.write_table(pa.table({"id": cells}), tmp_path / "i.parquet")
    for source in (tmp_path / "i.parquet", f"FROM '{tmp_path}/i.parquet'"):
        found = dict(outputs(tmp_path, read_table(source, verbatim=["id"]).column("id").verbatim))
        assert found[".csv"] == found[".tsv"] == texts
        assert pa.parquet.read_schema(tmp_path / "out.parquet").field("id").type == stored
        assert found[".parquet"] == [None if c != c else c for c in cells.to_pylist()]  # NaN is a missing number
        assert [cell is None for cell in found[".json"]] == [text == "" for text in texts]


def test_objects_of_python_keep_their_types(tmp_path):
    for cells, sql_type, texts in [
        ([True, None], "BOOLEAN", ["true", None]),
        ([1, 2**63], "HUGEINT", ["1", str(2**63)]),
        ([1, 10**40], "VARCHAR", ["1", str(10**40)]),
        ([1.5, float("nan")], "DOUBLE", ["1.5", None]),
        ([decimal.Decimal("1.10"), decimal.Decimal(3)], "DECIMAL(38,2)", ["1.10", "3"]),
        ([decimal.Decimal("1e-40")], "VARCHAR", [f"0.{'0' * 39}1"]),
        ([datetime.date(2024, 5, 1)], "DATE", ["2024-05-01"]),
        ([TIME], "TIMESTAMP", ["2024-05-01 09:30:00"]),
        ([ZONED], "TIMESTAMP WITH TIME ZONE", ["2024-05-01 09:30:00+08:00"]),
        ([TIME, ZONED], "VARCHAR", ["2024-05-01 09:30:00", "2024-05-01 09:30:00+08:00"]),
        ([datetime.time(0, 0, 5)], "TIME", ["00:00:05"]),
        ([1, "01"], "VARCHAR", ["1", "01"]),
        ([True, 1], "VARCHAR", ["True", "1"]),
        ([], "VARCHAR", []),
    ]:
        kept = read_table({"id": cells}, verbatim=["id"], least_rows=0).column("id").verbatim
        assert (kept.sql_type, kept.texts.tolist()) == (sql_type, texts), cells
        assert len(dict(outputs(tmp_path, kept))[".parquet"]) == len(cells)


def test_numbers_in_json_are_as_they_were_written(tmp_path):
    (tmp_path / "i.json").write_text('[{"id": 1234567890123456789012345}, {"id": 1.5}, {"id": null}]')
    found = dict(outputs(tmp_path, read_table(tmp_path / "i.json", verbatim=["id"]).column("id").verbatim))
    assert found[".json"] == found[".jsonl"] == [1234567890123456789012345, 1.5, None]
    assert found[".csv"] == ["1234567890123456789012345", "1.5", ""]
    (tmp_path / "i.json").write_text('[{"id": 7}, {"id": "007"}, {"id": "+7"}]')
    found = dict(outputs(tmp_path, read_table(tmp_path / "i.json", verbatim=["id"]).column("id").verbatim))
    assert found[".json"] == [7, "007", "+7"]
    assert found[".csv"] == found[".parquet"] == ["7", "007", "+7"]


def test_a_query_sees_text_where_numbers_would_lose_their_digits(tmp_path):
    path = written(tmp_path / "i.csv", ["1.10", "1.1", "2"])
    table = read_table(f"SELECT id FROM '{path}' ORDER BY n DESC", verbatim=["id"])
    assert table.column("id").verbatim.texts.tolist() == ["2", "1.1", "1.10"]
    assert table["id"].tolist() == ["2", "1.1", "1.10"]
    whole = written(tmp_path / "w.csv", ["7", "8"])
    assert read_table(f"SELECT id + 1 AS id FROM '{whole}'", verbatim=["id"])["id"].tolist() == [8, 9]


def test_lists_have_no_text_and_a_table_must_have_been_read_with_it():
    assert read_table("SELECT [1] AS id", verbatim=["id"]).column("id").verbatim is None
    with pytest.raises(ArgumentError, match=r"read without verbatim=\['id'\]"):
        read_table(read_table({"id": [1]}), verbatim=["id"])
    assert read_table({"id": [1]}, verbatim=["other"]).column("id").verbatim is None


def test_a_workbook(tmp_path):
    pytest.importorskip("fastexcel")
    from test_other_files import workbook

    rows = [["id", "n"], ["+7", 5], ["1.10", 6], ["NA", None]]
    path = workbook(tmp_path / "t.xlsx", {"First": rows})
    table = read_table(path, verbatim=["id", "n"])
    assert table.column("id").verbatim.texts.tolist() == ["+7", "1.10", "NA"]
    assert table.column("n").verbatim.sql_type == "BIGINT"
    assert table.column("n").verbatim.texts.tolist() == ["5", "6", None]
