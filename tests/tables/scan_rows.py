"""Rows of the conformance table: loops over the steps of sequences, and what the native engine makes of their steps."""

import numpy as np
from harness import EXTREME, OPTIONAL, ORDERED, TOTAL, TWICE, Case, Memory

from thalweg.engine.native.instructions.gates import Columns
from thalweg.engine.native.instructions.scan import ByStepsOf, NativeScan
from thalweg.engine.native.layouts.orders import BySteps
from thalweg.program.formula import operations
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.elementwise import Copy, Rescale
from thalweg.program.instructions.linear import Affine
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.instructions.shapes import Concatenation, Placement, Slice
from thalweg.program.ir.instruction import PARAMETERS, Buffer, Instruction


def sums(m: Memory) -> np.ndarray:
    """The size of the sums: of some products of numbers about 1, carried from step to step."""
    return np.array(8.0)


def sequence(c: Case, b: Buffer) -> Buffer:
    """The same operand by steps."""
    steps = BySteps(b.name, b.shape)
    c.values[steps] = c.values.pop(b)
    return steps


def scan_of(c: Case, by_steps: bool) -> Scan:
    """s = tanh(x[t] + s·R + p·s + g), with a second memory that the first one becomes, in either direction.

    p is a weight, and g a number of the row that is the same in each step.
    """
    steps, units = 1 + c.shape.seed % 4, c.shape.units
    place = (lambda b: sequence(c, b)) if by_steps else (lambda b: b)
    x = place(c.normal("x", (steps, units)))
    R = c.put("R", (units, units), c.random.normal(size=(units, units)) / units, PARAMETERS, per_row=False)
    p = c.normal("p", (units,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None
    part, s, before = Buffer("x[t]", (units,)), Buffer("s", (units,)), Buffer("before", (units,))
    h, z, a, kept = (Buffer(name, (units,)) for name in ("h", "z", "a", "kept"))
    body: list[Instruction] = [Affine(s, R, None, h), Pointwise(operations.BINARY["add"], (part, h), z)]
    if p is not None:
        peep, more = Buffer("peep", (units,)), Buffer("more", (units,))
        body += [Pointwise(operations.BINARY["multiply"], (s, p), peep)]
        body += [Pointwise(operations.BINARY["add"], (z, peep), more)]
        z = more
    g = c.normal("g", (units,)) if c.has(TOTAL) else None
    if g is not None:
        body += [Pointwise(operations.BINARY["add"], (z, g), much := Buffer("much", (units,)))]
        z = much
    body += [Elementwise(z, a, operations.UNARY["tanh"], ()), Copy(s, kept)]
    first = c.normal("first", (units,)) if c.has(EXTREME) else None
    made = [*(b for i in body for b in i.outputs), s, before]
    outputs = [place(c.output(f"all {b}", (steps, units))) for b in made]
    finals = (c.output("last", (units,)), c.output("last but one", (units,)) if c.has(TWICE) else None)
    c.magnitudes.update((b.name, sums) for b in (*outputs, *finals) if b is not None)
    taken = (steps, tuple(body), (x,), (part,), (first, None), (s, before), (a, kept), tuple(made), tuple(outputs))
    return (NativeScan if by_steps else Scan)(
        *taken, finals, tuple(b for b in (R, p, g) if b is not None), c.has(ORDERED)
    )


def by_steps(c: Case) -> Instruction:
    shape = (1 + c.shape.seed % 4, *c.row)
    if c.has(TWICE):
        return ByStepsOf(sequence(c, c.normal("x", shape)), c.output("z", shape), back=True)
    return ByStepsOf(c.normal("x", shape), sequence(c, c.output("z", shape)))


def columns(c: Case) -> Instruction:
    """Gates: slices of a wide value, a number a row, a weight, and what becomes wide again."""
    n = 1 + c.shape.units
    wide, gate, b = c.normal("wide", (3 * n,)), c.normal("gate", (1,)), c.normal("b", (n,), PARAMETERS, per_row=False)
    one, two, three, four, five, far = (Buffer(name, (n,)) for name in ("1", "2", "3", "4", "5", "far"))
    z, both, placed = c.output("z", (n,)), c.output("both", (2 * n,)), c.output("placed", (3 * n,))
    members = (
        Slice(wide, one, (n,), (1,)),
        Pointwise(operations.BINARY["multiply"], (one, gate), two),
        Pointwise(operations.BINARY["add"], (two, b), three),
        Elementwise(three, z, operations.UNARY["tanh"], ()),
        Rescale(z, four, 2.0, -1.0),
        Copy(four, five),
        Slice(wide, far, (2 * n,), (1,)),
        Concatenation((far, five), both, 0),
        Placement(four, placed, (n,), (1,), 0.5 if c.has(OPTIONAL) else 0.0),
    )
    c.magnitudes.update((b.name, sums) for b in (z, both, placed))
    read = (wide, gate, b)
    return Columns(members, read, (z, both, placed), n)


ROWS = {"scan": lambda c: scan_of(c, True), "by_steps": by_steps, "columns": columns}
PLAIN = {"scan": lambda c: scan_of(c, False)}
