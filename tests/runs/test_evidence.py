"""What a run folder keeps for its report: all rows or a bounded part, written, read back, and checked."""

import json
from pathlib import Path

import numpy as np
import pytest

from thalweg.data import read_table
from thalweg.errors import ModelFileError
from thalweg.runs import evidence, table_training
from thalweg.runs.evidence import CELLS, EVIDENCE, load_evidence
from thalweg.runs.reports.pages import stored_subject
from thalweg.runs.table_run import TableOptions
from thalweg.support.files import to_json

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
OPTIONS = {"trees": False, "members": 1, "layers": (8,), "epochs": 2, "seed": 0, "lanes": 1}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run on penguins, and its folder."""
    run = table_training.train(read_table(str(PENGUINS)), TableOptions(target="target", **OPTIONS))
    folder = tmp_path_factory.mktemp("runs") / "penguins"
    run.save(folder, ["thalweg", "train"])
    return run, folder


def loaded(run, folder):
    return load_evidence(folder, run.model.row_in, len(run.target.classes))


def test_it_comes_back_as_it_was(kept):
    run, folder = kept
    before, after = run.evidence, loaded(run, folder)
    for name in ("rows", "truth", "predicted"):
        assert np.array_equal(getattr(before.held, name), getattr(after.held, name))
    assert np.array_equal(before.x, after.x)
    assert before.cells == after.cells
    assert (after.random, after.held.of) == (before.random, len(before.held.rows))


def test_rows_cells_and_predictions_are_those_of_the_source(kept):
    run, folder = kept
    table, found = read_table(str(PENGUINS)), loaded(run, folder)
    part = table.take(found.held.rows - 1)
    classes = np.array(run.target.classes)
    assert np.array_equal(classes[found.held.truth], part["target"])
    assert np.allclose(run.predict_proba(part), found.held.predicted, atol=1e-6)
    inputs = part.take(found.at)
    assert found.cells["island"] == inputs["island"].tolist()
    assert np.array_equal(np.array(found.cells["bill_length_mm"], float), inputs["bill_length_mm"], equal_nan=True)
    assert np.array_equal(run.features.matrix(inputs), found.x)


def test_a_report_names_the_columns_left_out_and_why(tmp_path):
    table = {name: column.tolist() for name, column in ((n, read_table(str(PENGUINS))[n]) for n in ("sex", "target"))}
    rows = len(table["sex"])
    table |= {
        "flipper": np.arange(rows) % 7.0,
        "same": ["x"] * rows,
        "note": [f"note {k} of mine" for k in range(rows)],
    }
    table |= {"ring": np.arange(rows), "dropped": np.arange(rows) % 3}
    options = TableOptions(target="target", id="ring", ignore=("dropped",), **OPTIONS)
    table_training.train(read_table(table), options).save(tmp_path / "run", ["thalweg", "train"])
    facts = {name["en"]: value for name, value in stored_subject(tmp_path / "run").facts}
    named = dict(part.split(": ", 1) for part in facts["columns left out"]["en"].split("; "))
    assert named.keys() == {"same", "note", "ring", "dropped"}
    assert (named["ring"], named["dropped"]) == ("--id", "--ignore")


def test_a_report_of_the_folder_scores_as_the_run(kept):
    run, folder = kept
    subject = stored_subject(folder)
    right = (subject.held.guesses == subject.held.truth).mean()
    assert right == pytest.approx(run.facts["held-out"]["accuracy"])
    assert np.allclose(subject.inputs.predict(subject.inputs.x), subject.held.predicted[subject.inputs.at], atol=1e-6)


def test_an_old_folder_has_a_report_with_fewer_sections(kept, tmp_path):
    import shutil

    run, folder = kept
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    (old / EVIDENCE).unlink()
    (old / CELLS).unlink()
    assert loaded(run, old) is None
    subject = stored_subject(old)
    assert subject.held is None
    assert "older version" in subject.missing[0]["en"]


def test_many_rows_and_classes_are_bounded():
    count, classes = 30_000, 200
    rng = np.random.default_rng(0)
    held = evidence.kept_rows(rng.integers(0, classes, count), rng.random((count, classes)), np.arange(count))
    assert held.predicted.size <= evidence.MOST_NUMBERS
    assert held.of == count
    pictures = np.zeros((3000, 64, 64, 3), np.uint8)
    found = evidence.of_images(pictures, np.zeros(3000, int), np.eye(2)[np.ones(3000, int)])
    assert found.x.nbytes <= 4 * evidence.MOST_NUMBERS + 20 * pictures[0].nbytes
    assert found.random < len(found.at) <= found.random + 20  # and the worst


def test_the_worst_rows_keep_their_inputs():
    y, shares = np.zeros(5000, int), np.tile([0.9, 0.1], (5000, 1))
    shares[[17, 4000]] = [0.001, 0.999]
    found = evidence.of_images(np.zeros((5000, 20, 20, 1), np.float32), y, shares)
    assert found.random == 2000
    assert {17, 4000} <= set(found.at.tolist())


def damaged(folder, tmp_path, change):
    """The evidence of a folder after a change of its arrays and of evidence.json."""
    with np.load(folder / EVIDENCE) as file:
        arrays = {name: file[name] for name in file}
    about = json.loads((folder / CELLS).read_text("utf-8"))
    change(arrays, about)
    np.savez(tmp_path / EVIDENCE, **arrays)
    (tmp_path / CELLS).write_text(to_json(about), encoding="utf-8")


CHANGES = {
    "truth beyond the classes": lambda a, b: a.update(truth=a["truth"] + 2),
    "negative truth": lambda a, b: a.update(truth=a["truth"] - 3),
    "truth of another type": lambda a, b: a.update(truth=a["truth"].astype(float)),
    "fewer predictions": lambda a, b: a.update(predicted=a["predicted"][:-1]),
    "a class too few": lambda a, b: a.update(predicted=a["predicted"][:, :-1]),
    "a place that isn't there": lambda a, b: a.update(at=a["at"] + 1000),
    "a negative place": lambda a, b: a.update(at=a["at"] - 1000),
    "inputs of another width": lambda a, b: a.update(x=a["x"][:, :-1]),
    "text": lambda a, b: a.update(x=np.full(a["x"].shape, "1")),
    "no rows": lambda a, b: a.pop("rows"),
    "more drawn than kept": lambda a, b: b.update(random=10_000),
    "fewer held than kept": lambda a, b: b.update(held=1),
    "a short column": lambda a, b: b["cells"].update(island=["x"]),
    "cells of lists": lambda a, b: b["cells"].update(island=[[1]] * len(a["at"])),
    "no cells": lambda a, b: b.pop("cells"),
    "a list": lambda a, b: b.update(held=[1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_damage_is_found(kept, tmp_path, change):
    run, folder = kept
    damaged(folder, tmp_path, change)
    with pytest.raises(ModelFileError, match="is damaged") as caught:
        loaded(run, tmp_path)
    assert "\n" not in str(caught.value)


def test_nothing_is_found_in_what_is_whole(kept, tmp_path):
    damaged(kept[1], tmp_path, lambda a, b: None)
    assert loaded(kept[0], tmp_path) is not None


@pytest.mark.parametrize("name", [EVIDENCE, CELLS])
def test_a_file_that_is_cut_or_missing_is_said(kept, tmp_path, name):
    damaged(kept[1], tmp_path, lambda a, b: None)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:50])
    with pytest.raises(ModelFileError, match=name):
        loaded(kept[0], tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelFileError, match=name):
        loaded(kept[0], tmp_path)
