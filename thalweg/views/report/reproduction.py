"""How to make the same again."""

from __future__ import annotations

from typing import Any

from thalweg.views.report.subject import Subject, both


def reproduction(subject: Subject) -> dict[str, Any] | None:
    """The section; None if nothing is known of it."""
    figures: list[dict[str, Any]] = [
        {"kind": "code", "title": title, "language": language, "text": text} for title, language, text in subject.code
    ]
    if subject.settings:
        figures.append(
            {
                "kind": "table",
                "title": both("Settings", "設定"),
                "columns": [both("setting", "設定"), both("value", "值")],
                "rows": [[name, value] for name, value in subject.settings.items()],
                "numeric": [False, False],
                "mono": True,
            }
        )
    if not figures:
        return None
    return {
        "id": "reproduction",
        "text": [
            both(
                "With the same data, versions, seed and number of lanes, the same bits come out.",
                "資料、版本、亂數種子與通道數都相同時，結果逐位元相同。",
            )
        ],
        "figures": figures,
    }
