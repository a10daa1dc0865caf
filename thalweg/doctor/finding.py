"""What the doctor says: findings in plain sentences, each with its evidence and a remedy, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from thalweg.support.naming import choose

Text = dict[str, str]
"""A text by language, "en" or "zh" (as written in Taiwan)."""

SEVERITIES = ("error", "warning", "note")
LABELS: dict[str, Text] = {
    "evidence": {"en": "evidence", "zh": "證據"},
    "remedy": {"en": "remedy", "zh": "處方"},
    "none": {
        "en": "nothing wrong was found by {count} rules",
        "zh": "檢查了 {count} 條規則，沒有發現問題",
    },
    "not checked": {"en": "not checked", "zh": "沒有檢查"},
}


@dataclass(frozen=True)
class Finding:
    """What is wrong with a training.

    Attributes:
        rule: the name of the rule, such as "dead units".
        severity: "error" (nothing was learned, or the training failed), "warning", or "note".
        sentence: what is wrong.
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
        choose("language", language, ("en", "zh"))
        lead, colon = self.sentence[language], ": " if language == "en" else "："
        parts = [f"{LABELS[part][language]}{colon}{getattr(self, part)[language]}" for part in ("evidence", "remedy")]
        return "\n".join([lead, *(f"  {part}" for part in parts)])

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """What a page shows: the five attributes."""
        return asdict(self)


@dataclass(frozen=True)
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
        choose("language", language, ("en", "zh"))
        lines = [finding.text(language) for finding in self.findings]
        if not lines:
            lines.append(LABELS["none"][language].format(count=len(self.checked)))
        reasons: dict[str, list[str]] = {}
        for rule, why in self.not_checked.items():
            reasons.setdefault(why[language], []).append(rule)
        comma, opening, closing = (", ", " (", ")") if language == "en" else ("、", "（", "）")
        for reason, rules in reasons.items():
            named = comma.join(rules)
            colon = ": " if language == "en" else "："
            lines.append(f"{LABELS['not checked'][language]}{colon}{named}{opening}{reason}{closing}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """What a page shows."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "checked": list(self.checked),
            "not_checked": dict(self.not_checked),
        }


def filled(template: Text, values: Mapping[str, Any]) -> Text:
    """A template in both languages with its values, which may be texts themselves.

    >>> template = {"en": "{share:.0%} of {what}", "zh": "{what}的 {share:.0%}"}
    >>> filled(template, {"share": 0.5, "what": {"en": "units", "zh": "單元"}})
    {'en': '50% of units', 'zh': '單元的 50%'}
    """
    return {
        language: sentence.format(
            **{name: value[language] if isinstance(value, dict) else value for name, value in values.items()}
        )
        for language, sentence in template.items()
    }
