"""compare: the same network over all entries of one knob, several seeds each, and how every one of them did."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import activations, initializers, layers, losses, metrics, optimizers
from thalweg.callbacks import History
from thalweg.data import arrays as batches
from thalweg.data.tables import Table
from thalweg.data.target import Target as TableTarget
from thalweg.data.target import split_rows
from thalweg.errors import ArgumentError, DataError, DivergedError
from thalweg.experiments.entries import entries_of, finished_by, usual_loss
from thalweg.experiments.population import fit_many
from thalweg.experiments.unit_variance import lsuv
from thalweg.models.sequential import Sequential
from thalweg.support.checks import whole
from thalweg.support.files import writing
from thalweg.support.frames import as_array
from thalweg.support.naming import choose
from thalweg.support.terminal import columns
from thalweg.support.typesetting import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

TASKS = ("binary", "multiclass", "regression")
LOOK_ROWS = 1000  # held-out rows on which units are looked at
FLAT = 0.01  # a slope below this part of the steepest one counts as saturated …
MOSTLY = 0.95  # … if it is so on this share of the rows


@dataclass(frozen=True)
class Settings:
    """The network and its training, of which one knob is varied."""

    layers: tuple[int, ...] = (64, 64)
    activation: Any = "relu"
    loss: Any = None  # by the task
    learning_rate: float | None = None  # the optimizer's own
    initializer: Any = "glorot_uniform"
    optimizer: Any = "adam"
    batch_size: int = 64
    epochs: int = 20

    def __post_init__(self) -> None:
        for units in self.layers:
            whole("units of a hidden layer", units)
        whole("batch_size", self.batch_size)
        whole("epochs", self.epochs)


@dataclass
class Run:
    """One training: an entry with one seed."""

    seed: int
    scores: list[float] = field(default_factory=list)  # held-out, after each epoch
    losses: list[float] = field(default_factory=list)  # of training, in each epoch
    seconds: float = 0.0
    failure: str = ""  # "", "diverged: …", or "stuck: …"
    dead: float = math.nan  # share of hidden units whose output is the same on every row
    saturated: float = math.nan  # share of those that hardly react to their input on nearly every row

    @property
    def diverged(self) -> bool:
        """Whether a value stopped being finite."""
        return self.failure.startswith("diverged")


@dataclass
class Entry:
    """One value of the knob with its runs."""

    name: str
    runs: list[Run]

    @property
    def finals(self) -> list[float]:
        """The last score of each run that reached its end."""
        return [run.scores[-1] for run in self.runs if not run.diverged]

    @property
    def score(self) -> float:
        """The mean of the last held-out scores; NaN if every run diverged."""
        return float(np.mean(self.finals)) if self.finals else math.nan

    @property
    def interval(self) -> float:
        """Half of the 95% confidence interval of `score` over the seeds, by Student's t; NaN for fewer than two."""
        finals = self.finals
        if len(finals) < 2:
            return math.nan
        from scipy.stats import t

        return float(t.ppf(0.975, len(finals) - 1) * np.std(finals, ddof=1) / math.sqrt(len(finals)))

    @property
    def failed(self) -> float:
        """The share of runs that diverged or did not get beyond chance."""
        return sum(bool(run.failure) for run in self.runs) / len(self.runs)

    @property
    def seconds(self) -> float:
        """The median time of a training."""
        return float(np.median([run.seconds for run in self.runs]))

    def units(self, kind: str) -> float:
        """The mean share of "dead" or "saturated" hidden units; NaN where it isn't known."""
        known = [value for run in self.runs if not math.isnan(value := getattr(run, kind))]
        return float(np.mean(known)) if known else math.nan

    def curve(self) -> tuple[Array, Array, Array]:
        """Mean, least and largest held-out score after each epoch, over the runs that reached their end."""
        scores = np.array([run.scores for run in self.runs if not run.diverged])
        return (scores.mean(axis=0), scores.min(axis=0), scores.max(axis=0)) if scores.size else (scores,) * 3


