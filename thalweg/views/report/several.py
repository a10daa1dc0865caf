"""Several trainings side by side: scores with intervals, curves together, settings that differ, sizes and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.views.report.overview import ERRORS, interval, known
from thalweg.views.report.subject import Figure, Score, Subject, Text, both, thinned, written
from thalweg.views.report.training_curves import EPOCH, MOST_EPOCHS, curves, number, split, titled

MOST_SCORES = 4
"""Scores that are drawn as bars; the table has all."""


def comparison_document(subjects: Sequence[Subject], names: Sequence[str], language: str = "en") -> dict[str, Any]:
    """The document that compares trainings; `names` tell them apart."""
    sections = [scores_section(subjects, names), curves_section(subjects, names), settings_section(subjects, names)]
    return {
        "title": both(f"{len(subjects)} runs compared", f"比較 {len(subjects)} 次執行"),
        "language": language,
        "sections": [section for section in sections if section["figures"]],
    }


def scores_section(subjects: Sequence[Subject], names: Sequence[str]) -> dict[str, Any]:
    """Scores of each, with their intervals."""
    kinds = list(dict.fromkeys(score.name for subject in subjects for score in subject.scores))
    by_name = [{score.name: score for score in subject.scores} for subject in subjects]
    rows = [[kind, *(scored(found.get(kind)) for found in by_name)] for kind in kinds]
    figures: list[Figure] = [
        {
            "kind": "table",
            "title": both("Scores on rows held out", "保留資料列上的分數"),
            "note": both("With their 95 % intervals.", "附 95 % 信賴區間。"),
            "columns": [both("score", "分數"), *names],
            "rows": rows,
            "numeric": [False, *[True] * len(names)],
        }
    ]
    for kind in kinds[:MOST_SCORES]:
        each = [scores.get(kind) for scores in by_name]
        figures.append(
            {
                "kind": "bars",
                "title": kind,
                "note": both("smaller is better", "越小越好")
                if kind in ERRORS
                else both("larger is better", "越大越好"),
                "labels": list(names),
                "values": np.array([np.nan if s is None else s.value for s in each]),
                "low": np.array([np.nan if s is None else s.low for s in each]),
                "high": np.array([np.nan if s is None else s.high for s in each]),
                "value_label": kind,
            }
        )
    return {
        "id": "scores",
        "title": both("Scores", "分數"),
        "text": [same_rows(subjects)],
        "figures": figures,
    }


def scored(score: Score | None) -> str:
    """A score with its interval, if it is known."""
    limits = "" if score is None else interval(score)
    return known(None if score is None else score.value) + (f" ({limits})" if limits else "")


def same_rows(subjects: Sequence[Subject]) -> Text:
    """Whether they are judged by the same rows."""
    held = [subject.held for subject in subjects]
    known = [h for h in held if h is not None]
    same = len(known) == len(held) and all(
        np.array_equal(h.rows, known[0].rows) and np.array_equal(h.truth, known[0].truth) for h in known
    )
    if same:
        return both(
            "All were judged by the same rows, so their differences are surer than the 95 % intervals suggest, which "
            "are those of each alone.",
            "全部以相同的資料列評判，因此差異比各自的 95 % 區間所示更可靠。",
        )
    return both(
        "They were not judged by the same rows (give the same --seed and --test-share for that): differences within "
        "the 95 % intervals say nothing.",
        "它們並非以相同的資料列評判（請給相同的 --seed 與 --test-share）：95 % 區間內的差異不代表什麼。",
    )


def curves_section(subjects: Sequence[Subject], names: Sequence[str]) -> dict[str, Any]:
    """The curves of all, a figure for each thing that was recorded."""
    keys = [
        key
        for key in dict.fromkeys(k for subject in subjects for record in subject.history for k in record)
        if key not in ("epoch", "member", "seconds")
    ]
    figures: list[Figure] = []
    for key in keys:
        series = []
        for subject, name in zip(subjects, names, strict=True):
            members = split(subject.history)
            if not members:
                continue
            records = next(iter(members.values()))
            kept = [records[k] for k in thinned(len(records), MOST_EPOCHS)]
            y = np.array([number(record.get(key)) for record in kept])
            if np.isfinite(y).any():
                x = np.array([record["epoch"] + 1 for record in kept], np.float64)
                series.append({"name": name, "x": x, "y": y})
        if series:
            metric = next((subject.metric for subject in subjects if subject.metric), "")
            title = titled(key.removeprefix("val_"), metric)
            if key.startswith("val_"):
                english, chinese = (title, title) if isinstance(title, str) else (title["en"], title["zh"])
                title = both(f"validation {english}", f"驗證{chinese}")
            figures.append(curves(title, series, EPOCH, title))
    several = any(len(split(subject.history)) > 1 for subject in subjects)
    text: list[Text] = [both("Of the first network of each.", "各取第一個網路。")] if several else []
    return {"id": "course", "title": both("The course of the trainings", "訓練過程"), "text": text, "figures": figures}


def settings_section(subjects: Sequence[Subject], names: Sequence[str]) -> dict[str, Any]:
    """Settings that differ, sizes and times."""
    keys = list(dict.fromkeys(key for subject in subjects for key in subject.settings))
    unlike = [key for key in keys if len({subject.settings.get(key, "") for subject in subjects}) > 1]
    figures: list[Figure] = []
    if unlike:
        figures.append(
            {
                "kind": "table",
                "title": both("Settings that differ", "不同的設定"),
                "note": both(
                    f"The other {len(keys) - len(unlike)} are the same.", f"其餘 {len(keys) - len(unlike)} 項相同。"
                ),
                "columns": [both("setting", "設定"), *names],
                "rows": [[key, *(subject.settings.get(key, "") for subject in subjects)] for key in unlike],
                "numeric": [False] * (1 + len(names)),
                "mono": True,
            }
        )
    sizes = list(dict.fromkeys(key for subject in subjects for key in subject.sizes))
    said = {
        "weights": both("weights", "權重數"),
        "seconds": both("seconds of training", "訓練秒數"),
        "epochs": both("epochs, of all networks together", "輪數（所有網路合計）"),
        "rows": both("rows to learn from", "訓練列數"),
    }
    figures.append(
        {
            "kind": "table",
            "title": both("Sizes and times", "大小與時間"),
            "columns": [both("", ""), *names],
            "rows": [
                [said.get(key, key), *(written(subject.sizes.get(key, np.nan)) for subject in subjects)]
                for key in sizes
            ],
            "numeric": [False, *[True] * len(names)],
        }
    )
    text: list[Text] = [] if unlike else [both("All settings are the same.", "所有設定都相同。")]
    return {
        "id": "settings",
        "title": both("Settings, sizes and times", "設定、大小與時間"),
        "text": text,
        "figures": figures,
    }
