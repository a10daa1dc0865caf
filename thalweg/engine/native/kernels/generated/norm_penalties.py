"""Kernels of l1·|w| + l2·w², generated from its equation."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.code import Code
from thalweg.engine.native.kernels.generated.formulas import generated, written
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.scheduling.traits import sliced
from thalweg.program.instructions.losses.penalties import NormPenalty
from thalweg.program.ir.instruction import TOTALS

SUM = """

@kernel
def {{name}}(w, sums, {given}):
    first, after = {range}
    w, l1, l2, total = floats(w, after), F32(l1), F32(l2), 0.0
    for i in range(first, after):
        total += np.float64(function(w[i], l1, l2))
    doubles(sums, 1)[0] += {factor} * total
"""

SLOPES = """

@kernel
def {{name}}(w, dw, {given}):
    first, after = {range}
    w, dw, l1, l2 = floats(w, after), floats(dw, after), F32(l1 {scaled}), F32(l2 {scaled})
    for i in range(first, after):
        dw[i] {stored} function(w[i], l1, l2)
"""

SLICED = {
    "given": "size, w_offset, l1: float, l2: float, *, first, after, batch_rows, penalties",
    "range": "stretch(size, w_offset, first, after)",
    "factor": "batch_rows * penalties", "stored": "+=", "scaled": "* penalties",
}  # fmt: skip
OF_ROWS = {
    "given": "size, l1: float, l2: float, *, rows, batch_rows", "range": "0, rows * size",
    "factor": "1.0", "stored": "=", "scaled": "/ batch_rows",
}  # fmt: skip


def kernel_of_penalty(i: NormPenalty) -> Kernel:
    """The kernel of a penalty or of its gradient, over a lane's slice of the weights or the rows of a block."""
    code = Code({"w": "w", "l1": "l1", "l2": "l2"}, ("l1", "l2"))
    head = written(code, [code.of(i.text)], ["w", "l1", "l2"])
    kind = SUM if i.outputs[0].region == TOTALS else SLOPES
    return generated(name_of(i), head + kind.format(**(SLICED if sliced(i) else OF_ROWS)))
