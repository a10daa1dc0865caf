"""Convolutions by XLA's own operation, which is faster than what it makes of their references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thalweg.engine.jax.library import jax, lax
from thalweg.engine.jax.pieces import Array
from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution, Window
from thalweg.program.ir.instruction import Buffer, Instruction

Values = Mapping[Buffer, Array]


def correlated(x: Array, W: Array, window: Window, groups: int) -> Array:
    """x ∗ W, for W (kernel rows, columns, inputs of a group, outputs)."""
    border = list(zip(window.before, window.after, strict=True))
    return lax.conv_general_dilated(
        x,
        W,
        window.strides,
        border,
        rhs_dilation=window.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def convolution(i: Convolution, m: Values) -> Array:
    h = correlated(m[i.x], m[i.W].reshape(i.kernel_shape), i.window, i.groups)
    return h if i.b is None else h + m[i.b]


def kernel_gradient(i: KernelGradient, m: Values) -> Array:
    x, dh = m[i.x], m[i.dh]
    W = jax.ShapeDtypeStruct((*i.window.size, x.shape[-1] // i.groups, dh.shape[-1]), x.dtype)
    (dW,) = jax.linear_transpose(lambda W: correlated(x, W, i.window, i.groups), W)(dh)
    return dW.reshape(i.dW.shape)


def transposed_convolution(i: TransposedConvolution, m: Values) -> Array:
    x = m[i.x]
    W = m[i.W].reshape(*i.window.size, i.h.shape[-1] // i.groups, x.shape[-1])
    image = jax.ShapeDtypeStruct((len(x), *i.h.shape), x.dtype)
    (h,) = jax.linear_transpose(lambda h: correlated(h, W, i.window, i.groups), image)(x)
    return h if i.b is None else h + m[i.b]


def form_of(i: Instruction, platform: str) -> Callable[[Any, Values], Array] | None:
    """XLA's form of an instruction, where that pays: not of gradients on a CPU, which in a loop take 50 times as long.

    platform: JAX's name of what it runs on: "cpu", "gpu", "tpu".
    """
    match i:
        case Convolution():
            return convolution
        case KernelGradient() if platform != "cpu":
            return kernel_gradient
        case TransposedConvolution() if platform != "cpu":
            return transposed_convolution
    return None
