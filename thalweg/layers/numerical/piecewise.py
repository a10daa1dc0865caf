"""Codes of numbers by the bins of their column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

import numpy as np

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.layer import Array, Layer, Shape
from thalweg.ops.variable import to_numbers
from thalweg.program.builder import Builder
from thalweg.program.instructions.numerical.piecewise import BinIndicators, PiecewiseLinear
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments

FEWEST = 3  # edges: a single bin would only be the column again


def checked_column(column: Sequence[float], number: int) -> Array:
    """The edges of a column in float32, in which the network computes; none if there are fewer than three."""
    edges = to_numbers(column, f"PiecewiseLinearEncoding's edges of column {number}").astype(np.float32)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = 1 / np.diff(edges)
    if not np.isfinite(edges).all() or not ((slopes > 0) & np.isfinite(slopes)).all():
        raise ArgumentError(
            f"PiecewiseLinearEncoding's edges of column {number} have to be finite and to increase, got "
            f"{np.array2string(edges, threshold=8)}; np.unique sorts them and drops equal ones"
        )
    return edges if len(edges) >= FEWEST else edges[:0]


def checked_edges(what: str, edges: Sequence[Sequence[float]]) -> list[Array]:
    """The edges of each column, at least three of one."""
    if not all(np.ndim(column) == 1 for column in edges):
        raise ArgumentError(f"{what} are a list of numbers for each column")
    checked = [checked_column(column, number) for number, column in enumerate(edges)]
    if not any(map(len, checked)):
        raise ArgumentError(
            f"PiecewiseLinearEncoding: none of {len(checked)} columns has {FEWEST} edges: leave the layer out"
        )
    return checked


@arguments
class PiecewiseLinearEncoding(Layer):
    """a[j] = clip((x − eⱼ)/(eⱼ₊₁ − eⱼ), 0, 1) for each bin eⱼ … eⱼ₊₁ of each column      (rows, columns) → (rows, bins)

    So a number becomes as many numbers as its column has bins: 1 for each bin below it, 0 for each above it, and in its
    own bin how far it is on the way. Gorishniy, Rubachev and Babenko, NeurIPS 2022; but the first and the last bin
    end too: beyond the outer edges nothing changes. There are no weights. `tree_edges` and `quantile_edges` find edges.

    Args:
        edges: for each column a list of increasing numbers, one more than it has bins. With fewer than three, an
            empty list for one, the column has no codes.
        steps: codes that say only in which bin a number is, 1 for that one and 0 for the others; a bin includes its
            lower edge, and the outer ones everything beyond. For columns with many equal values, such as 0.

    Raises:
        ArgumentError: if edges aren't finite and increasing in float32, or no column has three.
        ShapeError: if there isn't a list for each column.

    >>> from thalweg import Input, Sequential
    >>> edges = [[0, 1, 3], [], [-1, 0, 1]]
    >>> Sequential([Input((3,)), PiecewiseLinearEncoding(edges)]).predict([[2.0, 5.0, -0.25]])
    array([[1.  , 0.5 , 0.75, 0.  ]], dtype=float32)
    >>> Sequential([Input((3,)), PiecewiseLinearEncoding(edges, steps=True)]).predict([[2.0, 5.0, -0.25]])
    array([[0., 1., 1., 0.]], dtype=float32)
    """

    edges: Annotated[
        Taken[Sequence[Sequence[float]], list[Array]],
        Checked(checked_edges, lambda edges: [column.tolist() for column in edges]),
    ]
    steps: bool = False
    name: str | None = None

    @property
    def bins(self) -> list[int]:
        """The number of codes of each column."""
        return [max(0, len(column) - 1) for column in self.edges]

    def build(self, input_shape: Shape) -> None:
        if input_shape != (len(self.edges),):
            raise ShapeError(
                f"PiecewiseLinearEncoding has edges for {len(self.edges)} columns, so its input has the shape "
                f"('rows', {len(self.edges)}), got {('rows', *input_shape)}"
            )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        places = program.constant([0, *accumulate(self.bins)])
        used = [column.astype(np.float64) for column in self.edges if len(column)]
        z = program.value("z", (sum(self.bins),))
        if self.steps:  # the outer bins go on
            lows = program.constant(np.concatenate([[-np.inf, *e[1:-1]] for e in used]))
            ends = program.constant(np.concatenate([[*e[1:-1], np.inf] for e in used]))
            return program.append(BinIndicators(x, places, lows, ends, z))
        lows = program.constant(np.concatenate([e[:-1] for e in used]))
        slopes = program.constant(np.concatenate([1 / np.diff(e) for e in used]))
        return program.append(PiecewiseLinear(x, places, lows, slopes, z))
