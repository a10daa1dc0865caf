"""predict and evaluate with --memory: block by block, and to the byte what they say of the table in memory."""

import io
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from thalweg.data.stored_rows import StoredRows
from thalweg.runs.large import applied, memory
from thalweg.tabular import beside

QUICK = ("--members", "1", "--no-trees", "--layers", "8", "--epochs", "2", "--seed", "0", "--no-report")
ROWS = 3000
IDS = ["+886 912", "1e5", "00:00:05", "1.10", "NA", "-", " 7", "1234567890123456789", 'a,"b"']


def rows(count=ROWS):
    random = np.random.default_rng(0)
    x = random.normal(size=count)
    return pd.DataFrame(
        {
            "id": [IDS[n % len(IDS)] for n in range(count)],
            "code": np.arange(count) + 10**18,
            "x": np.where(random.random(count) < 0.1, np.nan, x),
            "money": [f"NT${abs(v) * 10000:,.0f}" if n % 7 else "-" for n, v in enumerate(x)],
            "c": [("red", "green, dark", 'blue "one"')[n % 3] for n in range(count)],
            "day": (np.datetime64("2024-05-01") + np.arange(count) % 900).astype(str),
            "y": np.where(random.random(count) < 0.05, None, np.where(x > 0, "yes", "no")),
            "z": x * 100,
        }
    )


@pytest.fixture(autouse=True)
def blocks(monkeypatch):
    """How many rows each block had."""
    for module in (beside, memory, applied):
        monkeypatch.setattr(module, "BATCH", 64)
    monkeypatch.setattr(memory, "MOST_ROWS", 700)
    counts, real = [], StoredRows.table

    def counted(stored, first, after):
        counts.append(after - first)
        return real(stored, first, after)

    monkeypatch.setattr(StoredRows, "table", counted)
    return counts


@pytest.fixture
def beside_t(run_thalweg, run_made):
    """Trains a run here, beside t.csv, from which it learns."""

    def made(*options):
        folder = run_made("train", "t.csv", *options, *QUICK, prepare=lambda: rows().to_csv("t.csv", index=False))
        shutil.copytree(folder, ".", dirs_exist_ok=True)
        return "run"

    return made


@pytest.fixture
def classes(beside_t):
    """A run on classes."""
    return beside_t("--target", "y", "--ignore", "z", "--ignore", "code", "--id", "id")


@pytest.fixture
def numbers(beside_t):
    """A run on numbers."""
    return beside_t("--target", "z", "--ignore", "y", "--ignore", "id", "--ignore", "code")


def both(run_thalweg, *arguments):
    """What a command prints with and without --memory, which has to be the same; its exit code."""
    found = [run_thalweg(*arguments, *more) for more in ((), ("--memory", "1GB"))]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "tsv", "json"])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_bytes_are_those_of_the_table_in_memory(ending, kind, run_thalweg, request, blocks):
    run = request.getfixturevalue(kind)
    rows().to_parquet("t.parquet")
    for source in ("t.csv", "t.parquet"):
        more = ("--id", "code", "--id", "id")
        for out, given in ((f"whole.{ending}", ()), (f"blocks.{ending}", ("--memory", "1GB"))):
            code, printed, error = run_thalweg("predict", run, source, "--out", out, *more, *given)
            assert (code, error) == (0, "")
            assert printed == f"3,000 predictions of {'y' if kind == 'classes' else 'z'}: {out}\n"
        assert Path(f"whole.{ending}").read_bytes() == Path(f"blocks.{ending}").read_bytes()
        for path in Path().glob(f"*s.{ending}"):
            path.unlink()
        Path(f"whole.{ending}").unlink()
    assert blocks == [0, 640, 640, 640, 640, 440] * 2


def test_a_parquet_file_has_the_same_values_and_types(classes, run_thalweg):
    rows().to_parquet("t.parquet", row_group_size=100)
    for out, more in (("whole.parquet", ()), ("blocks.parquet", ("--memory", "1GB"))):
        assert run_thalweg("predict", classes, "t.parquet", "--id", "code", "--out", out, *more)[0] == 0
    whole, parts = (duckdb.sql(f"FROM '{name}.parquet'") for name in ("whole", "blocks"))
    assert whole.description == parts.description
    assert whole.fetchall() == parts.fetchall()


def test_standard_output_has_the_same_rows(classes, run_thalweg):
    code, out, error = both(run_thalweg, "predict", classes, "t.csv", "--out", "-")
    assert code == 0
    assert out.count("\n") == 3001
    assert error == "3,000 predictions of y: standard output\n"


def test_several_files_are_one_table_and_a_folder_is_taken(classes, run_thalweg):
    Path("rows").mkdir()
    for number, part in enumerate((rows()[:10], rows()[10:1500].drop(columns=["x"]), rows()[1500:])):
        part.to_csv(f"rows/{number}.csv", index=False)
    for source, out in (("rows/*.csv", "whole.csv"), ("rows/*.csv", "blocks.csv"), ("rows", "folder.csv")):
        more = () if out == "whole.csv" else ("--memory", "1GB")
        assert run_thalweg("predict", classes, source, "--out", out, *more)[0] == 0
    for out in ("blocks.csv", "folder.csv"):
        assert Path(out).read_bytes() == Path("whole.csv").read_bytes()


