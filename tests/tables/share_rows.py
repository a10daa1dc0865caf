"""Rows of the conformance table: a first layer split over the lanes by its inputs; here the first lane's share."""

import numpy as np
from harness import OPTIONAL, ORDERED, TWICE, Array, Case, Memory

from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.passes import input_split
from thalweg.program.ir.instruction import DATA, GRADIENTS, PARAMETERS, Buffer, Instruction

LEFT = -3.5  # what stays where a lane writes nothing


def lanes_of(c: Case) -> int:
    """How many share the inputs, of which there is one for each at least; the batch is the case's rows."""
    c.batch_rows, c.first_row = c.shape.rows, 0
    return 1 + c.shape.seed % min(3, c.shape.width)


def gather_share(c: Case) -> Instruction:
    lanes = lanes_of(c)
    c.data_rows, c.start = c.shape.rows + 9, c.shape.seed % 10
    c.order = np.arange(c.start, c.start + c.shape.rows)
    if c.has(ORDERED):
        c.order = c.random.permutation(c.data_rows)[: c.shape.rows]
    X = c.normal("X", c.row, DATA)
    x = c.put("x", (c.shape.rows, -(-X.size // lanes)), LEFT, per_row=False)
    return input_split.GatherShare(X, x, lanes)


def affine_share(c: Case) -> Instruction:
    lanes = lanes_of(c)
    own = input_split.share(c.shape.width, 0, lanes)
    x = c.normal("x", (c.shape.rows, own.stop), per_row=False)
    W = c.normal("W", (c.shape.width, c.shape.units), PARAMETERS, per_row=False)
    h = c.put("h", (c.shape.rows + 3, c.shape.units), LEFT, EXCHANGE, per_row=False)

    def size(m: Memory) -> Array:
        result = np.ones(h.shape)
        result[: c.shape.rows] = abs(m[x]) @ abs(m[W][own])
        return result

    c.magnitudes["h"] = size
    return input_split.AffineShare(x, W, h, lanes)


def affine_sum(c: Case) -> Instruction:
    lanes = lanes_of(c)
    c.first_row = c.shape.seed % 5
    rows = c.first_row + c.shape.rows
    parts = Buffer("parts", (rows, c.shape.units), EXCHANGE, per_row=False)
    c.values[parts] = c.random.normal(size=(lanes * rows, c.shape.units)).astype(np.float32)
    b = c.normal("b", (c.shape.units,), PARAMETERS, per_row=False) if c.has(OPTIONAL) else None

    def size(m: Memory) -> Array:
        every = abs(m[parts]).reshape(lanes, rows, -1)[:, c.first_row :].sum(axis=0)
        return np.asarray(every + (0 if b is None else abs(m[b])))

    c.magnitudes["h"] = size
    return input_split.AffineSum(parts, b, c.output("h", (c.shape.units,)), lanes, c.has(TWICE))


def share_weight_gradient(c: Case) -> Instruction:
    lanes = lanes_of(c)
    own = input_split.share(c.shape.width, 0, lanes)
    x, dh = c.normal("x", (c.shape.rows, own.stop), per_row=False), c.normal("dh", (c.shape.units,))
    dW = c.put("dW", (c.shape.width, c.shape.units), LEFT, GRADIENTS, per_row=False)

    def size(m: Memory) -> Array:
        result = np.ones(dW.shape)
        result[own] = abs(m[x]).T @ abs(m[dh])
        return result

    c.magnitudes["dW"] = size
    return input_split.ShareWeightGradient(x, dh, dW, lanes)


ROWS = {
    "gather_share": gather_share,
    "affine_share": affine_share,
    "affine_sum": affine_sum,
    "share_weight_gradient": share_weight_gradient,
}
