"""Kernels with named parameters, as the C functions of (o, c, s, f) that the machine calls; see `parameters.py`."""

import inspect
from types import FunctionType

import numba
from numba import types
from numba.extending import intrinsic

from thalweg.engine.native.compiler.llvm import FLAGS, I64
from thalweg.engine.native.compiler.parameters import POINTERS, REALS, WHOLE, parameters


@intrinsic
def rest(typing, table, place):
    """What follows a place of a table, indexed from there."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return table(table, types.int64), codegen


@intrinsic
def address(typing, table):
    """The address of a table."""

    def codegen(context, builder, signature, args):
        return builder.ptrtoint(args[0], I64)

    return types.int64(table), codegen


def kernel(function):
    """Makes a function with named parameters a kernel: what each stands for is read from the row that it is given.

    The function is inlined, so that errors name its lines and LLVM drops what isn't used.
    """
    taken = parameters(str(inspect.signature(function))[1:-1])
    values = {p.name: f"o[{n}]" for n, p in enumerate(taken.words)}
    values |= {p.name: f"c[{n}]" for n, p in enumerate(taken.reals)}
    values |= {name: of_state(name) for name in taken.state}
    values[taken.rest] = f"rest(o, {len(taken.words)})" if taken.whole else f"rest(c, {len(taken.reals)})"
    function = positional(function)
    arguments = ", ".join(values[name] for name in inspect.signature(function).parameters)
    names = {"body": numba.njit(inline="always", **FLAGS)(function), "rest": rest, "address": address}
    text = f"def {function.__name__}(o, c, s, f):\n    body({arguments})\n"
    exec(compile(text, f"<{function.__name__}>", "exec"), names)
    return names[function.__name__]


def of_state(name):
    """What stands for a name of the step's state."""
    if name in POINTERS:
        return f"address({POINTERS[name]})"
    return f"f[{REALS[name]}]" if name in REALS else f"s[{WHOLE[name]}]"


def positional(function):
    """The same function, all of whose parameters are positional: in Python's own order, in which a starred one is the
    last."""
    code = function.__code__
    starred = bool(code.co_flags & inspect.CO_VARARGS)
    count = code.co_argcount + code.co_kwonlyargcount + starred
    code = code.replace(co_argcount=count, co_kwonlyargcount=0, co_flags=code.co_flags & ~inspect.CO_VARARGS)
    return FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)
