"""A rule: a symptom and its harm, and what to say when both are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thalweg import words
from thalweg.doctor.case import Case
from thalweg.doctor.finding import Finding

Numbers = Mapping[str, Any]
"""The values of a rule's texts; a value may itself be a text by language."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of the doctor's table.

    Attributes:
        name: its name, which findings carry.
        symptom, harm: what `check` looks for, for people. Both must be there, in two consecutive samples or epochs.
        check: the values of the texts if symptom and harm are there, and None otherwise.
        sentence, evidence, remedy: the texts in English, as templates of those values.
        needs: what the case must have; without it, the rule isn't checked, and it is said why.
        thorough: whether it takes too long to be checked while a network trains.
        yields_to: rules whose findings explain this one, which is then left out.
    """

    name: str
    symptom: str
    harm: str
    check: Callable[[Case], Numbers | None]
    sentence: str
    evidence: str
    remedy: str
    severity: str = "warning"
    needs: tuple[str, ...] = ()
    thorough: bool = False
    yields_to: tuple[str, ...] = ()

    def finding(self, case: Case) -> Finding | None:
        """The finding, if there is one."""
        numbers = self.check(case)
        if numbers is None:
            return None
        texts = (words.text(template, **numbers) for template in (self.sentence, self.evidence, self.remedy))
        return Finding(self.name, self.severity, *texts)
