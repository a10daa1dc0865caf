"""What the doctor says: findings in plain sentences, each with its evidence and a remedy, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from thalweg import words
from thalweg.support.naming import choose
from thalweg.words import Text

SEVERITIES = ("error", "warning", "note")


def title_of(rule: str) -> Text:
    """A rule's name in all languages."""
    return words.text(rule, context="rule")


@dataclass(frozen=True)
class Finding:
    """What is wrong with a training.

    Attributes:
        rule: the name of the rule, such as "dead units".
        severity: "error" (nothing was learned, or the training failed), "warning", or "note".
        sentence: what is wrong; like the next two a text by language, "en" and "zh".
        evidence: the symptom and the harm, with their numbers.
        remedy: what to try, by the names of thalweg's arguments.
    """

    rule: str
    severity: str
    sentence: Text
    evidence: Text
    remedy: Text

    def text(self, language: str = "en") -> str:
        """The three texts, in "en" or "zh"."""
        choose("language", language, words.LANGUAGES)
        evidence = words.say("evidence: {evidence}", language, evidence=self.evidence)
        remedy = words.say("remedy: {remedy}", language, remedy=self.remedy)
        return f"{self.sentence[language]}\n  {evidence}\n  {remedy}"

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """What a page shows: the five attributes, and the rule's name in both languages as `title`."""
        return asdict(self) | {"title": title_of(self.rule)}


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All findings about a training, the gravest first; it prints as plain sentences.

    Attributes:
        findings: what is wrong.
        checked: the names of the rules that were checked.
        not_checked: why each of the other rules was not.

    >>> print(Diagnosis([], ["stalled"], {}))
    nothing wrong was found by 1 rules
    """

    findings: list[Finding]
    checked: list[str]
    not_checked: Mapping[str, Text] = field(default_factory=dict)

    def text(self, language: str = "en") -> str:
        """The findings, and which rules were not checked, in "en" or "zh"."""
        choose("language", language, words.LANGUAGES)
        lines = [finding.text(language) for finding in self.findings]
        if not lines:
            lines.append(words.say("nothing wrong was found by {count} rules", language, count=len(self.checked)))
        reasons: dict[str, tuple[Text, list[Text]]] = {}
        for rule, why in self.not_checked.items():
            reasons.setdefault(why["en"], (why, []))[1].append(title_of(rule))
        for why, rules in reasons.values():
            lines.append(words.say("not checked: {rules} ({why})", language, rules=words.listed(rules), why=why))
        return "\n".join(lines)

    def __repr__(self) -> str:  # in a notebook it is what its cell ends with
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """What a page shows."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "checked": list(self.checked),
            "not_checked": dict(self.not_checked),
        }
