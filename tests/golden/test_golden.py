"""What earlier versions saved is read, gives the same numbers, and is trained on as if nothing had been in between.

The files are written by make.py. A test that fails here says that a stored name, a default or an equation has changed
its meaning: users' files would change theirs.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from make import MODELS, RUNS, SHARED, answers, given, run_answers, trained_on
from safetensors import safe_open
from safetensors.numpy import save_file

import thalweg
from thalweg.errors import ModelFileError
from thalweg.models.model_file import digest

VERSIONS = sorted(path for path in Path(__file__).parent.iterdir() if path.is_dir() and path.name[0].isdigit())
FILES = [path for folder in VERSIONS for path in sorted(folder.glob("*.safetensors"))]
FOLDERS = [folder / name for folder in VERSIONS for name in RUNS]
TOLERANCE = {"rtol": 5e-5, "atol": 5e-6}  # native and reference engine differ by a tenth of it
EXACT = {"rtol": 1e-9, "atol": 1e-12}  # the reference engine in float64


def name_of(path):
    return f"{path.parent.name}-{path.stem}"


def stored(path):
    """The arrays of a file, by name."""
    with np.load(path) as file:
        return dict(file)


def same(found, wanted, **tolerance):
    """The arrays are the wanted ones: the same names, the same numbers."""
    assert found.keys() == wanted.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, wanted[name], err_msg=name, **tolerance or TOLERANCE)


def parts(file, *prefixes):
    return {name: array for name, array in file.items() if name.startswith(prefixes)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_model_predicts_and_trains_on_as_when_it_was_saved(path):
    file = stored(path.with_suffix(".npz"))
    model = thalweg.load_model(path)
    tolerance = EXACT if model.dtype == np.float64 else TOLERANCE
    same(answers(model, file), parts(file, "predicted_"), **tolerance)
    judged = model.evaluate(given(file, "x"), given(file, "y"), verbose=0, return_dict=True)
    same({"loss": judged["loss"]}, parts(file, "loss"), **tolerance)
    same(trained_on(model, file), parts(file, "later_"), **tolerance)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_same_program_takes_a_file_up(path):
    """A model made anew, by today's names and defaults, has the weights and the state that the file names."""
    model, _ = MODELS[path.stem]()
    file = stored(path.with_suffix(".npz"))
    model.fit(given(file, "x"), given(file, "y"), **SHARED)  # others than those that are loaded
    model.load_state(path)
    tolerance = EXACT if model.dtype == np.float64 else TOLERANCE
    same(answers(model, file), parts(file, "predicted_"), **tolerance)
    same(trained_on(model, file), parts(file, "later_"), **tolerance)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_run_answers_as_when_it_was_saved(folder):
    pytest.importorskip("PIL.Image")  # for the run on pictures
    same(run_answers(folder.parent, folder.name), stored(folder.with_suffix(".npz")))


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_commands_read_a_run(folder, run_thalweg, tmp_path):
    pytest.importorskip("PIL.Image")
    source, asked = (folder.parent / name for name in RUNS[folder.name][:2])
    shutil.copytree(folder, tmp_path / "run")
    out = ("--out", "answers.csv")
    for command in (["inspect"], ["evaluate", source], ["report"], ["predict", asked, *out]):
        code, said, error = run_thalweg(command[0], "run", *command[1:])
        assert code == 0, f"{command}: {error}"
        assert said
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000


def test_every_model_and_run_has_its_files():
    assert VERSIONS
    for folder in VERSIONS:
        assert {path.stem for path in folder.glob("*.safetensors")} <= set(MODELS)
    newest = VERSIONS[-1]
    assert {path.stem for path in newest.glob("*.safetensors")} == set(MODELS)
    assert all((newest / name / "run.json").exists() for name in RUNS)


# --- the controls: a changed meaning is noticed ----------------------------------------------------------------------


def changed(path, folder, change):
    """A copy of a model's files whose description is another, with a checksum that fits."""
    with safe_open(path, framework="numpy") as file:
        text = file.metadata()["thalweg"].partition(" ")[2]
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a dict
    description = json.loads(text)
    change(description)
    text = json.dumps(description, sort_keys=True)
    shutil.copy(path.with_suffix(".npz"), folder)
    save_file(arrays, folder / path.name, {"thalweg": f"{digest(text, arrays)} {text}"})
    return folder / path.name


def layer(description, kind):
    return next(layer for layer in description["layers"] if layer["class_name"] == kind)["config"]


DAMAGE = {
    "the momentum of batch normalization": lambda d: layer(d, "BatchNormalization").update(momentum=0.99),
    "its epsilon": lambda d: layer(d, "BatchNormalization").update(epsilon=2e-3),
    "a rate of dropout": lambda d: layer(d, "Dropout").update(rate=0.25),
    "a weight decay": lambda d: d["compile"]["optimizer"]["config"].update(weight_decay=0.02),
    "a second moment": lambda d: d["compile"]["optimizer"]["config"].update(beta_2=0.99),
    "the count of steps": lambda d: d["compile"].update(iterations=5),
    "the seed": lambda d: d.update(seed=4),
    "a loss's smoothing": lambda d: d["compile"]["loss"]["config"].update(label_smoothing=0.0),
    "an activation": lambda d: layer(d, "PReLU").update(shared_axes=[1]),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_another_meaning_is_noticed(what, tmp_path):
    path = changed(VERSIONS[-1] / "dense.safetensors", tmp_path, DAMAGE[what])
    with pytest.raises((AssertionError, ModelFileError)):
        test_a_model_predicts_and_trains_on_as_when_it_was_saved(path)


def test_an_unchanged_copy_passes(tmp_path):
    path = changed(VERSIONS[-1] / "dense.safetensors", tmp_path, lambda description: None)
    test_a_model_predicts_and_trains_on_as_when_it_was_saved(path)


@pytest.mark.parametrize("format", ["0", "2"])
def test_a_file_of_a_format_that_this_version_does_not_know_is_refused(format, tmp_path):
    """An older format would need a reader of its own; see docs/saved-files.md."""
    path = changed(VERSIONS[-1] / "dense.safetensors", tmp_path, lambda d: d.update(format=format))
    for read in (thalweg.load_model, MODELS["dense"]()[0].load_weights):
        with pytest.raises(ModelFileError, match=f"has the format '{format}', this version reads '1'"):
            read(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: layer(d, "Dense").update(groups=2), "groups"),
        (lambda d: d["compile"]["optimizer"]["config"].update(lookahead=5), "lookahead"),
        (lambda d: d["compile"]["loss"].update(class_name="Dice2"), "Dice2"),
        (lambda d: d["layers"][1].update(class_name="Maxout"), "Maxout"),
    ],
)
def test_what_a_newer_version_has_is_refused_by_name(change, named, tmp_path):
    path = changed(VERSIONS[-1] / "dense.safetensors", tmp_path, change)
    with pytest.raises(ModelFileError, match=named):
        thalweg.load_model(path)


def test_a_setting_that_came_later_has_its_old_meaning(tmp_path):
    """As if the argument had been added after the file was written."""
    path = changed(
        VERSIONS[-1] / "dense.safetensors", tmp_path, lambda d: layer(d, "BatchNormalization").pop("epsilon")
    )
    test_a_model_predicts_and_trains_on_as_when_it_was_saved(path)
