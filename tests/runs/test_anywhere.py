"""Predictions anywhere: from Arrow batches in any process, in DuckDB's queries, and by shards of a table."""

import multiprocessing
import pickle
import shutil
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import thalweg
from thalweg.data.large_source import LargeSource, Shard
from thalweg.data.stored_rows import Reading, stored_rows
from thalweg.data.tables import read_table
from thalweg.errors import ArgumentError, DataError, MissingPackageError
from thalweg.runs.anywhere.batch_predictor import BatchPredictor
from thalweg.runs.large import memory

pa = pytest.importorskip("pyarrow")
QUICK = ("--members", "1", "--no-trees", "--layers", "8", "--epochs", "2", "--seed", "0", "--no-report")
ROWS = 150
MEMORY = 200 << 20
SPAWN = multiprocessing.get_context("spawn")


def rows(count=ROWS):
    random = np.random.default_rng(0)
    x = random.normal(size=count)
    return pd.DataFrame(
        {
            "id": np.arange(count) + 10**12,
            "x": np.where(random.random(count) < 0.1, np.nan, x),
            "money": [f"NT${abs(v) * 10000:,.0f}" if n % 7 else "-" for n, v in enumerate(x)],
            "c": [("red", "green, dark", 'blue "one"')[n % 3] for n in range(count)],
            "day": (np.datetime64("2024-05-01") + np.arange(count)).astype(str),
            "y": np.where(x > 0, "yes", "no"),
            "z": x * 100,
        }
    )


@pytest.fixture
def classes(run_thalweg, run_made):
    """The folder of a run on classes, beside t.csv, from which it learned."""
    made = run_made(
        "train", "t.csv", "--target", "y", "--ignore", "z", "--id", "id", *QUICK,
        prepare=lambda: rows().to_csv("t.csv", index=False),
    )  # fmt: skip
    shutil.copytree(made, ".", dirs_exist_ok=True)
    return Path("run")


@pytest.fixture
def numbers(run_thalweg, run_made):
    """The same of a run on numbers."""
    made = run_made(
        "train", "t.csv", "--target", "z", "--ignore", "y", "--ignore", "id", *QUICK,
        prepare=lambda: rows().to_csv("t.csv", index=False),
    )  # fmt: skip
    shutil.copytree(made, ".", dirs_exist_ok=True)
    return Path("run")


def arrow(count=ROWS):
    return pa.Table.from_pandas(rows(count), preserve_index=False)


def whole(folder):
    """What the run predicts for the whole table: classes and their probabilities, or numbers."""
    run = thalweg.load_run(folder)
    return run.predict("t.csv"), run.predict_proba("t.csv") if run.target.classes else None


def test_batches_are_predicted_as_the_whole_is(classes):
    predictor = BatchPredictor(classes, ids=["id"])
    guesses, shares = whole(classes)
    for size in (1, 7, ROWS):
        found = pa.Table.from_batches(predictor.batches(arrow().to_batches(max_chunksize=size)))
        assert found.column_names == ["id", "prediction", "probability of no", "probability of yes"]
        assert found["id"].to_pylist() == rows()["id"].tolist()
        assert found["prediction"].to_pylist() == guesses.tolist()
        for k, name in enumerate(found.column_names[2:]):
            np.testing.assert_allclose(found[name].to_numpy(), shares[:, k], rtol=2e-6)
        assert found.schema == predictor.schema(arrow().schema)


def test_numbers(numbers):
    predictor = BatchPredictor(numbers, lanes=1)
    found = predictor(arrow())
    assert found.schema == pa.schema([("prediction", pa.float64())]) == predictor.schema(arrow().schema)
    np.testing.assert_allclose(found["prediction"].to_numpy(), whole(numbers)[0], rtol=1e-5)
    assert predictor.columns == ["x", "money", "c", "day"]


