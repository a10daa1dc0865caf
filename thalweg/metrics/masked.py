"""Metrics of outputs with a mask: the mean over the steps that count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.losses.loss import Loss
from thalweg.metrics import matches
from thalweg.metrics.means import FunctionMetric, LossMetric, OutputLoss
from thalweg.metrics.metric import Metric, Shape
from thalweg.ops.tensor import Traced, writing
from thalweg.program.builder import Builder
from thalweg.program.instructions.losses.row_value import RowValue
from thalweg.program.instructions.metrics import Moments
from thalweg.program.ir.instruction import DOUBLE, TOTALS, Buffer
from thalweg.support.arguments import arguments


@arguments
class Masked(Metric):
    """Σ m·v/Σ m, for a metric that is a mean of v over rows and steps, and the mask m of the predictions.

    Raises:
        ArgumentError: the metric isn't such a mean.
    """

    of: Metric

    def __post_init__(self) -> None:
        if not isinstance(self.of, MEANS):
            raise ArgumentError(
                f"the metric {self.of.name!r} isn't a mean over steps, so it can't leave out those that the output's "
                "mask does: accuracies, losses and functions of your own can"
            )
        super().__post_init__()

    def sums(self, output: Shape) -> int:
        return 10  # Σ m·v and Σ m, and what `Moments` adds besides

    def check(self, output: Shape, target: Shape) -> None:
        self.of.check(output, target)

    def prepare(self, program: Builder, p: Buffer, y: Buffer) -> Buffer:
        self.of.check(p.shape, y.shape)
        mask = Traced(program, program.masks[p])
        with writing(program):
            values = steps_of(self.of, Traced(program, y), Traced(program, p))
            if len(values.shape) == len(mask.shape) + 1 and values.shape[-1] == 1:
                values = ops.squeeze(values, -1)
            if values.shape != mask.shape:
                raise ShapeError(
                    f"the metric {self.of.name!r} has values of shape {values.shape}, the output's mask {mask.shape}"
                )
            both = [ops.reshape(v, (-1, math.prod(v.shape[1:]))) for v in (mask * values, mask)]
            sums = [ops.sum(v, axis=1, keepdims=True) for v in both]
            return ops.concatenate(sums, axis=1).buffer  # type: ignore[no-any-return]

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Moments:
        return Moments(p, p, sums)

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        counted = float(sums[1])
        return self.of.score(sums[:1], counted, (1,)) if counted else 0.0


@arguments
class MaskedLoss(Metric):
    """The loss of one of several outputs, without the steps that its mask leaves out."""

    of: Loss

    def check(self, output: Shape, target: Shape) -> None:
        pass  # the loss has checked its targets

    def prepare(self, program: Builder, p: Buffer, y: Buffer) -> Buffer:
        sums = Buffer("loss", (1,), TOTALS, per_row=False, dtype=DOUBLE)
        mask = None if self.of.masks_itself else program.masks[p]
        return self.of.by_step(program, p, None, y, None, mask, sums).v

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Any:
        return RowValue(p, None, sums, self.of.reduction == "sum", metric=True)

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return float(sums[0] / rows)


MEANS = (LossMetric, FunctionMetric, matches.Accuracy, matches.BinaryAccuracy, matches.ShareOfRows)


def for_mask(metric: Metric) -> Metric:
    """The metric of an output with a mask."""
    return MaskedLoss(metric.of) if isinstance(metric, OutputLoss) else Masked(metric)


def steps_of(metric: Metric, y: Any, p: Any) -> Any:
    """The metric at every step, (rows, steps)."""
    if isinstance(metric, LossMetric):
        return metric.sign * metric.as_loss().on_tensors(y, p)
    if isinstance(metric, FunctionMetric):
        return metric.function(y, p)
    if isinstance(metric, matches.Accuracy):
        return ops.mean(ops.equal(p, y), axis=-1)
    if isinstance(metric, matches.BinaryAccuracy):
        return ops.mean(ops.equal(ops.greater(p, metric.threshold), y), axis=-1)
    sparse = isinstance(metric, (matches.SparseCategoricalAccuracy, matches.SparseTopKCategoricalAccuracy))
    number = ops.squeeze(y, -1) if sparse else ops.argmax(y, axis=-1)
    if not isinstance(metric, matches.TopK):
        return ops.equal(ops.argmax(p, axis=-1), number)
    own = ops.sum(p * ops.one_hot(number, p.shape[-1]), axis=-1, keepdims=True)
    return ops.less(ops.sum(ops.greater(p, own), axis=-1), metric.k)
