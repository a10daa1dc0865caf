"""tune: the search from its rows to the refitted network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from thalweg.engine.lanes import cores
from thalweg.errors import ArgumentError, DivergedError
from thalweg.experiments.shared_work import Running, on_lanes
from thalweg.experiments.trial_storage import TrialStorage
from thalweg.experiments.tuning.cycles import Cycles
from thalweg.experiments.tuning.importance import importances
from thalweg.experiments.tuning.journal import Journal
from thalweg.experiments.tuning.jury import Metric
from thalweg.experiments.tuning.material import Array, Material, as_table
from thalweg.experiments.tuning.outcome import Attempt, Tuning, best_score, name_of, rank
from thalweg.experiments.tuning.reruns import DEFAULT, Rerun, Reruns, rerun
from thalweg.experiments.tuning.search import Fitted, Search, TimeLimit, fit
from thalweg.experiments.tuning.space import Candidate, Space
from thalweg.support.checks import number, whole
from thalweg.support.naming import suggesting

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TRIALS = 100  # by default, without a time limit
TOP = 5  # candidates that are rerun against the default
WARM_UP = 0.1  # the share of the time limit that looking for kernels to compile may take
SEARCHED, RERUN = 0.65, 0.92  # shares of the time limit after which the search, and the reruns, end
Report = Callable[[float, float, str], None]


@suggesting
def tune(
    x: Any,
    y: ArrayLike | None = None,
    *,
    target: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    space: Mapping[str, Any] | None = None,
    trials: int | None = None,
    time_limit: float | None = None,
    storage: str | Path | None = None,
    study: str | None = None,
    folds: int = 5,
    seeds: int = 2,
    test_share: float = 0.2,
    validation_share: float = 0.2,
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
    numbers: Sequence[str] = (),
    seed: int = 0,
    lanes: int | None = None,
    progress: Report | None = None,
) -> Tuning:
    """Searches for better settings of a network for a table: activation, initial weights, loss, learning rate, and
    depth, width, dropout, batch size, batch normalisation.

    The default settings, those of `TabularClassifier` and `TabularRegressor`, are tried first; then points that fill
    the space evenly, for a third of the budget; then what Optuna's TPE proposes. Trials are trained side by side, one
    on each lane, in cycles of which each sees twice as many rows; of the trials that end a cycle, a third goes on. They
    are ranked by one metric on validation rows, whatever their loss. The five best are then trained on `folds` ×
    `seeds` other divisions of the rows, as are the default settings; the best on average is refitted, and judged on
    rows that took no part in anything before.

    Args:
        x: a table (anything that `read_table` takes), or an array (rows, columns).
        y: (rows,) targets: numbers, or classes of any kind. target: or the name of their column in x.
        task: "binary", "multiclass" or "regression"; follows from the target if None.
        metric: "log_loss" (after the best temperature; the default for classes), "accuracy", "auc", "rmse" (the
            default for numbers), "mae" or another of those of `TabularClassifier` and `TabularRegressor`.
        space: {knob: values} to replace those searched: a list, (low, high) for "learning_rate" and "dropout", or one
            value, which isn't searched. The knobs are the fields of `Tuning.best`.
        trials: how many; 100 by default, or with a time limit as many as there is time for.
        time_limit: seconds of wall time for search, reruns and refit together. What has to be compiled, once on a
            machine, is compiled before they count.
        storage: what keeps the trials: a file, on a disk that all machines see, or the URL of a database, such as
            "postgresql://user@host/name" (whatever Optuna's RDBStorage takes). A search that was ended goes on where it
            stopped, and processes on several machines may work on one at once, begin later and die; `trials` counts
            those of all. By default they are kept in memory.
        study: the search's name in a database that holds several.
        folds, seeds: of the reruns.
        test_share: rows set apart for the final judgement. validation_share: of the others, to judge trials by.
        ignore, categories, numbers: columns not to use, columns to take as categories, and to take as numbers.
        seed: of the divisions, the weights and the search. lanes: trainings at once; by default one a core.
        progress: called now and then with (done, total, text).

    Returns:
        a `Tuning`: print it, `save` it, use its `model`. Ctrl-C ends the search with the best found so far.

    Raises:
        ArgumentError: an unknown knob, value or metric, or a storage that holds another search. DataError: unfit data.
        MissingPackageError: Optuna isn't installed: pip install 'thalweg[tune]'.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 2))
    >>> found = tune(x, (x[:, 0] * x[:, 1] > 0).astype(int), trials=4, folds=2, seeds=1, lanes=1, space={"width": 16})
    >>> len(found.trials), found.trials[0].default, found.metric.label, sorted(found.held_out)
    (4, True, 'log-loss', ['best', 'default'])
    """
    work, journal, budget = prepared(
        x, y, target, task, metric, space, trials, time_limit, storage, study, test_share, validation_share, ignore,
        categories, numbers, seed, lanes, progress,
    )  # fmt: skip
    folds, seeds = whole("folds", folds, 2), whole("seeds", seeds)
    if folds > len(work.material.learn.y):
        raise ArgumentError(f"{len(work.material.learn.y)} rows can't be divided into {folds} folds")
    try:
        return work.conclude(journal, *work.search(journal, budget, folds, seeds))
    finally:
        journal.close()


def train_trials(
    x: Any,
    y: ArrayLike | None = None,
    *,
    storage: str | Path,
    study: str | None = None,
    target: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    space: Mapping[str, Any] | None = None,
    trials: int | None = None,
    time_limit: float | None = None,
    test_share: float = 0.2,
    validation_share: float = 0.2,
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
    numbers: Sequence[str] = (),
    seed: int = 0,
    lanes: int | None = None,
    progress: Report | None = None,
) -> int:
    """Helps with a search: trains trials of its storage, and leaves reruns and the last fit to `tune`.

    The arguments are those of `tune`, and have to be the same. Returns how many trials this process has trained; they
    are over when `trials` of all processes are done, or the time is. Ctrl-C ends it, and gives back what it was at.
    """
    work, journal, budget = prepared(
        x, y, target, task, metric, space, trials, time_limit, storage, study, test_share, validation_share, ignore,
        categories, numbers, seed, lanes, progress,
    )  # fmt: skip
    search = work.of(journal, budget, share=1.0)
    try:
        search.run(work.lanes)
    except KeyboardInterrupt:
        return search.own
    finally:
        journal.close()
    return search.own


def prepared(
    x: Any,
    y: ArrayLike | None,
    target: str | None,
    task: str | None,
    metric: str | None,
    space: Mapping[str, Any] | None,
    trials: int | None,
    time_limit: float | None,
    storage: str | Path | None,
    study: str | None,
    test_share: float,
    validation_share: float,
    ignore: Sequence[str],
    categories: Sequence[str],
    numbers: Sequence[str],
    seed: int,
    lanes: int | None,
    progress: Report | None,
) -> tuple[Work, Journal, int | None]:
    """The search with these arguments of `tune`, its trials, and how many there are to be; None: as time allows."""
    clock = TimeLimit(None if time_limit is None else number("time_limit", time_limit, 1e-3))
    budget = TRIALS if trials is None and time_limit is None else None if trials is None else whole("trials", trials)
    lanes = cores() if lanes is None else whole("lanes", lanes)
    table, name = as_table(x, y, target)
    shares = test_share, validation_share
    material = Material.of(table, name, task, ignore, categories, shares, whole("seed", seed, 0), numbers)
    chosen = Metric.of(material.task.task, metric)
    searched = Space.of(material.task, round(len(material.learn.y) * (1 - validation_share)), space)
    work = Work(material, searched, chosen, clock, lanes, progress or (lambda done, total, text: None))
    return work, Journal(TrialStorage(storage), searched, chosen, work.facts(), seed, study), budget


class Work:
    """The steps of a search, one after the other."""

    def __init__(
        self, material: Material, space: Space, metric: Metric, clock: TimeLimit, lanes: int, progress: Report
    ) -> None:
        self.material, self.space, self.metric, self.clock = material, space, metric, clock
        self.lanes, self.progress = lanes, progress
        self.division = material.division()
        self.cycles = Cycles.of(len(self.division[0].y))

    def facts(self) -> dict[str, Any]:
        """What makes two searches the same."""
        return {
            "rows or columns": self.material.fingerprint(),
            "metric": self.metric.name,
            "space": self.space.facts(),
            "cycles": [self.cycles.visits, self.cycles.count],
        }

    def of(self, journal: Journal, budget: int | None, share: float) -> Search:
        """The search of these trials, for this share of the time limit."""
        return Search(self.material, self.division, journal, self.cycles, self.clock, share, budget, self.progress)

    def search(self, journal: Journal, budget: int | None, folds: int, seeds: int) -> tuple[Reruns, bool]:
        """Trials, then reruns; Ctrl-C ends both. Returns the reruns, and whether it was pressed."""
        search = self.of(journal, budget, SEARCHED)
        found = Reruns(self.metric, self.cycles.count, [], folds * seeds)
        try:
            if self.clock.seconds is not None:
                self.compile_kernels()
            search.run(self.lanes)
            known = attempts(journal)
            if not known:
                raise ArgumentError(
                    f"time_limit={self.clock.seconds:g} s was over before a trial had ended its first cycle: allow "
                    f"{math.ceil(4 * self.clock.passed.seconds)} s or more"
                )
            found.entries.append(Rerun(DEFAULT, self.space.default))
            found.entries.extend(Rerun(name_of(trial), trial.candidate) for trial in self.best(known))
            rerun(self.material, found, self.cycles, folds, self.lanes, self.clock, RERUN, self.progress)
        except KeyboardInterrupt:
            if not attempts(journal):
                raise
            return found, True
        return found, False

    def compile_kernels(self) -> None:
        """Trains each value of every knob for a step, so that what is compiled is compiled before the time counts.

        On a machine that has all kernels this takes a small part of the limit, and ends if it takes more.
        """
        waiting, running = self.space.one_by_one(), Running()
        cycle = Cycles(self.space.default.batch_size, 1)
        total = len(waiting)

        def work() -> None:
            while waiting and not running.stopped.is_set():
                candidate = waiting.pop()
                with suppress(DivergedError):  # the search finds out
                    fit(self.material, candidate, *self.division, self.metric, cycle, self.material.seed, running)

        def look() -> bool:
            self.progress(total - len(waiting), total, "compiling kernels before the time limit counts")
            return self.clock.share() > WARM_UP

        on_lanes(work, self.lanes, running, look)

    def best(self, trials: Sequence[Attempt]) -> list[Attempt]:
        """The best few that differ from each other and from the default."""
        found: list[Attempt] = []
        for trial in sorted(trials, key=lambda trial: rank(trial, self.metric), reverse=True):
            seen = [self.space.default, *(other.candidate for other in found)]
            if trial.state != "diverged" and trial.candidate not in seen:
                found.append(trial)
        return found[:TOP]

    def plan(self, journal: Journal, reruns: Reruns) -> dict[str, tuple[Candidate, int, float]]:
        """Candidate, cycles and temperature for the refit, by name, the chosen one first: by the reruns, or else by
        the trials."""
        if reruns.pairs and not math.isnan(reruns.mean(reruns.ranked()[0])):
            return {e.name: (e.candidate, reruns.best_cycle(e) + 1, reruns.temperature(e)) for e in reruns.ranked()}
        found: dict[str, tuple[Candidate, int, float]] = {}
        for trial in sorted(attempts(journal), key=lambda trial: rank(trial, self.metric), reverse=True):
            if trial.state != "diverged":
                cycle = trial.scores.index(best_score(trial, self.metric))
                found[name_of(trial)] = trial.candidate, cycle + 1, trial.temperatures[cycle]
        return found

    def refit(self, planned: Mapping[str, tuple[Candidate, int, float]]) -> dict[str, Fitted]:
        """Each candidate trained on all rows but those set apart, side by side; the first must not diverge."""
        found: dict[str, Fitted] = {}
        waiting, running = list(planned.items()), Running()
        learn, test = self.material.learn, self.material.test

        def work() -> None:
            while waiting:
                name, (candidate, count, _) = waiting.pop(0)
                cycles = Cycles(self.cycles.visits, count)
                try:
                    fitted = fit(
                        self.material, candidate, learn, test, self.metric, cycles, self.material.seed, running
                    )
                except DivergedError:
                    if name == next(iter(planned)):
                        raise
                else:
                    if fitted is not None:
                        found[name] = fitted

        def look() -> bool:
            self.progress(len(found), len(planned), "fitting the best settings on all rows")
            return False

        on_lanes(work, self.lanes, running, look)
        return found

    def conclude(self, journal: Journal, reruns: Reruns, interrupted: bool) -> Tuning:
        """Refits the best settings and the default, and judges both on the rows set apart."""
        planned = self.plan(journal, reruns)
        if not planned:
            raise DivergedError("every trial diverged: give lower learning rates to try")
        chosen = next(iter(planned))
        planned.setdefault(DEFAULT, (self.space.default, self.cycles.count, 1.0))
        planned = {name: planned[name] for name in dict.fromkeys([chosen, DEFAULT])}
        fitted = self.refit(planned)
        test, task = self.material.test, self.material.task
        y = self.material.learn.y
        models, verdicts, losses = {}, {}, {}
        for name, found in fitted.items():
            candidate, _, temperature = planned[name]
            jury = self.material.jury(test, self.metric, candidate)
            outputs = found.bare.predict(test.x, verbose=0, lanes=self.lanes)
            verdicts[name], losses[name] = jury(outputs, temperature), jury.losses(outputs, temperature)
            models[name], _ = found.blueprint.ensemble([found.model], [temperature], float(y.min()), float(y.max()))
            models[name].compile("adam", task.loss, [task.metric])
        held_out = {"best": verdicts[chosen]}
        difference = math.nan, math.nan
        if DEFAULT in fitted:
            held_out["default"] = verdicts[DEFAULT]
            difference = mean_and_error(losses[chosen] - losses[DEFAULT])
        done = attempts(journal)
        return Tuning(
            metric=self.metric,
            task=task.task,
            space=self.space,
            trials=done,
            reruns=reruns,
            chosen=chosen,
            best=planned[chosen][0],
            model=models[chosen],
            default_model=models.get(DEFAULT),
            features=self.material.features,
            history=fitted[chosen].records,
            held_out=held_out,
            difference=difference,
            rows={
                "train": len(self.division[0].y),
                "validation": len(self.division[1].y),
                "test": len(test.y),
                "without target": self.material.target.missing,
            },
            row_numbers=self.material.rows,
            cycles=self.cycles.count,
            importance=self.importance(journal),
            seconds=self.clock.passed.seconds,
            interrupted=interrupted,
        )

    def importance(self, journal: Journal) -> dict[str, dict[str, float]]:
        """Which knob mattered."""
        scored = [trial for trial in journal.finished() if trial.intermediate_values]
        firsts = [self.metric.ahead(trial.intermediate_values[min(trial.intermediate_values)]) for trial in scored]
        return importances(scored, self.space, firsts)


def mean_and_error(numbers: Array) -> tuple[float, float]:
    """The mean, and its standard error."""
    error = float(numbers.std(ddof=1)) / math.sqrt(len(numbers)) if len(numbers) > 1 else math.nan
    return float(numbers.mean()), error


def attempts(journal: Journal) -> list[Attempt]:
    """The finished trials of a journal."""
    return [attempt(trial, journal) for trial in journal.finished()]


def attempt(trial: FrozenTrial, journal: Journal) -> Attempt:
    """One of them, in plain values."""
    facts = trial.user_attrs["facts"]
    state = "diverged" if "diverged" in facts else trial.state.name.lower()
    return Attempt(
        number=trial.number,
        candidate=journal.space.read(trial.params),
        state=state,
        scores=[scores[journal.metric.name] for scores in facts["scores"]],
        temperatures=facts["temperatures"],
        seconds=facts["seconds"],
        default=bool(trial.user_attrs.get("default")),
    )
