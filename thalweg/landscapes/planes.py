"""Planes through the space of the weights, and the loss on them.

Three planes: two random directions around a solution, each filter as long as the solution's own (Li et al.,
"Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018); the two directions in which descent has moved most
(principal components of its path, ibid.); and through several solutions, with the valleys that each has found (Garipov
et al., "Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs", NeurIPS 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import words
from thalweg.errors import ArgumentError
from thalweg.landscapes.terrain import Terrain
from thalweg.recordings.compiled_model import WholeModel

Array = NDArray[Any]
LEAST = 9
"""Points along a side of the coarsest grid."""
MARGIN = 0.25
"""How far a plane reaches beyond the points that have to be on it, as a share of their extent."""


@dataclass(frozen=True)
class Plane:
    """Weights origin + a·first + b·second.

    origin, first, second: vectors like `model.vector`. a, b: the least and greatest coordinates shown.
    """

    origin: Array
    first: Array
    second: Array
    a: tuple[float, float]
    b: tuple[float, float]

    def at(self, a: float, b: float) -> Array:
        """The weights at a point."""
        return self.origin + np.float32(a) * self.first + np.float32(b) * self.second

    def places(self, vectors: ArrayLike) -> Array:
        """The points nearest to these weights, (k, parameters) → (k, 2), by least squares."""
        axes = np.stack([self.first, self.second], axis=1).astype(np.float64)
        away = np.asarray(vectors, np.float64).reshape(-1, len(self.origin)) - self.origin
        return np.linalg.lstsq(axes, away.T, rcond=None)[0].T


def landscape(
    model: WholeModel,
    x: Any,
    y: Any,
    *,
    path: Any = None,
    others: Sequence[ArrayLike] = (),
    size: int = 25,
    seed: int = 0,
    seconds: float = 2.0,
) -> dict[str, Any]:
    """The loss around the model's weights, in two random directions: a `landscape` figure's data.

    A direction is normal random numbers, of which those of each unit or filter are scaled to the length of the unit's
    own weights: ‖dᵢ‖ = ‖wᵢ‖. So distances mean the same in all layers and networks. Biases and other vectors stay as
    they are.

    Args:
        model: a compiled and built model; it isn't changed.
        x, y: rows, as `evaluate` takes them; of more than 512, a random choice.
        path: (k, weights), weights on the way of descent (`recording.path`); others: weights of other solutions. Each
            is the arrays of `get_weights` one after the other, or like `model.vector`. Both are shown where they fall
            on the plane, which is seldom close by: see `pca_plane` and `valleys`.
        size: points along a side; fewer, down to 9, if they would take longer than `seconds`.
        seed: of the directions and of the chosen rows.

    Returns:
        a, b (m,), (n,): coordinates; loss (m, n), NaN where it isn't finite; path (k, 2), path_loss (k,) and points,
        the solution being the first, at (0, 0).

    >>> from thalweg import Input, Sequential, layers
    >>> model = Sequential([Input((1,)), layers.Dense(1, use_bias=False)], seed=0)
    >>> model.compile("sgd", "mse")
    >>> model.set_weights([[[2.0]]])
    >>> found = landscape(model, [[1.0]], [[2.0]], size=9)
    >>> found["loss"].shape, float(found["loss"].min())
    ((9, 9), 0.0)
    """
    terrain = Terrain(model, x, y, seed)
    draw = np.random.default_rng(seed)
    first, second = (random_direction(terrain, draw) for _ in range(2))
    return drawn(terrain, Plane(terrain.solution, first, second, (-1, 1), (-1, 1)), path, others, size, seconds)


def pca_plane(
    model: WholeModel,
    x: Any,
    y: Any,
    path: Any,
    *,
    others: Sequence[ArrayLike] = (),
    size: int = 25,
    seed: int = 0,
    seconds: float = 2.0,
) -> dict[str, Any]:
    """The loss on the plane in which descent has moved most: the path's two principal directions, around its end.

    The arguments are those of `landscape`. "explained" is each direction's share of the path's variance about its end.

    Raises:
        ArgumentError: the path has fewer than three points, or doesn't move.
    """
    terrain = Terrain(model, x, y, seed)
    walked = terrain.vectors(path).astype(np.float64)
    if len(walked) < 3:
        raise ArgumentError(f"a path is at least three weight vectors, got {len(walked)}")
    away = walked - terrain.solution
    _, spread, directions = np.linalg.svd(away, full_matrices=False)
    if not spread[0]:
        raise ArgumentError(words.Said("the path never moves: there is no direction to show"))
    if spread[1] <= 1e-6 * spread[0]:  # a straight line: any direction across will do
        across = random_direction(terrain, np.random.default_rng(seed)).astype(np.float64)
        directions[1] = across - (across @ directions[0]) * directions[0]
        directions[1] /= np.linalg.norm(directions[1]) or 1.0
    first, second = directions[:2].astype(terrain.solution.dtype)
    places = away @ directions[:2].T
    a, b = extents(places)
    found = drawn(terrain, Plane(terrain.solution, first, second, a, b), path, others, size, seconds)
    return found | {"explained": (spread[:2] ** 2 / (spread**2).sum()).tolist()}


def valleys(
    model: WholeModel, x: Any, y: Any, others: Sequence[ArrayLike], *, path: Any = None, size: int = 25, seed: int = 0,
    seconds: float = 2.0,
) -> dict[str, Any]:  # fmt: skip
    """The loss on the plane through the model's weights and two other solutions: local valleys, and what is between.

    The arguments are those of `landscape`; of `others`, the first two span the plane, so there have to be two.

    Raises:
        ArgumentError: there are fewer than two others, or the three lie on a line.
    """
    terrain = Terrain(model, x, y, seed)
    if len(others) < 2:
        raise ArgumentError(f"a plane needs the model and two other solutions, got {len(others)} others")
    one, two = (terrain.vectors(other)[0].astype(np.float64) - terrain.solution for other in others[:2])
    length = np.linalg.norm(one)
    first = one / (length or 1.0)
    second = two - (two @ first) * first
    across = np.linalg.norm(second)
    if not length or across <= 1e-6 * np.linalg.norm(two):
        raise ArgumentError(words.Said("the three solutions lie on a line: give others, such as those of other seeds"))
    second /= across
    kind = terrain.solution.dtype
    a, b = extents(np.array([[0.0, 0.0], [length, 0.0], [two @ first, across]]))
    plane = Plane(terrain.solution, first.astype(kind), second.astype(kind), a, b)
    return drawn(terrain, plane, path, others, size, seconds)


def random_direction(terrain: Terrain, draw: np.random.Generator) -> Array:
    """Normal random numbers, those of each unit scaled to the length of its weights; 0 for vectors such as biases."""
    direction = np.zeros_like(terrain.solution)
    for buffer in terrain.trained:
        if len(buffer.shape) < 2:
            continue
        own = terrain.solution[buffer.offset :][: buffer.size].reshape(-1, buffer.shape[-1])
        noise = draw.normal(size=own.shape)
        length = np.linalg.norm(noise, axis=0)
        scaled = noise * (np.linalg.norm(own, axis=0) / np.where(length, length, 1))
        direction[buffer.offset :][: buffer.size] = scaled.ravel()
    return direction


def extents(places: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """The least and greatest coordinates that show all places with a margin; no side far shorter than the other."""
    low, high = places.min(axis=0), places.max(axis=0)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    half = (high - low) / 2
    half = np.maximum(half, max(half.max() / 4, 1e-6)) * (1 + MARGIN)
    centre = (low + high) / 2
    (a, b), (a_end, b_end) = (centre - half).tolist(), (centre + half).tolist()
    return (a, a_end), (b, b_end)


def drawn(
    terrain: Terrain, plane: Plane, path: Any, others: Sequence[ArrayLike], size: int, seconds: float
) -> dict[str, Any]:
    """The loss on a grid, the path and the solutions."""
    side = affordable(terrain, size, seconds)
    a, b = (np.linspace(*limits, side) for limits in (plane.a, plane.b))
    loss = np.array([[terrain(plane.at(u, v)) for v in b] for u in a])
    found: dict[str, Any] = {"a": a, "b": b, "loss": loss, "path": None, "path_loss": None, "rows": terrain.rows}
    if path is not None:
        walked = terrain.vectors(path)
        found["path"] = plane.places(walked)
        found["path_loss"] = np.array([terrain(weights) for weights in walked])
    found["points"] = [point("solution", np.zeros(2), terrain(terrain.solution))]
    for number, other in enumerate(others, start=2):
        vector = terrain.vectors(other)[0]
        found["points"].append(point(f"solution {number}", plane.places(vector)[0], terrain(vector)))
    return found


def affordable(terrain: Terrain, size: int, seconds: float) -> int:
    """Points along a side, an odd number so that the solution is one of them around which the plane is centred."""
    if size < LEAST:
        raise ArgumentError(f"a landscape has at least {LEAST} points along a side, got size={size}")
    most = int((seconds / max(terrain.seconds(), 1e-9)) ** 0.5)
    side = max(LEAST, min(size, most))
    return side if side % 2 else side - 1 if side > LEAST else side + 1


def point(name: str, place: Array, loss: float) -> dict[str, Any]:
    """A named place on the plane."""
    return {"name": name, "a": float(place[0]), "b": float(place[1]), "loss": loss}
