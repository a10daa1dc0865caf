"""Which knob mattered: by all trials' scores at the end of the first cycle, where none has been pruned yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thalweg.experiments.trial_storage import quiet
from thalweg.experiments.tuning.space import Space

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LEAST_TRIALS = 20
WORST = 0.9  # scores below this quantile are taken as equal to it: a few that diverged shouldn't decide
METHODS = {"PED-ANOVA": "what the best tenth have in common", "fANOVA": "how much the score varies with it"}


def importances(trials: Sequence[FrozenTrial], space: Space, ahead: Sequence[float]) -> dict[str, dict[str, float]]:
    """By method, the share of each searched knob, most important first; {} for too few trials.

    PED-ANOVA (Watanabe et al., IJCAI 2023) compares the knob's values among the best tenth of the trials with those
    among all; fANOVA (Hutter et al., ICML 2014) is the share of the score's variance that the knob alone explains in a
    random forest.

    Args:
        trials: any that have a first score. ahead: their scores at the end of the first cycle, more being better.
    """
    knobs = space.searched
    if len(trials) < LEAST_TRIALS or len(knobs) < 2:
        return {}
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    kept = np.maximum(ahead, np.quantile(ahead, 1 - WORST))
    with quiet():
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.create_trial(params=trial.params, distributions=trial.distributions, value=float(score))
                for trial, score in zip(trials, kept, strict=True)
                if trial.params.keys() >= knobs.keys()
            ]
        )
        evaluators = {"PED-ANOVA": PedAnovaImportanceEvaluator(), "fANOVA": FanovaImportanceEvaluator(seed=0)}
        return {
            name: dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
            for name, evaluator in evaluators.items()
        }
