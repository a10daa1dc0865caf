"""Periodic embeddings: by hand, as vectors run along the rows, RUN of them at a time.

x and a are transposed on the way in and out, so that every number of ω, φ and W is one for a whole vector, and only the
gradients' sums end within a vector.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, load_f32, stack, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg.angles import cos_of_turns, sin_of_turns
from thalweg.engine.native.linalg.moves import turn

F32 = np.float32
RUN = 128  # rows at a time
MOST = 32  # columns of a at a time
TURN = F32(6.2831853)

_columns = stack(MOST * RUN)  # of x
_results = stack(MOST * RUN)  # of a, or of da
_waves = stack(RUN)
_backs = stack(RUN)


@inlined
def _emptied(address, n):
    floats(address, n)[:] = 0
    return address


@compiled
def _cosines(x, omega, phi, y):
    """y = cos(2π(ω·x + φ)) for RUN rows of one column"""
    u, v = floats(x, RUN), floats(y, RUN)
    for i in range(RUN):
        v[i] = cos_of_turns(u[i] * omega + phi)


@compiled
def _slopes(x, omega, phi, g):
    """g = −2π·sin(2π(ω·x + φ))·g for RUN rows of one column"""
    u, v = floats(x, RUN), floats(g, RUN)
    for i in range(RUN):
        v[i] *= -TURN * sin_of_turns(u[i] * omega + phi)


@compiled
def _add(w, x, y):
    """y += w·x for RUN rows"""
    u, v = floats(x, RUN), floats(y, RUN)
    for i in range(RUN):
        v[i] += w * u[i]


@compiled
def _add_dot(x, y, total):
    """total += Σ x·y over RUN rows"""
    u, v, part = floats(x, RUN), floats(y, RUN), F32(0)
    for i in range(RUN):
        part += u[i] * v[i]
    store_f32(total, 0, load_f32(total, 0) + part)


@compiled
def _add_sum(x, total):
    """total += Σ x over RUN rows"""
    u, part = floats(x, RUN), F32(0)
    for i in range(RUN):
        part += u[i]
    store_f32(total, 0, load_f32(total, 0) + part)


@compiled
def _pulled_back(W, da, g, units):
    """g = Σ_u W[u]·da[u] for RUN rows"""
    _emptied(g, RUN)
    for u in range(units):
        _add(load_f32(W, u), da + 4 * u * RUN, g)


@kernel
def periodic_embedding(x, omega, phi, W, b, a, columns, K, U, *, rows):
    """a = Σ_k W·cos(2π(ω·x + φ)) + b"""
    xs, ys, wave = _emptied(_columns(), MOST * RUN), _results(), _waves()
    together, piece = max(1, MOST // U), min(U, MOST)  # columns, and units of each
    for row in range(0, rows, RUN):
        some = min(RUN, rows - row)
        for first in range(0, columns, together):
            n = min(together, columns - first)
            turn(x + 4 * (row * columns + first), columns, xs, RUN, some, n)
            for unit in range(0, U, piece):
                m = min(piece, U - unit)
                for j in range(n):
                    for u in range(m):
                        floats(ys + 4 * (j * m + u) * RUN, RUN)[:] = load_f32(b, (first + j) * U + unit + u)
                    for k in range(K):
                        at = (first + j) * K + k
                        _cosines(xs + 4 * j * RUN, load_f32(omega, at), load_f32(phi, at), wave)
                        for u in range(m):
                            _add(load_f32(W, at * U + unit + u), wave, ys + 4 * (j * m + u) * RUN)
                turn(ys, RUN, a + 4 * ((row * columns + first) * U + unit), columns * U, n * m, some)


@kernel
def periodic_gradient(x, omega, phi, W, da, domega, dphi, dW, db, columns, K, U, *, rows, accumulate):
    """dφ = Σ g, dω = Σ g·x, dW = Σ cos(2π(ω·x + φ))·da, db = Σ da; rows beyond the last count as x = 0, da = 0"""
    for gradient, size in ((domega, K), (dphi, K), (dW, K * U), (db, U)):
        if gradient and not accumulate:
            _emptied(gradient, columns * size)
    wave, back = _waves(), _backs()
    together, piece = max(1, MOST // U), min(U, MOST)
    for row in range(0, rows, RUN):
        some = min(RUN, rows - row)
        xs, ds = _emptied(_columns(), MOST * RUN), _emptied(_results(), MOST * RUN)
        for first in range(0, columns, together):
            n = min(together, columns - first)
            turn(x + 4 * (row * columns + first), columns, xs, RUN, some, n)
            for unit in range(0, U, piece):
                m = min(piece, U - unit)
                turn(da + 4 * ((row * columns + first) * U + unit), columns * U, ds, RUN, some, n * m)
                for j in range(n):
                    own = ds + 4 * j * m * RUN
                    if db:
                        for u in range(m):
                            _add_sum(own + 4 * u * RUN, db + 4 * ((first + j) * U + unit + u))
                    for k in range(K):
                        at = (first + j) * K + k
                        _cosines(xs + 4 * j * RUN, load_f32(omega, at), load_f32(phi, at), wave)
                        if dW:
                            for u in range(m):
                                _add_dot(wave, own + 4 * u * RUN, dW + 4 * (at * U + unit + u))
                        _pulled_back(W + 4 * (at * U + unit), own, back, m)
                        _slopes(xs + 4 * j * RUN, load_f32(omega, at), load_f32(phi, at), back)
                        if dphi:
                            _add_sum(back, dphi + 4 * at)
                        if domega:
                            _add_dot(back, xs + 4 * j * RUN, domega + 4 * at)


@kernel
def periodic_input_gradient(x, omega, phi, W, da, dx, columns, K, U, *, rows):
    """dx = Σ_k ω·g"""
    xs, ds, back = _emptied(_columns(), MOST * RUN), _emptied(_results(), MOST * RUN), _backs()
    total, piece = _waves(), min(U, MOST)
    for row in range(0, rows, RUN):
        some = min(RUN, rows - row)
        for column in range(columns):
            turn(x + 4 * (row * columns + column), columns, xs, RUN, some, 1)
            _emptied(total, RUN)
            for unit in range(0, U, piece):
                m = min(piece, U - unit)
                turn(da + 4 * ((row * columns + column) * U + unit), columns * U, ds, RUN, some, m)
                for k in range(K):
                    at = column * K + k
                    _pulled_back(W + 4 * (at * U + unit), ds, back, m)
                    _slopes(xs, load_f32(omega, at), load_f32(phi, at), back)
                    _add(load_f32(omega, at), back, total)
            turn(total, RUN, dx + 4 * (row * columns + column), columns, 1, some)
