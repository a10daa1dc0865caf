"""A first layer with many inputs, split over the lanes by inputs instead of rows.

By rows, every lane reads all of W, much of which other lanes have just changed, and the weight gradient reads all rows
of x: cache lines that come from other cores, in every step. By inputs, a lane gathers its inputs of all rows of the
batch and multiplies them by its rows of W, which never leave its core. The lanes exchange only their sums, batch ×
units numbers. After a meeting, each lane adds up those of its own rows, and everything else is by rows again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from thalweg.engine.native.instructions.changes import end, ended, variant
from thalweg.engine.native.instructions.linear import NativeAffine, Waits, wide_gradient
from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.scheduling.blocks import shared_gradients
from thalweg.engine.native.scheduling.schedule import schedule_of
from thalweg.engine.native.scheduling.traits import OwnInputs
from thalweg.program.instructions.batches import GatherFloats
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.instructions.linear import Affine, WeightGradient
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState, front_replaced
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Draft, Request

MANY = 2  # inputs per row of a batch from which on it pays: measured, docs/measurements.md


def share(inputs: int, lane: int, lanes: int) -> slice:
    """A lane's inputs."""
    return slice(inputs * lane // lanes, inputs * (lane + 1) // lanes)


def first_inputs(x: Array, rows: int, own: slice) -> Array:
    """The inputs that a lane has gathered at the front of their buffer, as (rows, inputs)."""
    return x.reshape(-1)[: rows * (own.stop - own.start)].reshape(rows, -1)


class GatherShare(OwnInputs):
    """xₗ = X[order]      this lane's inputs of all rows of the batch"""

    X: Buffer
    x: Buffer  # (rows, the largest number of inputs of a lane)
    lanes: int

    name = "gather share"
    printed = "{x} = {X}[order], all rows, a lane's inputs"
    writes = ("x",)

    @property
    def sizes(self) -> dict[str, int]:
        return {"inputs": self.X.size, "lanes": self.lanes}

    def reference(self, xp: Any, X: Array, x: Array, step: StepState) -> Array:
        own = xp.take(X.reshape(len(X), -1), step.order, axis=0)[:, share(self.X.size, 0, self.lanes)]
        return front_replaced(xp, x, own)

    def bytes(self, rows: int) -> int:
        return 8 * rows * self.X.size


class AffineShare(OwnInputs):
    """hₗ = xₗ·Wₗ      the contribution of this lane's inputs, for all rows of the batch"""

    x: Buffer
    W: Buffer
    h: Buffer
    lanes: int

    name = "affine share"
    printed = "{h} = {x}·{W}, a lane's rows of {W}"
    writes = ("h",)

    @property
    def sizes(self) -> dict[str, int]:
        inputs, units = self.W.shape
        return {"inputs": inputs, "units": units, "lanes": self.lanes, "part": self.h.size}

    def reference(self, xp: Any, x: Array, W: Array, h: Array, step: StepState) -> Array:
        own = share(self.W.shape[0], 0, self.lanes)
        return front_replaced(xp, h, first_inputs(x, step.batch_rows, own) @ W[own])

    def flops(self, rows: int) -> int:
        return 2 * rows * self.W.size


class AffineSum(Instruction):
    """h = Σ hₗ + b over the lanes, with `relu` max(h, 0)      for this lane's rows"""

    parts: Buffer
    b: Buffer | None
    h: Buffer
    lanes: int
    relu: bool

    name = "affine sum"
    writes = ("h",)

    @property
    def formula(self) -> str:
        h = f"{self.h} = Σ {self.parts}" + ("" if self.b is None else f" + {self.b}")
        return ended(h, self.relu, None)

    @property
    def sizes(self) -> dict[str, int]:
        return {"units": self.h.size, "lanes": self.lanes, "part": self.parts.size, "relu": int(self.relu)}

    def reference(self, xp: Any, parts: Array, b: Array | None, step: StepState) -> Array:
        parts = parts.reshape(self.lanes, -1, self.h.size)[:, step.first_row : step.first_row + step.rows]
        return end(xp, parts.sum(axis=0) + (0 if b is None else b), self.relu, None)

    def flops(self, rows: int) -> int:
        return rows * (self.lanes + self.relu) * self.h.size


class ShareWeightGradient(OwnInputs, Waits):
    """dW = xᵀ·dh      for a lane's inputs, from all rows of the batch, in the finish"""

    x: Buffer
    dh: Buffer
    dW: Buffer
    lanes: int

    name = "share weight gradient"
    printed = "{dW} = {x}ᵀ·{dh}, a lane's rows of {dW}"
    writes = ("dW",)
    reduces = ("dW",)

    @property
    def wide_gradient(self) -> Buffer:
        return self.dW

    @property
    def sizes(self) -> dict[str, int]:
        inputs, units = self.dW.shape
        return {"inputs": inputs, "units": units, "lanes": self.lanes}

    def reference(self, xp: Any, x: Array, dh: Array, dW: Array, step: StepState) -> Array:
        own = share(self.dW.shape[0], 0, self.lanes)
        return front_replaced(xp, dW, first_inputs(x, step.batch_rows, own).T @ dh)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.dW.size


class FirstLayer(NamedTuple):
    """A dense layer that is the only reader of the gathered batch, apart from reshapes in between."""

    gather: GatherFloats
    affine: Affine
    gradient: WeightGradient
    reshapes: Sequence[Instruction]


def first_layer(draft: Draft) -> FirstLayer | None:
    """The first layer, if it could be split: its weight gradient is wide."""
    for gather in (i for i in draft.forward if isinstance(i, GatherFloats)):
        readers, reshapes = list(draft.readers(gather.x)), []
        for i in readers:  # which grows: a reshape's readers follow
            if isinstance(i, Reshape):
                reshapes.append(i)
                readers += draft.readers(i.z)
        affine = [i for i in readers if isinstance(i, Affine)]
        gradients = [i for i in readers if isinstance(i, WeightGradient) and wide_gradient(i) and len(i.x.shape) == 1]
        if len(affine) == len(gradients) == 1 and len(readers) == 2 + len(reshapes):
            return FirstLayer(gather, affine[0], gradients[0], reshapes)
    return None


def splits(program: Program, request: Request) -> bool:
    """Whether the lanes share the inputs: there are many compared with the batch, and all its x and dh stay."""
    if not request.trains or request.visible:
        return False
    layer, batch, lanes = first_layer(Draft(program.forward, program.backward)), request.batch, request.lanes
    many = layer is not None and layer.affine.W.shape[0] > MANY * batch
    return many and bool(shared_gradients(schedule_of(program), batch, lanes))


def split_inputs(draft: Draft) -> Draft:
    """Splits the first layer by its inputs, of which each lane takes a share."""
    layer, lanes = first_layer(draft), draft.request.lanes
    assert layer is not None
    gather, affine, gradient, reshapes = layer
    inputs, units = affine.W.shape
    rows = lanes * align(-(-draft.request.batch // lanes))  # as many as all lanes have room for
    x = Buffer(f"{affine.x}ₗ", (rows, -(-inputs // lanes)), per_row=False)
    parts = Buffer(f"parts of {affine.h}", (rows, units), EXCHANGE, per_row=False)
    split = AffineShare(x, affine.W, parts, lanes)
    total = AffineSum(parts, affine.b, affine.h, lanes, variant(NativeAffine, affine).relu)
    changes: dict[Instruction, Sequence[Instruction]] = {i: [] for i in reshapes}
    changes[gather] = [GatherShare(gather.X, x, lanes)]
    changes[affine] = [split, total]
    changes[gradient] = [ShareWeightGradient(x, gradient.dh, gradient.dW, lanes)]
    return draft.changed(changes)
