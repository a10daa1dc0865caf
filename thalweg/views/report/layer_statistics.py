"""What happened inside the layers while the network trained: norms, ratios, dead units, histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.views.report.subject import Array, Figure, Subject, Text, both, thinned
from thalweg.views.report.training_curves import curves

MOST_SAMPLES = 300
MOST_LAYERS = 8
TIMES, DRAWN = 40, 3
"""Times, and layers, of which histograms are drawn."""
STATISTICS: dict[str, tuple[Text, Text]] = {
    "update_ratio": (
        both("Update-to-weight ratio", "更新量與權重之比"),
        both(
            "mean |Δw| / mean |w| of a step, by layer. About 0.001 is common; far above 0.1 the steps tear down what "
            "was learned, far below 0.0001 next to nothing happens.",
            "每一步的 mean |Δw| / mean |w|（逐層）。常見約為 0.001；遠高於 0.1 表示步伐會毀掉已學到的，"
            "遠低於 0.0001 則幾乎沒有變化。",
        ),
    ),
    "gradient_norm": (
        both("Norm of the gradients", "梯度的範數"),
        both(
            "By layer. If the first layers' is a thousandth of the last one's, the gradient vanishes on its way back.",
            "逐層。若最前面的層只有最後一層的千分之一，表示梯度在反向傳播途中消失了。",
        ),
    ),
    "weight_norm": (both("Norm of the weights", "權重的範數"), both("By layer.", "逐層。")),
    "activation_std": (
        both("Spread of the activations", "激勵值的分散程度"),
        both("Standard deviation of each layer's outputs on sample rows.", "各層輸出在樣本列上的標準差。"),
    ),
    "activation_mean": (
        both("Mean of the activations", "激勵值的平均"),
        both("Of each layer's outputs on sample rows.", "各層輸出在樣本列上的平均。"),
    ),
    "dead": (
        both("Dead units", "死亡的單元"),
        both(
            "The share of units that no sample row activates; such a unit learns nothing any more.",
            "沒有任何樣本列能激勵的單元所占比例；這樣的單元不再學習。",
        ),
    ),
    "saturated": (
        both("Saturated units", "飽和的單元"),
        both(
            "The share of pre-activations beyond ±5, where the activation is flat.",
            "激勵前數值超過 ±5 的比例，激勵函數在那裡是平的。",
        ),
    ),
    "equal_units": (
        both("Equal units", "相同的單元"),
        both(
            "The share of units that have an equal twin: they compute the same, and learn the same.",
            "與另一個單元完全相同的比例：它們計算相同、學到的也相同。",
        ),
    ),
}
"""By name: title and note, in the order in which they are shown."""
SHARES = ("dead", "saturated", "equal_units")
KINDS: dict[str, tuple[str, str]] = {
    "weights": ("weights", "權重"),
    "gradients": ("gradients", "梯度"),
    "activations": ("activations", "激勵值"),
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
        text.append(both(f"Of {len(recording.layers)} layers: {shown}.", f"{len(recording.layers)} 層中的：{shown}。"))
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
    series = [
        {"name": recording.layers[k], "x": x, "y": values[keep, k]} for k in layers.tolist() if known[keep, k].any()
    ]
    title, note = STATISTICS[name]
    return curves(title, series, both("step", "步"), title, note) if series else None


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
    en, zh = KINDS[name]
    return {
        "kind": "histograms",
        "title": both(f"{recording.layers[layer]}: {en} over time", f"{recording.layers[layer]}：{zh}隨時間的分布"),
        "counts": counts[there].astype(np.int32),
        "low": low[there],
        "high": high[there],
        "times": np.asarray(recording.iterations, np.float64)[keep][there],
        "time_label": both("step", "步"),
    }
