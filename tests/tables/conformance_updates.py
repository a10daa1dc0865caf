"""Rows of the conformance table for what happens between the gradients and the next step: see conformance.py."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import sums
from harness import OPTIONAL, TWICE, Array, Case, Memory, Shape, execute
from optimizer_equations import EQUATIONS

from thalweg import optimizers
from thalweg.engine.native.instructions import updates
from thalweg.engine.native.instructions.variants import native
from thalweg.engine.native.kernels.names import name_of
from thalweg.optimizers.layout import Run
from thalweg.program.formula.statements import run
from thalweg.program.instructions.updates import constraints, gradients, matrix_updates, table_updates
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import DOUBLE, GRADIENTS, NORMS, PARAMETERS, SLOTS, Buffer, Instruction
from thalweg.program.lowering import Weight

Build = Callable[[Case], Instruction]
SIGNED = ("m", "p", "z")  # slots that can be negative


def vector(c: Case, name: str, region: str, shape: tuple[int, ...] | None = None) -> Buffer:
    c.lanes = 1 + c.shape.seed % 3
    return c.normal(name, shape or (c.shape.width * c.shape.rows,), region, per_row=False)


def reduce(c: Case) -> Instruction:
    c.vector, lanes = 16 * c.shape.width, 1 + c.shape.seed % 4
    c.busy = lanes
    dw = vector(c, "dw", GRADIENTS, (lanes * c.vector,))
    c.magnitudes["dw"] = lambda m: np.tile(abs(m[dw]).reshape(lanes, -1).sum(axis=0), lanes)
    return updates.Reduce(dw, c.vector)


def accumulate(c: Case) -> Instruction:
    dw, a = vector(c, "dw", GRADIENTS), vector(c, "a", SLOTS)
    return sized(c, gradients.accumulate(dw, a, 2 + c.shape.seed % 3))


def squared_norm(c: Case) -> Instruction:
    dw = tuple(vector(c, f"dw{k}", GRADIENTS) for k in range(1 + c.shape.seed % 3))
    return gradients.SquaredNorm(dw, norms(c, 1))


def squared_norm_of_a_share(c: Case) -> Instruction:
    dw = vector(c, "dw", GRADIENTS)
    c.lanes = 1  # every lane has a norm of its own
    return updates.NormPart(dw, norms(c, 1), 16)


def clip_norm(c: Case) -> Instruction:
    return gradients.ClipNorm(vector(c, "dw", GRADIENTS), norms(c, 1), (0.5, 2.0)[c.has(TWICE)])


def clip_several_norms(c: Case) -> Instruction:
    dw = vector(c, "dw", GRADIENTS)
    c.lanes = 1
    return updates.NativeClipNorm(dw, norms(c, 1 + c.shape.seed % 5), (0.5, 2.0)[c.has(TWICE)], 16)


def norms(c: Case, count: int) -> Buffer:
    buffer = Buffer("n", (count,), NORMS, per_row=False, offset=0, dtype=DOUBLE)
    c.values[buffer] = c.random.uniform(0, 1, count)
    return buffer


def average(c: Case) -> Instruction:
    w, a = vector(c, "w", PARAMETERS), vector(c, "a", SLOTS)
    c.iteration = 1 if c.has(TWICE) else c.iteration
    return sized(c, gradients.average(w, a, 0.9, 2 if c.has(OPTIONAL) else 0))


# --- steps ---------------------------------------------------------------------------------------------------------


def moved(c: Case, w: Buffer) -> Callable[[Memory], Array]:
    """The size of a weight that a step has changed: its own and three times the step's."""

    def size(m: Memory) -> Array:
        after = c.memory(np.float64)
        execute(c.instruction, after)
        return abs(m[w]) + 3 * abs(after[w] - m[w]) + 0.005 * abs(m[c.instruction.dw])

    return size


def step_of(name: str) -> Build:
    """A step of the optimizer with this name, in all its variants, on vectors from which it could go on."""
    options = [{}, *EQUATIONS[name][1:]]

    def build(c: Case) -> Instruction:
        optimizer = optimizers.CLASSES[name](**options[c.shape.seed % len(options)])
        w, dw = vector(c, "w", PARAMETERS), vector(c, "dw", GRADIENTS)
        slots = {slot: vector(c, slot, SLOTS) for slot in optimizer.own_slots()}
        for slot in slots.values():
            if slot.name not in SIGNED:  # a mean or a sum of squares
                c.values[slot] = c.values[slot] ** 2
        if "a" in slots and "v" in slots:  # v − a² is a variance
            c.values[slots["v"]] += np.float32(1.1) * c.values[slots["a"]] ** 2
        i = optimizer.update(Run([Weight("one/W", w)], w, dw, slots))
        assert isinstance(i, Statements)
        return sized(c, replace(i, factor=(1.0, 0.5)[c.shape.seed % 2]))

    return build


def sized(c: Case, i: Statements) -> Statements:
    """Rounding errors of a text are measured by the sums that its statements make, one after the other."""

    def size(m: Memory, name: str) -> Array:
        vectors = {key: sums.Sum(m[b], abs(m[b])) for key, b in i.buffers.items()}
        given = {"t": m.step.update, "iteration": m.step.iteration, "learning_rate": m.step.learning_rate * i.factor}
        with np.errstate(all="ignore"):
            after = run(i.text, {**vectors, **given, **i.numbers}, sums)[name]
        return after.size if isinstance(after, sums.Sum) else np.abs(after)

    c.magnitudes |= {name: lambda m, name=name: size(m, name) for name in i.buffers}
    return i


