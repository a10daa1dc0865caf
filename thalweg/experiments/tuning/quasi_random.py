"""The first trials of a search: points that fill the space evenly, whatever was found so far."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from thalweg.experiments.tuning.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def point(space: Space, number: int, seed: int) -> dict[str, Any]:
    """The values of all searched knobs at a point of Sobol's scrambled sequence (Owen 1998).

    >>> from thalweg.data.recipe import recipe
    >>> space = Space.of(recipe("binary"), 1000)
    >>> sorted(point(space, number, seed=0)["depth"] for number in range(8))
    [1, 1, 2, 2, 3, 3, 4, 4]
    """
    from scipy.stats.qmc import Sobol

    knobs = list(space.searched)
    if not knobs:
        return {}
    sequence = Sobol(len(knobs), scramble=True, seed=seed)
    if number:
        sequence.fast_forward(number)
    return space.at(dict(zip(knobs, sequence.random(1)[0].tolist(), strict=True)))


def quasi_random_sampler(space: Space, seed: int) -> BaseSampler:
    """An Optuna sampler that gives each trial the point of its number: several processes never share one.

    Optuna's own QMCSampler draws categories independently of each other, at random; here they are evenly spread too.
    """
    from optuna.samplers import BaseSampler

    @cache
    def values(number: int) -> dict[str, Any]:
        return point(space, number, seed)

    class Points(BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return values(trial.number)[param_name]

    return Points()
