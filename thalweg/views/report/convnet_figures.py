"""Figures of networks on images: kernels, feature maps, and the pixels that a class depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.recordings.compiled_model import WholeModel
from thalweg.views.insides.forward_pass import input_gradient, maps, passed

Array = NDArray[Any]
Figure = dict[str, Any]
MOST = 32
"""Kernels, or maps of a layer, that are shown."""


def kernel_figures(model: WholeModel, layers: int = 3) -> list[Figure]:
    """The kernels of the first convolutions, each filter as a picture; none if there is no convolution.

    Those of the first convolution with 1 or 3 input channels as they are, in grey or in colour, mid-grey being 0; of
    later ones the mean over the input channels.
    """
    figures: list[Figure] = []
    for path, parameter in model.named_parameters():
        array = parameter.array
        if array is None or array.ndim != 4 or array.shape[0] * array.shape[1] == 1:
            continue
        name, channels, filters = path.partition("/")[0], array.shape[2], array.shape[3]
        shown = np.moveaxis(array[..., :MOST], -1, 0)
        averaged = channels not in (1, 3)
        cells = signed_pixels(shown.mean(axis=3, keepdims=True) if averaged else shown)
        size = f"{array.shape[0]}×{array.shape[1]}×{channels}"
        note = words.text("Mid-grey is 0, lighter is positive, darker is negative.")
        if averaged:
            note = words.text("The mean over the input channels. {note}", note=note)
        figures.append(
            {
                "kind": "images",
                "title": words.text("Kernels of {layer}: {filters} of {size}", layer=name, filters=filters, size=size),
                "note": note,
                "images": cells,
                "captions": [str(k) for k in range(len(cells))],
                "scale": 40 / array.shape[0],
            }
        )
        if len(figures) == layers:
            break
    return figures


def map_figures(model: WholeModel, x: Array, layers: int = 6) -> list[Figure]:
    """What each layer makes of one picture (1, height, width, channels): up to 32 maps of each of the first layers.

    Each map in its own range, from black to white; one that is the same everywhere is black.
    """
    figures: list[Figure] = []
    for name, value in maps(passed(model, x)).items():
        cells = np.moveaxis(value[0], -1, 0)[:MOST, :, :, None]
        if cells.shape[1] * cells.shape[2] <= 1:
            continue
        count, (height, width) = value.shape[3], cells.shape[1:3]
        figures.append(
            {
                "kind": "images",
                "title": words.text(
                    "Feature maps {name}, {count} of {height}×{width}",
                    name=name,
                    count=count,
                    height=height,
                    width=width,
                ),
                "images": np.stack([grey(cell) for cell in cells]),
                "captions": [str(k) for k in range(len(cells))],
                "scale": 56 / max(height, width),
            }
        )
    return figures[:layers]


def saliency_figure(model: WholeModel, x: Array, classes: Array, captions: Sequence[Any]) -> Figure:
    """Pictures (n, height, width, channels) and, over each, how much each pixel moves the score of a class.

    The overlay is ∂hₖ/∂x, of colours the channel in which it is greatest, scaled to −1 … 1 by its own greatest size.
    """
    slope = input_gradient(model, x, classes)
    place = np.abs(slope).argmax(axis=3)[..., None]
    strongest = np.take_along_axis(slope, place, axis=3)[..., 0]
    limit = np.abs(strongest).max(axis=(1, 2), keepdims=True)
    return {
        "kind": "images",
        "title": words.text("Saliency: the pixels that matter"),
        "note": words.text("Orange: a brighter pixel raises the score of the predicted class; blue: it lowers it."),
        "images": pixels(x),
        "overlay": strongest / np.where(limit, limit, 1),
        "captions": list(captions),
        "scale": 84 / x.shape[1],
    }


def pixels(x: Array) -> Array:
    """Pictures as bytes: bytes as they are; floats from 0 … 1, or from their own range if they leave it."""
    if x.dtype == np.uint8:
        return x
    low, high = (0.0, 1.0) if x.min() >= 0 and x.max() <= 1 else (float(x.min()), float(x.max()))
    return np.round((x - low) / ((high - low) or 1) * 255).astype(np.uint8)


def signed_pixels(cells: Array) -> Array:
    """Signed numbers as bytes: 0 is 128, the greatest size of all 255, or 1."""
    limit = float(np.abs(cells).max()) or 1.0
    return np.round(128 + 127 * cells / limit).astype(np.uint8)


def grey(cell: Array) -> Array:
    """Numbers as bytes, from the least to the greatest."""
    low, high = float(cell.min()), float(cell.max())
    return np.round((cell - low) / ((high - low) or 1) * 255).astype(np.uint8)
