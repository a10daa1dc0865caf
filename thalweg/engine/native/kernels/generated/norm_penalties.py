"""Kernels of l1·|w| + l2·w², generated from its equation."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.code import Code
from thalweg.engine.native.kernels.generated.formulas import generated, written
from thalweg.engine.native.scheduling.traits import sliced
from thalweg.program.instructions.losses.penalties import NormPenalty
from thalweg.program.ir.instruction import TOTALS

IMPORTS = """import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats, select
from thalweg.engine.native.kernels.generated.loops import scalar
from thalweg.engine.native.kernels.updates.gradients import stretch
from thalweg.engine.native.layouts.state import BATCH_ROWS, PENALTIES, ROWS
from thalweg.engine.native.linalg import mathematics as maths

F32 = np.float32
"""

SUM = """

def {{name}}(o, c, s, f):
    first, after = {range}
    w, l1, l2, total = floats(o[0], after), F32(c[0]), F32(c[1]), 0.0
    for i in range(first, after):
        total += np.float64(function(w[i], l1, l2))
    doubles(o[1], 1)[0] += {factor} * total
"""

SLOPES = """

def {{name}}(o, c, s, f):
    first, after = {range}
    w, dw, l1, l2 = floats(o[0], after), floats(o[1], after), F32(c[0] {scaled}), F32(c[1] {scaled})
    for i in range(first, after):
        dw[i] {stored} function(w[i], l1, l2)
"""


def kernel_of_penalty(i: NormPenalty) -> Kernel:
    """The kernel of a penalty or of its gradient, over a lane's slice of the weights or the rows of a block."""
    code = Code({"w": "w", "l1": "l1", "l2": "l2"}, ("l1", "l2"))
    head = IMPORTS + written(code, [code.of(i.text)], ["w", "l1", "l2"])
    words = {"range": "stretch(o[2], o[3], s)" if sliced(i) else "0, s[ROWS] * o[2]"}
    if i.outputs[0].region == TOTALS:
        return generated(
            i.kernel, head + SUM.format(factor="s[BATCH_ROWS] * f[PENALTIES]" if sliced(i) else "1.0", **words)
        )
    words |= {"stored": "+=", "scaled": "* f[PENALTIES]"} if sliced(i) else {"stored": "=", "scaled": "/ s[BATCH_ROWS]"}
    return generated(i.kernel, head + SLOPES.format(**words))
