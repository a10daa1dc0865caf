"""What a recorder may rely on in a compiled model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from thalweg.layers import Layer
from thalweg.layers.layer import Parameter
from thalweg.losses import Loss
from thalweg.optimizers import Optimizer
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Request
from thalweg.recordings.recording import Array


class Goal(Protocol):
    """What an output is trained for."""

    @property
    def loss(self) -> Loss | None: ...


class Graph(Protocol):
    """The layers."""

    @property
    def layers(self) -> list[Layer]: ...
    @property
    def fed_shapes(self) -> Sequence[tuple[int, ...]]: ...


class Weights(Protocol):
    """The weights, in one vector."""

    @property
    def vector(self) -> Array: ...
    def named(self) -> list[tuple[str, Parameter]]: ...
    def trained(self) -> list[tuple[str, Parameter]]: ...


class Compiled(Protocol):
    """A model with loss and optimizer."""

    @property
    def graph(self) -> Graph: ...
    @property
    def weights(self) -> Weights: ...
    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def engine(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def output_shapes(self) -> list[tuple[int, ...]]: ...
    @property
    def scored_shapes(self) -> list[tuple[int, ...]]: ...
    def objectives(self) -> Sequence[Goal]: ...
    def lower(self, request: Request) -> tuple[Program, int]: ...
    def lower_for(self, kind: str, data: Any, batch: int) -> tuple[Program, int]: ...
