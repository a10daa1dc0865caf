"""Rows of the conformance table for embeddings: the look-up, the table's gradient and its sum over the lanes."""

from dataclasses import replace

import numpy as np
from harness import ACCUMULATE, OPTIONAL, TWICE, Array, Case

from thalweg.engine.native.instructions.updates import TableReduce
from thalweg.engine.native.instructions.variants import native
from thalweg.program.instructions import embedding
from thalweg.program.instructions.losses.loss_instruction import class_numbers
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, WORKSPACE, Buffer, Instruction

WRONG = (-1.0, 0.5, np.nan, np.inf, -np.inf, 1e9)


def ids_of(c: Case, wrong: float = 0.0) -> Buffer:
    """Ids of a table of `units` rows, a share of them wrong."""
    shape = (c.shape.positions, 1 + c.shape.seed % 3) if c.shape.positions > 1 else (c.shape.positions,)
    ids = c.put("ids", shape, 0)
    values = c.random.integers(0, c.shape.units, (c.shape.rows, *shape)).astype(np.float32)
    bad = c.random.random(values.shape) < wrong
    values[bad] = c.random.choice([*WRONG, c.shape.units], values.shape)[bad]
    c.values[ids] = values
    return ids


def look_up(c: Case) -> Instruction:
    ids, mean = ids_of(c), c.has(TWICE)
    W = c.normal("W", (c.shape.units, c.shape.width), PARAMETERS, per_row=False)
    c.magnitudes["h"] = lambda m: i.reference(np, m[ids], abs(m[W]))
    h = c.output("h", (c.shape.width,) if mean else (*ids.shape, c.shape.width))
    i = c.built(embedding.Embedding(ids, W, h), mean=mean)
    return i


def counts_before(c: Case) -> tuple[Array, Array]:
    """Counts and the list of the rows that an earlier step, or an earlier block of this one, has touched."""
    counts = np.where(c.random.random(c.shape.units) < 0.3, c.random.integers(1, 9, c.shape.units), 0)
    rows = c.random.permutation(np.flatnonzero(counts))
    return counts, np.concatenate([[len(rows)], rows, np.zeros(c.shape.units - len(rows))])


def gradient(c: Case) -> Instruction:
    ids, mean = ids_of(c, 0.05), c.has(TWICE)
    width, size = c.shape.width, c.shape.units
    dh = c.normal("dh", (width,) if mean else (*ids.shape, width))
    dW = c.output("dW", (size, width), GRADIENTS, per_row=False)
    i = c.built(embedding.EmbeddingGradient(ids, dh, dW), mean=mean)
    added = c.has(ACCUMULATE)
    c.magnitudes["dW"] = lambda m: i.reference(np, m[ids], abs(m[dh]))[0] + (abs(m[dW]) if added else 0)
    if not c.has(OPTIONAL):
        return i
    numbers, known = class_numbers(np, c.values[ids], size)
    now = np.bincount(numbers[known], minlength=size) > 0
    counts, rows = counts_before(c)
    here = counts if added else np.where(now, 1, 0)  # rows whose gradient isn't 0, or is to be overwritten
    c.values[dW] = np.where(here[:, None] > 0, c.values[dW], 0).astype(np.float32)
    c.put("touched", (1 + size,), rows, WORKSPACE, per_row=False)
    return replace(i, counts=c.put("counts", (size,), counts, WORKSPACE, per_row=False))


def listed_gradient(c: Case) -> Instruction:
    """The same with a list of the rows, which only kernels keep."""
    i = gradient(c)
    if i.counts is None:
        return i
    c.magnitudes["touched"] = lambda m: np.full(1 + c.shape.units, np.inf)
    return native(i, touched=next(b for b in c.values if b.name == "touched"))


def table_reduce(c: Case) -> Instruction:
    """On one lane, which has nothing to add up; tests/layers/test_embedding.py has several."""
    size = c.shape.units
    dw = c.normal("dw", (size, c.shape.width), GRADIENTS, per_row=False)
    counts, rows = counts_before(c)
    c.magnitudes["own"] = lambda m: np.full(1 + size, np.inf)
    return TableReduce(
        dw,
        c.put("counts", (size,), counts, WORKSPACE, per_row=False),
        c.put("listed", (1 + size,), rows, WORKSPACE, per_row=False),
        c.put("own", (1 + size,), 0.0, WORKSPACE, per_row=False),
        dw.size,
        c.shape.positions,
    )


ROWS = {"embedding": look_up, "embedding_gradient": listed_gradient, "table_reduce": table_reduce}
PLAIN = {"embedding_gradient": gradient}
