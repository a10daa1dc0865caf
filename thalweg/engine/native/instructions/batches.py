"""The batch gathered by columns."""

from __future__ import annotations

from thalweg.engine.native.layouts.orders import in_columns
from thalweg.program.instructions.batches import GatherFloats


class NativeGatherFloats(GatherFloats):
    """x = X[order], which may be by columns"""

    @property
    def formula(self) -> str:
        return super().formula + (", by columns" if in_columns(self.x) else "")
