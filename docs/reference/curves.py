"""The pictures of the reference pages: values and slopes of activations and losses, schedules, initial weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

STEP = 1e-4  # of central differences
SCHEDULES: dict[str, tuple[Any, ...]] = {  # arguments without a default, for pictures over 1,000 steps
    "ExponentialDecay": (0.1, 200, 0.5),
    "PiecewiseConstantDecay": ([300, 600], [0.1, 0.03, 0.01]),
    "PolynomialDecay": (0.1, 1000),
    "InverseTimeDecay": (0.1, 200, 1.0),
    "CosineDecay": (0.1, 1000),
    "CosineDecayRestarts": (0.1, 250),
    "OneCycle": (0.1, 1000),
    "Coslog4": (0.1, 1000),
    "FlatCos": (0.1, 1000),
}


def figure(height: float = 2.6) -> tuple[Figure, Any]:
    drawing = Figure(figsize=(5.2, height), layout="constrained")
    axes = drawing.subplots()
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.grid(True, color="0.93")
    axes.set_axisbelow(True)
    return drawing, axes


def slope(f: Callable[[Any], Any], x: Any) -> Any:
    """f'(x) by central differences; none across a jump, where it would be a needle."""
    steep = (f(x + STEP) - f(x - STEP)) / (2 * STEP)
    return np.where(np.abs(steep) > 100, np.nan, steep)


def activation(name: str, function: Any, path: Path) -> bool:
    """f and f'; of a function of a row, its first output for the row (x, 0)."""
    if getattr(function, "missing", ()):
        function = function.using(**dict.fromkeys(function.missing, 1.0))
    x = np.linspace(-4, 4, 801)
    rowwise = bool(getattr(function, "rowwise", name == "softmax"))

    def f(x: Any) -> Any:
        return np.asarray(function(np.stack([x, 0 * x], axis=1)))[:, 0] if rowwise else np.asarray(function(x))

    drawing, axes = figure()
    axes.axvline(0, color="0.8", linewidth=0.8)
    axes.plot(x, f(x), label="a₁ for the row (x, 0)" if rowwise else "f(x)")
    axes.plot(x, slope(f, x), "--", label="its derivative by x" if rowwise else "f′(x)")
    axes.set_ylim(max(-4, axes.get_ylim()[0]), min(4, axes.get_ylim()[1]))
    axes.set_xlabel("x")
    axes.legend(fontsize=8)
    drawing.savefig(path)
    return True


def loss(name: str, kind: Any, path: Path) -> bool:
    """ℓ and its derivative by one prediction, for a target of 1 (numbers: 0); a loss of another form has no curve."""
    if name == "CenterLoss":
        return False  # of features, beside the predictions
    function = kind()
    # a number; a class as a probability of two; a number and a variance
    forms = {
        "CategoricalGeneralizedCrossEntropy": (lambda p: [p, 1 - p], [0], (0.02, 0.98), "p of the true class"),
        "SparseCategoricalCrossentropy": (lambda p: [p, 1 - p], [0], (0.02, 0.98), "p of the true class"),
        "GaussianNLL": (lambda p: [p, 1.0], [0.0], (-3, 3), "ŷ, for y = 0 and the variance 1"),
    }
    of_classes = ("Categorical", "KLDivergence", "CosineSimilarity")
    of_probability = ("Binary", "Dice", "Tversky", "Poisson")
    form: Any
    if name in forms:
        form = forms[name]
    elif name.startswith(of_classes) and name != "CategoricalHinge":
        form = (lambda p: [p, 1 - p], [1.0, 0.0], (0.02, 0.98), "ŷ of the true class, of two")
    elif name == "CategoricalHinge":
        form = (lambda p: [p, 0.0], [1.0, 0.0], (-3, 3), "ŷ of the true class, the other's being 0")
    elif name.startswith(of_probability):
        form = (lambda p: [p], [1.0], (0.02, 0.98), "ŷ, for y = 1")
    elif "Hinge" in name or "Percentage" in name or "Logarithmic" in name:
        form = (lambda p: [p], [1.0], (0.0, 3.0) if "Log" in name else (-3, 3), "ŷ, for y = 1")
    else:
        form = (lambda p: [p], [0.0], (-3, 3), "ŷ, for y = 0")
    row, target, (low, high), label = form
    x = np.linspace(low, high, 201)

    def f(x: Any) -> Any:
        return np.array([function(np.array([target]), np.array([row(p)])) for p in x])

    drawing, axes = figure()
    axes.plot(x, f(x), label="ℓ")
    axes.plot(x, slope(f, x), "--", label="its derivative")
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(-8, bottom), min(8, top))
    axes.set_xlabel(label)
    axes.legend(fontsize=8)
    drawing.savefig(path)
    return True


def schedule(name: str, kind: Any, path: Path) -> bool:
    """The learning rate over 1,000 steps."""
    steps = np.arange(1000)
    drawing, axes = figure(2.2)
    axes.plot(steps, np.asarray(kind(*SCHEDULES[name])(steps)))
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    drawing.savefig(path)
    return True


def initializer(name: str, kind: Any, path: Path) -> bool:
    """How often which weight is drawn for 100 inputs and 100 units; what draws nothing at random has no curve."""
    if "seed" not in inspect.signature(kind).parameters:
        return False
    weights = kind(seed=0)((100, 100))
    drawing, axes = figure(2.2)
    axes.hist(weights.ravel(), bins=80)
    axes.set_xlabel("weight, for 100 inputs and 100 units")
    axes.set_yticks([])
    drawing.savefig(path)
    return True
