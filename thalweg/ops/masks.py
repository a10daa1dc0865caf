"""Masks: for every step of a sequence 1 or 0, whether it counts. Keras keeps them in `_keras_mask` of a tensor."""

from __future__ import annotations

import warnings
from typing import Any

from thalweg.errors import ShapeError, ThalwegWarning
from thalweg.ops.arrangement import concatenate, expand_dims
from thalweg.ops.creation import ones_like, zeros_like
from thalweg.ops.pointwise import logical_or
from thalweg.ops.summaries import any as truth
from thalweg.ops.tensor import OverRows, Symbol, Tensor, Traced, record, traced, writing
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.nested import leaves, mapped


def mask_of(value: Any) -> Any:
    """The mask of a tensor, (rows, steps), which Masking, Embedding or a layer behind them gave it; None without one.

    >>> import thalweg
    >>> x = thalweg.Input((5, 2))
    >>> mask_of(x), mask_of(thalweg.layers.Masking()(x)).shape
    (None, (None, 5))
    """
    if isinstance(value, Symbol):
        return None if value.mask_shape is None else record(mask_of, (value,), {}, "mask")
    mask = value.program.masks.get(value.buffer) if isinstance(value, Traced) else None
    return None if mask is None else Traced(value.program, mask)


def set_mask(value: Traced, mask: Any) -> None:
    """Gives a value of a program its mask, or with None takes it away."""
    if mask is None:
        value.program.masks.pop(value.buffer, None)
        return
    found = traced(mask, value.program).buffer
    if value.buffer.shape[: len(found.shape)] != found.shape:
        raise ShapeError(
            f"a mask has a value for every step, the first axes of a tensor of shape {value.shape}: got {mask.shape}"
        )
    value.program.masks[value.buffer] = found


def with_masks(values: list[Traced], masks: Any) -> list[Traced]:
    """Several values with their masks; those without one in `masks` keep their own."""
    for value, mask in zip(values, flat(masks), strict=False):
        if mask is not None:
            set_mask(value, mask)
    return values


def mask_weights(mask: Any) -> Any:
    """A mask as weights whose mean over the batch is 1, so that the mean over all steps is that over those that count.

    As in Keras, a step that counts weighs total/valid: the steps of the batch over those of them that count.
    """
    if isinstance(mask, Symbol):
        return record(mask_weights, (mask,), {}, "mask_weights")
    if not mask.buffer.shape:
        return mask_weights(expand_dims(mask, -1))[:, 0]
    return Traced(mask.program, mask.program.mask_weights(mask.buffer))


def either(masks: list[Any]) -> Any:
    """The mask of what is joined place by place, as in Keras: where any counts; None where one has no mask."""
    if any(mask is None for mask in masks):
        return None
    result = masks[0]
    for other in masks[1:]:
        result = logical_or(result, other)
    return result


def joined(values: list[Any], masks: list[Any], axis: int) -> Any:
    """The mask of a concatenation, as in Keras: a step counts if any part of it does; None if nothing has a mask."""
    if all(mask is None for mask in masks):
        return None
    whole = []
    for value, mask in zip(values, masks, strict=True):
        if mask is None:
            whole.append(ones_like(value))
        elif len(mask.shape) < len(value.shape):
            whole.append(logical_or(expand_dims(mask, -1), zeros_like(value)))
        else:
            whole.append(mask)
    return truth(concatenate(whole, axis), axis=-1)


def flat(structure: Any) -> list[Any]:
    """The masks of a structure in order, with None for what has none."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        return [mask for inner in structure for mask in flat(inner)]
    return [structure]


def passed(layer: Any, program: Builder, x: Buffer) -> Buffer:
    """The output of a layer in a chain: what its `forward` returns, with a mask."""
    if layer.composes:
        layer.place_for(x.shape)
    result: Buffer = layer.forward(program, x)
    if layer.composes:  # others do it where they are called
        value = Traced(program, x)
        with writing(program):
            mask_outputs(layer, program, (value,), mask_of(value), Traced(program, result))
    return result


def masks_before(arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The masks of a call's first argument, in its structure, or the `mask` that was given."""
    if named.get("mask") is not None:
        return named["mask"]
    return mapped(arguments[0], mask_of) if arguments else None


def masks_taken(takes: list[str], arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The masks that a `call` asks for and that nobody gave: `mask` of its only tensor, `NAME_mask` of several."""
    bound = dict(zip(takes, arguments, strict=False)) | named
    tensors = {
        name: value
        for name, value in bound.items()
        if not name.endswith("mask") and name != "initial_state" and any(isinstance(v, Tensor) for v in leaves(value))
    }
    wanted = {f"{name}_mask": value for name, value in tensors.items()}
    if len(tensors) == 1:
        wanted = {"mask": next(iter(tensors.values()))}
    return {name: mapped(v, mask_of) for name, v in wanted.items() if name in takes and bound.get(name) is None}


def mask_outputs(layer: Any, program: Builder, arguments: tuple[Any, ...], masks: Any, result: Any) -> None:
    """Gives a layer's outputs their masks: Keras's rule, by which a mask ends at a layer that doesn't support masks."""
    own = layer.computes_mask
    if not own and (layer.masks_inside or all(mask is None for mask in flat(masks))):
        return
    outputs = [traced(v, program) for v in leaves(result) if not isinstance(v, OverRows)]
    if all(mask_of(v) is not None for v in outputs):
        return
    if layer.supports_masking or own:
        before = len(program.instructions)
        made = flat(layer.compute_mask(arguments[0] if arguments else None, masks))
        program.of_masks.update(program.instructions[before:])
        for output, mask in zip(outputs, made, strict=False):
            if mask is not None and mask_of(output) is None:
                set_mask(output, mask)
    elif not layer.told_of_mask and not program.lengths:  # of rows filled up, outputs get their masks again
        layer.told_of_mask = True
        warnings.warn(
            f"the mask of its input ends at layer {layer.shown_name}: {type(layer).__name__} doesn't support masks, so "
            "layers behind it, loss and metrics count every step",
            ThalwegWarning,
            stacklevel=2,
        )
