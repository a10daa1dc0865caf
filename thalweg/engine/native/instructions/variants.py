"""Native variants: subclasses of the program's instructions that do more at once, or work on another layout.

A program begins with the neutral instructions; a pass takes the variant where it needs what only that can do.
"""

from __future__ import annotations

from typing import Any

from thalweg.engine.native.instructions.batches import NativeGatherFloats
from thalweg.engine.native.instructions.changes import variant
from thalweg.engine.native.instructions.convolution import (
    NativeConvolution,
    NativeKernelGradient,
    NativeTransposedConvolution,
)
from thalweg.engine.native.instructions.elementwise import NativeDropout
from thalweg.engine.native.instructions.embedding import NativeEmbedding, NativeEmbeddingGradient
from thalweg.engine.native.instructions.images.pooling import (
    NativeAveragePooling,
    NativeAveragePoolingAdjoint,
    NativeMaxPooling,
    NativeMaxPoolingAdjoint,
)
from thalweg.engine.native.instructions.linear import (
    NativeAffine,
    NativeBiasGradient,
    NativeInputGradient,
    NativeWeightGradient,
)
from thalweg.engine.native.instructions.normalization import NativeBatchNormalization, NativeBatchSums
from thalweg.program.ir.instruction import Instruction

VARIANTS: dict[type[Instruction], type[Instruction]] = {
    kind.__bases__[0]: kind
    for kind in (
        NativeGatherFloats, NativeConvolution, NativeKernelGradient, NativeTransposedConvolution, NativeAveragePooling,
        NativeAveragePoolingAdjoint, NativeMaxPooling, NativeMaxPoolingAdjoint, NativeAffine, NativeBiasGradient,
        NativeInputGradient, NativeWeightGradient, NativeDropout, NativeEmbedding, NativeEmbeddingGradient,
        NativeBatchNormalization, NativeBatchSums,
    )
}  # fmt: skip


def native(i: Instruction, **changes: Any) -> Instruction:
    """The native variant of an instruction with these fields; the instruction itself changed, if it has none."""
    return variant(VARIANTS.get(type(i), type(i)), i, **changes)
