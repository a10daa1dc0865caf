"""Lessons and presets: states of the page by name. They are data, which the page reads."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from thalweg.play.page_state import DATA, STATE, defaults
from thalweg.support.naming import choose
from thalweg.views import web
from thalweg.views.web import wording

WEB = Path(web.__file__).parent
"""The pages' files: all that the server gives away."""


def lessons() -> dict[str, dict[str, Any]]:
    """The lessons by their names."""
    return listed("lessons")


def presets() -> dict[str, dict[str, Any]]:
    """The presets by their names."""
    return listed("presets")


def listed(what: str) -> dict[str, dict[str, Any]]:
    """The scenes of a file, by their names."""
    return {scene["id"]: scene for scene in wording.scenes(what)}


def states_of(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """A scene's one or two states."""
    return list(scene["states"] if "states" in scene else [scene["state"]])


def initial(lesson: str | None, preset: str | None, table: bool) -> list[dict[str, Any]]:
    """The states to begin with.

    Raises:
        ArgumentError: no lesson or preset of this name; the message lists them.
    """
    if lesson is not None:
        return states_of(choose("lesson", lesson, lessons()))
    if preset is not None:
        return states_of(choose("preset", preset, presets()))
    state = defaults(STATE)
    return [state | {"data": {"name": "table", **defaults(DATA["table"])}} if table else state]


def documentation() -> str:
    """Where the documentation is published, by the package's metadata (`Documentation` of `project.urls`), or ""."""
    try:
        urls = importlib.metadata.metadata("thalweg").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:  # a copy that isn't installed
        urls = []
    found = dict(url.split(", ", 1) for url in urls).get("Documentation", "").rstrip("/")
    return f"{found}/" if found else ""
