"""Rows of the conformance table for columns of numbers: periodic embeddings, codes by bins."""

import numpy as np
from harness import ACCUMULATE, EXTREME, OPTIONAL, TWICE, Case

from thalweg.program.instructions.numerical import periodic, piecewise
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, Buffer, Constant, Instruction


def embedded(c: Case) -> tuple[Buffer, Buffer, Buffer, Buffer, int]:
    """x, ω, φ and W of some columns, with few units or many."""
    columns, frequencies = c.shape.width, 1 + c.shape.seed % 17
    units = c.shape.units if c.has(TWICE) else 1 + c.shape.units % 5
    x = c.normal("x", (columns,))
    omega, phi = (c.normal(n, (columns, frequencies), PARAMETERS, per_row=False) for n in ("ω", "φ"))
    return x, omega, phi, c.normal("W", (columns, frequencies, units), PARAMETERS, per_row=False), units


def periodic_embedding(c: Case) -> Instruction:
    x, omega, phi, W, units = embedded(c)
    b = c.normal("b", (c.shape.width, units), PARAMETERS, per_row=False)
    a = c.output("a", (c.shape.width * units,))
    c.magnitudes["a"] = lambda m: (
        np.einsum("rck,cku->rcu", 1 + abs(periodic.phases(m[x], m[omega], m[phi])), abs(m[W])) + abs(m[b])
    ).reshape(c.shape.rows, -1)
    return periodic.PeriodicEmbedding(x, omega, phi, W, b, a)


def periodic_gradient(c: Case) -> Instruction:
    x, omega, phi, W, units = embedded(c)
    da = c.normal("da", (c.shape.width * units,))
    of = {"domega": omega.shape, "dphi": phi.shape, "dW": W.shape, "db": (c.shape.width, units)}
    left_out = ("domega", "dphi", "dW", "db", None)[c.shape.seed % 5] if c.has(OPTIONAL) else None
    outputs = [c.output(n, s, GRADIENTS, per_row=False) if n != left_out else None for n, s in of.items()]
    i = periodic.PeriodicGradient(x, omega, phi, W, da, *outputs)

    def size(k: int):
        def of_sum(m):
            turns = 1 + abs(periodic.phases(m[x], m[omega], m[phi]))
            each = abs(m[da]).reshape(c.shape.rows, c.shape.width, units)
            back = 7 * turns * np.einsum("rcu,cku->rck", each, abs(m[W]))
            sums = (
                (back * abs(m[x])[:, :, None]).sum(0),
                back.sum(0),
                np.einsum("rck,rcu->cku", turns, each),
                each.sum(0),
            )
            return sums[k] + (abs(m[outputs[k]]) if c.has(ACCUMULATE) else 0)

        return of_sum

    c.magnitudes |= {name: size(k) for k, name in enumerate(of)}
    return i


def periodic_input_gradient(c: Case) -> Instruction:
    x, omega, phi, W, units = embedded(c)
    da = c.normal("da", (c.shape.width * units,))

    def size(m):
        turns = 1 + abs(periodic.phases(m[x], m[omega], m[phi]))
        each = abs(m[da]).reshape(c.shape.rows, c.shape.width, units)
        return (7 * abs(m[omega]) * turns * np.einsum("rcu,cku->rck", each, abs(m[W]))).sum(axis=2)

    c.magnitudes["dx"] = size
    return periodic.PeriodicInputGradient(x, omega, phi, W, da, c.output("dx", x.shape))


def binned(c: Case) -> tuple[Buffer, Constant, list[np.ndarray]]:
    """x; where each column's bins begin; and the edges of the columns, of which some have none."""
    columns = c.shape.width
    counts = c.random.integers(0, 1 + c.shape.units % 40, columns)
    counts[counts == 1] = 0
    counts[c.random.integers(columns)] = 2 + c.shape.seed % 20
    edges = [np.sort(c.random.uniform(-3, 3, n + 1)).astype(np.float32) for n in counts]
    edges = [np.cumsum(np.maximum(np.diff(e, prepend=e[0] - 1), 1e-2)).astype(np.float32) for e in edges]
    x = c.normal("x", (columns,))
    if c.has(EXTREME) and not c.smooth:
        values = c.values[x].ravel()
        values[::7] = c.random.choice([np.inf, -np.inf, -1e30, 1e30, edges[0][0]], len(values[::7]))
    places = Constant("places", np.concatenate([[0], np.cumsum(counts)]))
    return x, places, [e for e, n in zip(edges, counts, strict=True) if n]


def described(c: Case, places: Constant, lows: np.ndarray, ends: np.ndarray) -> tuple[Constant, Constant]:
    constants = Constant("lows", lows), Constant("ends", np.float32(ends))
    c.values |= {constant: constant.values.astype(np.float32) for constant in (places, *constants)}
    return constants


def piecewise_linear(c: Case) -> Instruction:
    x, places, edges = binned(c)
    lows, slopes = np.concatenate([e[:-1] for e in edges]), np.concatenate([1 / np.diff(e) for e in edges])
    c.magnitudes["z"] = lambda m: np.full((), 1.0)
    z = c.output("z", (lows.size,))
    return piecewise.PiecewiseLinear(x, places, *described(c, places, lows, slopes), z)


def piecewise_linear_adjoint(c: Case) -> Instruction:
    x, places, edges = binned(c)
    lows, slopes = np.concatenate([e[:-1] for e in edges]), np.concatenate([1 / np.diff(e) for e in edges])
    constants, dz = described(c, places, lows, slopes), c.normal("dz", (lows.size,))
    c.values[x] = np.nan_to_num(c.values[x], posinf=9, neginf=-9)
    i = piecewise.PiecewiseLinearAdjoint(x, places, *constants, dz, c.output("dx", x.shape))
    columns = i_columns(places)
    near = np.abs(c.values[x][:, columns] - lows) < 1e-4  # of an edge: either side may be taken
    far = np.abs(c.values[x][:, columns] - lows - 1 / slopes) < 1e-4
    moved = np.zeros_like(c.values[x], bool)
    np.logical_or.at(moved, (slice(None), columns), near | far)
    c.values[x] += np.float32(1e-3) * moved
    c.magnitudes["dx"] = lambda m: np.full((), abs(m[dz]).max() * slopes.max())
    return i


def i_columns(places: Constant) -> np.ndarray:
    return piecewise.columns_of(places)


def bin_indicators(c: Case) -> Instruction:
    x, places, edges = binned(c)
    lows = np.concatenate([[-np.inf, *e[1:-1]] for e in edges])
    ends = np.concatenate([[*e[1:-1], np.inf] for e in edges])
    z = c.output("z", (lows.size,))
    return piecewise.BinIndicators(x, places, *described(c, places, lows, ends), z)


ROWS = {
    "periodic_embedding": periodic_embedding,
    "periodic_gradient": periodic_gradient,
    "periodic_input_gradient": periodic_input_gradient,
    "piecewise_linear": piecewise_linear,
    "piecewise_linear_adjoint": piecewise_linear_adjoint,
    "bin_indicators": bin_indicators,
}
