"""Copies and transposes of a few rows, emitted as vector LLVM IR like the micro-kernels that read them."""

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import I64, load_f32, store_f32
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import WIDEST, Emitter

ALONE = 3  # columns or rows of a square, at most, for which copying number by number is faster


class _Copy(Emitter):
    """Copies rows of `vectors` vectors, the last of which may be masked."""

    arguments = ("a", "lda", "b", "ldb", "rows", "last")
    constants = ("vectors", "masked")

    def emit(self):
        """B[i, j] = A[i, j], and zeros in the rest of B's last vector"""
        if self.masked:
            self.keep(self.given["last"])
        self.repeat(self.given["rows"], [], self.row)

    def row(self, i, carried):
        for v in range(self.vectors):
            load = self.load_some if self.masked and v == self.vectors - 1 else self.load
            self.store(load(self.at("a", "lda", i, v * VW)), self.at("b", "ldb", i, v * VW))
        return carried


class _Transposition(Emitter):
    """Transposes a square of VW x VW floats in registers, or if `partly` its first `rows` and `columns`.

    Stage w = 1, 2, 4 … swaps the off-diagonal squares of w x w floats in every square of 2w x 2w.
    """

    arguments = ("a", "lda", "b", "ldb", "rows", "columns")
    constants = ("partly",)

    def emit(self):
        """B[j, i] = A[i, j]. Rows beyond the last read and write the last row too; the right value is written last."""
        if self.partly:
            self.keep(self.given["columns"])
        rows = [self.at("a", "lda", self.within(i, "rows"), 0) for i in range(VW)]
        rows = [self.load_some(p) if self.partly else self.load(p) for p in rows]
        for w in (1 << i for i in range(VW.bit_length() - 1)):
            upper = [i if i & w == 0 else i - w + VW for i in range(VW)]
            for i in (i for i in range(VW) if i & w == 0):
                x, y = rows[i], rows[i + w]
                rows[i] = self.shuffle(x, y, upper)
                rows[i + w] = self.shuffle(x, y, [lane + w for lane in upper])
        if self.partly:
            self.keep(self.given["rows"])
        for j in reversed(range(VW)):
            store = self.store_some if self.partly else self.store
            store(rows[j], self.at("b", "ldb", self.within(j, "columns"), 0))

    def within(self, i, count):
        if not self.partly:
            return i
        last = self.builder.sub(self.given[count], integer(1))
        return self.builder.select(self.builder.icmp_signed("<", integer(i), last), integer(i), last)


def _masked(builder, given):
    return builder.zext(builder.icmp_signed("<", given["last"], integer(VW)), I64)


def _partly(builder, given):
    full = builder.icmp_signed("==", builder.add(given["rows"], given["columns"]), integer(2 * VW))
    return builder.select(full, integer(0), integer(1))


COPIES = Family("COPIES", _Copy, {2 * v + masked: (v, masked) for v in range(1, max(WIDEST) + 1) for masked in (0, 1)})
TRANSPOSITIONS = Family("TRANSPOSITIONS", _Transposition, {partly: (partly,) for partly in (0, 1)})

copy = COPIES.function(_masked, vectors=2)
"""B[i, j] = A[i, j] for rows of 1 … WIDEST[ROWS] vectors, the last of which holds `last` columns, then zeros."""
transposition = TRANSPOSITIONS.function(_partly)
"""B[j, i] = A[i, j] for i < rows, j < columns, both at most VW."""


@inlined
def _spread(a, step, b, stride, n):
    """b[i·stride] = a[i·step]"""
    for i in range(n):
        store_f32(b, i * stride, load_f32(a, i * step))


@compiled
def turn(a, lda, b, ldb, rows, columns):
    """B[j, i] = A[i, j], square by square; the last columns and rows number by number, if they are few."""
    n = columns - columns % VW if columns % VW <= ALONE else columns
    m = rows - rows % VW if rows % VW <= ALONE else rows
    for j in range(n, columns):
        _spread(a + 4 * j, lda, b + 4 * j * ldb, 1, rows)
    for i in range(m, rows):
        _spread(a + 4 * i * lda, 1, b + 4 * i, ldb, n)
    for j in range(0, n, VW):
        for i in range(0, m, VW):
            at, to = a + 4 * (i * lda + j), b + 4 * (j * ldb + i)
            transposition(at, lda, to, ldb, min(VW, m - i), min(VW, n - j))
