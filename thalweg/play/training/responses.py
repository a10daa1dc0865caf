"""What a network answers all over the plane: maps of its units, the decision surface, or a curve over one input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.play.requests.bounds import UNITS_SHOWN
from thalweg.play.training.network import Network

Array = NDArray[Any]

SURFACE, MAP, CURVE = 48, 24, 121
"""Points along a side of the surface, of a unit's map, and along a line."""
POINTS = 2_000
"""The most rows that are drawn."""


class Responses:
    """The pictures of a network over its exercise's plane; the grids are made once."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.sight = sight = network.exercise.sight
        self.flat = sight is not None and len(sight.ranges) == 1
        if sight is not None:
            self.map_rows = sight.rows(sight.grid(MAP))
            self.surface_rows = sight.rows(sight.grid(CURVE if self.flat else SURFACE))

    def units(self, row: int) -> list[dict[str, Any]]:
        """Each hidden layer's units over the plane, or of an image what each filter makes of it: (units, h, w)."""
        if self.sight is None:
            return self.feature_maps(row)
        shape = (1, MAP) if self.flat else (MAP, MAP)
        outputs = self.network.outputs(self.map_rows)
        return [
            {"layer": place, "maps": small(output[:, :UNITS_SHOWN].T.reshape(-1, *shape))}
            for place, output in enumerate(outputs[:-1])
            if output.ndim == 2
        ]

    def feature_maps(self, row: int) -> list[dict[str, Any]]:
        """The outputs of all layers of images for a training row."""
        x = self.network.exercise.x
        if x.ndim != 4:
            return []
        row = min(max(row, 0), len(x) - 1)
        outputs = self.network.outputs(x[row : row + 1])
        return [
            {"layer": place, "maps": small(np.moveaxis(output[0], -1, 0)[:UNITS_SHOWN])}
            for place, output in enumerate(outputs)
            if output.ndim == 4
        ]

    def inputs(self) -> Array | None:
        """Each input over the plane: (inputs, h, w)."""
        if self.sight is None:
            return None
        shape = (1, MAP) if self.flat else (MAP, MAP)
        return small(self.map_rows[:, :UNITS_SHOWN].T.reshape(-1, *shape))

    def surface(self, data: bool) -> dict[str, Any] | None:
        """The outputs over the plane; with `data`, the rows too. None where there is no plane, or only a line."""
        sight, exercise = self.sight, self.network.exercise
        if sight is None or self.flat:
            return None
        values = self.network.model.predict(self.surface_rows, verbose=0).reshape(SURFACE, SURFACE, -1)
        found: dict[str, Any] = {
            "x0": list(sight.ranges[0]),
            "x1": list(sight.ranges[1]),
            "names": sight.names,
            "values": values[..., 0] if values.shape[-1] == 1 else values,
            "regression": exercise.classes is None,
        }
        if data:
            for prefix, points, y in (("", sight.points, exercise.y), ("held_", sight.held_points, exercise.held_y)):
                found[f"{prefix}points"] = points[:POINTS].astype(np.float32)
                found[f"{prefix}labels"] = labels(y[:POINTS], exercise.classes is None)
        return found

    def line(self, data: bool) -> dict[str, Any] | None:
        """The outputs over one input."""
        sight, exercise = self.sight, self.network.exercise
        if sight is None or not self.flat:
            return None
        found: dict[str, Any] = {
            "x": sight.grid(CURVE)[:, 0].astype(np.float32),
            "y_pred": self.network.model.predict(self.surface_rows, verbose=0).reshape(CURVE, -1),
        }
        if data:
            outputs = exercise.y.size // len(exercise.y)
            found |= {
                "points": sight.points[:POINTS, 0].astype(np.float32),
                "targets": exercise.y[:POINTS].reshape(-1, outputs).astype(np.float32),
                "held_points": sight.held_points[:POINTS, 0].astype(np.float32),
                "held_targets": exercise.held_y[:POINTS].reshape(-1, outputs).astype(np.float32),
            }
        return found

    def sample(self, row: int) -> dict[str, Any] | None:
        """An image, what it should give and what it gives."""
        exercise = self.network.exercise
        if exercise.x.ndim != 4:
            return None
        row = min(max(row, 0), len(exercise.x) - 1)
        y_pred = self.network.model.predict(exercise.x[row : row + 1], verbose=0)[0]
        y: Any = exercise.y[row]
        return {
            "x": exercise.x[row, :, :, 0],
            "y": int(y) if exercise.classes is not None else squeezed(y),
            "y_pred": squeezed(y_pred),
        }

    def drawing(self, image: Array) -> dict[str, Any]:
        """What the network takes a drawing for."""
        exercise = self.network.exercise
        small_image = shrunk(image)
        y_pred = self.network.model.predict(small_image[None, :, :, None], verbose=0).reshape(-1)
        shares = np.array([1 - y_pred[0], y_pred[0]]) if len(y_pred) == 1 else y_pred
        return {"image": small_image, "probabilities": shares, "classes": exercise.classes}


def small(maps: Array) -> Array:
    """Maps as float16, whose greatest number is 65,504."""
    clipped: Array = np.clip(np.nan_to_num(maps, nan=0.0), -6e4, 6e4).astype(np.float16)
    return clipped


def labels(y: Array, regression: bool) -> Array:
    """Of numbers, those of the first output."""
    return by_row(y)[:, 0] if regression else y.astype(np.int32)


def by_row(y: Array) -> Array:
    """Targets as float32 (rows, outputs), also of no rows."""
    return y.reshape(len(y), int(np.prod(y.shape[1:]))).astype(np.float32)


def squeezed(y: Array) -> Array:
    """A map (h, w, 1) as (h, w)."""
    return y[..., 0] if y.ndim == 3 else y


def shrunk(image: Array) -> Array:
    """A drawing of 8×8, or of any larger square, as the data's 8×8: cut to the drawn part, centred, averaged.

    The digits of the data fill their height; a drawing in a corner would be unlike all of them.
    """
    if image.shape == (8, 8):
        return image.astype(np.float32)
    drawn = np.argwhere(image > 0.1)
    if len(drawn):
        (top, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0) + 1
        side = max(bottom - top, right - left)
        square = np.zeros((side, side))
        y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
        square[y : y + bottom - top, x : x + right - left] = image[top:bottom, left:right]
        image = square
    fine = np.kron(image, np.ones((8, 8)))  # divides into 8×8 blocks
    size = len(image)
    blocks = fine.reshape(8, size, 8, size).mean(axis=(1, 3))
    bright: Array = np.clip(blocks / max(float(blocks.max()), 1e-6), 0, 1).astype(np.float32)
    return bright