@dataclass
class Comparison:
    """What `compare` found; printing it shows the table, best entry first."""

    KNOBS: ClassVar[tuple[str, ...]] = ("activation", "loss", "learning_rate", "initializer", "optimizer")

    knob: str
    task: str
    metric: str
    chance: float  # the score of an answer that doesn't look at x
    settings: Settings
    rows: tuple[int, int]  # to learn from, held out
    entries: list[Entry]
    left_out: dict[str, str] = field(default_factory=dict)  # entries that don't fit the task, and why

    def ranked(self) -> list[Entry]:
        """The entries, best score first, those without one last."""
        return sorted(self.entries, key=lambda e: (math.isnan(e.score), -e.score if not math.isnan(e.score) else 0.0))

    def header(self) -> list[str]:
        """The columns of the table."""
        return [self.knob, f"held-out {self.metric}", "± 95%", "failed", "seconds", "dead", "saturated"]

    def lines(self) -> list[list[str]]:
        """The rows of the table."""
        return [
            [
                e.name,
                shown(e.score, "{:.4f}"),
                shown(e.interval, "{:.4f}"),
                f"{e.failed:.0%}" if e.failed else "",
                f"{e.seconds:.2f}",
                shown(e.units("dead"), "{:.0%}"),
                shown(e.units("saturated"), "{:.0%}"),
            ]
            for e in self.ranked()
        ]

    def __str__(self) -> str:
        return table([self.header(), *self.lines()], range(1, 7), columns())

    def records(self) -> dict[str, Any]:
        """Everything, as plain values that `json` writes: what isn't a number is None."""
        entries = [
            {
                "name": e.name,
                "score": e.score,
                "interval": e.interval,
                "failed": e.failed,
                "seconds": e.seconds,
                "dead": e.units("dead"),
                "saturated": e.units("saturated"),
                "runs": [asdict(run) for run in e.runs],
            }
            for e in self.ranked()
        ]
        facts = {
            "knob": self.knob,
            "task": self.task,
            "metric": self.metric,
            "chance": self.chance,
            "rows": {"train": self.rows[0], "held out": self.rows[1]},
            "settings": {name: plain(value) for name, value in vars(self.settings).items()},
            "left out": self.left_out,
            "entries": entries,
        }
        result: dict[str, Any] = finite(facts)
        return result

    def save(self, path: str | Path) -> None:
        """Writes `records()` as JSON, or the picture as PNG or SVG, by the ending of the path."""
        path = Path(path)
        if path.suffix == ".json":
            with writing(path) as new:
                new.write_text(json.dumps(self.records(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        elif path.suffix in (".png", ".svg"):
            with writing(path) as new:
                self.figure().savefig(new)
        else:
            raise ArgumentError(f"a comparison is saved as .json, .png or .svg, not as {path.name!r}")

    def figure(self) -> Figure:
        """Scores with their intervals, and curves with the spread over seeds: a matplotlib figure."""
        from thalweg.views.comparison_chart import draw

        return draw(self)


def shown(value: float, form: str) -> str:
    """A number, or nothing where there is none."""
    return "" if math.isnan(value) else form.format(value)


def plain(value: Any) -> Any:
    """A setting as JSON can hold it."""
    return value if isinstance(value, (str, int, float, tuple, type(None))) else repr(value)


def finite(value: Any) -> Any:
    """NaN and infinity as None: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- the task --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """x, and y as class numbers (rows,) or as standardised numbers (rows, 1)."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Problem:
    """Rows to learn from and rows to judge by, and what is asked."""

    task: str
    outputs: int
    train: Rows
    held: Rows

    @property
    def metric(self) -> str:
        """What is compared: higher is better."""
        return "R²" if self.task == "regression" else "accuracy"

    @property
    def chance(self) -> float:
        """The held-out score of always answering the mean, or the most frequent class, of the training rows."""
        if self.task == "regression":
            return 0.0
        return float((self.held.y == np.bincount(self.train.y).argmax()).mean())

    @property
    def noise(self) -> float:
        """What a score may lie above chance by chance alone: two standard errors of a share; for R², 0.01."""
        if self.task == "regression":
            return 0.01
        return 2 * math.sqrt(max(self.chance * (1 - self.chance), 1e-9) / len(self.held.y))


def pose(x: ArrayLike, y: ArrayLike, task: str | None, held: Any, test_share: float, seed: int) -> Problem:
    """The problem that these arrays set, checked."""
    inputs, targets = batches.to_array(x, "x"), as_array(np.asarray(y), "y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if inputs.ndim != 2 or targets.ndim != 1 or len(inputs) != len(targets):
        raise DataError(
            f"compare takes x of shape (rows, inputs) and one target a row, got {inputs.shape} and {np.shape(y)}"
        )
    task = TableTarget.of(Table.of({"y": targets}), "y").task if task is None else choose("task", task, TASKS)
    if held is None:
        learn, test = split_rows(targets, task, test_share, seed)
        parts = (inputs[learn], targets[learn]), (inputs[test], targets[test])
    else:
        if not isinstance(held, (tuple, list)) or len(held) != 2:
            raise ArgumentError("validation_data is (x, y)")
        parts = (inputs, targets), (batches.to_array(held[0], "x"), as_array(np.asarray(held[1]), "y").reshape(-1))
        batches.same_rows(*parts[1])
    (x_train, y_train), (x_held, y_held) = parts
    if task == "regression":
        numbers = [np.asarray(part, np.float64) for part in (y_train, y_held)]
        mean, scale = numbers[0].mean(), numbers[0].std() or 1.0
        numbers = [((part - mean) / scale).astype(np.float32)[:, None] for part in numbers]
        return Problem(task, 1, Rows(x_train, numbers[0]), Rows(x_held, numbers[1]))
    classes = np.unique(y_train)
    if task == "binary" and len(classes) != 2:
        raise DataError(f"task='binary' needs a target of two classes, this one has {len(classes)}")
    unknown = ~np.isin(y_held, classes)
    if unknown.any():
        raise DataError(f"the held-out rows have the class {y_held[unknown][0]!r}, which the training rows lack")
    codes = [np.searchsorted(classes, part) for part in (y_train, y_held)]
    return Problem(task, 1 if task == "binary" else len(classes), Rows(x_train, codes[0]), Rows(x_held, codes[1]))


# --- one network -----------------------------------------------------------------------------------------------------


def network(problem: Problem, settings: Settings, seed: int) -> Sequential:
    """Hidden layers as set, an output layer that fits task and loss, compiled."""
    loss = losses.get(settings.loss)
    by_data = settings.initializer == "lsuv"
    initializer = "orthogonal" if by_data else settings.initializer
    output = finished_by(problem.task, loss)
    hidden = [layers.Dense(units, settings.activation, kernel_initializer=initializer) for units in settings.layers]
    last = layers.Dense(problem.outputs, output, kernel_initializer=initializer)
    model = Sequential([layers.Input(problem.train.x.shape[1:]), *hidden, last], seed=seed)
    optimizer = optimizers.get(optimizers.serialize(optimizers.get(settings.optimizer)))  # one for each model
    if settings.learning_rate is not None:
        optimizer.learning_rate = settings.learning_rate
    model.compile(optimizer, loss, [scored_by(problem, output)])
    if by_data:
        lsuv(model, problem.train.x[:1000])
    return model


def scored_by(problem: Problem, output: str) -> str | metrics.Metric:
    """The metric of the held-out scores: a binary answer is "yes" above the middle of what the output can be."""
    if problem.task == "binary":
        return metrics.BinaryAccuracy(0.5 if output == "sigmoid" else 0.0)
    return "r2" if problem.task == "regression" else "accuracy"


def encoded(problem: Problem, rows: Rows, loss: losses.Loss) -> Array:
    """The targets as this loss takes them."""
    if problem.task == "binary":
        return rows.y[:, None].astype(np.float32)
    if problem.task == "multiclass" and loss.target_shape((problem.outputs,)) != (1,):
        return np.eye(problem.outputs, dtype=np.float32)[rows.y]
    return rows.y


def look_at_units(model: Sequential, x: Array) -> tuple[float, float]:
    """The shares of dead and of saturated units among the hidden ones, on these rows.

    Dead: the output is the same on every row. Saturated, and not dead: a small change of the pre-activation changes
    the output by less than 1% of the 99th percentile of the layer's slopes, on 95% of rows. An activation over whole
    rows, such as softmax, has no slope of its own: then saturation isn't known.
    """
    dead, saturated, units = 0, 0.0, 0
    a = np.asarray(x, np.float64)
    for layer in model.layers[:-1]:
        assert isinstance(layer, layers.Dense)
        W, b = (np.asarray(w, np.float64) for w in layer.get_weights()[:2])
        h = a @ W + b
        a = np.asarray(layer.activation(h))
        silent = np.ptp(a, axis=0) <= 1e-6 * (1 + np.abs(a).max(axis=0))
        dead += int(silent.sum())
        units += a.shape[1]
        one = np.asarray(layer.activation(h[:, :1])) if a.shape == h.shape else a[:, :0]
        if one.shape == (len(a), 1) and np.allclose(one, a[:, :1], equal_nan=True):
            step = 1e-3
            slope = np.abs(np.asarray(layer.activation(h + step)) - np.asarray(layer.activation(h - step)))
            steep = float(np.quantile(slope, 0.99))  # not the largest: across a jump that is a needle
            flat = (slope <= FLAT * max(steep, 1e-30)).mean(axis=0) >= MOSTLY
            saturated += int((flat & ~silent).sum())
        else:
            saturated = math.nan
    return (dead / units, saturated / units) if units else (math.nan, math.nan)


# --- all of them -----------------------------------------------------------------------------------------------------


def compare(
    knob: str,
    x: ArrayLike,
    y: ArrayLike,
    *,
    entries: Sequence[Any] | Mapping[str, Any] | None = None,
    seeds: int = 3,
    task: str | None = None,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    test_share: float = 0.2,
    lanes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Comparison:
    """Trains the same network with every entry of one knob, with several seeds, and compares how they do.

    Args:
        knob: "activation", "loss", "learning_rate", "initializer" or "optimizer".
        x: (rows, inputs) numbers of about the size 1. y: (rows,) classes or numbers; numbers are standardised.
        entries: values of the knob: a list, or a dict of values by the name to show. By default the whole catalogue,
            as far as it fits the task, and learning rates from 0.0001 to 1; "lsuv" is an initializer too.
        seeds: trainings of each entry, with the seeds 0, 1, …
        task: "binary", "multiclass" or "regression"; follows from y if None.
        validation_data: (x, y) to judge by. test_share: else this share of the rows, drawn for all alike.
        lanes: trainings at a time; by default as many as there are cores.
        progress: called with (trainings done, trainings in all).
        settings: what the networks share: layers=(64, 64), activation="relu", loss (by the task), learning_rate
            (the optimizer's own), initializer="glorot_uniform", optimizer="adam", batch_size=64, epochs=20.

    Returns:
        a `Comparison`: print it, `save` it as .json, .png or .svg, or read its `entries`. A training fails if a value
        stops being finite, or if its last score is no better than chance; the others go on.

    Raises:
        ArgumentError: an unknown knob, entry or setting, or one that doesn't fit the task. DataError: unfit data.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 2))
    >>> found = compare("learning_rate", x, (x[:, 0] > x[:, 1]).astype(int), entries=[0.0, 0.01], seeds=2, epochs=5)
    >>> [(entry.name, entry.failed) for entry in found.ranked()]
    [('0.01', 0.0), ('0', 1.0)]
    """
    choose("knob", knob, Comparison.KNOBS)
    seeds = whole("seeds", seeds)
    odd = sorted(settings.keys() - Settings.__dataclass_fields__.keys())
    if odd:
        raise ArgumentError(f"compare has no setting {odd[0]!r}; there are {', '.join(Settings.__dataclass_fields__)}")
    if settings.get(knob) is not None:
        raise ArgumentError(f"the knob {knob} is compared, it can't be set to {settings[knob]!r} too; give entries=…")
    shared = Settings(**settings)
    problem = pose(x, y, task, validation_data, test_share, seed=0)
    if shared.loss is None:
        shared = replace(shared, loss=usual_loss(problem.task))
    named, left_out = entries_of(knob, problem.task, entries)
    if knob == "activation":
        named = {name: activations.get(value) for name, value in named.items()}
    if knob == "initializer":
        named = {name: value if value == "lsuv" else initializers.get(value) for name, value in named.items()}
    trials = [
        (Run(seed), network(problem, replace(shared, **{knob: value}), seed))
        for value in named.values()
        for seed in range(seeds)
    ]
    train_all(problem, trials, shared, lanes, progress)
    found = [
        Entry(name, [run for run, _ in trials[place * seeds : (place + 1) * seeds]]) for place, name in enumerate(named)
    ]
    if knob == "loss":
        shared = replace(shared, loss=None)
    sizes = len(problem.train.y), len(problem.held.y)
    return Comparison(knob, problem.task, problem.metric, problem.chance, shared, sizes, found, left_out)


def train_all(
    problem: Problem,
    trials: Sequence[tuple[Run, Sequential]],
    shared: Settings,
    lanes: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Trains every network by `fit_many`, those with targets of one form together, epoch scores kept in its run."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(trials))

    groups: dict[Any, list[tuple[Run, Sequential]]] = {}
    for run, model in trials:
        groups.setdefault(encoded(problem, problem.held, model.loss).shape, []).append((run, model))
    for group in groups.values():
        y, held = (encoded(problem, rows, group[0][1].loss) for rows in (problem.train, problem.held))
        ends = fit_many(
            [model for _, model in group],
            problem.train.x,
            y,
            lanes=lanes,
            return_errors=True,
            ended=count,
            batch_size=shared.batch_size,
            epochs=shared.epochs,
            validation_data=(problem.held.x, held),
        )
        for (run, model), end in zip(group, ends, strict=True):
            conclude(problem, run, model, end)


def conclude(problem: Problem, run: Run, model: Sequential, end: History | DivergedError) -> None:
    """What a training came to."""
    assert model.history is not None
    key = model.metrics[0].key
    run.scores = model.history.history.get(f"val_{key}", [])
    run.losses = model.history.history.get("loss", [])
    run.seconds = model.history.seconds
    if isinstance(end, DivergedError):
        run.failure = f"diverged: {end}"
        return
    if not run.scores[-1] > problem.chance + problem.noise:
        run.failure = f"stuck: {run.scores[-1]:.4g} is no better than chance, {problem.chance:.4g}"
    run.dead, run.saturated = look_at_units(model, problem.held.x[:LOOK_ROWS])
