"""Trials that several processes share, kept by Optuna: each is taken by one of them, and counts once.

A trial is taken by asking for it, and ranked by its number among those that count: so all processes agree, without a
lock, on which trials are within the budget, and which of two that should be one is left out. Each trial names its
process; those of dead processes are given again. Whatever a process was doing when it died, the others mend it, so that
a question which a database didn't answer may be asked again.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from thalweg.errors import ArgumentError, ModelFileError, ThalwegWarning
from thalweg.experiments.liveness import NAMELESS, SILENCE, Pulse, Watch, lives_here, name_of_worker, process
from thalweg.experiments.trial_storage import (
    OutageError,
    TrialStorage,
    first_line,
    is_failure,
    is_outage,
    quiet,
    silent,
)
from thalweg.support.extras import need
from thalweg.version import __version__

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

T = TypeVar("T")

PROCESS, ABANDONED, RETRY, QUEUED, PROBLEM = "process", "abandoned", "retry of", "queued", "problem"
VERSION = "version of thalweg"
OF_ONE_ATTEMPT = (PROCESS, ABANDONED, RETRY, "facts")
"""What isn't passed on when a trial is given again."""
PATIENCE = 2.0  # seconds in which the maker of a study says what it is about, if it lives
OPENING, OUTAGE = 30.0, 180.0  # seconds for which a database is asked again, in the beginning and later
PAUSE = 2.0  # seconds from one question to the next, at most


