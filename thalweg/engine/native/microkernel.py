"""The one micro-kernel: a register tile of C accumulates over a batch of strided outer products.

    C[r, j] = C₀[r, j] + Σ_g Σ_k A[g·ga + r·rsa + k·csa] · B[g·gb + k·ldb + j]        r < rows, j < columns

A is only broadcast, one scalar at a time, so its strides are free: a transpose costs nothing, and neither do the
overlapping rows of a convolution. B, C and C₀ are read and written along contiguous rows. C₀ is what was in C, a bias
row (its stride 0), or zero (its address 0).

A tile of R rows and V vectors keeps R·V sums in registers. Its code is emitted as vector LLVM IR rather than left to
the auto-vectoriser, which would neither keep the sums in registers nor mask the last vector.
"""

import llvmlite.binding as binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .llvm import F32, I32, I64, VW, declare, pointer

ARGUMENTS = ("a", "rsa", "csa", "ga", "b", "ldb", "gb", "c", "ldc", "start", "lds", "groups", "depth", "last")


class _Tile:
    """Emits the function of one tile: `rows` rows of `vectors` vectors, of which the last may be partly filled.

    The last vector holds the `last` first columns of VW. AVX-512 masks it at no cost, so there every tile is masked.
    """

    def __init__(self, function, rows: int, vectors: int, masked: bool):
        self.rows, self.vectors, self.masked = rows, vectors, masked
        self.vector = ir.VectorType(F32, VW)
        self.zero = ir.Constant(self.vector, [0.0] * VW)
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.given = dict(zip(ARGUMENTS, function.args, strict=True))

    def emit(self):
        """C = C₀ + Σ_g Σ_k A·B"""
        builder, given = self.builder, self.given
        if self.masked:
            lanes = ir.Constant(ir.VectorType(I32, VW), list(range(VW)))
            self.mask = builder.icmp_signed("<", lanes, self.splat(builder.trunc(given["last"], I32)))
            end = builder.sub(given["last"], _integer(1))
            self.lanes = [_integer(0)] + [
                builder.select(builder.icmp_signed("<", _integer(i), end), _integer(i), end) for i in range(1, VW)
            ]
        sums = self.repeat(given["groups"], self.initial(), self.group)
        for (r, v), value in zip(self.cells(), sums, strict=True):
            self.store(value, self.cell("c", "ldc", r, v), v)
        builder.ret_void()

    def initial(self):
        """C₀, or zeros where its address is 0."""
        builder, entry = self.builder, self.builder.block
        read, after = builder.append_basic_block("read"), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("==", self.given["start"], _integer(0)), after, read)
        builder.position_at_end(read)
        old = [self.load(self.cell("start", "lds", r, v), v) for r, v in self.cells()]
        builder.branch(after)
        builder.position_at_end(after)
        return [self.phi((self.zero, entry), (value, read)) for value in old]

    def group(self, g, sums):
        """sums += Σ_k A[g, :, k] · B[g, k, :]"""
        a, b = (self.at(self.given[m], self.builder.mul(g, self.given["g" + m])) for m in "ab")
        return self.repeat(self.given["depth"], sums, lambda k, sums: self.outer_product(a, b, k, sums))

    def outer_product(self, a, b, k, sums):
        """sums[r, v] += A[r, k] · B[k, v]"""
        builder, given = self.builder, self.given
        a = builder.gep(a, [builder.mul(k, given["csa"])])
        b = builder.gep(b, [builder.mul(k, given["ldb"])])
        row = [self.load(builder.gep(b, [_integer(v * VW)]), v) for v in range(self.vectors)]
        for r in range(self.rows):
            scalar = builder.load(builder.gep(a, [builder.mul(given["rsa"], _integer(r))]))
            scalar.align = 4
            scalar = self.splat(scalar)
            for v in range(self.vectors):
                product = builder.fmul(scalar, row[v], flags=("contract",))  # contracts to one multiply-add
                i = r * self.vectors + v
                sums = [*sums[:i], builder.fadd(product, sums[i], flags=("contract",)), *sums[i + 1 :]]
        return sums

    def repeat(self, count, carried, body):
        """for i in range(count): carried = body(i, carried)"""
        builder, before = self.builder, self.builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed(">", count, _integer(0)), loop, after)
        builder.position_at_end(loop)
        i = self.phi((_integer(0), before))
        old = [self.phi((value, before)) for value in carried]
        new = body(i, old)
        following, end = builder.add(i, _integer(1)), builder.block
        for phi, value in zip([i, *old], [following, *new], strict=True):
            phi.add_incoming(value, end)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        return [self.phi((value, before), (latest, end)) for value, latest in zip(carried, new, strict=True)]

    # --- The words these sentences are made of

    def cells(self):
        return [(r, v) for r in range(self.rows) for v in range(self.vectors)]

    def cell(self, matrix, stride, r, v):
        """Where row r and vector v of a matrix begin."""
        offset = self.builder.mul(self.given[stride], _integer(r))
        return self.builder.gep(self.at(self.given[matrix], offset), [_integer(v * VW)])

    def at(self, address, offset):
        return self.builder.gep(pointer(self.builder, address, F32), [offset])

    def phi(self, *incoming):
        phi = self.builder.phi(incoming[0][0].type)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def splat(self, scalar):
        """A vector whose every element is the scalar."""
        undefined = ir.Constant(ir.VectorType(scalar.type, VW), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, VW), [0] * VW))

    def load(self, p, v):
        if not (self.masked and v == self.vectors - 1):
            value = self.builder.load(self.builder.bitcast(p, self.vector.as_pointer()))
            value.align = 4
            return value
        if VW >= 8:
            return self.masked_call("load", self.vector, [p], [self.zero])
        value = self.zero  # no masked loads before AVX: element by element, the last existing one standing in
        for lane, index in enumerate(self.lanes):
            item = self.builder.load(self.builder.gep(p, [index]))
            item.align = 4
            value = self.builder.insert_element(value, item, ir.Constant(I32, lane))
        return value

    def store(self, value, p, v):
        if self.masked and v == self.vectors - 1:
            self.masked_call("store", ir.VoidType(), [value, p], [])
        else:
            self.builder.store(value, self.builder.bitcast(p, self.vector.as_pointer())).align = 4

    def masked_call(self, name, result, before, after):
        pointed = self.builder.bitcast(before[-1], self.vector.as_pointer())
        arguments = [*before[:-1], pointed, ir.Constant(I32, 4), self.mask, *after]
        name = f"llvm.masked.{name}.v{VW}f32.p0"
        return self.builder.call(declare(self.builder, name, result, [a.type for a in arguments]), arguments)


