"""User-defined losses: formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from thalweg.errors import ArgumentError
from thalweg.losses.loss import Loss
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.parsing import Formula, formula
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import number

Constants = Mapping[str, float]
NamedConstants = Annotated[Taken[Constants | None, Constants], Checked(lambda what, value: dict(value or {}))]


def written(what: str, value: Any) -> str:
    """A formula as it is written."""
    if not isinstance(value, str):
        raise ArgumentError(f"a loss's formula is a text such as '(y_pred - y_true)**2', got {value!r}")
    return value


@arguments
class FormulaLoss(Loss):
    """ℓ = mean over the outputs of a formula in y_true and y_pred, with named constants.

    `compile(loss="log(cosh(y_pred - y_true))")` does the same. For what a formula may contain, see
    `thalweg.activations.formula`.

    >>> FormulaLoss("(y_pred - y_true)**2")([[0.0], [1.0]], [[1.0], [1.0]])
    0.5
    >>> FormulaLoss("k * abs(y_pred - y_true)", constants={"k": 3})([[0.0]], [[1.0]])
    3.0
    """

    text: Annotated[str, Checked(written)] = ""
    constants: NamedConstants = default(None)

    def read(self) -> Formula:
        """The formula, differentiated by y_pred."""
        values = tuple((k, number(f"the constant {k}", v, -math.inf)) for k, v in self.constants.items())
        return formula(self.text, ("y_pred", "y_true"), values)

    @property
    def equation(self) -> Equation:  # type: ignore[override]
        return self.read().equation
