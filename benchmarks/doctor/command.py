"""`python -m benchmarks --doctor`: the pairs of all rules, and false alarms of hundreds of healthy trainings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.doctor import healthy, held_out
from benchmarks.doctor.healthy import Data
from benchmarks.doctor.pairs import PAIRS
from thalweg import Sequential
from thalweg.doctor import RULES, diagnose
from thalweg.doctor.finding import Diagnosis

SEEDS = 18
"""Trainings of each data set …"""
MORE = {"digits as images": 60}
"""… or more, where they are fast."""
Train = Callable[[Data, int], tuple[str, Sequential]]


@dataclass
class Alarm:
    """A finding in a healthy training."""

    rule: str
    data: str
    course: str
    score: float
    best: float
    evidence: str


@dataclass
class Outcome:
    """What many trainings came to.

    Attributes:
        trainings: how many there were.
        kinds: how many of them were healthy, by the kind of data.
        checked, alarms: by rule, how many healthy trainings it was checked on, and the findings in them.
        ill: how many of the other trainings had a finding.
        lax, lax_alarms: how many would be healthy if scikit-learn's models alone set the mark, and findings in them.
        milliseconds: of a diagnosis without simple models, the median.
        names: the data sets.
    """

    trainings: int
    kinds: Counter[str]
    checked: Counter[str]
    alarms: list[Alarm]
    ill: int
    milliseconds: float
    names: list[str] = field(default_factory=list)
    lax: int = 0
    lax_alarms: Counter[str] = field(default_factory=Counter)

    @property
    def alarmed(self) -> int:
        """How many healthy trainings had a finding."""
        return len({(alarm.data, alarm.course) for alarm in self.alarms})

    @property
    def healthy(self) -> int:
        return self.kinds.total()

    def of(self, rule: str) -> int:
        """How many false alarms a rule gave."""
        return sum(alarm.rule == rule for alarm in self.alarms)


def healthy_trainings(datasets: Iterable[Data], train: Train, seeds: Callable[[Data], int]) -> Outcome:
    """Trains on all data sets, and asks the doctor."""
    outcome = Outcome(0, Counter(), Counter(), [], 0, 0.0)
    times: list[float] = []
    for data in datasets:
        outcome.names.append(data.name)
        results: list[tuple[str, float, Diagnosis]] = []
        for seed in range(seeds(data)):
            told, model = train(data, seed)
            assert model.recording is not None
            begin = time.perf_counter()
            diagnose(model.recording, thorough=False)
            times.append(time.perf_counter() - begin)
            found = model.diagnose()
            results.append((told, healthy.score(data, model.predict(data.parts[2][0], verbose=0)), found))
        known = healthy.known(data)
        best = max(known, max(score for _, score, _ in results))
        least = best - healthy.margin(data, best)
        good = sum(score >= least for _, score, _ in results)
        print(f"{data.name}: {good} of {len(results)} healthy (at least {least:.3f}; best {best:.3f})", flush=True)
        for told, score, found in results:
            outcome.trainings += 1
            if score >= known - healthy.margin(data, known):
                outcome.lax += 1
                outcome.lax_alarms.update(finding.rule for finding in found.findings)
            if not score >= least:  # or not a number
                outcome.ill += bool(found.findings)
                print(f"   not healthy, {score:.3f}: {[f.rule for f in found.findings]} {told}", flush=True)
                continue
            outcome.kinds[data.kind] += 1
            outcome.checked.update(found.checked)
            for finding in found.findings:
                outcome.alarms.append(Alarm(finding.rule, data.name, told, score, best, finding.evidence["en"]))
                print(f"   FALSE ALARM {finding.rule}: {told}; {score:.3f}; {finding.evidence['en']}", flush=True)
    outcome.milliseconds = 1000 * sorted(times)[len(times) // 2]
    return outcome


def pairs() -> dict[str, tuple[list[str], list[str]]]:
    """By rule, what is found in the training that provokes it, and in its twin."""
    found = {}
    for pair in PAIRS:
        both = [[finding.rule for finding in pair.train(kind).diagnose().findings] for kind in (True, False)]
        found[pair.rule] = (both[0], both[1])
        mark = "ok" if pair.rule in both[0] and pair.rule not in both[1] else "WRONG"
        print(f"{mark:5} {pair.rule}: {both[0]}; twin: {both[1]}", flush=True)
    return found


def doctor(write: bool, quick: bool) -> None:
    """Prints what is found, and puts the figures into docs/doctor.md on request."""
    found = pairs()
    print("\nnew data:", flush=True)
    new = healthy_trainings(held_out.everything(), held_out.train, lambda _: 1 if quick else held_out.SEEDS)
    print("\ndata that thresholds were chosen by:", flush=True)
    old = healthy_trainings(
        healthy.everything(), healthy.train, lambda data: 1 if quick else MORE.get(data.name, SEEDS)
    )
    for outcome in (new, old):
        print(f"{outcome.healthy} of {outcome.trainings} trainings are healthy: {dict(outcome.kinds)}")
    for rule in RULES:
        ok = rule in found[rule][0] and rule not in found[rule][1]
        alarms = [f"{outcome.of(rule)} of {outcome.checked[rule]}" for outcome in (new, old)]
        told = "" if ok else "; NOT PROVOKED, or in the twin"
        print(f"{rule}: false alarms in {alarms[0]} on new data, {alarms[1]} on the other{told}")
    if write:
        from benchmarks.doctor import page

        page.write(old, new)
