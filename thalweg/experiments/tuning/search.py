"""The trials, trained side by side: one on each lane, until the budget is used, the time is up, or Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thalweg.errors import DivergedError
from thalweg.experiments.shared_work import Running, given_back, share
from thalweg.experiments.tuning.cycles import Cycles, train
from thalweg.experiments.tuning.journal import Journal
from thalweg.experiments.tuning.jury import Metric, Verdict
from thalweg.experiments.tuning.material import Array, Material, Part
from thalweg.experiments.tuning.space import Candidate
from thalweg.models.model import Model
from thalweg.support.stopwatch import Elapsed, command
from thalweg.tabular.blueprint import Blueprint

if TYPE_CHECKING:
    from optuna import Trial

QUASI_RANDOM = 1 / 3  # of the budget
WORST = 1e6  # the score of a training that diverged: finite, as Optuna wants it, and worse than any other


@dataclass
class TimeLimit:
    """A limit in seconds since a command's process began, without the compiling of kernels; None: no limit."""

    seconds: float | None
    passed: Elapsed = field(default_factory=lambda: Elapsed(command.seconds))

    def share(self) -> float:
        """How much of the limit has passed; 0 without one."""
        return 0.0 if self.seconds is None else self.passed.seconds / self.seconds


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        bare: the network up to its logits, which shares the weights.
        verdicts, outputs: at the end of each cycle, on the held-out rows. records: of its epochs.
    """

    blueprint: Blueprint
    model: Model
    bare: Model
    verdicts: list[Verdict] = field(default_factory=list)
    outputs: list[Array] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)


def fit(
    material: Material,
    candidate: Candidate,
    learn: Part,
    held: Part,
    metric: Metric,
    cycles: Cycles,
    seed: int,
    running: Running,
    after: Callable[[int, Verdict], bool] = lambda cycle, verdict: False,
) -> Fitted | None:
    """Trains a candidate and judges it on the held-out rows at the end of each cycle, until `after` returns True.

    Returns None if it was stopped. Raises DivergedError if a value stopped being finite.
    """
    blueprint, jury = material.blueprint(learn, candidate), material.jury(held, metric, candidate)
    model, bare = blueprint.member(0, seed, 1)  # each cycle sets a schedule of its own
    y = material.task.encode(learn.y, blueprint.outputs, model.loss)
    fitted = Fitted(blueprint, model, bare)
    with running.follow(model):
        for cycle, epochs in enumerate(train(model, candidate.settings, learn.x, y, cycles, running.stopped.is_set)):
            done = len(fitted.records)
            fitted.records.extend(record | {"epoch": done + place} for place, record in enumerate(epochs))
            fitted.outputs.append(bare.predict(held.x, verbose=0, lanes=1))
            fitted.verdicts.append(jury(fitted.outputs[-1]))
            if after(cycle, fitted.verdicts[-1]):
                return fitted
    return None if running.stopped.is_set() else fitted


class Search:
    """The search itself.

    Args:
        material, division: the rows, and those to learn from and to judge by. journal, cycles: the trials, and how
            each is trained.
        clock, share: trials are begun until this share of the clock's limit.
        budget: the trials of all processes together; None: as many as the time allows.
        progress: called with (done, total, what to say).
    """

    def __init__(
        self,
        material: Material,
        division: tuple[Part, Part],
        journal: Journal,
        cycles: Cycles,
        clock: TimeLimit,
        share: float,
        budget: int | None,
        progress: Callable[[float, float, str], None],
    ) -> None:
        self.material, self.journal, self.cycles, self.clock = material, journal, cycles, clock
        self.share, self.budget, self.progress = share, budget, progress
        self.learn, self.held = division
        self.running = Running()
        self.done = journal.counted()
        self.best: float | None = None
        self.own = 0  # trials that this process has trained

    def run(self, lanes: int) -> None:
        """Trains trials until the budget or the time is used; takes over those of processes that die meanwhile."""
        share(self.journal, self.budget, self.work, lanes, self.running, self.look)

    def look(self) -> bool:
        """Reports, and says whether the time is up."""
        best = "" if self.best is None else f", best {self.journal.metric.label} {self.best:.4f}"
        of = "" if self.budget is None else f" of {self.budget}"
        self.progress(min(self.spent(), 1.0), 1.0, f"{self.done}{of} trials{best}")
        return self.used() >= 1

    def used(self) -> float:
        """How much of the search's time has passed."""
        return self.clock.share() / self.share

    def spent(self) -> float:
        """How much of the time or of the budget is used, whichever is more."""
        return max(self.used(), self.done / self.budget if self.budget else 0.0)

    def work(self) -> None:
        """What each lane does."""
        while not self.running.stopped.is_set():
            trial = self.journal.claim(self.budget, self.spent() < QUASI_RANDOM)
            if trial is None:
                return
            with given_back(self.journal, trial):
                self.attempt(trial)

    def attempt(self, trial: Trial) -> None:
        """Trains and judges one trial."""
        metric, begin = self.journal.metric, time.perf_counter()
        candidate = self.journal.space.read(trial.params)
        facts: dict[str, Any] = {"temperatures": [], "scores": []}

        def after(cycle: int, verdict: Verdict) -> bool:
            facts["temperatures"].append(verdict.temperature)
            facts["scores"].append(verdict.scores)
            return self.journal.report(trial, cycle, verdict.scores[metric.name]) and cycle + 1 < self.cycles.count

        try:
            fitted = fit(
                self.material, candidate, self.learn, self.held, metric, self.cycles, self.material.seed, self.running,
                after,
            )  # fmt: skip
        except DivergedError as error:
            facts["diverged"] = str(error)
            self.journal.report(trial, len(facts["scores"]), -metric.sign * WORST)
            self.finish(trial, facts, None, begin)
            return
        if fitted is None:
            self.journal.give_back(trial)
            return
        whole = len(fitted.verdicts) == self.cycles.count
        scores = [verdict.scores[metric.name] for verdict in fitted.verdicts]
        self.finish(trial, facts, max(scores, key=metric.ahead) if whole else None, begin)

    def finish(self, trial: Trial, facts: dict[str, Any], score: float | None, begin: float) -> None:
        """Keeps a trial's result."""
        metric = self.journal.metric
        counts = self.journal.end(trial, facts | {"seconds": time.perf_counter() - begin}, score)
        self.done = self.journal.counted()
        if not counts:
            return
        self.own += 1
        if score is not None and (self.best is None or metric.ahead(score) > metric.ahead(self.best)):
            self.best = score
