"""`thalweg tune`: from a table to a run folder that the other commands read, and every wrong turn."""

import csv
import json
from pathlib import Path

import pytest

from thalweg.cli.tune import spaces
from thalweg.errors import ArgumentError

pytest.importorskip("optuna")
ROOT = Path(__file__).parents[2]
PENGUINS = ROOT / "examples" / "penguins.csv"
SMALL = ("width=8", "depth=1", "batch_size=32", "activation=relu,tanh", "batch_normalization=off", "loss=mse")
SMALL += ("numbers=plain",)
QUICK = ["--folds", "2", "--seeds", "1", "--lanes", "1", *(part for text in SMALL for part in ("--search", text))]


@pytest.fixture
def thalweg(run_thalweg):
    """Runs a command in an empty folder; returns exit code, standard output, standard error."""
    return run_thalweg


def test_the_whole_way(thalweg):
    code, out, error = thalweg("tune", PENGUINS, "--target", "target", "--trials", "3", *QUICK)
    assert code == 0, error
    for part in ("best trials, by least validation log-loss", "69 rows set apart", "3 trials", "runs/penguins-tuned"):
        assert part in out
    folder = Path("runs/penguins-tuned")
    names = {path.name for path in folder.iterdir()}
    assert names >= {"columns.json", "history.jsonl", "model.safetensors", "run.json", "trials.json"}
    found = json.loads((folder / "trials.json").read_text())
    assert len(found["trials"]) == 3
    facts = json.loads((folder / "run.json").read_text())
    assert facts["held-out"]["accuracy"] > 0.8
    code, out, error = thalweg("report", folder, "--seconds", "0.5")
    assert (code, error) == (0, "")
    assert out.startswith(f"report: {folder / 'report.html'} (")
    code, out, error = thalweg("predict", folder, PENGUINS, "--out", "predictions.csv")
    assert code == 0, error
    with open("predictions.csv") as file, open(PENGUINS) as given:
        pairs = list(zip(csv.DictReader(file), csv.DictReader(given), strict=True))
    assert sum(one["prediction"] == other["target"] for one, other in pairs) > 0.8 * len(pairs)
    code, out, error = thalweg("inspect", folder)
    assert code == 0, error
    assert "always Adelie" in out
    assert facts["held-out"]["log loss"] == pytest.approx(found["held out"]["best"]["log_loss"], abs=1e-4)


def test_the_same_storage_goes_on(thalweg):
    given = ["--target", "target", "--storage", "kept", *QUICK]
    assert thalweg("tune", PENGUINS, *given, "--trials", "2", "--out", "one")[0] == 0
    code, out, error = thalweg("tune", PENGUINS, *given, "--trials", "4", "--out", "other")
    assert code == 0, error
    one, other = (json.loads(Path(name, "trials.json").read_text())["trials"] for name in ("one", "other"))
    assert len(other) == 4
    assert [trial["scores"] for trial in other[:2]] == [trial["scores"] for trial in one]
    assert "4 trials" in out
    code, _, error = thalweg("tune", PENGUINS, *given, "--seed", "1", "--out", "third")
    assert code == 2
    assert "another search" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--search", "widht=8"], "did you mean 'width'"),
        (["--search", "width"], "KNOB=VALUES"),
        (["--search", "width=1..8"], "a range is for numbers between"),
        (["--search", "activation=rellu"], "did you mean 'relu'"),
        (["--metric", "rmse"], "doesn't fit"),
        (["--ignore", "nowhere"], "nowhere"),
        (["--out", "."], "exists already"),
    ],
)
def test_wrong_calls(thalweg, arguments, message):
    code, _, error = thalweg("tune", PENGUINS, "--target", "target", "--trials", "1", *arguments)
    assert code == 2
    assert message in error


def test_images_are_refused(thalweg):
    code, _, error = thalweg("tune", "pictures.npz", "--target", "target")
    assert code == 2
    assert "for tables" in error


def test_values_are_read_as_python_has_them():
    assert spaces(["width=8,16", "learning-rate=0.01..0.1", "batch_normalization=on", "activation=relu"]) == {
        "width": [8, 16],
        "learning_rate": (0.01, 0.1),
        "batch_normalization": [True],
        "activation": ["relu"],
    }
    with pytest.raises(ArgumentError, match="KNOB=VALUES"):
        spaces(["width="])


def test_a_missing_package_is_named_before_anything_else(thalweg, monkeypatch):
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    code, out, error = thalweg("tune", PENGUINS, "--target", "target")
    assert (code, out) == (1, "")
    assert error.endswith("a search for better settings needs optuna: pip install 'thalweg[tune]'\n")
