"""The page without a server gives away what the page with one gives."""

import base64
import json
import re

import numpy as np
import pytest
from test_exports import LAYERS, TABLE, executed
from twins import NODE, ran

from thalweg import words
from thalweg.models import model_file
from thalweg.models.loading import load_model
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.exports.programs import EXPORTS
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.training.journey import Course

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
PLAIN = "".join(f"{line.rpartition(',')[0]}\n" for line in TABLE.splitlines())
SGD = {"optimizer": "sgd", "learning_rate": 0.1}
STATES = {
    **{
        name: (state, [45])
        for name, state in LAYERS.items()
        if state.get("data", {}).get("name") not in ("text", "sentences", "table")
    },
    "a table": ({"data": {"name": "table", "target": "kind", "columns": ["length", "width"]}}, [9]),
    "a table's numbers": ({"data": {"name": "table", "target": "length", "share": 0.0}}, [12]),
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


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Every state's course in Python, and the files that JavaScript makes of its own."""
    uploads, courses, work = Uploads(), {}, []
    for name, (state, changes) in STATES.items():
        if state.get("data", {}).get("name") == "table":
            state = state | {"data": state["data"] | {"source": uploads.add(PLAIN.encode(), "pieces.csv").id}}
        course = courses[name] = Course(State.of(state), uploads)
        for change in changes:
            course.run(change) if isinstance(change, int) else course.change(State.of(change))
        table = {"table": {"text": PLAIN, "name": "pieces.csv"}} if "table" in name else {}
        work.append({"do": "exported", "state": state, "changes": changes, "kinds": list(EXPORTS), **table})
    found = ran(tmp_path_factory.mktemp("exports"), work, trains=True)
    return {name: (courses[name], files) for name, files in zip(STATES, found, strict=True)}


def content(file):
    """The bytes of a file."""
    return base64.b64decode(file["bytes"])


@pytest.mark.parametrize("kind", ["python", "keras"])
@pytest.mark.parametrize("name", STATES)
def test_programs_are_the_same_texts(name, kind, both):
    course, files = both[name]
    assert "refused" not in files, files
    assert files["loss"] == pytest.approx(course.last["loss"], rel=1e-3)
    course.last["loss"] = files["loss"]  # as the page's engine has computed it
    if "error" in files[kind]:
        with pytest.raises(RefusedError) as caught:
            EXPORTS[kind].made(course)
        assert files[kind]["error"] == words.Said.of(caught.value).text
        return
    assert content(files[kind]).decode() == EXPORTS[kind].made(course).decode()
    assert (files[kind]["name"], files[kind]["type"]) == (EXPORTS[kind].file, EXPORTS[kind].type)


def test_a_program_runs_and_gives_the_pages_loss(both):
    _, files = both["several legs"]
    assert executed(content(files["python"]).decode()) == pytest.approx(files["loss"], rel=0.2)
    _, files = both["numbers"]
    text = content(files["python"]).decode()
    assert executed(text) == pytest.approx(float(re.search(r"epoch was ([\d.e-]+)\.\n", text)[1]), rel=1e-4)


@pytest.mark.parametrize("name", STATES)
def test_states_are_the_same_texts(name, both):
    course, files = both[name]
    assert content(files["state"]) == EXPORTS["state"].made(course)


@pytest.mark.parametrize("name", STATES)
def test_models_are_the_same_files(name, both, tmp_path):
    """The description to the letter; the arrays but for rounding. It is read, and predicts what Python's does."""
    course, files = both[name]
    paths = [tmp_path / "python.safetensors", tmp_path / "javascript.safetensors"]
    for path, data in zip(paths, (EXPORTS["model"].made(course), content(files["model"])), strict=True):
        path.write_bytes(data)
    (expected, description), (found, same) = map(model_file.read, paths)  # which checks the digest
    assert json.dumps(same, sort_keys=True) == json.dumps(description, sort_keys=True)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert np.allclose(found[key], array, rtol=1e-2, atol=1e-3), key
    model = load_model(paths[1])
    x = course.network.exercise.x
    assert np.allclose(model.predict(x, verbose=0), course.network.model.predict(x, verbose=0), atol=1e-2)
    model.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == paths[1].read_bytes()
