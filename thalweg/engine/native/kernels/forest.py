"""Decision trees: by hand, without a branch on what a node finds, in one of three ways.

* A tree of at most LEAVES leaves, for RUN rows: each node crosses out the leaves to its left for the rows that go
  right, in a word of bits for each row; a row reaches the first leaf that is left. So all nodes are read in order, and
  the vectors run along the rows. Lucchese et al., QuickScorer, SIGIR 2015.
* A larger tree: RUN rows go down side by side, one level after the other.
* Few rows: each goes down RUN trees side by side.
"""

import numpy as np
from llvmlite import ir

from thalweg.engine.native.compiler.llvm import doubles, floats, integers, load_f32, stack, store_f32, words_of
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, emitted, inlined
from thalweg.engine.native.language.types import float32, int64
from thalweg.engine.native.linalg.moves import turn

F32, I32, I64 = np.float32, np.int32, np.int64
RUN = 64  # rows or trees at a time
FEW = 6  # rows that go down one by one
LEAVES = 32  # of a tree, at most, that are crossed out
COLUMNS = 128  # at most, where leaves are crossed out
WIDE = 32  # numbers of a leaf that are added up together
BITS = 24  # of a word of sets
NODE = 16  # bytes

_columns = stack(COLUMNS * RUN)  # of x
_codes = stack(COLUMNS * RUN)  # bits of codes
_tops = stack(COLUMNS)  # the largest bit of each column
_left = stack(RUN)  # the leaves that are left
_at = stack(2 * RUN)  # nodes, then leaves, as int64
_going = stack(2 * RUN)  # trees, as int64
_sums = stack(2 * RUN * WIDE)  # float64


@emitted(int64, float32)
def _lowest(builder, word):
    """The place of the lowest bit of a float's 32 bits that is set."""
    bits = builder.bitcast(word, ir.IntType(32))
    return builder.zext(builder.cttz(bits, ir.Constant(ir.IntType(1), 1)), ir.IntType(64))


@inlined
def _bit(code, words):
    """The bit that stands for a code in a row of sets."""
    known = (code >= F32(0)) & (code < F32(BITS * words - 1))
    return np.where(known, I64(np.where(known, code, F32(0))) + 1, 0)


