"""Every row of docs/keras-differences.md is true: its programs do here what it says, and something else in Keras."""

import re

import numpy as np
import pytest
from keras_names import PAGE, START
from keras_rows import REFUSED, ROWS, RUNS

import thalweg
from thalweg.errors import ThalwegError

X = np.random.default_rng(0).normal(size=(16, 4)).astype("f")
Y = np.arange(16) % 3
TABLES = PAGE.read_text(encoding="utf-8").partition(START)[0]
CELLS = [c.strip() for c in re.findall(r"^\| (.*?) \| .*\|$", TABLES, re.MULTILINE) if c != "Keras"]
PROGRAMS = [(row, program) for row in ROWS for program in row.programs]
IDS = [f"{row.cell[:40]}-{number}" for row in ROWS for number in range(len(row.programs))]
each = pytest.mark.parametrize(("row", "program"), PROGRAMS, ids=IDS)
ignoring = pytest.mark.filterwarnings("ignore")  # what a program warns of beside what it shows


def built(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.build()
    return model


def slope(keras, name):
    """The derivative of an activation, or of PReLU with α = 0.25, at 0."""
    if keras is thalweg:
        layer = (
            keras.layers.PReLU("zeros")
            if name == "PReLU"
            else keras.layers.Activation(getattr(keras.activations, name))
        )
        dense = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)
        model = keras.Sequential([keras.Input((1,)), dense, layer])
        model.compile("sgd", keras.losses.SumSquaredError(half=True))
        trace = model.trace([[1.0]], [[-1.0]])
        return round(float(next(trace[name] for name in trace if name.startswith("dW")).item()), 3)
    jax = pytest.importorskip("jax")
    return float(jax.grad(lambda x: getattr(keras.activations, name)(x[None])[0])(0.0))


def one_step(keras, optimizer, gradient):
    """The weight 1 after a step on this gradient."""
    if keras is thalweg:
        dense = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
        model = keras.Sequential([keras.Input((1,)), dense])
        model.compile(optimizer, keras.losses.FormulaLoss("y_pred*y_true", reduction="sum"))
        model.train_on_batch(np.ones((1, 1)), np.full((1, 1), gradient, "f"))
        return float(model.get_weights()[0].item())
    variable = keras.Variable(np.ones((1, 1), "f"))
    optimizer.build([variable])
    optimizer.apply([np.full((1, 1), gradient, "f")], [variable])
    return float(np.asarray(variable.value).item())


def outcome(program, keras):
    """What the program leaves in `r`, or the error that it raises."""
    given = {"keras": keras, "np": np, "X": X, "Y": Y, "built": built, "slope": slope, "one_step": one_step}
    exec(program, given)
    return given.get("r", RUNS)


def test_every_row_is_a_program_and_every_program_has_a_row():
    found = {row.cell: [cell for cell in CELLS if cell.startswith(row.cell)] for row in ROWS}
    assert [cell for cell, rows in found.items() if len(rows) != 1] == []
    assert sorted(CELLS) == sorted(cell for cells in found.values() for cell in cells)


@ignoring
@each
def test_it_happens_here(row, program, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    if row.ours == REFUSED:
        with pytest.raises((ThalwegError, AttributeError, TypeError), match=r"\w"):
            outcome(program, thalweg)
    else:
        assert outcome(program, thalweg) == row.ours


@ignoring
@pytest.mark.parametrize(
    ("row", "program"), [pair for pair in PROGRAMS if pair[0].theirs],
    ids=[name for name, pair in zip(IDS, PROGRAMS, strict=True) if pair[0].theirs],
)  # fmt: skip
def test_something_else_happens_in_keras(row, program, keras, tmp_path, monkeypatch, capfd):
    """When this fails, Keras does the same, and the row has to go."""
    monkeypatch.chdir(tmp_path)
    try:
        theirs = outcome(program, keras)
    except (Exception, KeyboardInterrupt) as error:
        theirs = error
    if row.ours == REFUSED:
        assert not isinstance(theirs, BaseException), theirs
    else:
        assert isinstance(theirs, BaseException) or theirs != row.ours
