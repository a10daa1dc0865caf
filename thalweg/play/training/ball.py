"""The landscape under a training: a plane through the weights on which the ball rolls down.

A network of one or two weights has its whole landscape in a picture. Of others, the plane is the one in which the
training has moved and will move: a copy of the model trains ahead, and the two principal directions of the way so far
and the way to come span the plane. So the ball rolls in it, and not across it.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.errors import DivergedError
from thalweg.landscapes.planes import Plane, drawn, extents, random_direction
from thalweg.landscapes.terrain import Terrain
from thalweg.models.bursts import Bursts
from thalweg.models.sequential import Sequential
from thalweg.play.requests.refusal import RefusedError

Array = NDArray[Any]

AHEAD = 300
"""Epochs that the copy trains, and for how long at most:"""
SECONDS = 0.6
PATH = 64
"""Weights that are remembered of the way."""
LARGEST = 1e12
"""Length of the weights around which there is a landscape: a network with larger ones has diverged."""
REMEMBERED = 50_000
"""Weights of the largest network whose way is remembered."""


@dataclass(frozen=True)
class Valley:
    """A landscape, and where on it some weights lie."""

    figure: dict[str, Any]
    origin: Array
    onto: Array  # (2, weights): from weights to the plane

    def ball(self, vector: Array, loss: float) -> list[float]:
        """a, b and the loss."""
        a, b = (self.onto @ (vector.astype(np.float64) - self.origin)).tolist()
        return [a, b, loss]

    def holds(self, ball: list[float]) -> bool:
        """Whether the ball is in the picture."""
        figure = self.figure
        inside = figure["a"][0] <= ball[0] <= figure["a"][-1]
        return bool(inside and (len(figure["b"]) == 1 or figure["b"][0] <= ball[1] <= figure["b"][-1]))


def copied(model: Sequential) -> Sequential:
    """A model with the same weights and optimizer's state, which may train in another thread."""
    twin = copy.deepcopy(model)
    twin.optimizer.iterations = model.optimizer.iterations
    return twin


def valley(
    model: Sequential, x: Any, y: Any, walked: list[Array], batch: int, shuffle: bool, seconds: float = 1.0
) -> Valley:
    """The landscape around a copy of the model, with the weights that it has had so far."""
    terrain = Terrain(model, x, y)
    numbers = sum(buffer.size for buffer in terrain.trained)
    if numbers <= 2:
        return of_weights(model, terrain, walked, seconds)
    here = model.vector.copy()
    if not np.linalg.norm(here.astype(np.float64)) < LARGEST:
        raise RefusedError("the weights are too large for a landscape around them")
    way = [*walked, here, *ahead(model, x, y, batch, shuffle)]
    moving = len(way) >= 3 and len(here) <= REMEMBERED and not np.allclose(way[0], way[-1])
    if not moving:
        draw = np.random.default_rng(0)
        axes = [random_direction(terrain, draw) for _ in range(2)]
        plane = Plane(here, axes[0], axes[1], (-1, 1), (-1, 1))
    else:
        plane = plane_of(terrain, here, np.stack(way))
    figure = drawn(terrain, plane, [*walked, here], (), 25, seconds)
    return Valley(framed(figure), here.astype(np.float64), np.linalg.pinv(axes_of(plane)))


def axes_of(plane: Plane) -> Array:
    """(weights, 2)"""
    return np.stack([plane.first, plane.second], axis=1).astype(np.float64)


def plane_of(terrain: Terrain, here: Array, way: Array) -> Plane:
    """The plane through the weights in which the way has moved most."""
    away = way.astype(np.float64) - here
    _, spread, directions = np.linalg.svd(away, full_matrices=False)
    if spread[1] <= 1e-6 * spread[0]:  # a straight line: any direction across will do
        across = random_direction(terrain, np.random.default_rng(0)).astype(np.float64)
        across -= (across @ directions[0]) * directions[0]
        directions[1] = across / (np.linalg.norm(across) or 1.0)
    a, b = extents(away @ directions[:2].T)
    first, second = directions[:2].astype(here.dtype)
    return Plane(here, first, second, a, b)


def ahead(model: Sequential, x: Any, y: Any, batch: int, shuffle: bool) -> list[Array]:
    """The weights that the next epochs will bring."""
    bursts = Bursts(model, x, y, batch, shuffle=shuffle)
    way: list[Array] = []
    end = time.monotonic() + SECONDS
    for _ in range(PATH // 2):
        for _ in range(max(1, AHEAD // (PATH // 2))):
            try:
                bursts.run(bursts.steps_per_epoch)
            except DivergedError:
                return way
            if time.monotonic() > end:
                return [*way, model.vector.copy()]
        way.append(model.vector.copy())
    return way


def of_weights(model: Sequential, terrain: Terrain, walked: list[Array], seconds: float) -> Valley:
    """The whole landscape of one weight or two: the axes are the weights themselves."""
    places = [b.offset + n for b in terrain.trained for n in range(b.size)]
    names = [
        f"{p.key}{n + 1 if p.buffer.size > 1 else ''}".lower()  # as lessons and arithmetic call them
        for _, p in model.trained_parameters()
        for n in range(p.buffer.size)
    ]
    origin = np.zeros_like(terrain.solution)
    axes = np.zeros((2, origin.size), origin.dtype)
    for axis, place in zip(axes, places, strict=False):
        axis[place] = 1
    way = np.stack([*walked, terrain.solution])[:, places]
    half = np.maximum(4.0, 1.6 * np.abs(way).max(axis=0)).tolist()
    second = (-half[1], half[1]) if len(places) == 2 else (0.0, 0.0)
    plane = Plane(origin, axes[0], axes[1] if len(places) == 2 else axes[0] * 0, (-half[0], half[0]), second)
    figure = drawn(terrain, plane, [*walked, terrain.solution], (), 33, seconds)
    if len(places) == 1:
        figure |= {"b": np.zeros(1), "loss": figure["loss"][:, :1]}
        figure["path"] = np.stack([way[:, 0], np.zeros(len(way))], axis=1)
    figure["points"] = []
    labels = {"a_label": names[0], "b_label": names[1] if len(names) == 2 else ""}
    return Valley(framed(figure) | labels, origin.astype(np.float64), axes.astype(np.float64))


def framed(figure: dict[str, Any]) -> dict[str, Any]:
    """A figure of the kind "landscape"."""
    return figure | {
        "kind": "landscape",
        "title": words.text("Loss landscape"),
        "a_label": words.text("along the way"),
        "b_label": words.text("across"),
    }
