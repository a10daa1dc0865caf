"""A disk that is full when something is saved: what was there stays, an error says it, what was computed survives."""

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, callbacks, load_model
from thalweg.data import write_table
from thalweg.errors import DataError, ModelFileError, ThalwegError
from thalweg.layers import Dense, Input
from thalweg.runs import table_run as runs
from thalweg.runs.keeping import keep
from thalweg.runs.run import Run
from thalweg.runs.table_comparison import save_comparison
from thalweg.support.files import append, writing

resource = pytest.importorskip("resource", reason="no limits on the size of files")
ROWS = "x,z,y\n" + "".join(f"{n},{n * n % 7},{n % 2}\n" for n in range(60))
LEAST = 100  # bytes that a full disk takes


@pytest.fixture
def full():
    """From now on no file gets longer than a few bytes; the limit is lifted at the end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def trained():
    model = Sequential([Input((2,)), Dense(30), Dense(1)], seed=0)
    model.compile("adam", "mse")
    model.fit(np.ones((8, 2)), np.ones(8), verbose=0)
    return model


@pytest.mark.parametrize("save", [Sequential.save, Sequential.save_weights])
@pytest.mark.parametrize("there", [True, False])
def test_a_model_that_cannot_be_saved(save, there, tmp_path, full):
    model, path = trained(), tmp_path / "model.safetensors"
    if there:
        save(model, path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    weights = model.vector.copy()
    full()
    with pytest.raises(ModelFileError, match=r"model\.safetensors can.t be written: File too large; make") as caught:
        save(model, path)
    assert "\n" not in str(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert np.array_equal(model.vector, weights)


def test_a_model_can_be_saved_elsewhere_afterwards(tmp_path, full):
    model = trained()
    full()
    with pytest.raises(ModelFileError):
        model.save(tmp_path / "model")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    model.save(tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").vector, model.vector)


@pytest.mark.parametrize("kind", ["ModelCheckpoint", "BackupAndRestore", "CSVLogger"])
def test_a_callback_that_cannot_write_ends_the_fit_and_the_model_is_whole(kind, tmp_path, full):
    """In the second epoch; the weights of the first two are kept."""
    model, alone = trained(), trained()
    alone.fit(np.ones((8, 2)), np.ones(8), epochs=2, verbose=0)
    path = tmp_path / "written"
    writes = {
        "ModelCheckpoint": lambda: callbacks.ModelCheckpoint(path),
        "BackupAndRestore": lambda: callbacks.BackupAndRestore(path),
        "CSVLogger": lambda: callbacks.CSVLogger(path),
    }[kind]()
    before = {}

    class Fills(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                before.update({file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()})
                size = max(map(len, before.values())) if kind == "CSVLogger" else 0
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 3, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with pytest.raises(ThalwegError, match="can't be written: File too large"):
        model.fit(np.ones((8, 2)), np.ones(8), epochs=5, verbose=0, callbacks=[writes, Fills()])
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert before
    assert np.array_equal(model.vector, alone.vector)
    assert len(model.history.epoch) == 2


@pytest.mark.parametrize("kind", ["ModelCheckpoint", "BackupAndRestore", "CSVLogger"])
def test_a_place_that_cannot_be_written_is_said(kind, tmp_path):
    (tmp_path / "file").touch()
    path = Path("/dev/full") if kind == "CSVLogger" else tmp_path / "file" / "below"
    with pytest.raises(ThalwegError, match=r"can't be written|does not exist") as caught:
        trained().fit(np.ones((8, 2)), np.ones(8), verbose=0, callbacks=[getattr(callbacks, kind)(path)])
    assert str(path) in str(caught.value) or str(path.parent) in str(caught.value)


def test_tensorboard_ends_the_fit_instead_of_waiting_for_ever(tmp_path, full):
    pytest.importorskip("tensorboardX", exc_type=ImportError)
    model, board = trained(), callbacks.TensorBoard(tmp_path, histogram_freq=1, write_graph=False)
    full()
    with pytest.raises(ThalwegError, match="can't be written: File too large"):
        model.fit(np.ones((8, 2)), np.ones(8), epochs=50, verbose=0, callbacks=[board])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    board.close()


def test_a_device_is_not_replaced_by_a_file():
    for path in map(Path, ("/dev/null", "/dev/full")):
        with pytest.raises(ModelFileError, match="is a folder or a device"):
            trained().save(path)
        assert path.is_char_device()


def test_writing_leaves_nothing_behind_whatever_goes_wrong(tmp_path, full):
    def interrupted(error):
        with writing(tmp_path / "file") as new:
            new.write_text("half")
            raise error

    for error in (KeyboardInterrupt, ValueError):
        with pytest.raises(error):
            interrupted(error)
    assert list(tmp_path.iterdir()) == []
    append(tmp_path / "file", "one\n")
    full()
    with pytest.raises(ThalwegError, match="File too large"):
        append(tmp_path / "file", "x" * LEAST)
    assert (tmp_path / "file").read_text() == "one\n"
    append(tmp_path / "file", "two\n")
    assert (tmp_path / "file").read_text() == "one\ntwo\n"


def test_a_comparison_that_cannot_be_saved_leaves_no_folder(tmp_path, full):
    found = thalweg.compare("optimizer", np.ones((8, 2)), np.arange(8) % 2, entries=["sgd"], seeds=1, epochs=1)
    full()
    with pytest.raises(ThalwegError, match="can't be written"):
        save_comparison(found, tmp_path / "comparison")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".json", ".jsonl"])
def test_a_table_that_cannot_be_written(ending, tmp_path, full):
    path = tmp_path / f"p{ending}"
    full()
    with pytest.raises(DataError) as caught:
        write_table(path, {"a": np.random.default_rng(0).random(100_000)})
    assert str(caught.value) == f"{path} can't be written: File too large; make room there, or give another path"
    assert list(tmp_path.iterdir()) == []


# --- the command line --------------------------------------------------------------------------------------------

QUICK = ["--members", "1", "--no-trees", "--epochs", "2", "--seed", "1"]
TRAIN = """
import sys
from thalweg.cli.main import main
from thalweg.errors import ModelFileError
from thalweg.runs.run import Run
save = Run.save
def on_a_full_disk(run, folder, command):
    if not str(folder).startswith({room!r}):
        raise ModelFileError(f"{{folder}} can't be written: No space left on device")
    save(run, folder, command)
