"""compare: the same network with every entry of one knob, several seeds each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from thalweg import activations, initializers, layers, losses, optimizers
from thalweg.callbacks import History
from thalweg.errors import ArgumentError, DivergedError
from thalweg.experiments.entries import entries_of
from thalweg.experiments.population import fit_many
from thalweg.experiments.problem import Problem, Settings, pose
from thalweg.experiments.results import Comparison, Entry, Run
from thalweg.experiments.unit_variance import lsuv
from thalweg.experiments.units import look_at_units
from thalweg.models.sequential import Sequential
from thalweg.support.checks import whole
from thalweg.support.naming import choose

LOOK_ROWS = 1000  # held-out rows on which units are examined


def network(problem: Problem, settings: Settings, seed: int) -> Sequential:
    """The compiled network: hidden layers as set, an output layer that fits task and loss."""
    loss = losses.get(settings.loss)
    by_data = settings.initializer == "lsuv"
    initializer = "orthogonal" if by_data else settings.initializer
    output = problem.recipe.activation_for(loss)
    if getattr(loss, "from_logits", False):
        raise ArgumentError(f"{loss.name}: compare's networks end in probabilities, so from_logits has to be False")
    hidden = [layers.Dense(units, settings.activation, kernel_initializer=initializer) for units in settings.layers]
    last = layers.Dense(problem.units, output, kernel_initializer=initializer)
    model = Sequential([layers.Input(problem.train.x.shape[1:]), *hidden, last], seed=seed)
    optimizer = optimizers.get(optimizers.serialize(optimizers.get(settings.optimizer)))  # one for each model
    if settings.learning_rate is not None:
        optimizer.learning_rate = settings.learning_rate
    model.compile(optimizer, loss, [problem.recipe.metric_for(output)])
    if by_data:
        lsuv(model, problem.train.x[:1000])
    return model


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
        x: (rows, inputs), numbers of magnitude about 1. y: (rows,), classes or numbers; numbers are standardised.
        entries: values of the knob: a list, or a dict of values by the name to show. By default all of the catalogue
            that fits the task, and learning rates from 0.0001 to 1; "lsuv" is an initializer too.
        seeds: trainings of each entry, with the seeds 0, 1, …
        task: "binary", "multiclass" or "regression"; follows from y if None.
        validation_data: (x, y) to judge by. test_share: otherwise this share of the rows, the same for all trainings.
        lanes: trainings at a time; by default as many as there are cores.
        progress: called with (trainings done, trainings in all).
        settings: what the networks share: layers=(64, 64), activation="relu", loss (by the task), learning_rate
            (the optimizer's own), initializer="glorot_uniform", optimizer="adam", batch_size=64, epochs=20.

    Returns:
        a `Comparison`: print it, `save` it as .json, .png or .svg, or read its `entries`. A training fails if a value
        stops being finite, or if its last score is no better than chance; the others go on.

    Raises:
        ArgumentError: an unknown knob, entry or setting, or one that doesn't fit the task. DataError: unfit data.

    >>> import numpy as np
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
        shared = replace(shared, loss=problem.recipe.loss)
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
    return Comparison(knob, problem.task, problem.recipe.score, problem.chance, shared, sizes, found, left_out)


def train_all(
    problem: Problem,
    trials: Sequence[tuple[Run, Sequential]],
    shared: Settings,
    lanes: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Trains every network by `fit_many`, together if targets have the same form; keeps epoch scores in its run."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(trials))

    groups: dict[Any, list[tuple[Run, Sequential]]] = {}
    for run, model in trials:
        groups.setdefault(problem.encoded(problem.held, model.loss).shape, []).append((run, model))
    for group in groups.values():
        y, held = (problem.encoded(rows, group[0][1].loss) for rows in (problem.train, problem.held))
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
    """Records the result of a training."""
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
