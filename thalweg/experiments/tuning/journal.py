"""The trials of a search for settings: what Optuna samples and prunes, in a ledger that several processes share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from thalweg.experiments.ledger import Ledger, named, unless_finished
from thalweg.experiments.trial_storage import TrialStorage, quiet
from thalweg.experiments.tuning.jury import Metric
from thalweg.experiments.tuning.quasi_random import quasi_random_sampler
from thalweg.experiments.tuning.space import Space
from thalweg.support.extras import need

if TYPE_CHECKING:
    from optuna import Trial

NAME = "thalweg tune"
FACTOR = 3  # of as many trials one goes on to the next cycle
NEEDED = "optuna", "tune", "a search for better settings"  # package, extra, purpose
STARTUP = 10  # trials that TPE wants before it models anything


class Journal(Ledger):
    """The trials of one search.

    Args:
        storage: where they are kept. study: the search's name there, if it isn't the only one.
        space: what is searched. metric: what the trials are ranked by.
        problem: the search in plain values: a file of another search is refused. seed: of the samplers.
    """

    def __init__(
        self,
        storage: TrialStorage,
        space: Space,
        metric: Metric,
        problem: Mapping[str, Any],
        seed: int,
        study: str | None = None,
    ) -> None:
        need(*NEEDED)
        import optuna

        self.space, self.metric = space, metric
        with quiet():
            pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR)
        default = space.params(space.default), {"default": True}
        super().__init__(storage, named(NAME, study), metric.direction, problem, [default], NEEDED, pruner)
        with quiet():
            self.quasi_random = quasi_random_sampler(space, seed)
            self.model = tree_parzen_estimator(seed_of(seed, self.process) if storage.is_shared else seed)

    def claim(self, budget: int | None, quasi_random: bool) -> Trial | None:
        """The next trial to train, or None if `budget` trials are done or being trained by any process."""
        with self.lock:
            self.study.sampler = self.quasi_random if quasi_random else self.model
            return self.take(budget)

    def prepare(self, trial: Trial) -> bool:
        """Gives it its values."""
        self.space.suggest(trial)
        return True

    def report(self, trial: Trial, cycle: int, score: float) -> bool:
        """Notes the score at the end of a cycle, from 0; returns whether the trial should end there."""

        def ends() -> bool:
            if not self.reported(trial.number, FACTOR**cycle):  # unless the answer to that was lost
                trial.report(score, FACTOR**cycle)
            pruned = trial.should_prune()  # notes the score for the others, too
            return pruned and not trial.user_attrs.get("default")

        return self.answer(partial(unless_finished, ends, True))  # another process may have been given it

    def reported(self, number: int, step: int) -> bool:
        """Whether the storage has a score of this step."""
        return any(step in trial.intermediate_values for trial in self.trials() if trial.number == number)


def seed_of(seed: int, process: Mapping[str, Any]) -> int:
    """One for each process: their proposals should differ, even where containers count processes alike."""
    return int.from_bytes(blake2b(repr((seed, sorted(process.items()))).encode(), digest_size=4).digest(), "big")


def tree_parzen_estimator(seed: int) -> Any:
    """Optuna's TPE over all knobs together; trials that run count as bad ones, so that lanes don't repeat them."""
    import optuna

    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP)
