"""Layers: what a network is described with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.layers.base import Layer
from thalweg.layers.convolution import Conv2D
from thalweg.layers.core import Activation, Add, Dense, Dropout, Flatten, Input, LeakyReLU
from thalweg.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, MaxPooling2D
from thalweg.naming import choose

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "Input",
    "Layer",
    "LeakyReLU",
    "MaxPooling2D",
    "deserialize",
    "serialize",
]

CLASSES: dict[str, type[Layer]] = {
    c.__name__: c
    for c in (
        Activation, Add, AveragePooling2D, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D, Input, LeakyReLU,
        MaxPooling2D,
    )
}  # fmt: skip


def serialize(layer: Layer) -> dict[str, Any]:
    """A plain description that `deserialize` turns back into an equal layer, without its weights."""
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(description: dict[str, Any], custom_objects: Mapping[str, type[Layer]] | None = None) -> Layer:
    """A layer from what `serialize` returned; `custom_objects` holds your own classes by name.

    >>> deserialize(serialize(Dense(3, name="hidden"))).units
    3
    """
    config = dict(description["config"])
    if description["class_name"] == "Add":
        config["layers"] = [deserialize(inner, custom_objects) for inner in config["layers"]]
    return choose("layer", description["class_name"], CLASSES | dict(custom_objects or {}))(**config)
