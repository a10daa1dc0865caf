"""Arguments are checked once, at the boundary: a value that isn't a number in its range raises and says so."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

from thalweg.errors import ArgumentError
from thalweg.support.arguments import Checked
from thalweg.support.naming import choose

Check = Callable[[str, Any], Any]  # of an argument: `check("Dense's units", value)` returns what is kept

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


def row_shape(what: str, sizes: Iterable[Any]) -> tuple[int | None, ...]:
    """The shape of a row; its first size may be None, the length of sequences of any length.

    >>> row_shape("Input's shape", (None, 8))
    (None, 8)
    """
    sizes = list(sizes)
    if None in sizes[1:]:
        raise ArgumentError(f"{what}: only the first axis of a row may have any length, None, got {tuple(sizes)!r}")
    return tuple(None if n is None else whole(what, n) for n in sizes)


def optional(check: Check) -> Check:
    """The check of a value that may be None."""
    return lambda what, value: None if value is None else check(what, value)


def least(smallest: int) -> Check:
    """The check of a whole number."""
    return lambda what, value: whole(what, value, smallest)


def within(low: float = 0.0, high: float = math.inf) -> Check:
    """The check of a number in [low, high)."""
    return lambda what, value: number(what, value, low, high)


def positive(high: float = math.inf) -> Check:
    """The check of a number in (0, high)."""

    def check(what: str, value: Any) -> float:
        if (result := number(what, value, 0.0, high)) == 0:
            raise ArgumentError(f"{what} has to be greater than 0, got {value!r}")
        return result

    return check


def one_of(*choices: str) -> Check:
    """The check of a name."""
    return lambda what, value: choose(what, value, choices)


def only(value: bool | None, sentence: str) -> Check:
    """The check of an argument of Keras's that can only be None, or False; the sentence says why."""

    def check(what: str, given: Any) -> bool | None:
        if given is not None if value is None else given:
            raise ArgumentError(owner(what) + sentence)
        return value

    return check


def function(what: str, value: Any) -> Any:
    """The check of what is called."""
    if not callable(value):
        raise ArgumentError(f"{what} is a function, got {value!r}")
    return value


def owner(what: str) -> str:
    """The class's name, "Dense", of "Dense's units"."""
    return what.partition("'s ")[0]


# The kinds of arguments that are numbers or functions.
Count = Annotated[int, Checked(whole)]
Index = Annotated[int, Checked(least(0))]
Seed = Annotated[int | None, Checked(optional(least(0)))]
Amount = Annotated[float, Checked(number)]
Real = Annotated[float, Checked(within(-math.inf))]
Positive = Annotated[float, Checked(positive())]
Share = Annotated[float, Checked(within(0, 1))]
Portion = Annotated[float, Checked(within(0, AT_MOST_1))]  # 1 included
Function = Annotated[Callable[..., Any], Checked(function, lambda f: getattr(f, "__name__", "function"))]


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
