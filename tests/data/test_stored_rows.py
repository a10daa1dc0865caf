"""Rows that are kept in a file: the same columns as in memory, and what is said of files that are wrong."""

import subprocess
import sys

import numpy as np
import pytest

from thalweg.data import read_table, write_table
from thalweg.data.large_source import LargeSource
from thalweg.data.stored_rows import ROWS, Reading, stored_rows
from thalweg.errors import ArgumentError, DataError, NotFoundError

MEMORY = 200 << 20


def columns(rows, seed=0):
    random = np.random.default_rng(seed)
    return {
        "n": random.normal(size=rows).round(3),
        "k": random.integers(-50, 50, rows),
        "t": np.array([f"t{k}" for k in random.integers(0, 9, rows)], object),
        "d": np.datetime64("2024-01-01", "us") + random.integers(0, 10**13, rows) * np.timedelta64(1, "us"),
        "id": np.array([f"row {k}" for k in range(rows)], object),
    }


def alike(one, other):
    assert one.names == other.names
    for name in one.names:
        a, b = one.column(name), other.column(name)
        assert (a.kind, a.origin, a.style) == (b.kind, b.origin, b.style), name
        assert all(x == y or (x != x and y != y) for x, y in zip(a.values.tolist(), b.values.tolist(), strict=True))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "query", "arrow", "dataset"])
@pytest.mark.parametrize("rows", [40, 3000])
def test_columns_are_those_of_the_table_in_memory(tmp_path, ending, rows):
    file = tmp_path / f"rows.{ending}"
    given = source = str(file)
    if ending == "query":
        file = tmp_path / "rows.parquet"
        given = source = f"SELECT * FROM '{file}' WHERE k > 0"
    if ending in ("arrow", "dataset"):
        pa = pytest.importorskip("pyarrow")
        table = pa.table({name: pa.array(values) for name, values in columns(rows).items()})
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        if ending == "dataset":
            dataset = pytest.importorskip("pyarrow.dataset")
            given, source = dataset.dataset(str(file), format="ipc"), table
    else:
        write_table(file, columns(rows))
    whole = read_table(source)
    with stored_rows(LargeSource.of(given), tmp_path, MEMORY, MEMORY) as stored:
        assert stored.rows == whole.rows
        alike(stored.table(0, whole.rows), whole)
        some = np.array([0, 3, 17])
        alike(stored.taken(some), whole.take(some))
        assert stored.table(5, 9).row_number(1) == 7


def folder(tmp_path, *tables):
    place = tmp_path / "rows"
    place.mkdir()
    for number, table in enumerate(tables):
        write_table(place / f"{number}.parquet", table)
    return place


def read(source, tmp_path, told=None):
    with stored_rows(LargeSource.of(source), tmp_path, MEMORY, MEMORY, tell=told) as stored:
        return stored.rows


def test_a_folder_is_read_file_by_file_and_goes_on_where_it_was_ended(tmp_path):
    place = folder(tmp_path, columns(30), columns(20, seed=1), columns(10, seed=2))
    told = []

    def interrupt(name):
        told.append(name)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(place, tmp_path, interrupt)
    assert read(place, tmp_path, told.append) == 60
    assert [name[-9:] for name in told] == [f"{k}.parquet" for k in (0, 1, 1, 2)]
    assert read(place, tmp_path, told.append) == 60
    assert len(told) == 4
    (place / "0.parquet").unlink()
    write_table(place / "0.parquet", columns(31))
    with pytest.raises(DataError, match=r"0\.parquet isn't as it was"):
        read(place, tmp_path)


def test_files_with_other_columns_are_named(tmp_path):
    names = {"n": "it lacks 'n'", "more": "it has 'more' besides", "k": "'k' is DOUBLE in it, and BIGINT before"}
    for name, said in names.items():
        place = tmp_path / name
        place.mkdir()
        other = columns(20)
        if name == "n":
            del other["n"]
        else:
            other[name] = np.linspace(0, 1, 20)
        with pytest.raises(DataError, match=rf"1\.parquet has other columns than the files before it: {said}"):
            read(folder(place, columns(30), other), place)
    reordered = dict(reversed(columns(20).items()))
    place = tmp_path / "reordered"
    place.mkdir()
    assert read(folder(place, columns(30), reordered), place) == 50


