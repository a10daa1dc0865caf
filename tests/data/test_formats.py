"""What a cell is does not depend on the format: every kind of column, written in every format, trained on in one and
used in every other, gives the same matrix, the same targets and the same labels."""

import csv
import datetime
import itertools
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data import Table, Target, read_table
from thalweg.data.cells import Column, text_column
from thalweg.data.columns import CategoryColumn
from thalweg.data.labels import label_codes
from thalweg.data.reading import read
from thalweg.errors import DataError
from thalweg.runs import table_run as runs
from thalweg.runs import table_training
from thalweg.tabular import Features

ROWS = 60
DAY = datetime.date(2023, 12, 20)


def cycle(*cells):
    """The cells, again and again."""
    return list(itertools.islice(itertools.cycle(cells), ROWS))


FULL_WIDTH = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}


def european(number):
    """€ 1.234,50"""
    return "€ " + f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def written(day, form):
    """The day in a form of strftime's, with %R for the year of 民國."""
    return day.strftime(form.replace("%R", str(day.year - 1911)))


# A kind of column: its typed cells, and the same as text; None is a missing cell.
KINDS = {
    "yes and no": (cycle("yes", "no", "no", None), cycle("yes", "no", "no", "NA")),
    "y and n": (cycle("Y", "N", "N"), cycle("Y", "N ", "N")),
    "true and false": (cycle(True, False, False), cycle("true", "false", "false")),
    "True and False": (cycle(True, False, False, None), cycle("True", "False", "False", "")),
    "0 and 1": (cycle(0, 1, 1), cycle("0", "1", "1")),
    "-1 and +1": (cycle(-1, 1, 1), cycle("-1", "+1", "+1")),
    "codes": (cycle("007", "010", "099", None), cycle("007", " 010", "099", "?")),
    "whole": ([n % 37 - 5 for n in range(ROWS)], [str(n % 37 - 5) for n in range(ROWS)]),
    "whole or missing": (
        [None if n % 9 == 4 else n % 37 for n in range(ROWS)],
        ["null" if n % 9 == 4 else f" {n % 37}" for n in range(ROWS)],
    ),
    "whole as floats": ([float(n % 3) for n in range(ROWS)], [f"{n % 3}.0" for n in range(ROWS)]),
    "measured": ([n / 7 - 3 for n in range(ROWS)], [repr(n / 7 - 3) for n in range(ROWS)]),
    "decimal comma": ([n / 8 for n in range(ROWS)], [f"{n / 8:.3f}".replace(".", ",") for n in range(ROWS)]),
    "exponents": ([n * 1e-7 for n in range(ROWS)], [f"{n}e-7" for n in range(ROWS)]),
    "towns": (cycle("Ulm", "New York", "N/A Town", None), cycle("Ulm ", "New York", "N/A Town", "NULL")),
    "3+": (cycle("0", "1", "2", "3+"), cycle("0", "1", "2", "3+")),
    "days": (
        [DAY + datetime.timedelta(days=n) for n in range(ROWS)],
        [str(DAY + datetime.timedelta(days=n)) for n in range(ROWS)],
    ),
    "days of the month first": (
        [DAY + datetime.timedelta(days=n) for n in range(ROWS)],
        [(DAY + datetime.timedelta(days=n)).strftime("%d/%m/%Y") for n in range(ROWS)],
    ),
    "moments": (
        [datetime.datetime(2024, 1, 1, 5, 6, 7) + datetime.timedelta(hours=7 * n) for n in range(ROWS)],
        [str(datetime.datetime(2024, 1, 1, 5, 6, 7) + datetime.timedelta(hours=7 * n)) for n in range(ROWS)],
    ),
    "clocks": ([datetime.time(n % 24, n) for n in range(ROWS)], [f"{n % 24:02}:{n:02}" for n in range(ROWS)]),
}  # fmt: skip
# The same, of what people write and programs don't.
WRITTEN = {
    "thousands": ([n * 30_000 for n in range(ROWS)], [f"{n * 30_000:,}" for n in range(ROWS)]),
    "sums of money": (
        [n * 125.25 - 900 for n in range(ROWS)],
        [f"{'-' * (n < 8)}NT${abs(n * 125.25 - 900):,.2f}" for n in range(ROWS)],
    ),
    "euros": ([n * 25.5 for n in range(ROWS)], [european(n * 25.5) for n in range(ROWS)]),
    "accounts": (
        [n * 125.5 - 900 for n in range(ROWS)],
        [f"({900 - n * 125.5:,.2f})" if n < 8 else f"{n * 125.5 - 900:,.2f}" for n in range(ROWS)],
    ),
    "shares": ([float(f"{n}.5e-2") for n in range(ROWS)], [f"{n}.5%" for n in range(ROWS)]),
    "multiples": ([n * 400 for n in range(ROWS)], [f"{n * 0.4:.1f}k" for n in range(ROWS)]),
    "weights": ([n / 4 for n in range(ROWS)], [f"{n / 4} kg" for n in range(ROWS)]),
    "公斤": ([n / 4 for n in range(ROWS)], [f"{n / 4}公斤" for n in range(ROWS)]),
    "full-width": ([n + 30 for n in range(ROWS)], [f"{n + 30}".translate(FULL_WIDTH) for n in range(ROWS)]),
    "gaps": (
        [None if n % 9 == 4 else n % 37 for n in range(ROWS)],
        ["—－-無"[n % 4] if n % 9 == 4 else f"{n % 37}" for n in range(ROWS)],
    ),
    **{
        f"days as {form}": (
            [DAY + datetime.timedelta(days=n) for n in range(ROWS)],
            [written(DAY + datetime.timedelta(days=n), form) for n in range(ROWS)],
        )
        for form in (
            "%d.%m.%Y", "%d-%m-%Y", "%m/%d/%Y", "%Y/%m/%d", "%d %b %Y", "%B %d, %Y", "%d-%b-%y", "%Y年%m月%d日",
            "民國%R年%m月%d日", "%R/%m/%d", "%Y%m%d",
        )
    },
    "months": (
        [datetime.date(2020 + n // 12, n % 12 + 1, 1) for n in range(ROWS)],
        [f"{2020 + n // 12}年{n % 12 + 1}月" for n in range(ROWS)],
    ),
    "moments with zones": (
        [datetime.datetime(2024, 1, 1, 5, 6, 7) + datetime.timedelta(hours=7 * n) for n in range(ROWS)],
        [f"{datetime.datetime(2024, 1, 1, 13, 6, 7) + datetime.timedelta(hours=7 * n):%Y-%m-%dT%H:%M:%S+08:00}"
         for n in range(ROWS)],
    ),
}  # fmt: skip
# What is given back for a target, by whether the format holds it typed or as text.
LABELS = {
    "yes and no": (("no", "yes"), ("no", "yes")),
    "y and n": (("N", "Y"), ("N", "Y")),
    "true and false": ((False, True), (False, True)),
    "True and False": ((False, True), ("False", "True")),
    "0 and 1": ((0, 1), (0, 1)),
    "-1 and +1": ((-1, 1), ("-1", "+1")),
    "codes": (("007", "010", "099"), ("007", "010", "099")),
    "towns": (("N/A Town", "New York", "Ulm"), ("N/A Town", "New York", "Ulm")),
    "3+": (("0", "1", "2", "3+"), ("0", "1", "2", "3+")),
}
# The formats whose cells are no text, and the kinds of columns whose text they don't show.
TYPED = (
    "typed.parquet", "typed.json", "query of typed Parquet", "dict", "pandas", "nullable pandas", "Arrow in pandas",
    "Polars", "Arrow",
)  # fmt: skip
NOTED = ("decimal comma", "days of the month first")
AS_TEXT = ("csv", "tsv", "text", "string", "query of CSV")


def to_csv(path, cells, delimiter=",", header="x"):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow([header, "n"])
        writer.writerows([cell, n] for n, cell in enumerate(cells))
    return str(path)


def sources(folder, typed, text):
    """The same table in every format, as text and, where the format has types, typed."""
    folder.mkdir()
    arrow = pa.table({"x": typed, "n": range(ROWS)})
    texts = {"x": text, "n": list(range(ROWS))}
    pa.parquet.write_table(arrow, folder / "typed.parquet")
    pa.parquet.write_table(pa.table(texts), folder / "text.parquet")
    comma, semicolons = to_csv(folder / "comma.csv", text), to_csv(folder / "semicolons.csv", text, ";")
    records = [{"x": cell, "n": n} for n, cell in enumerate(text)]
    (folder / "text.json").write_text(json.dumps(records))
    (folder / "text.jsonl").write_text("\n".join(map(json.dumps, records)))
    as_json = [None if c is None else c if isinstance(c, bool | int | float | str) else str(c) for c in typed]
    (folder / "typed.json").write_text(json.dumps([{"x": cell, "n": n} for n, cell in enumerate(as_json)]))
    return {
        "comma.csv": comma,
        "semicolons.csv": semicolons,
        "tabs.tsv": to_csv(folder / "tabs.tsv", text, "\t"),
        "text.parquet": folder / "text.parquet",
        "typed.parquet": folder / "typed.parquet",
        "text.json": folder / "text.json",
        "text.jsonl": folder / "text.jsonl",
        "typed.json": folder / "typed.json",
        "query of CSV": f"SELECT * FROM '{comma}'",
        "query of typed Parquet": f"SELECT * FROM '{folder}/typed.parquet'",
        "query of text Parquet": f"SELECT * FROM '{folder}/text.parquet'",
        "dict of text": texts,
        "dict": {"x": typed, "n": list(range(ROWS))},
        "pandas text": pd.DataFrame(texts),
        "pandas string": pd.DataFrame(texts).astype({"x": "string"}),
        "pandas categories": pd.DataFrame(texts).astype({"x": "category"}),
        "pandas": pd.DataFrame({"x": typed, "n": range(ROWS)}),
        "nullable pandas": pd.DataFrame({"x": typed, "n": range(ROWS)}).convert_dtypes(),
        "Arrow in pandas": arrow.to_pandas(types_mapper=pd.ArrowDtype),
        "Polars": pl.DataFrame({"x": typed, "n": range(ROWS)}, strict=False),
        "Polars text": pl.DataFrame(texts),
        "Arrow": arrow,
        "Arrow text": pa.table(texts),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_is_understood_alike_in_every_format(kind, tmp_path):
    tables = {name: read_table(source) for name, source in sources(tmp_path / "all", *KINDS[kind]).items()}
    for trained, table in tables.items():
        features = Features.fit(table)
        expected = features.matrix(table)
        assert features.feature_names[0] != "n"
        assert np.ptp(expected[:, 0]) > 0, "the column says something"
        for used, other in tables.items():
            if kind in NOTED and (trained in TYPED) > (used in TYPED):
                with pytest.raises(DataError, match="row 1 of the column 'x' holds the text"):
                    features.matrix(other)
            elif trained != "pandas categories" or used not in TYPED or kind not in (*NOTED, "exponents"):
                assert np.array_equal(features.matrix(other), expected), (trained, used)
                assert features.unseen(other) == {}, (trained, used)


def test_categories_stay_categories(tmp_path):
    """A categorical type says what the column is, whatever its categories say."""
    for cells in ([f"{n / 7}" for n in range(30)], ["1.1", "1.10"] * 15, [f"{n},5" for n in range(30)]):
        for frame in (
            pd.DataFrame({"x": cells, "n": range(30)}).astype({"x": "category"}),
            pl.DataFrame({"x": cells, "n": range(30)}).with_columns(pl.col("x").cast(pl.Categorical)),
            pa.table({"x": pa.array(cells).dictionary_encode(), "n": range(30)}),
        ):
            fitted = Features.fit(frame).columns[0]
            assert (type(fitted), fitted.categories) == (CategoryColumn, tuple(sorted({*cells}))), type(frame)
            classes = Target.of(frame, "x").classes if len({*cells}) == 2 else ()
            assert classes in ((), ("1.1", "1.10"))


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_people_write_is_understood_alike_in_every_format(kind, tmp_path):
    tables = {name: read_table(source) for name, source in sources(tmp_path / "all", *WRITTEN[kind]).items()}
    for trained in ("comma.csv", "semicolons.csv", "typed.parquet"):
        features = Features.fit(tables[trained])
        expected = features.matrix(tables[trained])
        features = Features.from_json(json.loads(json.dumps(features.to_json())))
        assert features.describe()[0].kind == ("date" if kind.startswith(("days", "mo")) else "number")
        assert np.ptp(expected[:, 0]) > 0, "the column says something"
        for used, other in tables.items():
            try:
                found = features.matrix(other)
            except DataError as error:  # typed cells don't show how text writes them
                assert (trained in TYPED) > (used in TYPED), (trained, used)
                assert "of the column 'x' holds the text" in str(error)  # noqa: PT017
            else:
                assert np.array_equal(found, expected), (trained, used)


@pytest.mark.parametrize("kind", [*KINDS, *WRITTEN])
def test_a_cell_says_the_same_alone_and_among_others(kind, tmp_path):
    """Each row by itself (in files one), all shuffled, and all again and again, as DuckDB converts what is long."""
    typed, text = (KINDS | WRITTEN)[kind]
    texts = [None if cell in ("NA", "", "?", "null", "NULL") else cell for cell in text]
    for cells in (text, texts, typed):
        features = Features.fit({"x": cells, "n": list(range(ROWS))})
        features = Features.from_json(json.loads(json.dumps(features.to_json())))
        expected = features.matrix({"x": cells, "n": list(range(ROWS))})
        for row in range(ROWS):
            assert np.array_equal(features.matrix({"x": [cells[row]], "n": [row]}), expected[row : row + 1]), cells[row]
        order = np.random.default_rng(0).permutation(ROWS)
        shuffled = {"x": [cells[row] for row in order], "n": order}
        for frame in (shuffled, pd.DataFrame(shuffled)):
            assert np.array_equal(features.matrix(frame), expected[order])
    features = Features.fit({"x": text, "n": list(range(ROWS))})
    expected = features.matrix({"x": text, "n": list(range(ROWS))})
    for rows in ([len(kind)], list(range(ROWS)) * 20):
        table = {"x": [text[row] for row in rows], "n": rows}
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        pa.parquet.write_table(pa.table(table), folder / "t.parquet")
        pd.DataFrame(table).to_json(folder / "t.jsonl", orient="records", lines=True)
        pd.DataFrame(table).to_csv(folder / "t.csv", index=False)
        for name in ("t.parquet", "t.jsonl", "t.csv"):
            for source in (folder / name, f"SELECT * FROM '{folder / name}'"):
                read = read_table(source, text=features.kept)
                assert np.array_equal(features.matrix(read), expected[rows]), source


@pytest.mark.parametrize("kind", LABELS)
def test_a_target_is_understood_alike_in_every_format(kind, tmp_path):
    tables = {name: read_table(source) for name, source in sources(tmp_path / "all", *KINDS[kind]).items()}
    typed, text = LABELS[kind]
    for trained, table in tables.items():
        target = Target.of(table, "x", "binary" if len(typed) == 2 else "multiclass")
        expected_labels = text if any(word in trained for word in AS_TEXT) else typed
        if trained == "query of CSV" and kind == "-1 and +1":
            expected_labels = typed  # SQL reckons with numbers
        if trained == "pandas categories":
            expected_labels = tuple(sorted({str(cell).strip() for cell in KINDS[kind][1]} - {"NA", "", "?", "NULL"}))
        assert target.classes == expected_labels, trained
        assert list(map(type, target.classes)) == list(map(type, expected_labels)), trained
        features = Features.fit(table, target)
        known = runs.with_target(table, target)
        expected = features.targets(known)
        for used, other in tables.items():
            rows = runs.with_target(other, target)
            assert np.array_equal(features.targets(rows), expected), (trained, used)


def test_a_run_scores_the_same_rows_alike_in_every_format(tmp_path):
    random = np.random.default_rng(0)
    x, flag = random.normal(size=200), random.random(200) < 0.5
    y = np.where(x + flag > 0.5, "yes", "no")
    frame = pd.DataFrame({"x": x, "flag": np.where(flag, "yes", "no"), "subscribed": y})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.assign(flag=flag, subscribed=y == "yes").to_parquet(tmp_path / "typed.parquet")
    frame.to_json(tmp_path / "rows.json", orient="records")
    names = [tmp_path / name for name in ("rows.csv", "rows.parquet", "typed.parquet", "rows.json")]
    tables = [read_table(source) for source in [*names, f"FROM '{tmp_path}/rows.csv'", frame]]
    options = runs.TableOptions(
        target="subscribed",
        trees=False,
        members=1,
        layers=(8,),
        epochs=3,
        dropout=0,
        validation_share=0,
        seed=1,
        lanes=1,
    )
    for table in tables:
        run = table_training.train(table, options)
        scores = [run.evaluate(other) for other in tables]
        assert scores == scores[:1] * len(tables)
        labels = runs.predictions(run, table)["prediction"].tolist()
        assert set(labels) == ({True, False} if table.column("subscribed").kind == "boolean" else {"yes", "no"})


def test_columns_of_runs_made_before_are_read(tmp_path):
    """Then a CSV file's yes and no, t and f were booleans, and text that other formats hold kept its white space."""
    stored = {
        "rows": 4,
        "target": {"name": "y", "task": "binary", "classes": [False, True], "mean": 0.0, "scale": 1.0, "missing": 0,
                   "why": "two different values"},
        "columns": [
            {"kind": "boolean", "name": "b", "true_share": 0.5, "missing": 0},
            {"kind": "category", "name": "s", "categories": [" red", "7.0", "x"], "rest": False, "missing": 0},
            {"kind": "category", "name": "d", "categories": ["2024-05-31T00:00:00", "?!"], "rest": False, "missing": 0},
        ],
    }  # fmt: skip
    features = Features.from_json(json.loads(json.dumps(stored)))
    path = tmp_path / "t.csv"
    path.write_text("b,s,d,y\nyes,red,2024-05-31,no\nno,7,?!,yes\n")
    table = read_table(path)
    assert features.matrix(table).tolist() == [[1, 1, 0, 0, -1], [-1, 0, 1, 0, 1]]
    assert features.targets(table).tolist() == [[0], [1]]
    assert features.to_json() == stored


def test_headers_are_names_whatever_they_say(tmp_path):
    names = ["null", "NA", "?", "None", "nan", "007", "true"]
    path = tmp_path / "t.csv"
    path.write_text(",".join(names) + "\n" + ",".join("1" * len(names)) + "\nNA,,?,None,nan,null,N/A\n")
    for source in (path, f"FROM '{path}'"):
        table = read_table(source)
        assert table.names == names
        assert [table.column(name).missing().tolist() for name in names] == [[False, True]] * len(names)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["2024-05-31T10:30Z", "2024-05-31 10:30:00+02:00"], "date", ["2024-05-31T10:30", "2024-05-31T08:30"]),
        (["2024-05-31 00:00:00-0530", "2024/6/1"], "date", ["2024-05-31T05:30", "2024-06-01"]),
        (["31.5.2024", "01.06.2024"], "date", ["2024-05-31", "2024-06-01"]),
        (["1/2/2024 8:26", "12/31/2024 23:00"], "date", ["2024-01-02T08:26", "2024-12-31T23:00"]),
        (["1/2/2024", "31/12/2024"], "date", ["2024-02-01", "2024-12-31"]),
        (["5/5/2024"], "date", ["2024-05-05"]),
        (["1/2/2024", "3/4/2024"], "date", ["2024-02-01", "2024-04-03"]),
        (["13/1/2024", "1/13/2024"], "text", None),
        (["2024-02-30", "2024-02-29"], "text", None),
        (["9:05", "10:30:15.5"], "number", [32700, 37815.5]),
        (["24:00", "10:30"], "text", None),
        (["1_000", "2"], "text", None),
        (["0x10", "2"], "text", None),
        (["٣", "2"], "text", None),
        (["1e400", "-Inf"], "number", [np.inf, -np.inf]),
        (["+.5", "1."], "number", [0.5, 1]),
        (["1,5", "1.5"], "text", None),
        (["1,234", "567"], "integer", [1234, 567]),
        (["1,234", "1,23"], "number", [1.234, 1.23]),
        (["-01", "2"], "text", None),
        (["TRUE", "false"], "boolean", [1, 0]),
        (["true", "no"], "text", None),
    ],
)
def test_what_text_says(cells, kind, values, tmp_path):
    expected = None if values is None else np.array(values, "M8[us]" if kind == "date" else "f8")
    for source in ({"x": cells}, to_csv(tmp_path / "t.csv", cells, "\t"), f"FROM '{tmp_path}/t.csv'"):
        column = read_table(source).column("x")
        assert column.kind == kind
        assert column.values.tolist() == (cells if expected is None else expected.tolist())