def test_a_batch_is_of_the_kind_that_was_given_and_may_be_empty(classes):
    predictor = BatchPredictor(classes)
    batch = arrow().to_batches()[0]
    assert isinstance(predictor(batch), pa.RecordBatch)
    assert isinstance(predictor(arrow()), pa.Table)
    for empty in (batch.slice(0, 0), arrow().slice(0, 0)):
        found = predictor(empty)
        assert (type(found), found.num_rows, found.schema) == (type(empty), 0, predictor.schema(empty.schema))


def test_what_can_t_be_predicted(classes, monkeypatch):
    predictor = BatchPredictor(classes)
    with pytest.raises(DataError, match="lacks 'money', which the model was trained with"):
        predictor(arrow().drop_columns(["money"]))
    with pytest.raises(DataError, match="row 3 of the column 'x' holds inf"):
        predictor(pa.Table.from_pandas(rows(5).assign(x=[1, 2, np.inf, 4, 5])))
    with pytest.raises(ArgumentError, match="'prediction' can't name the rows"):
        BatchPredictor(classes, ids=["prediction"])
    with pytest.raises(ArgumentError, match="lanes"):
        BatchPredictor(classes, lanes=0)
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"Arrow batches needs pyarrow: pip install 'thalweg\[arrow\]'"):
        BatchPredictor(classes)


def test_it_is_a_path_that_other_processes_load(classes):
    predictor = BatchPredictor(classes)
    assert len(pickle.dumps(predictor)) < 500
    with SPAWN.Pool(2) as pool:
        found = pool.map(predictor, arrow().to_batches(max_chunksize=40))
    assert pa.Table.from_batches(found).equals(
        pa.Table.from_batches(predictor.batches(arrow().to_batches(max_chunksize=40)))
    )


def test_a_run_is_read_once_and_again_when_it_was_made_anew(classes):
    predictor = BatchPredictor(classes)
    assert predictor.run is predictor.run
    before = predictor.run
    shutil.copytree(classes, "again")
    shutil.rmtree(classes)
    shutil.move("again", classes)
    (classes / "columns.json").touch()
    assert predictor.run is not before


def test_in_a_query_of_duckdb(classes):
    """More rows than DuckDB hands over at once."""
    predictor = BatchPredictor(classes)

    def predict(rows):
        return predictor(pa.Table.from_struct_array(rows)).to_struct_array()

    with duckdb.connect() as connection:
        connection.register("customers", arrow(5000))
        given = connection.sql("SELECT customers FROM customers LIMIT 0").types
        shares = {"probability of no": "FLOAT", "probability of yes": "FLOAT"}
        result = duckdb.struct_type({"prediction": "VARCHAR"} | shares)
        connection.create_function("predict", predict, given, result, type="arrow", null_handling="special")
        found = connection.sql("SELECT id, unnest(predict(customers)) FROM customers ORDER BY id").fetchnumpy()
    expected = predictor(arrow(5000))
    assert found["prediction"].tolist() == expected["prediction"].to_pylist()
    np.testing.assert_allclose(found["probability of yes"], expected["probability of yes"].to_numpy(), rtol=2e-6)


# --- shards --------------------------------------------------------------------------------------------------------


def write_csv(frame, path):
    frame.to_csv(path, index=False)


def write_jsonl(frame, path):
    frame.to_json(path, lines=True, orient="records")


def write_parquet(frame, path):
    frame.to_parquet(path, row_group_size=11)


