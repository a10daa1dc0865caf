"""VGG19 (Simonyan and Zisserman, ICLR 2015), as Keras builds it."""

from __future__ import annotations

from typing import Any

from thalweg.applications.imagenet_utils import Shape, Weights, decode_predictions, preprocess_input
from thalweg.applications.vgg16 import stacked
from thalweg.models.model import Model

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]


def VGG19(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: Any = None,
    input_shape: Shape = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg19",
) -> Model:
    """VGG19 (Simonyan and Zisserman, ICLR 2015). The arguments are those of `ResNet50`.

    >>> VGG19(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg").output_shape
    (None, 512)
    """
    return stacked((2, 2, 4, 4, 4), **locals())
