"""ResNet50, ResNet101 and ResNet152 (He et al., CVPR 2016), as Keras builds them."""

from __future__ import annotations

from functools import partial
from typing import Any

from thalweg import layers
from thalweg.applications.imagenet_utils import Application, application, decode_predictions, preprocess_input

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

normalized = partial(layers.BatchNormalization, epsilon=1.001e-5)


def block(x: Any, filters: int, stride: int, projects: bool, name: str) -> Any:
    """Three convolutions, the middle one of 3 × 3, beside x itself or a convolution of size 1."""
    shortcut = x
    if projects:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = normalized(name=f"{name}_0_bn")(shortcut)
    for k, size, step, padding in ((1, 1, stride, "valid"), (2, 3, 1, "same")):
        x = layers.Conv2D(filters, size, strides=step, padding=padding, name=f"{name}_{k}_conv")(x)
        x = layers.Activation("relu", name=f"{name}_{k}_relu")(normalized(name=f"{name}_{k}_bn")(x))
    x = normalized(name=f"{name}_3_bn")(layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x))
    return layers.Activation("relu", name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))


def body(x: Any, blocks: tuple[int, ...]) -> Any:
    """All but the classes."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = normalized(name="conv1_bn")(layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x))
    x = layers.ZeroPadding2D(1, name="pool1_pad")(layers.Activation("relu", name="conv1_relu")(x))
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, count in enumerate(blocks, 2):
        for k in range(1, count + 1):
            stride = 2 if stage > 2 and k == 1 else 1
            x = block(x, 32 * 2 ** (stage - 1), stride, k == 1, f"conv{stage}_block{k}")
    return x


def classified(x: Any, classes: int, activation: Any) -> Any:
    """The probabilities."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return layers.Dense(classes, activation, name="predictions")(x)


def residual(layers: int, blocks: tuple[int, ...], doc: str) -> Application:
    """The network of so many layers, with so many blocks in each of its four stages."""
    return application(f"ResNet{layers}", doc, partial(body, blocks=blocks), classified)


ResNet50 = residual(
    50,
    (3, 4, 6, 3),
    """ResNet50 (He et al., CVPR 2016), a functional model with Keras's layers and names.

    Args:
        include_top: whether it ends in classes; otherwise in what `pooling` makes of the last convolution.
        weights: None: to be trained; or the path to Keras's weights, .weights.h5 or .h5. "imagenet", Keras's default,
            raises, as nothing is downloaded.
        input_tensor: the images as a tensor, instead of an input.
        input_shape: (height, width, channels); by default (224, 224, 3), without its top it has to be given.
        pooling: "avg", "max" or None, without its top.
        classes: how many.
        classifier_activation: that of the last layer; None for its logits.
        name: that of the model.

    >>> ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3)).output_shape
    (None, 1, 1, 2048)
    """,
)
ResNet101 = residual(101, (3, 4, 23, 3), "`ResNet50` with 101 layers.")
ResNet152 = residual(152, (3, 8, 36, 3), "`ResNet50` with 152 layers.")
