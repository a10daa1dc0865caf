"""tune: what is tried, how trials are judged, and what comes of them."""

import _thread
import dataclasses
import itertools
import json
import math
import time

import numpy as np
import pytest

import thalweg
from thalweg.data.recipe import recipe
from thalweg.errors import ArgumentError, DataError, DivergedError, ShapeError
from thalweg.experiments.tuning import importance, search
from thalweg.experiments.tuning.cycles import Cycle, Cycles, train
from thalweg.experiments.tuning.importance import importances
from thalweg.experiments.tuning.jury import Jury, Metric, Verdict
from thalweg.experiments.tuning.material import Material, as_table
from thalweg.experiments.tuning.quasi_random import point
from thalweg.experiments.tuning.reruns import Rerun, Reruns, holm, wilcoxon
from thalweg.experiments.tuning.search import TimeLimit
from thalweg.experiments.tuning.space import BY_INPUTS, KNOBS, Space
from thalweg.support.stopwatch import Stopwatch, command
from thalweg.support.terminal import width

optuna = pytest.importorskip("optuna")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3))
TWO = np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")
THREE = np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])
NUMBER = 1000 + 100 * X[:, 0] - 50 * X[:, 1] ** 2
SMALL = {
    "width": [8],
    "depth": [1, 2],
    "activation": ["relu", "tanh"],
    "batch_size": 32,
    "batch_normalization": False,
    "numbers": "plain",
}
QUICK = {"folds": 2, "seeds": 1, "lanes": 1, "space": SMALL | {"initial_weights": BY_INPUTS}}


@pytest.fixture(scope="module")
def found():
    space = QUICK["space"] | {"loss": ["binary_crossentropy", "mean_squared_error"]}
    return thalweg.tune(X, TWO, trials=8, **QUICK | {"space": space})


def test_the_default_comes_first_and_reaches_the_end(found):
    first = found.trials[0]
    assert first.default
    assert first.candidate == found.space.default
    assert (first.state, len(first.scores)) == ("complete", found.cycles)
    assert [trial.number for trial in found.trials] == list(range(8))


def test_every_trial_lies_in_the_space(found):
    for trial in found.trials:
        assert trial.candidate.width == 8
        assert trial.candidate.activation in ("relu", "tanh")
        assert 0.003 <= trial.candidate.learning_rate <= 0.3
        assert trial.state in ("complete", "pruned")
    assert len({trial.candidate.learning_rate for trial in found.trials}) == 8


def test_the_best_on_average_is_chosen(found):
    means = {entry.name: found.reruns.mean(entry) for entry in found.reruns.entries}
    assert means[found.chosen] == min(means.values())
    assert found.best == found.reruns.entry(found.chosen).candidate
    assert found.reruns.pairs == [0, 1]


def test_the_model_scores_what_is_reported(found):
    table, name = as_table(X, TWO, None)
    material = Material.of(table, name, None, (), (), (0.2, 0.2), 0)
    for model, part in ((found.model, "best"), (found.default_model, "default")):
        p = model.predict(material.test.x, verbose=0)[:, 0]
        of_truth = np.where(material.test.y == 1, p, 1 - p)
        assert -np.log(of_truth).mean() == pytest.approx(found.held_out[part].scores["log_loss"], rel=1e-4)
        assert (of_truth > 0.5).mean() == pytest.approx(found.held_out[part].scores["accuracy"])
    assert found.rows == {"train": 153, "validation": 39, "test": 48, "without target": 0}
    assert found.held_out["best"].scores["accuracy"] > 0.8


def test_the_report_is_text_json_and_a_table(found, tmp_path):
    text = str(found)
    assert "8 trials" in text
    assert "against the default" in text
    assert "48 rows set apart" in text
    found.save(tmp_path / "found.json")
    records = json.loads((tmp_path / "found.json").read_text())
    assert len(records["trials"]) == 8
    assert records["best"] == dataclasses.asdict(found.best)
    columns = found.table()
    assert list(columns) == ["trial", "state", "cycles", "log_loss", *KNOBS, "seconds"]
    assert {len(values) for values in columns.values()} == {8}
    found.save(tmp_path / "best.safetensors")
    again = thalweg.load_model(tmp_path / "best.safetensors")
    x = RNG.normal(size=(4, found.model.input_shape[1])).astype(np.float32)
    assert again.predict(x, verbose=0).tolist() == found.model.predict(x, verbose=0).tolist()
    with pytest.raises(ArgumentError, match=r"\.json, \.safetensors"):
        found.save(tmp_path / "found.txt")


