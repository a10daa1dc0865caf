"""The first section: what was trained on what, and how good it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.report.subject import Figure, Score, Subject, Text, score_name, written

ERRORS = ("log loss", "loss", "RMSE", "MAE")
"""Scores that are better the smaller they are."""


def overview(subject: Subject) -> dict[str, Any]:
    """Facts, scores and what should make one careful."""
    figures: list[Figure] = []
    if subject.facts:
        figures.append(
            {
                "kind": "table",
                "title": words.text("What was trained on what"),
                "columns": ["", ""],
                "rows": [[name, value] for name, value in subject.facts],
                "numeric": [False, False],
            }
        )
    if subject.scores:
        figures += [score_table(subject), *against_others(subject)]
    return {"id": "overview", "text": list(subject.remarks), "figures": figures}


def score_table(subject: Subject) -> Figure:
    """Scores with intervals, beside those of simpler answers."""
    others = list(dict.fromkeys(name for score in subject.scores for name in score.others))
    intervals = [interval(score) for score in subject.scores]
    columns: list[Text] = [words.text("score"), words.text("this run")]
    columns += [words.text("95 % interval")] * any(intervals)
    rows = [
        [
            score_name(score.name),
            known(score.value),
            *[limits] * any(intervals),
            *(known(score.others.get(k)) for k in others),
        ]
        for score, limits in zip(subject.scores, intervals, strict=True)
    ]
    of = subject.held.of if subject.held is not None else 0
    title, note = scored_on(subject, of)
    return {
        "kind": "table",
        "title": title,
        "columns": [*columns, *others],
        "rows": rows,
        "numeric": [False, *[True] * (len(columns) - 1 + len(others))],
        **({"note": note} if of else {}),
    }


def interval(score: Score) -> str:
    """The limits of a score's interval; "" if they aren't known."""
    there = np.isfinite([score.low, score.high]).all()
    return f"{written(score.low)} – {written(score.high)}" if there else ""


def known(value: float | None) -> str:
    """A score for people; "—" where there is none."""
    return "—" if value is None or np.isnan(value) else written(value)


def scored_on(subject: Subject, of: int) -> tuple[Text, Text]:
    """The title of the scores, and on how many rows they are."""
    if subject.judged_by == "held":
        return words.text("Scores on rows held out"), words.text(
            "On {of:,} rows that no weight was learned from.", of=of
        )
    name = subject.rows_name
    return words.text("Scores on {name}", name=name), words.text("On {of:,} rows.", of=of)


def against_others(subject: Subject) -> list[Figure]:
    """The main score as bars beside those of simpler answers."""
    main = subject.scores[0]
    known = {name: value for name, value in main.others.items() if np.isfinite(value)}
    if not known or not np.isfinite(main.value):
        return []
    labels: list[Text] = [words.text("this run"), *known]
    values = np.array([main.value, *known.values()])
    nothing = [np.nan] * len(known)
    better = words.text("smaller is better") if main.name in ERRORS else words.text("larger is better")
    return [
        {
            "kind": "bars",
            "title": words.text("{name}, beside simpler answers", name=score_name(main.name)),
            "note": better,
            "labels": labels,
            "values": values,
            "low": np.array([main.low, *nothing]),
            "high": np.array([main.high, *nothing]),
            "value_label": score_name(main.name),
        }
    ]
