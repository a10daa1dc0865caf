"""Rows of the conformance table: constraints and penalties on weights, penalties on what layers put out, centres."""

from collections.abc import Callable

import numpy as np
from harness import ACCUMULATE, OPTIONAL, TOTAL, Array, Case, Memory

from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.program.instructions.losses import centers, penalties
from thalweg.program.instructions.updates import constraints
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, SLOTS, WORKSPACE, Buffer, Instruction


def norm_constraint(c: Case) -> Instruction:
    c.lanes = 1 + c.shape.seed % 3
    W = c.normal("W", (c.shape.positions, c.shape.rows, 17 * c.shape.width), PARAMETERS, per_row=False)
    low, high, rate = ((0.0, 2.0, 1.0), (1.0, 1.0, 1.0), (0.5, 1.5, 0.3))[c.shape.seed // 3 % 3]
    outer, reduced, inner = W.shape
    if c.shape.seed % 2:  # over the last axis
        outer, reduced, inner = outer * reduced, inner, 1
    return constraints.NormConstraint(W, low, high, rate, outer, reduced, inner)


FACTORS = ((0.3, 0.0), (0.0, 0.2), (0.3, 0.2))


def activity_penalty(c: Case) -> Instruction:
    return penalties.ActivityPenalty(c.logits("a"), *FACTORS[c.shape.seed % 3], c.sums("penalty"))


def activity_penalty_gradient(c: Case) -> Instruction:
    l1, l2 = FACTORS[c.shape.seed % 3]
    a = c.logits("a")
    c.magnitudes["dw"] = lambda m: (l1 + 2 * l2 * abs(m[a])) / c.batch_rows
    return penalties.ActivityPenaltyGradient(a, l1, l2, c.output("da", c.row))


def orthogonal_penalty(c: Case) -> Instruction:
    c.lanes = 1 + c.shape.seed % 3
    columns = c.shape.seed // 3 % 2 == 1
    W = c.normal("W", (2 + c.shape.width % 70, 2 + c.shape.units % 70), PARAMETERS, per_row=False)
    n = W.shape[columns]
    shapes = {"lengths": (2, n), "U": W.shape, "P": (n, n)}
    places = [
        c.put(name, shape, np.nan, EXCHANGE if name == "P" else WORKSPACE, per_row=False)
        for name, shape in shapes.items()
    ]
    c.magnitudes["sums"] = lambda m: m[i.sums] + c.batch_rows * 0.3
    c.magnitudes["lengths"] = lambda m: np.stack([1 / norms(m), np.full(n, n)])
    c.magnitudes["P"] = lambda m: np.full((n, n), 0.6 / (n - 1) / norms(m).min())

    def norms(m: Memory) -> Array:
        return np.sqrt((m[W] ** 2).sum(axis=0 if columns else 1))

    i = penalties.OrthogonalPenalty(W, c.sums("penalty"), *places, 0.3, columns)
    return i


def orthogonal_penalty_gradient(c: Case) -> Instruction:
    c.lanes = 1 + c.shape.seed % 3
    columns = c.shape.seed // 3 % 2 == 1
    shape = (2 + c.shape.width % 70, 2 + c.shape.units % 70)
    n = shape[columns]
    U, P = c.normal("U", shape, per_row=False), c.normal("P", (n, n), per_row=False)
    dW = c.normal("dW", shape, GRADIENTS, per_row=False)
    dW.offset = 16 * (c.shape.seed % 7)
    c.vector = dW.offset + dW.size + 16 * (c.shape.seed % 4)
    c.magnitudes["dW"] = lambda m: abs(m[dW]) + (abs(m[U]) @ abs(m[P]) if columns else abs(m[P]) @ abs(m[U]))
    return penalties.OrthogonalPenaltyGradient(dW, U, P, columns)


def center_operands(c: Case) -> tuple[Buffer, Buffer, Buffer | None, Buffer]:
    classes = c.shape.units % 50 + 1
    x = c.normal("x", c.row)
    y = c.put("y", (1,), c.random.integers(0, classes, (c.shape.rows, 1)))
    weight = c.put("weight", (1,), c.random.integers(0, 9, (c.shape.rows, 1)) / 4) if c.has(OPTIONAL) else None
    return x, y, weight, c.normal("centers", (classes, x.size), SLOTS, per_row=False)


def spread(x: Buffer, y: Buffer, weight: Buffer | None, of: Buffer, m: Memory) -> Array:
    """w·(|x| + |c|) of each row, (rows, features)"""
    size = abs(m[x]).reshape(len(m[x]), -1) + abs(m[of])[m[y][:, 0].astype(int)]
    result: Array = size if weight is None else size * m[weight]
    return result


def center_distance(c: Case) -> Instruction:
    operands = x, y, weight, of = center_operands(c)
    i = centers.CenterDistance(*operands, c.sums("L"), 0.7, c.has(TOTAL))
    factor = 0.35 * (c.batch_rows if i.total else 1)

    def size(m: Memory) -> Array:
        w = 1 if weight is None else m[weight]
        return m[i.sums] + factor * (w * spread(x, y, None, of, m) ** 2).sum()

    c.magnitudes["sums"] = size
    return i


def center_distance_gradient(c: Case) -> Instruction:
    operands = x, y, weight, of = center_operands(c)
    i = centers.CenterDistanceGradient(*operands, c.output("dx", c.row), 0.7, c.has(TOTAL))
    scale = 0.7 / (1 if i.total else c.batch_rows)
    c.magnitudes["dx"] = lambda m: scale * spread(x, y, weight, of, m).reshape(m[x].shape)
    return i


def center_sums(c: Case) -> Instruction:
    operands = x, y, weight, of = center_operands(c)
    classes, features = of.shape
    parts = c.output("parts", (classes, features + 1), EXCHANGE, per_row=False)

    def size(m: Memory) -> Array:
        rows = spread(x, y, weight, of, m)
        rows = np.concatenate([rows, np.ones((len(rows), 1)) if weight is None else m[weight]], axis=1)
        old = abs(m[parts]) if c.has(ACCUMULATE) else 0
        result: Array = (m[y] == np.arange(classes)).astype(float).T @ rows + old
        return result

    c.magnitudes["parts"] = size
    return centers.CenterSums(*operands, parts)


def center_update(c: Case) -> Instruction:
    c.lanes = 1 + c.shape.seed % 3
    classes, features = c.shape.units, c.shape.width
    sums = c.random.normal(size=(classes, features + 1))
    sums[:, -1] = c.random.integers(0, 5, classes)
    parts = c.put("parts", sums.shape, sums, EXCHANGE, per_row=False)
    of = c.normal("centers", (classes, features), SLOTS, per_row=False)
    c.magnitudes["centers"] = lambda m: abs(m[of]) + abs(m[parts][:, :-1])
    return centers.CenterUpdate(parts, of, 0.6)


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "norm_constraint": norm_constraint,
    "activity_penalty": activity_penalty,
    "activity_penalty_gradient": activity_penalty_gradient,
    "orthogonal_penalty": orthogonal_penalty,
    "orthogonal_penalty_gradient": orthogonal_penalty_gradient,
    "center_distance": center_distance,
    "center_distance_gradient": center_distance_gradient,
    "center_sums": center_sums,
    "center_update": center_update,
}
