"""`thalweg predict` as a job in a pipeline meets it: ids, standard output, missing columns, no rows; and rows as a web
service has them."""

import csv
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import thalweg as package
from thalweg.data.tables import read_table, write_table
from thalweg.errors import DataError, ThalwegWarning
from thalweg.runs import table_run as runs
from thalweg.sklearn import TabularClassifier, TabularRegressor

QUICK = ("--members", "1", "--no-trees", "--layers", "8", "--epochs", "2", "--seed", "0", "--no-report")
IDS = ["+886 912 345 000", "1e5", "00:00:05", "1.10", "45%", "+7", "NA", "-", " 7", "1234567890123456789", "a,b"]
ROWS = 120


@pytest.fixture
def thalweg(run_thalweg):
    return run_thalweg


def rows(count=ROWS):
    random = np.random.default_rng(0)
    x, day = random.normal(size=count), np.datetime64("2024-05-01") + np.arange(count)
    return pd.DataFrame(
        {
            "id": [IDS[n % len(IDS)] for n in range(count)],
            "code": [10**18 + n for n in range(count)],
            "x": x,
            "c": [("red", "green", "blue")[n % 3] for n in range(count)],
            "ok": [n % 2 == 0 for n in range(count)],
            "day": day.astype(str),
            "y": np.where(x > 0, "yes", "no"),
        }
    )


@pytest.fixture
def trained(thalweg, run_made):
    """The name of a run's folder beside t.csv, from which it learned."""
    arguments = ("train", "t.csv", "--target", "y", "--id", "id", "--ignore", "code", *QUICK)
    made = run_made(*arguments, prepare=lambda: rows().to_csv("t.csv", index=False))
    shutil.copytree(made, ".", dirs_exist_ok=True)
    return "run"


def without(name, path="m.csv"):
    rows().drop(columns=name).to_csv(path, index=False)
    return path


def test_ids_come_back_as_they_stood(thalweg, trained):
    expected = [IDS[n % len(IDS)] for n in range(ROWS)]
    for out in ("a.csv", "a.parquet", "a.jsonl", "-"):
        code, printed, error = thalweg("predict", trained, "t.csv", "--out", out)
        assert code == 0, error
        if out == "a.parquet":
            found = pd.read_parquet(out)["id"].tolist()
        elif out == "a.jsonl":
            found = [json.loads(line)["id"] for line in Path(out).read_text().splitlines()]
        else:
            text = printed if out == "-" else Path(out).read_text()
            found = [row["id"] for row in csv.DictReader(io.StringIO(text))]
        assert found == expected, out


def test_several_ids_keep_their_types(thalweg, trained):
    rows().to_parquet("t.parquet")
    code, _, error = thalweg("predict", trained, "t.parquet", "--id", "code", "--id", "id", "--out", "a.parquet")
    assert code == 0, error
    found = pd.read_parquet("a.parquet")
    assert found.columns.tolist()[:3] == ["code", "id", "prediction"]
    assert found["code"].dtype == np.int64
    assert found["code"].tolist() == rows()["code"].tolist()
    assert thalweg("predict", trained, "t.csv", "--id", "code", "--out", "a.csv", "--skip-bad")[0] == 0
    lines = list(csv.reader(Path("a.csv").read_text().splitlines()))
    assert lines[0][:3] == ["row", "code", "prediction"]
    assert [line[:2] for line in lines[1:]] == [[str(n + 1), str(10**18 + n)] for n in range(ROWS)]
    assert (
        "a column of that name"
        in thalweg("predict", trained, renamed("row"), "--id", "row", "--out", "b.csv", "--skip-bad")[2]
    )
    assert thalweg("predict", trained, "named-row.csv", "--id", "row", "--out", "b.csv")[0] == 0
    write_table("lists.parquet", {"x": np.ones(1)})
    lists = "SELECT *, [1] AS l FROM 't.csv'"
    assert "LIST values, which can't name rows" in thalweg("predict", trained, lists, "--id", "l", "--out", "c.csv")[2]


def renamed(name):
    rows().rename(columns={"code": name}).to_csv(f"named-{name}.csv", index=False)
    return f"named-{name}.csv"


def test_standard_output_holds_the_rows_and_nothing_else(thalweg, trained):
    thalweg("predict", trained, "t.csv", "--out", "a.csv")
    bad = rows()
    bad["x"] = bad["x"].astype(object)
    bad.loc[3, "x"] = "long"
    bad.to_csv("bad.csv", index=False)
    code, out, error = thalweg("predict", trained, "t.csv", "--out", "-")
    assert (code, out) == (0, Path("a.csv").read_text())
    assert error == "120 predictions of y: standard output\n"
    code, out, error = thalweg("predict", trained, "bad.csv", "--out", "-", "--skip-bad")
    assert len(list(csv.reader(io.StringIO(out)))) == ROWS
    assert error.startswith("skipped 1: row 4 of the column 'x'")


