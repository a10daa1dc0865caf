"""A loss of the user's own: a formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.losses.loss import Loss
from thalweg.program.formula.parsing import Formula as Read
from thalweg.program.formula.parsing import formula as read
from thalweg.program.instructions.losses.formula_loss import FormulaLoss as Instruction
from thalweg.program.instructions.losses.loss_instruction import Loss as LossInstruction
from thalweg.support.checks import number


@dataclass(frozen=True)
class FormulaLoss(Loss):
    """ℓ = mean over the outputs of a formula in y_true and y_pred, with named constants.

    `compile(loss="log(cosh(y_pred - y_true))")` is the same as giving this. What a formula may hold is said at
    `thalweg.activations.formula`.

    >>> FormulaLoss("(y_pred - y_true)**2")([[0.0], [1.0]], [[1.0], [1.0]])
    0.5
    >>> FormulaLoss("k * abs(y_pred - y_true)", constants={"k": 3})([[0.0]], [[1.0]])
    3.0
    """

    text: str = ""
    constants: Mapping[str, float] = field(default_factory=dict)

    instruction = Instruction

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.text, str):
            raise ArgumentError(f"a loss's formula is a text such as '(y_pred - y_true)**2', got {self.text!r}")
        self.read()

    def read(self) -> Read:
        """The formula, differentiated by y_pred."""
        values = tuple((k, number(f"the constant {k}", v, -math.inf)) for k, v in self.constants.items())
        return read(self.text, ("y_pred", "y_true"), values, (), ("y_pred",))

    def options(self, kind: type[LossInstruction]) -> dict[str, Any]:
        return {"of": self.read()}
