"""compare: the same network with every entry of one knob, several seeds each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg import activations, initializers, layers, losses, optimizers
from thalweg.callbacks import History, LambdaCallback
from thalweg.engine.lanes import cores
from thalweg.errors import ArgumentError, DivergedError, SignatureError
from thalweg.experiments.entries import entries_of
from thalweg.experiments.ledger import QUEUED, Ledger, named
from thalweg.experiments.population import fit_many
from thalweg.experiments.problem import Array, Problem, Settings, pose
from thalweg.experiments.results import Comparison, Entry, Run, plain
from thalweg.experiments.shared_work import Running, given_back, share
from thalweg.experiments.trial_storage import TrialStorage
from thalweg.experiments.unit_variance import lsuv
from thalweg.experiments.units import look_at_units
from thalweg.losses import Loss
from thalweg.models.sequential import Sequential
from thalweg.support.checks import whole
from thalweg.support.files import finite
from thalweg.support.naming import choose, nearest

if TYPE_CHECKING:
    from optuna import Trial

NAME = "thalweg compare"
NEEDED = "optuna", "tune", "trainings that several processes share"  # package, extra, purpose
LOOK_ROWS = 1000  # held-out rows on which units are examined


@dataclass(frozen=True)
class Plan:
    """The trainings of a comparison: every entry of the knob, by its name, with the seeds 0, 1, …

    Attributes:
        shared: the settings of all of them.
        left_out: the entries that don't fit the task, each with the reason.
    """

    knob: str
    problem: Problem
    shared: Settings
    named: dict[str, Any]
    left_out: dict[str, str]
    seeds: int

    @classmethod
    def of(
        cls,
        knob: str,
        problem: Problem,
        entries: Sequence[Any] | Mapping[str, Any] | None,
        seeds: int,
        settings: Mapping[str, Any],
    ) -> Plan:
        """From the arguments of `compare`."""
        shared = Settings(**settings)
        if shared.loss is None:
            shared = replace(shared, loss=problem.recipe.loss)
        named, left_out = entries_of(knob, problem.task, entries)
        if knob == "activation":
            named = {name: activations.get(value) for name, value in named.items()}
        if knob == "initializer":
            named = {name: value if value == "lsuv" else initializers.get(value) for name, value in named.items()}
        return cls(knob, problem, shared, named, left_out, seeds)

    def __len__(self) -> int:
        return len(self.named) * self.seeds

    def made(self, number: int) -> tuple[Run, Sequential]:
        """A training that hasn't begun; those of an entry have consecutive numbers."""
        value, seed = list(self.named.values())[number // self.seeds], number % self.seeds
        return Run(seed), network(self.problem, replace(self.shared, **{self.knob: value}), seed)

    def result(self, runs: Sequence[Run]) -> Comparison:
        """The comparison, from all trainings in their order."""
        problem, seeds = self.problem, self.seeds
        found = [Entry(name, list(runs[k * seeds : (k + 1) * seeds])) for k, name in enumerate(self.named)]
        shared = replace(self.shared, loss=None) if self.knob == "loss" else self.shared
        sizes = len(problem.train.y), len(problem.held.y)
        score, chance = problem.recipe.score, problem.chance
        return Comparison(self.knob, problem.task, score, chance, shared, sizes, found, self.left_out)


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
    storage: str | Path | None = None,
    study: str | None = None,
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
        storage: a file on a disk that all machines see, or a database's URL, as in `tune`: processes that are given the
            same one share the trainings, and a comparison that was ended goes on; each waits for the others and returns
            the whole. study: the comparison's name in a database that holds several.
        progress: called with (trainings done, trainings in all).
        settings: what the networks share: layers=(64, 64), activation="relu", loss (by the task), learning_rate
            (the optimizer's own), initializer="glorot_uniform", optimizer="adam", batch_size=64, epochs=20.

    Returns:
        a `Comparison`: print it, `save` it as .json, .png or .svg, or read its `entries`. A training fails if a value
        stops being finite, or if its last score is no better than chance; the others go on.

    Raises:
        ArgumentError: an unknown knob, entry or setting, or one that doesn't fit the task; a storage that holds another
            comparison. DataError: unfit data.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 2))
    >>> found = compare("learning_rate", x, (x[:, 0] > x[:, 1]).astype(int), entries=[0.0, 0.01], seeds=2, epochs=5)
    >>> [(entry.name, entry.failed) for entry in found.ranked()]
    [('0.01', 0.0), ('0', 1.0)]
    """
    plan = planned(knob, x, y, entries, seeds, task, validation_data, test_share, settings)
    if storage is None:
        return plan.result(train_all(plan, lanes, progress))
    return plan.result(train_together(plan, TrialStorage(storage), study, lanes, progress))


def planned(
    knob: str,
    x: ArrayLike,
    y: ArrayLike,
    entries: Sequence[Any] | Mapping[str, Any] | None,
    seeds: int,
    task: str | None,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    test_share: float,
    settings: Mapping[str, Any],
) -> Plan:
    """The trainings that these arguments of `compare` ask for."""
    choose("knob", knob, Comparison.KNOBS)
    seeds = whole("seeds", seeds)
    names = {*Settings.__dataclass_fields__, *signature(compare).parameters} - {"settings"}
    for name in sorted(settings.keys() - names):
        raise SignatureError(f"compare has no argument {name!r}{nearest(name, names)}")
    if settings.get(knob) is not None:
        raise ArgumentError(f"the knob {knob} is compared, it can't be set to {settings[knob]!r} too; give entries=…")
    return Plan.of(knob, pose(x, y, task, validation_data, test_share, seed=0), entries, seeds, settings)


def train_all(plan: Plan, lanes: int | None, progress: Callable[[int, int], None] | None) -> list[Run]:
    """Trains every network by `fit_many`, together if targets have the same form; keeps epoch scores in its run."""
    done, problem = 0, plan.problem

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(plan))

    trials = [plan.made(number) for number in range(len(plan))]
    groups: dict[Any, list[tuple[Run, Sequential]]] = {}
    for run, model in trials:
        groups.setdefault(problem.encoded(problem.held, model.loss).shape, []).append((run, model))
    for group in groups.values():
        x, y, how = fit_arguments(plan, group[0][1].loss)
        ends = fit_many([model for _, model in group], x, y, lanes=lanes, return_errors=True, ended=count, **how)
        for (run, model), end in zip(group, ends, strict=True):
            conclude(problem, run, model, end)
    return [run for run, _ in trials]


def fit_arguments(plan: Plan, loss: Loss) -> tuple[Array, Array, dict[str, Any]]:
    """What networks with this loss are fitted on, and how."""
    problem, shared = plan.problem, plan.shared
    y, held = (problem.encoded(rows, loss) for rows in (problem.train, problem.held))
    how = {"batch_size": shared.batch_size, "epochs": shared.epochs, "validation_data": (problem.held.x, held)}
    return problem.train.x, y, how


class TrainingList(Ledger):
    """The trainings of a comparison, all of which are in the queue from the beginning."""

    def prepare(self, trial: Trial) -> bool:
        """One that isn't of the queue was made while another process took the last one."""
        return QUEUED in trial.user_attrs