def test_standard_output_may_be_closed_or_full(trained):
    pd.concat([rows()] * 400).to_parquet("many.parquet")
    main = "from thalweg.cli.main import main; main()"
    call = [sys.executable, "-c", main, "predict", trained, "many.parquet", "--out", "-"]
    settings = os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1]), "PYTHONUTF8": "1"}
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(call)} | head -n 2; echo ${{PIPESTATUS[0]}}"],
        env=settings,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[0] == "id,prediction,probability of no,probability of yes"
    assert done.stdout.splitlines()[2:] == ["0"]
    said = [line for line in done.stderr.splitlines() if "compiling kernels" not in line]
    assert said == ["48,000 predictions of y: standard output"]
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            done = subprocess.run(call, env=settings, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1
        assert done.stderr.startswith("thalweg: standard output can't be written: No space left on device")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("x", "1250.5", "number"), ("c", "green", "category"), ("ok", "yes", "boolean"), ("day", "2024-05-07", "date")],
)
def test_a_missing_column_can_be_filled(name, value, kind, thalweg, trained):
    path = without(name)
    code, _, error = thalweg("predict", trained, path, "--out", "a.csv")
    assert (code, error.count("\n")) == (1, 1)
    assert f"m.csv lacks '{name}', which the model was trained with" in error
    assert error.endswith(f"; --fill {name}=VALUE gives all rows a value\n")
    code, _, error = thalweg("predict", trained, path, "--out", "a.csv", "--fill", f"{name}={value}")
    assert code == 0, error
    assert error == f"note: m.csv has no column '{name}'; it is '{value}' in 120 rows\n"
    rows().assign(**{name: value}).to_csv("whole.csv", index=False)
    thalweg("predict", trained, "whole.csv", "--out", "b.csv")
    assert Path("a.csv").read_text() == Path("b.csv").read_text()
    assert {c.name: c.kind for c in runs.load(trained).features.describe()}[name] == kind
    if kind != "category":
        code, _, error = thalweg("predict", trained, path, "--out", "c.csv", "--fill", f"{name}=odd")
        assert (code, error) == (2, f"thalweg: 'odd' can't fill the column '{name}', a {kind} in training\n")


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (["c=red"], "m.csv has a column 'c': only one that isn't there can be filled"),
        (["y=yes"], "the model uses no column 'y'"),
        (["xx=1"], "the model uses no column 'xx' (did you mean x?): there is nothing to fill"),
        (["x"], "--fill x has no =: give --fill COLUMN=VALUE"),
        (["x=1", "x=2"], "--fill x=2 is given twice"),
    ],
)
def test_what_is_not_filled(fill, said, thalweg, trained):
    code, _, error = thalweg("predict", trained, without("x"), "--out", "a.csv", *(f"--fill={text}" for text in fill))
    assert (code, said in error) == (2, True), error
    assert not Path("a.csv").exists()


def test_an_empty_value_is_a_missing_cell(thalweg, trained):
    assert thalweg("predict", trained, without("x"), "--out", "a.csv", "--fill", "x=")[0] == 0
    rows().assign(x=None).to_csv("whole.csv", index=False)
    thalweg("predict", trained, "whole.csv", "--out", "b.csv")
    assert Path("a.csv").read_text() == Path("b.csv").read_text()


def test_no_rows_have_no_predictions(thalweg, trained):
    rows()[:0].to_csv("none.csv", index=False)
    rows()[:0].to_parquet("none.parquet")
    for source in ("none.csv", "none.parquet", "SELECT * FROM 't.csv' WHERE x > 1e9"):
        for ending in ("csv", "parquet", "json", "jsonl"):
            Path(f"a.{ending}").unlink(missing_ok=True)
            code, out, error = thalweg("predict", trained, source, "--out", f"a.{ending}")
            assert (code, out) == (0, f"0 predictions of y: a.{ending}\n"), error
        assert Path("a.csv").read_text() == "id,prediction,probability of no,probability of yes\n"
        found = pd.read_parquet("a.parquet")
        assert (len(found), found["probability of no"].dtype) == (0, np.float32)
        assert json.loads(Path("a.json").read_text()) == []
    code, _, error = thalweg("predict", trained, "none.csv", "--out", "b.csv", "--id", "nme")
    assert (code, "has no column 'nme'" in error) == (2, True)
    for command in (["evaluate", trained], ["train", "--target", "y"]):
        assert "but no rows" in thalweg(command[0], *command[1:2], "none.csv", *command[2:])[2] or command[0] == "train"


