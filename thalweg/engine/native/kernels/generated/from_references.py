"""Kernels of instructions for which nobody wrote one: made of the loops of their references.

Whatever an instruction's sizes and numbers are, they stay open where they decide nothing, so that one text serves many.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.engine.native.compiler.kernel import HOME, Kernel
from thalweg.engine.native.kernels.generated.formulas import generated
from thalweg.engine.native.kernels.generated.kernel_printer import STATE, KernelPrinter
from thalweg.engine.native.layouts.orders import ByColumns, BySteps
from thalweg.engine.native.layouts.regions import EXCHANGE, PREPARED
from thalweg.engine.native.scheduling.traits import in_place, sliced
from thalweg.errors import ThalwegError
from thalweg.program.graphs.evaluated import traced_step
from thalweg.program.graphs.sizes import ROWS, Size, of_rows
from thalweg.program.graphs.traced_program import Arrays, Assignment, Statement, statement
from thalweg.program.graphs.traced_values import Value, broadcast, constant, named, walk, weak
from thalweg.program.graphs.trial import is_foreign, try_out
from thalweg.program.ir.instruction import (
    BYTES,
    DATA,
    DOUBLE,
    NORMS,
    PARAMETERS,
    SLOTS,
    TOTALS,
    Buffer,
    Constant,
    Instruction,
    fields_of,
)
from thalweg.program.ir.program import changes
from thalweg.program.loops.elements import VIEWS, Storage
from thalweg.program.loops.fusing import fused
from thalweg.program.loops.heavy import HEAVY
from thalweg.program.loops.nests import GIVEN, MEMORY, TABLE, VECTOR, Array, Names, arrays_read, arrays_written
from thalweg.program.loops.printer import indented
from thalweg.program.loops.routine import planned

TYPES = {"float32": "floats", "float64": "doubles", "int64": "integers", "uint8": "bytes_of", "bool": "bytes_of"}
ORDER = ("rows", "first_row", "batch_rows", "accumulate", "iteration", "update", "seed", "lane", *STATE)


@dataclass(frozen=True)
class FromReference:
    """A kernel, and what it is given: operands, whole numbers and real numbers, by the names in its signature."""

    kernel: Kernel
    operands: Mapping[str, Buffer]
    sizes: Mapping[str, int]
    constants: Mapping[str, float]


class Opened:
    """An instruction whose numbers are open: they have names, and decide as what they are."""

    def __init__(self, i: Instruction, reals: bool, flat: bool) -> None:
        self.reals = reals  # whether real numbers are open, too, and constant arrays
        self.flat = flat  # whether buffers have a single axis
        self.ordered = False  # whether all of them lie in another order of their elements
        self.operands: dict[str, Buffer] = {}
        self.sizes: dict[str, int] = {}
        self.constants: dict[str, float] = {}
        self.buffers: dict[Buffer, Buffer] = {}
        self.known: dict[tuple[int, int], str] = {}  # (place from the front, or from the end, size) → name
        self.own: dict[Buffer, str] = {}  # the opened buffers' names
        given = [b for b in i.operands if b is not None]
        orders = {(type(b), b.shape) for b in given if b.per_row}
        for b in dict.fromkeys(given):
            other = isinstance(b, ByColumns | BySteps)
            self.ordered = self.ordered or other
            if (other and len(orders) > 1) or (b.region == DATA and not isinstance(b, Constant)):
                raise ThalwegError(f"{b} lies in an order of its own")
            name = f"v{len(self.operands)}"
            self.operands[name] = b
            self.own[self.buffer(b)] = name
        self.instruction: Instruction = self.of(i)

    def axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes of axes by their names: an axis has that of one before it of the same size and at the same place,
        counted from either end, if there is one. So the names don't depend on what happens to be equal."""
        shape = (math.prod(shape),) if self.flat else shape
        named: list[int] = []
        for k, n in enumerate(shape):
            alike = (self.known.get((k - end, n)) for end in (0, len(shape)))
            name = next((a for a in alike if a is not None and a not in map(str, named)), f"d{len(self.sizes)}")
            if n not in (0, 1):
                self.sizes[name] = n
                for end in (0, len(shape)):
                    self.known.setdefault((k - end, n), name)
            named.append(n if n in (0, 1) else Size.named(name, n))
        return tuple(named)

    def buffer(self, b: Buffer) -> Buffer:
        if b not in self.buffers:
            known = isinstance(b, Constant) and not self.reals
            shape = () if known else self.axes(b.shape)
            self.buffers[b] = b if known else Buffer(b.name, shape, b.region, b.per_row, b.offset, dtype=b.dtype)
        return self.buffers[b]

    def of(self, value: Any, kind: Any = "") -> Any:
        """A field's value, opened."""
        match value:
            case Buffer():
                return self.buffer(value)
            case tuple() if kind in ("Pair", "Range") or any(isinstance(v, Buffer) for v in value):
                return tuple(self.of(v, type(v)) for v in value)
            case int() if kind == "stream" or (kind in ("int", int) and value > 1):
                name = f"q{len(self.sizes)}"
                self.sizes[name] = value
                return Size.named(name, value)
            case float() if self.reals and kind in ("float", float):
                name = f"r{len(self.constants)}"
                self.constants[name] = value
                return weak("step", name=name)
            case Instruction():
                shadow = copy.copy(value)
                vars(shadow).clear()  # also of what was worked out of its fields
                types = {name: f.type for name, f in type(value).__dataclass_fields__.items()}  # type: ignore[attr-defined]
                for name, own in fields_of(value).items():
                    vars(shadow)[name] = self.of(own, "stream" if name == "stream" else types[name])
                return shadow
        return value