Run.save = on_a_full_disk
sys.argv[1:] = ["train", {table!r}, "--target", "y", "--out", {out!r}, *{quick!r}]
main()
"""


def command(tmp_path, room):
    (tmp_path / "rows.csv").write_text(ROWS)
    script = TRAIN.format(room=str(room), table=str(tmp_path / "rows.csv"), out=str(tmp_path / "out"), quick=QUICK)
    settings = {"PYTHONPATH": str(Path(thalweg.__file__).parents[1]), "TMPDIR": str(tmp_path), "COLUMNS": "300"}
    return [sys.executable, "-c", script], os.environ | settings


@pytest.fixture
def train(run_thalweg, monkeypatch, tmp_path):
    """The command, in this process, where runs can only be saved in folders whose names begin like `room`."""
    save = Run.save

    def train(room):
        def on_a_full_disk(run, folder, command):
            if not str(folder).startswith(str(room)):
                raise ModelFileError(f"{folder} can't be written: No space left on device")
            save(run, folder, command)

        (tmp_path / "rows.csv").write_text(ROWS)
        monkeypatch.setattr(Run, "save", on_a_full_disk)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setenv("COLUMNS", "300")
        table, out = tmp_path / "rows.csv", tmp_path / "out"
        return run_thalweg("train", table, "--target", "y", "--out", out, *QUICK)

    return train


def test_a_finished_training_is_kept_in_the_temporary_folder(train, tmp_path):
    code, out, error = train(room=tmp_path / "thalweg-")
    assert code == 1, error
    (folder,) = tmp_path.glob("thalweg-*/out")
    said = error.splitlines()[-1]
    assert said.startswith(f"thalweg: {tmp_path / 'out'} can't be written: No space left on device")
    assert f"it is kept in {folder}" in said
    assert f"run folder: {folder}" in out
    assert len(runs.load(folder).history) == 2


def test_where_there_is_no_room_at_all_it_is_said(train, tmp_path):
    code, _, error = train(room="nowhere")
    assert code == 1
    assert error.splitlines()[-1].endswith("there was no other place for it either, so it is lost")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_at_a_terminal_another_folder_is_asked_for(tmp_path):
    script, settings = command(tmp_path, room=tmp_path / "other")
    here, there = pty.openpty()
    os.write(here, f"\n{tmp_path / 'other'}\n".encode())
    done = subprocess.run(script, env=settings, stdin=there, stdout=subprocess.PIPE, stderr=there, text=True)
    said = os.read(here, 100_000).decode()
    os.close(here)
    os.close(there)
    assert done.returncode == 1
    assert said.count("press Enter to try") == 2  # Enter, and the folder is still full
    assert f"it is kept in {tmp_path / 'other'}" in said
    assert len(runs.load(tmp_path / "other").history) == 2


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ModelFileError("full")])
def test_keep_tries_one_place_after_the_other(error, tmp_path, monkeypatch):
    tried = []

    def save(folder):
        tried.append(folder)
        folder.mkdir()
        if len(tried) < 3:
            raise error

    places = [tmp_path / name for name in ("one", "missing", "two", "three")]
    for place in (*places[:1], *places[2:]):
        place.mkdir()
    monkeypatch.setattr("thalweg.runs.keeping.other_places", lambda: iter(places))
    kept, problem = keep(save, tmp_path / "out")
    assert [folder.relative_to(tmp_path).parts[0] for folder in tried] == ["out", "one", "two"]
    assert kept == tried[-1]
    assert problem.endswith(f"; it is kept in {kept}: move it from there")
    assert list((tmp_path / "one").iterdir()) == []
    assert keep(lambda folder: None, tmp_path / "out") == (tmp_path / "out", "")
