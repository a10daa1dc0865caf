"""Network + loss + metrics + optimizer → a program, for training, evaluation or inference: layers become instructions,
which the passes of an engine rewrite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.program.builder import Builder
from thalweg.program.instructions.batches import Gather, GatherBytes, GatherFloats, Store
from thalweg.program.instructions.elementwise import Copy
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.losses.penalties import ActivityPenalty
from thalweg.program.instructions.losses.row_value import RowValue
from thalweg.program.instructions.metrics import Total
from thalweg.program.ir.instruction import (
    BYTES,
    DATA,
    DOUBLE,
    FIRST_METRIC,
    FLOAT,
    LOSS,
    PENALTY,
    TOTALS,
    Buffer,
    Instruction,
)
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Draft, Pass, Request, names
from thalweg.program.passes.verifier import rewritten
from thalweg.program.sparse import Occurring, sparse_tables
from thalweg.support.naming import choose


class LowersLoss(Protocol):
    @property
    def masks_itself(self) -> bool: ...
    def by_step(
        self,
        program: Builder,
        y_pred: Buffer,
        source: Instruction | None,
        y: Buffer,
        weight: Buffer | None,
        mask: Buffer | None,
        sums: Buffer,
    ) -> RowValue: ...
    def prepare(self, program: Builder, y_pred: Buffer, y: Buffer) -> Buffer: ...
    def target_shape(self, output: tuple[int, ...]) -> tuple[int, ...]: ...
    def lower(
        self, y_pred: Buffer, source: Instruction | None, y: Buffer, weight: Buffer | None, sums: Buffer
    ) -> Loss: ...
    def lower_state(
        self, features: Buffer, y: Buffer, weight: Buffer | None, sums: Buffer, state: dict[str, Buffer], training: bool
    ) -> list[Instruction]: ...


class LowersMetric(Protocol):
    @property
    def by_itself(self) -> bool: ...
    def prepare(self, program: Builder, p: Buffer, y: Buffer) -> Buffer: ...
    def sums(self, output: tuple[int, ...]) -> int: ...
    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Total | Loss: ...


class LowersUpdate(Protocol):
    @property
    def every(self) -> int: ...
    @property
    def by_rows(self) -> bool: ...
    def lower(self, weights: Sequence[Weight], vector: int) -> list[Instruction]: ...


class LowersPenalty(Protocol):
    def term(self, program: Builder, W: Buffer) -> tuple[Buffer, bool] | None: ...
    def lower(self, W: Buffer, sums: Buffer) -> Instruction: ...


class Weight(NamedTuple):
    """An array of weights that is trained: its full name, such as "dense_1/W", and its place."""

    path: str
    buffer: Buffer
    rows: Occurring | None = None  # of a table of which only the rows that occur in the batch are updated


@dataclass
class Network:
    """What lowering needs to know about a model."""

    run: Callable[[Builder, list[Buffer]], list[Buffer]]  # appends the forward instructions; inputs → outputs
    input_shapes: Sequence[tuple[int, ...]]
    output_shapes: Sequence[tuple[int, ...]]
    weights: Sequence[Weight]  # those that are trained
    penalties: Sequence[tuple[Buffer, LowersPenalty]]
    constraints: Sequence[Instruction]  # run after the update
    vector: int  # elements of the parameter vector, gaps included


@dataclass
class OutputObjective:
    """What one output is trained for: a loss, or None, and any number of metrics."""

    loss: LowersLoss | None
    metrics: Sequence[LowersMetric] = ()
    state: dict[str, Buffer] = field(default_factory=dict)  # what the loss carries from batch to batch, by name


@dataclass
class Objective:
    """What a network is trained for: the sum of what its outputs are trained for."""

    outputs: Sequence[OutputObjective]
    totals: int = field(default=FIRST_METRIC, init=False)  # number of running sums, known after lowering


def places(name: str, count: int) -> list[str]:
    """The names of the caller's arrays, such as X; several are numbered: X1, X2, …"""
    return [name] if count == 1 else [f"{name}{k}" for k in range(1, count + 1)]


def forward(network: Network, request: Request) -> tuple[Builder, list[Buffer]]:
    """Passes the gathered batch through the network; returns the builder and the outputs, named y_pred."""
    if request.length is not None:
        raise ThalwegError(f"no layer takes sequences of {request.length} elements yet: leave the length out")
    builder = Builder(request.trains)
    inputs = gathered(network, request, builder)
    outputs = per_row(builder, network.run(builder, inputs))
    builder.inputs, builder.outputs = inputs, outputs
    carried = builder.carried.values()
    builder.instructions[len(inputs) : len(inputs)] = [i for states in carried for i in states.gathers()]
    builder.instructions += [i for states in carried for i in states.stores()]
    for name, value in zip(places("y_pred", len(outputs)), outputs, strict=True):
        if not any(value is x for x in inputs):
            value.name = name
    return builder, outputs


def gathered(network: Network, request: Request, builder: Builder) -> list[Buffer]:
    """The batch of every input."""
    gather, dtype = (GatherBytes, BYTES) if request.of_bytes else (GatherFloats, FLOAT)
    inputs = []
    for place, shape in zip(places("X", len(network.input_shapes)), network.input_shapes, strict=True):
        x = Buffer(place.lower(), shape)
        inputs.append(builder.append(gather(Buffer(place, shape, DATA, dtype=dtype), x)))
    return inputs


def per_row(builder: Builder, values: Sequence[Buffer]) -> list[Buffer]:
    """The outputs, each with memory of its own and a value for every row."""
    result: list[Buffer] = []
    for value in values:
        if not value.per_row:
            value = builder.broadcast_to(value, value.shape, per_row=True)
        elif any(value is other for other in result):
            mask = builder.masks.get(value)
            value = builder.append(Copy(value, builder.value("z", value.shape)))
            if mask is not None:
                builder.masks[value] = mask
        result.append(value)
    return result


