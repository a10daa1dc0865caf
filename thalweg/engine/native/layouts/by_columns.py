"""Values by columns: a block holds the first element of all its rows, then the second, …; images by channels."""

from __future__ import annotations

from thalweg.program.ir.instruction import Buffer


class ByColumns(Buffer):
    """A per-row value that is stored by columns."""

    __slots__ = ()


def in_columns(b: Buffer | None) -> int:
    """1 if a value is stored by columns, otherwise 0, as kernels take it."""
    return int(isinstance(b, ByColumns))
