"""A report as a document: its sections in order, within a time and a size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg import words
from thalweg.errors import ThalwegError
from thalweg.support.files import to_json
from thalweg.support.progress import stage
from thalweg.views.report.class_judgement import class_judgement
from thalweg.views.report.findings import findings
from thalweg.views.report.influence import influence
from thalweg.views.report.layer_statistics import layer_statistics
from thalweg.views.report.loss_planes import loss_planes
from thalweg.views.report.network_drawing import network_drawing
from thalweg.views.report.number_judgement import number_judgement
from thalweg.views.report.overview import overview
from thalweg.views.report.picture_insides import picture_insides
from thalweg.views.report.reproduction import reproduction
from thalweg.views.report.sequence_insides import sequence_insides
from thalweg.views.report.subject import Array, Clock, Figure, Subject, Text
from thalweg.views.report.timing import timing
from thalweg.views.report.training_curves import training_curves
from thalweg.views.report.worst_rows import worst_rows

Section = dict[str, Any]

SECONDS = 10.0
"""For the parts that have to compute."""
MOST_BYTES = 3_500_000
"""Of all figures' data before they are packed: in base64 and with the code, the file stays below 6 MB."""
MOST_OF_A_FIGURE = 400_000
"""Bytes of a figure's pictures; larger ones lose rows and columns of pixels."""
LEAST_SIDE = 8
TITLES = {
    "overview": words.text("Overview"),
    "findings": words.text("The doctor"),
    "course": words.text("The course of the training"),
    "judgement": words.text("How good the predictions are"),
    "mistakes": words.text("The worst mistakes"),
    "influence": words.text("What the predictions depend on"),
    "network": words.text("The network"),
    "convolutions": words.text("What the network looks at"),
    "sequences": words.text("What the network remembers, and where it looks"),
    "layers": words.text("Inside the layers"),
    "landscape": words.text("The loss landscape"),
    "program": words.text("One training step, instruction by instruction"),
    "reproduction": words.text("How to reproduce it"),
}
"""Of the sections, in their order."""
INSIDE = ("findings", "network", "convolutions", "sequences", "layers", "landscape", "program")
"""The sections that look into one network."""


def report_document(subject: Subject, language: str | None = None, seconds: float = SECONDS) -> dict[str, Any]:
    """The document that a page shows.

    Args:
        subject: the training.
        language: in which the page opens, "en" or "zh"; by default the browser's. It has both.
        seconds: for the parts that have to compute: importance, landscapes, times; what there is no time for is left
            out, which the report says.
    """
    clock = Clock(seconds)
    sections, failed = collected(subject, clock)
    sections, dropped = within(sections)
    lacks = lacking([*subject.missing, *failed, *dropped], clock)
    sections += [lacks] if lacks is not None else []
    return {"title": words.text("{name}: report", name=subject.name), "language": language, "sections": sections}


def collected(subject: Subject, clock: Clock) -> tuple[list[Section], list[Text]]:
    """The sections that there are, in order, and what couldn't be made.

    What needs time comes in the order of its worth: first what is wrong, then what the predictions depend on.
    """
    made: dict[str, Section | None] = {}
    failed: list[Text] = []

    def make(name: str, section: Callable[[], Section | None]) -> None:
        try:
            with stage(f"the report: {TITLES[name]['en'].lower()}"):
                made[name] = found = section()
            if found is not None and name in INSIDE and subject.inside is not None:
                found["text"] = [subject.inside, *found.get("text", [])]
        except ThalwegError as error:  # such as a network of a kind that can't be shown so
            made[name] = None
            title = TITLES[name]
            failed.append(words.text("{title}: {error}", title=title, error=words.Said.of(error)))

    make("overview", lambda: overview(subject))
    make("course", lambda: training_curves(subject))
    make("judgement", lambda: class_judgement(subject) or number_judgement(subject))
    make("findings", lambda: findings(subject, clock.part(0.5)))
    make("influence", lambda: influence(subject, clock.part(0.4)))
    make("mistakes", lambda: worst_rows(subject, important(made["influence"])))
    make("network", lambda: network_drawing(subject))
    make("convolutions", lambda: picture_insides(subject, clock))
    make("sequences", lambda: sequence_insides(subject, clock))
    make("layers", lambda: layer_statistics(subject))
    make("program", lambda: timing(subject, clock))
    make("landscape", lambda: loss_planes(subject, clock.part(0.6)))
    make("reproduction", lambda: reproduction(subject))
    there = [(title, section) for name, title in TITLES.items() if (section := made[name]) is not None]
    return [{"title": title} | section for title, section in there], failed