@inlined
def _step(nodes, at, x, sets, words):
    """How many nodes a row goes on from a node: 1 to the left, `skip` to the right, 0 from a leaf."""
    node = nodes + NODE * at
    column, threshold, skip = I64(load_f32(node, 0)), load_f32(node, 1), I64(load_f32(node, 2))
    v = load_f32(x, np.where(column < 0, -1 - column, column))
    left = np.where(v == v, v <= threshold, load_f32(node, 3) > F32(0))
    if sets and column < 0:
        bit = _bit(v, words)
        word = I64(load_f32(sets, I64(threshold) * words + bit // BITS))
        left = (word >> (bit % BITS)) & 1 > 0
    return np.where(left, min(1, skip), skip)


@compiled
def _coded_row(x, sets, words, columns, codes):
    """Word and bit of each number of a row as if it were a code"""
    placed = words_of(codes, 2 * columns)
    for c in range(columns):
        bit = _bit(load_f32(x, c), words)
        placed[2 * c] = I32(bit // BITS)
        placed[2 * c + 1] = I32(bit % BITS)


@inlined
def _step_known(nodes, at, x, sets, words, placed):
    """The same without a branch, with what `_coded_row` has found."""
    node = nodes + NODE * at
    column, threshold, skip = I64(load_f32(node, 0)), load_f32(node, 1), I64(load_f32(node, 2))
    own = np.where(column < 0, -1 - column, column)
    v = load_f32(x, own)
    left = np.where(v == v, v <= threshold, load_f32(node, 3) > F32(0))
    if sets:
        row = np.where(column < 0, I64(threshold), 0)
        word = I64(load_f32(sets, row * words + I64(placed[2 * own])))
        left = np.where(column < 0, (word >> I64(placed[2 * own + 1])) & 1 > 0, left)
    return np.where(left, min(1, skip), skip)


@compiled
def _down_trees(nodes, trees, x, sets, words, codes, columns, n, at, going):
    """The leaves of n trees that a row reaches; those are listed where it still goes on"""
    places, who, placed = integers(at, RUN), integers(going, RUN), words_of(codes, 2 * columns)
    for j in range(n):
        places[j], who[j] = I64(load_f32(trees, 2 * j)), j
    left = n
    while left:
        kept = 0
        for k in range(left):
            j = who[k]
            step = _step_known(nodes, places[j], x, sets, words, placed)
            places[j] += step
            who[kept] = j
            kept += min(1, step)
        left = kept
    for j in range(n):
        places[j] = I64(load_f32(nodes + NODE * places[j], 1))


@compiled
def _down_rows(nodes, root, x, columns, sets, words, depth, n, at):
    """The leaves of a tree that n rows reach"""
    places = integers(at, RUN)
    for r in range(n):
        places[r] = root
    for _ in range(depth):
        moved = 0
        for r in range(n):
            step = _step(nodes, places[r], x + 4 * r * columns, sets, words)
            places[r] += step
            moved |= step
        if moved == 0:
            break
    for r in range(n):
        places[r] = I64(load_f32(nodes + NODE * places[r], 1))


@compiled
def _cross(x, threshold, keep, left):
    """Rows with x > threshold or NaN keep these leaves alone"""
    u, bits, limit, keep = floats(x, RUN), words_of(left, RUN), threshold, I32(keep)
    for r in range(RUN):
        bits[r] &= np.where(u[r] <= limit, I32(-1), keep)


@compiled
def _cross_known(x, threshold, keep, left):
    """Rows with x > threshold keep these leaves alone"""
    u, bits, limit, keep = floats(x, RUN), words_of(left, RUN), threshold, I32(keep)
    for r in range(RUN):
        bits[r] &= np.where(u[r] > limit, keep, I32(-1))


@compiled
def _cross_others(codes, word, first, keep, left):
    """Rows whose bit is one of this word, and isn't set, keep these leaves alone"""
    q, bits, word, first, keep = words_of(codes, RUN), words_of(left, RUN), I32(word), I32(first), I32(keep)
    for r in range(RUN):
        k = q[r] - first
        inside = (k >= 0) & (k < BITS)
        unset = (word >> np.where(inside, k, I32(0))) & I32(1) == I32(0)
        bits[r] &= np.where(inside & unset, keep, I32(-1))


@compiled
def _cross_set(codes, word, keep, left):
    """Rows whose bit isn't set keep these leaves alone; all bits are of this word"""
    q, bits, word, keep = words_of(codes, RUN), words_of(left, RUN), I32(word), I32(keep)
    for r in range(RUN):
        bits[r] &= np.where((word >> q[r]) & I32(1) == I32(0), keep, I32(-1))


@compiled
def _cut(nodes, root, end, xs, codes, tops, sets, words, left, n, first, at):
    """The leaves of a small tree that RUN rows reach; `first` is the number of its first leaf"""
    bits, places = words_of(left, RUN), integers(at, RUN)
    for r in range(RUN):
        bits[r] = -1
    leaf = 0
    for node in range(nodes + NODE * root, nodes + NODE * end, NODE):
        skip = I64(load_f32(node, 2))
        if skip == 0:
            leaf += 1
            continue
        keep = ~(((1 << (skip >> 1)) - 1) << leaf)
        column, threshold = I64(load_f32(node, 0)), load_f32(node, 1)
        if column < 0:
            own, row = 4 * (-1 - column) * RUN, sets + 4 * words * I64(threshold)
            several = 1 + I64(load_f32(tops, -1 - column)) // BITS
            if several == 1:
                _cross_set(codes + own, I64(load_f32(row, 0)), keep, left)
            else:
                for w in range(several):
                    _cross_others(codes + own, I64(load_f32(row, w)), BITS * w, keep, left)
        elif load_f32(node, 3) > F32(0):
            _cross_known(xs + 4 * column * RUN, threshold, keep, left)
        else:
            _cross(xs + 4 * column * RUN, threshold, keep, left)
    for r in range(n):
        places[r] = first + _lowest(load_f32(left, r))


@compiled
def _coded(xs, codes, tops, columns, words):
    """The bits of all columns as if they were codes, and the largest of each"""
    for c in range(columns):
        u, q, top = floats(xs + 4 * c * RUN, RUN), words_of(codes + 4 * c * RUN, RUN), I32(0)
        for r in range(RUN):
            q[r] = I32(_bit(u[r], words))
            top = max(top, q[r])
        store_f32(tops, c, F32(top))


@compiled
def _add(values, at, n, width, m, sums):
    """Adds m numbers of each of n leaves to n rows of sums"""
    places, total = integers(at, RUN), doubles(sums, RUN * WIDE)
    if width == 1:
        for r in range(n):
            total[r] += np.float64(load_f32(values, places[r]))
        return
    for r in range(n):
        leaf = values + 4 * width * places[r]
        for k in range(m):
            total[r * m + k] += np.float64(load_f32(leaf, k))


@compiled
def _add_up(values, at, n, width, m, sums):
    """Adds m numbers of each of n leaves to one row of sums"""
    places, total = integers(at, RUN), doubles(sums, RUN * WIDE)
    if width == 1:
        part = 0.0
        for j in range(n):
            part += np.float64(load_f32(values, places[j]))
        total[0] += part
        return
    for j in range(n):
        leaf = values + 4 * width * places[j]
        for k in range(m):
            total[k] += np.float64(load_f32(leaf, k))


@compiled
def _give(sums, n, m, y, outputs):
    """Adds n rows of sums to y, and empties them"""
    total = doubles(sums, RUN * WIDE)
    for r in range(n):
        for k in range(m):
            store_f32(y, r * outputs + k, F32(np.float64(load_f32(y, r * outputs + k)) + total[r * m + k]))
            total[r * m + k] = 0.0


@inlined
def _same(trees, first, most):
    """How many trees from this one on have its place"""
    n = 1
    while n < most and load_f32(trees, 2 * (first + n) + 1) == load_f32(trees, 2 * first + 1):
        n += 1
    return n


@compiled
def _fall(x, nodes, trees, values, sets, codes, at, going, sums, y, columns, count, outputs, width, m, words):
    """Adds to a row of y what the leaves hold that a row of x reaches"""
    if sets:
        _coded_row(x, sets, words, columns, codes)
    tree = 0
    while tree < count:
        n = _same(trees, tree, min(RUN, count - tree))
        _down_trees(nodes, trees + 8 * tree, x, sets, words, codes, columns, n, at, going)
        _add_up(values, at, n, width, m, sums)
        _give(sums, 1, m, y + 4 * I64(load_f32(trees, 2 * tree + 1)) * width, outputs)
        tree += n


@kernel
def forest(x, nodes, trees, values, base, sets, y, columns, entries, count, outputs, width, words, depth, *, rows):
    """y = base + Σ values[leaf(tree, x)]"""
    xs, codes, tops, left, at, going, sums = _columns(), _codes(), _tops(), _left(), _at(), _going(), _sums()
    doubles(sums, RUN * WIDE)[:] = 0.0
    floats(xs, COLUMNS * RUN)[:] = F32(0)
    for r in range(rows):
        floats(y + 4 * r * outputs, outputs)[:] = floats(base, outputs)
    for row in range(0, rows, RUN):
        n = min(RUN, rows - row)
        of, to = x + 4 * row * columns, y + 4 * row * outputs
        few = n <= FEW and 2 * columns <= COLUMNS * RUN
        crossing = not few and columns <= COLUMNS
        if crossing:
            turn(of, columns, xs, RUN, n, columns)
            if sets:
                _coded(xs, codes, tops, columns, words)
        for piece in range(0, width, WIDE):
            m, part, tree = min(WIDE, width - piece), values + 4 * piece, 0
            while tree < count and not few:
                place = I64(load_f32(trees, 2 * tree + 1)) * width + piece
                root = I64(load_f32(trees, 2 * tree))
                end = I64(load_f32(trees, 2 * tree + 2)) if tree + 1 < count else entries
                if crossing and end - root < 2 * LEAVES:
                    _cut(nodes, root, end, xs, codes, tops, sets, words, left, n, (root + tree) // 2, at)
                else:
                    _down_rows(nodes, root, of, columns, sets, words, depth, n, at)
                _add(part, at, n, width, m, sums)
                tree += 1
                if tree == count or I64(load_f32(trees, 2 * tree + 1)) * width + piece != place:
                    _give(sums, n, m, to + 4 * place, outputs)
            for r in range(n if few else 0):
                _fall(of + 4 * r * columns, nodes, trees, part, sets, codes, at, going, sums,
                      to + 4 * (r * outputs + piece), columns, count, outputs, width, m, words)  # fmt: skip
