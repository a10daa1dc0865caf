"""The first section: what was trained on what, and how good it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.views.report.subject import Figure, Score, Subject, Text, both, written

ERRORS = ("log loss", "loss", "RMSE", "MAE")
"""Scores that are better the smaller they are."""


def overview(subject: Subject) -> dict[str, Any]:
    """Facts, scores and what should make one careful."""
    figures: list[Figure] = []
    if subject.facts:
        figures.append(
            {
                "kind": "table",
                "title": both("What was trained on what", "訓練了什麼、用什麼資料"),
                "columns": ["", ""],
                "rows": [[name, value] for name, value in subject.facts],
                "numeric": [False, False],
            }
        )
    if subject.scores:
        figures += [score_table(subject), *against_others(subject)]
    return {
        "id": "overview",
        "text": list(subject.remarks),
        "figures": figures,
    }


def score_table(subject: Subject) -> Figure:
    """Scores with intervals, beside those of simpler answers."""
    others = list(dict.fromkeys(name for score in subject.scores for name in score.others))
    intervals = [interval(score) for score in subject.scores]
    columns: list[Text] = [both("score", "分數"), both("this run", "本次執行")]
    columns += [both("95 % interval", "95 % 信賴區間")] * any(intervals)
    rows = [
        [score.name, known(score.value), *[limits] * any(intervals), *(known(score.others.get(k)) for k in others)]
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
        return both("Scores on rows held out", "保留資料列上的分數"), both(
            f"On {of:,} rows that no weight was learned from.", f"在 {of:,} 個未用於學習權重的資料列上計算。"
        )
    name = subject.rows_name
    return both(f"Scores on {name['en']}", f"{name['zh']}上的分數"), both(f"On {of:,} rows.", f"在 {of:,} 列上計算。")


def against_others(subject: Subject) -> list[Figure]:
    """The main score as bars beside those of simpler answers."""
    main = subject.scores[0]
    known = {name: value for name, value in main.others.items() if np.isfinite(value)}
    if not known or not np.isfinite(main.value):
        return []
    labels: list[Text] = [both("this run", "本次執行"), *known]
    values = np.array([main.value, *known.values()])
    nothing = [np.nan] * len(known)
    better = both("smaller is better", "越小越好") if main.name in ERRORS else both("larger is better", "越大越好")
    return [
        {
            "kind": "bars",
            "title": both(f"{main.name}, beside simpler answers", f"{main.name}：與較簡單的答案相比"),
            "note": better,
            "labels": labels,
            "values": values,
            "low": np.array([main.low, *nothing]),
            "high": np.array([main.high, *nothing]),
            "value_label": main.name,
        }
    ]
