"""Xception (Chollet, CVPR 2017), as Keras builds it."""

from __future__ import annotations

from typing import Any

from thalweg import layers
from thalweg.applications.imagenet_utils import application, decode_predictions
from thalweg.applications.mobilenet_v2 import preprocess_input
from thalweg.applications.resnet import classified

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def activated(x: Any, name: str) -> Any:
    """relu."""
    return layers.Activation("relu", name=f"{name}_act")(x)


def convolved(x: Any, filters: int, name: str, **options: Any) -> Any:
    """A convolution of 3 × 3, normalised; a separable one but for the first block."""
    kind = layers.Conv2D if name.startswith("block1_") else layers.SeparableConv2D
    return layers.BatchNormalization(name=f"{name}_bn")(kind(filters, 3, use_bias=False, name=name, **options)(x))


def narrowing(x: Any, filters: tuple[int, int], number: int) -> Any:
    """Two separable convolutions, pooled, beside a convolution of size 1 with strides of 2."""
    residual = layers.Conv2D(filters[1], 1, strides=2, padding="same", use_bias=False)(x)
    residual = layers.BatchNormalization()(residual)
    for k in (1, 2):
        if number > 2 or k == 2:
            x = activated(x, f"block{number}_sepconv{k}")
        x = convolved(x, filters[k - 1], f"block{number}_sepconv{k}", padding="same")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
    return layers.Add()([x, residual])


def body(x: Any) -> Any:
    """All but the classes."""
    x = activated(convolved(x, 32, "block1_conv1", strides=2), "block1_conv1")
    x = activated(convolved(x, 64, "block1_conv2"), "block1_conv2")
    for number, filters in ((2, 128), (3, 256), (4, 728)):
        x = narrowing(x, (filters, filters), number)
    for number in range(5, 13):
        residual = x
        for k in (1, 2, 3):
            name = f"block{number}_sepconv{k}"
            x = convolved(activated(x, name), 728, name, padding="same")
        x = layers.Add()([x, residual])
    x = narrowing(x, (728, 1024), 13)
    for k, filters in ((1, 1536), (2, 2048)):
        x = activated(convolved(x, filters, f"block14_sepconv{k}", padding="same"), f"block14_sepconv{k}")
    return x


Xception = application(
    "Xception",
    """Xception (Chollet, CVPR 2017). The arguments are those of `ResNet50`; images are 299 × 299, at least 71 × 71.

    >>> Xception(include_top=False, weights=None, input_shape=(71, 71, 3)).output_shape
    (None, 3, 3, 2048)
    """,
    body,
    classified,
    size=299,
    least=71,
    names_pooling=False,
)
