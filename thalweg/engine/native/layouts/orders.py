"""Orders of values in a block other than row by row."""

from __future__ import annotations

from thalweg.program.ir.instruction import Buffer


class ByColumns(Buffer):
    """A per-row value of which a block holds the first element of all its rows, then the second, …; an image by
    channels."""

    __slots__ = ()


class BySteps(Buffer):
    """A sequence, per row, of which a block holds the first step of all its rows, then the second, …"""

    __slots__ = ()


def in_columns(b: Buffer | None) -> int:
    """1 if a value is stored by columns, otherwise 0, as kernels take it."""
    return int(isinstance(b, ByColumns))
