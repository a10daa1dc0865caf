"""From a scan to addresses: the rows of its body's table, which of their operands move with the steps, what is carried.

All of it lies behind the rows of the program's own instructions, in the same table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from thalweg.engine.contract import Array
from thalweg.engine.native.compiler.compile import address_of
from thalweg.engine.native.instructions.scan import NativeScan
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.engine.native.layouts.job import ROW_WIDTH
from thalweg.engine.native.runtime.table_rows import Places, cells, row
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.ir.instruction import Buffer, Instruction

CARRIED = 7  # numbers of a memory: see the kernel


class Steps:
    """Where a body's kernels find their operands in the first step of the sequences."""

    def __init__(self, scan: NativeScan, outside: Places) -> None:
        self.sequences, self.outside = scan.sequences, outside
        self.weights, self.far = outside.weights, outside.far

    def place(self, buffer: Buffer) -> tuple[int, int]:
        """The address in step 0, and how many floats of a row the next step is away."""
        sequence = self.sequences.get(buffer.storage)
        if sequence is None:
            return self.outside.address(buffer), 0
        return self.outside.address(sequence), buffer.size

    def address(self, buffer: Buffer | None) -> int:
        return 0 if buffer is None else self.place(buffer)[0]


def working(scan: NativeScan) -> list[Instruction]:
    """The body's instructions that do any work."""
    return [i for i in scan.body if not isinstance(i, Reshape)]


def moving(scan: NativeScan) -> Iterator[tuple[int, int, Buffer]]:
    """The body's operands that move: the number of their instruction, the column in its row, and they themselves."""
    for number, i in enumerate(working(scan)):
        yield from ((number, column, b) for column, b in cells(i) if b.storage in scan.sequences)


def rows_behind(scan: NativeScan) -> int:
    """How many rows of the table a scan needs besides its own."""
    numbers = 2 * sum(1 for _ in moving(scan)) + CARRIED * len(scan.memories)
    return len(working(scan)) + -(-numbers // ROW_WIDTH)


def link_steps(
    scan: NativeScan, outside: Places, table: Array, constants: Array, first: int
) -> tuple[list[int], list[float]]:
    """Writes what a scan calls into the table, from row `first` on; returns what the scan's own holds."""
    body, places = working(scan), Steps(scan, outside)
    for number, i in enumerate(body, start=first):
        words, reals = row(i, places)
        table[number, : 1 + len(words)] = address_of(kernel_of(i)), *words
        constants[number, : len(reals)] = reals
    start, wide = table.ctypes.data, 8 * ROW_WIDTH
    moves = [
        number for place, column, b in moving(scan) for number in (start + wide * (first + place) + 8 * column, b.size)
    ]
    carried = [number for k in range(len(scan.memories)) for number in memory(scan, k, places)]
    behind = table[first + len(body) :].reshape(-1)
    behind[: len(moves) + len(carried)] = np.array([*moves, *carried], np.int64)
    at = behind.ctypes.data
    words = [
        start + wide * first, constants[first:].ctypes.data, len(body), at, len(moves) // 2, at + 8 * len(moves),
        len(scan.memories), scan.steps, int(scan.backwards),
    ]  # fmt: skip
    return words, []


def memory(scan: NativeScan, k: int, places: Steps) -> list[int]:
    """The numbers of a memory."""
    at, after = places.place(scan.memories[k]), places.place(scan.after[k])
    ends = [places.outside.address(scan.initial[k]), places.outside.address(scan.finals[k])]
    return [*at, *after, *ends, scan.memories[k].size]