def _integer(value):
    return ir.Constant(I64, value)


def tile_function(module, rows: int, vectors: int, masked: bool):
    """Returns the module's function of one tile, and emits it where the module has none yet."""
    name = f"thalweg_tile_{rows}x{vectors}x{VW}{'m' if masked else ''}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * len(ARGUMENTS)), name)
    function.linkage = "linkonce_odr"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    _Tile(function, rows, vectors, masked).emit()
    return function


# Rows × vectors of the tiles. The sums, a row of B and one scalar of A have to fit into the registers (32 with AVX-512
# and on ARM, 16 otherwise), and at least 8 sums have to be in flight to hide the latency of a multiply-add: few rows
# take more vectors. A tile for every number of rows lets a driver split M evenly, so that no row is left over.
MANY_REGISTERS = VW == 16 or binding.get_process_triple().startswith(("aarch64", "arm64"))
ROWS = 8 if MANY_REGISTERS else 6
FEW = 3
SHAPES = [(r, v) for r in range(1, ROWS + 1) for v in ((1, 2, 4) if r <= FEW else (1, 2))]


def _dispatcher(module):
    """Returns the module's function that jumps to the tile of the given rows and vectors."""
    name = f"thalweg_tile_{VW}"
    if name in module.globals:
        return module.globals[name]
    arguments = [I64] * (2 + len(ARGUMENTS))
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "linkonce_odr"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    nothing = function.append_basic_block("nothing")
    rows, vectors, *rest = function.args
    partly = builder.icmp_signed("<", rest[-1], _integer(VW))
    key = builder.add(builder.mul(rows, _integer(16)), builder.mul(vectors, _integer(2)))
    if VW < 16:
        key = builder.add(key, builder.zext(partly, I64))
    switch = builder.switch(key, nothing)
    for r, v in SHAPES:
        for masked in (True,) if VW == 16 else (False, True):
            block = function.append_basic_block(f"tile_{r}_{v}")
            builder.position_at_end(block)
            builder.call(tile_function(module, r, v, masked), rest, tail=True)
            builder.ret_void()
            switch.add_case(_integer(16 * r + 2 * v + (masked and VW < 16)), block)
    builder.position_at_end(nothing)
    builder.ret_void()
    return function


@intrinsic
def tile(typing, rows, vectors, a, rsa, csa, ga, b, ldb, gb, c, ldc, start, lds, groups, depth, last):
    """Computes one tile, of which the last vector holds `last` columns: 1 … VW. (rows, vectors) is one of SHAPES.

    Addresses are in bytes, strides in floats. start: the address of C₀, lds: its row stride.
    """

    def codegen(context, builder, signature, args):
        builder.call(_dispatcher(builder.module), args)
        return context.get_dummy_value()

    return types.void(*[types.int64] * (2 + len(ARGUMENTS))), codegen
