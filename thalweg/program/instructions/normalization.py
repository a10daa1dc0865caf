"""Batch normalisation: the statistics of a whole batch, which all lanes compute together.

A lane writes the statistics of its own rows into the exchange; when all lanes have, each reads every lane's part and
combines them in the same order. So the rows phase of such a program is divided into segments, and a lane keeps all its
rows of the batch in one block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg.program.instructions.linear import BiasGradient, end, matrix, positions
from thalweg.program.instructions.standardization import ChannelScaleGradient, scaled, stated_scale
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated


@dataclass(frozen=True, eq=False)
class BatchMoments(Instruction):
    """parts = for each channel, the mean over this lane's rows, and the sum of squared differences from it"""

    x: Buffer
    parts: Buffer

    name = "batch moments"
    writes = ("parts",)

    @property
    def formula(self) -> str:
        return f"{self.parts} = mean {self.x}, Σ ({self.x} − mean)²"

    @property
    def sizes(self) -> dict[str, int]:
        return {"positions": positions(self.x), "channels": self.x.shape[-1]}

    def reference(self, xp: Any, x: Array) -> Array:
        x = matrix(x)
        mean = x.mean(axis=0)
        return xp.concatenate([mean, ((x - mean) ** 2).sum(axis=0)])

    def flops(self, rows: int) -> int:
        return 4 * rows * self.x.size


def scale_text(text: str, gamma: Buffer | None, beta: Buffer | None) -> str:
    """γ·text + β as printed, without what is None."""
    return ("" if gamma is None else f"{gamma}·") + text + ("" if beta is None else f" + {beta}")


@dataclass(frozen=True, eq=False)
class BatchNormalization(Instruction):
    """a = γ·(x − μ)/√(σ² + ε) + β, with mean μ and (biased) variance σ² of each channel over the batch

    A `shortcut` is added, and `relu` applies max(0, …): a sum and a relu that follow the normalisation, fused into it
    (see fuse.py).
    """

    x: Buffer
    parts: Buffer
    gamma: Buffer | None
    beta: Buffer | None
    shortcut: Buffer | None
    a: Buffer
    mean: Buffer
    variance: Buffer
    epsilon: float
    relu: bool = False

    name = "batch normalization"
    writes = ("a", "mean", "variance")

    @property
    def inplace(self) -> tuple[str, str] | None:  # type: ignore[override]
        return None if self.shortcut is None else ("shortcut", "a")

    @property
    def title(self) -> str:
        return self.name + ("" if self.shortcut is None else " + add") + (" + relu" if self.relu else "")

    @property
    def kernel(self) -> str:
        return "batch_normalization"

    @property
    def formula(self) -> str:
        text = scale_text(f"({self.x} − {self.mean})/√({self.variance} + {self.epsilon:g})", self.gamma, self.beta)
        text += "" if self.shortcut is None else f" + {self.shortcut}"
        text = f"max({text}, 0)" if self.relu else text
        return f"{self.mean}, {self.variance} from {self.parts}; {self.a} = {text}"

    @property
    def sizes(self) -> dict[str, int]:
        return {"positions": positions(self.x), "channels": self.x.shape[-1], "relu": int(self.relu)}

    @property
    def constants(self) -> dict[str, float]:
        return {"epsilon": self.epsilon}

    def differentiable(self) -> tuple[Buffer, ...]:
        return tuple(b for b in (self.x, self.gamma, self.beta, self.shortcut) if b is not None)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        da = d(self.a)
        dn = Buffer(f"{da}⁺", da.shape) if self.relu else da
        sums = Buffer(f"Σ{dn}", self.parts.shape, self.parts.region, per_row=False)
        a, masked = (self.a, dn) if self.relu else (None, None)
        yield BatchSums(self.x, self.mean, self.variance, da, None, a, masked, sums, self.epsilon)
        for place, parameter in enumerate((self.beta, self.gamma)):
            if parameter is not None and d.wants(parameter):
                yield ChannelGradient(sums, d.into(parameter), place)
        if d.wants(self.x):
            yield BatchNormalizationAdjoint(
                self.x, self.mean, self.variance, self.gamma, dn, sums, d.into(self.x), self.epsilon
            )
        if self.shortcut is not None and d.wants(self.shortcut):
            yield from d.pass_on(dn, self.shortcut)

    def reference(
        self, xp: Any, x: Array, parts: Array, gamma: Array | None, beta: Array | None, shortcut: Array | None
    ) -> tuple[Array, ...]:
        mean, variance = xp.split(parts, 2)
        variance = variance / (len(x) * positions(self.x))
        a = scaled((x - mean) / xp.sqrt(variance + self.epsilon), gamma, beta)
        a = a if shortcut is None else a + shortcut
        return end(xp, a, self.relu, None), mean, variance

    def flops(self, rows: int) -> int:
        return (3 + (self.shortcut is not None) + self.relu) * rows * self.x.size