marks = "+-.,eE_ :/TZxI?%$()"
pieces = st.sampled_from(
    [*"0123456789", *"0123456789", *marks, "inf", "nan", "true", "2024-", "12:", "é", " kg", "月", "—"]
)
texts = st.lists(st.lists(pieces, max_size=8).map("".join), min_size=1, max_size=4)


@settings(max_examples=examples(150), deadline=None)
@given(texts, st.booleans())
def test_duckdb_reads_text_as_python_does(tmp_path_factory, cells, long):
    """What DuckDB converts, in Parquet and in a query, is what Python would: also where cells come again and again."""
    cells = cells * 600 if long else cells
    path = tmp_path_factory.mktemp("text") / "t.parquet"
    pa.parquet.write_table(pa.table({"x": cells}), path)
    expected = text_column(cells)
    for source in (path, f"SELECT x FROM '{path}'"):
        column = read_table(source).column("x")
        assert (column.kind, column.written) == (expected.kind, expected.written)
        np.testing.assert_array_equal(column.values, expected.values)


@given(st.lists(st.floats(allow_nan=False) | st.integers(-(10**20), 10**20), min_size=1, max_size=5))
def test_all_ways_to_write_a_number_are_one(numbers):
    for written in (repr, str, lambda number: f"{number:e}", lambda number: f" {number}\t"):
        texts = list(map(written, numbers))
        found = read({text.strip() for text in texts})
        assert found is not None
        assert text_column(texts).values.tolist() == [float(text) for text in texts]


