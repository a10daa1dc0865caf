"""Exported programs run by themselves and give the page's loss; the model and the state can be read back."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from forked_programs import forking

import thalweg
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.exports.programs import EXPORTS
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.training.journey import Course

TABLE = "length,width,kind,when\n" + "".join(
    f"{n % 7 + n / 50},{(n * 3) % 11},{'ab'[n % 2]},2024-01-{n % 28 + 1:02d}\n" for n in range(120)
)
LAYERS = {
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


def trained(state, uploads, steps=400):
    course = Course(State.of(state), uploads)
    course.run(max(1, steps // course.bursts.steps_per_epoch) * course.bursts.steps_per_epoch)
    return course


@pytest.fixture(scope="module")
def uploads():
    return Uploads()


def with_table(state, uploads):
    if state.get("data", {}).get("name") != "table":
        return state
    return state | {"data": state["data"] | {"source": uploads.add(TABLE.encode(), "pieces.csv").id}}


ROOT = next(p for p in map(os.path.abspath, sys.path) if os.path.isdir(os.path.join(p, "thalweg")))


def files(program, folder):
    """The program, beside the table that it may read."""
    (folder / "program.py").write_bytes(program)
    (folder / "pieces.csv").write_text(TABLE)
    return folder / "program.py"


@pytest.fixture(scope="module")
def with_keras():
    """Runs a program of Keras in a process of its own, and returns what it prints."""
    with forking(["keras"], "-W", "error", PYTHONPATH=ROOT, KERAS_BACKEND="torch") as run:
        yield run


def executed(program):
    """The loss that a program prints, run here."""
    printed = []
    exec(compile(program, "exported", "exec"), {"print": lambda *words: printed.append(words), "__name__": "exported"})
    return float(printed[-1][-1])


def test_an_exported_program_runs_by_itself(uploads, tmp_path):
    course = trained({}, uploads)
    path = files(EXPORTS["python"].made(course), tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", path.name], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": ROOT},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert float(done.stdout.split()[-1]) == course.last["loss"]


@pytest.mark.parametrize("state", LAYERS.values(), ids=LAYERS)
def test_the_program_gives_the_pages_loss(state, uploads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pieces.csv").write_text(TABLE)
    course = trained(with_table(state, uploads), uploads)
    program = EXPORTS["python"].made(course).decode()
    assert executed(program) == course.last["loss"]
    assert f"was {course.last['loss']!r}" in program


def test_changes_on_the_way_are_repeated(uploads):
    """The learning rate within an epoch; other knobs where an epoch ends; back and forth."""
    course = trained({"optimizer": "sgd"}, uploads, 90)
    course.run(4)
    course.change(State.of({"optimizer": "sgd", "learning_rate": 0.2}))
    course.run(5)
    course.change(State.of({"optimizer": "sgd", "learning_rate": 0.1}))
    course.change(State.of({"optimizer": "sgd", "learning_rate": 0.3}))
    course.run(9)
    course.change(State.of({"optimizer": "adam", "l2": 0.01, "batch": 16}))
    course.run(18 * 3)
    course.change(State.of({"optimizer": "adam", "l2": 0.01, "batch": 16, "learning_rate": 0.002}))
    course.run(18 * 2)
    program = EXPORTS["python"].made(course).decode()
    assert program.count("Sequential(") == 2
    assert executed(program) == course.last["loss"]


def test_a_change_within_an_epoch_is_told(uploads):
    course = trained({}, uploads, 50)
    course.run(3)
    course.change(State.of({"l2": 0.01}))
    course.run(9)
    assert "within an epoch" in EXPORTS["python"].made(course).decode()


def test_before_the_first_epoch_the_program_scores_the_initial_weights(uploads):
    course = Course(State.of({}), uploads)
    assert executed(EXPORTS["python"].made(course).decode()) == pytest.approx(course.initial["loss"], rel=1e-6)


@pytest.mark.parametrize("state", LAYERS.values(), ids=LAYERS)
def test_the_program_for_keras_is_python(state, uploads):
    course = trained(with_table(state, uploads), uploads, 50)
    program = EXPORTS["keras"].made(course).decode()
    compile(program, "exported", "exec")
    assert "import thalweg" not in program
    assert "lanes" not in program


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="could not import 'keras'")
@pytest.mark.parametrize("name", ["the default", "formulas", "regularisation", "initial weights", "digits", "edges"])
def test_the_program_for_keras_trains(name, uploads, with_keras, tmp_path):
    course = trained(with_table(LAYERS[name], uploads), uploads, 100)
    assert float(with_keras(files(EXPORTS["keras"].made(course), tmp_path)).split()[-1]) < 10


@pytest.mark.parametrize(
    "state",
    [
        {"optimizer": "adabelief"},
        {"loss": "quantile", "data": {"name": "plane"}},
        {"schedule": "one_cycle"},
    ],
)
def test_what_keras_lacks_is_said(state, uploads):
    course = Course(State.of(state), uploads)
    with pytest.raises(RefusedError, match="Keras has no"):
        EXPORTS["keras"].made(course)
    EXPORTS["python"].made(course)


def test_the_model_can_be_loaded(uploads, tmp_path):
    course = trained({"layers": [{"activation": "x/(1+abs(x))"}]}, uploads)
    path = tmp_path / "model.safetensors"
    path.write_bytes(EXPORTS["model"].made(course))
    model = thalweg.saving.load_model(path)
    x = course.network.exercise.x
    assert np.array_equal(model.predict(x, verbose=0), course.network.model.predict(x, verbose=0))
    assert model.optimizer.iterations == course.iteration


def test_the_state_can_be_read_back(uploads):
    course = trained({"l2": 0.5}, uploads, 10)
    assert State.of(json.loads(EXPORTS["state"].made(course))) == course.state


def test_the_page_gets_files(page):
    page.until(lambda f: f.get("reset"))
    for kind in EXPORTS:
        status, content = page.ask(kind)
        assert status == 200
        assert content
    status, content = page.ask("python", side=1)
    assert status == 400
    assert json.loads(content)["error"]["en"]
    page.set({"optimizer": "adabelief"})
    status, content = page.ask("keras")
    assert status == 400
    assert "Keras has no optimizer adabelief" in json.loads(content)["error"]["en"]
