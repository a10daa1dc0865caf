"""Periodic embeddings: each column becomes some cosines of itself, then a few numbers by a linear map of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction

TURN = 2 * math.pi


class Waves(Instruction):
    """Base of what is computed from the cosines of columns."""

    x: Buffer
    omega: Buffer
    phi: Buffer
    W: Buffer

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(("columns", "K", "U"), self.W.shape, strict=True))


class PeriodicEmbedding(Waves):
    """a[c, u] = Σ_k W[c, k, u]·cos(2π(ω[c, k]·x[c] + φ[c, k])) + b[c, u]

    x (rows, columns), ω and φ (columns, frequencies), W (columns, frequencies, units), b (columns, units) →
    a (rows, columns·units). The cosines aren't stored: the adjoints compute them again.
    """

    b: Buffer
    a: Buffer

    name = "periodic embedding"
    printed = "{a} = Σ {W}·cos(2π({omega}·{x} + {phi})) + {b}, for each column"
    writes = ("a",)
    shapes = "x: rows n; omega: n K; phi: n K; W: n K U; b: n U; a: rows m"
    differentiates = ("x", "omega", "phi", "W", "b")

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        of, da = (self.x, self.omega, self.phi, self.W), d(self.a)
        if any(map(d.wants, weights := (self.omega, self.phi, self.W, self.b))):
            yield PeriodicGradient(*of, da, *(d.into(w) if d.wants(w) else None for w in weights))
        if d.wants(self.x):
            yield PeriodicInputGradient(*of, da, d.into(self.x))

    def reference(self, xp: Any, x: Array, omega: Array, phi: Array, W: Array, b: Array) -> Array:
        a = xp.einsum("rck,cku->rcu", xp.cos(TURN * phases(x, omega, phi)), W) + b
        return a.reshape(x.shape[0], -1)

    def flops(self, rows: int) -> int:
        columns, frequencies, units = self.W.shape
        return rows * columns * (frequencies * (16 + 2 * units) + units)


def phases(x: Array, omega: Array, phi: Array) -> Array:
    """ω·x + φ, in turns, of shape (rows, columns, frequencies)."""
    return x[:, :, None] * omega + phi


def slopes(xp: Any, x: Array, omega: Array, phi: Array, W: Array, da: Array) -> Array:
    """The derivatives of the loss with respect to the phases: −2π·sin(2π(ω·x + φ))·Σ_u W·da."""
    back = xp.einsum("rcu,cku->rck", da.reshape(x.shape[0], len(W), -1), W)
    return -TURN * xp.sin(TURN * phases(x, omega, phi)) * back


class PeriodicGradient(Waves):
    """dφ = Σ g, dω = Σ g·x, dW = Σ cos(2π(ω·x + φ))·da, db = Σ da over rows, with g = −2π·sin(2π(ω·x + φ))·Σ_u W·da"""

    da: Buffer
    domega: Buffer | None
    dphi: Buffer | None
    dW: Buffer | None
    db: Buffer | None

    name = "periodic gradient"
    writes = ("domega", "dphi", "dW", "db")
    reduces = ("domega", "dphi", "dW", "db")
    shapes = "x: rows n; omega: n K; phi: n K; W: n K U; da: rows m; domega: n K; dphi: n K; dW: n K U; db: n U"

    @property
    def formula(self) -> str:
        wave = f"(2π({self.omega}·{self.x} + {self.phi}))"
        g = f"−2π·sin{wave}·Σ {self.W}·{self.da}"
        of = {self.domega: f"{g}·{self.x}", self.dphi: g, self.dW: f"cos{wave}·{self.da}", self.db: f"{self.da}"}
        return ", ".join(f"{to} = Σ {what}" for to, what in of.items() if to is not None)

    def reference(self, xp: Any, x: Array, omega: Array, phi: Array, W: Array, da: Array) -> tuple[Array | None, ...]:
        g, each = slopes(xp, x, omega, phi, W, da), da.reshape(x.shape[0], len(W), -1)
        cosines = xp.cos(TURN * phases(x, omega, phi))
        found = (g * x[:, :, None]).sum(axis=0), g.sum(axis=0), xp.einsum("rck,rcu->cku", cosines, each), each.sum(0)
        wanted = self.domega, self.dphi, self.dW, self.db
        return tuple(None if to is None else value for to, value in zip(wanted, found, strict=True))

    def flops(self, rows: int) -> int:
        columns, frequencies, units = self.W.shape
        return rows * columns * (frequencies * (31 + 4 * units) + units)


class PeriodicInputGradient(Waves):
    """dx[c] = Σ_k ω[c, k]·g[c, k], with g = −2π·sin(2π(ω·x + φ))·Σ_u W·da"""

    da: Buffer
    dx: Buffer

    name = "periodic input gradient"
    writes = ("dx",)
    shapes = "x: rows n; omega: n K; phi: n K; W: n K U; da: rows m; dx: rows n"

    @property
    def formula(self) -> str:
        wave = f"2π({self.omega}·{self.x} + {self.phi})"
        return f"{self.dx} = −2π·Σ {self.omega}·sin({wave})·Σ {self.W}·{self.da}"

    def reference(self, xp: Any, x: Array, omega: Array, phi: Array, W: Array, da: Array) -> Array:
        return (omega * slopes(xp, x, omega, phi, W, da)).sum(axis=2)

    def flops(self, rows: int) -> int:
        columns, frequencies, units = self.W.shape
        return rows * columns * frequencies * (20 + 2 * units)
