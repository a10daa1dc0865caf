"""What the doctor says: findings in plain sentences, each with its evidence and a remedy, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from thalweg.support.naming import choose

Text = dict[str, str]
"""A text by language, "en" or "zh" (as written in Taiwan)."""

CHINESE = {
    "not finite": "不是有限的數",
    "bad start": "起點不良",
    "diverging": "發散",
    "oscillation": "振盪",
    "exploding gradients": "梯度爆炸",
    "learning rate too high": "學習率太高",
    "learning rate too low": "學習率太低",
    "stalled": "停滯",
    "still falling": "仍在下降",
    "dead units": "壞死的單元",
    "saturated units": "飽和的單元",
    "symmetry": "對稱",
    "vanishing gradients": "梯度消失",
    "unscaled inputs": "輸入未縮放",
    "leaking column": "洩漏答案的欄位",
    "shared rows": "重複的資料列",
    "loss that doesn't fit": "損失函數不相配",
    "overfitting": "過度擬合",
    "too few rows": "資料太少",
    "answers the majority": "只答多數類別",
    "imbalance": "類別不平衡",
    "no better than a linear model": "不比線性模型好",
}
"""The rules' names in Chinese."""
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


def title_of(rule: str) -> Text:
    """A rule's name in both languages."""
    return {"en": rule, "zh": CHINESE.get(rule, rule)}


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
        choose("language", language, ("en", "zh"))
        lead, colon = self.sentence[language], ": " if language == "en" else "："
        parts = [f"{LABELS[part][language]}{colon}{getattr(self, part)[language]}" for part in ("evidence", "remedy")]
        return "\n".join([lead, *(f"  {part}" for part in parts)])

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
        choose("language", language, ("en", "zh"))
        lines = [finding.text(language) for finding in self.findings]
        if not lines:
            lines.append(LABELS["none"][language].format(count=len(self.checked)))
        reasons: dict[str, list[str]] = {}
        for rule, why in self.not_checked.items():
            reasons.setdefault(why[language], []).append(rule)
        comma, opening, closing = (", ", " (", ")") if language == "en" else ("、", "（", "）")
        for reason, rules in reasons.items():
            named = comma.join(title_of(rule)[language] for rule in rules)
            colon = ": " if language == "en" else "："
            lines.append(f"{LABELS['not checked'][language]}{colon}{named}{opening}{reason}{closing}")
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