class Ledger(ABC):
    """The trials of one study.

    Args:
        storage: where they are kept. name: the study's. direction: "maximize" or "minimize".
        problem: what is studied, in plain values: a study of another problem is refused, and one that another version
            of thalweg has begun.
        queue: the trials to begin with, by their parameters and attributes.
        needed: package, extra and purpose of Optuna.
        pruner: Optuna's; None: no trial is pruned.
    """

    def __init__(
        self,
        storage: TrialStorage,
        name: str,
        direction: str,
        problem: Mapping[str, Any],
        queue: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
        needed: tuple[str, str, str],
        pruner: Any = None,
    ) -> None:
        need(*needed)
        need("sklearn", "", needed[-1])
        self.storage, self.name = storage, name
        self.lock = threading.RLock()  # Optuna is asked by one thread at a time
        self.mine: set[int] = set()  # the trials that this process trains
        self.process = process() | {"ledger": os.urandom(4).hex()}  # there may be several in one process
        self.watch, self.pulse = Watch(), Pulse(self.beat)
        self.stopped = threading.Event()  # set when the work ends early: then no answer is waited for
        self.lost: OutageError | None = None
        self.opened: Any = None  # Optuna's storage
        self.study, new = self.answer(lambda: self.open_study(direction, pruner), OPENING)
        known, own = None if new else self.known_problem(), {VERSION: __version__} | dict(problem)
        if known is None:
            self.answer(lambda: self.enqueue(queue))
            self.answer(lambda: self.study.set_user_attr(PROBLEM, own))
        elif known != own:
            self.refuse(known, own)

    def refuse(self, known: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """Raises, as the study is about something else."""
        if (version := known.get(VERSION)) != __version__:
            raise ArgumentError(
                f"{self.storage} holds trials of thalweg {version or 'before 0.1'}, and this is thalweg {__version__}: "
                "use the same version everywhere, or give another storage"
            )
        odd = next(key for key in [*own, *known] if known.get(key) != own.get(key))
        raise ArgumentError(
            f"{self.storage} holds the trials of another search: its {odd} differ; give another storage, or the same "
            "source and options; several searches in one database need a study each"
        )

    def open_study(self, direction: str, pruner: Any) -> tuple[Study, bool]:
        """The study, and whether it is new."""
        import optuna

        with quiet():
            self.opened = opened = self.storage.open()
        if not self.storage.is_database:  # one that several programs share
            names = [study.study_name for study in opened.get_all_studies()]
            if names and self.name not in names:
                raise ModelFileError(f"{self.storage} holds another study, {names[0]!r}: give another storage")
        made: dict[str, Any] = {"storage": opened, "study_name": self.name, "direction": direction}
        made["pruner"] = optuna.pruners.NopPruner() if pruner is None else pruner
        try:
            return optuna.create_study(**made), True
        except optuna.exceptions.DuplicatedStudyError:
            del made["direction"]
            return optuna.load_study(**made), False

    def known_problem(self) -> Any:
        """The problem of an existing study; its maker may be about to write it, or have died before."""
        end = time.monotonic() + PATIENCE
        while True:
            known = self.answer(lambda: self.study.user_attrs.get(PROBLEM))
            if known is not None or time.monotonic() > end:
                return known
            time.sleep(0.05)

    def enqueue(self, queue: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Puts the first trials in the queue, if they aren't there: who made the study may have died within this."""
        there = {trial.user_attrs.get(QUEUED) for trial in self.trials()}
        for place, (params, attributes) in enumerate(queue):
            if place not in there:
                self.study.enqueue_trial(dict(params), dict(attributes) | {QUEUED: place})

    # --- asking ------------------------------------------------------------------------------------------------------

    def answer(self, question: Callable[[], T], patience: float = OUTAGE) -> T:
        """What Optuna answers; if a database fails, it is asked again until it hasn't answered for so long.

        Raises:
            OutageError: for the last time, or where asking again is no use; every further question is answered so.
        """
        begin, pause, told = math.inf, 0.1, False
        while True:
            if self.lost is not None:
                raise self.lost
            try:
                with self.lock, silent():
                    return question()
            except Exception as error:
                why = first_line(error)
                if is_failure(error):
                    self.lost = OutageError(
                        f"{self.storage} can't keep trials: {why}; mend that, and the same command goes on, or give "
                        "another storage"
                    )
                    raise self.lost from None
                if not is_outage(error):
                    raise
            begin = min(begin, time.monotonic())  # not before: on a busy machine one answer may take as long
            if time.monotonic() - begin > patience or self.stopped.is_set():
                self.lost = OutageError(
                    f"{self.storage} doesn't answer: {why}; what it holds is kept, and the same command goes on with it"
                )
                raise self.lost
            if not told and pause > 1:
                say_outage(self.storage, why, patience)
                told = True
            self.stopped.wait(pause * random.uniform(0.5, 1))  # many workers shouldn't come back at once
            pause = min(2 * pause, PAUSE)

    def trials(self) -> list[FrozenTrial]:
        """All trials of all processes."""
        return self.answer(lambda: self.study.get_trials(deepcopy=False))

    def finished(self) -> list[FrozenTrial]:
        """The trials that were trained to their end, or to where they were pruned."""
        return [trial for trial in self.trials() if counts(trial) and trial.state.is_finished()]

    def counted(self) -> int:
        """How many trials are done or being trained."""
        return sum(map(counts, self.trials()))

    def over(self, budget: int | None) -> bool:
        """Whether `budget` trials are done, and none is under way; those of processes that die are taken before."""
        trials = self.trials()
        return not any(map(is_running, trials)) and (budget is None or sum(map(counts, trials)) >= budget)

    # --- taking and ending -------------------------------------------------------------------------------------------

    @abstractmethod
    def prepare(self, trial: Trial) -> bool:
        """Gives a trial that was just taken what it needs; returns whether it is to be trained."""

    def take(self, budget: int | None) -> Trial | None:
        """The next trial, or None if `budget` trials are done or under way."""
        return self.answer(lambda: self.take_once(budget))

    def take_once(self, budget: int | None) -> Trial | None:
        """The same; if the database fails within this, the trial that was just asked for is no one's, and mended."""
        if self.storage.is_shared:
            self.pulse.begin()
        trials = self.revive()
        while budget is None or sum(map(counts, trials)) < budget:
            trial = self.study.ask()
            if unless_finished(partial(self.accept, trial, budget), False):
                self.mine.add(trial.number)
                return trial
            trials = self.revive()
        return None

    def accept(self, trial: Trial, budget: int | None) -> bool:
        """Whether a trial that was just asked for is to be trained; otherwise it ends."""
        trial.set_user_attr(PROCESS, self.process)
        others = [other for other in self.trials() if other.number < trial.number]
        late = budget is not None and sum(map(counts, others)) >= budget  # another process was faster
        if not late and not any(same_task(trial, other) for other in others) and self.prepare(trial):
            return True
        trial.set_user_attr(ABANDONED, True)
        self.fail(trial.number)
        return False

    def end(self, trial: Trial, facts: dict[str, Any], score: float | None) -> bool:
        """A trial is done; without a score, it was pruned. Returns whether it counts: if this process seemed dead, it
        was given again."""
        from optuna.trial import TrialState

        def tell() -> bool:
            state = self.state(trial.number)
            if state is TrialState.RUNNING:
                trial.set_user_attr("facts", facts)
                ended = TrialState.PRUNED if score is None else TrialState.COMPLETE
                self.study.tell(trial.number, score, ended)
            return state is not TrialState.FAIL

        try:
            return self.answer(lambda: unless_finished(tell, False))
        finally:
            self.mine.discard(trial.number)

    def state(self, number: int) -> Any:
        """A trial's present state."""
        return next(trial.state for trial in self.trials() if trial.number == number)

    def give_back(self, trial: Trial | FrozenTrial) -> None:
        """A trial that hasn't been trained to its end: it doesn't count, and is tried again later."""
        self.mine.discard(trial.number)
        self.answer(lambda: self.fail(trial.number))
        self.answer(lambda: self.requeue(self.trials()))

    def fail(self, number: int) -> None:
        """Ends a trial that doesn't count, unless it has ended."""
        from optuna.trial import TrialState

        unless_finished(lambda: self.study.tell(number, state=TrialState.FAIL), None)

    # --- the dead ----------------------------------------------------------------------------------------------------

    def beat(self, count: int) -> None:
        """Shows that this process lives, and looks who else does."""
        self.answer(lambda: self.study.set_user_attr(name_of_worker(self.process), count))
        self.answer(self.look)

    def look(self) -> list[FrozenTrial]:
        """Notes the others' signs of life; returns the trials."""
        signs, trials = self.study.user_attrs, self.trials()
        running = list(filter(is_running, trials))
        nameless = {f"trial {trial.number}": None for trial in running}
        workers = {name_of_worker(owner) for trial in running if (owner := owner_of(trial))}
        self.watch.look(nameless | {name: signs.get(name) for name in workers})
        return trials

    def revive(self) -> list[FrozenTrial]:
        """Gives back the trials whose process is dead; returns the trials."""
        trials = self.look()
        dead = [trial.number for trial in trials if is_running(trial) and self.is_dead(trial)]
        for number in dead:
            self.fail(number)
        return self.requeue(self.trials() if dead else trials)

    def is_dead(self, trial: FrozenTrial) -> bool:
        """Whether nobody trains a running trial, as far as can be told."""
        owner = owner_of(trial)
        if owner is None:
            return self.watch.silent(f"trial {trial.number}") > NAMELESS
        if owner == self.process:
            return trial.number not in self.mine
        alive = lives_here(owner)
        return self.watch.silent(name_of_worker(owner)) > SILENCE if alive is None else not alive

    def requeue(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """Puts every trial that failed, and should be tried again, in the queue. Two processes may do so at once:
        `take` leaves the second one out."""
        from optuna.trial import TrialState

        retried = {trial.user_attrs.get(RETRY) for trial in trials}
        for trial in trials:
            attributes = {name: value for name, value in trial.user_attrs.items() if name not in OF_ONE_ATTEMPT}
            params = trial.system_attrs.get("fixed_params", {}) | trial.params
            failed = trial.state is TrialState.FAIL and not trial.user_attrs.get(ABANDONED)
            if not failed or trial.number in retried or not (params or attributes):
                continue
            if not any(same_task(trial, other) for other in trials if other.number < trial.number):
                self.study.enqueue_trial(params, attributes | {RETRY: trial.number})
        return trials

    def close(self) -> None:
        """This process works on it no more; a question would connect it again."""
        self.pulse.end()
        engine = getattr(self.opened, "engine", None)
        if engine is not None:
            engine.dispose()


def named(kind: str, study: str | None) -> str:
    """A study's name among others in a storage."""
    return kind if study is None else f"{kind}: {study}"


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is done or being trained; failed ones were given back, and waiting ones are still to come."""
    from optuna.trial import TrialState

    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def is_running(trial: FrozenTrial) -> bool:
    """Whether a process has taken it."""
    from optuna.trial import TrialState

    return trial.state is TrialState.RUNNING


def owner_of(trial: FrozenTrial) -> dict[str, Any] | None:
    """The process that has taken it; None if it hasn't said so yet."""
    owner = trial.user_attrs.get(PROCESS)
    return owner if isinstance(owner, dict) else None


def same_task(one: Trial | FrozenTrial, other: FrozenTrial) -> bool:
    """Whether both were put in the queue for the same reason: two processes did so at once."""
    mark = RETRY if RETRY in one.user_attrs else QUEUED
    same = one.user_attrs.get(mark) is not None and one.user_attrs.get(mark) == other.user_attrs.get(mark)
    return same and (mark == RETRY or RETRY not in other.user_attrs)


def unless_finished(tell: Callable[[], T], otherwise: T) -> T:
    """What `tell` returns; something else if the trial has ended meanwhile."""
    from optuna.exceptions import UpdateFinishedTrialError

    try:
        return tell()
    except UpdateFinishedTrialError:
        return otherwise
    except ValueError as error:  # of `Study.tell`
        if "Cannot tell a" not in str(error):
            raise
        return otherwise


def say_outage(storage: TrialStorage, why: str, patience: float) -> None:
    """Warns that nothing goes on for a while."""
    warnings.warn(
        f"{storage} doesn't answer: {why}; it is asked again for {patience:.0f} s", ThalwegWarning, stacklevel=3
    )
