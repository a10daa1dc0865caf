"""What Keras programs ask of its backend: names of types and orders, ε, and a fresh start."""

from __future__ import annotations

from thalweg.errors import ArgumentError
from thalweg.program.instructions.losses.loss_instruction import EPSILON

__all__ = ["backend", "clear_session", "epsilon", "floatx", "image_data_format", "set_floatx", "set_image_data_format"]


def backend() -> str:
    """The name of what computes.

    >>> backend()
    'thalweg'
    """
    return "thalweg"


def floatx() -> str:
    """The type in which a model computes unless it is told otherwise.

    >>> floatx()
    'float32'
    """
    return "float32"


def set_floatx(value: str) -> None:
    """Takes "float32" alone: another type is an argument of a model, `Sequential(…, dtype="float64")`."""
    if value != floatx():
        raise ArgumentError(f"floatx is float32, got {value!r}: give a model its type, Sequential(…, dtype='float64')")


def image_data_format() -> str:
    """The order of an image's axes: (height, width, channels).

    >>> image_data_format()
    'channels_last'
    """
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Takes "channels_last" alone."""
    if data_format != image_data_format():
        raise ArgumentError(f"images are (height, width, channels), 'channels_last', got {data_format!r}")


def epsilon() -> float:
    """What keeps probabilities from 0 and 1 in cross-entropies.

    >>> epsilon()
    1e-07
    """
    return EPSILON


def clear_session(free_memory: bool = True) -> None:
    """Nothing has to be cleared: names are counted within a model, and a model's memory is freed with it.

    >>> clear_session()
    """
