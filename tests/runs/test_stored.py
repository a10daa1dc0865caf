"""Runs from disk in Python: load_run, and folders that were written before there were ensembles."""

import json
import subprocess
import sys
from importlib import metadata

import numpy as np
import pandas as pd
import pytest

import thalweg
from thalweg import Sequential, layers
from thalweg.data.recipe import recipe
from thalweg.data.tables import Table, read_table
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.runs import table_training
from thalweg.runs.folder import write_folder
from thalweg.runs.table_run import TableOptions
from thalweg.tabular import Features

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=150)
FRAME = pd.DataFrame({"x": X, "word": np.where(RANDOM.random(150) < 0.5, "a", "b"), "y": np.where(X > 0, "up", "down")})
NOT_NEEDED = ["sklearn", "scipy", "pandas", "narwhals", "duckdb", "matplotlib", "rich", "thalweg.runs.image_run"]
QUICK = {"members": 2, "layers": (8,), "epochs": 20, "seed": 0, "lanes": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    table_training.train(read_table(FRAME), TableOptions(target="y", **QUICK)).save(folder, ["thalweg", "train"])
    return folder


def test_a_run_predicts_frames(folder):
    run = thalweg.load_run(folder)
    new = FRAME.drop(columns="y")
    labels, shares = run.predict(new), run.predict_proba(new)
    assert (labels == FRAME["y"]).mean() > 0.9
    assert run.target.classes == ("down", "up")
    assert np.array_equal(labels, np.array(["down", "up"], object)[shares.argmax(axis=1)])
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert run.evaluate(FRAME)["accuracy"] == (labels == FRAME["y"]).mean()
    assert run.facts["held-out"].keys() == run.evaluate(FRAME).keys()
    assert isinstance(run.model, thalweg.Model)
    assert {record["member"] for record in run.history} == {0, 1}
    with pytest.raises(DataError, match="lacks 'word'"):
        run.predict(new.drop(columns="word"))
    with pytest.raises(DataError, match=r"no row .* has a value in the target column"):
        run.evaluate(FRAME.assign(y=None))
    with pytest.raises(NotFoundError, match="no run folder"):
        thalweg.load_run(folder / "nope")


def test_a_single_row_needs_no_table(folder, monkeypatch):
    run = thalweg.load_run(folder)
    row = {"x": 0.25, "word": "a"}
    wanted = run.of_matrix(run.features.matrix(Table.of({"x": [0.25], "word": ["a"]})))
    monkeypatch.setattr(type(run), "read", lambda *_, **__: pytest.fail("a table was read"))
    for source in (row, [row], pd.DataFrame([row]), row | {"more": None}):
        assert np.array_equal(run.predict_proba(source), wanted)
        assert run.predict(source).tolist() == ["up"]
    with pytest.raises(pytest.fail.Exception):  # the control
        run.predict([row, row])


def test_what_predictions_do_not_need_is_not_read_or_imported(folder):
    code = f"""
import sys
import thalweg
run = thalweg.load_run({str(folder)!r})
run.predict({{"x": 0.25, "word": "a"}})
assert "recording" not in vars(run)
print(*(name for name in {NOT_NEEDED} if name in sys.modules))
assert run.recording is not None
import sklearn, thalweg.runs.image_run
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_same_numbers_as_in_training(folder):
    """The stored graph gives what the trained one gave."""
    run = table_training.train(read_table(FRAME), TableOptions(target="y", **QUICK))
    assert np.array_equal(run.predict_proba(FRAME), thalweg.load_run(folder).predict_proba(FRAME))


def test_a_number_has_no_probabilities(tmp_path):
    table = FRAME.assign(y=3 * X + 100)
    table_training.train(read_table(table), TableOptions(target="y", **QUICK)).save(tmp_path / "run", ["thalweg"])
    run = thalweg.load_run(tmp_path / "run")
    assert abs(run.predict(table) - table["y"]).mean() < 1
    assert run.evaluate(table)["R²"] > 0.9
    with pytest.raises(ArgumentError, match="is a number, which has no probabilities"):
        run.predict_proba(table)


def test_a_run_on_images(tmp_path):
    from thalweg.runs import image_run

    x, y = RANDOM.integers(0, 256, (40, 6, 6, 1)).astype(np.uint8), np.arange(40) % 2
    x[y == 1] //= 4
    np.savez(tmp_path / "a.npz", x=x, y=y)
    images = image_run.read_images(tmp_path / "a.npz")
    options = image_run.ImageOptions(model="mlp", epochs=20, batch_size=8, seed=0, validation_share=0.0)
    image_run.train(images, options).save(tmp_path / "run", ["thalweg"])
    run = thalweg.load_run(tmp_path / "run")
    assert run.evaluate(tmp_path / "a.npz")["accuracy"] > 0.9
    image = pytest.importorskip("PIL.Image")
    image.fromarray(x[1, :, :, 0]).save(tmp_path / "dark.png")
    assert run.predict(tmp_path / "dark.png").tolist() == ["1"]
    assert run.predict_proba([tmp_path / "dark.png"] * 2).shape == (2, 2)


# --- folders from before there were ensembles ------------------------------------------------------------------------


def old_run(folder, task):
    """As `thalweg train` wrote it then: one chain of layers, epochs without members, facts without intervals."""
    y = FRAME["y"] if task == "binary" else 3 * X + 100
    table = read_table(FRAME.assign(y=y))
    features = Features.fit(table, "y")
    model = Sequential(
        [
            layers.Input((len(features.feature_names),)),
            layers.Dense(8, "relu"),
            layers.Dense(1, recipe(task).activation),
        ],
        seed=0,
    )
    model.compile("adam", recipe(task).loss, metrics=[recipe(task).metric])
    history = model.fit(features.matrix(table), features.targets(table), epochs=60, batch_size=16, verbose=0)
    scores = {"accuracy": 0.9} if task == "binary" else {"R²": 0.9}
    facts = {
        "options": {"batch_size": 64, "lanes": None, "optimizer": "adam", "loss": None},
        "source": "rows.csv",
        "rows": {"train": 100, "validation": 20, "test": 30},
        "seed": 0,
        "seconds": 0.1,
        "interrupted": False,
        "held-out": scores,
        "baseline": {"answer": "up" if task == "binary" else 99.5, "scores": scores},
    }
    write_folder(folder, ["thalweg", "train"], model, {"columns.json": features.to_json()}, history.records(), facts)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_an_old_run_is_read_shown_and_used(task, tmp_path, run_thalweg):
    old_run(tmp_path / "old", task)
    run = thalweg.load_run(tmp_path / "old")
    if task == "binary":
        assert (run.predict(FRAME) == FRAME["y"]).mean() > 0.9
    else:
        assert abs(run.predict(FRAME) - (3 * X + 100)).mean() < 2
    FRAME.assign(y=FRAME["y"] if task == "binary" else 3 * X + 100).to_csv("rows.csv", index=False)
    code, out, error = run_thalweg("inspect", "old")
    assert code == 0, error
    for part in ("dense", "dW1 = xᵀ·dh1", "history", "always", "0.9000"):
        assert part in out
    code, out, error = run_thalweg("evaluate", "old", "rows.csv")
    assert code == 0, error
    assert "held out in training" in out
    assert run_thalweg("predict", "old", "rows.csv", "--out", "p.csv")[0] == 0
    assert read_table("p.csv").rows == len(FRAME)


def test_a_run_whose_model_and_columns_do_not_belong_together(folder, tmp_path):
    other = Table.of({"x": X, "y": FRAME["y"].to_numpy(object)})
    options = TableOptions(target="y", **QUICK)
    table_training.train(other, options).save(tmp_path / "run", ["thalweg"])
    stored = json.loads((folder / "columns.json").read_text("utf-8"))
    (tmp_path / "run" / "columns.json").write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(thalweg.errors.ModelFileError, match="don't belong together"):
        thalweg.load_run(tmp_path / "run")


def test_run_json_names_the_versions_of_what_is_installed(tmp_path, monkeypatch):
    """llvmlite is in an extra."""
    known = metadata.distributions
    monkeypatch.setattr(metadata, "distributions", lambda name: () if name == "llvmlite" else known(name=name))
    write_folder(tmp_path / "run", ["thalweg"], Sequential([layers.Input((1,)), layers.Dense(1)]), {}, [], {})
    versions = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["versions"]
    assert list(versions) == ["thalweg", "python", "numpy", "duckdb", "safetensors", "scikit-learn"]
    assert versions["scikit-learn"] == metadata.version("scikit-learn")
