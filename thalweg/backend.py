"""What Keras programs ask of its backend: operations by their older names, types and orders, ε, and a fresh start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import ops, random
from thalweg.errors import ArgumentError
from thalweg.ops import *  # noqa: F403 — K.mean, K.exp, …
from thalweg.program.instructions.losses.loss_instruction import EPSILON
from thalweg.support.naming import answer_for

__all__ = [
    "backend", "batch_flatten", "clear_session", "epsilon", "flatten", "floatx", "get_value",
    "image_data_format", "int_shape", "l2_normalize", "permute_dimensions", "pow", "random_normal", "random_uniform",
    "set_floatx", "set_image_data_format", "set_value",
]  # fmt: skip
__all__ += ops.__all__


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


# --- Keras 2's names of operations ---------------------------------------------------------------------------------

int_shape = ops.shape
permute_dimensions = ops.transpose
pow = ops.power


def flatten(x: Any) -> Any:
    """Everything of each row as one axis; the rows stay, and a mean or sum over everything is the same.

    >>> flatten(np.ones((2, 3, 4))).shape
    (2, 12)
    """
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))


batch_flatten = flatten


def l2_normalize(x: Any, axis: int = -1) -> Any:
    """x / √max(Σx², 10⁻¹²) along an axis.

    >>> l2_normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    return x / ops.maximum(ops.sum(x * x, axis=axis, keepdims=True), 1e-12) ** 0.5


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """`thalweg.random.normal`.

    >>> random_normal((2, 3)).shape
    (2, 3)
    """
    return random.normal(shape, mean, stddev, dtype or floatx(), seed)


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """`thalweg.random.uniform`.

    >>> random_uniform((2, 3)).shape
    (2, 3)
    """
    return random.uniform(shape, minval, maxval, dtype or floatx(), seed)


def get_value(x: Any) -> NDArray[Any]:
    """The numbers of a weight, or of anything NumPy takes.

    >>> get_value(0.5).item()
    0.5
    """
    return np.asarray(x.numpy() if hasattr(x, "numpy") else x)


def set_value(x: Any, value: Any) -> None:
    """Gives a weight other numbers.

    Raises:
        ArgumentError: x isn't a weight; a learning rate is set by model.optimizer.learning_rate = ….
    """
    if not hasattr(x, "assign"):
        raise ArgumentError(
            f"set_value takes a weight, got {x!r}: set model.optimizer.learning_rate = {value!r} itself"
        )
    x.assign(value)


answer_for(__name__)