def train_together(
    plan: Plan, storage: TrialStorage, study: str | None, lanes: int | None, progress: Callable[[int, int], None] | None
) -> list[Run]:
    """Trains, with other processes, the networks that a storage says haven't been trained; returns the runs of all."""
    ledger = TrainingList(storage, named(NAME, study), "maximize", facts_of(plan), queue_of(plan), NEEDED)
    running, done = Running(), len(ledger.finished())

    def work() -> None:
        nonlocal done
        while not running.stopped.is_set():
            trial = ledger.take(len(plan))
            if trial is None:
                return
            with given_back(ledger, trial):
                run = train_one(plan, trial.user_attrs[QUEUED], running)
            if run is None:
                ledger.give_back(trial)
                return
            ledger.end(trial, finite(asdict(run)), None if run.diverged else run.scores[-1])
            done = len(ledger.finished())

    def look() -> bool:
        if progress is not None:
            progress(done, len(plan))
        return False

    try:
        share(ledger, len(plan), work, cores() if lanes is None else whole("lanes", lanes), running, look)
    finally:
        ledger.close()
    look()
    found = {trial.user_attrs[QUEUED]: run_of(trial.user_attrs["facts"]) for trial in ledger.finished()}
    return [found[number] for number in range(len(plan))]


def train_one(plan: Plan, number: int, running: Running) -> Run | None:
    """A training by itself; None if it was stopped."""
    run, model = plan.made(number)
    x, y, how = fit_arguments(plan, model.loss)

    def begin(logs: Any) -> None:
        if running.stopped.is_set():  # a fit resets the flag when it begins
            model.stop_training = True

    end: History | DivergedError
    with running.follow(model):
        try:
            end = model.fit(x, y, verbose=0, lanes=1, callbacks=[LambdaCallback(on_train_begin=begin)], **how)
        except DivergedError as error:
            end = error
    if running.stopped.is_set():
        return None
    conclude(plan.problem, run, model, end)
    return run


def facts_of(plan: Plan) -> dict[str, Any]:
    """What makes two comparisons the same."""
    found = blake2b(digest_size=16)
    for rows in (plan.problem.train, plan.problem.held):
        for array in (rows.x, rows.y):
            found.update(repr((array.shape, str(array.dtype))).encode())
            found.update(np.ascontiguousarray(array).data)
    settings = {name: plain(value) for name, value in vars(plan.shared).items()}
    settings["layers"] = list(plan.shared.layers)  # as JSON gives them back
    entries = {name: str(plain(value)) for name, value in plan.named.items()}
    return {
        "rows or columns": found.hexdigest(),
        "knob": plan.knob,
        "entries": entries,
        "seeds": plan.seeds,
        "settings": settings,
    }


def queue_of(plan: Plan) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The trainings as a ledger takes them: without parameters, by entry and seed."""
    return [({}, {"entry": name, "seed": seed}) for name in plan.named for seed in range(plan.seeds)]


def run_of(facts: Mapping[str, Any]) -> Run:
    """A run as a ledger keeps it."""
    known: dict[str, Any] = {name: math.nan if value is None else value for name, value in facts.items()}
    return Run(**known)


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
