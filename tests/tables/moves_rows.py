"""Conformance rows of matrix products, moving elements, elements chosen by numbers, and random values."""

import math
from collections.abc import Callable

import numpy as np
from harness import OPTIONAL, ORDERED, SMOOTHED, TOTAL, TWICE, Case

from thalweg.program.instructions import indexing, noise, products, shapes
from thalweg.program.instructions.images import resizing
from thalweg.program.ir.instruction import Buffer, Instruction


def matrix_product(c: Case) -> Instruction:
    """Axes before the matrices that x or y lacks, or only the result; operands that aren't per row, or none that is."""
    seed = c.shape.seed
    M, K, N = 1 + c.shape.width % 70, 1 + c.shape.units % 70, (1, 3, 16, 1 + seed % 65)[seed // 11 % 4]
    if c.shape.positions == 1 and c.has(TOTAL):
        M = 1
    rank = (0, 1, 1, 2, 3)[seed // 5 % 5]
    lead = tuple(c.random.integers(1, 4, rank).tolist())
    full, once = c.has(OPTIONAL), c.has(ORDERED) and c.has(TOTAL)

    def before() -> tuple[int, ...]:
        """The axes before a matrix: some of them 1, the first missing."""
        if full:
            return lead
        return tuple(n if c.random.random() < 0.7 else 1 for n in lead)

    tx, ty = c.has(TWICE), c.has(SMOOTHED)
    per_x, per_y = ((True, True), (True, False), (False, True))[seed // 3 % 3] if not once else (False, False)
    first, second = before(), before()
    if not per_x and c.has(ORDERED):
        first = first[1:]
    x = c.normal("x", (*first, *((K, M) if tx else (M, K))), per_row=per_x)
    y = c.normal("y", (*second, *((N, K) if ty else (K, N))), per_row=per_y)
    result = np.broadcast_shapes(first, second)
    per_z = per_x or per_y
    if seed // 7 % 3 == 0 and not c.smooth:  # as in an adjoint, which has none: a sum over rows or axes
        per_z = per_z and c.has(OPTIONAL)
        result = tuple(n if c.random.random() < 0.5 else 1 for n in result)
    z = c.output("z", (*result, M, N), per_row=per_z)
    of = products.MatrixProduct(x, y, z, tx, ty)
    c.magnitudes["z"] = lambda m: of.reference(np, abs(m[x]), abs(m[y])) + (abs(m[z]) if adds(c, of) else 0)
    return of


def adds(c: Case, of: Instruction) -> bool:
    """Whether the result is added to what was there."""
    return bool(of.reduces) and c.memory(np.float64).accumulate


def block(c: Case) -> tuple[int, ...]:
    """A shape of one to four axes."""
    sizes = (1 + c.shape.width % 23, 1 + c.shape.units % 20, c.shape.positions, 1 + c.shape.seed % 5)
    return tuple(sizes[k] for k in c.random.permutation(4)[: 1 + c.shape.seed % 4])


def everywhere(c: Case) -> bool:
    """Whether the case is per row."""
    return not (c.has(ORDERED) and c.has(SMOOTHED))


def some(c: Case, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Places in an array of a shape: how many along each axis, where they start, and their steps."""
    starts, steps, counts = [], [], []
    for n in shape:
        places = list(range(*sorted(c.random.integers(0, n + 1, 2)))) or [n - 1]
        places = places[:: 1 + int(c.random.integers(3)) * c.has(TWICE)]
        if c.has(OPTIONAL) and c.random.random() < 0.5:
            places = places[::-1]
        starts.append(places[0])
        steps.append(places[1] - places[0] if len(places) > 1 else 1)
        counts.append(len(places))
    return tuple(counts), tuple(starts), tuple(steps)


def slice_(c: Case) -> Instruction:
    shape, per_row = block(c), everywhere(c)
    counts, starts, steps = some(c, shape)
    x, z = c.normal("x", shape, per_row=per_row), c.put("z", counts, np.nan, per_row=per_row)
    return shapes.Slice(x, z, starts, steps)


def placement(c: Case) -> Instruction:
    shape, per_row = block(c), everywhere(c)
    counts, starts, steps = some(c, shape)
    x, z = c.normal("x", counts, per_row=per_row), c.put("z", shape, np.nan, per_row=per_row)
    return shapes.Placement(x, z, starts, steps, (0.0, -1.5)[c.has(TOTAL)])


def concatenation(c: Case) -> Instruction:
    shape, per_row = block(c), everywhere(c)
    axis = int(c.random.integers(len(shape)))
    sizes = c.random.integers(1, 12, 1 + c.shape.seed % shapes.MOST_PARTS).tolist()
    of = [(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes]
    parts = tuple(c.normal(f"x{k}", s, per_row=per_row) for k, s in enumerate(of))
    if c.has(TWICE):
        parts = (*parts[:-1], parts[0])
        sizes[-1] = sizes[0]
    z = c.put("z", (*shape[:axis], sum(sizes), *shape[axis + 1 :]), np.nan, per_row=per_row)
    return shapes.Concatenation(parts, z, axis)


def permutation(c: Case) -> Instruction:
    shape, per_row = block(c), everywhere(c)
    order = tuple(c.random.permutation(len(shape)).tolist())
    x = c.normal("x", shape, per_row=per_row)
    return shapes.Permutation(x, c.put("z", tuple(shape[k] for k in order), np.nan, per_row=per_row), order)


def taken(c: Case) -> tuple[tuple[int, ...], tuple[int, ...], Buffer, int, bool]:
    shape, per_row = block(c), everywhere(c)
    axis, count = int(c.random.integers(len(shape))), 1 + c.shape.seed % 9
    indices = c.put("at", (count,), c.random.integers(0, shape[axis], count), per_row=False)
    return shape, (*shape[:axis], count, *shape[axis + 1 :]), indices, axis, per_row


def take(c: Case) -> Instruction:
    shape, result, indices, axis, per_row = taken(c)
    x, z = c.normal("x", shape, per_row=per_row), c.put("z", result, np.nan, per_row=per_row)
    return indexing.Take(x, indices, z, axis)


def take_adjoint(c: Case) -> Instruction:
    shape, result, indices, axis, per_row = taken(c)
    dz, dx = c.normal("dz", result, per_row=per_row), c.put("dx", shape, np.nan, per_row=per_row)
    of = indexing.TakeAdjoint(dz, indices, dx, axis)
    c.magnitudes["dx"] = lambda m: of.reference(np, abs(m[dz]), m[indices])
    return of


def chosen(c: Case) -> tuple[tuple[int, ...], Buffer, int, bool]:
    """ids, some of which count from the end."""
    shape, per_row = block(c), everywhere(c)
    axis, count = int(c.random.integers(len(shape))), 1 + c.shape.seed % 9
    n, result = shape[axis], (*shape[:axis], count, *shape[axis + 1 :])
    least = -n if c.has(OPTIONAL) else 0
    rows = (c.shape.rows,) if per_row else ()
    ids = c.put("ids", result, c.random.integers(least, n, (*rows, *result)), per_row=per_row)
    return shape, ids, axis, per_row


def take_along_axis(c: Case) -> Instruction:
    shape, ids, axis, per_row = chosen(c)
    x, z = c.normal("x", shape, per_row=per_row), c.put("z", ids.shape, np.nan, per_row=per_row)
    return indexing.TakeAlongAxis(x, ids, z, axis)


def take_along_axis_adjoint(c: Case) -> Instruction:
    shape, ids, axis, per_row = chosen(c)
    dz, dx = c.normal("dz", ids.shape, per_row=per_row), c.put("dx", shape, np.nan, per_row=per_row)
    of = indexing.TakeAlongAxisAdjoint(dz, ids, dx, axis)
    c.magnitudes["dx"] = lambda m: of.reference(np, abs(m[dz]), m[ids])
    return of


def resampling(c: Case) -> Instruction:
    """Interpolation of any kind, and matrices of which some rows are 0, as in its adjoint."""
    shape, per_row = block(c), everywhere(c)
    axis, m = int(c.random.integers(len(shape))), 1 + c.shape.seed % 30
    kind = tuple(resizing.WEIGHTS)[c.shape.seed // 5 % 4]
    matrix = resizing.interpolated(shape[axis], m, kind, c.has(OPTIONAL))
    if c.has(TWICE):
        matrix = resizing.interpolated(m, shape[axis], kind, False).T
    places, weights = resizing.banded(matrix)
    c.values |= {constant: constant.values.astype(np.float32) for constant in (places, weights)}
    x = c.normal("x", shape, per_row=per_row)
    z = c.put("z", (*shape[:axis], m, *shape[axis + 1 :]), np.nan, per_row=per_row)
    of = resizing.Resampling(x, places, weights, z, axis)
    c.magnitudes["z"] = lambda m: of.reference(np, abs(m[x]), m[places], abs(m[weights]))
    return of


def one_hot(c: Case) -> Instruction:
    shape, per_row, depth = block(c), everywhere(c), 1 + c.shape.seed % 12
    rows = (c.shape.rows,) if per_row else ()
    numbers = c.random.integers(-2, depth + 2, (*rows, *shape)) + (0.5 if c.has(TWICE) else 0)
    ids = c.put("ids", shape, numbers, per_row=per_row)
    return indexing.OneHot(ids, c.put("z", (*shape, depth), np.nan, per_row=per_row))


def argsort(c: Case) -> Instruction:
    """Numbers some of which are equal, and some NaN."""
    n, per_row = c.shape.width, everywhere(c)
    k = n if c.has(TOTAL) else 1 + c.shape.units % n
    rows = (c.shape.rows,) if per_row else ()
    numbers = c.random.integers(0, 1 + n, (*rows, c.shape.positions, n)) / 3
    if c.has(TWICE):
        numbers[c.random.random(numbers.shape) < 0.1] = np.nan
    x = c.put("x", (c.shape.positions, n), numbers, per_row=per_row)
    z = c.put("z", (c.shape.positions, k), np.nan, per_row=per_row)
    return indexing.Argsort(x, z, c.has(OPTIONAL))


def random_values(kind: type[noise.RandomValues]) -> Callable[[Case], Instruction]:
    def build(c: Case) -> Instruction:
        z = c.output("z", block(c))
        c.magnitudes["z"] = lambda m: np.full((), 4.0 * math.hypot(*of.constants.values()))
        of = kind(z, (0.3, -1.0, 0.5)[c.shape.seed % 3], (0.7, 2.0)[c.has(TWICE)], 7)
        return of

    return build


ROWS: dict[str, Callable[[Case], Instruction]] = {
    "matrix_product": matrix_product,
    "slice": slice_,
    "placement": placement,
    "concatenation": concatenation,
    "permutation": permutation,
    "take": take,
    "take_adjoint": take_adjoint,
    "take_along_axis": take_along_axis,
    "take_along_axis_adjoint": take_along_axis_adjoint,
    "one_hot": one_hot,
    "argsort": argsort,
    "resampling": resampling,
    "random_normal": random_values(noise.RandomNormal),
    "random_uniform": random_values(noise.RandomUniform),
    "random_bernoulli": random_values(noise.RandomBernoulli),
}
