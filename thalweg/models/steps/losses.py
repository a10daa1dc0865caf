"""The loss of `compile` in a step of one's own, as a tensor."""

from __future__ import annotations

from typing import Any

from thalweg import ops
from thalweg.errors import ThalwegError
from thalweg.losses.loss import Loss
from thalweg.ops.tensor import OverRows, Traced, caller
from thalweg.program.ir.instruction import LOSS
from thalweg.program.lowering import sums, writer
from thalweg.support.nested import leaves


def compiled_loss(compiled: Any, y: Any, y_pred: Any, weights: Any) -> Any:
    """The sum of the losses of all outputs, times their weights."""
    predictions, targets, given = list(leaves(y_pred)), list(leaves(y)), list(leaves(weights))
    goals = compiled.objectives()
    wanted = [(goal, p) for goal, p in zip(goals, predictions, strict=len(goals) == len(predictions)) if goal.loss]
    if compiled.loss is None or len(wanted) != len(targets) or not all(isinstance(p, Traced) for p in predictions):
        raise ThalwegError(
            "there is no loss to compute: give compile a loss, and compute_loss in a step y and y_pred; or override it"
        )
    total: Any = None
    for place, ((goal, p), target) in enumerate(zip(wanted, targets, strict=True)):
        value = of_output(goal.loss, target, p, given[place] if len(given) == len(wanted) else None)
        value = value if goal.weight == 1 else goal.weight * value
        total = value if total is None else total + value
    return total


def of_output(loss: Loss, y: Any, p: Traced, weight: Any) -> Any:
    """The loss of one output, from the pre-activations where these are known, as `fit` computes it."""
    program, total = p.program, loss.reduction == "sum"
    if loss.state_shapes(p.buffer.shape, None if not hasattr(program, "features") else program.features.shape):
        raise ThalwegError(f"{caller()}: {loss.name} keeps centres, which only fit's own step can train")
    source, mask = writer(program.instructions, p.buffer), program.masks.get(p.buffer)
    if mask is not None or weight is not None:
        w = None if weight is None else weight.buffer
        found = loss.by_step(program, p.buffer, source, y.buffer, w, mask, sums("L", LOSS))
        return OverRows(Traced(program, program.reshape(found.v, ())), total)
    kind, operand = loss.fused_with(source, p.buffer)
    values = loss.call(y, p) if loss.own else loss.on_tensors(y, Traced(program, operand), kind)  # type: ignore[attr-defined]
    return values if isinstance(values, OverRows) else (ops.sum if total else ops.mean)(values)
