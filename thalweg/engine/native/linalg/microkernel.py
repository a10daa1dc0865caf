"""The micro-kernel, emitted as vector LLVM IR: the auto-vectoriser would neither keep its sums in registers nor mask
the last vector.

    C[r, j] = C₀[r, j] + Σ_n Σ_g Σ_k A[n·na + g·ga + r·rsa + k·csa] · B[n·nb + g·gb + k·ldb + j]

Its vectors run along j. C₀ is the previous C, or a bias row (row stride 0), or zero (address 0). Addresses are in
bytes, strides in floats. A tile may end with max(C, 0), if `relu` isn't 0, or with C·[G > 0], if `gate` isn't 0: G is
laid out like C, `gate` bytes after it.

It does nearly all the work. It only broadcasts A, one scalar at a time, so A may have any strides: a transpose costs
nothing, and neither do the overlapping rows of a convolution. B, C and C₀ are accessed along contiguous rows.
"""

from copy import copy
from functools import reduce

from llvmlite import ir

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, I32, I64, architecture, fetch, invoke, pointer, take
from thalweg.engine.native.linalg.families import Family, integer

# The widest tile for every number of rows. Its sums, a row of B and a scalar of A have to fit into the registers: 32
# with AVX-512 and on ARM, otherwise 16. At least 8 sums in flight hide the latency of a multiply-add, so tiles with few
# rows take more vectors, and a small tile sums several parts of its depth side by side. A tile for every number of rows
# and vectors lets a driver split M and N evenly, without small remainders.
MANY_REGISTERS = VW == 16 or architecture() in ("aarch64", "arm64")
WIDEST = (0, 8, 4, 4, 4, 4, 4, 3, 3) if MANY_REGISTERS else (0, 8, 4, 3, 3, 2, 2)
ROWS = len(WIDEST) - 1
IN_FLIGHT, MOST_CHAINS = 8, 4
HALF = VW // 2 if VW == 16 else 0  # a tile's last vector is half as wide if it holds at most this many columns
SHAPES = [(r, v) for r in range(1, ROWS + 1) for v in range(1, WIDEST[r] + 1)]

TILE_ARGUMENTS = (
    "a", "rsa", "csa", "b", "ldb", "c", "ldc", "start", "lds", "depth", "last", "tiles", "step", "relu", "gate",
)  # fmt: skip
GROUPS = ("ga", "na", "gb", "nb", "outer", "groups")
AHEAD = ("na", "nb", "outer", "ahead", "own")


