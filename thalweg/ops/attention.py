"""Attention on tensors: by one instruction that keeps no scores, or step by step where they are wanted."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from thalweg.errors import ShapeError
from thalweg.ops.operation import operand, operation
from thalweg.ops.tensor import Traced, program_of, refuse
from thalweg.program.builder import Builder
from thalweg.program.instructions.attention import MASKED
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.ir.instruction import Buffer

__all__ = ["dot_product_attention"]


class Looking(NamedTuple):
    """Which keys a query looks at, and how."""

    scale: float = 1.0
    causal: bool = False
    window: int = 0  # |i − j| is less; 0: any
    rate: float = 0.0  # of dropout, of the weights
    seed: int | None = None


def joined(program: Builder, masks: list[Any]) -> Buffer | None:
    """The masks of a row, each (heads or 1, T or 1, S or 1), as one: a key counts where none is 0."""
    result = None
    for mask in masks:
        buffer = operand(program, mask)
        result = buffer if result is None else program.binary("logical_and", *same_axes(program, result, buffer))
    return result


def same_axes(program: Builder, x: Buffer, y: Buffer) -> tuple[Buffer, Buffer]:
    """Two masks that can be joined: what is per row needs as many axes."""
    rank = max(len(x.shape), len(y.shape))
    return tuple(  # type: ignore[return-value]
        b if len(b.shape) == rank else program.reshape(b, (1,) * (rank - len(b.shape)) + b.shape) for b in (x, y)
    )


def mask_of_heads(program: Builder, mask: Any, shape: tuple[int, int, int], name: str = "attention_mask") -> Buffer:
    """A mask (…, T, S), or (…, heads, T, S), as (heads or 1, T or 1, S or 1) of a row. shape: heads, T, S.

    As in Keras, of a mask with one axis for rows or heads it is the rows.
    """
    b = operand(program, mask)
    if not b.per_row and len(b.shape) in (3, 4) and b.shape[0] == 1:
        b = program.reshape(b, b.shape[1:])  # its axis of the rows
    if len(b.shape) == 2:
        b = program.reshape(b, (1, *b.shape))
    if len(b.shape) != 3 or any(n not in (1, m) for n, m in zip(b.shape, shape, strict=True)):
        heads, T, S = shape
        told = (None, *b.shape) if b.per_row else b.shape
        raise ShapeError(
            f"{name} has the shape (rows, {T}, {S}) or (rows, {heads}, {T}, {S}), 1 where it is the same; got {told}"
        )
    return b


def attended(
    q: Traced, k: Traced, v: Traced, mask: Buffer | None, how: Looking, bias: Buffer | None = None, told: bool = False
) -> tuple[Traced, Traced | None]:
    """softmax(scale·q·kᵀ)·v of q (rows, T, heads, d), k and v (rows, S, groups, …), and the weights if they are `told`.

    The same random numbers are drawn either way.
    """
    program = q.program
    check(q.buffer, k.buffer, v.buffer)
    stream = program.stream(how.seed) if how.rate else 0
    if not told and bias is None:
        options = (how.scale, how.causal, how.window, how.rate, stream)
        return Traced(program, program.attention(q.buffer, k.buffer, v.buffer, mask, *options)), None
    scores = scores_of(program, q.buffer, k.buffer, how.scale)
    if bias is not None:
        scores = program.binary("add", *same_axes(program, scores, bias))
    weights, o = weighted(program, scores, v.buffer, mask, how, stream)
    return Traced(program, o), Traced(program, weights)


def check(q: Buffer, k: Buffer, v: Buffer) -> None:
    """Raises for queries, keys and values that don't fit together."""
    (_, heads, d), (S, groups, e), values = q.shape, k.shape, v.shape
    if d != e or values[:2] != (S, groups) or heads % groups:
        raise ShapeError(
            f"attention of queries {q.shape}, keys {k.shape} and values {v.shape} of a row: (T, heads, d), "
            "(S, groups, d) and (S, groups, n) are needed, the heads a multiple of the groups"
        )


