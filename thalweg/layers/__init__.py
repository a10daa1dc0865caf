"""Layers: what a network is described with."""

from __future__ import annotations

from typing import Any

from thalweg.layers.base import Layer
from thalweg.layers.core import Activation, Add, Dense, Dropout, Flatten, Input, LeakyReLU
from thalweg.naming import choose

__all__ = ["Activation", "Add", "Dense", "Dropout", "Flatten", "Input", "Layer", "LeakyReLU", "deserialize", "serialize"]

CLASSES: dict[str, type[Layer]] = {
    c.__name__: c for c in (Activation, Add, Dense, Dropout, Flatten, Input, LeakyReLU)
}  # fmt: skip


def serialize(layer: Layer) -> dict[str, Any]:
    """A plain description that `deserialize` turns back into an equal layer, without its weights."""
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(description: dict[str, Any]) -> Layer:
    """A layer from what `serialize` returned.

    >>> deserialize(serialize(Dense(3, name="hidden"))).units
    3
    """
    config = dict(description["config"])
    if description["class_name"] == "Add":
        config["layers"] = [deserialize(inner) for inner in config["layers"]]
    return choose("layer", description["class_name"], CLASSES)(**config)
