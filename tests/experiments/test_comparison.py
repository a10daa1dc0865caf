"""compare: what each entry of a knob does to the same network, failures counted, and the command around it."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import activations, compare, initializers, losses, optimizers
from thalweg.data.recipe import RECIPES
from thalweg.errors import ArgumentError, DataError
from thalweg.experiments.entries import UNFIT_LOSSES, catalogue, entries_of
from thalweg.experiments.problem import Settings
from thalweg.experiments.results import Comparison, Entry, Run
from thalweg.experiments.units import look_at_units
from thalweg.layers import Dense, Input
from thalweg.support.naming import snake_case

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3)).astype(np.float32)
TWO = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
NUMBER = 100 + 10 * X[:, 0] - 5 * X[:, 1]
QUICK = {"epochs": 6, "layers": (8,), "seeds": 2, "batch_size": 16}


@pytest.mark.parametrize(
    ("knob", "y", "entries", "task"),
    [
        ("activation", TWO, ["relu", "tanh"], "binary"),
        ("learning_rate", THREE, [0.01, 0.03], "multiclass"),
        ("initializer", NUMBER, ["glorot_uniform", "lsuv", "orthogonal"], "regression"),
        ("optimizer", TWO, ["sgd", "adam"], "binary"),
        ("loss", THREE, ["sparse_categorical_crossentropy", "mean_squared_error"], "multiclass"),
    ],
)
def test_every_knob(knob, y, entries, task):
    rate = {} if knob == "learning_rate" else {"learning_rate": 0.03}
    found = compare(knob, X, y, entries=entries, **QUICK, **rate)
    assert (found.knob, found.task) == (knob, task)
    assert sorted(e.name for e in found.entries) == sorted(map(str, entries))
    assert found.rows == (240, 60)
    for entry in found.entries:
        assert len(entry.runs) == 2
        assert all(len(run.scores) == len(run.losses) == 6 for run in entry.runs)
        assert entry.seconds > 0
    best = found.ranked()[0]
    assert best.score > found.chance + 0.1
    assert str(found).splitlines()[1].startswith(best.name)


def test_a_run_is_the_training_of_the_same_network_by_itself():
    found = compare("activation", X, THREE, entries=["tanh"], validation_data=(X[:50], THREE[:50]), **QUICK)
    model = thalweg.Sequential([Input((3,)), Dense(8, "tanh"), Dense(3, "softmax")], seed=1)
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    data = (X[:50], THREE[:50])
    history = model.fit(X, THREE, batch_size=16, epochs=6, validation_data=data, verbose=0, lanes=1)
    assert found.entries[0].runs[1].scores == history.history["val_accuracy"]
    assert found.entries[0].runs[1].losses == history.history["loss"]


def test_a_training_that_diverges_stops_no_other():
    found = compare("learning_rate", X, NUMBER, entries=[1e6, 0.01, 0.0], optimizer="sgd", **QUICK)
    assert [e.name for e in found.ranked()] == ["0.01", "0", "1e+06"]
    exploded, good, still = found.entries
    assert exploded.failed == 1
    assert math.isnan(exploded.score)
    assert all("not finite" in run.failure for run in exploded.runs)
    assert good.failed == 0
    assert still.failed == 1
    assert all(run.failure.startswith("stuck") for run in still.runs)
    assert found.ranked()[-1].curve()[0].size == 0


def test_score_and_interval_are_students():
    entry = Entry("a", [Run(0, scores=[0.1, 0.8]), Run(1, scores=[0.9]), Run(2, scores=[1.0])])
    assert entry.score == pytest.approx(0.9)
    assert entry.interval == pytest.approx(4.3027 * 0.1 / math.sqrt(3), rel=1e-4)  # t(.975, 2) = 4.3027
    assert math.isnan(Entry("a", entry.runs[:1]).interval)
    entry.runs[2].failure = "diverged: …"
    assert entry.finals == [0.8, 0.9]
    assert entry.failed == pytest.approx(1 / 3)


def compared(*entries, rows=1000):
    """A comparison of these scores, by entry and seed."""
    found = [Entry(f"e{k}", [Run(seed, scores=[score]) for seed, score in enumerate(e)]) for k, e in enumerate(entries)]
    return Comparison("activation", "binary", "accuracy", 0.5, Settings(), (800, rows), found)


def test_what_is_worse_than_the_best_is_marked_by_differences_over_common_seeds():
    """The scores of a seed go together, so that intervals of each entry overlap where differences don't."""
    base = np.array([0.80, 0.90, 0.70, 0.85])
    found = compared(base, base - 0.05 - [0.001, 0.002, 0.0, 0.001], base - [0.1, -0.1, 0.05, -0.01])
    best, clear, unclear = found.entries
    assert found.ranked()[0] is best
    assert (found.worse(best), found.worse(clear), found.worse(unclear)) == (False, True, False)
    assert best.interval > 0.05  # the control
    assert found.summary() == [
        "worse than e0, the best on average over 4 seeds: 1 of 2; the order of the others may be chance"
    ]
    assert [entry["worse"] for entry in found.records()["entries"]] == [False, False, True]
    assert found.summary()[0] in str(found)
    assert found.summary()[0] in found._repr_html_()


