"""Runs on tables that are kept on a disk: the same columns and bits, interrupted or not, and what is refused."""

import json
import warnings

import numpy as np
import pytest

from thalweg.data import read_table, write_table
from thalweg.data.large_source import LargeSource
from thalweg.data.stored_rows import stored_rows
from thalweg.errors import ArgumentError, BadRowsError, DataError
from thalweg.runs.large import converted, large_training, roles
from thalweg.runs.large.converted import Converted, convert, rows_of
from thalweg.runs.large.large_training import Place, train_large
from thalweg.runs.large.memory import bytes_of, fetcher, reader
from thalweg.runs.large.roles import Roles
from thalweg.runs.table_run import TableOptions, load
from thalweg.tabular.features import Features, Target

ROWS = 4000
OPTIONS = TableOptions(target="y", members=2, layers=(8,), epochs=3, seed=5)
PLACE = Place(2_000_000_000)


def columns(rows=ROWS, kind="multiclass"):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 3))
    town = np.array([f"town {k}" for k in random.integers(0, 30, rows)], object)
    made = {
        "binary": np.where(x[:, 0] > 0, "yes", "no").astype(object),
        "multiclass": np.array(["a", "b", "c"], object)[np.digitize(x[:, 0] + 0.1 * x[:, 1], [-0.5, 0.5])],
        "regression": (x[:, 0] * 3 + x[:, 1]).round(4),
    }
    return {"a": x[:, 0].round(3), "b": x[:, 1].round(3), "town": town, "y": made[kind]}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Limits that a small table exceeds."""
    monkeypatch.setattr(large_training, "SMALL", 1000)
    monkeypatch.setattr(converted, "BLOCK_CELLS", 12_000)
    monkeypatch.setattr(roles, "MOST_HELD", 200)


def source(tmp_path, table=None, name="rows.parquet"):
    file = tmp_path / name
    write_table(file, columns() if table is None else table)
    return LargeSource.of(str(file))


def made(tmp_path, table=None, cache="cache", options=OPTIONS, **more):
    place = Place(PLACE.memory, tmp_path / cache if cache else None)
    given = (
        source(tmp_path, table)
        if not (tmp_path / "rows.parquet").exists()
        else LargeSource.of(str(tmp_path / "rows.parquet"))
    )
    return train_large(given, options, place, **more)


def test_roles_are_drawn_by_the_rows_numbers():
    drawn = Roles.of(1_000_000, 30, 0.2, 4, seed=1)
    assert len(drawn.tested()) == pytest.approx(roles.MOST_TEST, rel=0.05)
    assert len(drawn.sampled()) == pytest.approx(roles.MOST_CELLS // 30, rel=0.05)
    assert not set(drawn.tested()) & set(drawn.sampled())
    assert np.array_equal(drawn.draws(999, 2001)[1:], drawn.draws(1000, 2001))
    few = Roles.of(1000, 4, 0.2, 2, seed=1)
    assert sorted([*few.tested(), *few.sampled()]) == list(range(1000))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_columns_and_rows_are_those_of_the_table_in_memory(tmp_path, task):
    """Where the sample is all rows to learn from: the same medians, scales and categories, the same matrix."""
    run = made(tmp_path, columns(kind=task))
    whole = read_table(tmp_path / "rows.parquet")
    drawn = Roles.of(ROWS, 4, 0.2, 2, OPTIONS.split_seed)
    rest = whole.take(drawn.sampled())
    target = Target.of(whole, "y")
    features = Features.fit(rest, target.fitted(rest))
    assert len(run.features.columns) == 3
    assert run.features.to_json() == features.to_json()
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    store = Converted(folder, run.features)
    for line in (folder / "blocks.jsonl").read_text().splitlines():
        store.take(json.loads(line))
    x, y = rows_of(store, np.arange(store.rows))
    assert np.array_equal(x, features.matrix(rest))
    assert np.array_equal(y, features.targets(rest).ravel())
    assert run.facts["rows"]["test"] == len(drawn.tested())
    scores = run.facts["held-out"]
    assert scores["R²"] > 0.7 if task == "regression" else scores["accuracy"] > 0.8


def test_a_run_is_saved_and_read_as_any_other(tmp_path):
    run = made(tmp_path)
    run.save(tmp_path / "run", ["thalweg"])
    again = load(tmp_path / "run")
    rows = read_table(tmp_path / "rows.parquet").take(np.arange(50))
    assert np.array_equal(again.predict(rows), run.predict(rows))


def test_windows_dont_change_a_bit_nor_does_the_cache(tmp_path, monkeypatch):
    from thalweg.batches import on_disk

    first = made(tmp_path)
    kept = made(tmp_path)  # from the cache
    apart = made(tmp_path, cache=None)
    for run in (kept, apart):
        assert np.array_equal(run.model.vector, first.model.vector)
        assert run.facts["held-out"] == first.facts["held-out"]
    monkeypatch.setattr(on_disk, "WINDOW_BYTES", 20_000)  # another order
    assert not np.array_equal(made(tmp_path).model.vector, first.model.vector)


def test_a_conversion_goes_on_where_it_was_ended(tmp_path, monkeypatch):
    told, real = [], converted.part

    def interrupted(*arguments):
        told.append(arguments[3])
        if len(told) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(converted, "part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path)
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    with (folder / "matrix").open("ab") as file:
        file.write(b"half a block")
    with (folder / "blocks.jsonl").open("a") as file:
        file.write('{"after": 99')  # a line that was cut off
    run = made(tmp_path)
    assert told[2] == told[3] > 0
    assert len(set(told)) == len(told) - 1
    assert np.array_equal(run.model.vector, made(tmp_path, cache=None).model.vector)


def test_what_was_changed_on_the_disk_is_noticed(tmp_path):
    made(tmp_path)
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    with (folder / "matrix").open("r+b") as file:
        file.seek(5000)
        file.write(b"!")
    with pytest.raises(DataError, match="isn't what was written there"):
        made(tmp_path)
    (tmp_path / "rows.parquet").unlink()
    write_table(tmp_path / "rows.parquet", columns(ROWS + 1))
    with pytest.raises(DataError, match=r"rows\.parquet isn't as it was when it was read"):
        made(tmp_path)


def test_other_options_are_converted_anew(tmp_path):
    made(tmp_path)
    made(tmp_path, options=TableOptions(**vars(OPTIONS) | {"ignore": ("b",)}))
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 2


def test_rows_without_a_target_and_rare_classes(tmp_path):
    table = columns()
    table["y"][::7] = None
    table["y"][3999] = "rare"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = made(tmp_path, table)
    assert run.facts["rows"]["without target"] == 572
    assert run.facts["rows"]["train"] + run.facts["rows"]["test"] == pytest.approx(ROWS - 572, abs=150)
    assert "rare" in run.target.classes


def test_a_cell_that_cannot_be_used_is_named(tmp_path):
    table = columns()
    number = int(Roles.of(ROWS, 4, 0.2, 2, OPTIONS.split_seed).sampled()[-1])
    table["a"][number] = np.inf
    with pytest.raises(BadRowsError, match=f"row {number + 1} of the column 'a' holds inf"):
        made(tmp_path, table)


def test_a_small_table_is_read_into_memory(tmp_path):
    run = made(tmp_path, columns(600))
    assert run.facts["rows"]["train"] == 480
    assert run.trees or run.facts["options"]["members"]


def test_a_disk_that_is_too_small_is_named_before(tmp_path, monkeypatch):
    monkeypatch.setattr(converted.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(DataError, match=r"needs 0\.0 GB for the converted rows, and its disk has 0\.0 GB left"):
        made(tmp_path)


def test_a_disk_that_fills_is_named(tmp_path):
    resource = pytest.importorskip("resource", reason="no limits on the size of files")
    given = source(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with stored_rows(given, tmp_path, 200 << 20, 200 << 20) as rows:
        table = rows.table(0, ROWS)
        features = Features.fit(table, Target.of(table, "y"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        try:
            with pytest.raises(DataError, match="store can't be written: File too large"):
                convert(rows, Roles.of(ROWS, 4, 0.2, 2, 0), features, tmp_path / "store", {})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert convert(rows, Roles.of(ROWS, 4, 0.2, 2, 0), features, tmp_path / "store", {}).source == ROWS


def test_memory_is_read_as_people_write_it():
    assert [bytes_of(text) for text in ("500MB", "0.5 GB", "1 GiB", "10")] == [500 * 10**6, 5 * 10**8, 2**30, 10]
    for wrong in ("much", "-1MB", "5 apples"):
        with pytest.raises(ArgumentError, match="a number of bytes such as 500MB"):
            bytes_of(wrong)


def test_a_limit_below_the_least_names_it(tmp_path):
    with pytest.raises(ArgumentError, match=r"memory=100 MB is too little for this table: 4\d\d MB is the least"):
        train_large(source(tmp_path), OPTIONS, Place(100_000_000))
    assert min(reader(500_000_000, 0)) >= 80_000_000
    assert reader(500_000_000, 0, timed=True)[1] == 80_000_000
    assert fetcher(100_000_000, 1_000_000, 30) == 99_700_000
    assert fetcher(80_000_000, 100_000_000, 30) == 50_000_000
    assert fetcher(80_000_000, 10**9, 30) == 48_000_000


REFUSED = [{"group": "town"}, {"time": "a"}, {"folds": 3}, {"class_weight": "balanced"}, {"skip_bad": True}]


@pytest.mark.parametrize("option", REFUSED)
def test_options_that_need_all_rows_are_refused(tmp_path, option):
    with pytest.raises(ArgumentError, match=f"--{next(iter(option)).replace('_', '-')} needs all rows in memory"):
        made(tmp_path, options=TableOptions(**vars(OPTIONS) | option))


def test_a_query_has_no_cache(tmp_path):
    source(tmp_path)
    query = LargeSource.of(f"SELECT * FROM '{tmp_path / 'rows.parquet'}'")
    with pytest.raises(ArgumentError, match="--cache is for files"):
        train_large(query, OPTIONS, Place(PLACE.memory, tmp_path / "cache"))
    assert train_large(query, OPTIONS, PLACE).facts["rows"]["train"] > 3000


def test_the_command(run_thalweg, tmp_path):
    write_table(tmp_path / "rows.csv", columns())
    (tmp_path / "folder").mkdir()
    for number in range(2):
        write_table(tmp_path / "folder" / f"{number}.parquet", columns(2000))
    more = ("--target", "y", "--members", 1, "--layers", "4", "--epochs", 1, "--seed", 1, "--no-report")
    code, printed, wrong = run_thalweg("train", "rows.csv", *more, "--memory", "2GB", "--out", "one")
    assert (code, wrong) == (0, "")
    assert "held out to judge by\nthey lie in" in printed
    assert "networks alone learn from them; columns were fitted on all of them" in printed
    code, printed, wrong = run_thalweg("train", "folder", *more, "--cache", "kept", "--out", "two")
    assert (code, wrong) == (0, "")
    assert (tmp_path / "kept" / "rows.duckdb").exists()
    code, _, wrong = run_thalweg("train", "folder", *more, "--memory", "10MB", "--out", "three")
    assert code == 2
    assert "is too little for this table" in wrong
    code, _, wrong = run_thalweg("train", "rows.csv", *more, "--memory", "2GB", "--sheet", "2", "--out", "four")
    assert code == 2
    assert "rows.csv has no sheets" in wrong