class KernelArrays(Arrays):
    """What an instruction reads: each operand lies by itself."""

    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        super().__init__(ROWS, dtype, ROWS)
        self.step = replace(traced_step(ROWS), first_row=Size.named("first_row", int(ROWS)))

    def __getitem__(self, buffer: Buffer) -> Value:
        if isinstance(buffer, Constant):
            return constant(buffer.values.astype(self.dtype))
        return named(buffer, (*[self.rows] * buffer.per_row, *buffer.shape), self.kind(buffer))


def from_reference(i: Instruction) -> FromReference:
    """The kernel of an instruction, from its reference.

    Raises:
        ThalwegError: its reference uses what no kernel knows.
    """
    kept: dict[str, Any] = vars(i)
    if "native derivation" not in kept:
        if type(i).reference is Instruction.reference:
            lines = "no lines `@kernel` and `def {}(…):` in native/kernels/".format(i.title.replace(" ", "_"))
            raise KeyError(f"there is no kernel for {i.title}: {lines}, and no reference of which one could be made")
        if type(i).__module__.startswith(HOME):
            raise ThalwegError(f"{i.title} is a native form, which does more than its reference says: write its kernel")
        if empty := [b for b in i.operands if b is not None and not b.size]:
            raise ThalwegError(f"{i.title} has nothing to do: {empty[0]} has no elements")
        if is_shared(i):
            raise ThalwegError(f"the lanes share {i.title}, which its reference doesn't say: write its kernel")
        try:
            kept["native derivation"] = Writing(i, reals=True).whole()
        except (ThalwegError, AttributeError, KeyError, TypeError, ValueError):  # a number decides what is computed
            try:
                kept["native derivation"] = Writing(i, reals=False).whole()
            except (KeyError, TypeError, ValueError) as error:
                raise ThalwegError(f"no kernel can be made of the reference of {i.title}: {error}") from error
    found: FromReference = kept["native derivation"]
    return found


def is_shared(i: Instruction) -> bool:
    """Whether all lanes have to do it together: on stretches of a vector, or on what all of them have made."""
    together = any(b is not None and b.region in (EXCHANGE, PREPARED) for b in i.operands)
    lasting = i.accumulates or any(b.region in (PARAMETERS, SLOTS, TOTALS, NORMS) for b in i.outputs)
    return sliced(i) or together or (lasting and not i.per_row and not changes(i))


