"""The two loops of max pooling, emitted as vector LLVM IR: several arrays at a time, which the compiler would have to
prove apart. A window is `rows` x `columns` elements, `row` and `column` floats apart, each with its channels.

    largest    a = the largest element of the window; NaN stays NaN
    give       dx (+)= da where x is the window's first element that equals a; (+) where `more` isn't 0
"""

import math

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from thalweg.engine.native.llvm import F32, I64, VW
from thalweg.engine.native.microkernel import _Emitter, _function

LARGEST_ARGUMENTS = ("x", "row", "column", "rows", "columns", "a", "channels")
GIVE_ARGUMENTS = ("x", "row", "column", "rows", "columns", "a", "da", "dx", "more", "channels")


class _Window(_Emitter):
    """Goes through the channels, a vector at a time; the last vector may be masked."""

    def emit(self):
        builder, width = self.builder, ir.Constant(I64, VW)
        whole = builder.sdiv(self.given["channels"], width)
        self.repeat(whole, [], lambda i, _: self.vectors(builder.mul(i, width), self.load, self.store))
        rest = builder.srem(self.given["channels"], width)
        self.keep(rest)
        some = builder.zext(builder.icmp_signed(">", rest, ir.Constant(I64, 0)), I64)
        done = builder.mul(whole, width)
        self.repeat(some, [], lambda i, _: self.vectors(done, self.load_some, self.store_some))
        builder.ret_void()

    def over_window(self, carried, body):
        """carried = body(element's offset, carried) for every element of the window, row by row."""
        builder, given = self.builder, self.given

        def row(r, carried):
            start = builder.mul(r, given["row"])
            return self.repeat(
                given["columns"], carried, lambda k, c: body(builder.add(start, builder.mul(k, given["column"])), c)
            )

        return self.repeat(given["rows"], carried, row)

    def place(self, array, offset):
        return self.builder.gep(self.builder.inttoptr(self.given[array], F32.as_pointer()), [offset])


class _Largest(_Window):
    def vectors(self, k, load, store):
        builder = self.builder

        def larger(offset, carried):
            (top,) = carried
            value = load(self.place("x", builder.add(offset, k)))
            wins = builder.or_(builder.fcmp_ordered(">", value, top), builder.fcmp_unordered("uno", value, value))
            return [builder.select(wins, value, top)]

        (top,) = self.over_window([ir.Constant(self.vector, [-math.inf] * VW)], larger)
        store(top, self.place("a", k))
        return []


class _Give(_Window):
    def vectors(self, k, load, store):
        builder = self.builder
        top = load(self.place("a", k))
        more = builder.icmp_signed("!=", self.given["more"], ir.Constant(I64, 0))

        def take(offset, carried):
            (rest,) = carried
            at = builder.add(offset, k)
            here = builder.fcmp_ordered("==", load(self.place("x", at)), top)
            old = builder.select(more, load(self.place("dx", at)), self.zero)
            store(builder.fadd(old, builder.select(here, rest, self.zero)), self.place("dx", at))
            return [builder.select(here, self.zero, rest)]

        self.over_window([load(self.place("da", k))], take)
        return []


def _call(kind, name, arguments):
    def codegen(context, builder, signature, args):
        function = builder.module.globals.get(f"thalweg_{name}_{VW}")
        if function is None:
            function = _function(builder.module, name, len(arguments))
            kind(function, arguments).emit()
        builder.call(function, args)
        return context.get_dummy_value()

    return types.void(*[types.int64] * len(arguments)), codegen


@intrinsic
def largest(typing, x, row, column, rows, columns, a, channels):
    """a = the largest element of a window, for every channel"""
    return _call(_Largest, "largest", LARGEST_ARGUMENTS)


@intrinsic
def give(typing, x, row, column, rows, columns, a, da, dx, more, channels):
    """dx (+)= da at the first element of a window that equals a, for every channel"""
    return _call(_Give, "give", GIVE_ARGUMENTS)