def judge(
    network: Network, objective: Objective, request: Request, outputs: Sequence[Buffer], builder: Builder
) -> None:
    """Appends the gathered targets, the losses, the penalties and the metrics."""
    instructions = builder.instructions
    place, count, steps = FIRST_METRIC, len(outputs), dict(request.steps)
    names = zip(places("Y", count), places("weights", count), places("Y_pred", count), strict=True)
    for own, y_pred, (target, weights, predicted) in zip(objective.outputs, outputs, names, strict=True):
        if own.loss is None:
            continue
        if not y_pred.shape:  # one number a row
            y_pred = builder.reshape(y_pred, (1,))
        mask = None if own.loss.masks_itself else builder.masks.get(y_pred)
        y, weight = builder_inputs(
            builder,
            own.loss.target_shape(y_pred.shape),
            target,
            weights if request.weighted else None,
            steps.get(weights),
        )
        if mask is None and weights not in steps:
            value = own.loss.prepare(builder, y_pred, y)
            source = writer(instructions, value)
            instructions.append(own.loss.lower(value, source, y, weight, sums("L", LOSS)))
        else:
            source = writer(instructions, y_pred)
            instructions.append(own.loss.by_step(builder, y_pred, source, y, weight, mask, sums("L", LOSS)))
        if own.state:
            instructions += own.loss.lower_state(
                builder.features, y, weight, sums("L", LOSS), own.state, builder.training
            )
        for metric in own.metrics:
            if metric.by_itself:
                continue
            size = metric.sums(y_pred.shape)
            value = metric.prepare(builder, y_pred, y)
            instructions.append(metric.lower(value, y, sums("score", place, size)))
            place += size
        if any(metric.by_itself for metric in own.metrics):  # which looks at them outside of the program
            instructions.append(Store(y_pred, Buffer(predicted, y_pred.shape, DATA)))
    if not builder.objectives and all(own.loss is None for own in objective.outputs):
        raise ThalwegError("there is no loss: give compile a loss, or add_loss a value in a layer's call")
    for W, penalty in network.penalties:
        term = penalty.term(builder, W)
        if term is None:
            instructions.append(penalty.lower(W, sums("penalty", PENALTY)))
        else:
            builder.objectives.append(term)
    for a, l1, l2 in builder.penalties:
        instructions.append(ActivityPenalty(a, l1, l2, sums("penalty", PENALTY)))
    for value, total in builder.objectives:
        instructions.append(RowValue(value, None, sums("penalty", PENALTY), total))
    objective.totals = place


def builder_inputs(
    builder: Builder, shape: tuple[int, ...], target: str, weights: str | None, steps: tuple[int, ...] | None = None
) -> tuple[Buffer, Buffer | None]:
    """The gathered targets, and the weights of the rows, or of their steps, if they have any."""
    y = Buffer(target.lower(), shape)
    builder.append(GatherFloats(Buffer(target, shape, DATA), y))
    if weights is None:
        return y, None
    weight = Buffer(weights.replace("weights", "weight"), steps or (1,))
    builder.append(GatherFloats(Buffer(weights, weight.shape, DATA), weight))
    return y, weight


def writer(instructions: Sequence[Instruction], value: Buffer) -> Instruction | None:
    """The instruction that makes a value."""
    return next((i for i in instructions if any(o is value for o in i.outputs)), None)


def drop_unread_masks(builder: Builder) -> None:
    """Takes away what computes masks that neither a layer nor a loss has asked for."""
    read: set[Buffer] = set()
    kept = []
    for i in reversed(builder.instructions):
        if i not in builder.of_masks or any(o in read for o in i.outputs):
            read.update(b.storage for b in i.inputs)
            read.update(i.inputs)
            kept.append(i)
    builder.instructions[:] = reversed(kept)


def sums(name: str, place: int, size: int = 1) -> Buffer:
    return Buffer(name, (size,), TOTALS, per_row=False, offset=place, dtype=DOUBLE)


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
        if not names(passes, request):
            raise ArgumentError(f"a program for {request.kind} has no passes: after={after!r} goes with a schedule")
        choose(f"pass of a program for {request.kind}", after, names(passes, request))
    builder, outputs = forward(network, request)
    if objective is not None:
        judge(network, objective, request, outputs, builder)
        drop_unread_masks(builder)
        builder.instructions.sort(key=lambda i: not isinstance(i, Gather))  # stable: the batch comes first
    else:
        for name, y_pred in zip(places("Y_pred", len(outputs)), outputs, strict=True):
            builder.append(Store(y_pred, Buffer(name, y_pred.shape, DATA)))
        drop_unread_masks(builder)
    trained = [weight.buffer for weight in network.weights]
    update = update_of(network, optimizer, builder.instructions) if request.trains and optimizer is not None else []
    draft = Draft(builder.instructions, (), update, request, trained, outputs, network.vector)
    draft = rewritten(draft, passes, after)
    states = tuple(builder.carried.values())
    if not draft.backward:
        return Program(draft.forward, states=states)
    assert optimizer is not None
    return Program(draft.forward, draft.backward, draft.update, optimizer.every, states=states)


def update_of(network: Network, optimizer: LowersUpdate, forward: Sequence[Instruction]) -> list[Instruction]:
    """What is done with the gradients: the optimizer's step, of some tables on the rows of the batch; constraints."""
    trained = {weight.buffer for weight in network.weights}
    tables = sparse_tables(forward, trained, network.constraints) if optimizer.by_rows else {}
    weights = [weight._replace(rows=tables.get(weight.buffer)) for weight in network.weights]
    return [*optimizer.lower(weights, network.vector), *network.constraints]
