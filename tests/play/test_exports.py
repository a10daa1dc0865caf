"""What the page gives away: programs that repeat a training, the model, the state."""

import base64
import importlib.util
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from forked_programs import forking
from node_page import Course, Page, PageError

from thalweg.models import model_file
from thalweg.models.loading import load_model
from thalweg.play.page_table import PageTable

TABLE = "length,width,kind,when\n" + "".join(
    f"{n % 7 + n / 50},{(n * 3) % 11},{'ab'[n % 2]},2024-01-{n % 28 + 1:02d}\n" for n in range(120)
)
STATES = {
    "the default": {},
    "numbers": {"data": {"name": "hills", "rows": 200}, "inputs": ["x0", "x1", "x0²", "x0·x1", "sin x1"]},
    "a line": {"data": {"name": "line"}},
    "three classes": {"data": {"name": "spiral", "classes": 3}, "loss": "categorical_crossentropy"},
    "formulas": {"loss": "log(1 + (y_pred - y_true)**2)", "layers": [{"activation": "x if x > 0 else exp(x) - 1"}]},
    "regularisation": {"l1": 0.001, "l2": 0.01, "dropout": 0.2, "layers": [{"units": 8}, {"kind": "batch_norm"}]},
    "schedule": {
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "cosine_decay", "decay_steps": 50},
    },
    "initial weights": {
        "initializer": {"name": "random_normal", "stddev": 0.5},
        "layers": [{"units": 2, "weights": [[0.1, 0.2], [0.3, 0.4]], "bias": [0.5, -0.5], "activation": "sine"}],
        "shuffle": False,
    },
    "one row": {
        "data": {"name": "given", "x": [[0.5, -0.2]], "y": [0.6]},
        "layers": [],
        "output": {"activation": "sigmoid", "use_bias": False},
        "loss": "halved_squared_error",
        "optimizer": "sgd",
    },
    "given classes": {
        "data": {"name": "given", "x": [[1], [2], [3], [4]], "y": [0, 1, 1, 0], "task": "classes", "share": 0.25}
    },
    "digits": {
        "data": {"name": "digits", "rows": 300, "digits": [1, 3, 7]},
        "layers": [{"kind": "conv2d", "filters": 2}, {"kind": "max_pool"}, {"units": 8}],
    },
    "edges": {
        "data": {"name": "edges", "rows": 100},
        "layers": [{"kind": "conv2d", "filters": 1, "padding": "valid", "activation": "linear", "use_bias": False}],
        "output": None,
    },
    "a text": {
        "data": {"name": "text", "text": "the quick brown fox jumps over the lazy dog again and again", "window": 5},
        "layers": [{"kind": "embedding"}, {"kind": "recurrent", "cell": "gru", "units": 5}, {"kind": "recurrent"}],
        "initializer": "he_normal",
        "l2": 0.001,
    },
    "sentences": {
        "data": {"name": "sentences"},
        "layers": [
            {"kind": "embedding", "units": 4},
            {"kind": "attention", "heads": 2, "units": 3},
            {"kind": "average"},
        ],
    },
    "a window": {"data": {"name": "sentences", "share": 0}, "layers": [{"units": 4}]},
    "a table": {"data": {"name": "table", "target": "kind", "columns": ["length", "width", "when"]}},
    "a table's numbers": {"data": {"name": "table", "target": "length", "share": 0.0}},
}

SGD = {"optimizer": "sgd", "learning_rate": 0.1}
COURSES = {
    **{name: (state, [400]) for name, state in STATES.items()},
    "a short name": ({"loss": "mse", "data": {"name": "plane"}}, []),
    "small numbers": ({"learning_rate": 0.00001, "l1": 1e-7, "l2": 1, "data": {"name": "moons", "noise": 0}}, []),
    "several legs": (
        SGD,
        [18, 4, SGD | {"learning_rate": 1}, 5, SGD | {"learning_rate": 0.5}, 9, SGD | {"l2": 0.01, "dropout": 0.5}, 9],
    ),
    "a change within an epoch": ({}, [3, {"l2": 0.01}, 9]),
    "adagrad": ({"optimizer": {"name": "adagrad", "initial_accumulator_value": 1}, "schedule": "one_cycle"}, [9]),
    "of free schedule": ({"optimizer": "schedulefreeadamw", "layers": [{}, {"kind": "batch_norm"}]}, [9]),
    "margins": (
        {"data": {"name": "moons"}, "loss": "hinge", "layers": [{"activation": "lisht"}, {"activation": "golu"}]},
        [9],
    ),
    "an own activation": (
        {
            "data": {"name": "plane"},
            "layers": [{"activation": "min(x, 2., 1e-5*pi)**2 - -x/(1 + abs(x))"}, {"activation": "arctan"}],
            "loss": "quantile",
        },
        [9],
    ),
    "half": (
        {
            "data": {"name": "hills"},
            "loss": "sum_squared_error",
            "initializer": "normal",
            "output": {"weights": [[1]] * 8, "bias": [0.5]},
        },
        [9],
    ),
    "a kernel": (
        {
            "data": {"name": "edges", "rows": 50, "kernel": [[0.1, 1], [-1, 0]], "share": 0},
            "layers": [{"kind": "conv2d"}],
        },
        [2],
    ),
}
KINDS = ("python", "keras", "model", "state")


