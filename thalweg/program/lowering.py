"""Network + loss + metrics + optimizer → programs: one for training, one for evaluation, one for prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from thalweg.program.autodiff import derive
from thalweg.program.builder import Builder
from thalweg.program.instructions.batches import GatherBytes, GatherFloats, Store
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.losses.penalties import ActivityPenalty
from thalweg.program.instructions.metrics import Total
from thalweg.program.ir.instruction import DATA, FIRST_METRIC, GRADIENTS, LOSS, PENALTY, TOTALS, Buffer, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.activated import activated_losses
from thalweg.program.passes.fuse import add_before_relu, fuse, normalize_and_add, pool_before_relu, product_and_relu


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
    def lower_kept(
        self,
        features: Buffer,
        y: Buffer,
        weight: Buffer | None,
        sums: Buffer,
        kept: dict[str, Buffer],
        training: bool,
    ) -> list[Instruction]: ...


class LowersMetric(Protocol):
    def sums(self, output: tuple[int, ...]) -> int: ...
    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Total | Loss: ...


class LowersUpdate(Protocol):
    @property
    def every(self) -> int: ...
    def lower(self, weights: Sequence[Weight], vector: int) -> list[Instruction]: ...


class LowersPenalty(Protocol):
    def lower(self, W: Buffer, sums: Buffer) -> Instruction: ...


class Weight(NamedTuple):
    """An array of weights that is trained: its full name, such as "dense_1/W", and its place."""

    path: str
    buffer: Buffer


@dataclass
class Network:
    """What lowering needs to know of a model."""

    layers: Sequence[HasForward]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weights: Sequence[Weight]  # those that are trained
    penalties: Sequence[tuple[Buffer, LowersPenalty]]
    constraints: Sequence[Instruction]  # after the update
    vector: int  # elements of the parameter vector, gaps included
    of_bytes: bool = False  # whether its data are bytes (uint8), such as images


@dataclass
class Objective:
    """What a network is trained for: one loss and any number of metrics, over optionally weighted rows."""

    loss: LowersLoss
    metrics: Sequence[LowersMetric]
    weighted: bool = False
    kept: dict[str, Buffer] = field(default_factory=dict)  # what the loss keeps from batch to batch, by name
    totals: int = field(default=FIRST_METRIC, init=False)  # running sums in all, known after lowering


def forward(network: Network, training: bool) -> tuple[Builder, Buffer]:
    """The gathered batch through every layer, collected by a builder; the last value is called y_pred."""
    builder = Builder(training)
    x = Buffer("x", network.input_shape)
    gather = GatherBytes if network.of_bytes else GatherFloats
    value = builder.append(gather(Buffer("X", network.input_shape, DATA), x))
    for layer in network.layers:
        if layer.weighted:
            builder.features = value
        value = layer.forward(builder, value)
    if value is not x:
        value.name = "y_pred"
    return builder, value


def judge(network: Network, objective: Objective, y_pred: Buffer, builder: Builder) -> None:
    """Appends the gathered targets, the loss, the penalties and the metrics."""
    instructions = builder.instructions
    shape = objective.loss.target_shape(y_pred.shape)
    y = Buffer("y", shape)
    source = next((i for i in instructions if any(o is y_pred for o in i.outputs)), None)
    instructions.append(GatherFloats(Buffer("Y", shape, DATA), y))
    weight = None
    if objective.weighted:
        weight = Buffer("weight", (1,))
        instructions.append(GatherFloats(Buffer("weights", (1,), DATA), weight))
    instructions.append(objective.loss.lower(y_pred, source, y, weight, sums("L", LOSS)))
    if objective.kept:
        instructions += objective.loss.lower_kept(
            builder.features, y, weight, sums("L", LOSS), objective.kept, builder.training
        )
    instructions += [penalty.lower(W, sums("penalty", PENALTY)) for W, penalty in network.penalties]
    for a, l1, l2 in builder.penalties:
        instructions.append(ActivityPenalty(a, sums("penalty", PENALTY), l1, l2))
    place = FIRST_METRIC
    for metric in objective.metrics:
        size = metric.sums(y_pred.shape)
        instructions.append(metric.lower(y_pred, y, sums("score", place, size)))
        place += size
    objective.totals = place


def sums(name: str, place: int, size: int = 1) -> Buffer:
    return Buffer(name, (size,), TOTALS, per_row=False, offset=place)


def training_program(
    network: Network,
    objective: Objective,
    optimizer: LowersUpdate,
    few: bool = False,
    traced: bool = False,
    divided: tuple[int, int] | None = None,
) -> Program:
    """Forward, backward, update; images by rows, if a batch has `few`. If it is to be `traced`, every layer's value is
    computed by itself, and y_pred even if nothing reads it. divided: rows of a batch and lanes that share the inputs.
    """
    from thalweg.engine.native.passes.image_columns import biases_by_columns, images_by_columns, keep_columns
    from thalweg.engine.native.passes.input_split import inputs_over_lanes
    from thalweg.engine.native.passes.winograd import by_winograd

    builder, y_pred = forward(network, training=True)
    judge(network, objective, y_pred, builder)
    instructions = normalize_and_add(pool_before_relu(builder.instructions))
    trained = [W for _, W in network.weights]
    gradients = {W: Buffer(f"d{W}", W.shape, GRADIENTS, per_row=False, offset=W.offset) for W in trained}
    backward = add_before_relu(derive(instructions, gradients))
    instructions, backward = fuse(instructions, backward, [y_pred] if traced else [])
    if not traced:
        instructions, backward = activated_losses(instructions, backward)
        instructions, backward = product_and_relu(instructions, backward)
    if not (traced or few):
        instructions, backward = images_by_columns(instructions, backward)
    instructions, backward = by_winograd(instructions, backward)
    if divided is not None:
        instructions, backward = inputs_over_lanes(instructions, backward, *divided)
    keep_columns([*instructions, *backward])
    if not traced:
        backward = biases_by_columns(backward)
    update = [*optimizer.lower(network.weights, network.vector), *network.constraints]
    return Program(instructions, backward, update, optimizer.every)


def evaluation_program(network: Network, objective: Objective, few: bool = False) -> Program:
    """Forward, loss and metrics; images by rows, if a batch has `few`."""
    from thalweg.engine.native.passes.image_columns import images_by_columns
    from thalweg.engine.native.passes.winograd import by_winograd

    builder, y_pred = forward(network, training=False)
    judge(network, objective, y_pred, builder)
    instructions = product_and_relu(pool_before_relu(builder.instructions))[0]
    if not few:
        instructions, _ = images_by_columns(instructions)
    return Program(by_winograd(instructions)[0])


def inference_program(network: Network, fused: bool = True) -> Program:
    """Forward, and the predictions stored. Not `fused`: every value of the layers is computed by itself."""
    from thalweg.engine.native.passes.winograd import by_winograd

    builder, y_pred = forward(network, training=False)
    builder.append(Store(y_pred, Buffer("Y_pred", network.output_shape, DATA)))
    instructions = builder.instructions
    return Program(by_winograd(*product_and_relu(instructions))[0] if fused else instructions)
