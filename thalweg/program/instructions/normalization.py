"""Batch normalisation: with the statistics of the batch in training, otherwise with given ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.program.instructions.linear import BiasGradient, OfChannels, matrix, positions
from thalweg.program.instructions.standardization import ChannelScaleGradient, scaled, stated_scale
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated

LEAST_SHARE = 1e-30  # of steps that count, where none does


class BatchStatistics(OfChannels):
    """μ, σ² = for each channel, the mean and the (biased) variance over the batch

    The adjoint of the normalisation, which is all that depends on them, takes them into account.
    """

    x: Buffer
    mean: Buffer
    variance: Buffer

    name = "batch statistics"
    printed = "{mean} = mean {x}, {variance} = mean ({x} − {mean})²"
    writes = ("mean", "variance")
    shapes = "x: rows … n; mean: n; variance: n"

    def reference(self, xp: Any, x: Array) -> tuple[Array, Array]:
        x = matrix(x)
        mean = x.mean(axis=0)
        return mean, ((x - mean) ** 2).mean(axis=0)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.x.size


class MaskWeights(Instruction):
    """w = m·total/valid: a mask m as weights whose mean over the batch is 1; 0 where no step of a batch counts"""

    x: Buffer
    w: Buffer

    name = "mask weights"
    printed = "{w} = {x}/mean {x}"
    writes: ClassVar[tuple[str, ...]] = ("w",)
    shapes = "x: rows … 1; w: rows … 1"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.x.size}

    def reference(self, xp: Any, x: Array) -> Array:
        return x / xp.maximum(x.mean(), LEAST_SHARE)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.x.size


def scale_text(text: str, gamma: Buffer | None, beta: Buffer | None) -> str:
    """γ·text + β as printed, without what is None."""
    return ("" if gamma is None else f"{gamma}·") + text + ("" if beta is None else f" + {beta}")


class BatchNormalization(OfChannels):
    """a = γ·(x − μ)/√(σ² + ε) + β, with the mean μ and the variance σ² of each channel over the batch"""

    x: Buffer
    mean: Buffer
    variance: Buffer
    gamma: Buffer | None
    beta: Buffer | None
    a: Buffer
    epsilon: float

    name = "batch normalization"
    printed = "{a} = {text}"
    differentiates = ("x", "gamma", "beta")
    writes: ClassVar[tuple[str, ...]] = ("a",)

    @property
    def text(self) -> str:
        """The value as printed."""
        return scale_text(f"({self.x} − {self.mean})/√({self.variance} + {self.epsilon:g})", self.gamma, self.beta)

    @property
    def stated(self) -> Stated:
        of = {"x": self.x, "mean": self.mean, "variance": self.variance}
        text = "(x - mean) / sqrt(variance + epsilon)"
        return stated_scale(text, of, self.gamma, self.beta, self.a, {"epsilon": self.epsilon})

    def sums_of(self, da: Buffer) -> BatchSums:
        """What the adjoint needs to know of the whole batch."""
        sums = Buffer(f"Σ{da}", (2 * self.mean.size,), per_row=False)
        return BatchSums(self.x, self.mean, self.variance, da, sums, self.epsilon)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        of = self.sums_of(d(self.a))
        yield of
        for place, parameter in enumerate((self.beta, self.gamma)):
            if parameter is not None and d.wants(parameter):
                yield ChannelGradient(of.sums, d.into(parameter), place)
        if d.wants(self.x):
            yield BatchNormalizationAdjoint(
                self.x, self.mean, self.variance, self.gamma, of.seen, of.sums, d.into(self.x), self.epsilon
            )

    def reference(
        self, xp: Any, x: Array, mean: Array, variance: Array, gamma: Array | None, beta: Array | None
    ) -> Array:
        return scaled((x - mean) / xp.sqrt(variance + self.epsilon), gamma, beta)

    def flops(self, rows: int) -> int:
        return 3 * rows * self.x.size


class BatchSums(OfChannels):
    """sums = for each channel Σ da and Σ da·(x − μ)/√(σ² + ε)"""

    x: Buffer
    mean: Buffer
    variance: Buffer
    da: Buffer
    sums: Buffer
    epsilon: float

    name = "batch sums"
    writes: ClassVar[tuple[str, ...]] = ("sums",)
    shapes = "x: rows … n; mean: n; variance: n; da: rows … n; sums: 2·n"

    @property
    def seen(self) -> Buffer:
        """The adjoint that is summed."""
        return self.da

    @property
    def formula(self) -> str:
        da = self.seen
        return f"{self.sums} = Σ {da}, Σ {da}·({self.x} − {self.mean})/√({self.variance} + {self.epsilon:g})"

    def reference(self, xp: Any, x: Array, mean: Array, variance: Array, da: Array) -> Array:
        normal = (x - mean) / xp.sqrt(variance + self.epsilon)
        return xp.concatenate([matrix(da).sum(axis=0), matrix(da * normal).sum(axis=0)])

    def flops(self, rows: int) -> int:
        return 5 * rows * self.x.size


class ChannelGradient(Instruction):
    """dβ (place 0) or dγ (place 1), from the sums"""

    sums: Buffer
    dp: Buffer
    place: int

    name = "channel gradient"
    printed = "{dp} = part {place} of {sums}"
    writes = ("dp",)
    shapes = "dp: n; sums: 2·n"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.dp.size, "place": self.place}

    def reference(self, xp: Any, sums: Array) -> Array:
        return xp.split(sums, 2)[self.place]


class BatchNormalizationAdjoint(OfChannels):
    """dx = γ/√(σ² + ε)·(da − mean da − x̂·mean(da·x̂)),  x̂ = (x − μ)/√(σ² + ε)"""

    x: Buffer
    mean: Buffer
    variance: Buffer
    gamma: Buffer | None
    da: Buffer
    sums: Buffer
    dx: Buffer
    epsilon: float

    name = "batch normalization adjoint"
    writes = ("dx",)
    shapes = "x: rows … n; mean: n; variance: n; gamma: n; da: rows … n; sums: 2·n; dx: rows … n"

    @property
    def formula(self) -> str:
        normal = f"({self.x} − {self.mean})/√({self.variance} + {self.epsilon:g})"
        return f"{self.dx} = {scale_text('', self.gamma, None)}({self.da} − means from {self.sums})/√…, x̂ = {normal}"

    def reference(
        self, xp: Any, x: Array, mean: Array, variance: Array, gamma: Array | None, da: Array, sums: Array
    ) -> Array:
        inverse = 1 / xp.sqrt(variance + self.epsilon)
        one, other = xp.split(sums / (x.shape[0] * positions(self.x)), 2)
        return scaled((da - one - (x - mean) * inverse * other) * inverse, gamma, None)

    def flops(self, rows: int) -> int:
        return 6 * rows * self.x.size


class MovingAverage(Instruction):
    """moving ← momentum·moving + (1 − momentum)·value, once a step, with the update"""

    value: Buffer
    moving: Buffer
    momentum: float

    name = "moving average"
    writes = ("moving",)

    @property
    def formula(self) -> str:
        return f"{self.moving} += {1 - self.momentum:g}·({self.value} − {self.moving})"

    @property
    def stated(self) -> Stated:
        return Stated(
            "moving += (1 - momentum) * (value - moving)",
            {"value": self.value, "moving": self.moving},
            {"momentum": self.momentum},
        )

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.moving.size}

    def reference(self, xp: Any, value: Array, moving: Array) -> Array:
        return moving + (1 - self.momentum) * (value - moving)

    def flops(self, rows: int) -> int:
        return 3 * self.moving.size


class Normalization(OfChannels):
    """a = γ·(x − μ)/√(σ² + ε) + β, with a given mean μ (0 where absent) and variance σ² of each channel

    The statistics are constants, so the adjoint is the same instruction on da, without μ and β.
    """

    x: Buffer
    mean: Buffer | None
    variance: Buffer
    gamma: Buffer | None
    beta: Buffer | None
    a: Buffer
    epsilon: float

    name = "normalization"
    writes = ("a",)
    differentiates = ("x", "gamma", "beta")

    @property
    def formula(self) -> str:
        centred = str(self.x) if self.mean is None else f"({self.x} − {self.mean})"
        text = f"{centred}/√({self.variance} + {self.epsilon:g})"
        return f"{self.a} = {scale_text(text, self.gamma, self.beta)}"

    @property
    def stated(self) -> Stated:
        centred = "x" if self.mean is None else "(x - mean)"
        of = {"x": self.x, "variance": self.variance} | ({} if self.mean is None else {"mean": self.mean})
        text = f"{centred} / sqrt(variance + epsilon)"
        return stated_scale(text, of, self.gamma, self.beta, self.a, {"epsilon": self.epsilon})

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        da = d(self.a)
        if self.gamma is not None and d.wants(self.gamma):
            normal = Buffer(f"x̂ of {self.a}", self.x.shape)
            yield Normalization(self.x, self.mean, self.variance, None, None, normal, self.epsilon)
            yield ChannelScaleGradient(normal, da, d.into(self.gamma))
        if self.beta is not None and d.wants(self.beta):
            yield BiasGradient(da, d.into(self.beta))
        if d.wants(self.x):
            yield Normalization(da, None, self.variance, self.gamma, None, d.into(self.x), self.epsilon)

    def reference(
        self, xp: Any, x: Array, mean: Array | None, variance: Array, gamma: Array | None, beta: Array | None
    ) -> Array:
        centred = x if mean is None else x - mean
        return scaled(centred / xp.sqrt(variance + self.epsilon), gamma, beta)

    def flops(self, rows: int) -> int:
        return 3 * rows * self.x.size
