"""What happened inside the layers while the network trained: norms, ratios, dead units, histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.chart import Chart, Curve, wide
from thalweg.views.report.subject import Array, Figure, Subject, Text, thinned

MOST_SAMPLES = 300
MOST_LAYERS = 8
TIMES, DRAWN = 40, 3
"""Times, and layers, of which histograms are drawn."""
STATISTICS: dict[str, tuple[Text, Text]] = {
    "update_ratio": (
        words.text("Update-to-weight ratio"),
        words.text(
            "mean |Δw| / mean |w| of a step, by layer. About 0.001 is common; far above 0.1 the steps tear "
            "down what was learned, far below 0.0001 next to nothing happens."
        ),
    ),
    "gradient_norm": (
        words.text("Norm of the gradients"),
        words.text(
            "By layer. If the first layers' is a thousandth of the last one's, the gradient vanishes on its way back."
        ),
    ),
    "weight_norm": (words.text("Norm of the weights"), words.text("By layer.")),
    "activation_std": (
        words.text("Spread of the activations"),
        words.text("Standard deviation of each layer's outputs on sample rows."),
    ),
    "activation_mean": (words.text("Mean of the activations"), words.text("Of each layer's outputs on sample rows.")),
    "dead": (
        words.text("Dead units"),
        words.text("The share of units that no sample row activates; such a unit learns nothing any more."),
    ),
    "saturated": (
        words.text("Saturated units"),
        words.text("The share of pre-activations beyond ±5, where the activation is flat."),
    ),
    "equal_units": (
        words.text("Equal units"),
        words.text("The share of units that have an equal twin: they compute the same, and learn the same."),
    ),
}
"""By name: title and note, in the order in which they are shown."""
SHARES = ("dead", "saturated", "equal_units")
KINDS = {
    "weights": words.text("weights", context="of a layer"),
    "gradients": words.text("gradients"),
    "activations": words.text("activations"),
}


def layer_statistics(subject: Subject) -> dict[str, Any] | None:
    """The section; None without a recording of layers."""
    recording = subject.recording
    if recording is None or len(recording.iterations) < 2 or not recording.layers:
        return None
    layers = thinned(len(recording.layers), MOST_LAYERS)
    figures = [f for name in STATISTICS if (f := over_time(recording, name, layers)) is not None]
    figures += [
        f
        for name in KINDS
        for layer in thinned(len(recording.layers), DRAWN).tolist()
        if (f := histogram(recording, name, layer)) is not None
    ]
    if not figures:
        return None
    text: list[Text] = []
    if len(layers) < len(recording.layers):
        shown = ", ".join(recording.layers[k] for k in layers)
        text.append(words.text("Of {count} layers: {shown}.", count=len(recording.layers), shown=shown))
    return {"id": "layers", "text": text, "figures": figures}


def over_time(recording: Any, name: str, layers: Array) -> Figure | None:
    """A statistic of each layer over the steps; None if it says nothing: no numbers, or a share that stays 0."""
    values = recording.statistics.get(name)
    if values is None:
        return None
    values = np.asarray(values, np.float64)
    keep = thinned(len(values), MOST_SAMPLES)
    known = np.isfinite(values)
    if not known.any() or (name in SHARES and not np.any(values[known] > 0)):
        return None
    x = np.asarray(recording.iterations, np.float64)[keep]
    curves = [Curve(recording.layers[k], x, values[keep, k]) for k in layers.tolist() if known[keep, k].any()]
    title, note = STATISTICS[name]
    return Chart(title, curves, words.text("step"), note=note, log_y=wide(curves)).figure() if curves else None


def histogram(recording: Any, name: str, layer: int) -> Figure | None:
    """How the numbers of a layer were distributed over the steps."""
    if name not in recording.histograms:
        return None
    counts, low, high = recording.histograms[name]
    keep = thinned(len(counts), TIMES)
    counts, low, high = (np.asarray(part)[keep, layer] for part in (counts, low, high))
    there = np.isfinite(low) & np.isfinite(high) & (counts.sum(axis=1) > 0)
    if there.sum() < 2:
        return None
    return {
        "kind": "histograms",
        "title": words.text("{layer}: {kind} over time", layer=recording.layers[layer], kind=KINDS[name]),
        "counts": counts[there].astype(np.int32),
        "low": low[there],
        "high": high[there],
        "times": np.asarray(recording.iterations, np.float64)[keep][there],
        "time_label": words.text("step"),
    }
