"""The rows of the metrics in the conformance table."""

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import TWICE, Case
from loss_rows import bits, class_numbers, one_hot, quarters

from thalweg.program.instructions import metrics
from thalweg.program.ir.instruction import Buffer, Instruction

Build = Callable[[Case], Instruction]


def metric(kind: type[metrics.Total], targets: Callable[[Case], Buffer], size: Any = None, **more: Any) -> Build:
    """Counts are whole numbers, and shares quarters: the kernel's sums have to be those of the reference, exactly."""

    def build(c: Case) -> Instruction:
        p, y = quarters(c, "p"), targets(c)
        c.dtype, c.magnitudes["sums"] = np.float32, lambda m: np.zeros(1)
        return kind(p, y, c.sums("sums", size(p) if size else 1), **more)

    return build


def moments(kind: type[metrics.Total], sums: int) -> Build:
    """Sums of squares are as large as the squares are."""

    def build(c: Case) -> Instruction:
        p, y = c.normal("p", c.row), quarters(c, "y")
        total = kind(p, y, c.sums("sums", sums * p.size))
        c.magnitudes["sums"] = lambda m: (
            m[total.sums] + 10 * (abs(m[p]).sum() + abs(m[y]).sum() + (m[p] ** 2).sum() + 1)
        )
        return total

    return build


def correlations(c: Case) -> Instruction:
    row = (*c.row[:-1], c.shape.width + 1)  # one output doesn't vary: NaN
    p, y = c.normal("p", row), c.normal("y", row)
    total = metrics.RowCorrelations(p, y, c.sums("sums"))
    c.magnitudes["sums"] = lambda m: m[total.sums] + p.size * c.shape.rows
    return total


def any_targets(c: Case) -> Buffer:
    return one_hot(c) if c.has(TWICE) else class_numbers(c)


def quarter_targets(c: Case) -> Buffer:
    return quarters(c, "y")


ROWS: dict[str, Build] = {
    "equal_matches": metric(metrics.EqualMatches, quarter_targets),
    "binary_matches": metric(metrics.BinaryMatches, quarter_targets, threshold=0.3),
    "categorical_matches": metric(metrics.CategoricalMatches, quarter_targets),
    "sparse_matches": metric(metrics.SparseMatches, class_numbers),
    "top_matches": metric(metrics.TopMatches, one_hot, k=3),
    "sparse_top_matches": metric(metrics.SparseTopMatches, class_numbers, k=2),
    "confusion_counts": lambda c: metric(
        metrics.ConfusionCounts,
        bits,
        lambda p: 4,
        threshold=0.4,
        class_id=c.shape.seed % c.shape.width if c.shape.seed % 3 == 0 else -1,
        top_k=c.shape.seed % 4,
    )(c),
    "class_counts": lambda c: metric(
        metrics.ClassCounts, any_targets, lambda p: 3 * p.shape[-1], threshold=0.6 if c.shape.seed % 2 else -1.0
    )(c),
    "score_histogram": lambda c: metric(
        metrics.ScoreHistogram,
        bits,
        lambda p: 2 * 11 * (p.shape[-1] if c.shape.seed % 2 else 1),
        buckets=11,
        by_output=c.shape.seed % 2,
    )(c),
    "row_correlations": correlations,
    "moments": moments(metrics.Moments, 5),
    "squares_and_targets": moments(metrics.SquaresAndTargets, 3),
}
