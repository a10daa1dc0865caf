"""Dense layers with few inputs, by columns: a unit is a sum of columns, its weight gradient a set of dot products."""

import numpy as np
from llvmlite import ir

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, load_f32, stack, store_f32
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.layouts.limits import NARROW
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import IN_FLIGHT, Emitter

BLOCK = 256  # rows for which one unit's values are contiguous in a buffer; outside, rows hold several units

_unit = stack(BLOCK)
_zero = stack(1)


class _Columns(Emitter):
    """Base of loops over rows."""

    def over_rows(self, carried, vectors, body):
        """carried = body(row, vectors, load, store, carried): `vectors` vectors at a time, the rest one at a time."""
        builder, many, one = self.builder, integer(vectors * VW), integer(VW)
        whole, done, rest = self.divided(self.given["rows"], vectors * VW)
        carried = self.repeat(
            whole, carried, lambda i, c: body(builder.mul(i, many), vectors, self.load, self.store, c)
        )

        def some(i, carried):
            before = builder.mul(i, one)
            left = builder.sub(rest, before)
            self.keep(builder.select(builder.icmp_signed("<", left, one), left, one))
            return body(builder.add(done, before), 1, self.load_some, self.store_some, carried)

        return self.repeat(builder.sdiv(builder.add(rest, integer(VW - 1)), one), carried, some)


class _Combination(_Columns):
    arguments = ("x", "ldx", "w", "ldw", "bias", "out", "inputs", "rows")

    def emit(self):
        self.bias = self.splat(self.load_scalar(self.place("bias")))
        self.over_rows([], IN_FLIGHT, self.sum)

    def sum(self, row, vectors, load, store, carried):
        """out[row:] = bias + Σ_k w[k]·x[k, row:]"""
        builder, given = self.builder, self.given

        def add(k, sums):
            factor = self.splat(self.load_scalar(self.place("w", builder.mul(k, given["ldw"]))))
            column = self.place("x", row, builder.mul(k, given["ldx"]))
            parts = [load(builder.gep(column, [integer(v * VW)])) for v in range(vectors)]
            return self.multiply_adds([(factor, part) for part in parts], sums)

        for v, total in enumerate(self.repeat(given["inputs"], [self.zero] * vectors, add)):
            store(builder.fadd(total, self.bias), self.place("out", row, integer(v * VW)))
        return carried


class _Projection(_Columns):
    arguments = ("x", "ldx", "d", "w", "ldw", "b", "more", "rows")
    constants = ("columns",)

    def emit(self):
        """w[k] (+)= Σ_r x[k, r]·d[r], b (+)= Σ_r d[r]; += if `more` isn't 0."""
        builder, given = self.builder, self.given
        old = builder.icmp_signed("!=", given["more"], integer(0))
        places = [self.place("w", builder.mul(given["ldw"], integer(k))) for k in range(self.columns)]
        sums = self.over_rows([self.zero] * (self.columns + 1), 1, self.add)
        places.append(self.place("b"))
        for p, vector in zip(places, sums, strict=True):
            total = self.total(vector)
            before = builder.select(old, self.load_scalar(p), ir.Constant(F32, 0.0))
            builder.store(builder.fadd(before, total), p).align = 4

    def add(self, row, vectors, load, store, sums):
        builder, ldx = self.builder, self.given["ldx"]
        d = load(self.place("d", row))
        parts = [load(self.place("x", row, builder.mul(ldx, integer(k)))) for k in range(self.columns)]
        return [*self.multiply_adds([(part, d) for part in parts], sums[:-1]), builder.fadd(sums[-1], d)]


COMBINATIONS = Family("COMBINATIONS", _Combination, {0: ()})
PROJECTIONS = Family("PROJECTIONS", _Projection, {k: (k,) for k in range(1, NARROW + 1)})

combination = COMBINATIONS.function()
"""out = bias + Σ_k w[k]·x[k], for columns of `rows` rows."""
projection = PROJECTIONS.function(columns=1)
"""w[k] (+)= Σ_r x[k, r]·d[r] for 1 … NARROW columns, and b (+)= Σ_r d[r]."""


@compiled
def affine(x, W, b, h, rows, inputs, units):
    """h[r, j] = b[j] + Σ_k x[k, r]·W[k, j]; b: an address, or 0."""
    zero, unit = _zero(), _unit()
    store_f32(zero, 0, np.float32(0))
    for j in range(units):
        bias = b + 4 * j if b else zero
        if units == 1:
            combination(x, rows, W, 1, bias, h, inputs, rows)
            return
        for first in range(0, rows, BLOCK):
            count = min(BLOCK, rows - first)
            combination(x + 4 * first, rows, W + 4 * j, units, bias, unit, inputs, count)
            for r in range(count):
                store_f32(h, (first + r) * units + j, load_f32(unit, r))


@compiled
def weight_gradient(x, dh, dW, db, rows, inputs, units, accumulate):
    """dW[k, j] (+)= Σ_r x[k, r]·dh[r, j], db[j] (+)= Σ_r dh[r, j]; db: an address, or 0."""
    unit, nowhere = _unit(), _zero()
    for j in range(units):
        bias = db + 4 * j if db else nowhere
        if units == 1:
            projection(inputs, x, rows, dh, dW, 1, bias, accumulate, rows)
            return
        for first in range(0, rows, BLOCK):
            count = min(BLOCK, rows - first)
            for r in range(count):
                store_f32(unit, r, load_f32(dh, (first + r) * units + j))
            more = 1 if first else accumulate
            projection(inputs, x + 4 * first, rows, unit, dW + 4 * j, units, bias, more, count)