class Writing:
    """One kernel."""

    def __init__(self, i: Instruction, reals: bool, flat: bool = False) -> None:
        self.of = i
        self.opened = Opened(i, reals, flat)
        self.rows = ROWS
        self.printer = KernelPrinter()
        self.arrays = {b: self.array(b, name) for b, name in self.opened.own.items()}
        self.overwriting()
        self.storage = Storage(lambda b: self.arrays[b], Names(self.opened.operands), self.rows)

    def array(self, b: Buffer, name: str) -> Array:
        kind = np.dtype({DOUBLE: np.float64, BYTES: np.uint8}.get(b.dtype, np.float32))
        kind = np.dtype(np.float64) if b.region in (TOTALS, NORMS) else kind
        return Array(name, b.size * (self.rows if b.per_row else 1), kind, GIVEN)

    def overwriting(self) -> None:
        """Tells which operands lie over each other: a result may lie over what it is made of, and views over views."""
        over = in_place(self.of) or ()
        given = [b for b in self.opened.operands.values() if b not in over]
        groups: list[list[Buffer]] = [[b for b in given if b.storage is of] for of in {b.storage: 0 for b in given}]
        for group in (list(over), *groups):
            for b in group if len(group) > 1 else ():
                array = self.arrays[self.opened.buffer(b)]
                array.where, array.region = VECTOR, array.region or f"over {group[0]}"

    def whole(self) -> FromReference:
        opened = self.opened
        traced = self.traced()
        if is_foreign(self.of) and not opened.flat:
            own = {b: opened.operands[name] for b, name in opened.own.items()}
            numbers = {**opened.sizes, **opened.constants}
            try_out(self.of, opened.instruction, KernelArrays(np.float64), own, numbers)
        if not opened.flat and alike(traced):
            flat = Writing(self.of, opened.reals, flat=True)
            if flat.computes(self.told()):
                return flat.whole()
        if opened.ordered and not opened.flat:
            raise ThalwegError("what isn't elementwise lies in an order of its own")
        lines = list(indented(self.lines(traced)))
        lines, sizes = folded(lines, opened.sizes)
        names = [*opened.operands, *sizes]
        reals = [f"{name}: float" for name in opened.constants]
        state = ", ".join(name for name in dict.fromkeys(ORDER) if name in self.printer.state)
        head = f"\n\n@kernel\ndef {{name}}({', '.join([*names, *reals])}{', *, ' * bool(state)}{state}):\n"
        text = head + "\n".join(lines) + "\n"
        kernel = generated(re.sub(r"\W+|^(?=\d)", "_", self.of.title), text)
        return FromReference(kernel, opened.operands, sizes, opened.constants)

    def traced(self) -> Statement:
        """What the reference computes, whose shapes have to be those of the results, or become them by repeating."""
        found = statement(self.opened.instruction, KernelArrays())
        for a in found.assignments:
            wanted = (*[self.rows] * a.buffer.per_row, *a.buffer.shape)
            try:
                fits = broadcast(a.value.shape, wanted) == wanted
            except ValueError:
                fits = False
            if not fits:
                own = f"{a.buffer} of shape {numbers(wanted)} an array of shape {numbers(a.value.shape)}"
                raise ThalwegError(f"the reference of {self.of.title} gives {own}")
        return found

    def computes(self, told: list[Hashable]) -> bool:
        """Whether it is the same with other shapes: a reference may read numbers from these, or count axes."""
        try:
            return self.told() == told
        except (ThalwegError, AttributeError, IndexError, TypeError, ValueError):
            return False

    def told(self) -> list[Hashable]:
        """What is computed, but for shapes."""
        values = [a.value for a in self.traced().assignments]
        known: dict[Value, int] = {}  # the first of equal values
        places: dict[Hashable, int] = {}
        for v in walk(values):
            if v.function == "reshape":
                known[v] = known[v.operands[0]]
                continue
            options = {name: o.ravel().tobytes() if isinstance(o, np.ndarray) else o for name, o in v.options.items()}
            if v.function == "name":
                options["buffer"] = self.opened.own[v.options["buffer"]]
            of = v.function, v.dtype, tuple(known[o] for o in v.operands), tuple(sorted(options.items(), key=str))
            known[v] = places.setdefault(of, len(places))
        return [*places, *(known[v] for v in values)]

    def lines(self, traced: Statement) -> list[str]:
        reduced = self.reduced()
        assignments = tuple(self.flat(replace(a, adds=a.adds or a.buffer in reduced)) for a in traced.assignments)
        block = fused(self.storage, Statement(self.of, assignments))
        memory, body = planned([block]), list(self.printer.steps(block.steps))
        used = list(dict.fromkeys((*arrays_written(block.steps), *arrays_read(block.steps))))
        if any(a.where == TABLE for a in used):
            raise ThalwegError("it has a table of constants")
        if any(of_rows(a.size) and a.size % ROWS for a in used):  # which is longer, depends on the rows
            raise ThalwegError("what it keeps is as long as the rows and some more")
        self.printer.state |= {"rows"}
        found = [f"{a.name} = {view(a)}({a.name}, {a.size})" for a in used if a.where in (GIVEN, VECTOR)]
        for dtype, count in memory.items():
            found.append(f"m_{dtype} = allocate({dtype.itemsize} * ({count}))")
        for a in used:
            if a.where == MEMORY:
                place = f"m_{a.dtype} + {a.dtype.itemsize} * ({a.offset})"
                found.append(f"{a.name} = {view(a)}({place}, {a.size})")
        for b in reduced:
            self.printer.state.add("accumulate")
            found += ["if not accumulate:", f"    {self.arrays[b].name}[:] = F32(0)"]
        found += [f"{key} = {made}" for made, key in self.printer.keys.items()]
        lines = [*found, *body, *(f"release(m_{dtype})" for dtype in memory)]
        if not changes(self.of) or self.of.per_row:
            return lines
        self.printer.state.add("lane")
        return ["if lane == 0:", *indented(lines)]

    def flat(self, a: Assignment) -> Assignment:
        """The same without a change of the shape, as the elements lie in the same order."""
        value, array = a.value, self.arrays[a.buffer]
        while value.function == "reshape" and value.size == array.size:
            (value,) = value.operands
        buffer = Buffer(a.buffer.name, value.shape, per_row=False)
        if value is a.value:
            return a
        self.arrays[buffer] = array
        return Assignment(buffer, value, a.adds)

    def reduced(self) -> list[Buffer]:
        """The results that are sums over the rows of a batch, block after block."""
        fields = [getattr(self.opened.instruction, name) for name in self.of.reduces]
        every = [b for v in fields for b in (v if isinstance(v, tuple) else (v,)) if b is not None]
        return [b for b in every if b.region != TOTALS]


