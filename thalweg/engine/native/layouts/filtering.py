"""The transforms of Winograd's minimal filtering; passes/winograd.py explains their use."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 6  # of a square tile of the image
POINTS = (0, 11 / 16, -11 / 16, 3 / 2, -3 / 2)  # and infinity
TAPS = (3, 5)  # kernel sizes


class Matrices(NamedTuple):
    """The transforms of images (6, 6), kernels (6, taps) and, transposed, outputs (6, 7 − taps)."""

    BT: NDArray[Any]
    G: NDArray[Any]
    A: NDArray[Any]


@cache
def matrices(taps: int) -> Matrices:
    """The transforms of F(7 − taps, taps): powers of the points, Lagrange polynomials, and the terms for infinity."""
    points = np.array(POINTS)
    BT, G, A = np.zeros((SIDE, SIDE)), np.zeros((SIDE, taps)), np.zeros((SIDE, SIDE + 1 - taps))
    for row, point in enumerate(points):
        others = np.delete(points, row)
        BT[row, :-1] = np.poly(others)[::-1]
        G[row] = point ** np.arange(taps) / np.prod(point - others)
        A[row] = point ** np.arange(SIDE + 1 - taps)
    BT[-1], G[-1, -1], A[-1, -1] = np.poly(points)[::-1], 1, 1
    return Matrices(BT, G, A)
