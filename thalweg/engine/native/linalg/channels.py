"""The loops of batch normalisation, emitted as vector LLVM IR, because the compiler would have to prove that the arrays
don't overlap, and so that the constants and sums of a few channels stay in registers over all rows.

A matrix has `rows` of `width` numbers, each row `stride` floats after the one before. `copies` rows are taken as one,
so that few channels fill whole vectors too: each channel's constants and sums are repeated `copies` times.

    moments     one += x − m                 other += (x − m)²
    products    one += v                     other += v·(x − m),     v = da, or (da + more)·[a > 0], which is kept
    scale       a = (x − m)·k + b, plus a shortcut, then max(a, 0)
    unscale     dx = k·(da − b − (x − m)·p)
"""

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import Emitter

MATRIX = ("rows", "width", "stride", "copies")
GROUP = 4  # vectors at a time, so that enough sums are in flight


class _Channels(Emitter):
    """Processes all rows of a group of column vectors, then those of the next. The last vector may be masked."""

    constants = ("key",)
    fixed: tuple[str, ...]  # of each column
    sums: tuple[str, ...] = ()  # of each column, added to the previous values

    def emit(self):
        builder, given = self.builder, self.given
        whole, rest = (op(given["rows"], given["copies"]) for op in (builder.sdiv, builder.srem))
        step = builder.mul(given["copies"], given["stride"])

        def part(i, carried):
            """The full rows of `copies`; then the remaining rows, which fill part of one."""
            last = builder.icmp_signed(">", i, integer(0))
            columns = builder.mul(builder.select(last, rest, given["copies"]), given["width"])
            begin = builder.mul(builder.mul(i, whole), step)
            self.columns(begin, builder.select(last, integer(1), whole), columns, step)
            return carried

        self.repeat(integer(2), [], part)

    def columns(self, begin, rows, columns, step):
        builder = self.builder
        vectors, _, rest = self.divided(columns, VW)
        groups, after, single = self.divided(vectors, GROUP)

        def down(first, count, load=self.load, store=self.store):
            column = builder.mul(first, integer(VW))
            self.down([builder.add(column, integer(v * VW)) for v in range(count)], begin, rows, step, load, store)
            return []

        self.repeat(groups, [], lambda g, _: down(builder.mul(g, integer(GROUP)), GROUP))
        self.repeat(single, [], lambda i, _: down(builder.add(after, i), 1))
        with builder.if_then(builder.icmp_signed(">", rest, integer(0))):
            self.keep(rest)
            down(vectors, 1, self.load_some, self.store_some)

    def down(self, columns, begin, rows, step, load, store):
        """All rows of the vectors that begin at these columns."""
        builder, size = self.builder, len(self.sums)
        fixed = [[load(self.place(name, k)) for name in self.fixed] for k in columns]
        places = [self.place(name, k) for k in columns for name in self.sums]

        def row(r, sums):
            at = builder.add(begin, builder.mul(r, step))
            parts = [sums[v * size : (v + 1) * size] for v in range(len(columns))]
            cells = zip(columns, fixed, parts, strict=True)
            return [s for k, c, p in cells for s in self.cell(builder.add(at, k), c, p, load, store)]

        for total, place in zip(self.repeat(rows, [load(p) for p in places], row), places, strict=True):
            store(total, place)

    def cell(self, at, fixed, sums, load, store):
        """Emits the work on the numbers at offset `at`, in floats; returns the new sums."""
        raise NotImplementedError

    def minus(self, x, y):
        """x − y, evaluated here: operations without flags of their own may be reordered."""
        return self.builder.fsub(x, y, flags=("contract",))


class _Moments(_Channels):
    arguments = ("x", "centre", "one", "other", *MATRIX)
    fixed, sums = ("centre",), ("one", "other")

    def cell(self, at, fixed, sums, load, store):
        e = self.minus(load(self.place("x", at)), fixed[0])
        return [self.builder.fadd(sums[0], e), self.multiply_add(e, e, sums[1])]


class _Products(_Channels):
    arguments = ("x", "da", "more", "a", "kept", "centre", "one", "other", *MATRIX)
    fixed, sums = ("centre",), ("one", "other")

    def cell(self, at, fixed, sums, load, store):
        builder = self.builder
        v = load(self.place("da", at))
        if self.key == 2:
            v = builder.fadd(v, load(self.place("more", at)))
        if self.key:
            above = builder.fcmp_ordered(">", load(self.place("a", at)), self.zero)
            v = builder.fmul(v, builder.select(above, self.constant(1.0), self.zero))  # NaN stays NaN
            store(v, self.place("kept", at))
        e = self.minus(load(self.place("x", at)), fixed[0])
        return [builder.fadd(sums[0], v), self.multiply_add(v, e, sums[1])]


class _Scale(_Channels):
    arguments = ("x", "shortcut", "a", "centre", "scale", "shift", *MATRIX)
    fixed = ("centre", "scale", "shift")

    def cell(self, at, fixed, sums, load, store):
        builder, (m, k, b) = self.builder, fixed
        v = self.multiply_add(self.minus(load(self.place("x", at)), m), k, b)
        if self.key & 2:
            v = builder.fadd(v, load(self.place("shortcut", at)))
        if self.key & 1:
            v = self.at_least_zero(v)
        store(v, self.place("a", at))
        return []


class _Unscale(_Channels):
    arguments = ("x", "da", "dx", "centre", "scale", "shift", "slope", *MATRIX)
    fixed = ("centre", "scale", "shift", "slope")

    def cell(self, at, fixed, sums, load, store):
        m, k, b, p = fixed
        e = self.builder.fmul(self.minus(load(self.place("x", at)), m), p, flags=("contract",))
        v = self.minus(self.minus(load(self.place("da", at)), b), e)
        store(self.builder.fmul(v, k), self.place("dx", at))
        return []


MOMENTS = Family("MOMENTS", _Moments, {0: (0,)})
PRODUCTS = Family("PRODUCTS", _Products, {key: (key,) for key in range(3)})
SCALE = Family("SCALE", _Scale, {key: (key,) for key in range(4)})
UNSCALE = Family("UNSCALE", _Unscale, {0: (0,)})

moments, unscale = MOMENTS.function(), UNSCALE.function()
products = PRODUCTS.function(key=1)
"""key 0: v = da; 1: v = da·[a > 0], 2: v = (da + more)·[a > 0], which are kept"""
scale = SCALE.function(key=1)
"""key & 2: plus the shortcut; key & 1: then max(a, 0)"""
