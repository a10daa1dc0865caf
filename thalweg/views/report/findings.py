"""What the doctor found."""

from __future__ import annotations

from typing import Any

from thalweg import words
from thalweg.doctor import Diagnosis, diagnose
from thalweg.doctor.finding import title_of
from thalweg.recordings import Recording
from thalweg.views.report.subject import Clock, Subject, Text


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
    rules = words.text("1 rule was checked" if checked == 1 else "{count} rules were checked", count=checked)
    first = words.text("{rules}; each wants a symptom and its harm.", rules=rules)
    figures: list[dict[str, Any]] = [{"kind": "findings", "title": words.text("Findings"), "findings": found}]
    reasons: dict[str, tuple[Text, list[str]]] = {}
    for rule, why in unchecked.items():
        reasons.setdefault(str(why), (why, []))[1].append(str(rule))
    if reasons:
        figures.append(
            {
                "kind": "table",
                "title": words.text("Not checked"),
                "columns": [words.text("why"), words.text("rules")],
                "rows": [[why, named(rules)] for why, rules in reasons.values()],
                "numeric": [False, False],
            }
        )
    return {"id": "findings", "text": [first], "figures": figures}


def named(rules: list[str]) -> Text:
    """Rules by their names."""
    return words.listed(map(title_of, rules))
