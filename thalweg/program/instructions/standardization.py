"""Layer and group normalisation: each row separately; and the scale of each channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from thalweg.program.instructions.linear import BiasGradient, OfChannels, matrix, positions
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated


class Standardization(Instruction):
    """a = (x − mean)/√(variance + ε) over each set: a group of a row's channels, at all positions or at one

    If not `centered`, a = x/√(mean x² + ε).
    """

    x: Buffer
    a: Buffer
    groups: int
    by_place: bool  # whether each position is a set of its own
    epsilon: float
    centered: bool = True

    name = "standardization"
    writes = ("a",)
    shapes = "x: …; a: …"
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        if not self.centered:
            return f"{self.a} = {self.x}/√(mean {self.x}² + {self.epsilon:g})"
        return f"{self.a} = ({self.x} − mean)/√(variance + {self.epsilon:g})"

    @property
    def sizes(self) -> dict[str, int]:
        places = positions(self.x)
        lines, inside = (places, 1) if self.by_place else (1, places)
        return {
            "lines": lines, "places": inside, "groups": self.groups, "channels": self.x.shape[-1] // self.groups,
            "centered": int(self.centered),
        }  # fmt: skip

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield StandardizationAdjoint(self, self.x, d(self.a), d.into(self.x))

    def sets(self, x: Array) -> Array:
        """x as (rows, places, groups, channels of a group)."""
        return x.reshape(-1, *(self.sizes[name] for name in ("places", "groups", "channels")))

    def standard(self, xp: Any, x: Array) -> tuple[Array, Array]:
        """(the standardised sets, 1/√(variance + ε))"""
        x = self.sets(x)
        if self.centered:
            x = x - x.mean(axis=(1, 3), keepdims=True)
        scale = 1 / xp.sqrt((x * x).mean(axis=(1, 3), keepdims=True) + self.epsilon)
        return x * scale, scale

    def reference(self, xp: Any, x: Array) -> Array:
        return self.standard(xp, x)[0].reshape(x.shape)

    def flops(self, rows: int) -> int:
        return 6 * rows * self.x.size


class StandardizationAdjoint(Instruction):
    """dx = (da − mean da − x̂·mean(da·x̂))/√(variance + ε), with means over each set; if not centered, no mean da"""

    of: Standardization
    x: Buffer
    da: Buffer
    dx: Buffer

    name = "standardization adjoint"
    writes = ("dx",)
    shapes = "x: …; da: …; dx: …"

    @property
    def formula(self) -> str:
        mean = f" − mean {self.da}" if self.of.centered else ""
        return f"{self.dx} = ({self.da}{mean} − x̂·mean({self.da}·x̂))/√…, x̂ standardised {self.x}"

    @property
    def sizes(self) -> dict[str, int]:
        return self.of.sizes

    @property
    def constants(self) -> Mapping[str, float | tuple[float, ...]]:
        return self.of.constants

    def reference(self, xp: Any, x: Array, da: Array) -> Array:
        normal, scale = self.of.standard(xp, x)
        da = self.of.sets(da)
        if self.of.centered:
            da = da - da.mean(axis=(1, 3), keepdims=True)
        return ((da - normal * (da * normal).mean(axis=(1, 3), keepdims=True)) * scale).reshape(x.shape)

    def flops(self, rows: int) -> int:
        return 12 * rows * self.x.size


def scaled(value: Array, gamma: Array | None, beta: Array | None) -> Array:
    """value·γ + β, without those that are None."""
    value = value if gamma is None else value * gamma
    return value if beta is None else value + beta


def stated_scale(
    text: str,
    of: Mapping[str, Buffer],
    gamma: Buffer | None,
    beta: Buffer | None,
    a: Buffer,
    numbers: Mapping[str, float] = MappingProxyType({}),
) -> Stated:
    """a = text·γ + β, without those that are None."""
    text += "" if gamma is None else " * gamma"
    text += "" if beta is None else " + beta"
    optional = {name: b for name, b in (("gamma", gamma), ("beta", beta)) if b is not None}
    return Stated(f"a = {text}", {**of, **optional, "a": a}, numbers)


class ChannelScale(OfChannels):
    """a = γ·x + β, with a factor and an offset for each channel"""

    x: Buffer
    gamma: Buffer | None
    beta: Buffer | None
    a: Buffer

    name = "channel scale"
    writes = ("a",)
    differentiates = ("x", "gamma", "beta")

    @property
    def formula(self) -> str:
        factor = "" if self.gamma is None else f"{self.gamma}·"
        return f"{self.a} = {factor}{self.x}" + ("" if self.beta is None else f" + {self.beta}")

    @property
    def stated(self) -> Stated:
        return stated_scale("x", {"x": self.x}, self.gamma, self.beta, self.a)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        da = d(self.a)
        if self.gamma is not None and d.wants(self.gamma):
            yield ChannelScaleGradient(self.x, da, d.into(self.gamma))
        if self.beta is not None and d.wants(self.beta):
            yield BiasGradient(da, d.into(self.beta))
        if d.wants(self.x):
            yield ChannelScale(da, self.gamma, None, d.into(self.x))

    def reference(self, xp: Any, x: Array, gamma: Array | None, beta: Array | None) -> Array:
        return scaled(x, gamma, beta)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.x.size


class ChannelScaleGradient(OfChannels):
    """dγ = Σ da·x over rows and places"""

    x: Buffer
    da: Buffer
    dgamma: Buffer

    name = "channel scale gradient"
    printed = "{dgamma} = Σ {da}·{x}"
    writes = ("dgamma",)
    reduces = ("dgamma",)

    @property
    def stated(self) -> Stated:
        return Stated("dgamma = da * x", {"da": self.da, "x": self.x, "dgamma": self.dgamma})

    def reference(self, xp: Any, x: Array, da: Array) -> Array:
        return matrix(da * x).sum(axis=0)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.x.size
