"""The batch gathered by columns."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.engine.native.layouts.by_columns import in_columns
from thalweg.program.instructions.batches import GatherFloats


@dataclass(frozen=True, eq=False)
class NativeGatherFloats(GatherFloats):
    """x = X[order], which may be by columns"""

    @property
    def formula(self) -> str:
        return super().formula + (", by columns" if in_columns(self.x) else "")

    @property
    def sizes(self) -> dict[str, int]:
        return {**super().sizes, "x_by_columns": in_columns(self.x)}