def test_a_file_that_is_cut_off_is_named(tmp_path):
    place = folder(tmp_path, columns(30), columns(3000))
    whole = (place / "1.parquet").read_bytes()
    (place / "1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"can't read .*1\.parquet: "):
        read(place, tmp_path)
    (place / "1.parquet").write_bytes(whole)
    assert read(place, tmp_path) == 3030  # the first file was kept


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, monkeypatch):
    place, real = folder(tmp_path, columns(30)), Reading.append

    def slow(*arguments):
        real(*arguments)
        with (place / "0.parquet").open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(Reading, "append", slow)
    with pytest.raises(DataError, match=r"0\.parquet changed while it was read"):
        read(place, tmp_path)


def test_a_full_disk_is_named(tmp_path):
    resource = pytest.importorskip("resource", reason="no limits on the size of files")
    place, before = folder(tmp_path, columns(200_000)), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(
            DataError, match=r"duckdb can't be written: File too large; make room there, or give another"
        ):
            read(place, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("query", [False, True])
def test_two_commands_on_one_cache(tmp_path, query):
    """The file of rows is held by a process as long as that reads from it."""
    place = folder(tmp_path, columns(30))
    held = f"import duckdb; c = duckdb.connect({str(tmp_path / ROWS)!r}); print(1, flush=True); input()"
    command = [sys.executable, "-c", held]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        with pytest.raises(DataError) as caught:
            read("SELECT 1 AS a" if query else place, tmp_path)
        other.communicate("\n")
    said = f"{tmp_path / ROWS} is used by another command: wait until that has ended, or give another --cache"
    assert str(caught.value) == said


@pytest.mark.parametrize("kept", [0, 5000, 12_288 + 100])
def test_a_damaged_file_of_rows_is_named(tmp_path, kept):
    place = folder(tmp_path, columns(200_000))
    read(place, tmp_path)
    content = (tmp_path / ROWS).read_bytes()
    (tmp_path / ROWS).write_bytes(content[:kept] + b"\7" * (len(content) - kept))
    with pytest.raises(DataError, match=r"rows\.duckdb is damaged: remove it, and the rows are read again"):
        read(place, tmp_path)


def test_what_cannot_be_a_source(tmp_path):
    with pytest.raises(DataError, match="a folder without a table's file"):
        LargeSource.of(tmp_path)
    with pytest.raises(NotFoundError, match="there is no file"):
        LargeSource.of(str(tmp_path / "nothing.csv"))
    with pytest.raises(ArgumentError, match="got dict"):
        LargeSource.of({"a": [1]})
    write_table(tmp_path / "a.csv", columns(3))
    write_table(tmp_path / "b.parquet", columns(3))
    with pytest.raises(DataError, match=r"different kinds: a\.csv and b\.parquet"):
        LargeSource.of(tmp_path)
    (tmp_path / "b.parquet").unlink()
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path / "a.csv", tmp_path)
    assert (tmp_path / ROWS).exists()


def test_text_in_other_forms(tmp_path):
    """Another encoding, other quotes, lines that end in several ways: of which none is taken for the same as before."""
    (tmp_path / "t.csv").write_bytes("a;b\r\n'紅; 色';1,5\n綠;2,5\r\n".encode("big5"))
    given = {"quote": "'", "encoding": "big5"}
    with stored_rows(LargeSource.of(tmp_path / "t.csv", **given), tmp_path, MEMORY, MEMORY) as stored:
        table = stored.table(0, 2)
        assert table["a"].tolist() == ["紅; 色", "綠"]
        assert table["b"].tolist() == [1.5, 2.5]
    for other in ({"quote": "'", "encoding": "cp950"}, {"encoding": "big5"}):
        with (
            pytest.raises(DataError, match=r"t\.csv isn't as it was when it was read"),
            stored_rows(LargeSource.of(tmp_path / "t.csv", **other), tmp_path, MEMORY, MEMORY),
        ):
            pass


def test_blocks_are_whole_batches(tmp_path):
    write_table(tmp_path / "a.csv", columns(100))
    with stored_rows(LargeSource.of(tmp_path / "a.csv"), tmp_path, MEMORY, MEMORY) as stored:
        for most, batch, sizes in (
            (100, 1, [100]),
            (40, 1, [40, 40, 20]),
            (40, 16, [32, 32, 36]),
            (40, 30, [30, 30, 40]),
            (3, 64, [100]),
            (64, 200, [100]),
        ):
            found = list(stored.blocks(most, batch))
            assert [table.rows for table in found] == sizes
            assert [table.row_number(0) for table in found] == np.cumsum([1, *sizes[:-1]]).tolist()
