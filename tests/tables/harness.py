"""One instruction at one random shape: its operands with values, its reference and its native kernel on them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.native.compiler.compile import callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.instructions.scan import NativeScan
from thalweg.engine.native.instructions.variants import native
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.engine.native.layouts.job import CONSTANTS, ROW_WIDTH
from thalweg.engine.native.layouts.limits import NARROW
from thalweg.engine.native.layouts.orders import ByColumns, BySteps, in_columns
from thalweg.engine.native.layouts.state import Reals, State
from thalweg.engine.native.runtime.linked_steps import link_steps, rows_behind
from thalweg.engine.native.runtime.table_rows import row
from thalweg.engine.native.scheduling.traits import OwnInputs, in_place, sliced
from thalweg.program.instructions.elementwise import Copy
from thalweg.program.ir.instruction import (
    BYTES,
    DATA,
    DOUBLE,
    GRADIENTS,
    NORMS,
    PARAMETERS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Constant,
    Instruction,
    StepState,
)
from thalweg.program.ir.references import compute

Array = NDArray[Any]

OPTIONAL, ACCUMULATE, IN_PLACE, TOTAL, EXTREME, SMOOTHED, TWICE, ORDERED = (1 << i for i in range(8))
DOUBLES = (TOTALS, NORMS)  # regions of float64
SENTINEL = -777.25  # fills the gaps between operands, where no kernel may write
TOLERANCE = 1e-5


class Shape(NamedTuple):
    """What hypothesis draws. Every row reads of it what it needs."""

    rows: int = 5
    width: int = 4
    units: int = 3
    positions: int = 1
    flags: int = 0
    seed: int = 0


class Memory(dict[Buffer, Array]):
    """Arrays by buffer, and the state of a step: what an instruction is executed on."""

    step: StepState
    accumulate: bool = False

    def __missing__(self, buffer: Buffer) -> Array:
        if buffer.view_of is not None:
            leading = (self.step.rows,) if buffer.per_row else ()
            self[buffer] = self[buffer.storage].reshape(*leading, *buffer.shape)
        elif isinstance(buffer, Constant):
            self[buffer] = buffer.values
        else:
            self[buffer] = np.full((self.step.rows, *buffer.shape) if buffer.per_row else buffer.shape, np.nan)
        return self[buffer]

    def on(self, arrays: dict[Buffer, Array]) -> "Memory":
        """The same step on other arrays."""
        other = Memory(arrays)
        other.__dict__.update(self.__dict__)
        return other


class Operands:
    """The operands of one instruction, in an arena; no weights are taken from other cores, and no data are far."""

    def __init__(self, places: dict[Buffer, slice], arena: Array, totals: dict[Buffer, Array]) -> None:
        self.places, self.arena, self.totals = places, arena, totals

    def address(self, buffer: Buffer | None) -> int:
        if buffer is None:
            return 0
        if buffer in self.totals:
            return self.totals[buffer].ctypes.data + 8
        return self.arena.ctypes.data + 4 * self.places[buffer].start

    def weights(self, gradient: Buffer) -> int:
        return 0

    def far(self, data: Buffer) -> bool:
        return False


def execute(instruction: Instruction, memory: Memory, xp: Any = np) -> None:
    """What a kernel should do with the memory, by the instruction's reference.

    Running sums and results that accumulate are added to the previous value; so are sums over the rows after the first
    block of a batch, unless they cover the whole batch. All else is set.
    """
    with np.errstate(all="ignore"):
        results = iter(compute(instruction, memory, xp))
        for field in instruction.writes:
            of = getattr(instruction, field)
            for buffer, value in [(b, next(results)) for b in (of if isinstance(of, tuple) else (of,))]:
                if value is None:
                    continue
                later = memory.accumulate and field in instruction.reduces and not isinstance(instruction, OwnInputs)
                if later or instruction.accumulates or buffer.region == TOTALS:
                    memory[buffer] += np.asarray(value)
                else:
                    memory[buffer][...] = np.asarray(value)


class Case:
    """One instruction at one shape. `smooth` keeps the values away from kinks, for central differences."""

    def __init__(self, build: "Callable[[Case], Instruction]", shape: Shape, smooth: bool = False) -> None:
        self.shape, self.smooth = shape, smooth
        self.random = np.random.default_rng(shape.seed)
        self.values: dict[Buffer, Array] = {}
        self.magnitudes: dict[str, Callable[[Memory], Array]] = {}  # of the sum that makes an output, by its field
        self.dtype: type = np.float64  # of the reference
        self.lanes = 1  # that share the work
        self.busy = 1  # that have gradients
        self.vector = 0  # elements of the parameter vector; as far as the first operand reaches if 0
        self.data_rows = shape.rows
        self.batch_rows = shape.rows + shape.seed % 5
        self.penalties = (shape.seed % 3 + 1) / 2  # the step's factor
        self.first_row, self.start, self.iteration = shape.seed % 11, 0, 1 + shape.seed % 1000
        self.update = 1 + self.iteration // 3  # as if gradients were accumulated
        self.order: Array = np.arange(shape.rows)
        self.images_by_columns = False
        self.instruction = build(self)
        self.inplace = self.has(IN_PLACE) and in_place(self.instruction) is not None

    def has(self, flag: int) -> bool:
        return bool(self.shape.flags & flag)

    # --- operands

    def put(
        self, name: str, shape: tuple[int, ...], values: Any, region: str = WORKSPACE, per_row: bool = True
    ) -> Buffer:
        columns = self.images_by_columns and per_row and region == WORKSPACE and len(shape) == 3
        kind, offset = ByColumns if columns else Buffer, 0 if region in (PARAMETERS, GRADIENTS, TOTALS) else -1
        buffer = kind(name, shape, region, per_row, offset)
        leading = (self.data_rows if region == DATA else self.shape.rows,) if per_row else ()
        self.values[buffer] = np.broadcast_to(values, (*leading, *shape)).astype(np.float32)
        return buffer

    def pixels(self, name: str, shape: tuple[int, ...]) -> Buffer:
        """Data of bytes."""
        buffer = self.put(name, shape, 0, DATA)
        buffer.dtype = BYTES
        self.values[buffer] = self.random.integers(0, 256, (self.data_rows, *shape), np.uint8)
        return buffer

    def normal(self, name: str, shape: tuple[int, ...], region: str = WORKSPACE, per_row: bool = True) -> Buffer:
        rows = (self.data_rows if region == DATA else self.shape.rows,) if per_row else ()
        return self.put(name, shape, self.random.normal(size=(*rows, *shape)), region, per_row)

    def output(self, name: str, shape: tuple[int, ...], region: str = WORKSPACE, per_row: bool = True) -> Buffer:
        """Filled with NaN, so that an element left out is seen; with numbers where the instruction adds to it."""
        if self.has(ACCUMULATE) and not per_row:
            return self.normal(name, shape, region, per_row)
        return self.put(name, shape, np.nan, region, per_row)

    def sums(self, name: str, size: int = 1) -> Buffer:
        buffer = Buffer(name, (size,), TOTALS, per_row=False, offset=0, dtype=DOUBLE)
        self.values[buffer] = self.random.uniform(0, 10, size)
        return buffer

    @property
    def row(self) -> tuple[int, ...]:
        """The shape of a row: (width,), or (positions, width)."""
        return (self.shape.width,) if self.shape.positions == 1 else (self.shape.positions, self.shape.width)

    def narrow(self) -> bool:
        """Whether rows are by columns; if so, they are made narrow."""
        if self.shape.positions > 1 or not self.has(TWICE):
            return False
        self.shape = self.shape._replace(width=1 + self.shape.width % NARROW)
        return True

    def turned(self, b: Buffer) -> Buffer:
        """The same operand by columns."""
        columns = ByColumns(b.name, b.shape)
        self.values[columns] = self.values.pop(b)
        return columns

    def built(self, i: Instruction, **more: Any) -> Instruction:
        """The instruction, or its native variant if an operand is by columns or there is more to compute."""
        return native(i, **more) if any(more.values()) or any(map(in_columns, i.operands)) else i

    def logits(self, name: str) -> Buffer:
        """Pre-activations, up to ±10,000 where extreme."""
        scale = 1e4 if self.has(EXTREME) and not self.smooth else 3.0
        h = self.random.uniform(-scale, scale, (self.shape.rows, *self.row)).astype(np.float32)
        if self.smooth:
            h += np.sign(h) * np.float32(0.1)
        return self.put(name, self.row, h)

    # --- execution

    def memory(self, dtype: type) -> Memory:
        arrays = {b: v.astype(v.dtype if b.region in DOUBLES else dtype) for b, v in self.values.items()}
        m = Memory(arrays)
        m.accumulate = self.has(ACCUMULATE)
        m.step = StepState(
            rows=self.shape.rows,
            first_row=self.first_row,
            batch_rows=self.batch_rows,
            iteration=self.iteration,
            update=self.update,
            seed=self.shape.seed,
            learning_rate=0.05,
            penalties=self.penalties,
            order=self.order,
        )
        return m

    def reference(self, xp: Any = np) -> dict[str, Array]:
        """What the outputs should be, by field, computed with an array library."""
        m = self.memory(self.dtype)
        execute(self.instruction, m, xp)
        return {field: m[b] for field, b in self.outputs().items()}

    def outputs(self) -> dict[str, Buffer]:
        """What the instruction writes, by field; where a field holds several, by their own names."""
        written = {field: getattr(self.instruction, field) for field in self.instruction.writes}
        several = {b.name: b for field in written.values() if isinstance(field, tuple) for b in field if b is not None}
        return {field: b for field, b in written.items() if isinstance(b, Buffer)} | several

    def native(self) -> dict[str, Array]:
        """What the kernel makes of the same operands; fails where it writes anywhere else."""
        i = self.instruction
        source, result = in_place(i) if self.inplace else (None, None)  # type: ignore[misc]
        places: dict[Buffer, slice] = {}
        cursor = 0
        for b in dict.fromkeys(b for b in i.operands if b is not None and b is not result):
            if b.region not in DOUBLES:
                begin = cursor + 16 + int(self.random.integers(16))
                cursor = begin + -(-self.values[b].nbytes // 4)
                places[b] = slice(begin, cursor)
        arena = np.full(cursor + 32, SENTINEL, np.float32)
        for b, place in places.items():
            values = self.values[b].swapaxes(0, -1) if in_columns(b) else self.values[b]
            values = values.swapaxes(0, 1) if isinstance(b, BySteps) else values
            arena[place].view(np.uint8)[: values.nbytes] = values.ravel().view(np.uint8)
        if result is not None:
            places[result] = places[source]
        totals = {b: np.array([SENTINEL, *v, SENTINEL]) for b, v in self.values.items() if b.region in DOUBLES}
        before = arena.copy()
        self.call(i, places, arena, totals)
        outputs = {}
        for field, b in self.outputs().items():
            if b.region in DOUBLES:
                assert totals[b][0] == totals[b][-1] == SENTINEL, f"{name_of(i)} writes beside {b}"
                outputs[field] = totals[b][1:-1]
            else:
                before[places[b]] = arena[places[b]]
                values = arena[places[b]]
                shape = self.values[b].shape
                if isinstance(b, BySteps):
                    outputs[field] = values.reshape(shape[1], shape[0], *shape[2:]).swapaxes(0, 1)
                elif in_columns(b):
                    outputs[field] = values.reshape(shape[-1], *shape[1:-1], shape[0]).swapaxes(0, -1)
                else:
                    outputs[field] = values.reshape(shape)
        changed = before.view(np.int32) != arena.view(np.int32)
        assert not changed.any(), f"{name_of(i)} writes beside its outputs"
        return outputs

    def call(self, i: Instruction, places: dict[Buffer, slice], arena: Array, totals: dict[Buffer, Array]) -> None:
        operands = Operands(places, arena, totals)
        if isinstance(i, NativeScan):
            table = np.zeros((rows_behind(i), ROW_WIDTH), np.int64)
            words, reals = link_steps(i, operands, table, np.zeros((len(table), CONSTANTS)), 0)
        else:
            words, reals = row(i, operands)
        o, c = np.array([*words, 0], np.int64), np.array([*reals, 0.0])
        tables = np.zeros(State.size, np.int64), np.zeros(Reals.size)
        s, f = State(tables[0]), Reals(tables[1])
        order = np.ascontiguousarray(self.order, np.int64)
        s.rows, s.first_row, s.batch_rows = self.shape.rows, self.first_row, self.batch_rows
        s.accumulate = self.has(ACCUMULATE) and not sliced(i)
        s.iteration, s.seed = self.iteration, self.shape.seed
        s.order, s.start = order.ctypes.data if self.has(ORDERED) else 0, self.start
        s.update, s.busy = self.update, self.busy
        s.block = self.shape.rows
        f.learning_rate, f.penalties = 0.05, self.penalties
        for lane in range(self.lanes):
            s.lane, s.lanes = lane, self.lanes
            for first, after in self.stretches(lane):
                s.first, s.after = first, after
                self.invoke(kernel_of(i), o, c, *tables)
                if sliced(i):
                    s.accumulate = 1

    def invoke(self, kernel: Kernel, *tables: Array) -> None:
        callable_of(kernel)(*(table.ctypes.data for table in tables))

    def stretches(self, lane: int) -> list[tuple[int, int]]:
        """The stretches of the parameter vector that a lane works on, one after the other; any if it doesn't matter."""
        i = self.instruction
        if isinstance(i, OwnInputs):
            return [(0, 1 << 40)]  # its share of them
        if not sliced(i):
            return [(0, 0)]
        first = i.operands[0]
        assert first is not None
        vector, chunk = self.vector or first.offset + first.size, 16 * (1 + self.shape.seed % 300)
        lines = -(-vector // 16)
        begin, end = (min(vector, lines * n // self.lanes * 16) for n in (lane, lane + 1))
        return [(start, min(start + chunk, end)) for start in range(begin, end, chunk)]

    def check(self) -> None:
        """The kernel agrees with the reference to 1e-5 of the size of the sum."""
        got, want, m = self.native(), self.reference(), self.memory(np.float64)
        for field, right in want.items():
            size = self.magnitudes[field](m) if field in self.magnitudes else np.abs(right)
            error = np.abs(got[field] - right)
            bad = ~(error <= TOLERANCE * size + 1e-11)
            assert not bad.any(), (
                f"{name_of(self.instruction)} at {self.shape}: {field} is {got[field][bad][0]}, "
                f"the reference says {right[bad][0]}, at {np.argwhere(bad)[0]}"
            )


class Dot(Instruction):
    """sums += rows·Σ c·p: a loss with the covector c, to pull any value's derivatives back through a program."""

    p: Buffer
    c: Buffer
    sums: Buffer

    name = "dot"
    writes = ("sums",)
    reduces = ("sums",)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.p,)

    def adjoint(self, d: Any) -> Iterator[Instruction]:
        if d.wants(self.p):
            yield Copy(self.c, d.into(self.p))

    def reference(self, xp: Any, p: Array, c: Array, step: StepState) -> Array:
        total: Array = step.batch_rows * (c * p).sum()
        return total


def run(instructions: Sequence[Instruction], m: Memory) -> float:
    """Executes the references in order; returns the loss, the mean of what was added to the sums."""
    totals = [b for i in instructions for b in i.outputs if b.region == TOTALS]
    for b in totals:
        m[b] = np.zeros(b.size)
    for i in instructions:
        execute(i, m)
    return sum(float(m[b][0]) for b in dict.fromkeys(totals)) / m.step.batch_rows
