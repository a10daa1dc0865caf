"""Initial weights from data: every pre-activation starts with variance 1 on a batch (LSUV)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from thalweg.engine.contract import Array
from thalweg.errors import ArgumentError
from thalweg.initializers import Orthogonal
from thalweg.models.inspection import forward_values
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import number, whole
from thalweg.support.naming import suggesting

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential


@suggesting
def lsuv(
    model: Sequential, x: ArrayLike, *, tolerance: float = 0.01, max_iterations: int = 10, seed: int | None = None
) -> dict[str, float]:
    """Layer-sequential unit variance (Mishkin and Matas, ICLR 2016): new kernels, fitted to a batch.

    Layer after layer, the kernel W becomes a random orthogonal matrix, and is divided by √Var h, h = x·W + b over all
    rows and units, until |Var h − 1| < tolerance. Biases stay as they are. Activations of any kind receive a
    signal of the same size in every layer, however deep. Call it before `fit`.

    Args:
        model: need not be compiled; built for the shape of x if it isn't built yet.
        x: (rows, …) some hundred rows of the training data.
        tolerance: 0.1 in the paper. max_iterations: the most divisions of a kernel.
        seed: of the orthogonal matrices; the model's if None.

    Returns:
        the variance of the pre-activation of every kernel, by the kernel's name.

    Raises:
        ArgumentError: a pre-activation doesn't vary on x, or the model has no kernel.

    >>> import thalweg
    >>> Dense = thalweg.layers.Dense
    >>> model = thalweg.Sequential([thalweg.Input((4,)), Dense(8, "tanh"), Dense(1)], seed=0)
    >>> {name: round(v, 2) for name, v in lsuv(model, np.random.default_rng(0).normal(size=(256, 4))).items()}
    {'dense/W': 1.0, 'dense_1/W': 1.0}
    """
    number("lsuv's tolerance", tolerance)
    whole("lsuv's max_iterations", max_iterations)
    model._compiled.build_for(x)
    (rows,) = model._compiled.inputs(x)
    generator = np.random.default_rng(model.seed if seed is None else whole("lsuv's seed", seed, 0))
    kernels = [(path, p) for path, p in model.named_parameters() if len(p.buffer.shape) > 1]
    if not kernels:
        raise ArgumentError("lsuv needs a layer with a kernel, such as Dense")
    before = model.get_weights()
    variances: dict[str, float] = {}
    try:
        for path, parameter in kernels:
            assert parameter.array is not None
            parameter.array[...] = Orthogonal()(parameter.buffer.shape, generator)
            variance = variance_after(model, rows, parameter.buffer)
            for _ in range(max_iterations):
                if not 1e-30 < variance < math.inf:
                    raise ArgumentError(f"lsuv: what {path} computes has the variance {variance:g} on these rows")
                if abs(variance - 1) < tolerance:
                    break
                parameter.array /= math.sqrt(variance)
                variance = variance_after(model, rows, parameter.buffer)
            variances[path] = variance
    except BaseException:
        model.set_weights(before)
        raise
    return variances


def variance_after(model: Sequential, x: Array, W: Buffer) -> float:
    """The variance, over rows and units, of the output of the instruction that reads W."""
    values = [h.ravel() for i, h in forward_values(model._compiled, x) if any(b is W for b in i.inputs)]
    if not values:
        raise ArgumentError(f"lsuv: no instruction computes something of each row with {W}")
    return float(np.concatenate(values).var())