def training(name, folder):
    """A course whose table, if it has one, lies in the folder."""
    state, changes = COURSES[name]
    table = None
    if state.get("data", {}).get("name") == "table":
        (folder / "pieces.csv").write_text(TABLE)
        sent = PageTable.of_source("pieces.csv").encoded()
        state, table = state | {"data": state["data"] | {"source": "a"}}, {"sent": base64.b64encode(sent).decode()}
    course = Course(state, table)
    for change in changes:
        if isinstance(change, dict):
            course.change(change)
        else:
            course.run(whole(change, course) if name in STATES else change)
    return course


def whole(steps, course):
    """About so many steps, as whole epochs."""
    return max(1, steps // course.steps_per_epoch) * course.steps_per_epoch


def executed(program):
    """The names of a program that was run here, and the loss that it has printed."""
    printed = []
    given = {"print": lambda *words: printed.append(words), "__name__": "exported"}
    exec(compile(program, "exported", "exec"), given)
    return given, float(printed[-1][-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        found = tmp_path_factory.mktemp("exports")
        patch.chdir(found)
        yield found


@pytest.fixture(scope="module")
def repeated(folder):
    """By name, a course, and what its program has made and printed."""
    made = {}

    def of(name):
        if name not in made:
            course = training(name, folder)
            made[name] = course, *executed(course.exported("python").decode())
        return made[name]

    return of


def rows_of(given):
    """A program's rows as the page has them: x, y, and those that are held out."""
    for name in ("x", "y", "x_held", "y_held"):
        yield name, np.asarray(given[name], np.float64)


@pytest.mark.parametrize("name", COURSES)
def test_the_program_repeats_the_training(name, repeated):
    """Its rows are the page's, its weights and its loss those of the page's engine, but for rounding."""
    course, given, loss = repeated(name)
    page = course.rows()
    wanted = dict(rows_of(given))
    assert np.allclose(page.x.ravel(), wanted["x"].ravel(), rtol=0, atol=2e-7)
    assert np.allclose(page.heldX.ravel(), wanted["x_held"].ravel(), rtol=0, atol=2e-7)
    if course.do("facts")["classes"] is None or wanted["y"].ndim == 1:
        assert np.allclose(page.y.ravel(), wanted["y"].ravel(), rtol=0, atol=2e-6)
        assert np.allclose(page.heldY.ravel(), wanted["y_held"].ravel(), rtol=0, atol=2e-6)
    if name == "a change within an epoch":  # where the program's epochs are whole
        assert "within an epoch" in course.exported("python").decode()
        return
    assert loss == pytest.approx(course.loss, rel=0.2 if name == "several legs" else 1e-4)
    for ours, theirs in zip(course.do("arrays"), given["model"].get_weights(), strict=True):
        if name != "several legs":
            assert np.allclose(ours, theirs, rtol=2e-2, atol=2e-3)


def test_the_loss_that_is_told_is_the_pages(repeated):
    course, *_ = repeated("numbers")
    told = re.search(r"last epoch was ([\d.e-]+\d)\.", course.exported("python").decode())[1]
    assert float(told) == course.loss


def test_before_the_first_epoch_the_program_scores_the_initial_weights():
    course = Course({})
    _, loss = executed(course.exported("python").decode())
    assert loss == pytest.approx(course.loss, rel=1e-6)


def test_changes_on_the_way_are_repeated():
    """The learning rate within an epoch; other knobs where an epoch ends; back and forth."""
    course = Course({"optimizer": "sgd"})
    for change in (
        90, 4, {"optimizer": "sgd", "learning_rate": 0.2}, 5, {"optimizer": "sgd", "learning_rate": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.3}, 9, {"optimizer": "adam", "l2": 0.01, "batch": 16}, 54,
        {"optimizer": "adam", "l2": 0.01, "batch": 16, "learning_rate": 0.002}, 36,
    ):  # fmt: skip
        course.change(change) if isinstance(change, dict) else course.run(change)
    program = course.exported("python").decode()
    assert program.count("Sequential(") == 2
    assert executed(program)[1] == pytest.approx(course.loss, rel=1e-4)


@pytest.mark.parametrize("name", COURSES)
def test_the_program_for_keras_is_python(name, repeated):
    course, *_ = repeated(name)
    if name in ("of free schedule", "adagrad", "an own activation", "margins"):
        with pytest.raises(PageError, match="Keras has no"):
            course.exported("keras")
        return
    program = course.exported("keras").decode()
    compile(program, "exported", "exec")
    assert "import thalweg" not in program
    assert "lanes" not in program


ROOT = next(p for p in map(os.path.abspath, sys.path) if os.path.isdir(os.path.join(p, "thalweg")))


@pytest.fixture(scope="module")
def with_keras():
    """Runs a program of Keras in a process of its own, and returns what it prints."""
    with forking(["keras"], "-W", "error", PYTHONPATH=ROOT, KERAS_BACKEND="torch") as run:
        yield run


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="could not import 'keras'")
@pytest.mark.parametrize(
    "name", ["the default", "formulas", "regularisation", "initial weights", "digits", "edges", "a text", "sentences"]
)
def test_the_program_for_keras_trains(name, repeated, with_keras, folder):
    (folder / "program.py").write_bytes(repeated(name)[0].exported("keras"))
    assert float(with_keras(folder / "program.py").split()[-1]) < 10


def test_an_exported_program_runs_by_itself(repeated, tmp_path):
    course, *_ = repeated("the default")
    (tmp_path / "program.py").write_bytes(course.exported("python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": ROOT},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert float(done.stdout.split()[-1]) == pytest.approx(course.loss, rel=1e-4)


@pytest.mark.parametrize(
    "state",
    [{"optimizer": "adabelief"}, {"loss": "quantile", "data": {"name": "plane"}}, {"schedule": "one_cycle"}],
    ids=str,
)
def test_what_keras_lacks_is_said(state):
    course = Course(state)
    with pytest.raises(PageError, match="Keras has no"):
        course.exported("keras")
    assert course.exported("python")


@pytest.mark.parametrize("name", COURSES)
def test_the_model_can_be_loaded(name, repeated, tmp_path):
    """With the page's weights to the bit, its loss, and its steps."""
    course, given, _ = repeated(name)
    path = tmp_path / "model.safetensors"
    path.write_bytes(course.exported("model"))
    arrays, description = model_file.read(path)  # which checks the digest
    model = load_model(path)
    if len(COURSES[name][1]) == 1:  # one training, whose program makes the same model
        given["model"].save(tmp_path / "program.safetensors")
        others, wanted = model_file.read(tmp_path / "program.safetensors")
        assert arrays.keys() == others.keys()
        for key, array in others.items():
            assert np.allclose(arrays[key], array, rtol=2e-2, atol=2e-3), key
        del wanted["epochs_trained"], description["epochs_trained"]
        assert description == wanted
    for ours, theirs in zip(course.do("arrays"), model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs.astype(np.float64))
    scores = model.evaluate(given["x"], given["y"], verbose=0)
    assert np.ravel(scores)[0] == pytest.approx(course.loss_now, rel=1e-4)
    assert model.optimizer.iterations == course.iteration or any(isinstance(one, dict) for one in COURSES[name][1])
    model.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", COURSES)
def test_the_state_can_be_read_back(name, repeated):
    course, *_ = repeated(name)
    state = json.loads(course.exported("state"))
    assert state == course.state
    if state["data"]["name"] != "table":
        assert Course(state).state == state


def test_the_page_gets_files():
    with Page() as page:
        page.until(lambda f: f.get("reset"))
        for kind in KINDS:
            file = page.ask(kind)
            assert file["bytes"]
            assert file["name"]
        assert page.ask("python", side=1)["error"]["en"]
        page.set({"optimizer": "adabelief"})
        assert "Keras has no optimizer adabelief" in page.ask("keras")["error"]["en"]
        assert "Choose from" in page.ask("nothing")["error"]["en"]
