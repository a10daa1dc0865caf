"""The loops of pooling, emitted as vector LLVM IR, because the compiler would have to prove that the arrays don't
overlap. A window is `rows` x `columns` elements, `row` and `column` floats apart, each with its channels. `count`
windows are taken, `step` floats apart; their results are contiguous.

    largest    a = the largest element of the window; with `relu`, max(a, 0); NaN stays NaN
    give       dx (+)= da where x is the window's first element that equals a; with `relu`, only if a > 0
    mean       a = the mean of the window
    spread     dx (+)= da/elements at all elements of the window; with a gate G, laid out like dx, `gate` bytes after
               it, times [G > 0]

(+) if `more` isn't 0; otherwise every element is in one window only.
"""

import math
from itertools import product

from llvmlite import ir

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, I64
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import Emitter

WINDOW = ("row", "column", "rows", "columns", "count", "step", "channels", "joined")
COMMON = 2  # the window's rows and columns for which loops are unrolled


class _Window(Emitter):
    """Processes the windows, and the channels a vector at a time; the last vector may be masked.

    A masked store takes many cycles before AVX-512. If the results are contiguous (`joined`), a whole vector is written
    instead as long as the excess is overwritten afterwards.
    """

    constants = ("common", "more")

    def emit(self):
        builder, given = self.builder, self.given
        whole, done, rest = self.divided(given["channels"], VW)
        self.keep(rest)
        some = builder.icmp_signed(">", rest, integer(0))
        joined = builder.icmp_signed("!=", given["joined"], integer(0))
        end, reach = self.written(builder.add(done, integer(VW)))
        steps = {"x": given["step"], "dx": given["step"], "a": given["channels"], "da": given["channels"]}
        arrays = [name for name in steps if name in given]

        def window(w, places):
            given.update(zip(arrays, places, strict=True))
            with builder.if_then(some):  # first, as the others overwrite its excess
                inside = builder.icmp_signed("<=", builder.add(builder.mul(w, end[0]), reach), end[1])
                with builder.if_else(builder.and_(joined, inside)) as (then, otherwise):
                    with then:
                        self.vectors(done, self.load_some, self.store)
                    with otherwise:
                        self.vectors(done, self.load_some, self.store_some)
            self.repeat(whole, [], lambda i, _: self.vectors(builder.mul(i, integer(VW)), self.load, self.store) or [])
            return self.moved(places, [steps[name] for name in arrays])

        self.repeat(given["count"], [given[name] for name in arrays], window)

    def written(self, vector):
        """(floats from one window's output to the next, in all), and how far a vector that ends there can reach."""
        builder, given = self.builder, self.given
        if "dx" not in given:
            return (given["channels"], builder.mul(given["channels"], given["count"])), vector
        last = builder.mul(builder.sub(given["columns"], integer(1)), given["column"])
        return (given["step"], builder.mul(given["step"], given["count"])), builder.add(last, vector)

    def vectors(self, k, load, store):
        """Emits the work on the channels from k on."""
        raise NotImplementedError

    def over_window(self, carried, body):
        """carried = body(element's offset, carried) for every element of the window, row by row."""
        builder, given = self.builder, self.given

        def offset(r, k):
            return builder.add(builder.mul(r, given["row"]), builder.mul(k, given["column"]))

        if self.common:
            for r, k in product(range(COMMON), repeat=2):
                carried = body(offset(integer(r), integer(k)), carried)
            return carried

        def row(r, carried):
            return self.repeat(given["columns"], carried, lambda k, c: body(offset(r, k), c))

        return self.repeat(given["rows"], carried, row)

    def relu(self, value, otherwise):
        """A vector of `value` with a relu, of `otherwise` without."""
        some = self.builder.icmp_signed("!=", self.given["relu"], integer(0))
        return self.builder.select(some, self.constant(value), self.constant(otherwise))

    def each(self):
        """A vector of 1/elements of the window."""
        builder = self.builder
        count = builder.mul(self.given["rows"], self.given["columns"])
        return self.splat(builder.fdiv(ir.Constant(F32, 1.0), builder.sitofp(count, F32)))

    def put(self, value, at, load, store):
        """dx (+)= value"""
        if self.more:
            value = self.builder.fadd(load(self.place("dx", at)), value)
        store(value, self.place("dx", at))


class _Largest(_Window):
    arguments = ("x", "a", "relu", *WINDOW)

    def vectors(self, k, load, store):
        """NaN is detected separately, in two elements at once if the loops are unrolled: then a maximum is one
        instruction."""
        builder, none = self.builder, ir.Constant(ir.VectorType(ir.IntType(1), VW), [0] * VW)
        others: list = []

        def larger(offset, carried):
            top, nan = carried
            value = load(self.place("x", builder.add(offset, k)))
            top = builder.select(builder.fcmp_ordered(">", value, top), value, top)
            if self.common and not others:
                others.append(value)
                return [top, nan]
            other = others.pop() if self.common else value
            return [top, builder.or_(nan, builder.fcmp_unordered("uno", value, other))]

        top, nan = self.over_window([self.relu(0.0, -math.inf), none], larger)
        store(builder.select(nan, self.constant(math.nan), top), self.place("a", k))


class _Give(_Window):
    arguments = ("x", "a", "da", "dx", "relu", *WINDOW)

    def vectors(self, k, load, store):
        builder = self.builder
        top = load(self.place("a", k))
        above = builder.fcmp_unordered(">", top, self.relu(0.0, math.nan))

        def take(offset, carried):
            (rest,) = carried
            at = builder.add(offset, k)
            here = builder.fcmp_ordered("==", load(self.place("x", at)), top)
            self.put(builder.select(here, rest, self.zero), at, load, store)
            return [builder.select(here, self.zero, rest)]

        self.over_window([builder.select(above, load(self.place("da", k)), self.zero)], take)


class _Mean(_Window):
    arguments = ("x", "a", *WINDOW)

    def vectors(self, k, load, store):
        builder = self.builder

        def add(offset, carried):
            return [builder.fadd(carried[0], load(self.place("x", builder.add(offset, k))))]

        (total,) = self.over_window([self.zero], add)
        store(builder.fmul(total, self.each()), self.place("a", k))


class _Spread(_Window):
    arguments = ("da", "dx", *WINDOW, "gate")

    def vectors(self, k, load, store):
        builder, given = self.builder, self.given
        share = builder.fmul(load(self.place("da", k)), self.each())

        given["G"] = builder.add(given["dx"], given["gate"])

        def add(offset, carried):
            at = builder.add(offset, k)
            (part,) = self.if_given("gate", [share], lambda v, _: self.gated(v, load(self.place("G", at))), [at])
            self.put(part, at, load, store)
            return carried

        self.over_window([], add)


def _family(name, kind, adds=(0,)):
    return Family(name, kind, {common + 2 * add: (common, add) for common in (0, 1) for add in adds})


def _common(builder, given):
    """Whether the windows have the size for which loops are unrolled."""
    rows, columns = (builder.icmp_signed("==", given[name], integer(COMMON)) for name in ("rows", "columns"))
    return builder.zext(builder.and_(rows, columns), I64)


LARGEST, MEANS = _family("LARGEST", _Largest), _family("MEANS", _Mean)
GIVERS, SPREADERS = _family("GIVERS", _Give, (0, 1)), _family("SPREADERS", _Spread, (0, 1))

# For every channel of each window; more: 0 or 1.
largest, mean = LARGEST.function(_common), MEANS.function(_common)
give, spread = GIVERS.function(_common, more=2), SPREADERS.function(_common, more=2)
