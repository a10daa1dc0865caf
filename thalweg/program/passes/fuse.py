"""Fusion: a loss, its gradient and the activation before it become one instruction; relu and max pooling; batch
normalisation and the sum and the relu behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thalweg.program.instructions.activations import ElementwiseAdjoint
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution
from thalweg.program.instructions.elementwise import Add
from thalweg.program.instructions.linear import Affine, InputGradient
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.normalization import BatchNormalization, BatchSums
from thalweg.program.instructions.pooling import AveragePoolingAdjoint, MaxPooling
from thalweg.program.instructions.rectifiers import Relu
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.passes.draft import Draft


def pool_before_relu(draft: Draft) -> Draft:
    """A relu whose value only a max pooling reads is done by that pooling, after it.

    The values are the same, and so are the gradients: the first largest element of a window is the same with and
    without relu, where it is above 0. Relu and its adjoint are left with a part of the work, and no memory.
    """
    forward, result = draft.forward, list(draft.forward)
    for place, pool in enumerate(forward):
        if not isinstance(pool, MaxPooling):
            continue
        relu = next((i for i in forward[:place] if isinstance(i, Relu) and i.plain and i.a is pool.x), None)
        if relu is None or any(relu.a in i.inputs for i in forward if i is not pool):
            continue
        result[result.index(pool)] = replace(pool, x=relu.h, relu=True)
        result.remove(relu)
    return replace(draft, forward=result)


def only_reader(instructions: Sequence[Instruction], value: Buffer) -> Instruction | None:
    """The instruction that reads a value, if there is one and no other."""
    readers = [i for i in instructions if value in i.inputs]
    return readers[0] if len(readers) == 1 else None


def normalize_and_add(draft: Draft) -> Draft:
    """A batch normalisation adds the shortcut and does the relu, if nothing else reads what is between.

    With statistics of the batch a lane has all its rows in one block, which its caches don't hold: every instruction
    less saves a trip to memory. Backward, relu's adjoint is a part of the normalisation's.
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
        if isinstance(relu, Relu) and relu.plain:
            result[result.index(whole)] = replace(whole, a=relu.a, relu=True)
            result.remove(relu)
    return replace(draft, forward=result)


def fuse_relu(draft: Draft) -> Draft:
    """A product does the relu that alone reads it, and a product, or an average pooling, that makes the adjoint of a
    relu does that relu's: a pass over each value less."""
    forward, backward = list(draft.forward), list(draft.backward)
    for product in [i for i in forward if isinstance(i, Affine | Convolution | TransposedConvolution)]:
        relu = only_reader([*forward, *backward], product.h)
        if isinstance(relu, Relu) and relu.plain:
            forward[forward.index(product)] = replace(product, h=relu.a, relu=True)
            forward.remove(relu)
    makers = InputGradient | AveragePoolingAdjoint | Convolution | TransposedConvolution
    for gradient in [i for i in backward if isinstance(i, makers)]:
        adjoint = only_reader(backward, gradient.outputs[0])
        if isinstance(adjoint, ElementwiseAdjoint) and isinstance(adjoint.of, Relu) and adjoint.of.plain:
            place = backward.index(gradient)
            if isinstance(gradient, InputGradient | AveragePoolingAdjoint):
                backward[place] = replace(gradient, dx=adjoint.dh, a=adjoint.v)
            else:
                backward[place] = replace(gradient, h=adjoint.dh, a=adjoint.v)
            backward.remove(adjoint)
    return replace(draft, forward=forward, backward=backward)


def add_before_relu(draft: Draft) -> Draft:
    """The adjoint of such a relu, the sum of two contributions, is summed when it is read."""
    result = list(draft.backward)
    for add in [i for i in result if isinstance(i, Add)]:
        sums = only_reader(result, add.z)
        if isinstance(sums, BatchSums) and sums.dn is not None and sums.more is None:
            result[result.index(sums)] = replace(sums, da=add.x, more=add.y)
            result.remove(add)
    return replace(draft, backward=result)


def fuse_losses(draft: Draft) -> Draft:
    """The adjoint of each loss, which computes its value too, stands in the loss's place.

    A loss of logits computes softmax or sigmoid on its way. So where the network ends with that activation, the
    instruction goes, and the loss writes the activation itself, if something else reads it or it has to be visible.
    """
    forward, backward = list(draft.forward), list(draft.backward)
    shown = draft.y_pred if draft.request.visible else None
    for gradient in [i for i in backward if isinstance(i, LossAndGradient)]:
        backward.remove(gradient)
        place = forward.index(gradient.of)
        forward[place] = gradient
        kind = gradient.of.activation
        source = next((i for i in forward[:place] if kind and isinstance(i, kind) and i.inputs[0] is gradient.p), None)
        if source is None:
            continue
        a = source.outputs[0]
        if any(a in i.inputs for i in forward[:place]):
            continue  # it is needed before the loss
        read = a is shown or any(a in i.inputs for i in [*forward, *backward])
        forward[place] = replace(gradient, a=a if read else None)
        forward.remove(source)
    return replace(draft, forward=forward, backward=backward)
