"""Layers: what a network is described with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.activations import CustomFunction
from thalweg.layers.activation import ELU, ActivityRegularization, LeakyReLU, PReLU, ReLU, Softmax
from thalweg.layers.adapted import Normalization
from thalweg.layers.augmentation import (
    RandomContrast,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from thalweg.layers.containers import Concatenate, Residual
from thalweg.layers.convolution import Conv2D
from thalweg.layers.core import Activation, Dense, Dropout, Flatten, Input, Rescaling
from thalweg.layers.layer import Layer, serialize
from thalweg.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D
from thalweg.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from thalweg.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from thalweg.layers.separable import Conv1D, DepthwiseConv2D, SeparableConv2D
from thalweg.layers.shapes import Cropping2D, Permute, Reshape, UpSampling2D, ZeroPadding2D
from thalweg.layers.transposed import Conv1DTranspose, Conv2DTranspose
from thalweg.support.naming import choose

CustomObjects = Mapping[str, type[Layer] | CustomFunction]

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GroupNormalization",
    "Input",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Normalization",
    "PReLU",
    "Permute",
    "RandomContrast",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Residual",
    "SeparableConv2D",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "UpSampling2D",
    "ZeroPadding2D",
    "deserialize",
    "serialize",
]

CLASSES: dict[str, type[Layer]] = {
    name: globals()[name] for name in __all__ if name not in ("Layer", "deserialize", "serialize")
}


def deserialize(description: dict[str, Any], custom_objects: CustomObjects | None = None) -> Layer:
    """A layer from what `serialize` returned; `custom_objects` holds your own classes and activations by name.

    >>> deserialize(serialize(Dense(3, name="hidden"))).units
    3
    """
    config = dict(description["config"])
    if description["class_name"] in ("Residual", "Concatenate"):
        config = {key: layers_of(value, custom_objects) for key, value in config.items()}
    own = dict(custom_objects or {})
    activation = config.get("activation")
    if isinstance(activation, dict) and activation.get("custom") in own:
        config["activation"] = own[activation["custom"]]
    classes = {name: thing for name, thing in own.items() if isinstance(thing, type)}
    layer = choose("layer", description["class_name"], CLASSES | classes)(**config)
    layer.trainable = description.get("trainable", True)
    return layer


def layers_of(value: Any, custom_objects: CustomObjects | None) -> Any:
    """A container's argument, with layers for their descriptions."""
    if isinstance(value, list):
        return [layers_of(inner, custom_objects) for inner in value]
    return deserialize(value, custom_objects) if isinstance(value, dict) else value
