"""Layers, the building blocks of a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from thalweg.activations import CustomFunction
from thalweg.errors import ArgumentError
from thalweg.layers import (
    activation,
    aliases,
    attention,
    augmentation,
    containers,
    convolution,
    core,
    embedding,
    lookups,
    merging,
    noise,
    normalization,
    numerical,
    pooling,
    recurrent,
    separable,
    shapes,
    transposed,
    volumes,
)
from thalweg.layers.activation import *  # noqa: F403 — a new layer is named only in its own file
from thalweg.layers.aliases import *  # noqa: F403
from thalweg.layers.attention import *  # noqa: F403
from thalweg.layers.augmentation import *  # noqa: F403
from thalweg.layers.containers import *  # noqa: F403
from thalweg.layers.convolution import *  # noqa: F403
from thalweg.layers.core import *  # noqa: F403
from thalweg.layers.embedding import *  # noqa: F403
from thalweg.layers.layer import Layer, serialize
from thalweg.layers.lookups import *  # noqa: F403
from thalweg.layers.merging import *  # noqa: F403
from thalweg.layers.noise import *  # noqa: F403
from thalweg.layers.normalization import *  # noqa: F403
from thalweg.layers.numerical import *  # noqa: F403
from thalweg.layers.pooling import *  # noqa: F403
from thalweg.layers.products import einsum_dense
from thalweg.layers.products.einsum_dense import *  # noqa: F403
from thalweg.layers.recurrent import *  # noqa: F403
from thalweg.layers.separable import *  # noqa: F403
from thalweg.layers.shapes import *  # noqa: F403
from thalweg.layers.transposed import *  # noqa: F403
from thalweg.layers.volumes import *  # noqa: F403
from thalweg.support.naming import answer_for, choose
from thalweg.support.registry import REGISTERED, custom_object_scope

CustomObjects = Mapping[str, type[Layer] | CustomFunction]
HOLDERS = (containers.Container, containers.Wrapper, recurrent.Bidirectional, recurrent.RNN, recurrent.StackedRNNCells)
HELD = ("backward_layer", "branches", "cell", "cells", "layer", "layers", "shortcut")  # their arguments that are layers

__all__ = ["Layer", "deserialize", "serialize"]
__all__ += activation.__all__
__all__ += attention.__all__
__all__ += augmentation.__all__
__all__ += containers.__all__
__all__ += convolution.__all__
__all__ += core.__all__
__all__ += einsum_dense.__all__
__all__ += embedding.__all__
__all__ += merging.__all__
__all__ += lookups.__all__
__all__ += noise.__all__
__all__ += normalization.__all__
__all__ += numerical.__all__
__all__ += pooling.__all__
__all__ += recurrent.__all__
__all__ += separable.__all__
__all__ += shapes.__all__
__all__ += transposed.__all__
__all__ += volumes.__all__

CLASSES: dict[str, type[Layer]] = {
    name: globals()[name]
    for name in sorted(__all__)
    if isinstance(globals().get(name), type) and name not in ("Input", "InputLayer", "Layer", "Wrapper")
}
__all__ += aliases.__all__
MODELS = {  # classes that stand above layers: imported when a description names one
    "FeatureSpace": "thalweg.utils.feature_space",
    "Functional": "thalweg.models.functional",
    "Sequential": "thalweg.models.sequential",
}


def class_named(what: str, name: str, custom_objects: CustomObjects | None) -> Any:
    """The class that a description names; an unknown one raises, with all that are known."""
    if name.removeprefix("thalweg>") in CLASSES.keys() - {name}:
        return CLASSES[name.removeprefix("thalweg>")]
    own = {key: thing for key, thing in (custom_objects or {}).items() if isinstance(thing, type)}
    found = choose(what, name, {**CLASSES, **MODELS, **REGISTERED, **own})
    return getattr(import_module(found), name) if isinstance(found, str) else found


def deserialize(description: dict[str, Any], custom_objects: CustomObjects | None = None) -> Layer:
    """A layer from what `serialize` returned; `custom_objects` holds your own classes and activations by name.

    >>> deserialize(serialize(Dense(3, name="hidden"))).units
    3
    """
    config = dict(description["config"])
    if "branches" in config:  # a name of earlier versions
        description = description | {"class_name": "Parallel"}
    kind = class_named("layer", description["class_name"], custom_objects)
    if isinstance(config.get("vocabulary"), str):  # a file of someone else's may not name files of ours
        raise ArgumentError(f"a vocabulary is saved as a list, not as the path {config['vocabulary']!r}")
    own = dict(REGISTERED) | dict(custom_objects or {})
    for key in ("activation", "recurrent_activation"):
        if isinstance(config.get(key), dict) and config[key].get("custom") in own:
            config[key] = own[config[key]["custom"]]
    with custom_object_scope(custom_objects):  # for functions that the layer looks up itself
        layer: Layer = kind.from_config(config) if hasattr(kind, "from_config") else kind(**config)
    if "trainable" in description:  # where older files have it
        layer.trainable = description["trainable"]
    return layer


def layers_of(value: Any) -> Any:
    """A container's argument, its descriptions turned into layers."""
    if isinstance(value, list):
        return [layers_of(inner) for inner in value]
    return deserialize(value) if isinstance(value, dict) else value


def with_layers(kind: Any, config: Mapping[str, Any]) -> Any:
    """`from_config` of what holds layers, whose configuration describes them.

    >>> LSTM, RNN = recurrent.LSTMCell, recurrent.RNN
    >>> RNN.from_config(RNN(LSTM(3)).get_config()).cell.units
    3
    """
    return kind(**{key: layers_of(value) if key in HELD else value for key, value in config.items()})


for _holder in HOLDERS:  # here, where all layers are known
    _holder.from_config = classmethod(with_layers)  # type: ignore[method-assign, assignment]


answer_for(__name__)
