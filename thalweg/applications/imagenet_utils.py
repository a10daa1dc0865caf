"""What the networks for images share: their input and output, weights out of files, pixels, names of classes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from thalweg import layers, ops
from thalweg.errors import ArgumentError, NotFoundError, ShapeError
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.ops.tensor import Operators, Symbol
from thalweg.support.naming import choose

__all__ = ["decode_predictions", "preprocess_input"]

Weights = str | Path | None
Shape = Sequence[int] | None
MEANS = {"caffe": (123.68, 116.779, 103.939), "torch": (0.485, 0.456, 0.406)}  # of red, green and blue
DEVIATIONS = (0.229, 0.224, 0.225)


class Application(Protocol):
    """What builds a network, by Keras's arguments: those of `ResNet50`, whose docstring says what they are."""

    def __call__(
        self,
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        input_shape: Shape = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = ...,
    ) -> Model: ...


def application(
    called: str,
    doc: str,
    body: Callable[[Any], Any],
    head: Callable[..., Any],
    size: int = 224,
    least: int = 32,
    names_pooling: bool = True,
) -> Application:
    """The function of that name that builds a network of `body(images)` and `head(x, classes, activation)`."""

    def build(
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        input_shape: Shape = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = called.lower(),
    ) -> Model:
        top = partial(head, classes=classes, activation=classifier_activation)
        of_images = input_tensor, input_shape, pooling, classifier_activation, size, least, names_pooling
        return network(body, top, name, include_top, weights, *of_images)

    build.__name__ = build.__qualname__ = called
    build.__doc__, build.__module__ = doc, sys._getframe(1).f_globals["__name__"]
    return build


