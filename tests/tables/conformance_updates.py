"""Rows of the conformance table for what happens between the gradients and the next step: see conformance.py."""

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import OPTIONAL, TWICE, Array, Case, Memory

from thalweg.engine.reference import execute
from thalweg.program.instructions.updates import gradients, matrix_updates, updates
from thalweg.program.ir.instruction import GRADIENTS, NORMS, PARAMETERS, SLOTS, WORKSPACE, Buffer, Instruction

Build = Callable[[Case], Instruction]


def vector(c: Case, name: str, region: str, shape: tuple[int, ...] | None = None) -> Buffer:
    c.lanes = 1 + c.shape.seed % 3
    return c.normal(name, shape or (c.shape.width * c.shape.rows,), region, per_row=False)


def reduce(c: Case) -> Instruction:
    c.vector, lanes = 16 * c.shape.width, 1 + c.shape.seed % 4
    c.busy = lanes
    dw = vector(c, "dw", GRADIENTS, (lanes * c.vector,))
    c.sizes["dw"] = lambda m: np.tile(abs(m[dw]).reshape(lanes, -1).sum(axis=0), lanes)
    return gradients.Reduce(dw, c.vector)


def accumulate(c: Case) -> Instruction:
    dw, a = vector(c, "dw", GRADIENTS), vector(c, "a", SLOTS)
    c.sizes = dict.fromkeys(("dw", "a"), lambda m: abs(m[dw]) + abs(m[a]))
    return gradients.Accumulate(dw, a, 2 + c.shape.seed % 3)


def squared_norm(c: Case) -> Instruction:
    dw = vector(c, "dw", GRADIENTS)
    c.lanes = 1  # every lane has a norm of its own
    return gradients.SquaredNorm(dw, norms(c, 1), 16)


def clip_norm(c: Case) -> Instruction:
    dw = vector(c, "dw", GRADIENTS)
    c.lanes = 1
    return gradients.ClipNorm(dw, norms(c, 1 + c.shape.seed % 5), 16, (0.5, 2.0)[c.has(TWICE)])


def norms(c: Case, count: int) -> Buffer:
    buffer = Buffer("n", (count,), NORMS, per_row=False, offset=0)
    c.values[buffer] = c.random.uniform(0, 1, count)
    return buffer


def average(c: Case) -> Instruction:
    w, a = vector(c, "w", PARAMETERS), vector(c, "a", SLOTS)
    c.iteration = 1 if c.has(TWICE) else c.iteration
    c.sizes = dict.fromkeys(("w", "a"), lambda m: abs(m[w]) + abs(m[a]))
    return gradients.Average(w, a, 2 if c.has(OPTIONAL) else 0, 0.9)


# --- steps ---------------------------------------------------------------------------------------------------------


def moved(c: Case, w: Buffer) -> Callable[[Memory], Array]:
    """The size of a weight that a step has changed: its own and three times the step's."""

    def size(m: Memory) -> Array:
        after = c.memory(np.float64)
        execute(c.instruction, after)
        moving = sum(abs(m[v]) for v in (getattr(c.instruction, name, None) for name in ("v", "p")) if v is not None)
        return abs(m[w]) + 3 * abs(after[w] - m[w]) + 0.1 * (moving + 0.05 * abs(m[c.instruction.dw]))

    return size


def step(kind: type[updates.Update], slots: str, *constants: Any, positive: str = "", optional: str = "") -> Build:
    """A step on w and dw; slots of one letter each, of which some can't be negative and some may be absent."""

    def build(c: Case) -> Instruction:
        shape = shape_of(c) if issubclass(kind, matrix_updates.WholeUpdate) else None
        w, dw = vector(c, "w", PARAMETERS, shape), vector(c, "dw", GRADIENTS, shape)
        operands: dict[str, Buffer | None] = {}
        for place, name in enumerate(slots):
            present = name not in optional or c.shape.flags >> place & 1
            operands[name] = vector(c, name, SLOTS, shape) if present else None
            if present and name in positive:
                c.values[operands[name]] **= 2
        c.sizes["w"] = moved(c, w)
        for name, slot in operands.items():
            if slot is not None:
                c.sizes[name] = lambda m, slot=slot: abs(m[slot]) + abs(m[dw]) + m[dw] ** 2
        factor = (1.0, 0.5)[c.shape.seed % 2]
        return kind(w, dw, *operands.values(), *constants, factor=factor)

    return build


def shape_of(c: Case) -> tuple[int, ...]:
    """An array of one axis, a matrix, or a stack of matrices."""
    stack = (c.shape.positions,) if c.shape.positions > 1 else ()
    return (c.shape.width,) if c.has(TWICE) else (*stack, c.shape.width, min(c.shape.units, 40))


def adam(c: Case) -> Instruction:
    """top, the largest v so far, is a slot by its first letter."""
    build = step(updates.Adam, "mvt", 0.9, 0.99, 1e-7, positive="vt", optional="t")
    result = build(c)
    c.sizes["top"] = c.sizes["v"]
    return result


def rmsprop(c: Case) -> Instruction:
    """v − a² is a variance: not negative, as sums of squares see to."""
    result = step(updates.RmsProp, "vap", 0.9, 0.8, 1e-4, positive="v", optional="ap")(c)
    assert isinstance(result, updates.RmsProp)
    if result.a is not None:
        c.values[result.v] += 1.1 * c.values[result.a] ** 2
    return result


