"""Kernels of losses of whole rows, and of the losses with their gradients: each passes its function of
`row_functions.py` to the same loop."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.formulas import generated, reals, tuple_of
from thalweg.engine.native.kernels.names import name_of, underscored
from thalweg.program.instructions.losses import row_losses as of
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient

TEXT = """from thalweg.engine.native.kernels.losses.row_functions import {function}


@kernel
def {{name}}(p, y, weight, sums, {given}size, classes, {columns}total, coefficient: float{reals}, *, rows, batch_rows):
    rows_of_classes(
        {function}, {k}, {sparse}, p, y, weight, sums, {passed}, size, classes, {width}, total, coefficient,
        rows, batch_rows,
    )
"""


def kernel_of_rows(i: of.RowLoss | LossAndGradient) -> Kernel:
    """The kernel of a loss of whole rows, or of the loss and its gradient."""
    loss = i.of if isinstance(i, LossAndGradient) else i
    assert isinstance(loss, of.RowLoss)
    into = {"given": "", "passed": "0, 0"} if i is loss else {"given": "dp, a, ", "passed": "dp, a"}
    read = {"columns": "", "width": "1"} if loss.sparse else {"columns": "columns, ", "width": "columns"}
    function = underscored(loss.name).removeprefix("sparse_")  # which differs in Y alone
    constants = {"reals": reals(loss.options()), "k": tuple_of(loss.options())}
    return generated(name_of(i), TEXT.format(function=function, sparse=loss.sparse, **into, **read, **constants))
