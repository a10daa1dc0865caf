"""What the doctor found."""

from __future__ import annotations

from typing import Any

from thalweg.views.report.subject import Subject, both


def findings(subject: Subject) -> dict[str, Any] | None:
    """The section; None if nothing was examined."""
    diagnosis = subject.diagnosis
    if diagnosis is None:
        return None
    found = [finding.to_json() for finding in diagnosis.findings]
    checked, unchecked = len(diagnosis.checked), dict(diagnosis.not_checked)
    first = (
        both(f"{len(found)} findings; {checked} rules were checked.", f"{len(found)} 項發現；檢查了 {checked} 條規則。")
        if found
        else both(f"Nothing found; {checked} rules were checked.", f"沒有發現問題；檢查了 {checked} 條規則。")
    )
    figures: list[dict[str, Any]] = [{"kind": "findings", "title": both("Findings", "發現"), "findings": found}]
    if unchecked:
        figures.append(
            {
                "kind": "table",
                "title": both("Not checked", "未檢查的規則"),
                "columns": [both("rule", "規則"), both("why", "原因")],
                "rows": [[str(rule), why] for rule, why in unchecked.items()],
                "numeric": [False, False],
            }
        )
    return {"id": "findings", "title": both("The doctor", "診斷"), "text": [first], "figures": figures}