def test_the_report_fits_a_terminal(found, monkeypatch):
    monkeypatch.setattr("thalweg.experiments.tuning.outcome.columns", lambda: 80)
    tables = str(found).split("\n\n")[:-1]
    assert max(width(line) for part in tables for line in part.splitlines()) <= 80


def test_the_pictures(found, tmp_path):
    pytest.importorskip("matplotlib")
    slices = found.figure("slices")
    titles = [axes.get_title() for axes in slices.axes if axes.get_visible()]
    assert titles == [knob.replace("_", " ") for knob in found.space.searched]
    parallel = found.figure("parallel")
    lines = [line for line in parallel.axes[0].lines if len(line.get_xdata()) == len(titles) + 1]
    assert len(lines) == 8
    found.save(tmp_path / "a.png", "parallel")
    assert (tmp_path / "a.png").stat().st_size > 1000
    with pytest.raises(ArgumentError, match="unknown picture"):
        found.figure("histogram")


@pytest.mark.parametrize(("y", "metric"), [(THREE, "accuracy"), (NUMBER, "mae")])
def test_other_tasks_and_metrics(y, metric):
    found = thalweg.tune(X, y, trials=3, metric=metric, **QUICK)
    assert found.metric.name == metric
    scores = found.held_out["best"].scores
    if metric == "accuracy":
        assert set(scores) == {"accuracy", "log_loss"}
        assert scores["accuracy"] > 0.6
    else:
        assert scores["r2"] > 0.5
        assert 0 < scores["mae"] < 60  # in the target's own unit
    assert found.difference[1] >= 0


