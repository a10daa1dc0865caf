"""Network + loss + metrics + optimizer → a program, for training, evaluation or inference: layers become instructions,
which the passes of an engine rewrite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from thalweg.program.builder import Builder
from thalweg.program.instructions.batches import GatherBytes, GatherFloats, Store
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.losses.penalties import ActivityPenalty
from thalweg.program.instructions.metrics import Total
from thalweg.program.instructions.updates.table_updates import Touched
from thalweg.program.ir.instruction import DATA, FIRST_METRIC, LOSS, PENALTY, TOTALS, Buffer, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Draft, Pass, Request, names, rewritten
from thalweg.program.passes.sparse import sparse_gradients
from thalweg.support.naming import choose


class HasForward(Protocol):
    """A layer, as far as lowering is concerned."""

    def forward(self, program: Builder, x: Buffer) -> Buffer: ...
    @property
    def weighted(self) -> bool: ...


class LowersLoss(Protocol):
    def target_shape(self, output: tuple[int, ...]) -> tuple[int, ...]: ...
    def lower(
        self, y_pred: Buffer, source: Instruction | None, y: Buffer, weight: Buffer | None, sums: Buffer
    ) -> Loss: ...
    def lower_state(
        self,
        features: Buffer,
        y: Buffer,
        weight: Buffer | None,
        sums: Buffer,
        state: dict[str, Buffer],
        training: bool,
    ) -> list[Instruction]: ...


class LowersMetric(Protocol):
    def sums(self, output: tuple[int, ...]) -> int: ...
    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Total | Loss: ...


class LowersUpdate(Protocol):
    @property
    def every(self) -> int: ...
    @property
    def by_rows(self) -> bool: ...
    def lower(self, weights: Sequence[Weight], vector: int) -> list[Instruction]: ...


class LowersPenalty(Protocol):
    def lower(self, W: Buffer, sums: Buffer) -> Instruction: ...


class Weight(NamedTuple):
    """An array of weights that is trained: its full name, such as "dense_1/W", and its place."""

    path: str
    buffer: Buffer
    touched: Touched | None = None  # if its gradient is sparse: the rows that are updated


@dataclass
class Network:
    """What lowering needs to know about a model."""

    layers: Sequence[HasForward]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weights: Sequence[Weight]  # those that are trained
    penalties: Sequence[tuple[Buffer, LowersPenalty]]
    constraints: Sequence[Instruction]  # run after the update
    vector: int  # elements of the parameter vector, gaps included


@dataclass
class Objective:
    """What a network is trained for: one loss and any number of metrics."""

    loss: LowersLoss
    metrics: Sequence[LowersMetric]
    state: dict[str, Buffer] = field(default_factory=dict)  # what the loss carries from batch to batch, by name
    totals: int = field(default=FIRST_METRIC, init=False)  # number of running sums, known after lowering


def forward(network: Network, request: Request) -> tuple[Builder, Buffer]:
    """Passes the gathered batch through every layer; returns the builder and the last value, named y_pred."""
    builder = Builder(request.trains)
    x = Buffer("x", network.input_shape)
    gather = GatherBytes if request.of_bytes else GatherFloats
    value = builder.append(gather(Buffer("X", network.input_shape, DATA), x))
    for layer in network.layers:
        if layer.weighted:
            builder.features = value
        value = layer.forward(builder, value)
    if value is not x:
        value.name = "y_pred"
    return builder, value


def judge(network: Network, objective: Objective, weighted: bool, y_pred: Buffer, builder: Builder) -> None:
    """Appends the gathered targets, the loss, the penalties and the metrics."""
    instructions = builder.instructions
    shape = objective.loss.target_shape(y_pred.shape)
    y = Buffer("y", shape)
    source = next((i for i in instructions if any(o is y_pred for o in i.outputs)), None)
    instructions.append(GatherFloats(Buffer("Y", shape, DATA), y))
    weight = None
    if weighted:
        weight = Buffer("weight", (1,))
        instructions.append(GatherFloats(Buffer("weights", (1,), DATA), weight))
    instructions.append(objective.loss.lower(y_pred, source, y, weight, sums("L", LOSS)))
    if objective.state:
        instructions += objective.loss.lower_state(
            builder.features, y, weight, sums("L", LOSS), objective.state, builder.training
        )
    instructions += [penalty.lower(W, sums("penalty", PENALTY)) for W, penalty in network.penalties]
    for a, l1, l2 in builder.penalties:
        instructions.append(ActivityPenalty(a, l1, l2, sums("penalty", PENALTY)))
    place = FIRST_METRIC
    for metric in objective.metrics:
        size = metric.sums(y_pred.shape)
        instructions.append(metric.lower(y_pred, y, sums("score", place, size)))
        place += size
    objective.totals = place


def sums(name: str, place: int, size: int = 1) -> Buffer:
    return Buffer(name, (size,), TOTALS, per_row=False, offset=place)


def lower(
    network: Network,
    request: Request,
    passes: Sequence[Pass],
    objective: Objective | None = None,
    optimizer: LowersUpdate | None = None,
    after: str | None = None,
) -> Program:
    """The program for a request: the forward half, rewritten by an engine's passes, and in training the update.

    objective: needed in training and evaluation; optimizer: in training.
    after: the name of a pass that runs for the request: the program is returned as that pass leaves it, without an
        update if there are no gradients yet.
    """
    if after is not None:
        choose(f"pass of a program for {request.kind}", after, names(passes, request))
    builder, y_pred = forward(network, request)
    if objective is not None:
        judge(network, objective, request.weighted, y_pred, builder)
    else:
        builder.append(Store(y_pred, Buffer("Y_pred", network.output_shape, DATA)))
    trained = [weight.buffer for weight in network.weights]
    draft = rewritten(Draft(builder.instructions, (), request, trained, y_pred), passes, after)
    if not draft.backward:
        return Program(draft.forward)
    assert optimizer is not None
    draft, touched = sparse_gradients(draft, network.constraints) if optimizer.by_rows else (draft, {})
    weights = [weight._replace(touched=touched.get(weight.buffer)) for weight in network.weights]
    update = [*optimizer.lower(weights, network.vector), *network.constraints]
    return Program(draft.forward, draft.backward, update, optimizer.every)
