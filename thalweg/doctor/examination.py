"""The examination of a recording by all rules."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.doctor import blowups, generalising, givens, lifeless, steps
from thalweg.doctor.budget import SECONDS, TooLongError
from thalweg.doctor.case import Case, Predict, reasons
from thalweg.doctor.finding import SEVERITIES, Diagnosis
from thalweg.doctor.rule import Rule
from thalweg.doctor.yardsticks import load
from thalweg.recordings.recording import Recording
from thalweg.support.naming import choose
from thalweg.words import Text

RULES: dict[str, Rule] = {
    rule.name: rule for family in (blowups, steps, lifeless, givens, generalising) for rule in family.RULES
}
"""The table of all rules, by name."""


def diagnose(
    recording: Recording,
    predict: Predict | None = None,
    *,
    thorough: bool = True,
    seconds: float = SECONDS,
    skip: Mapping[str, Text] | None = None,
) -> Diagnosis:
    """What is wrong with a training, by its recording: every rule wants a symptom and its harm, twice running.

    Args:
        recording: of the training; it may have failed or still be going on.
        predict: a function from inputs to the network's outputs, for the rules that look at its answers.
        thorough: whether to fit a linear model and a forest to the recorded rows, which takes some tenths of a second,
            to know what can be reached. Without it, while a network trains, progress is poor only if it is nearly none.
        seconds: that it may take. A rule whose work wouldn't fit is not checked, and it is said what it would take.
        skip: why rules are left out, by their names.

    Raises:
        ArgumentError: `skip` has a name that is no rule's.

    >>> print(diagnose(Recording(facts={"history": {"loss": [1.0, 3.0, 9.0]}})).findings[0].sentence["en"])
    The loss grows instead of falling.
    """
    for name in skip or ():
        choose("rule", name, RULES)
    if thorough and recording.sample.x is not None:
        load()  # which can take longer than all that follows
    case = Case(recording, predict, thorough, seconds)
    found, checked, not_checked = [], [], dict(skip or {})
    for rule in RULES.values():
        if rule.name in not_checked:
            continue
        why = reasons()["time"] if rule.thorough and not thorough else case.missing(rule.needs)
        if why is not None:
            not_checked[rule.name] = why
            continue
        try:
            finding = rule.finding(case)
        except TooLongError as error:
            not_checked[rule.name] = error.why
            continue
        checked.append(rule.name)
        if finding is not None:
            found.append(finding)
    names = {finding.rule for finding in found}
    kept = [finding for finding in found if not names.intersection(RULES[finding.rule].yields_to)]
    return Diagnosis(sorted(kept, key=lambda f: SEVERITIES.index(f.severity)), checked, not_checked)
