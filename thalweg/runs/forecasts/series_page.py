"""The report of a run on series: scores beside simple methods, pictures of forecasts, the course of the training."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import words
from thalweg.runs.forecasts.series_run import SeriesRun, load
from thalweg.runs.run import Array
from thalweg.views.chart import Chart, Curve, by_epoch, by_name
from thalweg.views.web.page import write_page

Section = dict[str, Any]


def write_series(folder: Path, path: Path, language: str | None = None) -> None:
    """Writes the report of a run folder."""
    write_page(path, series_document(load(folder), folder.resolve().name, language))


def series_document(run: SeriesRun, name: str, language: str | None = None) -> dict[str, Any]:
    """The document that a page shows."""
    sections = [scores_section(run), pictures_section(run), course_section(run), command_section(run)]
    title = words.text("{name}: report", name=name)
    return {"title": title, "language": language, "sections": [s for s in sections if s["figures"]]}


def scores_section(run: SeriesRun) -> Section:
    """The scores on the steps held out, beside those of simple methods."""
    facts = run.facts
    said = {
        "as last season": words.text("as last season"),
        "linear model": words.text("linear model"),
        "smoothing": words.text("smoothing"),
    }
    others = facts["others"]
    names = [said.get(name, name) for name in others]
    rows = [
        [score, shown(value), *(shown(beside.get(score)) for beside in others.values())]
        for score, value in facts["held-out"].items()
    ]
    table = {
        "kind": "table",
        "title": words.text("Scores on the last steps of each series, held out"),
        "note": words.text("MASE 1: as good as the last season was in the past. Coverage: of the interval."),
        "columns": [words.text("score"), words.text("forecast"), *names],
        "rows": rows,
        "numeric": [False, *[True] * (1 + len(names))],
    }
    return {"id": "overview", "title": words.text("Overview"), "text": [facts["series"]], "figures": [table]}


def pictures_section(run: SeriesRun) -> Section:
    """Forecasts of some series, with what came."""
    held, target = run.held, run.forecaster.roles_.target
    middle = run.forecaster.continuation_.quantiles.index(0.5)
    figures = [picture(target, held, place, middle).figure() for place in range(len(held.get("past", ())))]
    text = words.text("From the series that was forecast best to the one that was forecast worst.")
    return {
        "id": "judgement",
        "title": words.text("Forecasts of the steps held out"),
        "text": [text] if len(figures) > 1 else [],
        "figures": figures,
    }


def picture(target: str, held: dict[str, Array], place: int, middle: int) -> Chart:
    """The past of a series, its forecast with the interval, and what came."""
    past, truth, found = held["past"][place], held["truth"][place], held["forecasts"][place]
    before, after = np.arange(1.0 - len(past), 1.0), np.arange(1.0, len(truth) + 1)
    there = np.cumsum(~np.isnan(past)) > 0
    key = str(held["keys"][place])
    curves = [
        Curve(words.text("forecast, with its interval"), after, found[:, middle], band=[found[:, 0], found[:, -1]]),
        Curve(words.text("what came"), after, truth),
        Curve(words.text("before"), before[there], past[there], faint=True),
    ]
    title = target if key == "None" else f"{target}, {key}"
    return Chart(title, curves, words.text("steps after the end of what was known"))


def course_section(run: SeriesRun) -> Section:
    """Loss and error by epoch."""
    said = {"loss": words.text("training"), "held_out": words.text("held out")}
    charts = by_epoch({"": by_name(run.history)}, lambda key, _: said.get(key, key))
    return {
        "id": "course",
        "title": words.text("The course of the training"),
        "text": [words.text("Of the network that shows, on the latest windows, how long to train.")],
        "figures": [chart.figure() for chart in charts],
    }


def command_section(run: SeriesRun) -> Section:
    """How to make the same again."""
    command = list(run.facts["command"])
    command += [] if "--seed" in command else ["--seed", str(run.facts["seed"])]
    versions = "".join(f"{package} {version}\n" for package, version in run.facts["versions"].items())
    figures = [
        {"kind": "code", "title": words.text("The command"), "language": "shell", "text": shlex.join(command) + "\n"},
        {"kind": "code", "title": words.text("Versions"), "language": "text", "text": versions},
    ]
    return {"id": "reproduction", "title": words.text("How to reproduce it"), "text": [], "figures": figures}


def shown(value: Any) -> str:
    """A score for people."""
    return "" if value is None else f"{value:.4g}"
