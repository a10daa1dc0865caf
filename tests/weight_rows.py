"""Rows of the conformance table: constraints on weights, penalties on what layers put out."""

from collections.abc import Callable

from harness import Case

from thalweg.program import constraints, penalties
from thalweg.program.instruction import PARAMETERS, Instruction


def norm_constraint(c: Case) -> Instruction:
    c.lanes = 1 + c.shape.seed % 3
    W = c.normal("W", (c.shape.positions, c.shape.rows, 17 * c.shape.width), PARAMETERS, per_row=False)
    low, high, rate = ((0.0, 2.0, 1.0), (1.0, 1.0, 1.0), (0.5, 1.5, 0.3))[c.shape.seed // 3 % 3]
    outer, reduced, inner = W.shape
    if c.shape.seed % 2:  # over the last axis
        outer, reduced, inner = outer * reduced, inner, 1
    return constraints.NormConstraint(W, low, high, rate, outer, reduced, inner)


def non_negative(c: Case) -> Instruction:
    c.lanes = 1 + c.shape.seed % 3
    return constraints.NonNegative(c.normal("W", (c.shape.width, 9 * c.shape.units), PARAMETERS, per_row=False))


FACTORS = ((0.3, 0.0), (0.0, 0.2), (0.3, 0.2))


def activity_penalty(c: Case) -> Instruction:
    return penalties.ActivityPenalty(c.logits("a"), c.sums("penalty"), *FACTORS[c.shape.seed % 3])


def activity_penalty_gradient(c: Case) -> Instruction:
    l1, l2 = FACTORS[c.shape.seed % 3]
    a = c.logits("a")
    c.sizes["da"] = lambda m: (l1 + 2 * l2 * abs(m[a])) / c.batch_rows
    return penalties.ActivityPenaltyGradient(a, c.output("da", c.row), l1, l2)


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "norm_constraint": norm_constraint,
    "non_negative": non_negative,
    "activity_penalty": activity_penalty,
    "activity_penalty_gradient": activity_penalty_gradient,
}
