"""Weights of eight bits: a matrix, a kernel or a table as whole numbers, with a scale for each column.

    W[…, j] ≈ scale[j]·q[…, j]      scale[j] = max |W[…, j]|/127,  q = W/scale, rounded: −127 … 127

A column is what makes one unit or channel. The product is made where a weight is read, so that none is stored as a
float; biases and all else stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.exported_network import Network
from thalweg.program.instructions.convolution import Convolution
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.instructions.linear import Affine
from thalweg.program.ir.instruction import Buffer
from thalweg.program.loops.indices import Index, Looked, Quotient, Remainder, Within
from thalweg.program.loops.nests import (
    FLOAT,
    TABLE,
    WEIGHT,
    Apply,
    Array,
    Block,
    Element,
    Expression,
    Fail,
    Guarded,
    If,
    Let,
    Loop,
    Position,
    Set,
    Step,
    Store,
    When,
    While,
    arrays_read,
    arrays_written,
)
from thalweg.program.loops.routine import Routine


@dataclass(frozen=True)
class Small:
    """A weight of eight bits: its whole numbers, and the scale of each column."""

    numbers: Array
    scale: Array

    def element(self, index: Index) -> Expression:
        _, column = index.split(self.scale.size)
        whole = Apply("astype", (Element(self.numbers, index),), FLOAT)
        return Apply("multiply", (Element(self.scale, column), whole), FLOAT)


def quantised(W: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(q, scale) of a weight."""
    if not np.isfinite(W).all():
        raise ThalwegError("weights that aren't finite have no form of eight bits")
    scale = (abs(W).max(axis=tuple(range(W.ndim - 1))) / 127).astype(np.float32)
    return np.rint(W / np.where(scale > 0, scale, 1)).clip(-127, 127).astype(np.int8), scale


def small_weights(network: Network, arrays: Mapping[Buffer, Array]) -> dict[Array, Small]:
    """The small form of the weights of products, convolutions and embeddings. arrays: the weights."""
    found: dict[Array, Small] = {}
    used = {array.name for array in arrays.values()}
    for buffer in small_buffers(network):
        array = arrays[buffer]
        q, scale = quantised(network.weights[buffer])
        numbers = Array(array.name, q.size, q.dtype, WEIGHT, q.reshape(-1))
        name = f"{array.name}_scale"
        while name in used:
            name += "_"
        used.add(name)
        found[array] = Small(numbers, Array(name, scale.size, FLOAT, TABLE, scale))
    return found


def small_buffers(network: Network) -> list[Buffer]:
    """The weights of products, convolutions and embeddings, which are most of a network's."""
    read = [s.instruction for s in network.statements if isinstance(s.instruction, Affine | Convolution | Embedding)]
    return list(dict.fromkeys(i.W.storage for i in read if i.W.storage in network.weights))


def replaced(routine: Routine, small: Mapping[Array, Small]) -> Routine:
    """The same, with some weights of eight bits."""
    if not small:
        return routine
    replacing = Replacing(small)
    blocks = tuple(Block(b.formula, replacing.steps(b.steps)) for b in routine.blocks)
    arrays = dict.fromkeys(a for b in blocks for a in (*arrays_written(b.steps), *arrays_read(b.steps)))
    return Routine(blocks, tuple(arrays), routine.memory)


class Replacing:
    """Steps again, in which elements of some arrays are those of small weights."""

    def __init__(self, small: Mapping[Array, Small]) -> None:
        self.small = small

    def steps(self, steps: Sequence[Step]) -> list[Step]:
        return [self.step(step) for step in steps]

    def step(self, step: Step) -> Step:
        match step:
            case Loop() | If():
                return replace(step, body=self.steps(step.body))
            case When() | While():
                return replace(step, test=self.value(step.test), body=self.steps(step.body))
            case Let() | Set() | Fail():
                return replace(step, value=self.value(step.value))
            case Store():
                return replace(step, index=self.index(step.index), value=self.value(step.value))
        return step

    def value(self, e: Expression) -> Expression:
        match e:
            case Element():
                small, index = self.small.get(e.array), self.index(e.index)
                return small.element(index) if small else Element(e.array, index)
            case Apply():
                return replace(e, operands=tuple(map(self.value, e.operands)))
            case Guarded():
                return replace(e, inside=self.value(e.inside), outside=self.value(e.outside))
            case Position():
                return replace(e, index=self.index(e.index))
        return e

    def index(self, index: Index) -> Index:
        return Index(tuple((self.term(term), factor) for term, factor in index.terms), index.first)

    def term(self, term: Any) -> Any:
        match term:
            case Looked():
                return replace(term, element=self.value(term.element))
            case Quotient() | Remainder() | Within():
                return replace(term, index=self.index(term.index))
        return term
