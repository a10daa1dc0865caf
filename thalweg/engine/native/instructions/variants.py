"""Native variants: subclasses of the program's instructions that do more at once, or work on another layout.

A program begins with the neutral instructions; a pass takes the variant where it needs what only that can do.
"""

from __future__ import annotations

from typing import Any

from thalweg.engine.native.instructions.batches import NativeGatherFloats
from thalweg.engine.native.instructions.changes import variant
from thalweg.engine.native.instructions.convolution import NativeConvolution, NativeTransposedConvolution
from thalweg.engine.native.instructions.elementwise import NativeDropout
from thalweg.engine.native.instructions.embedding import NativeEmbedding, NativeEmbeddingGradient
from thalweg.engine.native.instructions.images.pooling import (
    NativeAveragePoolingAdjoint,
    NativeMaxPooling,
    NativeMaxPoolingAdjoint,
)
from thalweg.engine.native.instructions.linear import NativeAffine, NativeInputGradient, NativeWeightGradient
from thalweg.engine.native.instructions.normalization import (
    NativeBatchNormalization,
    NativeBatchSums,
    NativeMaskWeights,
)
from thalweg.engine.native.instructions.updates import (
    NativeAdafactor,
    NativeClipNorm,
    NativeLamb,
    NativeMuon,
    NativeTableUpdate,
)
from thalweg.program.ir.instruction import Instruction


def neutral(kind: type[Instruction]) -> type[Instruction]:
    """The program's instruction of which a class is the variant."""
    return next(base for base in kind.__bases__ if base.__module__.startswith(Instruction.__module__.split(".ir.")[0]))


VARIANTS: dict[type[Instruction], type[Instruction]] = {
    neutral(kind): kind
    for kind in (
        NativeGatherFloats, NativeConvolution, NativeTransposedConvolution, NativeAveragePoolingAdjoint,
        NativeMaxPooling, NativeMaxPoolingAdjoint, NativeAffine, NativeInputGradient, NativeWeightGradient,
        NativeDropout, NativeEmbedding, NativeEmbeddingGradient, NativeBatchNormalization, NativeBatchSums,
        NativeClipNorm, NativeLamb, NativeAdafactor, NativeMuon, NativeTableUpdate, NativeMaskWeights,
    )
}  # fmt: skip


def native(i: Instruction, **changes: Any) -> Instruction:
    """The native variant of an instruction with these fields; the instruction itself changed, if it has none."""
    return variant(VARIANTS.get(type(i), type(i)), i, **changes)