def test_two_seeds_of_many_entries_tell_nothing_apart():
    found = compared(*[[0.9 - 0.01 * k, 0.91 - 0.011 * k] for k in range(36)])
    assert not any(map(found.worse, found.entries))
    said = "nothing is told apart from e0, the best on average over 2 seeds; more seeds may tell"
    assert found.summary() == [said]


def test_a_difference_of_a_row_in_each_of_few_seeds_is_no_proof():
    found = compared([0.9] * 3, [0.89] * 3, rows=100)
    assert not found.worse(found.entries[1])
    said = "worse than e0, the best on average over 3 seeds: 1 of 1"
    assert compared([0.9] * 3, [0.7] * 3, rows=100).summary() == [said]


def test_entries_that_diverged_are_not_compared():
    found = compared([0.9, 0.91], [0.1, 0.2])
    for run in found.entries[1].runs:
        run.failure = "diverged: …"
    assert not found.worse(found.entries[1])
    for run in found.entries[0].runs:
        run.failure = "diverged: …"
    assert found.summary() == ["every training diverged"]
    assert not any(map(found.worse, found.entries))
    assert compared([0.9, 0.8]).summary() == []


def test_dead_and_saturated_units_are_found():
    x = np.linspace(-1, 1, 101)[:, None]
    model = thalweg.Sequential([Input((1,)), Dense(4, "relu"), Dense(1)], seed=0)
    model.set_weights([[[1, 1, 1, 1]], [-2, 2, 0, -3], np.ones((4, 1)), [0]])
    assert look_at_units(model, x) == (0.5, 0.0)
    model = thalweg.Sequential([Input((1,)), Dense(4, "tanh"), Dense(1)], seed=0)
    model.set_weights([[[1, 0, 1, 1]], [0, 1, 5, -5], np.ones((4, 1)), [0]])
    assert look_at_units(model, x) == (0.25, 0.5)
    model = thalweg.Sequential([Input((1,)), Dense(4, "softmax"), Dense(1)], seed=0)
    model.build()
    dead, saturated = look_at_units(model, x)
    assert dead == 0
    assert math.isnan(saturated)


def test_every_entry_of_the_catalogue_is_tried_or_left_out_with_a_reason():
    for knob, module in (("activation", activations), ("optimizer", optimizers), ("initializer", initializers)):
        names, left_out = catalogue(knob, "binary")
        assert all(reason.startswith("needs ") for reason in left_out.values())
        things = {id(module.NAMES[name]) for name in names if name != "lsuv"}
        assert things == {id(thing) for name, thing in module.NAMES.items() if name not in left_out}
        assert len(names) == len(things) + (knob == "initializer")
    everything = {snake_case(name) for name in losses.CLASSES}
    known = {name for recipe in RECIPES.values() for name in recipe.fitting} | set(UNFIT_LOSSES)
    assert everything <= known, f"say which tasks these losses fit, in data/recipe.py: {everything - known}"
    for task in RECIPES:
        names, left_out = catalogue("loss", task)
        assert {*names, *left_out} == everything
        assert all(left_out.values())
    assert list(entries_of("learning_rate", "binary", None)[0]) == [
        "0.0001",
        "0.0003",
        "0.001",
        "0.003",
        "0.01",
        "0.03",
        "0.1",
        "0.3",
        "1",
    ]


@pytest.mark.parametrize(("task", "y"), [("binary", TWO), ("multiclass", THREE), ("regression", NUMBER)])
def test_every_loss_that_fits_is_trained(task, y):
    found = compare("loss", X, y, epochs=1, layers=(4,), seeds=1)
    assert found.task == task
    assert all(not run.diverged for e in found.entries for run in e.runs)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: compare("activaton", X, TWO), "did you mean 'activation'"),
        (lambda: compare("activation", X, TWO, entries=["rleu"]), "did you mean 'relu'"),
        (lambda: compare("activation", X, TWO, entries=[]), "entries is a list"),
        (lambda: compare("activation", X, TWO, entries="relu"), "entries is a list"),
        (lambda: compare("activation", X, TWO, entries=["relu", "relu"]), "same name"),
        (lambda: compare("activation", X, TWO, activation="relu"), "can't be set"),
        (lambda: compare("activation", X, TWO, layer=3), "no argument 'layer'; did you mean 'layers'"),
        (lambda: compare("activation", X, TWO, seeds=0), "at least 1"),
        (lambda: compare("activation", X, TWO, epochs=0), "epochs"),
        (lambda: compare("activation", X, TWO, task="guess"), "binary"),
        (lambda: compare("loss", X, NUMBER, entries=["binary_crossentropy"]), "doesn't fit a regression target"),
        (lambda: compare("activation", X, TWO, loss="sparse_categorical_crossentropy"), "doesn't fit a binary target"),
        (lambda: compare("activation", X, THREE, task="binary"), "two classes, this one has 3"),
        (lambda: compare("activation", X[0], TWO), "x of shape"),
        (lambda: compare("activation", X, TWO[:9]), "one target a row"),
        (lambda: compare("activation", X, TWO, validation_data=(X, np.full(300, "no idea"))), "'no idea'"),
        (lambda: compare("learning_rate", X, TWO, entries=[-1.0]), "learning_rate"),
        (lambda: compare("activation", X, TWO, test_share=1.0), "between 0 and 1"),
    ],
)
def test_a_wrong_call_is_told(call, said):
    with pytest.raises((ArgumentError, DataError), match=said) as told:
        call()
    assert "\n" not in str(told.value)