def numbers(shape: Sequence[int]) -> str:
    """A shape for people, whose first axis may be the rows."""
    return f"({', '.join('rows' if n == ROWS else str(int(n)) for n in shape)})"


def alike(traced: Statement) -> bool:
    """Whether each element of the results is made of those at its place: their order in memory doesn't matter then."""
    values = walk([a.value for a in traced.assignments])
    moves = (*HEAVY, *(set(VIEWS) - {"reshape"}), "drawn", "arange")
    sizes = {v.size for v in values if v.ndim}
    return len(sizes) == 1 and not any(v.function in moves for v in values)


def folded(lines: list[str], sizes: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    """The same with a single name for sizes that are only ever multiplied with each other, and without those that
    nothing reads: so the number of axes doesn't matter where their order doesn't."""
    text, found = "\n".join(lines), dict(sizes)
    for one in [*found]:
        count = len(re.findall(rf"\b{one}\b", text))
        for other in [name for name in found if name != one and one in found]:
            pair = rf"\b{one} \* {other}\b"
            if count and count == len(re.findall(pair, text)) == len(re.findall(rf"\b{other}\b", text)):
                text = re.sub(pair, one, text)
                found[one] *= found.pop(other)
    kept = dict.fromkeys(re.findall(r"\b[dq]\d+\b", text))  # in the order in which they are read
    new = {name: f"{name[0]}{k}" for k, name in enumerate(kept)}
    text = re.sub(r"\b[dq]\d+\b", lambda m: new.get(m[0], m[0]), text)
    return text.split("\n"), {new[name]: found[name] for name in kept}


def view(a: Array) -> str:
    return TYPES[a.dtype.name]
