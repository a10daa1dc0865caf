"""Initial weights. Names, arguments and defaults are Keras's.

An initializer is called with a shape and a NumPy generator and returns the weights. `fan_in` and `fan_out` of a dense
kernel (inputs, units) are its two sizes; of a convolution kernel they are multiplied by the pixels of the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.checks import number
from thalweg.errors import ArgumentError
from thalweg.naming import choose, snake_case

Array = NDArray[np.float64]
Shape = tuple[int, ...]

# The standard deviation of a normal distribution cut off at two standard deviations (Keras's constant).
TRUNCATED_STDDEV = 0.87962566103423978


@dataclass(frozen=True)
class Initializer:
    """Base of all initializers: `sample` draws the weights; `seed` fixes them regardless of the model's seed."""

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        """Weights of `shape`."""
        raise NotImplementedError

    def __call__(self, shape: Shape, generator: np.random.Generator | None = None) -> Array:
        """Weights of `shape`, from the initializer's own seed if it has one, else from `generator`.

        >>> Ones()((2, 2))
        array([[1., 1.],
               [1., 1.]])
        """
        seed = getattr(self, "seed", None)
        if seed is not None or generator is None:
            generator = np.random.default_rng(seed)
        return self.sample(tuple(shape), generator)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal initializer."""
        return asdict(self)


@dataclass(frozen=True)
class Zeros(Initializer):
    """Every weight 0. For biases; a hidden layer's kernel of zeros never learns, its units stay equal."""

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones(Initializer):
    """Every weight 1."""

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.ones(shape)


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight `value`."""

    value: float = 0.0

    def __post_init__(self) -> None:
        number("Constant's value", self.value, -math.inf)

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """N(mean, stddev²)."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        number("RandomNormal's mean", self.mean, -math.inf)
        number("RandomNormal's stddev", self.stddev)

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return generator.normal(self.mean, self.stddev, shape)


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """U[minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        number("RandomUniform's minval", self.minval, -math.inf)
        number("RandomUniform's maxval", self.maxval, self.minval)

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return generator.uniform(self.minval, self.maxval, shape)


def fans(shape: Shape) -> tuple[float, float]:
    """How many inputs feed a unit, and how many units an input feeds.

    >>> fans((784, 128)), fans((3, 3, 16, 32))
    ((784, 128), (144, 288))
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Variance `scale`/n, n = fan_in, fan_out or their mean.

    "truncated_normal" (cut at two standard deviations, then corrected to the variance), "untruncated_normal", or
    "uniform" on ±√(3·variance).
    """

    scale: float = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        if number("VarianceScaling's scale", self.scale) == 0:
            raise ArgumentError("VarianceScaling's scale has to be positive, got 0")
        choose("VarianceScaling's mode", self.mode, ("fan_in", "fan_out", "fan_avg"))
        choose(
            "VarianceScaling's distribution", self.distribution, ("truncated_normal", "untruncated_normal", "uniform")
        )

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0, math.sqrt(variance), shape)
        return truncated_normal(shape, generator) * (math.sqrt(variance) / TRUNCATED_STDDEV)


def truncated_normal(shape: Shape, generator: np.random.Generator) -> Array:
    """N(0, 1), every draw beyond two standard deviations drawn again."""
    sample: Array = generator.normal(size=shape)
    while (outside := np.abs(sample) > 2).any():
        sample[outside] = generator.normal(size=int(outside.sum()))
    return sample


@dataclass(frozen=True)
class Scaled(Initializer):
    """Base of the named cases of `VarianceScaling`."""

    seed: int | None = None

    def scaling(self) -> VarianceScaling:
        """The case of `VarianceScaling` that this initializer is."""
        raise NotImplementedError

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return self.scaling().sample(shape, generator)


@dataclass(frozen=True)
class GlorotUniform(Scaled):
    """U ±√(6/(fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010): Keras's default for kernels."""

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(1.0, "fan_avg", "uniform")


@dataclass(frozen=True)
class GlorotNormal(Scaled):
    """Truncated normal of variance 2/(fan_in + fan_out) (Glorot and Bengio, AISTATS 2010)."""

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(1.0, "fan_avg", "truncated_normal")


@dataclass(frozen=True)
class HeUniform(Scaled):
    """U ±√(6/fan_in) (He et al., ICCV 2015): for ReLU."""

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(2.0, "fan_in", "uniform")


@dataclass(frozen=True)
class HeNormal(Scaled):
    """Truncated normal of variance 2/fan_in (He et al., ICCV 2015): for ReLU."""

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(2.0, "fan_in", "truncated_normal")


CLASSES: tuple[type[Initializer], ...] = (
    Zeros, Ones, Constant, RandomNormal, RandomUniform, VarianceScaling,
    GlorotUniform, GlorotNormal, HeUniform, HeNormal,
)  # fmt: skip
NAMES = {snake_case(c.__name__): c for c in CLASSES} | {"normal": RandomNormal, "uniform": RandomUniform}


def get(identifier: str | Initializer | dict[str, Any] | Callable[..., Any]) -> Initializer:
    """An initializer from its name, from what `serialize` returned, or itself.

    >>> get("he_normal")
    HeNormal(seed=None)
    """
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if isinstance(identifier, dict):
        return choose("initializer", identifier["class_name"], {c.__name__: c for c in CLASSES})(**identifier["config"])
    if isinstance(identifier, str):
        return choose("initializer", identifier, NAMES | {c.__name__: c for c in CLASSES})()
    raise ArgumentError(f"an initializer is a name or an Initializer, got {identifier!r}")


def serialize(initializer: Initializer) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal initializer."""
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}