def test_another_encoding_and_a_query(classes, run_thalweg):
    table = rows()[:200].replace({"c": {"green, dark": "綠"}})
    table.to_csv("t5.csv", index=False, encoding="cp950")
    table.to_csv("utf8.csv", index=False)
    for source, more in (("t5.csv", ("--encoding", "cp950")), ("SELECT * FROM 'utf8.csv' WHERE x > 0", ())):
        for path in Path().glob("*s.csv"):
            path.unlink()
        Path("whole.csv").unlink(missing_ok=True)
        for out, given in (("whole.csv", more), ("blocks.csv", (*more, "--memory", "1GB"))):
            code, _, error = run_thalweg("predict", classes, source, "--out", out, *given)
            assert (code, "had no 綠 in column c" in error) == (0, True)
        assert Path("blocks.csv").read_bytes() == Path("whole.csv").read_bytes()


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_scores_are_those_of_the_table_in_memory(kind, run_thalweg, request, blocks):
    run = request.getfixturevalue(kind)
    code, out, error = both(run_thalweg, "evaluate", run, "t.csv")
    assert (code, error.count("note: "), error.count("these are the rows of the training")) == (0, 1, 1)
    assert "score" in out
    assert blocks == [640, 640, 640, 640, 440]


def test_rows_that_cannot_be_used_are_left_out_alike(classes, run_thalweg):
    bad = rows().astype({"x": object})
    bad.loc[[3, *range(640, 1280)], "x"] = "long"  # a whole block
    bad.to_csv("bad.csv", index=False)
    code, _, error = run_thalweg("predict", classes, "bad.csv", "--out", "-", "--memory", "1GB")
    assert code == 1
    assert error.startswith("thalweg: row 4 of the column 'x' holds the text 'long'")
    assert error.endswith("--skip-bad leaves them out\n")
    frames = []
    for more in ((), ("--memory", "1GB")):
        code, out, error = run_thalweg("predict", classes, "bad.csv", "--out", "-", "--skip-bad", *more)
        assert code == 0
        assert error.startswith("skipped 641: row 4 of the column 'x'")
        frames.append(pd.read_csv(io.StringIO(out)))
        assert len(frames[-1]) == ROWS - 641
    pd.testing.assert_frame_equal(*frames, check_exact=False, rtol=1e-5)  # batches begin at other rows
    code, out, _ = both(run_thalweg, "evaluate", classes, "bad.csv", "--skip-bad")
    assert code == 0
    assert "skipped" in out
    bad.assign(x="long").to_csv("worse.csv", index=False)
    code, _, error = run_thalweg("predict", classes, "worse.csv", "--out", "a.csv", "--skip-bad", "--memory", "1GB")
    assert (code, error) == (1, "thalweg: no row of worse.csv can be used\n")
    assert not Path("a.csv").exists()


def test_what_is_missing_is_filled_or_named_alike(classes, run_thalweg):
    rows().drop(columns=["x", "id"]).to_csv("m.csv", index=False)
    code, _, error = both(run_thalweg, "predict", classes, "m.csv", "--out", "-")
    assert code == 1
    assert "m.csv lacks 'x'" in error
    code, _, error = both(run_thalweg, "predict", classes, "m.csv", "--out", "-", "--fill", "x=3")
    assert code == 0
    assert "note: m.csv has no column 'x'; it is '3' in 3,000 rows\n" in error
    rows().assign(y=None).to_csv("n.csv", index=False)
    code, _, error = both(run_thalweg, "evaluate", classes, "n.csv")
    assert code == 1
    assert "no row of n.csv has a value in the target column 'y'" in error


def test_no_rows_have_no_predictions(classes, run_thalweg):
    rows()[:0].to_csv("none.csv", index=False)
    assert run_thalweg("predict", classes, "none.csv", "--out", "a.parquet", "--memory", "1GB")[0] == 0
    assert duckdb.sql("FROM 'a.parquet'").fetchall() == []
    assert duckdb.sql("FROM 'a.parquet'").columns == ["id", "prediction", "probability of no", "probability of yes"]
    code, _, error = run_thalweg("evaluate", classes, "none.csv", "--memory", "1GB")
    assert (code, error) == (1, "thalweg: none.csv has no rows\n")


def test_a_limit_below_the_least_names_it(classes, run_thalweg, monkeypatch):
    for command in (("predict", classes, "t.csv", "--out", "a.csv"), ("evaluate", classes, "t.csv")):
        code, _, error = run_thalweg(*command, "--memory", "10MB")
        assert code == 2
        assert "memory=10 MB is too little for this table: 380 MB is the least" in error
    monkeypatch.setattr("thalweg.runs.large.applied.JUDGED", 10**6)
    code, _, error = run_thalweg("evaluate", classes, "t.csv", "--memory", "1GB")
    assert code == 2
    assert "memory=1,000 MB is too little for this table: 3," in error


def test_pictures_have_no_limit(run_thalweg, tmp_path, monkeypatch):
    monkeypatch.setattr("thalweg.cli.apply.is_image_run", lambda _: True)
    for command in (("predict", "run", "x"), ("evaluate", "run", "x")):
        code, _, error = run_thalweg(*command, "--memory", "1GB")
        assert (code, error) == (2, "thalweg: --memory is for tables; run was trained on images\n")
