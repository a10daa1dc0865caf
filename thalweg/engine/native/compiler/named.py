"""Kernels with named parameters, as the C functions of (o, c, s, f) that the machine calls; see `parameters.py`."""

import inspect

from llvmlite import ir

from thalweg.engine.native.compiler.parameters import POINTERS, REALS, WHOLE, parameters
from thalweg.engine.native.language.things import Value
from thalweg.engine.native.language.types import Array, float64, int64

ENDLESS = 1 << 40  # elements of a table whose length a kernel isn't told
TABLES = (int64, float64, int64, float64)  # of words, reals, and the state's


class Named:
    """A function with named parameters: what each stands for is read from the row that it is given."""

    def __init__(self, function):
        self.function, self.taken = function, parameters(str(inspect.signature(function))[1:-1])

    def arguments(self, builder, tables):
        """The values of the parameters, in the code of a function that is given the tables."""
        o, c, s, f = tables
        taken = self.taken
        values = {p.name: read(builder, o, n, int64) for n, p in enumerate(taken.words)}
        values |= {p.name: read(builder, c, n, float64) for n, p in enumerate(taken.reals)}
        for name in taken.state:
            if name in POINTERS:
                values[name] = Value(int64, (builder.ptrtoint(s if POINTERS[name] == "s" else f, int64.code),))
            elif name in REALS:
                values[name] = read(builder, f, REALS[name], float64)
            else:
                values[name] = read(builder, s, WHOLE[name], int64)
        if taken.rest:
            place, start, item = (o, len(taken.words), int64) if taken.whole else (c, len(taken.reals), float64)
            values[taken.rest] = table(builder, place, item, start)
        return tuple(values[name] for name in inspect.signature(self.function).parameters)


kernel = Named  # a decorator: makes a function with named parameters a kernel


def read(builder, place, index, kind):
    return Value(kind, (builder.load(builder.gep(place, [word(index)])),))


def table(builder, place, item, start=0):
    """A table as an array, or what follows its first numbers."""
    return Value(Array(item), (builder.gep(place, [word(start)]) if start else place, word(ENDLESS)))


def word(number):
    return ir.Constant(int64.code, number)
