"""Several trainings side by side: scores with intervals, curves together, settings that differ, sizes and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.chart import HELD, Chart, Curve, wide
from thalweg.views.report.overview import ERRORS, interval, known
from thalweg.views.report.subject import Figure, Score, Subject, Text, score_name, setting_name, written
from thalweg.views.report.training_curves import columns, split, titled

MOST_SCORES = 4
"""Scores that are drawn as bars; the table has all."""


def comparison_document(
    subjects: Sequence[Subject], names: Sequence[str], language: str | None = None
) -> dict[str, Any]:
    """The document that compares trainings; `names` tell them apart."""
    sections = [scores_section(subjects, names), curves_section(subjects, names), settings_section(subjects, names)]
    return {
        "title": words.text("{count} runs compared", count=len(subjects)),
        "language": language,
        "sections": [section for section in sections if section["figures"]],
    }


def scores_section(subjects: Sequence[Subject], names: Sequence[str]) -> dict[str, Any]:
    """Scores of each, with their intervals."""
    kinds = list(dict.fromkeys(score.name for subject in subjects for score in subject.scores))
    by_name = [{score.name: score for score in subject.scores} for subject in subjects]
    rows = [[score_name(kind), *(scored(found.get(kind)) for found in by_name)] for kind in kinds]
    figures: list[Figure] = [
        {
            "kind": "table",
            "title": words.text("Scores on rows held out"),
            "note": words.text("With their 95 % intervals."),
            "columns": [words.text("score"), *names],
            "rows": rows,
            "numeric": [False, *[True] * len(names)],
        }
    ]
    for kind in kinds[:MOST_SCORES]:
        each = [scores.get(kind) for scores in by_name]
        figures.append(
            {
                "kind": "bars",
                "title": score_name(kind),
                "note": words.text("smaller is better") if kind in ERRORS else words.text("larger is better"),
                "labels": list(names),
                "values": np.array([np.nan if s is None else s.value for s in each]),
                "low": np.array([np.nan if s is None else s.low for s in each]),
                "high": np.array([np.nan if s is None else s.high for s in each]),
                "value_label": score_name(kind),
            }
        )
    return {"id": "scores", "title": words.text("Scores"), "text": [same_rows(subjects)], "figures": figures}


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
        return words.text(
            "All were judged by the same rows, so their differences are surer than the 95 % intervals "
            "suggest, which are those of each alone."
        )
    return words.text(
        "They were not judged by the same rows (give the same --seed and --test-share for that): "
        "differences within the 95 % intervals say nothing."
    )


def curves_section(subjects: Sequence[Subject], names: Sequence[str]) -> dict[str, Any]:
    """The curves of all, a figure for each thing that was recorded."""
    trainings = [columns(next(iter(split(subject.history).values()), [])) for subject in subjects]
    metric = next((subject.metric for subject in subjects if subject.metric), "")
    figures: list[Figure] = []
    for key in dict.fromkeys(key for training in trainings for key in training):
        curves = [Curve(name, *t[key]) for name, t in zip(names, trainings, strict=True) if key in t]
        title = titled(key.removeprefix(HELD), metric)
        if key.startswith(HELD):
            title = words.text("validation {metric}", metric=title)
        figures.append(Chart(title, curves, words.text("epoch"), log_y=wide(curves)).figure())
    several = any(len(split(subject.history)) > 1 for subject in subjects)
    text: list[Text] = [words.text("Of the first network of each.")] if several else []
    return {"id": "course", "title": words.text("The course of the trainings"), "text": text, "figures": figures}


def settings_section(subjects: Sequence[Subject], names: Sequence[str]) -> dict[str, Any]:
    """Settings that differ, sizes and times."""
    keys = list(dict.fromkeys(key for subject in subjects for key in subject.settings))
    unlike = [key for key in keys if len({subject.settings.get(key, "") for subject in subjects}) > 1]
    figures: list[Figure] = []
    if unlike:
        figures.append(
            {
                "kind": "table",
                "title": words.text("Settings that differ"),
                "note": words.text("The other {count} are the same.", count=len(keys) - len(unlike)),
                "columns": [words.text("setting"), *names],
                "rows": [
                    [setting_name(key), *(subject.settings.get(key, "") for subject in subjects)] for key in unlike
                ],
                "numeric": [False] * (1 + len(names)),
                "mono": True,
            }
        )
    sizes = list(dict.fromkeys(key for subject in subjects for key in subject.sizes))
    said = {
        "weights": words.text("weights"),
        "seconds": words.text("seconds of training"),
        "epochs": words.text("epochs, of all networks together"),
        "rows": words.text("rows to learn from"),
    }
    figures.append(
        {
            "kind": "table",
            "title": words.text("Sizes and times"),
            "columns": ["", *names],
            "rows": [
                [said.get(key, key), *(written(subject.sizes.get(key, np.nan)) for subject in subjects)]
                for key in sizes
            ],
            "numeric": [False, *[True] * len(names)],
        }
    )
    text: list[Text] = [] if unlike else [words.text("All settings are the same.")]
    return {"id": "settings", "title": words.text("Settings, sizes and times"), "text": text, "figures": figures}
