"""What `thalweg train` is told of rows: names, groups, times, folds; and what it says of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from thalweg.data.tables import read_table, write_table
from thalweg.runs import table_run as runs

ROWS = 240
QUICK = ("--members", "1", "--no-trees", "--layers", "8", "--epochs", "6", "--seed", "0", "--out", "run")


@pytest.fixture
def thalweg(run_thalweg):
    return run_thalweg


def visits(**more):
    """A table of visits, written as a file: a patient comes several times, the days are in no order."""
    random = np.random.default_rng(0)
    x = random.normal(size=ROWS)
    days = np.datetime64("2022-01-01", "us") + random.permutation(ROWS) * np.timedelta64(86_400_000_000, "us")
    columns = {
        "visit": np.arange(1000, 1000 + ROWS),
        "patient": np.array([f"p{k % 40}" for k in range(ROWS)], object),
        "day": days,
        "x": x,
        "z": random.normal(size=ROWS),
        "y": np.where(x + 0.3 * random.normal(size=ROWS) > 0, "ill", "well").astype(object),
    }
    Path("visits.parquet").unlink(missing_ok=True)
    write_table("visits.parquet", columns | more)
    return columns | more


def inputs():
    return {column.name for column in runs.load("run").features.describe()}


def test_the_column_that_names_rows_is_no_input_and_predictions_carry_it(thalweg):
    columns = visits()
    assert thalweg("train", "visits.parquet", "--target", "y", "--id", "visit", *QUICK)[0] == 0
    assert inputs() == {"patient", "day", "x", "z"}
    assert thalweg("predict", "run", "visits.parquet", "--out", "a.csv")[0] == 0
    answers = read_table("a.csv")
    assert answers.names == ["visit", "prediction", "probability of ill", "probability of well"]
    assert answers["visit"].tolist() == columns["visit"].tolist()
    assert "\n1000," in Path("a.csv").read_text()  # 1000, not 1000.0

    assert thalweg("predict", "run", "visits.parquet", "--id", "day", "--out", "b.parquet")[0] == 0
    assert np.array_equal(read_table("b.parquet")["day"], columns["day"])
    del columns["visit"]
    write_table("new.parquet", columns)
    code, _, error = thalweg("predict", "run", "new.parquet", "--out", "c.csv")
    assert code == 0
    assert "has no column 'visit'; the predictions name no rows" in error
    assert read_table("c.csv").names == ["prediction", "probability of ill", "probability of well"]
    code, _, error = thalweg("predict", "run", "new.parquet", "--id", "vist", "--out", "d.csv")
    assert (code, "has no column 'vist'" in error) == (2, True)
    write_table("odd.parquet", columns | {"prediction": columns["x"]})
    code, _, error = thalweg("predict", "run", "odd.parquet", "--id", "prediction", "--out", "e.csv")
    assert (code, "the predictions have a column of that name" in error) == (2, True)


def test_rows_of_a_group_are_held_out_together(thalweg, monkeypatch):
    from thalweg.runs import table_training

    columns, seen = visits(), []
    train = table_training.solve
    monkeypatch.setattr(
        table_training, "solve", lambda task, *more, **how: seen.append(task) or train(task, *more, **how)
    )
    code, _, error = thalweg("train", "visits.parquet", "--target", "y", "--group", "patient", "--folds", "3", *QUICK)
    assert code == 0, error
    assert "patient" not in inputs()
    assert len(seen) == 4
    matrix = runs.load("run").features.matrix(read_table(columns))
    patient_of = {row.tobytes(): patient for row, patient in zip(matrix, columns["patient"], strict=True)}
    first = seen[0]
    patients = np.array([patient_of[row.tobytes()] for row in first.rows.x])
    assert 0 < len(set(patients)) < 40
    held = first.folds[0]
    assert not set(patients[held]) & set(np.delete(patients, held))
    facts = json.loads(Path("run/run.json").read_text())
    assert len(patients) == facts["rows"]["train"] == 6 * len(set(patients))  # all visits of each
    assert {len(values) for values in facts["folds"].values()} == {3}


def test_the_latest_rows_are_held_out(thalweg):
    visits()
    arguments = ("train", "visits.parquet", "--target", "y", "--time", "day", *QUICK[:-1])
    assert thalweg(*arguments, "run")[0] == 0
    assert "day" not in inputs()
    assert json.loads(Path("run/run.json").read_text())["rows"]["test"] == ROWS / 5
    assert thalweg(*arguments, "kept", "--keep-time")[0] == 0
    assert "day" in {column.name for column in runs.load("kept").features.describe()}


def test_scores_over_folds_are_shown_with_their_spread(thalweg):
    visits()
    code, out, error = thalweg("train", "visits.parquet", "--target", "y", "--folds", "4", *QUICK)
    assert code == 0, error
    for text in (out, thalweg("inspect", "run")[1]):
        assert "cross-validated score (4 folds)" in text
        assert "standard deviation" in text
    values = json.loads(Path("run/run.json").read_text())["folds"]["accuracy"]
    assert len(values) == 4
    assert f"{np.mean(values):.4f}" in out
    assert f"{np.std(values, ddof=1):.4f}" in out


def gives_away(y):
    return {"cure": np.where(y == "ill", 10.0, 0.0) + np.random.default_rng(1).random(ROWS)}


def rare(y):
    return {"y": np.where(np.arange(ROWS) % 20 == 0, "ill", "well").astype(object)}


def noise(y):
    return {"y": np.random.default_rng(1).permutation(y)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (gives_away, "tell the target by themselves: 'cure'"),
        (rare, "rare classes, with their shares of the rows: ill (0.05"),
        (noise, "better"),
    ],
)
def test_warnings_are_printed_and_kept(thalweg, change, said):
    columns = visits()
    Path("visits.parquet").unlink()
    write_table("visits.parquet", columns | change(columns["y"]))
    ignored = [word for name in ("visit", "day", "patient") for word in ("--ignore", name)]
    code, out, error = thalweg("train", "visits.parquet", "--target", "y", *ignored, *QUICK)
    assert code == 0, error
    kept = json.loads(Path("run/run.json").read_text())["warnings"]
    assert any(said in warning for warning in kept)
    for text in (out, thalweg("inspect", "run")[1]):
        assert all(f"warning: {warning}" in text for warning in kept)


def test_a_good_table_has_no_warnings(thalweg):
    visits()
    ignored = [word for name in ("visit", "day", "patient") for word in ("--ignore", name)]
    code, out, error = thalweg("train", "visits.parquet", "--target", "y", "--seed", "0", *ignored)
    assert code == 0, error
    assert "tell the target" not in out
    assert "rare classes" not in out
    assert "no better than" not in out


def test_rows_in_both_parts_are_counted(thalweg):
    twice = {"x": np.tile(np.arange(60.0), 2), "y": np.tile(np.random.default_rng(1).normal(size=60), 2)}
    write_table("twice.csv", twice)
    code, out, error = thalweg("train", "twice.csv", "--target", "y", *QUICK)
    assert code == 0, error
    facts = json.loads(Path("run/run.json").read_text())
    assert 15 <= facts["twins"] <= 24
    assert f"held-out rows with the same inputs as a row learned from: {facts['twins']}" in out
    assert any("--group COLUMN keeps them on one side" in warning for warning in facts["warnings"])
    assert "errors by the true value" in out
    assert "furthest off" in out


def test_a_time_limit_is_kept(thalweg):
    visits()
    code, _, error = thalweg("train", "visits.parquet", "--target", "y", "--time-limit", "1e-6", "--out", "none")
    assert (code, "--time-limit" in error) == (2, True), error
    assert not Path("none").exists()