def shape_of(c: Case) -> tuple[int, ...]:
    """An array of one axis, a matrix, or a stack of matrices."""
    stack = (c.shape.positions,) if c.shape.positions > 1 else ()
    return (c.shape.width,) if c.has(TWICE) else (*stack, c.shape.width, min(c.shape.units, 40))


def lamb(c: Case) -> Instruction:
    shape = shape_of(c)
    w, dw = vector(c, "w", PARAMETERS, shape), vector(c, "dw", GRADIENTS, shape)
    m, v = vector(c, "m", SLOTS, shape), vector(c, "v", SLOTS, shape)
    c.values[v] **= 2
    c.magnitudes = {"w": moved(c, w), "m": lambda x: abs(x[m]) + abs(x[dw]), "v": lambda x: x[v] + x[dw] ** 2}
    return matrix_updates.Lamb(w, dw, m, v, 0.9, 0.99, 1e-7, factor=(1.0, 0.5)[c.shape.seed % 2])


def adafactor(c: Case) -> Instruction:
    shape = shape_of(c)
    w, dw = vector(c, "w", PARAMETERS, shape), vector(c, "dw", GRADIENTS, shape)
    r, columns = vector(c, "r", SLOTS, shape), vector(c, "c", SLOTS, shape)
    c.values[r], c.values[columns] = c.values[r] ** 2 + 0.1, c.values[columns] ** 2 + 0.1
    *stack, rows, width = shape if len(shape) > 1 else (*shape, 0)
    c.magnitudes["w"] = moved(c, w)
    c.magnitudes |= {"r": lambda m: m[r] + 10, "c": lambda m: m[columns] + 10}
    numbers = (int(np.prod(stack)), rows, width, -0.8, 1e-30, 1e-3, (1.0, 0.3)[c.shape.seed % 2])
    return matrix_updates.Adafactor(w, dw, r, columns, *numbers)


def muon(c: Case) -> Instruction:
    shape = (c.shape.width, min(c.shape.units, 40))
    w, dw, m = vector(c, "w", PARAMETERS, shape), vector(c, "dw", GRADIENTS, shape), vector(c, "m", SLOTS, shape)
    c.magnitudes = {
        "w": lambda v: abs(v[w]) + 1,  # each step of the iteration multiplies errors by up to 3.4
        "m": lambda v: abs(v[m]) + abs(v[dw]),
    }
    numbers = (*shape, 5, c.has(TWICE), 0.95, 3.4445, -4.775, 2.0315, 0.2)
    return matrix_updates.Muon(w, dw, m, *numbers)


def dealt(build: Build) -> Build:
    """The step on a whole array when it is some lane's turn."""

    def on_a_lane(c: Case) -> Instruction:
        return native(build(c), turn=c.shape.seed % 9)

    return on_a_lane


def dealt_muon(c: Case) -> Instruction:
    of = muon(c)
    scratch = c.put("scratch", (updates.NativeMuon.room(of),), 0.0, per_row=False)
    c.magnitudes["scratch"] = lambda v: np.full(scratch.size, np.inf)
    return native(of, turn=c.shape.seed % 9, scratch=scratch)


def step_of_rows(c: Case) -> Instruction:
    """Adam's, on the rows of a table whose counts aren't 0."""
    columns, size = c.shape.width, c.shape.units
    w, dw, m, v = (
        vector(c, name, region, (size, columns))
        for name, region in (("w", PARAMETERS), ("dw", GRADIENTS), ("m", SLOTS), ("v", SLOTS))
    )
    c.lanes = 1  # each has rows of its own
    c.values[v] **= 2
    counts = np.where(c.random.random(size) < 0.5, 2, 0)
    step = optimizers.Adam().update(Run([Weight("one/W", w)], w, dw, {"m": m, "v": v}))
    return sized(c, table_updates.of_rows(step, c.put("counts", (size,), counts, per_row=False), columns, 1))


def step_of_own_rows(c: Case) -> Instruction:
    """The same on the rows that are listed."""
    i = step_of_rows(c)
    rows = c.random.permutation(np.flatnonzero(c.values[i.counts]))
    listed = np.concatenate([[len(rows)], rows, np.zeros(i.counts.size - len(rows))])
    return native(i, own=c.put("own", (1 + i.counts.size,), listed, per_row=False))


ROWS: dict[str, Build] = {
    "reduce": reduce,
    "squared_norm": squared_norm_of_a_share,
    "clip_norm": clip_several_norms,
    "lamb": dealt(lamb),
    "adafactor": dealt(adafactor),
    "muon": dealt_muon,
}
PLAIN: dict[str, Build] = {
    "squared_norm": squared_norm,
    "clip_norm": clip_norm,
    "lamb": lamb,
    "adafactor": adafactor,
    "muon": muon,
    "adam_of_rows": step_of_rows,
}
# Those whose kernels are made from their texts. An optimizer's row is in optimizer_equations.py.
BUILDS = [
    accumulate,
    average,
    lambda c: gradients.clip_value(vector(c, "dw", GRADIENTS), 0.7),
    lambda c: gradients.weight_decay(vector(c, "w", PARAMETERS), 0.3, 0.5),
    lambda c: constraints.non_negative(vector(c, "W", PARAMETERS, (c.shape.width, 9 * c.shape.units))),
    *(step_of(name) for name in EQUATIONS if optimizers.CLASSES[name].equation),
]
ON_ROWS: dict[str, Build] = {"adam_of_rows": step_of_own_rows}
STATEMENTS: dict[str, Build] = {name_of(Case(build, Shape()).instruction): build for build in BUILDS}
