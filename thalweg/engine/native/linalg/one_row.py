"""A row times a matrix, c[j] = c₀[j] + Σ_k a[k·step]·B[k·ldb + j]: the work of predicting one row.

A tile does the same, but here there is so little work that passing a tile's nineteen arguments takes a third of it.
"""

from functools import reduce

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.language.callables import emitted
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import IN_FLIGHT, WIDEST, Emitter

MOST = WIDEST[1]  # vectors of c
# Reading whole vectors of short rows of B would mostly touch two cache lines, so there are narrower vectors, too.
NARROW = [width for width in (4, 8) if width < VW]


class _Row(Emitter):
    """`vectors` vectors of c, the last of which may be masked, as sums of several parts of the depth."""

    arguments = ("a", "step", "b", "ldb", "c", "start", "relu", "last", "depth")
    constants = ("vectors", "width", "masked")

    def emit(self):
        builder, given = self.builder, self.given
        if self.masked:
            self.keep(given["last"])
        self.columns = [v * self.width for v in range(self.vectors)]
        chains = max(1, IN_FLIGHT // self.vectors)
        parts = self.in_chains(given["depth"], chains, [self.zero] * (self.vectors * chains), self.add)
        sums = [reduce(builder.fadd, parts[v :: self.vectors]) for v in range(self.vectors)]
        columns = [(j,) for j in self.columns]
        sums = self.plus_start(sums, lambda j: self.load_column(self.place("start"), j), columns)
        sums = self.if_given("relu", sums, lambda value, column: self.at_least_zero(value), columns)
        for j, value in zip(self.columns, sums, strict=True):
            (self.store_some if self.is_last(j) else self.store)(value, self.place("c", integer(j)))

    def is_last(self, j):
        return self.masked and j == self.columns[-1]

    def load_column(self, row, j):
        return (self.load_some if self.is_last(j) else self.load)(self.builder.gep(row, [integer(j)]))

    def add(self, k, sums):
        """sums += a[k·step]·B[k, :]"""
        builder, given = self.builder, self.given
        a = self.splat(self.load_scalar(self.at("a", "step", k, 0)))
        row = self.place("b", builder.mul(k, given["ldb"]))
        columns = zip(self.columns, sums, strict=True)
        return [self.multiply_add(a, self.load_column(row, j), total) for j, total in columns]


ROW_PRODUCTS = Family(
    "ROW_PRODUCTS",
    _Row,
    {v: (v, VW, VW == 16) for v in range(1, MOST + 1)}
    | {MOST + v: (v, VW, True) for v in range(1, MOST + 1) if VW < 16}
    | {-width: (1, width, True) for width in NARROW},
)


@emitted()
def row(builder, columns, a, step, b, ldb, c, start, relu, depth):
    """Computes 1 … MOST·VW columns of c. start: the address of c₀, or 0; relu: if not 0, c becomes max(c, 0)."""
    size = integer(VW)
    before = builder.sub(columns, integer(1))
    vectors = builder.add(builder.sdiv(before, size), integer(1))
    last = builder.add(builder.srem(before, size), integer(1))
    key = vectors
    if VW < 16:
        partly = builder.icmp_signed("<", last, size)
        key = builder.select(partly, builder.add(vectors, integer(MOST)), vectors)
    for width in reversed(NARROW):
        key = builder.select(builder.icmp_signed("<=", columns, integer(width)), integer(-width), key)
    ROW_PRODUCTS.call(builder, key, [a, step, b, ldb, c, start, relu, last, depth])