class Emitter:
    """Base of the emitters of micro-kernels: loops, addresses, and vectors whose tail may be masked.

    Attributes:
        arguments: the names of what a micro-kernel is given.
        constants: the names of what it is made for, which become attributes.
        width: floats in a vector.
    """

    arguments: tuple[str, ...]
    constants: tuple[str, ...] = ()
    width = VW

    def __init__(self, function, *constants):
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.given = dict(zip(self.arguments, function.args[1:], strict=True))  # after the key
        vars(self).update(zip(self.constants, constants, strict=True))

    @property
    def vector(self):
        return ir.VectorType(F32, self.width)

    @property
    def zero(self):
        return self.constant(0.0)

    def of_width(self, width):
        """The same emitter for vectors of another width."""
        result = copy(self)
        result.width = width
        return result

    def repeat(self, count, carried, body):
        """for i in range(count): carried = body(i, carried)"""
        builder, before = self.builder, self.builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed(">", count, integer(0)), loop, after)
        builder.position_at_end(loop)
        i = self.phi((integer(0), before))
        old = [self.phi((value, before)) for value in carried]
        new = body(i, old)
        following, end = builder.add(i, integer(1)), builder.block
        for phi, value in zip([i, *old], [following, *new], strict=True):
            phi.add_incoming(value, end)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        return [self.phi((value, before), (latest, end)) for value, latest in zip(carried, new, strict=True)]

    def divided(self, count, size):
        """How many whole groups of `size` there are in a count, how many that makes, and the rest."""
        whole = self.builder.sdiv(count, integer(size))
        done = self.builder.mul(whole, integer(size))
        return whole, done, self.builder.sub(count, done)

    def in_chains(self, count, chains, sums, add):
        """sums = add(k, sums) for every k; there are several chains of sums, which take turns at k, and the first takes
        the remainder."""
        if chains == 1:
            return self.repeat(count, sums, add)
        builder, size = self.builder, len(sums) // chains
        whole, done, rest = self.divided(count, chains)

        def turn(k, sums):
            first = builder.mul(k, integer(chains))
            parts = [add(builder.add(first, integer(c)), sums[c * size : (c + 1) * size]) for c in range(chains)]
            return [value for part in parts for value in part]

        sums = self.repeat(whole, sums, turn)
        first = self.repeat(rest, sums[:size], lambda k, sums: add(builder.add(done, k), sums))
        return [*first, *sums[size:]]

    def plus_start(self, sums, load, cells):
        """sums + C₀, loaded cell by cell, if C₀ has an address.

        Added last, so that each call sums from zero: the rounding errors of long sums grow only with their parts.
        """
        return self.if_given("start", sums, lambda value, cell: self.builder.fadd(value, load(*cell)), cells)

    def if_given(self, name, sums, change, cells):
        """change(sum, cell) for every sum, if the argument `name` isn't 0."""
        builder, before = self.builder, self.builder.block
        then, after = builder.append_basic_block(name), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("==", self.given[name], integer(0)), after, then)
        builder.position_at_end(then)
        changed = [change(value, cell) for value, cell in zip(sums, cells, strict=True)]
        builder.branch(after)
        builder.position_at_end(after)
        return [self.phi((value, before), (new, then)) for value, new in zip(sums, changed, strict=True)]

    def at_least_zero(self, value):
        """max(value, 0); NaN stays NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", value, self.zero), self.zero, value)

    def gated(self, value, gate):
        """value·[gate > 0], a product, so that NaN stays NaN."""
        passes = self.builder.select(self.builder.fcmp_ordered(">", gate, self.zero), self.constant(1.0), self.zero)
        return self.builder.fmul(value, passes)

    def phi(self, *incoming):
        phi = self.builder.phi(incoming[0][0].type)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def place(self, array, *steps):
        """A pointer into an array, some steps of floats from its beginning."""
        p = pointer(self.builder, self.given[array], F32)
        for step in steps:
            p = self.builder.gep(p, [step])
        return p

    def at(self, matrix, stride, row, column):
        """A pointer to an element of a matrix; row and column are numbers, or values of the emitted code."""
        row, column = (integer(n) if isinstance(n, int) else n for n in (row, column))
        return self.place(matrix, self.builder.mul(row, self.given[stride]), column)

    def moved(self, places, steps):
        """Addresses, some floats further."""
        builder = self.builder
        return [builder.add(p, builder.mul(step, integer(4))) for p, step in zip(places, steps, strict=True)]

    def constant(self, number):
        """A vector of one number."""
        return ir.Constant(self.vector, [number] * self.width)

    def multiply_add(self, x, y, total):
        """total + x·y, contracted to one instruction."""
        return self.builder.fadd(self.builder.fmul(x, y, flags=("contract",)), total, flags=("contract",))

    def multiply_adds(self, pairs, totals):
        """total + x·y for pairs of vectors x and y, each with its total."""
        return [self.multiply_add(x, y, total) for (x, y), total in zip(pairs, totals, strict=True)]

    def splat(self, scalar):
        """A vector whose every element is the scalar."""
        undefined = ir.Constant(ir.VectorType(scalar.type, self.width), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.shuffle(first, undefined, [0] * self.width)

    def total(self, vector):
        """The sum of a vector's elements."""
        return self.builder.extract_element(self.summed(vector, self.width), ir.Constant(I32, 0))

    def summed(self, vector, size):
        """The sums of each `size` elements of a vector, in all of these elements."""
        while size > 1:
            size //= 2
            vector = self.builder.fadd(vector, self.shuffle(vector, vector, [i ^ size for i in range(self.width)]))
        return vector

    def shuffle(self, x, y, lanes):
        """Picks elements of x (0 … width−1) and y (from width on)."""
        return self.builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, self.width), lanes))

    def keep(self, count):
        """Makes load_some and store_some access the first `count` elements of a vector: 1 … width."""
        builder = self.builder
        lanes = ir.Constant(ir.VectorType(I32, self.width), list(range(self.width)))
        self.mask = builder.icmp_signed("<", lanes, self.splat(builder.trunc(count, I32)))
        self.count = count

    def load(self, p):
        return self.load_scalar(self.builder.bitcast(p, self.vector.as_pointer()))

    def load_scalar(self, p):
        value = self.builder.load(p)
        value.align = 4
        return value

    def load_some(self, p):
        """The first elements at p, then zeros."""
        if VW >= 8:
            return self._masked_call("load", self.vector, [p], [self.zero])
        value = self.zero  # no masked loads before AVX: element by element; for the others, the first is read
        for lane in range(self.width):
            exists = self.builder.icmp_signed("<", integer(lane), self.count)
            item = self.load_scalar(self.builder.gep(p, [self.builder.select(exists, integer(lane), integer(0))]))
            item = self.builder.select(exists, item, ir.Constant(F32, 0.0))
            value = self.builder.insert_element(value, item, ir.Constant(I32, lane))
        return value

    def store(self, value, p):
        self.builder.store(value, self.builder.bitcast(p, self.vector.as_pointer())).align = 4

    def store_some(self, value, p):
        self._masked_call("store", ir.VoidType(), [value, p], [])

    def _masked_call(self, name, result, before, after):
        pointed = self.builder.bitcast(before[-1], self.vector.as_pointer())
        arguments = [*before[:-1], pointed, ir.Constant(I32, 4), self.mask, *after]
        return invoke(self.builder, f"llvm.masked.{name}.v{self.width}f32.p0", result, *arguments)


