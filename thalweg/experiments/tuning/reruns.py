"""The best few, trained again on other rows and with other seeds, against the default."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from thalweg.errors import DivergedError
from thalweg.experiments.shared_work import Running, on_lanes
from thalweg.experiments.tuning.cycles import Cycles
from thalweg.experiments.tuning.jury import Metric, Verdict, coolest
from thalweg.experiments.tuning.material import Array, Material
from thalweg.experiments.tuning.search import TimeLimit, fit
from thalweg.experiments.tuning.space import Candidate
from thalweg.tabular.temperature import fitted

LEVEL = 0.05
SAMPLE = 2000  # held-out rows of each rerun whose outputs are kept for the temperature
DEFAULT = "default"


@dataclass
class Rerun:
    """One candidate's reruns, by pair of fold and seed.

    Attributes:
        verdicts: at the end of each cycle; none if it diverged.
        samples: the first held-out rows' outputs at the end of each cycle, and their targets.
    """

    name: str
    candidate: Candidate
    verdicts: dict[int, list[Verdict]] = field(default_factory=dict)
    samples: dict[int, tuple[list[Array], Array]] = field(default_factory=dict)


@dataclass
class Reruns:
    """All reruns; only pairs that every candidate has gone through are compared."""

    metric: Metric
    cycles: int
    entries: list[Rerun]
    planned: int  # pairs

    @property
    def pairs(self) -> list[int]:
        """The pairs of fold and seed in which every candidate was trained."""
        return sorted(set.intersection(*(set(entry.verdicts) for entry in self.entries))) if self.entries else []

    def entry(self, name: str) -> Rerun:
        """The reruns of that name."""
        return next(entry for entry in self.entries if entry.name == name)

    def at(self, entry: Rerun, cycle: int) -> list[float]:
        """The scores at the end of this cycle, a pair each; NaN where the training diverged."""
        found = (entry.verdicts[pair] for pair in self.pairs)
        return [v[cycle].scores[self.metric.name] if len(v) > cycle else math.nan for v in found]

    def best_cycle(self, entry: Rerun) -> int:
        """The cycle, from 0, after which the mean score is best."""
        means = [float(np.mean(self.at(entry, cycle))) for cycle in range(self.cycles)]
        return max(range(self.cycles), key=lambda cycle: order(self.metric, means[cycle]))

    def scores(self, entry: Rerun) -> list[float]:
        """The scores after the best cycle."""
        return self.at(entry, self.best_cycle(entry))

    def mean(self, entry: Rerun) -> float:
        """The mean of `scores`; NaN if a training diverged."""
        return float(np.mean(self.scores(entry))) if self.pairs else math.nan

    def temperature(self, entry: Rerun) -> float:
        """That of the held-out rows of all reruns after the best cycle, together; 1 for numbers."""
        cycle = self.best_cycle(entry)
        known = [(outputs[cycle], y) for outputs, y in entry.samples.values() if len(outputs) > cycle]
        if self.metric.task == "regression" or not known:
            return 1.0
        logits, y = (np.concatenate(parts) for parts in zip(*known, strict=True))
        return fitted(logits, y, low=coolest(entry.candidate.loss))

    def ranked(self) -> list[Rerun]:
        """Best mean first; of equal ones, in the order of the trials."""
        return sorted(self.entries, key=lambda entry: order(self.metric, self.mean(entry)), reverse=True)

    def p_values(self) -> dict[str, float]:
        """Wilcoxon's signed-rank test against the default, two-sided, corrected for the number of candidates (Holm)."""
        base = self.scores(self.entry(DEFAULT)) if self.pairs else []
        raw = {e.name: wilcoxon(self.scores(e), base) for e in self.entries if e.name != DEFAULT}
        return holm(raw)

    @property
    def needed(self) -> int:
        """The least number of pairs with which the test could find a difference: 2/2ⁿ is its smallest p-value."""
        return math.ceil(math.log2(2 * max(1, len(self.entries) - 1) / LEVEL))

    def conclusion(self, entry: Rerun) -> str:
        """How the entry does against the default: in a word or two."""
        if not self.pairs or entry.name == DEFAULT:
            return ""
        if len(self.pairs) < self.needed:
            return "too few reruns to tell"
        p = self.p_values()[entry.name]
        if not p < LEVEL:
            return "no clear difference"
        ahead = order(self.metric, self.mean(entry)) > order(self.metric, self.mean(self.entry(DEFAULT)))
        return "better" if ahead else "worse"


def order(metric: Metric, score: float) -> float:
    """For sorting: the better the larger; NaN is worst."""
    return -math.inf if math.isnan(score) else metric.ahead(score)


def wilcoxon(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided p-value that paired scores differ; 1 if all are equal, NaN if one is missing."""
    differences = np.asarray(one) - np.asarray(other)
    if np.isnan(differences).any():
        return math.nan
    differences = differences[differences != 0]
    if not differences.size:
        return 1.0
    from scipy import stats

    return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction: the chance of any false discovery stays below the level (Scandinavian J. of Statistics, 1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    found: dict[str, float] = {}
    least = 0.0
    known = {name: p for name, p in p_values.items() if not math.isnan(p)}
    for place, (name, p) in enumerate(sorted(known.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, p * (len(known) - place)))
        found[name] = least
    return found | {name: math.nan for name in p_values if name not in known}


def rerun(
    material: Material,
    found: Reruns,
    cycles: Cycles,
    folds: int,
    lanes: int,
    clock: TimeLimit,
    share: float,
    progress: Callable[[float, float, str], None],
) -> None:
    """Trains every candidate on every pair of fold and seed, pair by pair, until this share of the clock's limit.

    Results are added to `found` as they come, so that they are there after Ctrl-C too.
    """
    running, taking = Running(), Lock()
    tasks = (
        (number, seed, entry, learn, held)
        for seed in range(found.planned // folds)
        for number, (learn, held) in enumerate(material.folds(folds, seed), start=seed * folds)
        for entry in found.entries
    )
    total, done = found.planned * len(found.entries), 0

    def work() -> None:
        nonlocal done
        while not running.stopped.is_set():
            with taking:
                task = next(tasks, None)
            if task is None:
                return
            number, seed, entry, learn, held = task
            try:
                result = fit(
                    material, entry.candidate, learn, held, found.metric, cycles, material.seed + seed, running
                )
            except DivergedError:
                entry.verdicts[number] = []
            else:
                if result is not None:
                    entry.samples[number] = [z[:SAMPLE].copy() for z in result.outputs], held.y[:SAMPLE]
                    entry.verdicts[number] = result.verdicts
            with taking:
                done += 1

    def look() -> bool:
        progress(done, total, f"{done} of {total} reruns")
        return clock.share() >= share

    on_lanes(work, lanes, running, look)
