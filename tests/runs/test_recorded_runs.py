"""Runs keep what was recorded while they trained: in recording.npz, which older folders lack."""

import shutil

import numpy as np
import pytest

from thalweg.data import read_table
from thalweg.data.images import Images
from thalweg.errors import ModelFileError
from thalweg.recordings.timetable import RECORDING_SECONDS
from thalweg.runs import image_run, table_training
from thalweg.runs.folder import RECORDING
from thalweg.runs.stored import load_run
from thalweg.runs.table_run import TableOptions

MOST_BYTES = 8_000_000


def penguins(**options):
    given = {"trees": False, "members": 2, "layers": (16,), "epochs": 6, "seed": 0, "lanes": 1}
    return table_training.train(read_table("examples/penguins.csv"), TableOptions(target="sex", **given | options))


@pytest.fixture(scope="module")
def table_run():
    return penguins()


def test_a_table_run_records_its_first_network(table_run, tmp_path):
    table_run.save(tmp_path / "run", ["thalweg", "train"])
    recording = load_run(tmp_path / "run").recording
    facts = recording.facts
    assert (tmp_path / "run" / RECORDING).stat().st_size < MOST_BYTES
    assert all(name.startswith("member_1") for name in recording.layers)
    assert facts["columns"] == table_run.features.feature_names
    assert facts["history"]["loss"] == pytest.approx([r["loss"] for r in table_run.history if r["member"] == 0])
    assert len(recording.batch_losses) == facts["steps"] == 6 * facts["steps_per_epoch"]


def test_held_out_rows_are_told_from_those_learned(table_run):
    """In the fit they are rows with a weight of 0, or none."""
    facts, sample = table_run.recording.facts, table_run.recording.sample
    held = table_run.facts["members"][0]["held out"]
    assert (facts["held_rows"], facts["rows"]) == (held, table_run.facts["rows"]["train"] - held)
    assert sum(facts["class_counts"]) == facts["rows"] == len(sample.x)
    assert len(sample.held_x) == held == facts["twins"]["looked_at"]
    assert facts["twins"]["equal"] < held / 2
    learned = {row.tobytes() for row in sample.x}
    assert sum(row.tobytes() in learned for row in sample.held_x) == facts["twins"]["equal"]


def test_a_recording_changes_no_prediction(table_run, monkeypatch):
    from thalweg.models.model import Model

    fit = Model.fit
    monkeypatch.setattr(Model, "fit", lambda self, *a, **named: fit(self, *a, **named | {"record": False}))
    plain = penguins()
    assert plain.recording is None
    np.testing.assert_array_equal(plain.model.vector, table_run.model.vector)


def test_folds_are_not_recorded(monkeypatch):
    from thalweg.models.model import Model

    asked = []
    fit = Model.fit

    def spy(self, *arguments, **named):
        asked.append(named.get("record", False))
        return fit(self, *arguments, **named)

    monkeypatch.setattr(Model, "fit", spy)
    penguins(folds=2)
    assert sorted(asked) == [False] * 5 + [RECORDING_SECONDS]


def test_an_image_run_records_its_network(tmp_path):
    draw = np.random.default_rng(0)
    x = draw.integers(0, 255, (80, 12, 12, 1)).astype(np.uint8)
    images = Images(x, (np.arange(80) % 2), ("dark", "light"), "memory")
    options = image_run.ImageOptions(epochs=2, seed=0, lanes=1)
    run = image_run.train(images, options)
    run.save(tmp_path / "run", ["thalweg", "train"])
    recording = load_run(tmp_path / "run").recording
    assert recording.sample.x.dtype == np.uint8
    assert recording.facts["output_activation"] == "softmax"
    assert recording.facts["held_rows"] == run.facts["rows"]["validation"] == len(recording.sample.held_x)
    assert np.isfinite(recording.statistics["gradient_norm"]).all()


def test_older_folders_have_no_recording_and_damaged_ones_are_refused(table_run, tmp_path):
    table_run.save(tmp_path / "run", ["thalweg", "train"])
    path = tmp_path / "run" / RECORDING
    shutil.copy(path, tmp_path / "copy")
    path.unlink()
    assert load_run(tmp_path / "run").recording is None
    path.write_bytes((tmp_path / "copy").read_bytes()[:-300])
    run = load_run(tmp_path / "run")  # predictions need no recording
    with pytest.raises(ModelFileError, match=r"recording\.npz is damaged"):
        run.diagnose()
