"""Fusion into one instruction: relu and max pooling, relu and a product, the mean of an embedding, batch normalisation
and the sum and relu that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thalweg.engine.native.instructions.normalization import NativeBatchNormalization, NativeBatchSums
from thalweg.engine.native.instructions.variants import native
from thalweg.program.instructions.activations import ElementwiseAdjoint, is_relu
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution
from thalweg.program.instructions.elementwise import Add, Reshape
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.instructions.images.pooling import AveragePooling, AveragePoolingAdjoint, MaxPooling
from thalweg.program.instructions.linear import Affine, InputGradient
from thalweg.program.instructions.normalization import MovingAverage
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.draft import Draft


def pool_before_relu(draft: Draft) -> Draft:
    """Moves a relu that only a max pooling reads into that pooling, after the maximum.

    The values are the same, and so are the gradients: the first largest element of a window is the same with and
    without relu if it is above 0. Relu and its adjoint have less to do, and need no memory.
    """
    for pool in [i for i in draft.forward if isinstance(i, MaxPooling)]:
        relu = next((i for i in draft.writers(pool.x) if is_relu(i)), None)
        if relu is not None and draft.only_reader(relu.a) is pool:
            draft = draft.changed({pool: [native(pool, x=relu.h, relu=True)], relu: []})
    return draft


def embed_mean(draft: Draft) -> Draft:
    """Lets an embedding compute the mean over all ids of a row, if only that is read: the vectors are added up as they
    are read, and neither they nor their adjoints go through memory (docs/measurements.md)."""
    for embedding in [i for i in draft.forward if isinstance(i, Embedding)]:
        left_out: dict[Instruction, Sequence[Instruction]] = {embedding: []}
        reader = draft.only_reader(embedding.h)
        while isinstance(reader, Reshape):
            left_out[reader] = []
            reader = draft.only_reader(reader.z)
        if isinstance(reader, AveragePooling) and reader.a.size == embedding.W.shape[1] == reader.x.shape[-1]:
            draft = draft.changed({**left_out, reader: [native(embedding, h=reader.a, mean=True)]})
    return draft


def normalize_and_add(draft: Draft) -> Draft:
    """Lets a batch normalisation add the shortcut and apply the relu, if nothing else reads the values in between.

    With statistics of the batch, a lane has all its rows in one block, too large for its caches: every instruction
    less saves a trip to memory. Backward, relu's adjoint is part of the normalisation's.
    """
    given = draft
    for norm in [i for i in draft.forward if isinstance(i, NativeBatchNormalization)]:
        whole = norm
        last: Instruction = norm
        add = draft.only_reader(norm.a)
        if isinstance(add, Add) and add.x is not add.y:
            whole = replace(norm, shortcut=add.y if add.x is norm.a else add.x, a=add.z)
            last = add
        relu = draft.only_reader(whole.a)
        if is_relu(relu):
            whole = replace(whole, a=relu.a, relu=True)
            draft = draft.changed({relu: []})
        draft = draft.changed({norm: [], last: [whole]})
    averages = [i for i in draft.forward if isinstance(i, MovingAverage)]  # of statistics that may now come later
    if draft is given or not averages:
        return draft
    return replace(draft, forward=[*(i for i in draft.forward if i not in averages), *averages])


def fuse_relu(draft: Draft) -> Draft:
    """Lets a product apply the relu that is its only reader, and a product or average pooling that computes a relu's
    output gradient apply the relu's adjoint: each saves a pass over the values."""
    for product in [i for i in draft.forward if isinstance(i, Affine | Convolution | TransposedConvolution)]:
        relu = draft.only_reader(product.h)
        if is_relu(relu):
            draft = draft.changed({product: [native(product, h=relu.a, relu=True)], relu: []})
    makers = InputGradient | AveragePoolingAdjoint | Convolution | TransposedConvolution
    for gradient in [i for i in draft.backward if isinstance(i, makers)]:
        adjoint = draft.only_reader(gradient.outputs[0])
        if isinstance(adjoint, ElementwiseAdjoint) and is_relu(adjoint.of):
            result = {gradient.writes[0]: adjoint.dh}
            draft = draft.changed({gradient: [native(gradient, a=adjoint.v, **result)], adjoint: []})
    return draft


def add_before_relu(draft: Draft) -> Draft:
    """Lets a relu's batch sums add up the two contributions to its adjoint as they read them."""
    for add in [i for i in draft.backward if isinstance(i, Add)]:
        sums = draft.only_reader(add.z)
        if isinstance(sums, NativeBatchSums) and sums.dn is not None and sums.more is None:
            draft = draft.changed({sums: [replace(sums, da=add.x, more=add.y)], add: []})
    return draft
