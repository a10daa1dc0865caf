"""Sequences by steps: a block holds the first step of all its rows, then the second, …"""

from __future__ import annotations

from thalweg.program.ir.instruction import Buffer


class BySteps(Buffer):
    """A sequence, per row, that is stored by steps."""

    __slots__ = ()
