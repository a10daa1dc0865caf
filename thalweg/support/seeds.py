"""The seeds of models that were given none."""

from __future__ import annotations

import numpy as np

from thalweg.errors import ArgumentError

_generator: np.random.Generator | None = None  # made when the first seed is drawn


def set_random_seed(seed: int) -> None:
    """Fixes the seeds of models made from now on without their own seed (also NumPy's and Python's)."""
    global _generator
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError(f"a seed is a whole number from 0, got {seed!r}")
    _generator = np.random.default_rng(seed)
    import random

    random.seed(int(seed))
    np.random.seed(int(seed) % 2**32)  # noqa: NPY002 — Keras does this too: code beside the model may draw from it


def draw_seed() -> int:
    """A seed for a model that was given none."""
    global _generator
    _generator = _generator or np.random.default_rng()
    return int(_generator.integers(2**31))
