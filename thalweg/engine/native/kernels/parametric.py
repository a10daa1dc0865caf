"""PReLU. A row is (A, B, C, D, E): along A, C and E its elements share an α, along B and D each has its own.

The innermost loop runs along E, or along D if E is 1. If D is short, as with an α for each channel of an image, several
places are computed at once, with the α repeated for each of them.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, load_f32, select, stack
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.generated.loops import each_adjoint
from thalweg.engine.native.language.callables import inlined

F32 = np.float32
ONE = F32(1)
RUN = 1024  # elements computed at once
run_on_stack = stack(RUN)


@inlined
def own_slope(x, j, _, alphas):
    return select(x > F32(0), ONE, load_f32(alphas, j))


@inlined
def shared_slope(x, j, alpha, _):
    return select(x > F32(0), ONE, alpha)


@inlined
def slopes(h, alpha, z, y, rows, A, B, C, D, E):
    """y = z·(h > 0 ? 1 : α)"""
    if B == 1 and E == 1 and 2 * D <= RUN:
        run = run_on_stack()
        repeated, once = floats(run, RUN), floats(alpha, D)
        n = RUN // D * D
        for i in range(n):
            repeated[i] = once[i % D]
        for at in range(0, rows * A * C * D, n):
            there = 4 * at
            m = min(n, rows * A * C * D - at)
            each_adjoint(own_slope, h + there, z + there, y + there, 1, m, ONE, run)
        return
    for place in range(rows * A * B * C):
        own, at = alpha + 4 * (place // C % B) * D, 4 * place * D * E
        if E == 1:
            each_adjoint(own_slope, h + at, z + at, y + at, 1, D, ONE, own)
        else:
            for j in range(D):
                there = at + 4 * j * E
                each_adjoint(shared_slope, h + there, z + there, y + there, 1, E, load_f32(own, j), own)


@kernel
def prelu(h, alpha, a, A, B, C, D, E, *, rows):
    """a = h·(h > 0 ? 1 : α)"""
    slopes(h, alpha, h, a, rows, A, B, C, D, E)


@kernel
def prelu_adjoint(h, alpha, da, dh, A, B, C, D, E, *, rows):
    """dh = da·(h > 0 ? 1 : α)"""
    slopes(h, alpha, da, dh, rows, A, B, C, D, E)


@inlined
def sums_of_short(h, da, dalpha, D, size):
    """dα += Σ da·min(h, 0), several places at once, each with its own sums until the end."""
    sums, total, n = floats(run_on_stack(), RUN), floats(dalpha, D), RUN // D * D
    sums[:] = F32(0)
    for at in range(0, size, n):
        x, d = floats(h + 4 * at, min(n, size - at)), floats(da + 4 * at, min(n, size - at))
        for i in range(x.size):
            sums[i] += d[i] * select(x[i] > F32(0), F32(0), x[i])
    for k in range(0, n, D):
        for j in range(D):
            total[j] += sums[k + j]


@kernel
def prelu_gradient(h, da, dalpha, A, B, C, D, E, *, rows, accumulate):
    """dα = Σ da·min(h, 0)"""
    if not accumulate:
        floats(dalpha, B * D)[:] = F32(0)
    if B == 1 and E == 1 and 2 * D <= RUN:
        sums_of_short(h, da, dalpha, D, rows * A * C * D)
        return
    for place in range(rows * A * B * C):
        total, at = floats(dalpha + 4 * (place // C % B) * D, D), 4 * place * D * E
        if E == 1:
            u, d = floats(h + at, D), floats(da + at, D)
            for j in range(D):
                total[j] += d[j] * select(u[j] > F32(0), F32(0), u[j])
        else:
            for j in range(D):
                u, d = floats(h + at + 4 * j * E, E), floats(da + at + 4 * j * E, E)
                part = F32(0)
                for i in range(E):
                    part += d[i] * select(u[i] > F32(0), F32(0), u[i])
                total[j] += part
