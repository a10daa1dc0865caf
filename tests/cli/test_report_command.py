"""`thalweg report`, and the report that `thalweg train` writes: where it is, what it says, and wrong calls."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thalweg
from thalweg.errors import ThalwegError
from thalweg.runs.reports import pages

ROWS = "x,z,y,n\n" + "".join(f"{n},{n * n % 7},{'ab'[n % 2]},{n * 1.5}\n" for n in range(80))
QUICK = ["--members", "1", "--no-trees", "--epochs", "2", "--seed", "1", "--layers", "8"]

PAUSE = "-----\n"
TRAIN = f"""
import sys
from thalweg.cli.main import main
quick = sys.argv[1:]
for name, target, more in (("one", "y", []), ("two", "y", ["--batch-size", "16", "--no-report"]), ("number", "n", [])):
    sys.argv[1:] = ["train", "rows.csv", "--target", target, "--out", name, *more, *quick]
    try:
        main()
    except SystemExit as end:
        assert not end.code
    print({PAUSE!r}, end="", flush=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs: two that predict y, the first with its report, and one that predicts n; and what each said."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "rows.csv").write_text(ROWS)
    environment = os.environ | {"PYTHONPATH": str(Path(thalweg.__file__).parents[1]), "COLUMNS": "300"}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *QUICK], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return folder, dict(zip(("one", "two", "number"), done.stdout.split(PAUSE), strict=False))


@pytest.fixture
def folder(made, tmp_path):
    """A copy, in the folder in which commands run."""
    for name in ("one", "two", "number"):
        shutil.copytree(made[0] / name, tmp_path / name)
    return tmp_path


def test_train_writes_a_report_and_says_where(made):
    folder, said = made
    assert (folder / "one" / pages.REPORT).read_text("utf-8").startswith("<!doctype html>")
    assert "report: one/report.html (" in said["one"]
    assert "report" not in said["two"].replace("--no-report", "")
    assert not (folder / "two" / pages.REPORT).exists()
    assert not list(folder.glob(".*"))


def test_a_report_of_a_run_is_numbered(run_thalweg, folder):
    assert run_thalweg("report", "two", "--seconds", "0.5")[:2] == (0, said_of(folder / "two" / "report.html", "two/"))
    code, out, _ = run_thalweg("report", "two", "--seconds", "0.5", "--language", "zh")
    assert (code, out) == (0, said_of(folder / "two" / "report-2.html", "two/"))
    assert 'lang="zh-Hant-TW"' in (folder / "two" / "report-2.html").read_text("utf-8")


def said_of(path, before=""):
    return f"report: {before}{path.name} ({path.stat().st_size / 1e6:.1f} MB)\n"


def test_runs_are_compared(run_thalweg, folder):
    code, out, error = run_thalweg("report", "one", "two")
    assert (code, out, error) == (0, said_of(folder / "comparison.html"), "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "there is no run folder nowhere"),
        (["one", "nowhere"], 2, "there is no run folder nowhere"),
        (["."], 2, ". is not a run folder: it has no model.safetensors"),
        (["one/run.json"], 2, "one/run.json is a file, not a run folder"),
        (["one", "--out", "one/run.json"], 2, "one/run.json exists already and is not overwritten"),
        (["one", "--out", "one/report.html"], 2, "one/report.html exists already and is not overwritten"),
        (["one", "--out", "page.pdf"], 2, "a report is an HTML file"),
        (["one", "--out", "no/such/r.html"], 2, "can't write no/such/r.html: there is no folder no/such"),
        (["one", "--out", "/proc/r.html"], 1, "/proc/r.html can't be written"),
        (["one", "--language", "de"], 2, "unknown language 'de'. Choose from: en, zh"),
        (["one", "--seconds", "-1"], 2, "--seconds has to be 0 or more, got -1"),
        (["one", "--seconds", "nan"], 2, "--seconds has to be 0 or more, got nan"),
        (["one", "number"], 2, "one predicts 'y', one of 2 classes (a, b) and number 'n', a number"),
        (["one"] * 13, 2, "a page compares at most 12 runs, got 13"),
    ],
)
def test_wrong_calls_are_one_sentence(run_thalweg, folder, arguments, code, message):
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    found, out, error = run_thalweg("report", *arguments)
    assert (found, out) == (code, "")
    assert error.startswith(f"thalweg: {message}")
    assert error.count("\n") == 1
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_a_damaged_run_is_said(run_thalweg, folder):
    (folder / "one" / "evidence.npz").write_bytes(b"PK\x03\x04nothing")
    code, _, error = run_thalweg("report", "one", "--out", "r.html")
    assert code == 1
    assert "evidence.npz is damaged" in error
    assert not (folder / "r.html").exists()


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ThalwegError("out/report.html can't be written: full"), "out/report.html can't be written: full"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError("axis"), "it lacks 'axis'"),  # a mistake of ours
    ],
)
def test_a_training_whose_report_fails_is_kept(run_thalweg, tmp_path, monkeypatch, problem, said):
    def full(*arguments, **named):
        raise problem

    (tmp_path / "rows.csv").write_text(ROWS)
    monkeypatch.setattr(pages, "write_page", full)
    code, out, error = run_thalweg("train", "rows.csv", "--target", "y", "--out", "out", *QUICK)
    assert code == 0
    assert "run folder: out" in out
    assert error.splitlines()[-1] == (
        f"note: there is no report: {said}; the run is kept, and thalweg report out makes one"
    )
    assert run_thalweg("inspect", "out")[0] == 0


def test_ctrl_c_in_the_report_keeps_the_run(run_thalweg, tmp_path, monkeypatch):
    def pressed(*arguments, **named):
        raise KeyboardInterrupt

    (tmp_path / "rows.csv").write_text(ROWS)
    monkeypatch.setattr(pages, "write_page", pressed)
    code, out, error = run_thalweg("train", "rows.csv", "--target", "y", "--out", "out", *QUICK)
    assert code == 0
    assert "run folder: out" in out
    assert error.splitlines()[-1] == (
        "note: the report was interrupted; the run is kept, and thalweg report out makes one"
    )


def test_a_training_that_diverges_leaves_a_report(run_thalweg, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    wild = ["--optimizer", "sgd", "--learning-rate", "1e30", "--loss", "mse"]
    code, out, error = run_thalweg("train", "rows.csv", "--target", "n", "--out", "runs/wild", *QUICK, *wild)
    assert code == 1
    assert "training stopped in epoch" in error
    path = tmp_path / "runs" / "wild-failed.html"
    assert f"report: runs/wild-failed.html ({path.stat().st_size / 1e6:.1f} MB)" in out
    said = re.sub(r"\s+", " ", out.partition("diagnosis, by ")[2])
    assert "The training stopped at a number that isn't finite. evidence: training stopped in epoch 1" in said
    assert "remedy: Give the optimizer a smaller learning_rate" in said
    assert not (tmp_path / "runs" / "wild").exists()
    again = run_thalweg("train", "rows.csv", "--target", "n", "--out", "runs/wild", *QUICK, *wild)
    assert "report: runs/wild-failed-2.html" in again[1]
    code, out, _ = run_thalweg("train", "rows.csv", "--target", "n", "--out", "runs/x", "--no-report", *QUICK, *wild)
    assert (code, "remedy: Give the optimizer" in out, "report:" in out) == (1, True, False)
    assert not list((tmp_path / "runs").glob("x*"))
