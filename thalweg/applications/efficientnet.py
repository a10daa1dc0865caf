"""EfficientNetB0 … EfficientNetB7 (Tan and Le, ICML 2019), as Keras builds them; pixels from 0 to 255 go in."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from thalweg import layers
from thalweg.applications.imagenet_utils import Application, application, correct_pad, decode_predictions
from thalweg.applications.mobilenet_v2 import divisible
from thalweg.initializers import VarianceScaling

__all__ = [
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5",
    "EfficientNetB6", "EfficientNetB7", "decode_predictions", "preprocess_input",
]  # fmt: skip

START = VarianceScaling(2.0, "fan_out", "truncated_normal")
STAGES = (
    (3, 1, 32, 16, 1, 1), (3, 2, 16, 24, 6, 2), (5, 2, 24, 40, 6, 2), (3, 3, 40, 80, 6, 2), (5, 3, 80, 112, 6, 1),
    (5, 4, 112, 192, 6, 2), (3, 1, 192, 320, 6, 1),
)  # fmt: skip
"""Size of the convolutions, blocks, filters before and after, expansion, and the strides of the first block."""
SIZES = {  # width, depth, images, dropout
    0: (1.0, 1.0, 224, 0.2), 1: (1.0, 1.1, 240, 0.2), 2: (1.1, 1.2, 260, 0.3), 3: (1.2, 1.4, 300, 0.3),
    4: (1.4, 1.8, 380, 0.4), 5: (1.6, 2.2, 456, 0.4), 6: (1.8, 2.6, 528, 0.5), 7: (2.0, 3.1, 600, 0.5),
}  # fmt: skip


def convolved(x: Any, filters: int, name: str, bn: str, size: int = 1, **options: Any) -> Any:
    """A convolution without a bias, normalised."""
    given: dict[str, Any] = {"padding": "same", "use_bias": False, "kernel_initializer": START} | options
    return layers.BatchNormalization(name=bn)(layers.Conv2D(filters, size, name=name, **given)(x))


def activated(x: Any, name: str) -> Any:
    """silu."""
    return layers.Activation("silu", name=name)(x)


def excited(x: Any, filters: int, name: str) -> Any:
    """Each channel times a factor in 0 … 1 that follows from all channels' means."""
    se = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    se = layers.Reshape((1, 1, x.shape[-1]), name=f"{name}se_reshape")(se)
    for count, activation, part in ((filters, "silu", "reduce"), (x.shape[-1], "sigmoid", "expand")):
        options: dict[str, Any] = {"padding": "same", "activation": activation, "kernel_initializer": START}
        se = layers.Conv2D(count, 1, name=f"{name}se_{part}", **options)(se)
    return layers.Multiply(name=f"{name}se_excite")([x, se])


def block(x: Any, size: int, before: int, after: int, expansion: int, stride: int, dropped: float, name: str) -> Any:
    """An expansion, a convolution of each channel, a factor for each, and a projection, which rows may leave out."""
    inputs = x
    if expansion != 1:
        x = convolved(x, before * expansion, f"{name}expand_conv", f"{name}expand_bn")
        x = activated(x, f"{name}expand_activation")
    if stride == 2:
        x = layers.ZeroPadding2D(correct_pad(x.shape[1:], size), name=f"{name}dwconv_pad")(x)
    options: dict[str, Any] = {
        "padding": "valid" if stride == 2 else "same",
        "use_bias": False,
        "depthwise_initializer": START,
    }
    x = layers.DepthwiseConv2D(size, stride, name=f"{name}dwconv", **options)(x)
    x = activated(layers.BatchNormalization(name=f"{name}bn")(x), f"{name}activation")
    x = excited(x, max(1, int(before * 0.25)), name)
    x = convolved(x, after, f"{name}project_conv", f"{name}project_bn")
    if stride != 1 or before != after:
        return x
    if dropped > 0:
        x = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, inputs])


def body(x: Any, width: float, depth: float) -> Any:
    """All but the classes."""
    x = layers.Normalization()(layers.Rescaling(1.0 / 255.0)(x))
    x = layers.ZeroPadding2D(correct_pad(x.shape[1:], 3), name="stem_conv_pad")(x)
    x = convolved(x, divisible(32 * width), "stem_conv", "stem_bn", 3, strides=2, padding="valid")
    x = activated(x, "stem_activation")
    number, blocks = 0, sum(math.ceil(depth * stage[1]) for stage in STAGES)
    for k, (size, count, before, after, expansion, stride) in enumerate(STAGES, 1):
        old, new = divisible(before * width), divisible(after * width)
        for n in range(math.ceil(depth * count)):
            first = n == 0
            sizes = (size, old if first else new, new, expansion, stride if first else 1)
            x = block(x, *sizes, 0.2 * number / blocks, f"block{k}{chr(97 + n)}_")
            number += 1
    return activated(convolved(x, divisible(1280 * width), "top_conv", "top_bn"), "top_activation")


def classified(x: Any, classes: int, activation: Any, dropped: float) -> Any:
    """The probabilities."""
    x = layers.Dropout(dropped, name="top_dropout")(layers.GlobalAveragePooling2D(name="avg_pool")(x))
    start = VarianceScaling(1.0 / 3.0, "fan_out", "uniform")
    return layers.Dense(classes, activation, kernel_initializer=start, name="predictions")(x)


def made(variant: int) -> Application:
    """The function for one of the eight networks."""
    width, depth, size, dropped = SIZES[variant]
    return application(
        f"EfficientNetB{variant}",
        f"""EfficientNet B{variant} (Tan and Le, ICML 2019), for images of {size} × {size}.

    Pixels from 0 to 255 go in, as the network scales them. The arguments are those of `ResNet50`.
    """,
        partial(body, width=width, depth=depth),
        partial(classified, dropped=dropped),
        size,
    )


EfficientNetB0, EfficientNetB1, EfficientNetB2, EfficientNetB3 = map(made, range(4))
EfficientNetB4, EfficientNetB5, EfficientNetB6, EfficientNetB7 = map(made, range(4, 8))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """x itself, as the network scales the pixels.

    >>> preprocess_input(3)
    3
    """
    return x
