"""Initializers that draw from a distribution, or depend only on their arguments."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np

from thalweg.errors import ShapeError
from thalweg.initializers.initializer import Array, Initializer, Shape
from thalweg.support.arguments import Checked, arguments
from thalweg.support.checks import Amount, Positive, Real, number
from thalweg.support.hooks import unwritten

# The standard deviation of a normal distribution cut off at two standard deviations (Keras's constant).
TRUNCATED_STDDEV = 0.87962566103423978


class Zeros(Initializer):
    """Every weight 0. For biases; a hidden layer's kernel of zeros never learns, its units stay equal."""

    formula = "W = 0"
    use = "Biases."
    avoid = "The kernel of a hidden layer: its units stay equal and learn nothing."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """Every weight 1."""

    formula = "W = 1"
    use = "Scales, such as a normalisation's gamma."
    avoid = "Kernels: all units compute the same."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.ones(shape)


def alone(what: str, value: Any) -> float:
    """−1.5, as which [−1.5] counts too."""
    given = np.asarray(value)
    return number(what, given.item() if given.size == 1 else value, -math.inf)


@arguments
class Constant(Initializer):
    """Every weight `value`."""

    value: Annotated[float, Checked(alone)] = 0.0

    formula = "W = value"
    use = "Biases, such as .1 before ReLU or the log-odds of a rare class before a sigmoid."
    avoid = "Kernels: all units compute the same."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.full(shape, self.value)


@arguments
class RandomNormal(Initializer):
    """N(mean, stddev²)."""

    mean: Real = 0.0
    stddev: Amount = 0.05
    seed: int | None = None

    formula = "W ~ N(mean, stddev²)"
    use = "A standard deviation of your choice."
    avoid = "Deep networks: the deviation doesn't follow the layer's width, so signals grow or fade."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return generator.normal(self.mean, self.stddev, shape)


@arguments
class RandomUniform(Initializer):
    """U[minval, maxval)."""

    minval: Real = -0.05
    maxval: Real = 0.05
    seed: int | None = None

    formula = "W ~ U[minval, maxval)"
    use = "Bounds of your choice."
    avoid = "Deep networks: the bounds don't follow the layer's width."
    paper = "a definition, no paper"

    def __post_init__(self) -> None:
        number("RandomUniform's maxval", self.maxval, self.minval)

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return generator.uniform(self.minval, self.maxval, shape)


@arguments
class TruncatedNormal(Initializer):
    """N(mean, stddev²), every draw more than two standard deviations from the mean drawn again.

    The cut reduces the standard deviation to 0.88·stddev, as in Keras.
    """

    mean: Real = 0.0
    stddev: Amount = 0.05
    seed: int | None = None

    formula = "W ~ N(mean, stddev²), |W − mean| ≤ 2·stddev"
    use = "A normal distribution without outliers."
    avoid = "Deep networks: the deviation doesn't follow the layer's width."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return self.mean + self.stddev * truncated_normal(shape, generator)


@arguments
class Identity(Initializer):
    """gain on the diagonal, 0 elsewhere: a layer that passes its inputs on. For matrices (inputs, units) only.

    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]])
    """

    gain: Real = 1.0

    formula = "W = gain·I"
    use = "Layers that begin by passing their input on."
    avoid = "Layers whose width differs greatly from their input's: what is cut off is lost."
    paper = "Le, Jaitly and Hinton, arXiv 1504.00941, 2015"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        if len(shape) != 2:
            raise ShapeError(f"Identity is for matrices (inputs, units), not for an array of shape {shape}")
        return self.gain * np.eye(*shape)


@arguments
class Orthogonal(Initializer):
    """A random matrix whose columns (or, with more columns than rows, rows) are orthogonal, all of length `gain`.

    Q of the QR decomposition of a normal matrix, its columns' signs set by R's diagonal, so that every orthogonal
    matrix is equally probable (Mezzadri 2007). A convolution kernel is treated as (its inputs, filters).

    >>> W = Orthogonal(seed=0)((5, 3))
    >>> bool(np.allclose(W.T @ W, np.eye(3)))
    True
    """

    gain: Real = 1.0
    seed: int | None = None

    formula = "WᵀW = gain²·I"
    use = "Deep networks, and before `lsuv`: neither signal nor gradient changes its length."
    avoid = "Very wide layers, if building time matters: a QR decomposition is cubic in the width."
    paper = "Saxe, McClelland and Ganguli, ICLR 2014"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal needs at least two axes, not an array of shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.normal(size=(max(rows, columns), min(rows, columns))))
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


