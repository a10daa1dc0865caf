"""Kernels of losses of whole rows, and of the losses with their gradients: each passes a function of `row_functions.py`
to the same loop."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.formulas import generated, reals, tuple_of
from thalweg.engine.native.kernels.names import name_of
from thalweg.program.instructions.losses import row_losses as of
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient

FUNCTIONS: dict[type[of.RowLoss], str] = {
    of.CrossentropyOfProbabilities: "crossentropy",
    of.CrossentropyOfLogits: "softmax_crossentropy",
    of.CategoricalFocalCrossentropy: "focal",
    of.CategoricalFocalCrossentropyLogits: "softmax_focal",
    of.GeneralizedCrossEntropy: "generalized",
    of.CategoricalHinge: "hinge_of_classes",
    of.CosineSimilarity: "cosine",
    of.Dice: "dice_of",
    of.Tversky: "tversky_of",
    of.GaussianNLL: "gaussian",
    of.GaussianNLLLogarithm: "gaussian_logarithm",
}

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
    function = next(name for kind, name in FUNCTIONS.items() if isinstance(loss, kind))
    constants = {"reals": reals(loss.options()), "k": tuple_of(loss.options())}
    return generated(name_of(i), TEXT.format(function=function, sparse=loss.sparse, **into, **read, **constants))