KINDS = {
    "csv": write_csv,
    "csv.gz": write_csv,
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t", lineterminator="\r\n"),
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def read_shards(source, count, most=1 << 16, **how):
    """The tables of all shards' blocks, in their order."""
    found = []
    for number in range(1, count + 1):
        given = LargeSource.of(str(source), together=True, **how)
        with (
            tempfile.TemporaryDirectory() as folder,
            stored_rows(given, Path(folder), MEMORY, MEMORY, shard=Shard(number, count), least_rows=0) as stored,
        ):
            found += stored.blocks(most)
    return found


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("count", [1, 4])
def test_the_shards_of_a_source_are_its_rows_in_order(ending, count, tmp_path):
    frame = rows(60)
    for number, (first, end) in enumerate([(0, 25), (25, 26), (26, 60)]):
        KINDS[ending](frame[first:end], tmp_path / f"[{number}].{ending}")
    source = tmp_path / f"*.{ending}"
    expected = read_table(source)
    found = read_shards(source, count, most=13)
    assert [table.row_number(k) for table in found for k in range(table.rows)] == list(range(1, 61))
    assert max(table.rows for table in found) <= 13
    for name in expected.names:
        together = np.concatenate([table.column(name).as_text() for table in found])
        assert together.tolist() == expected.column(name).as_text().tolist(), name


def test_a_file_with_fewer_rows_than_shards(tmp_path):
    write_csv(rows(2), tmp_path / "t.csv")
    assert [table.rows for table in read_shards(tmp_path / "t.csv", 5)] == [0, 0, 1, 0, 1]


def test_a_parquet_file_whose_columns_are_called_as_duckdb_s_marks(tmp_path):
    frame = pd.DataFrame({"file_row_number": [3, 2, 1], "Filename": list("abc")})
    frame.to_parquet(tmp_path / "t.parquet")
    found = read_shards(tmp_path / "t.parquet", 2)
    assert [value for table in found for value in table["file_row_number"]] == [3, 2, 1]


def test_another_encoding_a_decimal_comma_and_other_quotes(tmp_path):
    text = "name;x\n'紅; 色';1,5\n綠;2,5\n"
    (tmp_path / "t.csv").write_bytes(text.encode("big5"))
    found = read_shards(tmp_path / "t.csv", 2, encoding="big5", quote="'")
    assert [value for table in found for value in table["name"]] == ["紅; 色", "綠"]
    assert [value for table in found for value in table["x"]] == [1.5, 2.5]


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    write_csv(rows(50), path := tmp_path / "t.csv")
    append = Reading.append

    def appending(*arguments):
        append(*arguments)
        with path.open("a") as file:
            file.write("1,2,3,red,2024-01-01,no,1\n")

    monkeypatch.setattr(Reading, "append", appending)
    with pytest.raises(DataError, match=r"t\.csv changed while it was read: read it again"):
        read_shards(path, 2)


def test_a_file_that_is_cut_off(tmp_path):
    write_parquet(rows(50), path := tmp_path / "t.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="can't read"):
        read_shards(path, 2)
    (tmp_path / "t.csv").write_text('a,b\n1,2\n3,"4\n')
    with pytest.raises(DataError, match=r"can't read .*t\.csv"):
        read_shards(tmp_path / "t.csv", 2)


@pytest.mark.parametrize(
    ("source", "how", "message"),
    [
        ("t.xlsx", {}, "a workbook is read as a whole"),
        ("t.csv", {"sheet": "1"}, "t.csv has no sheets"),
        ("t.parquet", {"encoding": "big5"}, "is for text files"),
        ("t.parquet", {"quote": "'"}, "is for files such as .csv"),
    ],
)
def test_sources_that_have_no_shards(source, how, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("t.xlsx", "t.csv", "t.parquet"):
        Path(name).write_text("x\n1\n")
    with pytest.raises(ArgumentError, match=message):
        read_shards(source, 2, **how)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "-1/3", "1.5/3", "a/b"])
def test_what_is_no_shard(text):
    with pytest.raises(ArgumentError, match="such as 3/16"):
        Shard.of(text)


# --- thalweg predict --shard -----------------------------------------------------------------------------------------


def predicted(path):
    return duckdb.sql(f"FROM '{path}'").fetchall()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_shards_together_are_the_whole(ending, classes, run_thalweg, monkeypatch):
    monkeypatch.setattr(memory, "MOST_ROWS", 20)
    KINDS[ending](rows(), f"s.{ending}")
    assert run_thalweg("predict", classes, f"s.{ending}", "--out", "whole.parquet")[0] == 0
    for number in (2, 1, 3):  # in any order
        code, out, error = run_thalweg("predict", classes, f"s.{ending}", "--out", "parts", "--shard", f"{number}/3")
        assert (code, error) == (0, "")
        assert f"50 predictions of y: parts/part-0000{number}-of-00003.parquet; " in out
    assert "3 of 3 parts are there" in out
    assert sorted(path.name for path in Path("parts").iterdir()) == [
        f"part-0000{number}-of-00003.parquet" for number in (1, 2, 3)
    ]
    found, expected = predicted("parts/*.parquet"), predicted("whole.parquet")
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    np.testing.assert_allclose([row[2:] for row in found], [row[2:] for row in expected], rtol=2e-6)


def test_a_shard_that_is_done_is_left_as_it_is(classes, run_thalweg):
    assert run_thalweg("predict", classes, "t.csv", "--out", "parts/", "--shard", "2/3")[0] == 0
    path = Path("parts/part-00002-of-00003.parquet")
    before = path.stat().st_mtime_ns
    code, out, _ = run_thalweg("predict", classes, "t.csv", "--out", "parts/", "--shard", "2/3")
    assert code == 0
    assert out == f"{path} is there already, and is left as it is: shard 2/3 is done\n"
    assert path.stat().st_mtime_ns == before
    code, _, error = run_thalweg("predict", classes, "t.csv", "--out", "parts/", "--shard", "2/4")
    assert code == 2
    assert "parts holds parts of 3, and 2/4 is one of 4: give another folder" in error


def test_a_shard_that_fails_leaves_nothing(classes, run_thalweg):
    bad = rows().astype({"x": object})
    bad.loc[120, "x"] = "long"
    write_csv(bad, "bad.csv")
    assert run_thalweg("predict", classes, "bad.csv", "--out", "parts", "--shard", "1/2")[0] == 0
    code, _, error = run_thalweg("predict", classes, "bad.csv", "--out", "parts", "--shard", "2/2")
    assert code == 1
    assert "row 121 of the column 'x' holds the text 'long'" in error
    assert [path.name for path in Path("parts").iterdir()] == ["part-00001-of-00002.parquet"]
    code, out, error = run_thalweg("predict", classes, "bad.csv", "--out", "parts", "--shard", "2/2", "--skip-bad")
    assert code == 0
    assert "skipped 1: row 121 of the column 'x'" in out
    numbers = [row[0] for row in predicted("parts/part-00002-of-00002.parquet")]
    assert numbers == [number for number in range(76, 151) if number != 121]


def test_what_is_said_of_blocks_is_said_once(classes, run_thalweg, monkeypatch):
    monkeypatch.setattr(memory, "MOST_ROWS", 20)
    write_csv(rows().drop(columns=["id", "money"]).assign(c="purple"), "s.csv")
    given = ("--fill", "money=NT$1,000", "--shard", "1/1", "--out", "parts")
    code, out, error = run_thalweg("predict", classes, "s.csv", *given)
    assert code == 0, error
    assert error.splitlines() == [
        "note: s.csv has no column 'id'; the predictions name no rows",
        "note: s.csv has no column 'money'; it is 'NT$1,000' in 150 rows",
        "note: the training rows had no purple in column c; such cells say nothing",
    ]
    assert "150 predictions" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard", "1/2"], "add --out FOLDER"),
        (["--shard", "1/2", "--out", "-"], "add --out FOLDER"),
        (["--shard", "1/2", "--out", "t.csv"], "t.csv is a file"),
        (["--shard", "3/2", "--out", "parts"], "such as 3/16"),
        (["--shard", "1/2", "--out", "parts", "--memory", "10MB"], "380 MB is the least"),
    ],
)
def test_wrong_calls(arguments, message, classes, run_thalweg):
    code, _, error = run_thalweg("predict", classes, "t.csv", *arguments)
    assert code == 2
    assert message in error


def test_a_query_has_no_shards(classes, run_thalweg):
    code, _, error = run_thalweg("predict", classes, "SELECT * FROM 't.csv'", "--out", "parts", "--shard", "1/2")
    assert code == 2
    assert "no order that several processes agree on" in error