def test_a_table_and_the_name_of_its_target():
    table = {"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 2] > 0, "x", "y"), "answer": TWO, "row": np.arange(240)}
    found = thalweg.tune(table, target="answer", ignore=["row"], trials=2, **QUICK)
    assert found.features.feature_names == ["a", "b", "kind=y"]
    assert found.features.target.name == "answer"


def test_the_same_seed_finds_the_same():
    one, other = (thalweg.tune(X, TWO, trials=3, seed=5, **QUICK) for _ in range(2))
    assert [t.scores for t in one.trials] == [t.scores for t in other.trials]
    assert one.held_out == other.held_out


# --- ends ------------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_with_the_best_so_far():
    pressed = []

    def press(done, total, text):
        if "best" in text and not pressed:
            pressed.append(text)
            _thread.interrupt_main()

    found = thalweg.tune(X, TWO, trials=100_000, progress=press, **QUICK)
    assert found.interrupted
    assert 1 <= len(found.trials) < 1000
    assert not found.reruns.pairs
    assert "interrupted" in found.verdict()
    assert found.model.predict(np.zeros((1, 3), np.float32), verbose=0).shape == (1, 1)


def test_a_time_limit_ends_search_and_reruns():
    found = thalweg.tune(X, TWO, time_limit=2.0, **QUICK)  # without an end it would take trials for ever
    assert found.trials
    assert not found.interrupted
    assert found.seconds > 0.5


def test_a_time_limit_counts_from_the_start_of_the_command(monkeypatch):
    monkeypatch.setattr(command, "began", time.perf_counter() - 601)
    assert TimeLimit(600.0).share() > 1
    assert TimeLimit(6000.0).share() < 0.5


def test_a_time_limit_leaves_compiling_out():
    limit = TimeLimit(10.0)
    limit.passed.begin += 5.0  # as if five seconds had been spent compiling
    assert limit.passed.seconds < -4
    assert TimeLimit(None).share() == 0
    watch = Stopwatch()
    with watch:
        time.sleep(0.01)
        assert 0.005 < watch.so_far < 10 > watch.seconds == 0
    assert watch.so_far == watch.seconds > 0.005


def test_a_time_limit_that_is_too_short_is_said_so(monkeypatch):
    monkeypatch.setattr(search.Search, "run", lambda self, lanes: None)  # no trial ended its first cycle
    with pytest.raises(ArgumentError, match="before a trial had ended"):
        thalweg.tune(X, TWO, time_limit=0.001, **QUICK)


def test_ctrl_c_during_the_reruns_keeps_those_that_are_done():
    pressed = []

    def press(done, total, text):
        if "reruns" in text and done >= total / 3 and not pressed:
            pressed.append(text)
            _thread.interrupt_main()

    found = thalweg.tune(X, TWO, trials=3, progress=press, **QUICK | {"seeds": 10})
    assert found.interrupted
    assert 5 <= len(found.reruns.pairs) < 20
    assert found.chosen in {entry.name for entry in found.reruns.entries}


def test_diverged_trials_are_counted():
    space = QUICK["space"] | {"learning_rate": [0.04, 1e30]}
    found = thalweg.tune(X, NUMBER, trials=6, **QUICK | {"space": space})
    states = [trial.state for trial in found.trials]
    assert "diverged" in states
    assert found.best.learning_rate == 0.04
    assert "diverged" in str(found)
    with pytest.raises(DivergedError, match="every trial diverged"):
        thalweg.tune(X, NUMBER, trials=2, **QUICK | {"space": space | {"learning_rate": 1e30}})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"space": {"widht": 3}}, ArgumentError, "did you mean 'width'"),
        ({"space": {"loss": "gaussian_nll"}}, ArgumentError, "doesn't fit"),
        ({"space": {"activation": []}}, ArgumentError, "no values"),
        ({"space": {"learning_rate": (1.0, 0.1)}}, ArgumentError, "low < high"),
        ({"space": {"batch_normalization": 1}}, ArgumentError, "True or False"),
        ({"space": {"dropout": 1.0}}, ArgumentError, "dropout"),
        ({"metric": "rmse"}, ArgumentError, "doesn't fit"),
        ({"trials": 0}, ArgumentError, "trials"),
        ({"time_limit": -1}, ArgumentError, "time_limit"),
        ({"folds": 1}, ArgumentError, "folds"),
        ({"validation_share": 1.0}, ArgumentError, "validation_share"),
        ({"target": "x0"}, ArgumentError, "either y"),
        ({"task": "binari"}, ArgumentError, "binari"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        thalweg.tune(X, TWO, **arguments)


def test_unfit_data():
    with pytest.raises(ShapeError, match="one target for each"):
        thalweg.tune(X, TWO[:5])
    with pytest.raises(ShapeError, match="array"):
        thalweg.tune(X[:, 0], TWO)
    with pytest.raises(DataError, match="already"):
        thalweg.tune({"target": X[:, 0]}, TWO)


# --- parts -----------------------------------------------------------------------------------------------------------


def test_quasi_random_points_are_even_and_never_the_same():
    space = Space.of(recipe("multiclass"), 5000)
    points = [point(space, number, seed=0) for number in range(64)]
    for knob, most in (("activation", 8), ("width", 4), ("batch_normalization", 2)):
        counts = np.unique([str(p[knob]) for p in points], return_counts=True)[1]
        assert counts.tolist() == [64 // most] * most
    assert len({p["learning_rate"] for p in points}) == 64
    assert point(space, 7, seed=0) == points[7]
    assert point(space, 7, seed=1) != points[7]


def test_a_cycle_is_flat_then_falls_to_zero():
    rates = Cycle(0.1, first=100, steps=50)(np.arange(100, 151))
    assert rates[:25].tolist() == [0.1] * 25
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert np.all(np.diff(rates) <= 0)


def test_cycles_double_the_rows_seen():
    for rows in (50, 3000, 30_000, 400_000):
        cycles = Cycles.of(rows)
        visits = [math.prod(cycles.rows_and_epochs(number, rows)) for number in range(cycles.count)]
        assert 4 <= cycles.count <= 6
        for before, after in itertools.pairwise(visits):
            assert 1.3 <= after / before <= 3  # whole epochs


def test_the_learning_rate_is_zero_at_the_end_of_each_cycle():
    table, name = as_table(X, TWO, None)
    material = Material.of(table, name, None, (), (), (0.2, 0.2), 0)
    candidate = Space.of(material.task, 150, SMALL).default
    model, _ = material.blueprint(material.learn, candidate).member(0, 0, 1)
    y = material.task.encode(material.learn.y, 1, model.loss)
    cycles = Cycles(300, 2)
    given = model, candidate.settings, material.learn.x, y, cycles
    ends = [model.optimizer.learning_rate for _ in train(*given, lambda: False)]
    assert ends == pytest.approx([0, 0], abs=1e-12)
    assert not list(train(*given, lambda: True))


def test_folds_hold_each_row_out_once_and_share_the_classes(monkeypatch):
    table, name = as_table(X, THREE, None)
    material = Material.of(table, name, None, (), (), (0.2, 0.2), 0)
    rows = {row.tobytes() for row in material.learn.x}
    held = [part for _, part in material.folds(4, seed=0)]
    assert sorted(row.tobytes() for part in held for row in part.x) == sorted(rows)
    for learn, part in material.folds(4, seed=1):
        assert {row.tobytes() for row in learn.x} | {row.tobytes() for row in part.x} == rows
        assert len(learn.y) + len(part.y) == len(rows)
        shares = np.bincount(part.y) / len(part.y) - np.bincount(material.learn.y) / len(rows)
        assert abs(shares).max() < 0.03
    assert not np.array_equal(held[0].x, next(material.folds(4, seed=1))[1].x)
    assert [len(part.y) for part in material.division()] == [153, 39]
    monkeypatch.setattr("thalweg.experiments.tuning.material.MOST_JUDGING", 20)
    assert [len(part.y) for part in material.division()] == [172, 20]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_verdict_does_not_depend_on_the_scale_of_the_logits(task):
    y = RNG.integers(0, 2 if task == "binary" else 3, 500)
    logits = RNG.normal(size=(500, 1 if task == "binary" else 3)).astype(np.float32)
    logits += np.where(y == 1, 1, -1)[:, None] if task == "binary" else np.eye(3)[y]
    target = dataclasses.replace(thalweg.tabular.features.Target.of({"y": y}, "y"), task=task)
    jury = Jury.of(target, y, y, Metric.of(task, None), low=0.05)
    once, twice = jury(logits), jury(2 * logits)
    assert once.scores["log_loss"] == pytest.approx(twice.scores["log_loss"], rel=1e-3)
    assert twice.temperature == pytest.approx(2 * once.temperature, rel=0.01)
    assert jury(logits, 1.0).scores["log_loss"] >= once.scores["log_loss"]
    assert jury.losses(logits, once.temperature).mean() == pytest.approx(once.scores["log_loss"])


def test_numbers_are_judged_in_their_own_unit():
    target = thalweg.tabular.features.Target.of({"y": NUMBER}, "y")
    z = ((NUMBER - target.mean) / target.scale).astype(np.float32)
    verdict = Jury.of(target, z[:, None], z, Metric.of("regression", None))(z[:, None] * 0.9)
    assert verdict.scores["rmse"] == pytest.approx(0.1 * target.scale, rel=1e-3)


def reruns(scores, metric="log_loss", folds=5, seeds=2):
    """Reruns with these scores, after one cycle, by name."""
    entries = [
        Rerun(name, None, {pair: [Verdict({metric: score})] for pair, score in enumerate(values)})
        for name, values in scores.items()
    ]
    return Reruns(Metric.of("binary", metric), 1, entries, folds * seeds)


def test_reruns_tell_what_is_better_and_what_is_not():
    base = 0.3 + 0.01 * RNG.normal(size=10)
    noise = np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1]) * np.linspace(0.001, 0.004, 10)
    found = reruns(
        {"default": base, "trial 1": base - 0.02 - noise / 9, "trial 2": base + noise, "trial 3": base + 0.02}
    )
    said = {entry.name: found.conclusion(entry) for entry in found.entries}
    assert said == {"default": "", "trial 1": "better", "trial 2": "no clear difference", "trial 3": "worse"}
    assert found.ranked()[0].name == "trial 1"
    more = reruns({"default": base, "trial 1": base + 0.02}, "accuracy")  # here more is better
    assert more.conclusion(more.entry("trial 1")) == "better"
    assert more.ranked()[0].name == "trial 1"


