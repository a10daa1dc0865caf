"""The loss of a model whose class computes it in `compute_loss`."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Any

from thalweg.losses import Loss
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import Traced, writing
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.nested import mapped


@dataclass(frozen=True)
class ModelLoss(Loss):
    """What `model.compute_loss(x, y, y_pred)` returns for tensors: one number a row, or a mean over the rows."""

    model: Any = None
    targets: bool = True  # whether there are any; otherwise y is None

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss for tensors of the targets and of all outputs."""
        program: Builder = y_true.program
        graph = self.model._graph
        inputs = [Traced(program, b) for b in program.inputs]
        outputs = iter(Traced(program, b) for b in program.outputs)
        x = inputs[0] if len(inputs) == 1 else inputs
        y = y_true if self.targets else None
        y_pred = mapped(graph.structure, lambda _: next(outputs))
        compute = self.model.compute_loss
        takes = signature(compute).parameters.values()
        told = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in takes)
        named = {"training": program.training} if told else {}
        return compute(x=x, y=y, y_pred=y_pred, sample_weight=None, **named)

    def prepare(self, program: Builder, y_pred: Buffer, y: Buffer) -> Buffer:
        with writing(program):
            return row_value(program, self.call(Traced(program, y), y_pred))[0]

    def get_config(self) -> dict[str, Any]:
        return {}