def network(
    body: Callable[[Any], Any],
    head: Callable[[Any], Any],
    name: str,
    include_top: bool,
    weights: Weights,
    input_tensor: Any,
    input_shape: Shape,
    pooling: str | None,
    classifier_activation: Any,
    size: int,
    least: int,
    names_pooling: bool = True,
) -> Model:
    """A network of a body, and behind it a head with classes, or pooling, which has a name if `names_pooling`."""
    check_weights(weights, classifier_activation, include_top)
    image = input_of(input_tensor, input_shape, include_top, size, least)
    x = body(image)
    if include_top:
        x = head(x)
    elif pooling is not None:
        choose("pooling", pooling, ("avg", "max"))
        kind = layers.GlobalAveragePooling2D if pooling == "avg" else layers.GlobalMaxPooling2D
        x = kind(name=f"{pooling}_pool" if names_pooling else None)(x)
    model = Functional(sources(image), x, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model


def check_weights(weights: Weights, classifier_activation: Any, include_top: bool) -> None:
    """Raises for weights that aren't there."""
    if weights is None:
        return
    if weights == "imagenet":
        raise ArgumentError(
            "weights='imagenet' would have to be downloaded: give the path to the file that Keras keeps in "
            "~/.keras/models or that its model.save_weights wrote, or None for weights to be trained"
        )
    if not Path(weights).exists():
        raise NotFoundError(f"weights are None, or the path to a file of Keras's weights; there is no {str(weights)!r}")
    if include_top and classifier_activation not in (None, "softmax"):
        raise ArgumentError(
            "classifier_activation has to be None or 'softmax' for weights out of a file, got "
            f"{classifier_activation!r}"
        )


def input_of(input_tensor: Any, input_shape: Shape, include_top: bool, size: int, least: int) -> Symbol:
    """The images: a tensor that was given, or an input of the usual shape or another one."""
    if input_tensor is not None:
        if not isinstance(input_tensor, Symbol) or len(input_tensor.shape) != 4:
            raise ArgumentError(f"input_tensor is a tensor of images, such as Input((64, 64, 3)), got {input_tensor!r}")
        if input_shape is not None and tuple(input_shape) != input_tensor.shape[1:]:
            raise ShapeError(f"input_shape is {tuple(input_shape)}, but input_tensor is {input_tensor.shape}")
        shape = input_tensor.row_shape
    elif input_shape is not None:
        shape = tuple(input_shape)
    elif include_top:
        shape = (size, size, 3)
    else:
        raise ArgumentError(
            f"without its top, the network needs an input_shape, such as ({size}, {size}, 3): all images have one size"
        )
    if len(shape) != 3 or None in shape or min(shape[:2]) < least:
        raise ShapeError(f"input_shape is (height, width, channels), at least {least} × {least}, got {shape}")
    return layers.Input(shape) if input_tensor is None else input_tensor


def sources(tensor: Symbol) -> Any:
    """The inputs of which a tensor is computed: one, or a list."""
    found: dict[int, Symbol] = {}
    waiting = [tensor]
    while waiting:
        one = waiting.pop()
        if one.node is None:
            found[id(one)] = one
        else:
            waiting += one.node.inputs()
    inputs = list(found.values())
    return inputs[0] if len(inputs) == 1 else inputs


def correct_pad(shape: Sequence[int], kernel_size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The zeros in front of a convolution with strides of 2: one less at the top and left of images of even sizes."""
    half = kernel_size // 2
    down, across = ((half - (1 - n % 2), half) for n in shape[:2])
    return down, across


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pixels from 0 to 255, red, green and blue, as a network was trained on them; x itself isn't changed.

    Args:
        x: images (rows, height, width, 3), or one alone: an array, or a tensor of a network.
        data_format: None or "channels_last".
        mode: "caffe": blue, green, red, each minus its mean; "tf": −1 … 1; "torch": each by its mean and deviation.

    >>> preprocess_input([[[255.0, 0.0, 127.5]]], mode="tf").tolist()
    [[[1.0, -1.0, 0.0]]]
    """
    choose("mode", mode, ("caffe", "tf", "torch"))
    if data_format not in (None, "channels_last"):
        raise ArgumentError(f"images are (height, width, channels): data_format='channels_last', not {data_format!r}")
    if not isinstance(x, Operators):
        x = np.asarray(x)
        x = x if x.dtype.kind == "f" else x.astype(np.float32)
    if mode == "tf":
        return x / 127.5 - 1.0
    if ops.shape(x)[-1] != 3:
        raise ShapeError(f"preprocess_input takes images of three channels, got the shape {ops.shape(x)}")
    dtype = np.float64 if isinstance(x, Operators) else x.dtype
    means = np.asarray(MEANS[mode], dtype)
    if mode == "torch":
        return (x / 255.0 - means) / np.asarray(DEVIATIONS, dtype)
    return ops.flip(x - means, -1)


def decode_predictions(
    preds: Any, top: int = 5, *, class_index: str | Path | Mapping[str, Sequence[str]] | None = None
) -> list[list[tuple[str, str, float]]]:
    """The classes of ImageNet that a network finds likeliest: for each row (class, name, probability), best first.

    Args:
        preds: probabilities (rows, 1000).
        top: how many.
        class_index: the names, which aren't shipped: the path to Keras's imagenet_class_index.json, or what it holds.

    >>> names = {str(k): (f"n{k}", f"thing {k}") for k in range(1000)}
    >>> decode_predictions(np.eye(1000)[7:8], top=1, class_index=names)
    [[('n7', 'thing 7', 1.0)]]
    """
    probabilities = np.asarray(preds)
    if probabilities.ndim != 2 or probabilities.shape[1] != 1000:
        raise ShapeError(f"decode_predictions takes probabilities (rows, 1000), got the shape {probabilities.shape}")
    if class_index is None:
        raise ArgumentError(
            "the names of ImageNet's classes aren't shipped: give the path to Keras's imagenet_class_index.json, "
            "which it keeps in ~/.keras/models, as class_index"
        )
    if not isinstance(class_index, Mapping):
        class_index = dict(json.loads(Path(class_index).read_text(encoding="utf-8")))
    found = []
    for row in probabilities:
        best = np.argsort(-row, kind="stable")[:top]
        found.append([(*map(str, class_index[str(k)]), float(row[k])) for k in best])
    return found  # type: ignore[return-value]
