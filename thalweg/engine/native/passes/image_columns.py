"""By columns: each element is stored for all rows of a block before the next element, so that a vector holds rows.

A narrow batch: row by row, 5 inputs fill a third of a vector of 16, and one unit a sixteenth. By columns, a unit is a
sum of columns, and its weight gradient consists of dot products of columns.

Images of few channels: row by row, a convolution's vectors run along its output channels, its input gradient's along
the input channels. With 6 channels, two neighbouring outputs together fill 12 of 16 lanes, with zeros in the kernel. By
columns every lane is used, and all work on these images, pooling and activations too, is on whole vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from thalweg.engine.native.instructions.changes import on_buffers
from thalweg.engine.native.instructions.variants import native
from thalweg.engine.native.layouts.limits import MOST_CHANNELS, NARROW
from thalweg.engine.native.layouts.orders import ByColumns, in_columns
from thalweg.engine.native.passes.winograd import VECTOR, planned
from thalweg.program.instructions.activations import Activation, ElementwiseAdjoint
from thalweg.program.instructions.batches import GatherFloats
from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution
from thalweg.program.instructions.images.pooling import (
    AveragePooling,
    AveragePoolingAdjoint,
    MaxPooling,
    MaxPoolingAdjoint,
)
from thalweg.program.instructions.linear import Affine, BiasGradient, OfChannels, WeightGradient
from thalweg.program.ir.instruction import WORKSPACE, Array, Buffer, Instruction
from thalweg.program.passes.draft import Draft

MOST_UNITS = 4  # with more, a row of W fills enough of a vector

LEAST_ROWS = 8  # of a batch of images: fewer leave vectors of rows half empty
BY_COLUMNS = 0.93  # the fraction of the arithmetic peak that convolutions reach by columns
BY_ROWS = 0.95  # the same row by row, but of the useful share alone: see `filled`
MOVED = 24  # floating-point operations in the time it takes to move an element from one layout to the other


def batches_by_columns(draft: Draft) -> Draft:
    """Stores a gathered batch by columns if only affine maps with few units and their weight gradients read it.

    Readers choose their kernels by their operand's layout.
    """
    for gather in [i for i in draft.forward if isinstance(i, GatherFloats)]:
        x, readers = gather.x, draft.readers(gather.x)
        if len(x.shape) == 1 and 1 < x.size <= NARROW and readers and all(takes_columns(i) for i in readers):
            columns = {x: ByColumns(x.name, x.shape)}
            draft = draft.changed({i: [on_buffers(native(i), columns)] for i in (gather, *readers)})
    return draft


def takes_columns(i: Instruction) -> bool:
    """Whether an instruction is at least as fast with its x by columns."""
    return (isinstance(i, Affine) and i.W.shape[1] <= MOST_UNITS) or (
        isinstance(i, WeightGradient) and i.dW.shape[1] <= MOST_UNITS
    )


def fuse_biases(draft: Draft) -> Draft:
    """Lets a weight gradient by columns sum the bias's gradient too, as it has dh in registers."""
    for gradient in [i for i in draft.backward if isinstance(i, WeightGradient) and in_columns(i.x)]:
        bias = next((i for i in draft.readers(gradient.dh) if isinstance(i, BiasGradient)), None)
        if bias is not None:
            draft = draft.changed({gradient: [native(gradient, db=bias.db)], bias: []})
    return draft


class Layout(OfChannels):
    """z = x in another layout: from rows to columns or back."""

    x: Buffer
    z: Buffer

    name = "layout"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} by {'columns' if in_columns(self.z) else 'rows'}"

    def reference(self, xp: Any, x: Array) -> Array:
        return x


Product = Convolution | TransposedConvolution | KernelGradient
FOLLOWING = (
    BiasGradient, AveragePooling, AveragePoolingAdjoint, MaxPooling, MaxPoolingAdjoint, Activation, ElementwiseAdjoint,
)  # fmt: skip


def images_of(i: Instruction) -> list[Buffer]:
    """The per-row images that an instruction reads or writes."""
    return [b for b in i.operands if b is not None and b.per_row and b.region == WORKSPACE]


def fits(i: Instruction) -> bool:
    """Whether an instruction can work by columns."""
    if not isinstance(i, (Convolution, TransposedConvolution, KernelGradient, *FOLLOWING)):
        return False
    if not i.per_row or any(len(b.shape) != 3 for b in images_of(i)):
        return False
    if isinstance(i, Activation | ElementwiseAdjoint) and i.parameters:  # one number per channel
        return False
    if not isinstance(i, Product):
        return True
    narrow = all(b.shape[-1] <= MOST_CHANNELS for b in images_of(i))
    return narrow and i.groups == 1 and i.window.strides == i.window.dilation == (1, 1) and planned(i) is None


def column_of(b: Buffer) -> Buffer:
    """A buffer for the same values by columns."""
    return ByColumns(f"{b}ᶜ", b.shape)


def filled(i: Product) -> float:
    """The useful share of the arithmetic, row by row: g neighbouring outputs computed together fill a vector better,
    but see g − 1 more taps."""
    outputs = i.dh if isinstance(i, KernelGradient) else i.h
    taps, channels, width = i.window.size[1], outputs.shape[-1], outputs.shape[1]
    together = [g for g in range(1, max(1, VECTOR // channels) + 1) if width % g == 0]
    return max(taps * g * channels / ((taps + g - 1) * VECTOR * -(-g * channels // VECTOR)) for g in together)


def groups_of(instructions: Sequence[Instruction]) -> Iterator[list[Instruction]]:
    """The instructions that can work by columns, in groups that share images."""
    writers = [b for i in instructions for b in i.outputs]
    left = [i for i in instructions if fits(i) and all(writers.count(b) == 1 for b in images_of(i))]
    while left:
        group: list[Instruction] = []
        joining = left[:1]
        while joining:
            group += joining
            left = [i for i in left if i not in joining]
            images = {b for i in group for b in images_of(i)}
            joining = [i for i in left if not images.isdisjoint(images_of(i))]
        yield group


def crossing(group: Sequence[Instruction], instructions: Sequence[Instruction]) -> set[Buffer]:
    """The images of a group that instructions outside it read or write."""
    others = {b for i in instructions if i not in group for b in i.operands if b is not None}
    return others.intersection(b for i in group for b in images_of(i))


def part(i: Product) -> float:
    """A product's time by columns relative to direct computation: less than 1 with Winograd's filtering."""
    way = planned(on_buffers(i, {b: column_of(b) for b in images_of(i)}))
    return way.part if way else 1.0


def pays(group: Sequence[Instruction], instructions: Sequence[Instruction]) -> bool:
    """Whether a group's products gain more by columns than moving the images shared with others costs."""
    products = [i for i in group if isinstance(i, Product)]
    by_rows = sum(i.flops(1) / (BY_ROWS * filled(i)) for i in products)
    by_columns = sum(i.flops(1) / BY_COLUMNS * part(i) for i in products)
    return by_columns + MOVED * sum(b.size for b in crossing(group, instructions)) < by_rows


def images_by_columns(draft: Draft) -> Draft:
    """Stores images of few channels by columns if that pays."""
    both = list(draft)
    members = [i for group in groups_of(both) if pays(group, both) for i in group]
    columns = {b: column_of(b) for i in members for b in images_of(i)}
    outside = crossing(members, both)

    changes = {
        i: [
            on_buffers(native(i), columns) if i in members else i,
            *(Layout(columns[b], b) if i in members else Layout(b, columns[b]) for b in i.outputs if b in outside),
        ]
        for i in both
    }
    return draft.changed(changes)
