"""The loss around the solution: a random plane, the plane of the path, and the valleys of other solutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg import words
from thalweg.errors import ThalwegError
from thalweg.landscapes import planes, terrain
from thalweg.views.report.subject import Array, Clock, Figure, Network, Subject, Text, thinned

LEAST, MOST = 0.3, 2.0
"""Seconds for a plane."""
MOST_PATH = 150
SPAN = 50.0
"""A landscape whose largest loss is so many times its least is shown by its logarithm."""
SEEDS = 2
GRID = planes.LEAST**2
"""Losses of the coarsest plane."""
LARGEST = 1e12
"""Weights beyond it are those of a training that failed: squares of their lengths would overflow."""


def loss_planes(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None without a network, or without rows to compute its loss on."""
    network, x, y = subject.network, subject.x, subject.y
    if network is None or x is None or y is None or not network.model.compiled or not len(x):
        return None
    what = words.text("loss landscapes")
    if not clock.has(LEAST, what):
        return None
    if not float(np.abs(network.model.vector).max(initial=0.0)) < LARGEST:  # nor NaN
        return None
    if not clock.has(GRID * terrain.Terrain(network.model, x, y).seconds(), what):
        return None
    path = path_of(subject, network)
    seconds = min(MOST, clock.left / 4)
    figures = [around(planes.landscape(network.model, x, y, seconds=seconds))]
    if path is not None and clock.has(LEAST, what):
        figures.insert(0, descent(planes.pca_plane(network.model, x, y, path, seconds=seconds)))
    try:
        figures += local_valleys(network, x, y, clock, seconds)
    except ThalwegError as error:  # such as a network that can't be made again, or solutions that are equal
        subject.missing.append(words.text("Local valleys: {error}", error=error))
    figures = [figure for figure in figures if np.isfinite(figure["loss"]).any()]
    if not figures:
        return None
    return {
        "id": "landscape",
        "text": [
            words.text(
                "The loss as a function of the weights, on planes through the space of all weights. "
                "Distances are those of the weights; the mean is over at most 512 rows."
            )
        ],
        "figures": figures,
    }


def local_valleys(network: Network, x: Any, y: Any, clock: Clock, seconds: float) -> list[Figure]:
    """The plane through this solution and two others, if there are so many and there is time."""
    others = solutions(network, x, y, clock)
    if len(others) < 2 or not clock.has(LEAST, words.text("local valleys")):
        return []
    two = dict(list(others.items())[:2])  # others wouldn't lie on the plane through these
    found = planes.valleys(network.model, x, y, list(two.values()), seconds=min(seconds, clock.left))
    return [between(found, list(two))]


def path_of(subject: Subject, network: Network) -> Array | None:
    """The weights on the way of descent, if they are this network's: at most `MOST_PATH` points."""
    recording = subject.recording
    if recording is None or recording.path is None or len(recording.path) < 3:
        return None
    shapes = [list(array.shape) for array in network.model.get_weights()]
    if [list(shape) for _, shape in recording.facts.get("weights") or []] != shapes:
        return None
    path: Array = recording.path[thinned(len(recording.path), MOST_PATH)]
    return path if np.ptp(path, axis=0).any() else None


def solutions(network: Network, x: Any, y: Any, clock: Clock) -> dict[str, Array]:
    """Weights of other solutions: those that there are, or of quick trainings from other initial weights."""
    if len(network.others) >= 2 or network.again is None:
        return network.others
    found = dict(network.others)
    for seed in range(1, SEEDS + 1):
        if not clock.has(2 * network.seconds + LEAST, words.text("solutions of other seeds")):
            break
        found[f"seed {seed}"] = network.again(seed, x, y)
    return found


def figure_of(found: dict[str, Any], title: Text, note: Text, labels: tuple[Text, ...]) -> Figure:
    """A figure of a plane's data."""
    loss = np.asarray(found["loss"], np.float64)
    known = loss[np.isfinite(loss)]
    wide = len(known) > 0 and known.min() > 0 and known.max() > SPAN * known.min()
    keys = ("a", "b", "loss", "path", "path_loss", "points")
    data = {key: found[key] for key in keys if found.get(key) is not None}
    names = {"a_label": labels[0], "b_label": labels[1], "log": bool(wide)}
    return {"kind": "landscape", "title": title, "note": note, **data, **names}


def named(found: dict[str, Any], name: Callable[[int], Text]) -> dict[str, Any]:
    """The data with names for the points."""
    points = [point | {"name": name(k)} for k, point in enumerate(found["points"])]
    return found | {"points": points}


def around(found: dict[str, Any]) -> Figure:
    """The random plane: how steep the valley is around the solution."""
    return figure_of(
        named(found, lambda _: words.text("solution")),
        words.text("Around the solution"),
        words.text(
            "Two random directions, each unit's as long as the unit's own weights (Li et al. 2018): at 1, "
            "the weights are changed by as much as they are long. Flat means that the solution doesn't "
            "depend on exact weights."
        ),
        (words.text("random direction 1"), words.text("random direction 2")),
    )


def descent(found: dict[str, Any]) -> Figure:
    """The plane in which descent has moved most."""
    first, second = (f"{share:.0%}" for share in found.get("explained", (np.nan, np.nan)))
    return figure_of(
        named(found, lambda _: words.text("solution")),
        words.text("The path of descent"),
        words.text(
            "The two directions in which the weights have moved most: {first} and {second} of the path's "
            "variance. The path lies near this plane, not in it, so its losses differ from the ground's. "
            "It ends with the last step; the network may have kept the weights of an earlier epoch, its "
            "best.",
            first=first,
            second=second,
        ),
        (words.text("first principal direction"), words.text("second principal direction")),
    )


def between(found: dict[str, Any], names: list[str]) -> Figure:
    """The plane through this solution and two others."""
    labels = [words.text("this network")]
    for name in names:
        kind, _, number = name.partition(" ")
        known = kind in ("network", "seed")
        text = words.text("network {number}" if kind == "network" else "seed {number}", number=number)
        labels.append(text if known else words.listed([name]))
    return figure_of(
        named(found, lambda k: labels[k]),
        words.text("Local valleys"),
        words.text(
            "The plane through this network and two others, trained from other initial weights: where a "
            "ridge lies between them, each has found a valley of its own."
        ),
        tuple(words.text("towards {name}", name=name) for name in labels[1:3]),
    )
