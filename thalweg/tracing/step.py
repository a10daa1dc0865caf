"""The numbers of one step of gradient descent, of which text, JSON, figure and HTML are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from thalweg.program.ir.instruction import Array
from thalweg.tracing.central import Check
from thalweg.tracing.values import TracedStep, TracedWeight


@dataclass(frozen=True)
class Setting:
    """What the step is a step of."""

    rows: int
    divisor: int  # of the adjoints: the rows, or 1 where the loss is a sum over them
    iteration: int  # steps done before
    learning_rate: float
    optimizer: str  # its class's name
    plain: bool  # whether a step is w −= learning rate·dW and nothing else
    losses: tuple[str | None, ...]  # of each output: the class's name
    half_squared: bool  # whether the loss is half the sum of squared errors, of one output
    engine: str
    dtype: str


@dataclass(frozen=True, eq=False)
class Step(Mapping[str, Array]):
    """Base of `Trace`: the numbers of a step, by their names in the listing."""

    arrays: Mapping[str, Array]
    setting: Setting
    steps: tuple[TracedStep, ...]
    weights: tuple[TracedWeight, ...]
    loss_before: float
    loss_after: float
    check: Check | None = None
    given: Mapping[str, str] = field(default_factory=dict)  # where the rows are from: a table's cells, a picture's name

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        """A dict of both, as of two dicts."""
        return {**self.arrays, **other}

    @property
    def headline(self) -> str:
        """What the step is a step of, for people."""
        made = self.setting
        rows = "1 row" if made.rows == 1 else f"{made.rows:,} rows"
        return f"One step on {rows}: {made.optimizer}, learning rate {made.learning_rate:g}"
