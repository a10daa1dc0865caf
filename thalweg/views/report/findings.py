"""What the doctor found."""

from __future__ import annotations

from typing import Any

from thalweg.doctor import Diagnosis, diagnose
from thalweg.doctor.finding import title_of
from thalweg.recordings import Recording
from thalweg.views.report.subject import Clock, Subject, Text, both


def examined(subject: Subject, clock: Clock) -> Diagnosis | None:
    """What the doctor says; None without a history."""
    if subject.diagnose is not None:
        return subject.diagnose(clock.left)
    recording = subject.recording
    if recording is None:
        records = [record for record in subject.history if not record.get("member")]
        if not records:
            return None
        keys = [key for key in records[0] if key != "member"]
        recording = Recording(facts={"history": {key: [record[key] for record in records] for key in keys}})
    network = subject.network
    predict = None if network is None else lambda x: network.model.predict(x, verbose=0)
    return diagnose(recording, predict, seconds=clock.left)


def findings(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None if there is nothing to examine."""
    diagnosis = examined(subject, clock)
    if diagnosis is None:
        return None
    found = [finding.to_json() for finding in diagnosis.findings]
    checked, unchecked = len(diagnosis.checked), dict(diagnosis.not_checked)
    rules = "1 rule was" if checked == 1 else f"{checked} rules were"
    first = both(
        f"{rules} checked; each wants a symptom and its harm.",
        f"檢查了 {checked} 條規則；每一條都要有症狀與其危害才會提出。",
    )
    figures: list[dict[str, Any]] = [{"kind": "findings", "title": both("Findings", "發現"), "findings": found}]
    reasons: dict[str, tuple[Text, list[str]]] = {}
    for rule, why in unchecked.items():
        reasons.setdefault(str(why), (why, []))[1].append(str(rule))
    if reasons:
        figures.append(
            {
                "kind": "table",
                "title": both("Not checked", "未檢查的規則"),
                "columns": [both("why", "原因"), both("rules", "規則")],
                "rows": [[why, named(rules)] for why, rules in reasons.values()],
                "numeric": [False, False],
            }
        )
    return {"id": "findings", "text": [first], "figures": figures}


def named(rules: list[str]) -> Text:
    """Rules by their names in both languages."""
    titles = [title_of(rule) for rule in rules]
    return both(", ".join(title["en"] for title in titles), "、".join(title["zh"] for title in titles))
