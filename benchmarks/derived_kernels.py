"""Which kernels are made of references, and what the others would cost if they were: `--kernels`.

Every row of the tests' conformance table at three sizes. Both kernels have been held against the reference before their
time is taken; they take turns, called from compiled code on numbers that stay in the core's cache.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.formulas import AGAIN
from thalweg.engine.native.compiler.compile import address_of, callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.from_references import from_reference
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.kernels.table import KERNELS, derivation_of
from thalweg.errors import ThalwegError

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / name) for name in ("tables", "")]
from conformance import ROWS  # noqa: E402
from harness import Case, Shape  # noqa: E402

SHAPES = (Shape(64, 64, 32, 1, 0, 1), Shape(64, 12, 8, 9, 0, 1), Shape(256, 5, 3, 1, 0, 1))
SECONDS, ROUNDS = 3e-4, 15


class Timed(Case):
    """A case whose kernel can be called again and again on the same operands, after it has been checked."""

    words: tuple[Any, ...]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.lanes = 1  # of several, the last may have nothing to do

    def invoke(self, kernel: Kernel, *tables: Any) -> None:
        super().invoke(kernel, *tables)
        self.words = (address_of(kernel), [t.ctypes.data for t in tables], tables)

    def call(self, i: Any, places: Any, arena: Any, totals: Any) -> None:
        super().call(i, places, arena, totals)
        self.kept = (arena, totals)  # what the addresses point into

    def run(self, again: Callable[..., None], times: int) -> float:
        address, given, _ = self.words
        words = np.array([address, *given, times], np.int64)
        begin = time.perf_counter()
        again(words.ctypes.data, 0, 0, 0)
        return (time.perf_counter() - begin) / times


def pair(name: str, shape: Shape) -> tuple[Timed, Timed] | str:
    """The same case with the kernel that it has, and with one of its reference; or why there is none.

    The kernel that it has must agree with the reference; of what is as exact as that only if worked out otherwise
    (x - tanh(x) of small x, say), the derived one may not, which is a reason for the other.
    """
    usual, derived = Timed(ROWS[name], shape), Timed(ROWS[name], shape)
    try:
        vars(derived.instruction)["native kernel"] = from_reference(derived.instruction).kernel
    except ThalwegError as error:
        return str(error).partition(": ")[2] or str(error)
    usual.check()
    try:
        derived.check()
    except AssertionError as difference:
        return f"not as exact: {difference}"
    return usual, derived


def ratio(usual: Timed, derived: Timed, again: Callable[..., None]) -> tuple[float, float]:
    """Microseconds of the kernel by hand, and how many times as long the derived one takes."""
    times = max(1, int(SECONDS / max(usual.run(again, 10), 1e-8)))
    both = [(usual.run(again, times), derived.run(again, times)) for _ in range(ROUNDS)]
    return min(one for one, _ in both) * 1e6, statistics.median(other / one for one, other in both)


def measured(only: str | None = None) -> Iterator[tuple[str, str, str]]:
    """(row of the table, how its kernel is made, what that costs, or why)."""
    again = callable_of(Kernel("benchmarks", "again", AGAIN))
    for name in ROWS:
        if only is not None and only not in name:
            continue
        i = Case(ROWS[name], SHAPES[0]).instruction
        if derivation_of(i) is not None:
            yield name, "derived", ""
            continue
        how = "by hand" if name_of(i) in KERNELS else "of an equation"
        found = [pair(name, shape) for shape in SHAPES]
        texts = [f"{r:.2f} of {us:.1f} µs" for us, r in (ratio(*f, again) for f in found if not isinstance(f, str))]
        yield name, how, ", ".join(texts) or next(f for f in found if isinstance(f, str))


def kernels(only: str | None = None) -> None:
    """Prints the table, and how many kernels are made in which way."""
    count: Counter[str] = Counter()
    for name, how, why in measured(only):
        count[how] += 1
        print(f"{name:40} {how:15} {why}", flush=True)
    print(", ".join(f"{n} {how}" for how, n in count.items()))
