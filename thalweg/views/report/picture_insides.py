"""What a network on images looks at: kernels, feature maps, saliency."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.report.convnet_figures import kernel_figures, map_figures, saliency_figure
from thalweg.views.report.subject import Clock, Figure, PictureInputs, Subject, Text
from thalweg.views.report.worst_rows import CAPTIONS, caption

LEAST = 0.2
BACKWARD = 3.0
"""How many times as long as forward it takes forward and back."""
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
        seconds = np.inf  # that one picture takes in NumPy
        if clock.has(LEAST, words.text("feature maps")):
            if held is not None and subject.classes:
                said = caption(subject, held, int(inputs.at[0]))
                text.append(words.text("The feature maps are of this picture: {said}.", said=said))
            begin = time.perf_counter()
            figures += map_figures(network.model, inputs.x[:1])
            seconds = time.perf_counter() - begin
        what = words.text("saliency")
        if held is not None and subject.classes and clock.has(BACKWARD * seconds, what):
            figures.append(salient(subject, inputs, int(clock.left / 2 / (BACKWARD * seconds))))
    if not figures:
        return None
    return {"id": "convolutions", "text": text, "figures": figures}


def salient(subject: Subject, inputs: PictureInputs, most: int) -> Figure:
    """A picture of each class, `most` at most, and the pixels on which its prediction depends."""
    held, network = subject.held, subject.network
    assert held is not None
    assert network is not None
    at = inputs.at[: inputs.random]
    _, first = np.unique(held.truth[at], return_index=True)
    count = len(first)
    first = np.sort(first)[: max(1, min(most, MOST_PICTURES))]
    guesses = held.guesses[at[first]].astype(np.int64)
    captions = [caption(subject, held, place) for place in at[first].tolist()]
    units = network.model.row_out[-1]
    answers = guesses if units > 1 else np.zeros(len(guesses), np.int64)
    figure = saliency_figure(network.model, inputs.x[first], answers, captions)
    note = words.text("{note} {more}", note=figure["note"], more=CAPTIONS)
    if len(first) < count:
        note = words.text("{note} Of {shown} of {count} classes.", note=note, shown=len(first), count=count)
    return figure | {"note": note}
