"""How to make the same again."""

from __future__ import annotations

from typing import Any

from thalweg import words
from thalweg.views.report.subject import Subject, setting_name


def reproduction(subject: Subject) -> dict[str, Any] | None:
    """The section; None if nothing is known of it."""
    figures: list[dict[str, Any]] = [
        {"kind": "code", "title": title, "language": language, "text": text} for title, language, text in subject.code
    ]
    if subject.settings:
        figures.append(
            {
                "kind": "table",
                "title": words.text("Settings"),
                "columns": [words.text("setting"), words.text("value")],
                "rows": [[setting_name(name), value] for name, value in subject.settings.items()],
                "numeric": [False, False],
                "mono": True,
            }
        )
    if not figures:
        return None
    return {
        "id": "reproduction",
        "text": [words.text("With the same data, versions, seed and number of lanes, the same bits come out.")],
        "figures": figures,
    }