def fans(shape: Shape) -> tuple[float, float]:
    """How many inputs feed a unit, and how many units an input feeds.

    >>> fans((784, 128)), fans((3, 3, 16, 32))
    ((784, 128), (144, 288))
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


@arguments
class VarianceScaling(Initializer):
    """Variance `scale`/n, n = fan_in, fan_out or their mean.

    "truncated_normal" (cut at two standard deviations, then corrected to the variance), "untruncated_normal", or
    "uniform" on ±√(3·variance).
    """

    scale: Positive = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"
    seed: int | None = None

    formula = "Var W = scale/n"
    use = "The family behind Glorot, He and LeCun, with your own scale."
    avoid = "Where a named case fits: its name says more."
    paper = "He et al., ICCV 2015"

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


@arguments
class Scaled(Initializer):
    """Base of the named cases of `VarianceScaling`."""

    seed: int | None = None

    def scaling(self) -> VarianceScaling:
        """The case of `VarianceScaling` that this initializer is."""
        raise unwritten(self, "scaling(self)", "it is the case of VarianceScaling that this is")

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return self.scaling().sample(shape, generator)


class GlorotUniform(Scaled):
    """U ±√(6/(fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010): Keras's default for kernels."""

    formula = "W ~ U ±√(6/(fan_in + fan_out))"
    use = "tanh, sigmoid and softmax layers; the default for kernels."
    avoid = "Deep ReLU networks: half of the variance is lost in every layer; take He."
    paper = "Glorot and Bengio, AISTATS 2010"

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(1.0, "fan_avg", "uniform")


class GlorotNormal(Scaled):
    """Truncated normal of variance 2/(fan_in + fan_out) (Glorot and Bengio, AISTATS 2010)."""

    formula = "Var W = 2/(fan_in + fan_out), cut at two deviations"
    use = "tanh, sigmoid and softmax layers."
    avoid = "Deep ReLU networks: take He."
    paper = "Glorot and Bengio, AISTATS 2010"

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(1.0, "fan_avg", "truncated_normal")


class HeUniform(Scaled):
    """U ±√(6/fan_in) (He et al., ICCV 2015): for ReLU."""

    formula = "W ~ U ±√(6/fan_in)"
    use = "ReLU and its relatives."
    avoid = "SELU and linear layers: signals grow; take LeCun."
    paper = "He et al., ICCV 2015"

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(2.0, "fan_in", "uniform")


class HeNormal(Scaled):
    """Truncated normal of variance 2/fan_in (He et al., ICCV 2015): for ReLU."""

    formula = "Var W = 2/fan_in, cut at two deviations"
    use = "ReLU and its relatives."
    avoid = "SELU and linear layers: signals grow; take LeCun."
    paper = "He et al., ICCV 2015"

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(2.0, "fan_in", "truncated_normal")


class LecunUniform(Scaled):
    """U ±√(3/fan_in) (LeCun et al., 1998): keeps the variance of linear units; for SELU and tanh."""

    formula = "W ~ U ±√(3/fan_in)"
    use = "SELU, and layers that are nearly linear."
    avoid = "Deep ReLU networks: signals fade; take He."
    paper = "LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998"

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(1.0, "fan_in", "uniform")


class LecunNormal(Scaled):
    """Truncated normal of variance 1/fan_in (LeCun et al., 1998): keeps the variance of linear units; for SELU."""

    formula = "Var W = 1/fan_in, cut at two deviations"
    use = "SELU, which needs it to normalise itself."
    avoid = "Deep ReLU networks: signals fade; take He."
    paper = "LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998"

    def scaling(self) -> VarianceScaling:
        return VarianceScaling(1.0, "fan_in", "truncated_normal")