def test_an_option_given_twice_is_refused(thalweg, trained):
    code, _, error = thalweg("train", "t.csv", "--target", "y", "--target", "c", *QUICK)
    assert (code, error) == (2, "thalweg: --target is given 2 times, and takes one value\n")
    code, _, error = thalweg("train", "t.csv", "--target", "y", "--seed", "1", *QUICK)
    assert "--seed is given 2 times" in error
    assert not Path("runs").exists()
    code, _, error = thalweg("train", "t.csv", "--target", "y", "--ignore", "code", "--ignore", "id", *QUICK)
    assert code == 0, error
    thalweg("predict", trained, "t.csv", "--skip-bad", "--skip-bad", "--out", "a.csv")
    assert Path("a.csv").exists()


def test_rows_as_a_web_service_has_them(thalweg, trained):
    run, frame = runs.load(trained), rows().drop(columns="y")
    records = frame.to_dict("records")
    expected, shares = run.predict(frame), run.predict_proba(frame)
    assert run.predict(records).tolist() == expected.tolist()
    assert np.array_equal(run.predict_proba(records), shares)
    for row, label in zip(records[:5], expected, strict=False):
        assert run.predict(row).tolist() == [label]
        assert run.predict([dict(reversed(row.items()))]).tolist() == [label]
    for empty in ([], frame[:0]):
        assert (run.predict(empty).tolist(), run.predict(empty).dtype) == ([], expected.dtype)
        assert (run.predict_proba(empty).shape, run.predict_proba(empty).dtype) == ((0, 2), shares.dtype)
    with pytest.raises(DataError, match="the list of rows lacks 'day', which the model was trained with"):
        run.predict({name: cell for name, cell in records[0].items() if name != "day"})
    assert set(run.evaluate(rows().to_dict("records"))) == set(run.evaluate(rows()))


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_an_estimator_takes_rows_too(kind):
    frame, few = rows()[["x", "c", "ok"]], {"members": 1, "layers": 8, "epochs": 2, "random_state": 0}
    y = rows()["y"] if kind is TabularClassifier else rows()["x"].rename("y") ** 2
    records = frame.to_dict("records")
    model = kind("fast", **few).fit(frame, y)
    expected = model.predict(frame)
    assert np.array_equal(kind("fast", **few).fit(records, y.to_numpy()).predict(records), expected)
    assert np.array_equal(model.predict(records), expected)
    one = model.predict({"ok": True, "c": "red", "x": frame["x"][0]})
    assert one.tolist() == (
        expected[:1].tolist() if kind is TabularClassifier else pytest.approx(expected[:1], rel=1e-6)
    )
    assert model.predict({name: list(frame[name]) for name in ("c", "ok", "x")}).tolist() == expected.tolist()
    for empty in ([], frame[:0]):
        assert (model.predict(empty).shape, model.predict(empty).dtype) == ((0,), expected.dtype)
    with pytest.raises(DataError, match=r"(?s)missing:\n- ok"):
        model.predict({"x": 1.0, "c": "red"})
    with pytest.raises(DataError, match=r"(?s)unseen at fit time:\n- z"):
        model.predict([{"x": 1.0, "c": "red", "ok": True, "z": 1}])
    with pytest.raises(DataError, match="same order"):
        model.predict(frame[["c", "x", "ok"]])
    numbers = kind("fast", **few).fit(frame[["x", "ok"]].to_numpy(float), y)
    assert numbers.predict(np.zeros((0, 2))).shape == (0,)
    with pytest.warns(ThalwegWarning, match="was fitted without feature names"):
        assert numbers.predict({"a": 1, "b": 2}).shape == (1,)


def test_text_that_is_no_sentences_cannot_be_learned_from(thalweg):
    frame = pd.DataFrame({"label": ["ham", "spam"] * 60, "message": [f"message {n} of many" for n in range(120)]})
    frame.to_csv("sms.tsv", sep="\t", index=False)
    code, _, error = thalweg("train", "sms.tsv", "--target", "label", "--quote", "", *QUICK)
    assert code == 1
    assert "text is learned from if it is sentences: turn other text into numbers or categories" in error
    assert read_table("sms.tsv", quote="").rows == 120


def test_a_run_that_is_not_there_is_named_before_what_it_lacks(thalweg):
    for given in ((), ("rows.csv",), ("rows.csv", "--out", "p.csv")):
        assert thalweg("predict", "nowhere", *given) == (2, "", "thalweg: there is no run folder nowhere\n")


def test_the_rows_of_the_training_are_told_from_new_ones(thalweg, trained):
    """Those held out are among others, at their places, and predicted as they were."""
    lines = Path("t.csv").read_text().splitlines()
    new = pd.read_csv("t.csv")
    new[new.select_dtypes("number").columns.drop(["y", "id"], errors="ignore")] += 0.1
    new.to_csv("other.csv", index=False)
    learned = json.loads(Path("run/run.json").read_text())["rows"]["train"]
    note = f"note: these are the rows of the training, and {learned:,} of {len(lines) - 1:,} were learned from"
    assert note in thalweg("evaluate", "run", "t.csv")[2]
    code, _, error = thalweg("evaluate", "run", "other.csv")
    assert (code, "were learned from" in error) == (0, False)
