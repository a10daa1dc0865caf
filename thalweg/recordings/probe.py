"""The layers with weights, and what they do on some rows: pre-activations and outputs, from the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.engine import aligned, make_executor
from thalweg.engine.contract import Chunk, Job
from thalweg.layers.variables import Parameter
from thalweg.program.instructions.activations import Activation
from thalweg.program.instructions.batches import Store
from thalweg.program.instructions.rowwise import Rowwise
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.lowering import places
from thalweg.program.passes.draft import Request
from thalweg.recordings.compiled_model import Compiled
from thalweg.recordings.datafacts import evenly
from thalweg.recordings.measuring import NO_ACTIVITY, SATURATED, Activity, activity, equal_units
from thalweg.recordings.recording import Array

MOST_ROWS, LEAST_ROWS, MOST_VALUES = 256, 16, 1 << 19
"""Rows on which activations are measured; values in all layers together."""
STEPS_OF_FORWARD = 2
"""The forward pass of a sample takes about so many steps at most."""


@dataclass(frozen=True, eq=False)
class Part:
    """A layer with weights.

    Attributes:
        name: as in the names of its weights.
        parameters: those that are trained, or all if none is.
        trained: whether any is.
        kernel, bias: of units that can be equal.
    """

    name: str
    parameters: list[Parameter]
    trained: bool
    kernel: Parameter | None = None
    bias: Parameter | None = None

    def of(self, vector: Array) -> Array:
        """The layer's part of a vector that is laid out like the parameters."""
        parts = [vector[p.buffer.offset : p.buffer.offset + p.buffer.size] for p in self.parameters]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def equal_units(self, vector: Array) -> float:
        """The share of units that have a twin."""
        if self.kernel is None:
            return float("nan")
        return equal_units(array_of(self.kernel, vector), None if self.bias is None else array_of(self.bias, vector))


def array_of(parameter: Parameter, vector: Array) -> Array:
    """A parameter's array in a vector."""
    buffer = parameter.buffer
    return vector[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)


@dataclass(frozen=True, eq=False)
class Watched:
    """Where a layer's values are in the program: pre-activations h, output a."""

    h: Buffer
    a: Buffer
    dies: bool
    saturates: bool


class Probe:
    """Computes the activations of all layers with weights on some rows of the data."""

    def __init__(self, compiled: Compiled, parts: list[Part], data: Mapping[str, Array], batch: int) -> None:
        count = len(compiled.graph.fed_shapes)
        inputs = {name: data[name] for name in places("X", count)}
        request = Request("inference", of_bytes=next(iter(inputs.values())).dtype == np.uint8, visible=True)
        program, totals = compiled.lower(request)
        self.output = next((i for i in reversed(program.forward) if not isinstance(i, Store)), None)
        self.watched = [found(program.forward, part) for part in parts]
        self.wanted = {id(b) for w in self.watched if w is not None for b in (w.h, w.a)}
        values = sum(w.h.size + w.a.size for w in self.watched if w is not None)
        training, _ = compiled.lower_for("training", data, batch)
        affordable = STEPS_OF_FORWARD * training.flops(batch) // max(1, program.flops(1))
        most = max(LEAST_ROWS, min(MOST_ROWS, MOST_VALUES // max(1, values), affordable))
        rows = evenly(len(next(iter(inputs.values()))), most)
        own: dict[str, Array] = {name: np.ascontiguousarray(x[rows]) for name, x in inputs.items()}
        self.vector, shapes = (
            aligned(compiled.weights.vector.size, compiled.weights.vector.dtype),
            compiled.output_shapes,
        )
        for name, shape in zip(places("Y_pred", len(shapes)), shapes, strict=True):
            own[name] = np.empty((len(rows), *shape), self.vector.dtype)
        job = Job(program, own, len(rows), len(rows), self.vector, self.vector[:0], totals=totals, seed=compiled.seed)
        self.executor = make_executor(compiled.engine, job)
        self.native = compiled.engine == "native"

    def measure(self, weights: Array) -> list[Activity]:
        """The activity of every layer with these weights, a vector."""
        np.copyto(self.vector, weights)
        blocks: dict[int, list[Array]] = {}
        for instruction, memory in self.executor.trace(Chunk(0, 0, 1, 0, np.zeros(1))):
            for buffer in instruction.outputs:
                if id(buffer) in self.wanted:
                    blocks.setdefault(id(buffer), []).append(np.array(memory[buffer]))
        values = {key: b[0] if len(b) == 1 else np.concatenate(b) for key, b in blocks.items()}
        return [
            NO_ACTIVITY if w is None else activity(values[id(w.h)], values[id(w.a)], w.dies, w.saturates, self.native)
            for w in self.watched
        ]

    @property
    def output_activation(self) -> str:
        """The name of the network's last activation, or "linear"."""
        return self.output.title if isinstance(self.output, (Activation, Rowwise)) else "linear"


def found(program: Sequence[Instruction], part: Part) -> Watched | None:
    """Where a layer's values are: what the last instruction with its weights gives, and the activation behind that."""
    own = {id(p.buffer) for p in (*part.parameters, part.kernel, part.bias) if p is not None}
    readers = [
        i
        for i in program
        if not isinstance(i, Activation) and any(id(b) in own for b in i.inputs) and i.outputs and i.outputs[0].per_row
    ]
    if not readers:
        return None
    h = readers[-1].outputs[0]
    behind = next((i for i in program if any(b is h for b in i.inputs)), None)
    if not isinstance(behind, (Activation, Rowwise)):
        return Watched(h, h, False, False)
    return Watched(h, behind.outputs[0], *character(behind))


def character(activation: Instruction) -> tuple[bool, bool]:
    """Whether an activation is 0 for all h ≤ 0, and whether it is almost flat for large |h| on both sides."""
    if not isinstance(activation, Activation) or activation.parameters:
        return False, False
    d = 1e-3
    h = np.array([-30.0, -10.0, -5.0, -2.0, -1.0, -0.1, 0.0])
    points = np.array([-SATURATED - d, -SATURATED, -d, d, SATURATED, SATURATED + d])
    more = ((),) if hasattr(activation, "equation") else ()
    with np.errstate(all="ignore"):
        below = activation.reference(np, h, *more)
        low, low_end, before, after, high, high_end = activation.reference(np, points, *more)
    slope = abs(after - before) / (2 * d)
    flat = all(abs(one - other) / d < 0.05 * slope for one, other in ((low, low_end), (high, high_end)))
    return bool((np.asarray(below) == 0).all()), bool(flat)


def parts_of(compiled: Compiled) -> list[Part]:
    """The layers with weights, in order."""
    trained = {id(p) for _, p in compiled.weights.trained()}
    by_layer: dict[str, list[tuple[str, Parameter]]] = {}
    for path, parameter in compiled.weights.named():
        by_layer.setdefault(path.rpartition("/")[0], []).append((path, parameter))
    program, _ = compiled.lower(Request("inference", visible=True))
    multiplied = {id(b): i for i in program if i.matrix_size for b in i.inputs}
    parts = []
    for name, named in by_layer.items():
        own = [p for _, p in named if id(p) in trained]
        kernel = next((p for _, p in named if len(p.buffer.shape) > 1 and id(p.buffer) in multiplied), None)
        bias = None
        if kernel is not None:
            units, reads = kernel.buffer.shape[-1:], multiplied[id(kernel.buffer)].inputs
            bias = next((p for _, p in named if p.buffer.shape == units and any(b is p.buffer for b in reads)), None)
        parts.append(Part(name, own or [p for _, p in named], bool(own), kernel, bias))
    return parts