def test_it_is_written_as_numbers_and_as_a_picture(tmp_path):
    found = compare("learning_rate", X, NUMBER, entries=[1e6, 0.01], optimizer="sgd", **QUICK)
    found.save(tmp_path / "found.json")
    record = json.loads((tmp_path / "found.json").read_text())
    assert [e["name"] for e in record["entries"]] == ["0.01", "1e+06"]
    assert record["entries"][1]["score"] is None  # JSON has no NaN
    assert record["settings"]["layers"] == [8]
    assert len(record["entries"][0]["runs"][1]["scores"]) == 6
    with pytest.raises(ArgumentError, match=r"\.json, \.png or \.svg"):
        found.save(tmp_path / "found.txt")
    pytest.importorskip("matplotlib")
    for name, start in (("found.png", b"\x89PNG"), ("found.svg", b"<?xml")):
        found.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)


def test_the_chart_has_the_best_in_colour_and_nothing_far_below():
    found = compare("learning_rate", X, NUMBER, entries=[0.1**k for k in range(8)] + [1e6], optimizer="sgd", **QUICK)
    chart = found.chart()
    names = [entry.name for entry in found.ranked() if not np.isnan(entry.score)]
    assert [curve.name for curve in chart.curves] == [*names, "chance"]  # those that diverged have no curve
    assert [curve.faint for curve in chart.curves] == [False] * 6 + [True] * (len(names) - 5)
    assert [len(curve.band) for curve in chart.curves] == [2] * 6 + [0] * (len(names) - 5)
    assert chart.floor == -0.52


def test_fit_many_gives_the_error_in_place_of_the_history():
    def model(rate):
        made = thalweg.Sequential([Input((3,)), Dense(1)], seed=0)
        made.compile(optimizers.SGD(rate), "mse")
        return made

    ended = []
    models = [model(1e8), model(0.01), model(0.02)]
    ends = thalweg.fit_many(models, X, NUMBER, epochs=2, return_errors=True, ended=lambda: ended.append(1))
    assert isinstance(ends[0], thalweg.errors.DivergedError)
    assert [len(end.epoch) for end in ends[1:]] == [2, 2]
    assert len(ended) == 3
    with pytest.raises(thalweg.errors.DivergedError):
        thalweg.fit_many([model(1e8), model(0.01)], X, NUMBER, epochs=2)


# --- the command -----------------------------------------------------------------------------------------------------

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


@pytest.fixture
def command(run_thalweg):
    return lambda *arguments: run_thalweg("compare", *arguments)


def test_the_command(command):
    quick = ("--seeds", "2", "--epochs", "3", "--layers", "8")
    code, out, error = command("activation", PENGUINS, "--target", "target", "--entries", "relu,tanh", *quick)
    assert code == 0, error
    assert re.search(r"held-out accuracy +± 95%", out)
    assert "the best on average over 2 seeds" in out
    assert {line.split()[0] for line in out.splitlines() if re.match(r"(relu|tanh) ", line)} == {"relu", "tanh"}
    assert "comparisons/penguins-activation/comparison.json" in out
    assert json.loads(Path("comparisons/penguins-activation/comparison.json").read_text())["task"] == "multiclass"
    code, out, _ = command("learning_rate", PENGUINS, "--target", "body_mass_g", "--entries", "0.001,0.01", *quick)
    assert code == 0
    assert "held-out R²" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("activatoin", PENGUINS, "--target", "target"), "did you mean 'activation'"),
        (("activation", "pengiuns.csv", "--target", "target"), "there is no file"),
        (("activation", PENGUINS, "--target", "targt"), "did you mean target"),
        (("activation", PENGUINS, "--target", "target", "--entries", "rleu"), "did you mean 'relu'"),
        (("learning_rate", PENGUINS, "--target", "target", "--entries", "a"), "numbers such as"),
        (("loss", PENGUINS, "--target", "body_mass_g", "--entries", "hinge,binary_crossentropy"), "loss"),
        (("activation", PENGUINS, "--target", "target", "--task", "guess"), "unknown"),
        (("activation", PENGUINS, "--target", "target", "--loss", "mean_absolute_percentage_error"), "loss"),
        (("activation", PENGUINS, "--target", "target", "--seeds", "0"), "seeds"),
        (("activation", PENGUINS, "--target", "target", "--layers", "x"), "whole numbers"),
        (("optimizer", PENGUINS, "--target", "target", "--out", "."), "exists already"),
    ],
)
def test_a_wrong_command_exits_with_2_and_writes_nothing(command, arguments, said):
    code, _, error = command(*arguments)
    assert (code, error.count("\n")) == (2, 1), error
    assert said in error
    assert not Path("comparisons").exists()
