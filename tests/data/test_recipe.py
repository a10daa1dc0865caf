"""Recipes: what a task asks of a network."""

import numpy as np
import pytest

from thalweg import Sequential, activations, losses
from thalweg.callbacks import EarlyStopping
from thalweg.data import Table, Target
from thalweg.data.recipe import RECIPES, TASKS, recipe
from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input

X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
TARGETS = {"binary": (X[:, 0] > 0).astype(int), "multiclass": np.digitize(X[:, 0], [-0.4, 0.4]), "regression": X[:, 1]}
CLASSES = {"binary": 2, "multiclass": 3, "regression": 0}


def network(task, loss, activation):
    chosen = recipe(task)
    model = Sequential([Input((2,)), Dense(2), Dense(chosen.units(CLASSES[task]), activation)], seed=0)
    model.compile("adam", loss, [chosen.metric_for(activation)])
    return model


def test_every_task_has_a_recipe():
    assert tuple(RECIPES) == TASKS
    assert all(recipe(task) is RECIPES[task] and recipe(task).task == task for task in TASKS)
    for unknown in ("guess", ["binary"], None):
        with pytest.raises(ArgumentError, match="binary, multiclass, regression"):
            recipe(unknown)


@pytest.mark.parametrize(
    ("task", "units", "activation", "loss", "metric", "score"),
    [
        ("binary", 1, "sigmoid", "binary_crossentropy", "accuracy", "accuracy"),
        ("multiclass", 3, "softmax", "sparse_categorical_crossentropy", "accuracy", "accuracy"),
        ("regression", 1, "linear", "mean_squared_error", "r2", "R²"),
    ],
)
def test_what_a_task_asks(task, units, activation, loss, metric, score):
    found = recipe(task)
    assert (found.units(CLASSES[task]), found.activation, found.loss) == (units, activation, loss)
    assert (found.metric, found.score, found.monitor) == (metric, score, "val_loss")


@pytest.mark.parametrize("task", TASKS)
def test_a_recipe_trains_on_the_targets_of_a_table(task):
    """Output layer, loss, metric and monitored value fit together, and fit what `Target` makes of the column."""
    labels = TARGETS[task] if task == "regression" else np.array(["a", "b", "c"])[TARGETS[task]]
    table = Table.of({"y": labels})
    target = Target.of(table, "y")
    found = recipe(target.task)
    assert (target.task, target.outputs) == (task, found.units(CLASSES[task]))
    model = network(task, found.loss, found.activation)
    y = found.encode(target.encode(table), target.outputs, model.loss)
    stop = EarlyStopping(found.monitor, patience=1)
    history = model.fit(X, y, epochs=1, validation_data=(X, y), callbacks=[stop], verbose=0)
    assert {"loss", found.metric, f"val_{found.metric}", found.monitor} <= history.history.keys()


@pytest.mark.parametrize(("task", "loss"), [(task, loss) for task in TASKS for loss in RECIPES[task].fitting])
def test_every_fitting_loss_takes_its_targets(task, loss):
    found, made = recipe(task), losses.get(loss)
    activation = found.activation_for(made)
    assert activations.get(activation).name == activation
    model = network(task, made, activation)
    y = TARGETS[task].reshape(-1, 1) if task == "regression" else TARGETS[task]
    encoded = found.encode(y, found.units(CLASSES[task]), made)
    assert encoded.shape[1:] in (made.target_shape((found.units(CLASSES[task]),)), ())
    model.evaluate(X, encoded, verbose=0)


def test_a_margin_is_judged_by_its_sign():
    """Hinge's output is any number: 0.2 is a "yes", where a probability of 0.2 is a "no"."""
    model = network("binary", "hinge", "linear")
    model.set_weights([np.eye(2), np.zeros(2), [[0.2], [0.0]], [0.0]])
    assert model.evaluate([[1.0, 0.0], [-1.0, 0.0]], [[1.0], [0.0]], verbose=0)[1] == 1.0


def test_a_loss_that_does_not_fit_is_refused_with_those_that_do():
    with pytest.raises(ArgumentError, match="hinge doesn't fit a regression target; those that do: mean_squared_error"):
        recipe("regression").activation_for(losses.get("hinge"))