def test_labels_are_found_by_what_they_say():
    def codes(known, *cells):
        return label_codes(known, Table.of({"x": list(cells)}).column("x")).tolist()

    assert codes(("no", "yes"), True, None, False) == [1, -2, 0]
    assert codes(("yes", "no"), 1, 0) == [0, 1]
    assert codes((False, True), "Yes", "no", "maybe") == [1, 0, -1]
    assert codes((0, 1), True, False) == [1, 0]
    assert codes(("F", "M"), True, False) == [-1, -1]  # F is no "false" beside M
    assert codes(("no", "unknown", "yes"), True, "yes") == [-1, 2]
    assert codes(("false", "true", "unknown"), True, False) == [1, 0]
    assert codes(("007", "7.5"), 7, 7.5, 8) == [0, 1, -1]
    assert codes(("1", "1.0"), "1.0", "1", "x") == [1, 0, -1]
    assert codes(("2024-05-31", "never"), datetime.date(2024, 5, 31)) == [0]
    assert codes(("10:30", "closed"), datetime.time(10, 30)) == [0]
    assert codes((1, 2), "1.0", "two") == [0, -1]
    assert codes((1, 2, 2.5), "1.0", "2.5", "2.50", "x", "1.5") == [0, 2, 2, -1, -1]
    assert codes(("1.1", "7"), "1.10", "7.0", "x") == [-1, 1, -1]  # another version
    assert codes(("b\u3000", "c"), "b\u3000", " b\u3000", "b") == [0, 0, -1]  # white space that cells keep
    assert label_codes(("a",), Column("other", np.array([None], object), "LIST")).tolist() == [-2]