class Tile(Emitter):
    """Base of register tiles of rows × vectors, one below the other, that accumulate outer products.

    If `masked`, the last vector holds only `last` columns. AVX-512 masks at no cost, so there every tile is masked. A
    `narrow` last vector is half as wide; some processors multiply two of these in the time of one. A tile that
    `looks_ahead` prefetches what is needed next, and has no sum over g: prefetching would make the short sums of a
    convolution a tenth slower.
    """

    constants = ("rows", "vectors", "masked", "narrow")
    looks_ahead: bool

    def __init__(self, function, rows, vectors, masked, narrow):
        super().__init__(function, rows, vectors, masked, narrow)
        self.words = [self] * (vectors - 1) + [self.of_width(VW // 2) if narrow else self]
        self.cells = [(r, v) for r in range(rows) for v in range(vectors)]
        self.chains = min(MOST_CHAINS, -(-IN_FLIGHT // len(self.cells)))

    def emit(self):
        """C = C₀ + Σ_n Σ_g Σ_k A·B for each of `tiles` tiles; the next tile's rows of A are `step` floats further."""
        if self.masked:
            self.words[-1].keep(self.given["last"])
        self.repeat(self.given["tiles"], [self.given[name] for name in ("a", "c", "start")], self.tile)

    def tile(self, i, places):
        builder, given, cells = self.builder, self.given, self.cells
        given["a"], given["c"], given["start"] = places
        if self.looks_ahead:
            which = builder.srem(i, integer(self.vectors))  # each tile prefetches another vector of the next rows of B
            self.ahead = builder.add(given["ahead"], builder.mul(which, integer(VW)))
            self.each_own(fetch.emit)
        zeros = [self.words[v].zero for _, v in cells] * self.chains
        sums = self.repeat(given["outer"], zeros, self.image)
        sums = [reduce(builder.fadd, sums[cell :: len(cells)]) for cell in range(len(cells))]
        sums = self.plus_start(sums, lambda r, v: self.load_vector(self.at("start", "lds", r, v * VW), v), cells)
        sums = self.if_given("relu", sums, lambda value, cell: self.words[cell[1]].at_least_zero(value), cells)
        given["G"] = builder.add(given["c"], given["gate"])
        sums = self.if_given("gate", sums, self.gated_cell, cells)
        if self.masked and VW < 16:
            self.store_joined(sums)
        else:
            self.store_cells(sums, joined=False)
        if self.looks_ahead:
            self.each_own(take.emit)
        steps = (given["step"], *(builder.mul(given[name], integer(self.rows)) for name in ("ldc", "lds")))
        return self.moved(places, steps)

    def gated_cell(self, value, cell):
        r, v = cell
        return self.words[v].gated(value, self.load_vector(self.at("G", "ldc", r, v * VW), v))

    def store_joined(self, sums):
        """A masked store takes many cycles before AVX-512. If C's rows are contiguous, a whole vector is written
        instead: what it overwrites is the beginning of the next row, which is written next."""
        builder, ldc, last = self.builder, self.given["ldc"], self.given["last"]
        joined = builder.icmp_signed("==", ldc, builder.add(last, integer((self.vectors - 1) * VW)))
        only_next = builder.icmp_signed(">=", builder.add(ldc, last), integer(VW))
        with builder.if_else(builder.and_(joined, only_next)) as (then, otherwise):
            with then:
                self.store_cells(sums, joined=True)
            with otherwise:
                self.store_cells(sums, joined=False)

    def store_cells(self, sums, joined):
        for (r, v), value in zip(self.cells, sums, strict=True):
            whole = not self.masked or v < self.vectors - 1 or (joined and r < self.rows - 1)
            words = self.words[v]
            (words.store if whole else words.store_some)(value, self.at("c", "ldc", r, v * VW))

    def each_own(self, act):
        """Emits `act` on the address `own` bytes after each vector of C, if `own` isn't 0."""
        builder, own = self.builder, self.given["own"]
        with builder.if_then(builder.icmp_signed("!=", own, integer(0))):
            for r, v in self.cells:
                act(builder, builder.add(builder.ptrtoint(self.at("c", "ldc", r, v * VW), I64), own))

    def image(self, n, sums):
        """sums += Σ_g Σ_k A[n, g, :, k] · B[n, g, k, :]"""
        a, b = self.at("a", "na", n, 0), self.at("b", "nb", n, 0)
        if self.looks_ahead:
            return self.products(a, b, sums)
        return self.repeat(self.given["groups"], sums, lambda g, sums: self.group(a, b, g, sums))

    def group(self, a, b, g, sums):
        a = self.builder.gep(a, [self.builder.mul(g, self.given["ga"])])
        b = self.builder.gep(b, [self.builder.mul(g, self.given["gb"])])
        return self.products(a, b, sums)

    def products(self, a, b, sums):
        """sums += Σ_k A[:, k] · B[k, :]"""
        return self.in_chains(self.given["depth"], self.chains, sums, lambda k, sums: self.outer_product(a, b, k, sums))

    def outer_product(self, a, b, k, sums):
        """sums[r, v] += A[r, k] · B[k, v]"""
        builder, given = self.builder, self.given
        a = builder.gep(a, [builder.mul(k, given["csa"])])
        b = builder.gep(b, [builder.mul(k, given["ldb"])])
        if self.looks_ahead:
            fetch.emit(builder, builder.ptrtoint(builder.gep(b, [self.ahead]), I64))
        row = [self.load_vector(builder.gep(b, [integer(v * VW)]), v) for v in range(self.vectors)]
        column = [builder.gep(a, [builder.mul(given["rsa"], integer(r))]) for r in range(self.rows)]
        column = [self.load_scalar(p) for p in column]
        kinds = list(dict.fromkeys(self.words))
        column = [{words: words.splat(x) for words in kinds} for x in column]
        pairs = [(x[words], y) for x in column for words, y in zip(self.words, row, strict=True)]
        return self.multiply_adds(pairs, sums)

    def load_vector(self, p, v):
        words = self.words[v]
        return words.load_some(p) if self.masked and v == self.vectors - 1 else words.load(p)


class _OfGroups(Tile):
    arguments = TILE_ARGUMENTS + GROUPS
    looks_ahead = False


class _Ahead(Tile):
    arguments = TILE_ARGUMENTS + AHEAD
    looks_ahead = True


def _tiles(name, kind):
    ends = ((True, False), (True, True)) if HALF else ((False, False), (True, False))  # (masked, narrow)
    kernels = {
        72 * number + 8 * r + v: (r, v, *end)  # close together
        for r, v in SHAPES
        for number, end in enumerate(ends)
    }
    return Family(name, kind, kernels, finished=True)


def _end(builder, given):
    """Whether a tile's last vector is narrow, or masked."""
    short = builder.icmp_signed("<=", given["last"], integer(HALF or VW - 1))
    return builder.mul(builder.zext(short, I64), integer(72))


TILES, TILES_AHEAD = _tiles("TILES", _OfGroups), _tiles("TILES_AHEAD", _Ahead)

tile = TILES.function(_end, rows=8, vectors=1)
"""Computes `tiles` tiles, one below the other, whose last vector holds `last` columns: 1 … VW.

(rows, vectors) is one of SHAPES. start, lds: the address of C₀ and its row stride, both 0 if there is none.
step: floats from a tile's rows of A to the next tile's. relu, gate: 0, or how the tiles end (see above).
"""
tile_ahead = TILES_AHEAD.function(_end, rows=8, vectors=1)
"""The same, with prefetching of the memory that is needed next.

ahead: floats from a row of B to one that a later call reads and that is prefetched, or 0. own: bytes from C to numbers
that this core is about to change, and whose cache lines it takes from others that may hold them; or 0.
"""
