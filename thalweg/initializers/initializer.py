"""The base of all initializers: a function of a shape and a generator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg.support import hooks
from thalweg.support.arguments import Value

Array = NDArray[np.float64]
Shape = tuple[int, ...]


class Initializer(Value):
    """Base of all initializers: `sample` draws the weights; `seed` fixes them regardless of the model's seed."""

    uncalled, lacking = hooks.INITIALIZER, hooks.INITIALIZER_LACKS
    called_with = {"__call__": ("shape", "generator")}  # noqa: RUF012

    # For the reference pages.
    formula: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        """Weights of `shape`."""
        raise hooks.unwritten(self, "sample(self, shape, generator)", "it returns the weights as an array")

    def __call__(self, shape: Shape, generator: np.random.Generator | None = None) -> Array:
        """Weights of `shape`, from the initializer's own seed if it has one, else from `generator`.

        >>> from thalweg.initializers import Ones
        >>> Ones()((2, 2))
        array([[1., 1.],
               [1., 1.]])
        """
        seed = getattr(self, "seed", None)
        if seed is not None or generator is None:
            generator = np.random.default_rng(seed)
        return self.sample(tuple(shape), generator)

    def of(self, parameter: str) -> Initializer:
        """The initializer of one array of weights, by the array's name ("dense/W"); itself unless the name matters."""
        return self
