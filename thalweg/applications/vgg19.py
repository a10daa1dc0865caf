"""VGG19 (Simonyan and Zisserman, ICLR 2015), as Keras builds it."""

from __future__ import annotations

from functools import partial

from thalweg.applications.imagenet_utils import decode_predictions, preprocess_input
from thalweg.applications.vgg16 import body, stacked

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = stacked(
    "VGG19",
    """VGG19 (Simonyan and Zisserman, ICLR 2015). The arguments are those of `ResNet50`.

    >>> VGG19(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg").output_shape
    (None, 512)
    """,
    partial(body, convolutions=(2, 2, 4, 4, 4)),
)
