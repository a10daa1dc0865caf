"""Few rows are read in one query, many rows by DuckDB's aggregates: both understand every column alike."""

import csv
import itertools

import numpy as np
import pytest

from thalweg.data import database, read_table

ROWS = 24
HOSTILE = {
    "integers": ["7", "-3", "0"],
    "spelled integers": ["+7", "-0", "3"],
    "leading zeros": ["007", "010"],
    "an integer or missing": ["7", "", "NA", "null", "?"],
    "spaces": [" 7", "8 ", "\t9"],
    "beyond 2^53": ["9007199254740993", "1234567890123456789"],
    "endless": ["1" * 400, "2"],
    "numbers": ["1.5", "-2e3", ".5", "3."],
    "spelled numbers": ["1.0", "2.50", "1e0"],
    "infinite": ["inf", "-Infinity", "1"],
    "not a number": ["nan", "NaN", "1"],
    "thousands": ["1,234", "5,678"],
    "either": ["1,234", "5.678"],
    "points": ["1.234", "5.678"],
    "percent": ["45%", "7 %"],
    "money": ["NT$1,234", "NT$5"],
    "gaps": ["1", "-", "—", "3"],
    "gaps alone": ["-", "-"],
    "truth": ["true", "false"],
    "loud truth": ["TRUE", "FALSE", ""],
    "mixed truth": ["TRUE", "true", "false"],
    "words": ["yes", "no"],
    "days": ["2024-05-31", "2023-01-01"],
    "moments": ["2024-05-31T12:30:00", "2024-05-31 12:30:00.5"],
    "zoned": ["2024-05-31T12:30:00+08:00", "2024-05-31T12:30:00Z"],
    "no such day": ["2024-02-30", "2024-02-01"],
    "day first": ["31/12/2020", "01/02/2021"],
    "either order": ["01/02/2021", "03/04/2021"],
    "民國": ["109年12月31日", "110年1月1日"],
    "clock": ["00:00:05", "12:30"],
    "codes": ["12A", "3+", "5th"],
    "wide digits": ["１２", "３"],
    "Arabic digits": ["١٢", "٣"],
    "nothing": ["", "NA"],
    "quoted": ['a "b", c', "two\nlines", ""],
    "odd spaces": ["\u00a07", "8\u3000"],
    "text": ["red", "green", " blue "],
}


def write(path, columns):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def cells(name, rows):
    return list(itertools.islice(itertools.cycle(HOSTILE[name]), rows))


def same(one, other, name):
    assert (one.kind, one.notation, one.unit, one.written) == (other.kind, other.notation, other.unit, other.written), (
        name
    )
    for held in ("values", "text"):
        a, b = getattr(one, held), getattr(other, held)
        if a is None and held == "text" and b is not None:  # of plain numbers and moments, many rows keep no text
            assert one.kind in ("integer", "number", "date"), name
            assert other.origin == one.origin == "text"
            continue
        assert (a is None) == (b is None), (name, held)
        if a is not None:
            a = a[: len(b)]
            assert a.dtype == b.dtype
            equal = np.array_equal(a, b, equal_nan=True) if a.dtype.kind == "f" else all(
                x == y or (x != x and y != y) for x, y in zip(a.tolist(), b.tolist(), strict=True)
            )  # fmt: skip
            assert equal, (name, held, a, b)


def test_many_columns_are_understood_as_each_alone_in_many_rows(tmp_path):
    wide = read_table(write(tmp_path / "wide.csv", {name: cells(name, ROWS) for name in HOSTILE}))
    many = 5 * ROWS * 20
    assert many > database.FEW_ROWS > ROWS
    for name in HOSTILE:
        alone = read_table(write(tmp_path / "alone.csv", {name: cells(name, many), "n": range(many)}))
        same(alone.column(name), wide.column(name), name)


def test_few_rows_are_fetched_at_once_however_many_columns(tmp_path, monkeypatch):
    """Not a query for each batch of columns."""
    columns = {f"c{n}": [str(n * row % 7) for row in range(3)] for n in range(300)}
    path = write(tmp_path / "wide.csv", columns)
    asked = []
    one_after_the_other = database._any_rows
    monkeypatch.setattr(database, "_any_rows", lambda *given: asked.append(given) or one_after_the_other(*given))
    fast = read_table(path)
    assert not asked
    assert fast.rows == 3
    monkeypatch.setattr(database, "FEW_ROWS", 2)
    slow = read_table(path)
    assert len(asked) == 1
    for name in columns:
        same(slow.column(name), fast.column(name), name)


@pytest.mark.parametrize(
    "rows", [database.FEW_ROWS - 1, database.FEW_ROWS, database.FEW_ROWS + 1, 2 * database.FEW_ROWS]
)
def test_no_row_is_lost_at_the_limit(rows, tmp_path):
    table = read_table(write(tmp_path / "t.csv", {"n": range(rows), "s": [f"x{n}" for n in range(rows)]}))
    assert table["n"].tolist() == list(range(rows))
    assert table["s"].tolist() == [f"x{n}" for n in range(rows)]
