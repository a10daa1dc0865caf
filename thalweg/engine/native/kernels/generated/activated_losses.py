"""The kernels of losses with the activation before them: the functions of both in the losses' loop, a module each."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.program.passes.activated import ActivatedLoss

TEXT = """import numba
import numpy as np

from thalweg.engine.native.{file} import {activation}_slope, {activation}_value
from thalweg.engine.native.kernels.losses.elementwise_losses import {loss}_of
from thalweg.engine.native.compiler.llvm import FLAGS
from thalweg.engine.native.kernels.losses.loss_loops import elements

F32 = np.float32


@numba.njit(forceinline=True, **FLAGS)
def function(y, h, k1, k2, k3, k):
    a = {a}
    value, slope = {loss}_of(y, a, k1, k2, k3)
    return value, slope * {activation}_slope({v}, k)


def {name}(o, c, s, f):
    elements(function, ({arguments},), o, o[4], o[5], o[8], c, s)
"""


def kernel_of_activated(i: ActivatedLoss, file: str) -> Kernel:
    """The kernel, not yet compiled; `file`: of this folder, where the activation is."""
    of, loss, whole = i.activation, i.loss.of.kernel, i.v is i.activation.h
    arguments = [f"F32(c[{4 + n}])" for n in range(len(of.constants))]
    name = f"{of.kernel}_{loss}" if whole else f"{of.kernel}_adjoint_{loss}"
    text = TEXT.format(
        file=file,
        activation=of.kernel,
        loss=loss,
        a=f"{of.kernel}_value(h, k)" if whole else "h",
        v="h" if i.back.v is of.h else "a",
        name=name,
        arguments=arguments[0] if len(arguments) == 1 else f"({', '.join(arguments)})",
    )
    return Kernel("activated", name, text)
