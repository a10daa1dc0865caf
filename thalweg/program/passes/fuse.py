"""Fusion into one instruction: a loss, its gradient and the activation before it; relu and max pooling; batch
normalisation and the sum and relu that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thalweg.program.instructions.activations import ElementwiseAdjoint, is_activation, is_relu
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution
from thalweg.program.instructions.elementwise import Add, Reshape
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.instructions.images.pooling import AveragePooling, AveragePoolingAdjoint, MaxPooling
from thalweg.program.instructions.linear import Affine, InputGradient
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.normalization import BatchNormalization, BatchSums
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.passes.draft import Draft


def pool_before_relu(draft: Draft) -> Draft:
    """Moves a relu that only a max pooling reads into that pooling, after the maximum.

    The values are the same, and so are the gradients: the first largest element of a window is the same with and
    without relu if it is above 0. Relu and its adjoint have less to do, and need no memory.
    """
    forward, result = draft.forward, list(draft.forward)
    for place, pool in enumerate(forward):
        if not isinstance(pool, MaxPooling):
            continue
        relu = next((i for i in forward[:place] if is_relu(i) and i.a is pool.x), None)
        if relu is None or any(relu.a in i.inputs for i in forward if i is not pool):
            continue
        result[result.index(pool)] = replace(pool, x=relu.h, relu=True)
        result.remove(relu)
    return replace(draft, forward=result)


def embed_mean(draft: Draft) -> Draft:
    """Lets an embedding compute the mean over all ids of a row, if only that is read: the vectors are added up as they
    are read, and neither they nor their adjoints go through memory (docs/measurements.md)."""
    result = list(draft.forward)
    for embedding in [i for i in result if isinstance(i, Embedding)]:
        between: list[Instruction] = [embedding]
        reader = only_reader(result, embedding.h)
        while isinstance(reader, Reshape):
            between.append(reader)
            reader = only_reader(result, reader.z)
        if isinstance(reader, AveragePooling) and reader.a.size == embedding.W.shape[1] == reader.x.shape[-1]:
            result[result.index(reader)] = replace(embedding, h=reader.a, mean=True)
            result = [i for i in result if i not in between]
    return replace(draft, forward=result)


def only_reader(instructions: Sequence[Instruction], value: Buffer) -> Instruction | None:
    """The instruction that reads a value, if there is exactly one."""
    readers = [i for i in instructions if value in i.inputs]
    return readers[0] if len(readers) == 1 else None


def normalize_and_add(draft: Draft) -> Draft:
    """Lets a batch normalisation add the shortcut and apply the relu, if nothing else reads the values in between.

    With statistics of the batch, a lane has all its rows in one block, too large for its caches: every instruction
    less saves a trip to memory. Backward, relu's adjoint is part of the normalisation's.
    """
    result = list(draft.forward)
    for norm in [i for i in result if isinstance(i, BatchNormalization)]:
        whole = norm
        add = only_reader(result, whole.a)
        if isinstance(add, Add) and add.x is not add.y:
            whole = replace(whole, shortcut=add.y if add.x is norm.a else add.x, a=add.z)
            result.remove(norm)
            result[result.index(add)] = whole
        relu = only_reader(result, whole.a)
        if is_relu(relu):
            result[result.index(whole)] = replace(whole, a=relu.a, relu=True)
            result.remove(relu)
    return replace(draft, forward=result)


def fuse_relu(draft: Draft) -> Draft:
    """Lets a product apply the relu that is its only reader, and a product or average pooling that computes a relu's
    output gradient apply the relu's adjoint: each saves a pass over the values."""
    forward, backward = list(draft.forward), list(draft.backward)
    for product in [i for i in forward if isinstance(i, Affine | Convolution | TransposedConvolution)]:
        relu = only_reader([*forward, *backward], product.h)
        if is_relu(relu):
            forward[forward.index(product)] = replace(product, h=relu.a, relu=True)
            forward.remove(relu)
    makers = InputGradient | AveragePoolingAdjoint | Convolution | TransposedConvolution
    for gradient in [i for i in backward if isinstance(i, makers)]:
        adjoint = only_reader(backward, gradient.outputs[0])
        if isinstance(adjoint, ElementwiseAdjoint) and is_relu(adjoint.of):
            place = backward.index(gradient)
            if isinstance(gradient, InputGradient | AveragePoolingAdjoint):
                backward[place] = replace(gradient, dx=adjoint.dh, a=adjoint.v)
            else:
                backward[place] = replace(gradient, h=adjoint.dh, a=adjoint.v)
            backward.remove(adjoint)
    return replace(draft, forward=forward, backward=backward)


def add_before_relu(draft: Draft) -> Draft:
    """Lets a relu's batch sums add up the two contributions to its adjoint as they read them."""
    result = list(draft.backward)
    for add in [i for i in result if isinstance(i, Add)]:
        sums = only_reader(result, add.z)
        if isinstance(sums, BatchSums) and sums.dn is not None and sums.more is None:
            result[result.index(sums)] = replace(sums, da=add.x, more=add.y)
            result.remove(add)
    return replace(draft, backward=result)


def fuse_losses(draft: Draft) -> Draft:
    """Replaces each loss by its adjoint, which computes its value too.

    A loss of logits computes softmax or sigmoid along the way. So if the network ends with that activation, its
    instruction goes, and the loss writes the activation itself if something else reads it or it has to be visible.
    """
    forward, backward = list(draft.forward), list(draft.backward)
    shown = draft.outputs if draft.request.visible else ()
    for gradient in [i for i in backward if isinstance(i, LossAndGradient)]:
        backward.remove(gradient)
        place = forward.index(gradient.of)
        forward[place] = gradient
        kind = gradient.of.activation
        source = next(
            (i for i in forward[:place] if kind and is_activation(i, kind) and i.inputs[0] is gradient.p), None
        )
        if source is None:
            continue
        a = source.outputs[0]
        if any(a in i.inputs for i in forward[:place]):
            continue  # it is needed before the loss
        read = any(a is y for y in shown) or any(a in i.inputs for i in [*forward, *backward])
        forward[place] = replace(gradient, a=a if read else None)
        forward.remove(source)
    return replace(draft, forward=forward, backward=backward)
