"""MobileNetV2 (Sandler et al., CVPR 2018), as Keras builds it."""

from __future__ import annotations

from functools import partial
from typing import Any

from thalweg import layers
from thalweg.applications.imagenet_utils import Shape, Weights, correct_pad, decode_predictions, network
from thalweg.applications.imagenet_utils import preprocess_input as preprocessed
from thalweg.models.model import Model
from thalweg.support.checks import number as real

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

normalized = partial(layers.BatchNormalization, epsilon=1e-3, momentum=0.999)
STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
"""Filters, blocks, and the strides of the first."""


def divisible(filters: float, divisor: int = 8) -> int:
    """The nearest multiple of 8, at least 0.9 times as many."""
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def block(x: Any, filters: int, stride: int, alpha: float, number: int) -> Any:
    """An expansion by 6, a convolution of each channel, and a projection; beside x itself where both are alike."""
    before, channels = x, x.shape[-1]
    prefix = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = layers.Conv2D(6 * channels, 1, padding="same", use_bias=False, name=f"{prefix}expand")(x)
        x = layers.ReLU(6.0, name=f"{prefix}expand_relu")(normalized(name=f"{prefix}expand_BN")(x))
    if stride == 2:
        x = layers.ZeroPadding2D(correct_pad(x.shape[1:], 3), name=f"{prefix}pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, stride, padding, use_bias=False, name=f"{prefix}depthwise")(x)
    x = layers.ReLU(6.0, name=f"{prefix}depthwise_relu")(normalized(name=f"{prefix}depthwise_BN")(x))
    outputs = divisible(int(filters * alpha))
    x = layers.Conv2D(outputs, 1, padding="same", use_bias=False, name=f"{prefix}project")(x)
    x = normalized(name=f"{prefix}project_BN")(x)
    return layers.Add(name=f"{prefix}add")([before, x]) if channels == outputs and stride == 1 else x


def body(x: Any, alpha: float) -> Any:
    """All but the classes."""
    x = layers.Conv2D(divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = layers.ReLU(6.0, name="Conv1_relu")(normalized(name="bn_Conv1")(x))
    count = 0
    for filters, blocks, stride in STAGES:
        for k in range(blocks):
            x = block(x, filters, stride if k == 0 else 1, alpha, count)
            count += 1
    x = layers.Conv2D(divisible(1280 * alpha) if alpha > 1.0 else 1280, 1, use_bias=False, name="Conv_1")(x)
    return layers.ReLU(6.0, name="out_relu")(normalized(name="Conv_1_bn")(x))


def classified(x: Any, classes: int, activation: Any) -> Any:
    """The probabilities."""
    return layers.Dense(classes, activation, name="predictions")(layers.GlobalAveragePooling2D()(x))


def MobileNetV2(
    input_shape: Shape = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """MobileNetV2 (Sandler et al., CVPR 2018). The other arguments are those of `ResNet50`.

    Args:
        alpha: the width: all numbers of filters are multiplied by it.
        name: by default with the width and the height of the images, mobilenetv2_1.00_224.

    >>> MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None).output_shape
    (None, 1, 1, 1280)
    """
    real("MobileNetV2's alpha", alpha, 0.0)
    shape = input_tensor.shape[1:] if input_shape is None and input_tensor is not None else input_shape or (224, 224, 3)
    return network(
        partial(body, alpha=alpha),
        partial(classified, classes=classes, activation=classifier_activation),
        f"mobilenetv2_{alpha:0.2f}_{shape[0]}" if name is None else name,
        include_top,
        weights,
        input_tensor,
        input_shape,
        pooling,
        classifier_activation,
        size=224,
        least=32,
        names_pooling=False,
    )


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from 0 to 255 as −1 … 1; x itself isn't changed.

    >>> preprocess_input([[[255.0, 0.0, 127.5]]]).tolist()
    [[[1.0, -1.0, 0.0]]]
    """
    return preprocessed(x, data_format, "tf")
