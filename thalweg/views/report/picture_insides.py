"""What a network on images looks at: kernels, feature maps, saliency."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.views.report.convnet_figures import kernel_figures, map_figures, saliency_figure
from thalweg.views.report.subject import Clock, Figure, PictureInputs, Subject, Text, both

LEAST = 0.2
MOST_PICTURES = 12
MOST_PIXELS = 1 << 19
"""Of a picture: those of larger ones would take long in NumPy."""


def picture_insides(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None if the network takes no images."""
    network = subject.network
    if network is None:
        return None
    shape = network.model.row_in
    if not isinstance(shape, tuple) or len(shape) != 3:
        return None
    figures: list[Figure] = kernel_figures(network.model)
    text: list[Text] = []
    inputs, held = subject.inputs, subject.held
    if isinstance(inputs, PictureInputs) and inputs.random and int(np.prod(shape)) <= MOST_PIXELS:
        if clock.has(LEAST, both("feature maps", "特徵圖")):
            if held is not None and subject.classes:
                truth = subject.classes[int(held.truth[inputs.at[0]])]
                text.append(both(f"The feature maps are of a picture of {truth}.", f"特徵圖取自一張 {truth} 的圖。"))
            figures += map_figures(network.model, inputs.x[:1])
        if held is not None and subject.classes and clock.has(LEAST, both("saliency", "顯著圖")):
            figures.append(salient(subject, inputs))
    if not figures:
        return None
    return {
        "id": "convolutions",
        "text": text,
        "figures": figures,
    }


def salient(subject: Subject, inputs: PictureInputs) -> Figure:
    """One picture of each class, and the pixels on which its prediction depends."""
    held, network = subject.held, subject.network
    assert held is not None
    assert network is not None
    at = inputs.at[: inputs.random]
    _, first = np.unique(held.truth[at], return_index=True)
    first = np.sort(first)[:MOST_PICTURES]
    guesses = held.guesses[at[first]].astype(np.int64)
    captions = [str(subject.classes[k]) for k in guesses.tolist()]
    units = network.model.row_out[-1]
    answers = guesses if units > 1 else np.zeros(len(guesses), np.int64)
    return saliency_figure(network.model, inputs.x[first], answers, captions)
