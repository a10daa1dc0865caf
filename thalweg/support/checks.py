"""Arguments are checked once, at the boundary: a value that isn't a number in its range raises and says so."""

from __future__ import annotations

import math
import operator
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError

AT_MOST_1 = math.nextafter(1.0, 2.0)  # the end of [0, 1] for `number`


def number(what: str, value: Any, low: float = 0.0, high: float = math.inf) -> float:
    """`value` as a float in [low, high).

    >>> number("Dropout's rate", 1.5, 0, 1)
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: Dropout's rate has to be a number in [0, 1), got 1.5
    >>> number("label_smoothing", 1.5, 0, AT_MOST_1)
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: label_smoothing has to be a number in [0, 1], got 1.5
    """
    try:
        result = float(value) if not isinstance(value, (str, bytes)) else math.nan
    except (TypeError, ValueError):
        result = math.nan
    if not low <= result < high:
        end = "]" if high == AT_MOST_1 else ")"
        raise ArgumentError(f"{what} has to be a number in [{low:g}, {high:g}{end}, got {value!r}")
    return result


def whole(what: str, value: Any, least: int = 1) -> int:
    """`value` as a whole number of at least `least`, and of 63 bits at most."""
    try:
        result = operator.index(value)
    except TypeError:
        raise ArgumentError(f"{what} has to be a whole number, got {value!r}") from None
    if isinstance(value, bool) or result < least:
        raise ArgumentError(f"{what} has to be a whole number of at least {least}, got {value!r}")
    if result >= 1 << 63:
        raise ArgumentError(f"{what} has to be less than 2⁶³, got {value!r}")
    return result


OTHER_FORMATS = (
    ".tf", ".pb", ".tflite", ".ckpt", ".onnx", ".pt", ".pth", ".pkl", ".pickle", ".joblib",
    ".npz", ".npy", ".json", ".yaml", ".yml", ".zip",
)  # fmt: skip


def model_path(path: str | Path) -> Path:
    """The path of a model file; a name that promises another format raises.

    Keras's own names (.keras, .h5, .hdf5) are taken, so that its programs run; what is written is a safetensors file.

    >>> model_path("best.keras").name
    'best.keras'
    >>> model_path("best.onnx")
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: best.onnx: a model is saved as a safetensors file, so call it best.safetensors
    """
    path = Path(path)
    if path.suffix.lower() in OTHER_FORMATS:
        name = path.name[: -len(path.suffix)]
        raise ArgumentError(f"{path}: a model is saved as a safetensors file, so call it {name}.safetensors")
    return path