def lion(c: Case) -> Instruction:
    result = step(updates.Lion, "m", 0.9, 0.99)(c)
    assert isinstance(result, updates.Lion)
    undecided = lambda m: abs(0.9 * m[result.m] + 0.1 * m[result.dw]) < 1e-6  # noqa: E731 — its sign may be any
    c.sizes["w"] = lambda m: np.where(undecided(m), np.inf, abs(m[result.w]) + 0.05)
    return result


def ftrl(c: Case) -> Instruction:
    power = (-0.5, -0.7)[c.has(TWICE)]
    result = step(updates.Ftrl, "nz", power, 0.1, 0.2, 0.3, 0.4, positive="n")(c)
    assert isinstance(result, updates.Ftrl)
    rate = 0.05 * result.factor
    pulled = lambda m: 1 + abs(m[result.z]) + abs(m[result.dw]) + 4 * abs(m[result.w]) / rate * root(m)  # noqa: E731
    root = lambda m: (m[result.n] + m[result.dw] ** 2) ** -power  # noqa: E731
    c.sizes |= {"z": pulled, "w": lambda m: pulled(m) / (root(m) / rate + 8) + abs(m[result.w])}
    return result


def schedule_free(c: Case) -> Instruction:
    w, dw = vector(c, "w", PARAMETERS), vector(c, "dw", GRADIENTS)
    z, v = vector(c, "z", SLOTS), vector(c, "v", SLOTS)
    c.values[v] **= 2
    moves = moved(c, w)
    c.sizes = {
        "w": lambda m: moves(m) + abs(m[z]) + 1,
        "z": lambda m: abs(m[z]) + 1,
        "v": lambda m: m[v] + m[dw] ** 2,
    }
    return updates.ScheduleFreeAdamW(w, dw, z, v, (0, 50)[c.has(TWICE)], 0.9, 0.99, 1e-3)


def adafactor(c: Case) -> Instruction:
    shape = shape_of(c)
    w, dw = vector(c, "w", PARAMETERS, shape), vector(c, "dw", GRADIENTS, shape)
    r, columns = vector(c, "r", SLOTS, shape), vector(c, "c", SLOTS, shape)
    c.values[r], c.values[columns] = c.values[r] ** 2 + 0.1, c.values[columns] ** 2 + 0.1
    *stack, rows, width = shape if len(shape) > 1 else (*shape, 0)
    c.sizes["w"] = moved(c, w)
    c.sizes |= {"r": lambda m: m[r] + 10, "c": lambda m: m[columns] + 10}
    numbers = (int(np.prod(stack)), rows, width, -0.8, 1e-30, 1e-3, (1.0, 0.3)[c.shape.seed % 2])
    return matrix_updates.Adafactor(w, dw, r, columns, *numbers, turn=c.shape.seed % 9)


def muon(c: Case) -> Instruction:
    shape = (c.shape.width, min(c.shape.units, 40))
    w, dw, m = vector(c, "w", PARAMETERS, shape), vector(c, "dw", GRADIENTS, shape), vector(c, "m", SLOTS, shape)
    scratch = c.put("scratch", (matrix_updates.scratch_size(*shape),), 0.0, WORKSPACE, per_row=False)
    c.sizes = {
        "w": lambda v: abs(v[w]) + 1,  # each step of the iteration multiplies errors by up to 3.4
        "m": lambda v: abs(v[m]) + abs(v[dw]),
        "scratch": lambda v: np.full(scratch.size, np.inf),
    }
    numbers = (*shape, 5, c.has(TWICE), 0.95, 3.4445, -4.775, 2.0315, 0.2)
    return matrix_updates.Muon(w, dw, m, scratch, *numbers, turn=c.shape.seed % 9)


ROWS: dict[str, Build] = {
    "reduce": reduce,
    "accumulate": accumulate,
    "clip_value": lambda c: gradients.ClipValue(vector(c, "dw", GRADIENTS), 0.7),
    "squared_norm": squared_norm,
    "clip_norm": clip_norm,
    "weight_decay": lambda c: gradients.Decay(vector(c, "w", PARAMETERS), 0.3, 0.5),
    "average": average,
    "gradient_descent": step(updates.GradientDescent, ""),
    "momentum": step(updates.Momentum, "v", 0.9),
    "nesterov": step(updates.Nesterov, "v", 0.9),
    "rmsprop": rmsprop,
    "adam": adam,
    "nadam": step(updates.Nadam, "mv", 0.9, 0.99, 1e-7, positive="v"),
    "adamax": step(updates.Adamax, "mu", 0.9, 0.99, 1e-7, positive="u"),
    "adagrad": step(updates.Adagrad, "a", 1e-7, positive="a"),
    "adadelta": step(updates.Adadelta, "ad", 0.9, 1e-4, positive="ad"),
    "lion": lion,
    "ftrl": ftrl,
    "schedule_free_adamw": schedule_free,
    "lamb": step(matrix_updates.Lamb, "mv", 0.9, 0.99, 1e-7, positive="v"),
    "adafactor": adafactor,
    "muon": muon,
}