def test_labels_are_given_back_as_they_were_written(tmp_path):
    for cells, labels in (
        (["TRUE", "FALSE"], ("FALSE", "TRUE")),
        (["true", "false"], (False, True)),
        (["True", "TRUE", "False"], (False, True)),  # one label in two ways
        (["-1", "+1"], ("-1", "+1")),
        (["1.50", "2"], ("1.50", "2")),
        (["1.0", "2.0"], (1.0, 2.0)),
        (["1", "2"], (1, 2)),
    ):
        path = to_csv(tmp_path / "t.csv", cells * 700)
        for source in (path, {"x": cells}):
            classes = Target.of(read_table(source), "x", "binary").classes
            assert list(map(str, classes)) == list(map(str, labels))
            assert [type(label) for label in classes] == [type(label) for label in labels]


def test_text_in_a_regression_target_is_named_with_its_row():
    table = Table.of({"x": np.arange(30), "y": np.arange(30) / 4})
    options = runs.TableOptions(target="y", trees=False, members=1, layers=(), epochs=1, validation_share=0)
    run = table_training.train(table, options)
    with pytest.raises(DataError, match="row 2 of the column 'y' holds the text 'abc'"):
        run.evaluate(Table.of({"x": [1, 2], "y": ["1.5", "abc"]}))
    with pytest.raises(DataError, match="held numbers in training and holds dates"):
        run.evaluate(Table.of({"x": [1, 2], "y": [DAY, DAY]}))
