"""Random numbers: in a network new ones for every row and step, of arrays NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.ops.arrangement import ROWS
from thalweg.ops.creation import zeros_like
from thalweg.ops.operation import operation
from thalweg.ops.tensor import FUNCTIONS, Traced, current, operand_shape, refuse
from thalweg.support.checks import number, whole
from thalweg.support.naming import suggesting

__all__ = ["SeedGenerator", "bernoulli", "dropout", "normal", "uniform"]


class SeedGenerator:
    """A seed for random numbers: those of a network come from counters, so it has no state.

    >>> SeedGenerator(3).seed
    3
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else whole("SeedGenerator's seed", seed, least=0)


def seed_of(seed: Any) -> int | None:
    return seed.seed if isinstance(seed, SeedGenerator) else None if seed is None else whole("seed", seed, least=0)


def drawn(kind: str, shape: Any, seed: Any, *amounts: float, dtype: Any = None) -> Any:
    """Random numbers of a shape: for every row if it begins with the rows of a network, otherwise an array."""
    kind_of_float = np.dtype(dtype or "float32")
    if kind_of_float.kind != "f":
        raise refuse(f"random numbers are floats, got dtype={dtype!r}; ops.cast makes others of them")
    sizes = tuple(shape)
    rows = bool(sizes) and (sizes[0] is ROWS or sizes[0] is None)
    if not rows:
        if current() is not None:
            raise refuse(
                f"random numbers of a network have a shape that begins with its rows, ops.shape(x)[0]; got {sizes}, "
                "which would be the same for all"
            )
        draw = np.random.default_rng(seed_of(seed))
        made: dict[str, Callable[[], Any]] = {
            "normal": lambda: draw.normal(amounts[0], amounts[1], sizes),
            "uniform": lambda: draw.uniform(amounts[0], amounts[1], sizes),
            "bernoulli": lambda: draw.random(sizes) < amounts[0],
        }
        return np.asarray(made[kind](), kind_of_float)
    program = current()
    if program is None:
        raise refuse("random numbers for the rows of a network are drawn in a layer's call(self, x)")
    return Traced(program, program.random(kind, tuple(int(n) for n in sizes[1:]), seed_of(seed), *amounts))


@suggesting
def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers.

    >>> normal((2, 3), seed=0).shape
    (2, 3)
    """
    return drawn("normal", shape, seed, float(mean), float(stddev), dtype=dtype)


@suggesting
def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Equally distributed numbers from minval to below maxval.

    >>> bool((uniform((9,), seed=0) < 1).all())
    True
    """
    return drawn("uniform", shape, seed, float(minval), float(maxval), dtype=dtype)


@suggesting
def bernoulli(shape: Any, p: float = 0.5, seed: Any = None) -> Any:
    """1 with probability p, otherwise 0.

    >>> sorted(set(bernoulli((99,), seed=0).tolist()))
    [0.0, 1.0]
    """
    return drawn("bernoulli", shape, seed, number("bernoulli's p", p, 0, 1))


def _dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    if rate == 1:
        return zeros_like(inputs)
    rate, shape = number("dropout's rate", rate, 0, 1), np.shape(inputs) if noise_shape is None else noise_shape
    kept = np.random.default_rng(seed_of(seed)).random(shape) >= rate
    return np.where(kept, np.asarray(inputs) / (1 - rate), 0)


@operation(_dropout)
def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """0 with probability `rate`, up to 1, otherwise inputs/(1 − rate), in every kind of program.

    noise_shape: of an array, a shape with 1 along the axes whose numbers are kept or dropped together.

    >>> dropout(np.ones(2), 0.0).tolist()
    [1.0, 1.0]
    """
    if rate == 1:
        return zeros_like(inputs).buffer
    if noise_shape is not None:
        raise refuse("dropout draws for every number by itself: leave out noise_shape")
    keep = drawn("bernoulli", (ROWS, *operand_shape(inputs)), seed, 1 - number("dropout's rate", rate, 0, 1))
    return FUNCTIONS["where"](keep, inputs * (1 / (1 - rate)), 0.0).buffer
