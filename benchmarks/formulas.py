"""Activations written as formulas, compared with the built-in functions: the same numbers, and the ratio of times.

Both are compiled kernels, called repeatedly from compiled code on numbers that stay in the core's cache; formula and
built-in function take turns, round after round, and the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import activations
from thalweg.engine.native.compiler.compile import address_of, callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.engine.native.runtime.table_rows import row as row_of
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer, Instruction

AGAIN = """from thalweg.engine.native.compiler.llvm import call


def again(o, c, s, f):
    for _ in range(o[5]):
        call(o[0], o[1], o[2], o[3], o[4])
"""

ELEMENTS = 4096
TEXTS = {
    "relu": "max(x, 0)",
    "leaky_relu": "x if x > 0 else 0.2 * x",
    "elu": "x if x > 0 else exp(x) - 1",
    "gelu": "x * (1 + erf(x / sqrt(2))) / 2",
    "swish": "x / (1 + exp(-x))",
    "softplus": "log(1 + exp(x))",
    "tanh": "tanh(x)",
    "mish": "x * tanh(log(1 + exp(x)))",
    "selu": "1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (exp(x) - 1))",
    "sigmoid": "1 / (1 + exp(-x))",
    "softsign": "x / (1 + abs(x))",
    "relu6": "min(max(x, 0), 6)",
}


class Adjoint:
    """What an activation's adjoint asks of a program: the buffers, and whether it is wanted (yes)."""

    def __init__(self, dh: Buffer, da: Buffer) -> None:
        self.dh, self.da = dh, da

    def __call__(self, value: Buffer) -> Buffer:
        return self.da

    def wants(self, value: Buffer) -> bool:
        return True

    def into(self, value: Buffer) -> Buffer:
        return self.dh

    total = into


class Kernels:
    """Value and adjoint of an activation, with their own operands."""

    def __init__(self, function: activations.ActivationFunction) -> None:
        program = Builder(training=False)
        h = Buffer("h", (ELEMENTS,))
        a = function.forward(program, h)
        da, dh = Buffer("da", (ELEMENTS,)), Buffer("dh", (ELEMENTS,))
        self.instructions = [program.instructions[0], *program.instructions[0].adjoint(Adjoint(dh, da))]
        random = np.random.default_rng(0)
        self.values = {h: random.normal(size=ELEMENTS) * 2, da: random.normal(size=ELEMENTS)}
        self.values |= {a: np.zeros(ELEMENTS), dh: np.zeros(ELEMENTS)}
        self.values = {buffer: values.astype(np.float32) for buffer, values in self.values.items()}
        self.calls = [self.arguments(i) for i in self.instructions]
        self.results = self.values[a], self.values[dh]

    def arguments(self, i: Instruction) -> tuple[int, NDArray[Any], NDArray[Any]]:
        """A kernel's address, its table row and its constants."""
        words, reals = row_of(i, self)
        return address_of(kernel_of(i)), np.array(words), np.array([*reals, 0.0])

    def address(self, buffer: Buffer | None) -> int:
        """Where an operand is."""
        return 0 if buffer is None else int(self.values[buffer].ctypes.data)

    def weights(self, gradient: Buffer) -> int:
        """No weights are updated."""
        return 0

    def far(self, data: Buffer) -> bool:
        """All operands are near."""
        return False

    def run(self, again: Callable[..., None], times: int) -> float:
        """Seconds of this many forward and backward passes."""
        state, reals = np.zeros(64, np.int64), np.zeros(64)
        state[0] = 1  # row
        begin = time.perf_counter()
        for address, operands, constants in self.calls:
            given = [a.ctypes.data for a in (operands, constants, state, reals)]
            words = np.array([address, *given, times], np.int64)
            again(words.ctypes.data, 0, 0, 0)
        return time.perf_counter() - begin


@dataclass(frozen=True)
class Row:
    """Microseconds of value and adjoint together, and the largest difference of both, relative to 1 and the number."""

    name: str
    built_in: float
    formula: float
    difference: float


def measure(names: list[str], rounds: int = 15, times: int = 200) -> list[Row]:
    """Measures every pair, in turn."""
    again = callable_of(Kernel("benchmarks", "again", AGAIN))
    pairs = {name: [Kernels(f) for f in (activations.get(name), activations.get(TEXTS[name]))] for name in names}
    seconds: dict[str, list[list[float]]] = {name: [[], []] for name in names}
    for number in range(rounds + 1):
        for name, pair in pairs.items():
            for place in (0, 1) if number % 2 else (1, 0):
                elapsed = pair[place].run(again, times)
                if number:  # the first round warms up
                    seconds[name][place].append(elapsed / times * 1e6)
    return [
        Row(name, *(statistics.median(s) for s in seconds[name]), difference(*(kernels.results for kernels in pair)))
        for name, pair in pairs.items()
    ]


def difference(one: tuple[NDArray[Any], ...], other: tuple[NDArray[Any], ...]) -> float:
    """The largest difference of values and adjoints."""
    return max(float((abs(x - y) / (1 + abs(x))).max()) for x, y in zip(one, other, strict=True))


def formulas(only: str | None = None) -> None:
    """Prints the table; raises if a formula computes something else than the built-in function."""
    rows = measure([name for name in TEXTS if only is None or only in name])
    print(f"value and adjoint of {ELEMENTS} numbers, µs")
    print(f"{'':12} {'built-in':>9} {'formula':>9} {'ratio':>6} {'difference':>11}")
    for row in rows:
        numbers = f"{row.built_in:9.2f} {row.formula:9.2f} {row.formula / row.built_in:6.2f} {row.difference:11.1e}"
        print(f"{row.name:12} {numbers}  {TEXTS[row.name]}")
        if not row.difference < 2e-6:
            raise SystemExit(f"{row.name}: the formula computes something else")
