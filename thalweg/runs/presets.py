"""Networks for images: presets, and layers from a YAML file."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thalweg import layers
from thalweg.errors import ArgumentError, NotFoundError, ThalwegError
from thalweg.support.extras import need
from thalweg.support.naming import choose
from thalweg.support.untrusted import readable, reason

Shape = tuple[int, int, int]  # height, width, channels
# A YAML file's greatest length, number of names and numbers, and depth of nested lists.
MOST_BYTES, MOST_NODES, MOST_DEPTH = 1_000_000, 100_000, 100
LEAST = 6  # pixels: a smaller picture is not halved again


def mlp(shape: Shape) -> list[layers.Layer]:
    """Two dense layers on all pixels, without regard to which are neighbours."""
    stack: list[layers.Layer] = [layers.Flatten()]
    for units in (256, 128):
        stack += [layers.Dense(units, "relu", kernel_initializer="he_normal"), layers.Dropout(0.2)]
    return stack


def simple(shape: Shape) -> list[layers.Layer]:
    """Keras's "simple MNIST convnet" (Chollet 2015): 32 and 64 filters, max pooling, half of the features dropped."""
    stack: list[layers.Layer] = []
    side = min(shape[:2])
    for filters in (32, 64):
        stack.append(layers.Conv2D(filters, 3, activation="relu"))
        side -= 2
        if side >= LEAST:
            stack.append(layers.MaxPooling2D(2))
            side //= 2
    return [*stack, layers.Flatten(), layers.Dropout(0.5)]


def convnet(shape: Shape) -> list[layers.Layer]:
    """Convolutions of 32, 64 and 128 filters with batch normalisation and max pooling, then 128 dense units."""
    stack: list[layers.Layer] = []
    side = min(shape[:2])
    for number, filters in enumerate((32, 64, 128)):
        if number and side >= LEAST:
            stack.append(layers.MaxPooling2D(2))
            side //= 2
        stack += convolution(filters)
    while side >= LEAST and shape[0] * shape[1] > 32 * 32:  # large pictures: keeps the dense layer small
        stack.append(layers.MaxPooling2D(2))
        side //= 2
    dense = layers.Dense(128, "relu", kernel_initializer="he_normal")
    return [*stack, layers.Dropout(0.3), layers.Flatten(), dense, layers.Dropout(0.5)]


def resnet(shape: Shape) -> list[layers.Layer]:
    """Stages of 16, 32 and 64 filters, each with two residual blocks (He et al., CVPR 2016); the mean of each map."""
    stack = convolution(16)
    side = min(shape[:2])
    for number, filters in enumerate((16, 32, 64)):
        strides = 2 if number and side >= LEAST else 1
        side //= strides
        shortcut = [layers.Conv2D(filters, 1, strides, use_bias=False)] if number else None
        inner = [*convolution(filters, strides), *convolution(filters)[:-1]]
        stack += [layers.Residual(inner, shortcut), layers.Activation("relu")]
        inner = [*convolution(filters), *convolution(filters)[:-1]]
        stack += [layers.Residual(inner), layers.Activation("relu")]
    return [*stack, layers.GlobalAveragePooling2D()]


def convolution(filters: int, strides: int = 1) -> list[layers.Layer]:
    """3×3 convolution, batch normalisation, max(h, 0)."""
    kernel = layers.Conv2D(filters, 3, strides, "same", use_bias=False, kernel_initializer="he_normal")
    return [kernel, layers.BatchNormalization(momentum=0.9), layers.Activation("relu")]


PRESETS = {"convnet": convnet, "mlp": mlp, "resnet": resnet, "simple": simple}


def hidden_layers(model: str, shape: Shape) -> list[layers.Layer]:
    """The layers between the pixels and the output layer: of a preset, or from a .yaml file."""
    if model.endswith((".yaml", ".yml")):
        return read_layers(Path(model))
    return choose("model", model, PRESETS)(shape)


def read_layers(path: Path) -> list[layers.Layer]:
    """A list of layers from a YAML file: each a name, or a name with its arguments.

    - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
    - MaxPooling2D
    - Flatten
    - Dense: {units: 64, activation: relu}
    """
    need("yaml", "images", f"reading {path}")
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    with readable(ArgumentError, f"{path} is not YAML"):
        content = parsed(path)
    if not isinstance(content, list) or not content:
        raise ArgumentError(f"{path} has to be a list of layers, each line like '- Dense: {{units: 64}}'")
    return [make_layer(entry, path) for entry in content]


def parsed(path: Path) -> Any:
    """The content of a YAML file. Aliases (*name) are counted before they are followed: a few lines of them can stand
    for billions of layers."""
    import yaml

    if path.stat().st_size > MOST_BYTES:
        raise ArgumentError(f"{path} has more than {MOST_BYTES:,} bytes, which no description of a network needs")
    text = path.read_text("utf-8")
    nodes = spelled_out(yaml.compose(text, yaml.SafeLoader), {})
    if nodes > MOST_NODES:
        raise ArgumentError(f"{path} stands for {nodes:.3g} names and numbers, and may have {MOST_NODES:,}")
    return yaml.safe_load(text)


def spelled_out(node: Any, known: dict[int, float], depth: int = 0) -> float:
    """How many nodes a YAML node stands for once aliases are expanded: infinitely many if it contains itself.

    `known` has the nodes that are counted, and those that are being counted.
    """
    if depth > MOST_DEPTH:
        raise RecursionError
    if id(node) not in known:
        known[id(node)] = math.inf
        inside = node.value if hasattr(node, "flow_style") else ()  # a list of nodes, or of pairs of nodes
        nodes = (part for item in inside for part in (item if isinstance(item, tuple) else (item,)))
        known[id(node)] = 1 + sum(spelled_out(part, known, depth + 1) for part in nodes)
    return known[id(node)]


def branch(entries: list[Any], path: Path) -> list[Any]:
    """The layers inside a container; a list among them is a branch of its own."""
    return [branch(entry, path) if isinstance(entry, list) else make_layer(entry, path) for entry in entries]


def make_layer(entry: Any, path: Path) -> layers.Layer:
    """A layer from its name, or from {name: arguments}; the layers inside a container are made likewise."""
    if isinstance(entry, Mapping) and len(entry) == 1:
        name, arguments = next(iter(entry.items()))
    else:
        name, arguments = entry, {}
    if not isinstance(name, str) or not isinstance(arguments or {}, Mapping):
        raise ArgumentError(f"{path}: a layer is a name, or a name with arguments in braces, not {entry!r}")
    if name == "Input":
        raise ArgumentError(f"{path} begins behind the pixels: leave Input out")
    kind: Any = choose(f"layer in {path}:", name, layers.CLASSES)
    given = dict(arguments or {})
    known = [p for p in inspect.signature(kind).parameters if p != "self"]
    for argument in given:
        choose(f"argument of {name} in {path}:", argument, known)
    for argument in ("layers", "shortcut", "branches"):
        if isinstance(given.get(argument), list):
            given[argument] = branch(given[argument], path)
    try:
        layer: layers.Layer = kind(**given)
    except ThalwegError as error:
        raise ArgumentError(f"{path}: {str(error).partition(chr(10))[0]}") from None
    except Exception as error:  # an argument is missing, or of an unforeseen kind, such as a date
        raise ArgumentError(f"{path}: {name}: {reason(error).removeprefix(f'{name}: ')}") from error
    return layer
