"""The trials of a search, kept by Optuna in a file that several processes share and that survives their end.

A trial is taken by asking for it, and ranked by its number among those that count: so all processes agree, without a
lock, on which trials are within the budget. Each trial names its process; those of dead processes are given again.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.errors import ArgumentError, ModelFileError
from thalweg.experiments.tuning.jury import Metric
from thalweg.experiments.tuning.quasi_random import quasi_random_sampler
from thalweg.experiments.tuning.space import Space
from thalweg.experiments.tuning.trial_file import open_file
from thalweg.support.extras import need

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

NAME = "thalweg tune"
PROCESS, ABANDONED, RETRY = "process", "abandoned", "retry of"
FACTOR = 3  # of as many trials one goes on to the next cycle
SILENCE = timedelta(minutes=15)  # a trial of another machine that began earlier than this has died with its process
NAMELESS = timedelta(minutes=1)  # and one whose process died before it could name itself
PATIENCE = 40  # looks at a study that has just been made, 0.05 seconds apart
NEEDED = "optuna", "tune", "a search for better settings"  # package, extra, purpose
STARTUP = 10  # trials that TPE wants before it models anything


class Journal:
    """The trials of one search.

    Args:
        path: a file, made if it isn't there; None keeps the trials in memory.
        space: what is searched. metric: what the trials are ranked by.
        problem: the search in plain values: a file of another search is refused. seed: of the samplers.
    """

    def __init__(self, path: Path | None, space: Space, metric: Metric, problem: Mapping[str, Any], seed: int) -> None:
        need(*NEEDED)
        need("sklearn", "", NEEDED[-1])
        self.path, self.space, self.metric = path, space, metric
        self.lock = threading.RLock()  # Optuna is asked by one thread at a time
        with quiet():
            self.study, new = open_study(path, metric)
            self.quasi_random = quasi_random_sampler(space, seed)
            self.model = tree_parzen_estimator(seed if path is None else seed ^ os.getpid())
        known = None if new else self.known_problem()
        if known is None:
            self.study.enqueue_trial(space.params(space.default), {"default": True}, skip_if_exists=True)
            self.study.set_user_attr("problem", dict(problem))
        elif known != problem:
            odd = next(key for key in [*problem, *known] if known.get(key) != problem.get(key))
            raise ArgumentError(
                f"{path} holds the trials of another search: its {odd} differ; give another storage, or the same "
                "source and options"
            )

    def known_problem(self) -> Any:
        """The problem of an existing study; its maker may be about to write it, or have died before."""
        for _ in range(PATIENCE):
            known = self.study.user_attrs.get("problem")
            if known is not None:
                return known
            time.sleep(0.05)
        return None

    def claim(self, budget: int | None, quasi_random: bool) -> Trial | None:
        """The next trial to train, or None if `budget` trials are done or being trained by any process."""
        with self.lock, quiet():
            self.revive()
            if budget is not None and self.counted() >= budget:
                return None
            self.study.sampler = self.quasi_random if quasi_random else self.model
            trial = self.study.ask()
            trial.set_user_attr(PROCESS, process())
            earlier = sum(counts(other) for other in self.trials() if other.number < trial.number)
            if budget is not None and earlier >= budget:  # another process was faster
                self.give_back(trial, again=False)
                return None
            self.space.suggest(trial)
            return trial

    def trials(self) -> list[FrozenTrial]:
        """All trials of all processes."""
        return self.study.get_trials(deepcopy=False)

    def finished(self) -> list[FrozenTrial]:
        """The trials that were trained to their end, or to where they were pruned."""
        return [trial for trial in self.trials() if counts(trial) and trial.state.is_finished()]

    def counted(self) -> int:
        """How many trials are done or being trained."""
        return sum(map(counts, self.trials()))

    def report(self, trial: Trial, cycle: int, score: float) -> bool:
        """Notes the score at the end of a cycle, from 0; returns whether the trial should end there."""
        with self.lock, quiet():
            trial.report(score, FACTOR**cycle)
            pruned = trial.should_prune()  # notes the score for the others, too
            return pruned and not trial.user_attrs.get("default")

    def end(self, trial: Trial, facts: dict[str, Any], score: float | None) -> None:
        """A trial is done: with a score if it has gone through all cycles."""
        from optuna.trial import TrialState

        with self.lock, quiet():
            trial.set_user_attr("facts", facts)
            self.study.tell(trial, score, TrialState.PRUNED if score is None else TrialState.COMPLETE)

    def give_back(self, trial: Trial | FrozenTrial, again: bool = True) -> None:
        """A trial that hasn't been trained to its end: it doesn't count, and is tried `again` later."""
        from optuna.exceptions import OptunaError
        from optuna.trial import TrialState

        with self.lock, quiet(), suppress(OptunaError, ValueError, RuntimeError):  # another process was faster
            self.study.tell(trial.number, state=TrialState.FAIL)
            if again:
                attributes = {RETRY: trial.number}
                attributes |= {"default": True} if trial.user_attrs.get("default") else {}
                self.study.enqueue_trial(trial.params, attributes)

    def revive(self) -> None:
        """Gives back the trials whose process is dead."""
        from optuna.trial import TrialState

        for trial in self.trials():
            if trial.state is TrialState.RUNNING and not is_alive(trial):
                self.give_back(trial)

    def elsewhere(self) -> bool:
        """Whether a living process trains a trial."""
        from optuna.trial import TrialState

        return any(trial.state is TrialState.RUNNING and is_alive(trial) for trial in self.trials())


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is done or being trained; failed ones were given back, and waiting ones are still to come."""
    from optuna.trial import TrialState

    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def open_study(path: Path | None, metric: Metric) -> tuple[Study, bool]:
    """The study in this file, or a new one in memory; and whether it is new."""
    import optuna
    from optuna.storages import InMemoryStorage

    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR)
    storage = InMemoryStorage() if path is None else open_file(path)
    names = [study.study_name for study in storage.get_all_studies()]
    if names and NAME not in names:
        raise ModelFileError(f"{path} holds another program's study, {names[0]!r}: give another storage")
    made: dict[str, Any] = {"storage": storage, "study_name": NAME, "pruner": pruner}
    try:
        return optuna.create_study(direction=metric.direction, **made), True
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(**made), False


def tree_parzen_estimator(seed: int) -> Any:
    """Optuna's TPE over all knobs together; trials that run count as bad ones, so that lanes don't repeat them."""
    import optuna

    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's log, and its warnings that a class may still change."""
    import optuna

    level = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)


# --- processes -------------------------------------------------------------------------------------------------------


def process() -> dict[str, Any]:
    """What tells this process from all others."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": born(os.getpid())}


def born(pid: int) -> str:
    """When a process began, in the system's own clock; "" if it isn't known here, or there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_alive(trial: FrozenTrial) -> bool:
    """Whether the process that trains this trial lives, as far as can be told."""
    owner = trial.user_attrs.get(PROCESS)
    begun = trial.datetime_start
    age = timedelta() if begun is None else datetime.now(UTC if begun.tzinfo else None) - begun
    if not isinstance(owner, dict):
        return age < NAMELESS
    pid = owner.get("pid")
    if owner.get("host") != socket.gethostname() or sys.platform == "win32" or not isinstance(pid, int):
        return age < SILENCE  # on Windows, a signal 0 would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return owner.get("born") == born(pid)
