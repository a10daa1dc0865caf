"""VGG16 (Simonyan and Zisserman, ICLR 2015), as Keras builds it."""

from __future__ import annotations

from functools import partial
from typing import Any

from thalweg import layers
from thalweg.applications.imagenet_utils import application, decode_predictions, preprocess_input

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]


def body(x: Any, convolutions: tuple[int, ...]) -> Any:
    """Five blocks of convolutions, after each of which the image halves."""
    for k, count in enumerate(convolutions, 1):
        filters = min(64 * 2 ** (k - 1), 512)
        for n in range(1, count + 1):
            x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=f"block{k}_conv{n}")(x)
        x = layers.MaxPooling2D(2, strides=2, name=f"block{k}_pool")(x)
    return x


def classified(x: Any, classes: int, activation: Any) -> Any:
    """The probabilities."""
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, "relu", name=name)(x)
    return layers.Dense(classes, activation, name="predictions")(x)


stacked = partial(application, head=classified, names_pooling=False)

VGG16 = stacked(
    "VGG16",
    """VGG16 (Simonyan and Zisserman, ICLR 2015). The arguments are those of `ResNet50`.

    >>> VGG16(include_top=False, weights=None, input_shape=(32, 32, 3)).output_shape
    (None, 1, 1, 512)
    """,
    partial(body, convolutions=(2, 2, 3, 3, 3)),
)
