"""What a network on sequences computes in each step for a few rows: states, gates, and the weights of attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.program.instructions.activations import Activation
from thalweg.program.instructions.attention import Attention
from thalweg.program.instructions.products import MatrixProduct
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.instructions.shapes import Slice
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.recordings.compiled_model import WholeModel
from thalweg.views.insides.forward_pass import Passed

Array = NDArray[Any]
CANDIDATE = words.text("Candidate")
GATES: dict[int, tuple[words.Text, ...]] = {
    4: (words.text("Input gate"), words.text("Forget gate"), CANDIDATE, words.text("Output gate")),
    3: (words.text("Update gate"), words.text("Reset gate"), CANDIDATE),
}
"""Of an LSTM and of a GRU, in the order of their columns, by the number of these."""


@dataclass(frozen=True)
class Unrolled:
    """A recurrent layer over the steps.

    states: h, (rows, steps, units). memory: the state c of an LSTM. gates: by the place of their columns.
    """

    layer: str
    states: Array
    memory: Array | None = None
    gates: Mapping[int, Array] = field(default_factory=dict)
    names: tuple[words.Text, ...] = ()

    def named_gates(self) -> Iterator[tuple[words.Text, bool, Array]]:
        """What each gate is called, whether it is a candidate, which has a sign, and its values."""
        for place, values in sorted(self.gates.items()):
            yield self.names[place], self.names[place] is CANDIDATE, values


@dataclass(frozen=True)
class Looked:
    """The weights of an attention: (rows, heads, queries, keys)."""

    layer: str
    weights: Array


def unrolled(model: WholeModel, found: Passed) -> list[Unrolled]:
    """The recurrent layers, in order, of a forward pass."""
    sources = Sources(model, found.program.instructions)
    result: list[Unrolled] = []
    for i in found.program.instructions:
        if isinstance(i, Scan) and i.after and len(i.after[0].shape) == 1:
            result.append(over_steps(i, found, sources, len(result) + 1))
    return result


def over_steps(scan: Scan, found: Passed, sources: Sources, number: int) -> Unrolled:
    """What a scan has kept."""
    kept = {b: np.asarray(found[whole]) for b, whole in zip(scan.made, scan.kept, strict=True)}
    owner, count = sources.cell(scan)
    states = kept[scan.after[0]]
    if count not in GATES:
        return Unrolled(owner or f"{scan.title} {number}", states)
    gates: dict[int, Array] = {}
    makers = makers_of(scan.body)
    for i in scan.body:
        place = gate_of(i, makers, scan.after[0].size) if isinstance(i, Activation) else None
        if place is not None and i.outputs[0] in kept:
            gates.setdefault(place, kept[i.outputs[0]])
    return Unrolled(owner, states, kept[scan.after[1]] if count == 4 else None, gates, GATES[count])


def gate_of(activation: Activation, makers: Mapping[Buffer, Instruction], units: int) -> int | None:
    """Which columns of the cell's products an activation is of, counted in units; None for another activation."""
    maker = makers.get(activation.h)
    near = [] if maker is None else [maker, *(makers.get(b) for b in maker.inputs)]
    slices = [i for i in near if isinstance(i, Slice) and i.z.size == units]
    return slices[0].starts[-1] // units if slices else None


def looked(model: WholeModel, found: Passed) -> list[Looked]:
    """The attentions, in order, of a forward pass."""
    instructions = found.program.instructions
    sources = Sources(model, instructions)
    result: list[Looked] = []
    for i in instructions:
        if isinstance(i, Attention):
            mask = None if i.mask is None else found[i.mask]
            weights, q = i.shares(np, found[i.q], found[i.k], mask)[0], i.q
        elif isinstance(i, Softmax) and len(i.a.shape) == 3 and sources.multiplies(i.a):
            weights, q = found[i.a], i.h
        else:
            continue
        heads = weights.reshape(len(weights), -1, *weights.shape[-2:])
        result.append(Looked(sources.attention(q) or f"attention {len(result) + 1}", np.asarray(heads)))
    return result


def makers_of(instructions: Any) -> dict[Buffer, Instruction]:
    """What writes each value."""
    return {b: i for i in instructions for b in i.outputs}


class Sources:
    """Which layer's weights an instruction works with."""

    def __init__(self, model: WholeModel, instructions: list[Instruction]) -> None:
        self.paths = {id(p.buffer): path for path, p in model.named_parameters()}
        self.shapes = {path: p.buffer.shape for path, p in model.named_parameters()}
        self.instructions, self.makers = instructions, makers_of(instructions)

    def behind(self, b: Buffer) -> Iterator[str]:
        """The paths of the weights of which a value that is the same for all rows is made."""
        path = self.paths.get(id(b.storage))
        if path is not None:
            yield path
        elif not b.per_row and b in self.makers:
            for other in self.makers[b].inputs:
                yield from self.behind(other)

    def cell(self, scan: Scan) -> tuple[str, int]:
        """The layer of a scan that is one of Keras's cells, and how many products with h it has; "", 0 for others."""
        for path in (path for b in scan.given for path in self.behind(b)):
            owner, _, key = path.rpartition("/")
            if key == "recurrent_kernel":
                units, width = self.shapes[path]
                above, _, last = owner.rpartition("/")
                alone = last.endswith("_cell") and not above.endswith("stacked_rnn_cells")
                return above if alone and above else owner, width // units
        return "", 0

    def attention(self, q: Buffer) -> str:
        """The layer that made queries or scores with weights of its own; "" for others."""
        nearest = [q]
        while nearest:
            makers = [self.makers[b] for b in nearest if b in self.makers]
            inputs = [b for i in makers for b in i.inputs]
            for path in (path for b in inputs for path in self.behind(b)):
                owner, own, _ = path.rpartition("/scale") if path.endswith("/scale") else path.partition("/query/")
                return owner if own else ""
            nearest = list(dict.fromkeys(b for b in inputs if b.per_row))
        return ""

    def multiplies(self, weights: Buffer) -> bool:
        """Whether a value, or a view of it, is a factor of a matrix product."""
        return any(isinstance(i, MatrixProduct) and i.inputs[0].storage is weights.storage for i in self.instructions)