def scores_of(program: Builder, q: Buffer, k: Buffer, scale: float) -> Buffer:
    """scale·q·kᵀ, (heads, T, S)"""
    (T, heads, d), (S, groups, _) = q.shape, k.shape
    q = program.reshape(program.permute(q, (1, 0, 2)), (groups, heads // groups, T, d))
    k = program.reshape(program.permute(k, (1, 0, 2)), (groups, 1, S, d))
    scores = program.reshape(program.matmul(q, k, transpose_y=True), (heads, T, S))
    return scores if scale == 1 else program.scalar("multiply", scores, scale)


def weighted(
    program: Builder, scores: Buffer, v: Buffer, mask: Buffer | None, how: Looking, stream: int
) -> tuple[Buffer, Buffer]:
    """The softmax of scores (heads, T, S) over the keys that are looked at, and the mean of v (S, groups, n) by it."""
    (heads, T, S), (_, groups, n) = scores.shape, v.shape
    if (near := band(T, S, how)) is not None:
        mask = joined(program, [near[None]] if mask is None else [mask, near[None]])
    if mask is not None:
        mask, scores = same_axes(program, mask, scores)
        scores = program.where(mask, scores, program.constant(MASKED))
    weights = program.rowwise(Softmax, scores)
    kept = program.reshape(program.dropped(weights, how.rate, stream), (groups, heads // groups, T, S))
    o = program.matmul(kept, program.reshape(program.permute(v, (1, 0, 2)), (groups, 1, S, n)))
    return weights, program.permute(program.reshape(o, (heads, T, n)), (1, 0, 2))


def band(T: int, S: int, how: Looking) -> Any:
    """(T, S): which keys are not too late, and near enough; None for all."""
    if not how.causal and not how.window:
        return None
    ahead = np.arange(S) - np.arange(T)[:, None]
    return (ahead <= 0 if how.causal else True) & (abs(ahead) < how.window if how.window else True)


def _of_arrays(query: Any, key: Any, value: Any, *given: Any, **named: Any) -> Any:
    """The same in NumPy."""
    arrays = [np.asarray(x) for x in (query, key, value)]
    arrays = [x if x.dtype == np.float64 else x.astype(np.float32) for x in arrays]
    q, k, v = (np.moveaxis(x, 2, 1) for x in arrays)
    names = ("bias", "mask", "scale", "is_causal", "flash_attention", "attn_logits_soft_cap")
    of = dict(zip(names, given, strict=False)) | named
    refuse_capped(of.get("flash_attention"), of.get("attn_logits_soft_cap"))
    scale = q.shape[-1] ** -0.5 if of.get("scale") is None else of["scale"]
    share = q.shape[1] // k.shape[1]
    scores = scale * (q @ np.repeat(k, share, 1).swapaxes(-1, -2))
    scores = scores if of.get("bias") is None else scores + of["bias"]
    allowed = np.asarray(True) if of.get("mask") is None else np.asarray(of["mask"]) != 0
    if of.get("is_causal"):
        allowed = allowed & (np.tri(*scores.shape[-2:]) > 0)
    scores = np.where(allowed, scores, MASKED)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result = np.moveaxis(powers / powers.sum(axis=-1, keepdims=True) @ np.repeat(v, share, 1), 1, 2)
    return result.astype(arrays[0].dtype)


def refuse_capped(flash_attention: Any, soft_cap: Any) -> None:
    """Raises for what only other machines' kernels do."""
    if flash_attention:
        raise refuse("flash_attention asks for a GPU's kernel, so it is None or False: here no scores are kept anyway")
    if soft_cap is not None:
        raise refuse(f"attn_logits_soft_cap has to be None, got {soft_cap!r}")


def for_each_row(program: Builder, x: Any) -> Traced:
    """A tensor; what is the same for all rows, weights or an array (1, …), is repeated for each."""
    b = operand(program, x)
    if not b.per_row and b.shape[:1] == (1,):
        b = program.broadcast_to(program.reshape(b, b.shape[1:]), b.shape[1:], per_row=True)
    return Traced(program, b)


@operation(_of_arrays)
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """softmax(scale·q·kᵀ + bias)·v      q (rows, T, heads, d), k (rows, S, groups, d), v (rows, S, groups, n)

    The result is (rows, T, heads, n). The heads are a multiple of the groups, which share keys and values. mask and
    bias, (rows, heads, T, S) with 1 where they are the same: a key with a mask of 0 isn't looked at (its score is −10⁹,
    so that a query without any key looks at all alike). scale: 1/√d by default. is_causal: query i looks at the keys
    up to i. flash_attention: None or False. attn_logits_soft_cap: None.

    >>> x = np.array([[[[0.0]], [[100.0]]]])
    >>> dot_product_attention(x, x, x).round(3).ravel().tolist(), dot_product_attention(x, x, x, is_causal=True).shape
    ([50.0, 100.0], (1, 2, 1, 1))
    """
    refuse_capped(flash_attention, attn_logits_soft_cap)
    program = program_of([query, key, value])
    q, k, v = (for_each_row(program, x) for x in (query, key, value))
    for x in (q, k, v):
        if len(x.buffer.shape) != 3:
            raise refuse(f"dot_product_attention takes tensors (rows, steps, heads, size), got {x.shape}")
    shape = (q.buffer.shape[1], q.buffer.shape[0], k.buffer.shape[0])
    scale = 1 / math.sqrt(q.buffer.shape[-1]) if scale is None else float(scale)
    masks = None if mask is None else mask_of_heads(program, mask, shape, "mask")
    added = None if bias is None else mask_of_heads(program, bias, shape, "bias")
    return attended(q, k, v, masks, Looking(scale, bool(is_causal)), added)[0]
