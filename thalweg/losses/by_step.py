"""Losses whose steps count differently: by the mask of the predictions, and by a weight for each step.

Written in `thalweg.ops`: ℓ of every step (`Loss.on_tensors`), times its weight, and the mean of a row. A mask is merged
into the weights as in Keras: a step that counts weighs total/valid, the steps of the batch over those that count, so
that the mean over all steps is the mean over these; with a sum it weighs 1.
"""

from __future__ import annotations

from typing import Any

from thalweg import ops
from thalweg.errors import ShapeError
from thalweg.ops.masks import mask_weights


def weights_of(mask: Any, weight: Any, places: tuple[int, ...], total: bool) -> Any:
    """The weight of every step, (rows, *places), from a mask and from weights of rows or steps.

    total: whether the loss is a sum.
    """
    result: Any = None
    if mask is not None:
        if tuple(mask.shape[1:]) != places:
            raise ShapeError(
                f"the mask has the shape {mask.shape}, but the loss has a value for each of (None, {places})"
            )
        result = mask if total else mask_weights(mask)
    if weight is not None:
        if tuple(weight.shape[1:]) != places:
            weight = ops.reshape(weight, (-1, *[1] * len(places)))
        result = weight if result is None else result * weight
    return result


def weighted(values: Any, weights: Any, total: bool) -> Any:
    """One number a row: the mean over its steps of what they lose times their weights, or the sum."""
    product = values * weights
    axes = tuple(range(1, len(product.shape)))
    if not axes:
        return product
    return (ops.sum if total else ops.mean)(product, axis=axes)
