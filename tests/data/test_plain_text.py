"""Plain numbers and moments of text files are converted as they are read: to the columns that their text would give."""

from contextlib import contextmanager

import numpy as np
import pytest

from thalweg.data import database, read_table, stored_rows
from thalweg.data.database import OddCellError, plain_kind, promised
from thalweg.data.large_source import LargeSource

ROWS = 3000
NUMBERS = [str(k % 977 - 400) for k in range(ROWS)]
FRACTIONS = [f"{(k % 1009) / 8}" for k in range(ROWS)]
DAYS = [f"2024-{k % 12 + 1:02}-{k % 28 + 1:02}" for k in range(ROWS)]


def late(cells, *odd, at=2500):
    """The cells, of which some after the first thousand are others."""
    return [*cells[:at], *odd, *cells[at + len(odd) :]]


COLUMNS = {
    "whole": NUMBERS,
    "fractions": FRACTIONS,
    "days": DAYS,
    "signs": ["+" + cell.lstrip("-") for cell in NUMBERS],
    "missing late": late(NUMBERS, "NA", "", "nan", " ? "),
    "missing at once": late(FRACTIONS, "NA", "", at=3),
    "white space late": late(FRACTIONS, "  12.5", "3.25 "),
    "a fraction late": late(NUMBERS, "12.5"),
    "a code late": late(NUMBERS, "007"),
    "too long late": late(NUMBERS, "12345678901234567890"),
    "infinite late": late(FRACTIONS, "-inf"),
    "power late": late(FRACTIONS, "1e-3", "1E5"),
    "a word late": late(NUMBERS, "many"),
    "a unit late": late(NUMBERS, "12 kg"),
    "thousands late": late(NUMBERS, "1_000"),
    "no such day late": late(DAYS, "2024-02-31"),
    "time late": late(DAYS, "2024-05-31T10:30:15"),
    "nothing at first": [*[""] * 1500, *NUMBERS[1500:]],
    "few fractions": [f"1.{k % 9}" for k in range(ROWS)],
    "words": [f"town {k % 7}" for k in range(ROWS)],
}


def written(tmp_path, columns, name="rows.csv"):
    """A CSV file of these columns, beside one of text."""
    columns = columns | {"row": [f"row {k}" for k in range(len(next(iter(columns.values()))))]}
    lines = [",".join(columns), *(",".join(cells) for cells in zip(*columns.values(), strict=True))]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path / name


@contextmanager
def all_as_text(monkeypatch):
    """No column is converted before all of it has been looked at."""
    with monkeypatch.context() as patched:
        for module in (database, stored_rows):
            patched.setattr(module, "promised", lambda connection, source, types, text: types)
        yield


def same(one, other):
    """Whether two columns are the same, cell by cell."""
    assert (one.kind, one.origin, one.style) == (other.kind, other.origin, other.style)
    assert one.values.dtype == other.values.dtype
    np.testing.assert_array_equal(one.values, other.values)
    if one.text is None or other.text is None:
        assert one.text is other.text
    else:
        np.testing.assert_array_equal(one.text, other.text)


@pytest.fixture
def kept(tmp_path):
    """Reads the rows of files into a folder, and gives them as a table."""

    def read(source, text=(), folder="kept"):
        (tmp_path / folder).mkdir(exist_ok=True)
        given = LargeSource.of(str(source))
        with stored_rows.stored_rows(given, tmp_path / folder, 400 << 20, 400 << 20, text) as rows:
            return rows.table(0, rows.rows), rows.how.types

    return read


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_those_that_their_text_would_give(name, tmp_path, monkeypatch, kept):
    path = written(tmp_path, {"x": COLUMNS[name]})
    now, (stored, _) = read_table(path), kept(path)
    with all_as_text(monkeypatch):
        before = read_table(path)
    same(now.column("x"), before.column("x"))
    same(stored.column("x"), before.column("x"))


def test_plain_columns_are_converted_as_they_are_read(tmp_path, kept):
    _, types = kept(written(tmp_path, {"a": NUMBERS, "b": FRACTIONS, "c": DAYS, "d": COLUMNS["a word late"]}))
    assert [plain_kind(sql_type) for _, sql_type in types] == ["integer", "number", "date", None, None]


def test_one_that_breaks_its_promise_is_named(tmp_path):
    path = written(tmp_path, {"a": NUMBERS, "b": COLUMNS["a word late"]})
    with database.connect(400 << 20) as connection:
        source = f"FROM read_csv('{path}', all_varchar=true)"
        types = promised(connection, source, database.described(connection, source), ())
        with pytest.raises(database.duckdb_error()) as raised:
            connection.execute(database.selected(types, source)).fetchall()
        odd = OddCellError.of(raised.value, types)
        assert odd is not None
        assert odd.column == "b"
        assert OddCellError.of(raised.value, [types[0], ("b", "VARCHAR")]) is None  # it is text already


def test_files_behind_the_first_are_held_to_its_promise(tmp_path, kept, monkeypatch):
    """A word in the third file has all three read again; numbers that only they hold are text everywhere."""
    (tmp_path / "files").mkdir()
    for number, cells in enumerate([NUMBERS, NUMBERS, COLUMNS["a word late"]]):
        written(tmp_path / "files", {"x": cells, "y": FRACTIONS}, f"{number}.csv")
    table, types = kept(tmp_path / "files")
    assert [plain_kind(sql_type) for _, sql_type in types] == [None, "number", None]
    assert (table.rows, table.column("x").kind, table.column("y").kind) == (3 * ROWS, "text", "number")
    with all_as_text(monkeypatch):
        before = read_table(tmp_path / "files" / "*.csv")
    for name in ("x", "y", "row"):
        same(table.column(name), before.column(name))


def test_what_is_kept_is_read_again_where_its_text_is_wanted(tmp_path, kept):
    path = written(tmp_path, {"x": COLUMNS["signs"], "y": NUMBERS})
    assert kept(path)[0].column("x").text is None
    table, types = kept(path, text=("x",))
    assert plain_kind(types[1][1]) == "integer"
    assert table.column("x").as_text()[:2].tolist() == COLUMNS["signs"][:2]
    assert kept(path, text=("x",))[0].column("x").as_text()[0] == COLUMNS["signs"][0]  # without reading again