@dataclass(frozen=True, eq=False)
class BatchSums(Instruction):
    """sums = for each channel Σ dn and Σ dn·(x − μ)/√(σ² + ε), over this lane's rows

    If the normalisation has a relu, dn = (da + more)·[a > 0] is computed here, as da is read anyway; otherwise dn is
    da. `more` is a second contribution to the adjoint of a, if this instruction adds it (see fuse.py).
    """

    x: Buffer
    mean: Buffer
    variance: Buffer
    da: Buffer
    more: Buffer | None
    a: Buffer | None
    dn: Buffer | None
    sums: Buffer
    epsilon: float

    name = "batch sums"
    writes = ("sums", "dn")

    def __post_init__(self) -> None:
        assert self.more is None or self.dn is not None, "the kernel adds only into what it keeps"

    @property
    def inplace(self) -> tuple[str, str] | None:  # type: ignore[override]
        return None if self.dn is None else ("da", "dn")

    @property
    def title(self) -> str:
        return ("" if self.more is None else "add + ") + ("" if self.dn is None else "relu adjoint + ") + self.name

    @property
    def kernel(self) -> str:
        return "batch_sums"

    @property
    def formula(self) -> str:
        da = f"{self.da}" if self.more is None else f"({self.da} + {self.more})"
        dn, first = (self.da, "") if self.dn is None else (self.dn, f"{self.dn} = {da}·[{self.a} > 0]; ")
        return f"{first}{self.sums} = Σ {dn}, Σ {dn}·({self.x} − {self.mean})/√({self.variance} + {self.epsilon:g})"

    @property
    def sizes(self) -> dict[str, int]:
        return {"positions": positions(self.x), "channels": self.x.shape[-1]}

    @property
    def constants(self) -> dict[str, float]:
        return {"epsilon": self.epsilon}

    def reference(
        self, xp: Any, x: Array, mean: Array, variance: Array, da: Array, more: Array | None, a: Array | None
    ) -> tuple[Array, Array | None]:
        normal = (x - mean) / xp.sqrt(variance + self.epsilon)
        dn = end(xp, da if more is None else da + more, False, a)
        sums = xp.concatenate([matrix(dn).sum(axis=0), matrix(dn * normal).sum(axis=0)])
        return sums, None if self.dn is None else dn

    def flops(self, rows: int) -> int:
        return (5 + 2 * (self.dn is not None) + (self.more is not None)) * rows * self.x.size


@dataclass(frozen=True, eq=False)
class ChannelGradient(Instruction):
    """dβ (place 0) or dγ (place 1) of this lane, from its sums"""

    sums: Buffer
    dp: Buffer
    place: int

    name = "channel gradient"
    writes = ("dp",)

    @property
    def formula(self) -> str:
        return f"{self.dp} = part {self.place} of {self.sums}"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.dp.size, "place": self.place}

    def reference(self, xp: Any, sums: Array) -> Array:
        return xp.split(sums, 2)[self.place]


@dataclass(frozen=True, eq=False)
class BatchNormalizationAdjoint(Instruction):
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
    inplace = ("da", "dx")

    @property
    def formula(self) -> str:
        normal = f"({self.x} − {self.mean})/√({self.variance} + {self.epsilon:g})"
        return f"{self.dx} = {scale_text('', self.gamma, None)}({self.da} − means from {self.sums})/√…, x̂ = {normal}"

    @property
    def sizes(self) -> dict[str, int]:
        return {"positions": positions(self.x), "channels": self.x.shape[-1]}

    @property
    def constants(self) -> dict[str, float]:
        return {"epsilon": self.epsilon}

    def reference(
        self, xp: Any, x: Array, mean: Array, variance: Array, gamma: Array | None, da: Array, sums: Array
    ) -> Array:
        inverse = 1 / xp.sqrt(variance + self.epsilon)
        one, other = xp.split(sums / (len(x) * positions(self.x)), 2)
        return scaled((da - one - (x - mean) * inverse * other) * inverse, gamma, None)

    def flops(self, rows: int) -> int:
        return 6 * rows * self.x.size


@dataclass(frozen=True, eq=False)
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

    @property
    def constants(self) -> dict[str, float]:
        return {"momentum": self.momentum}

    def reference(self, xp: Any, value: Array, moving: Array) -> Array:
        return moving + (1 - self.momentum) * (value - moving)

    def flops(self, rows: int) -> int:
        return 3 * self.moving.size


@dataclass(frozen=True, eq=False)
class Normalization(Instruction):
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

    @property
    def sizes(self) -> dict[str, int]:
        return {"positions": positions(self.x), "channels": self.x.shape[-1]}

    @property
    def constants(self) -> dict[str, float]:
        return {"epsilon": self.epsilon}

    def differentiable(self) -> tuple[Buffer, ...]:
        return tuple(b for b in (self.x, self.gamma, self.beta) if b is not None)

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
