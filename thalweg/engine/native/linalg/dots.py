"""Products with few columns, emitted as vector LLVM IR: the last columns, for which a tile would leave most of a vector
empty. The vectors run along k.

    dots    C[r, j] = C₀[r, j] + Σ_k A[r·rsa + k] · B[j·ldb + k], C₀ contiguous
    short   one column of C, from rows of A that barely fill a vector

C₀ is the previous C, or a bias row, or zero (its address is 0). Addresses are in bytes, strides in floats.
"""

from itertools import product

from llvmlite import ir

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, I32, I64
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import IN_FLIGHT, Emitter

# Enough rows of dots for a vector of sums, and for enough sums in flight.
DOT_COLUMNS = {16: 7, 8: 7, 4: 3}[VW]
DOT_ROWS = (0, *(max(VW, IN_FLIGHT) // j for j in range(1, DOT_COLUMNS + 1)))
DOT_SHAPES = sorted({(r, j) for j in range(1, DOT_COLUMNS + 1) for r in (1, DOT_ROWS[j])})
SHORT = 12  # numbers in a row of A, at most, for which a dot product barely fills a vector


class DotProducts(Emitter):
    """Base of tiles of dot products: each of `rows` rows of A with each of `columns` columns of B, in vectors."""

    constants = ("rows", "columns")

    def times(self, i):
        return self.builder.mul(i, integer(VW))

    def add(self, sums, k, load):
        """sums[r, j] += A[r, k:k+VW] · B[j, k:k+VW]"""
        a = [load(self.at("a", "rsa", r, k)) for r in range(self.rows)]
        b = [load(self.at("b", "ldb", j, k)) for j in range(self.columns)]
        return self.multiply_adds(product(a, b), sums)

    def totals(self, vectors):
        """A vector whose first elements are the sums over each of `vectors`.

        Pairs of vectors are added, half of each at a time, until one is left, then its halves. `of` records which
        vector each element's partial sum belongs to.
        """
        count = 1 << (len(vectors) - 1).bit_length()
        vectors = [*vectors, *[self.zero] * (count - len(vectors))]
        of, size = [[n] * VW for n in range(count)], VW
        while len(vectors) > 1:
            size //= 2
            span = VW if size >= 4 else 4  # shuffles within 128 bits are cheaper than across them
            halves = [i for i in range(span) if i // size % 2 == 0]
            first = [n + i for at in range(0, VW, span) for n in (at, at + VW) for i in halves]
            second = [i + size for i in first]
            pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
            vectors = [self.builder.fadd(self.shuffle(x, y, first), self.shuffle(x, y, second)) for x, y in pairs]
            of = [[(x + y)[i] for i in first] for x, y in zip(of[::2], of[1::2], strict=True)]
        (of,), vector = of, self.summed(vectors[0], size)
        return self.shuffle(vector, vector, [of.index(i % count) for i in range(VW)])


class _Dots(DotProducts):
    """Dot products of each of `rows` rows of A with each of `columns` columns of B, both contiguous along k, for tiles
    of consecutive rows. If C's rows are contiguous, all numbers of a tile are written at once."""

    arguments = ("a", "rsa", "b", "ldb", "c", "ldc", "start", "step", "depth", "tiles", "relu", "gate")

    def emit(self):
        """C = C₀ + A·B for each of `tiles` tiles; the next tile's C₀ is `step` floats further on."""
        self.repeat(self.given["tiles"], [self.given[name] for name in ("a", "c", "start")], self.tile)

    def tile(self, i, places):
        """One tile. The last vector along k, which may be only partly filled, is handled after the loop."""
        builder, given = self.builder, self.given
        given["a"], given["c"], given["start"] = places
        whole = builder.sdiv(builder.sub(given["depth"], integer(1)), integer(VW))
        done = builder.mul(whole, integer(VW))
        cells = [(r, j) for r in range(self.rows) for j in range(self.columns)]
        sums = self.repeat(whole, [self.zero] * len(cells), lambda i, sums: self.add(sums, self.times(i), self.load))
        self.keep(builder.sub(given["depth"], done))
        sums = self.add(sums, done, self.load_some)
        given["G"] = builder.add(given["c"], given["gate"])
        joined = builder.icmp_signed("==", given["ldc"], integer(self.columns))
        for first in range(0, len(cells), VW):
            part = cells[first : first + VW]
            self.keep(integer(len(part)))
            total = self.totals(sums[first : first + VW])
            (total,) = self.plus_start([total], lambda k: self.load_some(self.at("start", "step", 0, k)), [(first,)])
            (total,) = self.if_given("relu", [total], lambda value, _: self.at_least_zero(value), [()])
            with builder.if_else(joined) as (then, otherwise):
                with then:
                    p = self.at("c", "ldc", 0, first)
                    (value,) = self.if_given("gate", [total], self.gated_at, [self.at("G", "ldc", 0, first)])
                    self.store_some(value, p)
                with otherwise:
                    (value,) = self.if_given("gate", [total], self.gated_apart, [part])
                    self.store_apart(value, part)
        steps = (builder.mul(given[step], integer(self.rows)) for step in ("rsa", "ldc"))
        return self.moved(places, (*steps, given["step"]))

    def gated_at(self, value, p):
        return self.gated(value, self.load_some(p))

    def gated_apart(self, value, cells):
        gates = self.zero
        for i, cell in enumerate(cells):
            gate = self.load_scalar(self.at("G", "ldc", *cell))
            gates = self.builder.insert_element(gates, gate, ir.Constant(I32, i))
        return self.gated(value, gates)

    def store_apart(self, value, cells):
        for i, cell in enumerate(cells):
            number = self.builder.extract_element(value, ir.Constant(I32, i))
            self.builder.store(number, self.at("c", "ldc", *cell)).align = 4


class _Short(Emitter):
    """One column of C from rows of A with only `depth` numbers: number by number, with B's column in registers."""

    arguments = ("a", "rsa", "b", "ldb", "c", "ldc", "start", "lds", "rows")
    constants = ("depth",)

    def emit(self):
        """C[i, 0] = C₀[i, 0] + Σ_k A[i, k]·B[k, 0]. If C₀ has no address, it is read from a stored zero."""
        builder, given = self.builder, self.given
        nothing = builder.alloca(F32)
        builder.store(ir.Constant(F32, 0.0), nothing)
        absent = builder.icmp_signed("==", given["start"], integer(0))
        given["start"] = builder.select(absent, builder.ptrtoint(nothing, I64), given["start"])
        given["lds"] = builder.select(absent, integer(0), given["lds"])
        column = [self.load_scalar(self.at("b", "ldb", k, 0)) for k in range(self.depth)]

        def row(i, carried):
            total = self.load_scalar(self.at("start", "lds", i, 0))
            for k, b in enumerate(column):
                total = self.multiply_add(self.load_scalar(self.at("a", "rsa", i, k)), b, total)
            builder.store(total, self.at("c", "ldc", i, 0)).align = 4
            return carried

        self.repeat(given["rows"], [], row)


DOTS = Family("DOTS", _Dots, {16 * r + j: (r, j) for r, j in DOT_SHAPES})
SHORT_DOTS = Family("SHORT_DOTS", _Short, {k: (k,) for k in range(1, SHORT + 1)})

dots = DOTS.function(rows=16, columns=1)
"""Computes the dot products of DOT_ROWS[columns] rows, or of 1, with 1 … DOT_COLUMNS columns; depth >= 1.

start, step: the address of C₀, and the distance to the next tile's C₀ in floats. relu, gate: as for `tile`.
"""
short = SHORT_DOTS.function(depth=1)
"""Computes one column of C, from rows of A with 1 … SHORT numbers."""