def important(section: Section | None) -> list[str]:
    """The columns in the order of their importance."""
    return [] if section is None else list(section["figures"][0]["labels"])


def lacking(missing: list[Text], clock: Clock) -> Section | None:
    """What the report lacks, and why."""
    late = clock.left_out
    if late:
        names = list({str(text): text for text in late}.values())
        missing = [
            *missing,
            words.text(
                "There was no time for: {names}. With more seconds (thalweg report --seconds 60) it is there.",
                names=words.listed(names),
            ),
        ]
    if not missing:
        return None
    return {"id": "missing", "title": words.text("What this report lacks"), "text": missing, "figures": []}


# --- size ------------------------------------------------------------------------------------------------------------


def within(sections: list[Section], most: int = MOST_BYTES) -> tuple[list[Section], list[Text]]:
    """The sections with pictures made smaller; if that isn't enough, without the largest figures, which are named."""
    sections = [
        section | {"figures": [smaller(f) if f["kind"] == "images" else f for f in section.get("figures", [])]}
        for section in sections
    ]
    sizes = [(size_of(f), s, k) for s, section in enumerate(sections) for k, f in enumerate(section["figures"])]
    total, dropped = sum(size for size, _, _ in sizes), set()
    for size, s, k in sorted(sizes, reverse=True):
        if total <= most:
            break
        dropped.add((s, k))
        total -= size
    said: list[Text] = []
    for s, section in enumerate(sections):
        gone = [f for k, f in enumerate(section["figures"]) if (s, k) in dropped]
        section["figures"] = [f for k, f in enumerate(section["figures"]) if (s, k) not in dropped]
        said += [too_large(figure["title"]) for figure in gone]
    return [section for section in sections if section["figures"] or section.get("text")], said


def too_large(title: Text) -> Text:
    """What is said of a figure that was left out for its size."""
    return words.text("{title}: too large for this file.", title=title)


def size_of(value: Any) -> int:
    """About how many bytes a value takes in a page: four for a number of an array, one for a byte or a letter."""
    if isinstance(value, np.ndarray):
        return int(value.size * (1 if value.dtype.itemsize == 1 else 4))
    if isinstance(value, dict):
        return sum(len(key) + size_of(v) + 6 for key, v in value.items())
    if isinstance(value, list | tuple):
        return sum(size_of(v) + 1 for v in value)
    return len(to_json(value).encode()) if isinstance(value, str) else 8


def smaller(figure: Figure) -> Figure:
    """A figure of pictures that isn't too large: by fewer pixels, and then by fewer pictures."""
    images: Array = figure["images"]
    overlay = figure.get("overlay")
    step = 1
    size = size_of(images) + size_of(overlay)
    while size / step**2 > MOST_OF_A_FIGURE and min(images.shape[1:3]) // (step + 1) >= LEAST_SIDE:
        step += 1
    count = max(1, min(len(images), int(len(images) * MOST_OF_A_FIGURE * step**2 / max(size, 1))))
    if step == 1 and count == len(images):
        return figure
    changed = {"images": np.ascontiguousarray(images[:count, ::step, ::step])}
    if overlay is not None:
        changed["overlay"] = np.ascontiguousarray(np.asarray(overlay)[:count, ::step, ::step])
    if "captions" in figure:
        changed["captions"] = figure["captions"][:count]
    return figure | changed | {"scale": figure.get("scale", 1) * step}
