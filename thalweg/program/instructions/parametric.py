"""PReLU: a rectifier whose slope below 0 is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thalweg.errors import ShapeError
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated


def levels(row: tuple[int, ...], own: tuple[int, ...]) -> dict[str, int]:
    """(A, B, C, D, E): the axes of a row, with adjacent axes of the same kind merged. Along A, C and E the elements
    share an α; along B and D each has its own.

    >>> [tuple(levels((28, 28, 16), shape).values()) for shape in ((1, 1, 16), (28, 28, 1))]
    [(1, 1, 784, 16, 1), (1, 1, 1, 784, 16)]
    """
    groups: list[tuple[bool, int]] = []  # (whether shared, size)
    for size, of_alpha in zip(row, own, strict=True):
        shared = of_alpha != size
        if groups and (size == 1 or groups[-1][0] == shared):
            groups[-1] = (groups[-1][0], groups[-1][1] * size)
        else:
            groups.append((shared, size))
    if not groups[-1][0]:
        groups.append((True, 1))
    sizes = [1] * (5 - len(groups)) + [size for _, size in groups]
    if len(sizes) > 5:
        raise ShapeError(f"PReLU's shared axes cut rows of shape {row} into too many pieces: use Reshape before it")
    return dict(zip("ABCDE", sizes, strict=True))


class Prelu(Instruction):
    """a = h for h > 0, otherwise α·h      h, a (rows, *shape), α of the same shape with size 1 on shared axes"""

    h: Buffer
    alpha: Buffer
    a: Buffer

    name = "prelu"
    printed = "{a} = ({h} > 0 ? {h} : {alpha}·{h})"
    writes = ("a",)
    differentiates = ("h", "alpha")

    @property
    def stated(self) -> Stated:
        return Stated("a = where(h > 0, h, alpha * h)", {"h": self.h, "alpha": self.alpha, "a": self.a})

    @property
    def sizes(self) -> dict[str, int]:
        return levels(self.h.shape, self.alpha.shape)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.alpha):
            yield PreluGradient(self.h, d(self.a), d.into(self.alpha))
        if d.wants(self.h):
            yield PreluAdjoint(self.h, self.alpha, d(self.a), d.into(self.h))

    def reference(self, xp: Any, h: Array, alpha: Array) -> Array:
        return xp.where(h > 0, h, alpha * h)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.h.size


class PreluAdjoint(Instruction):
    """dh = da for h > 0, otherwise α·da; at 0, as in PyTorch, the slope is α"""

    h: Buffer
    alpha: Buffer
    da: Buffer
    dh: Buffer

    name = "prelu adjoint"
    printed = "{dh} = {da}·({h} > 0 ? 1 : {alpha})"
    writes = ("dh",)

    @property
    def stated(self) -> Stated:
        return Stated(
            "dh = da * where(h > 0, 1, alpha)", {"h": self.h, "alpha": self.alpha, "da": self.da, "dh": self.dh}
        )

    @property
    def sizes(self) -> dict[str, int]:
        return levels(self.h.shape, self.alpha.shape)

    def reference(self, xp: Any, h: Array, alpha: Array, da: Array) -> Array:
        return da * xp.where(h > 0, 1, alpha)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.h.size


class PreluGradient(Instruction):
    """dα = Σ da·min(h, 0), over the rows and the axes along which α is shared"""

    h: Buffer
    da: Buffer
    dalpha: Buffer

    name = "prelu gradient"
    printed = "{dalpha} = Σ {da}·min({h}, 0)"
    writes = ("dalpha",)
    reduces = ("dalpha",)

    @property
    def stated(self) -> Stated:
        return Stated("dalpha = da * min(h, 0)", {"h": self.h, "da": self.da, "dalpha": self.dalpha})

    @property
    def sizes(self) -> dict[str, int]:
        return levels(self.h.shape, self.dalpha.shape)

    def reference(self, xp: Any, h: Array, da: Array) -> Array:
        products = (da * xp.minimum(h, 0)).sum(axis=0)
        shared = tuple(k for k, size in enumerate(self.dalpha.shape) if size != self.h.shape[k])
        return products.sum(axis=shared, keepdims=True)

    def flops(self, rows: int) -> int:
        return 3 * rows * self.h.size