def test_few_reruns_and_diverged_ones():
    found = reruns({"default": [0.3] * 5, "trial 1": [0.2] * 5, "trial 2": [0.2] * 4})
    assert found.pairs == [0, 1, 2, 3]
    assert found.needed == 7  # 2 candidates × 2/2⁷ is below 0.05
    assert found.conclusion(found.entry("trial 1")) == "too few reruns to tell"
    found.entry("trial 1").verdicts[2] = []
    assert math.isnan(found.mean(found.entry("trial 1")))
    assert found.ranked()[-1].name == "trial 1"
    assert math.isnan(found.p_values()["trial 1"])


def test_wilcoxon_and_holm():
    assert wilcoxon([1, 2, 3], [1, 2, 3]) == 1
    assert wilcoxon(range(10), [k + 1 + k / 100 for k in range(10)]) == pytest.approx(2 / 2**10)
    assert holm({"a": 0.02, "b": 0.9, "c": math.nan}) == pytest.approx(
        {"a": 0.04, "b": 0.9, "c": math.nan}, nan_ok=True
    )


def test_importance_finds_the_knob_that_matters():
    space = Space.of(recipe("binary"), 1000, {"activation": ["relu", "tanh"]})
    distribution = {
        "learning_rate": optuna.distributions.FloatDistribution(0.003, 0.3, log=True),
        "width": optuna.distributions.CategoricalDistribution((32, 64, 128, 256)),
    }
    space = dataclasses.replace(space, dimensions={k: space.dimensions[k] for k in distribution})
    rng = np.random.default_rng(0)
    trials, ahead = [], []
    for _ in range(60):
        rate = float(np.exp(rng.uniform(np.log(0.003), np.log(0.3))))
        params = {"learning_rate": rate, "width": int(rng.choice([32, 64, 128, 256]))}
        trials.append(optuna.create_trial(params=params, distributions=distribution, value=0.0))
        ahead.append(-abs(math.log(rate / 0.03)) + 0.05 * rng.normal())
    shares = importances(trials, space, ahead)
    assert set(shares) == set(importance.METHODS)
    for found in shares.values():
        assert next(iter(found)) == "learning_rate"
        assert found["learning_rate"] > 0.7
        assert sum(found.values()) == pytest.approx(1)
    assert importances(trials[:5], space, ahead[:5]) == {}


def test_a_time_limit_begins_with_what_has_to_be_compiled(monkeypatch):
    """Each value of every knob is trained for a step before the first trial; without a limit none is."""
    from thalweg.experiments.tuning import tuner

    fitted, fit = [], tuner.fit

    def noted(material, candidate, *more):
        fitted.append(candidate)
        return fit(material, candidate, *more)

    monkeypatch.setattr(tuner, "fit", noted)
    monkeypatch.setattr(tuner, "WARM_UP", 100.0)

    def begun(search, lanes):
        raise InterruptedError

    monkeypatch.setattr(tuner.Search, "run", begun)
    space = {"activation": ["relu", "tanh"], "depth": [1, 2], "width": 8, "numbers": "plain"}
    x = np.random.default_rng(0).normal(size=(120, 2))
    y = (x[:, 0] > 0).astype(int)
    with pytest.raises(InterruptedError):
        thalweg.tune(x, y, time_limit=1000, space=space, lanes=1)
    assert {c.activation for c in fitted} == {"relu", "tanh"}
    assert {c.depth for c in fitted} == {1, 2}
    fitted.clear()
    with pytest.raises(InterruptedError):
        thalweg.tune(x, y, trials=1, space=space, lanes=1)
    assert fitted == []
