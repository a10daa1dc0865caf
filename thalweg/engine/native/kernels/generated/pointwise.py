"""Kernels of pointwise operations, made from their texts.

The elements run over axes. Along the last, every operand either varies, element by element, or stays the same: that is
written into the code, so that this loop is vectorised. The loop around it runs along the last axis but one, and the
outermost over all others together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.code import Code
from thalweg.engine.native.kernels.generated.formulas import generated, places, reals, tuple_of, written
from thalweg.engine.native.kernels.names import underscored
from thalweg.program.formula.operations import Operation
from thalweg.program.instructions.pointwise import Pointwise

# axes: the size of each of `count`, then the operands' masks.
KERNEL = """

@kernel
def {{name}}({operands}, count, at_rows{reals}, *axes, rows, accumulate):
    k = {k}
    inner = axes[count - 1] * (rows if at_rows == count - 1 else 1)
    middle = axes[count - 2] * (rows if at_rows == count - 2 else 1)
    outer, elements = 1, 1
    for axis in range(count):
        n = axes[axis] * (rows if at_rows == axis else 1)
        outer *= n if axis < count - 2 else 1
        elements *= n if axes[count + {last}] >> axis & 1 else 1
{setup}
    for run in range(outer):
        rest = run
{begin}
        for axis in range(count - 3, -1, -1):
            n = axes[axis] * (rows if at_rows == axis else 1)
            index = rest % n
            rest //= n
{decode}
        for m in range(middle):
{body}
"""

IDENTITY = {"sum": "0", "prod": "1", "max": "-np.inf", "min": "np.inf"}


def kernel_of_pointwise(i: Pointwise) -> Kernel:
    """The kernel of a pointwise operation, for operands that vary along the same axes."""
    _, axes = i.axes()
    varies = tuple(axes[-1][1])
    whole = all(each[-1] for size, each in axes)  # the result has every axis
    return pointwise_kernel(i.operation, varies, whole)


@lru_cache(maxsize=1024)
def pointwise_kernel(of: Operation, varies: tuple[bool, ...], whole: bool) -> Kernel:
    last = len(varies) - 1
    operands, k = list(of.slopes), [f"k{n}" for n in range(len(of.arguments))]
    named = [*places(operands, "v{}").values(), "z"]
    code = Code(places(operands, "v{}") | places(of.arguments, "k[{}]"), of.arguments)
    function = written(code, [code.of(of.value)], ["k", *places(operands, "v{}").values()])
    return generated(
        underscored(of.name),
        (function + KERNEL).format(
            operands=", ".join(named),
            reals=reals(k),
            k=tuple_of(k),
            last=last,
            setup=lines(setup(of, varies, whole), 1),
            begin=lines((f"a{n}, w{n} = {b}, 4 * size{n}" for n, b in enumerate(named)), 2),
            decode=lines(decode(last + 1), 3),
            body=lines(body(of, varies, whole), 3),
        ),
    )


def lines(texts: Iterator[str], depth: int) -> str:
    return "\n".join("    " * depth + text for text in texts)


def setup(of: Operation, varies: tuple[bool, ...], whole: bool) -> Iterator[str]:
    """Each operand's step along the last axis but one and its size along the last two; the result's first value."""
    for n, runs in enumerate(varies):
        yield f"along{n} = axes[count + {n}] >> (count - 2) & 1"
        yield f"step{n} = along{n} * {'inner' if runs else '1'}"
        yield f"size{n} = {'inner' if runs else '1'} * (middle if along{n} else 1)"
    if whole:
        return
    z = len(varies) - 1
    yield f"over_rows = at_rows >= 0 and not axes[count + {z}] >> at_rows & 1"
    yield "if not (over_rows and accumulate):"
    yield f"    floats(z, elements)[:] = F32({IDENTITY[of.combine]})"


def decode(count: int) -> Iterator[str]:
    """Moves each operand that varies along an outer axis to the axis's index."""
    for n in range(count):
        yield f"if axes[count + {n}] >> axis & 1:"
        yield f"    a{n} += index * w{n}"
        yield f"    w{n} *= n"


def body(of: Operation, varies: tuple[bool, ...], whole: bool) -> Iterator[str]:
    """The loop along the last axis, for one index of the others."""
    z = len(varies) - 1
    for n, runs in enumerate(varies):
        yield f"b{n} = a{n} + 4 * m * step{n}"
        if not runs and n < z:
            yield f"x{n} = load_f32(b{n}, 0)"
    arguments = ", ".join(f"load_f32(b{n}, j)" if varies[n] else f"x{n}" for n in range(z))
    call = f"function(k, {arguments})"
    if whole:
        yield "for j in independent(inner):"
        yield f"    store_f32(b{z}, j, {call})"
    elif varies[z]:
        yield "for j in independent(inner):"
        yield f"    v, old = {call}, load_f32(b{z}, j)"
        yield f"    store_f32(b{z}, j, {combined(of.combine)})"
    elif of.combine in ("sum", "prod"):
        yield f"v = F32({IDENTITY[of.combine]})"
        yield "for j in range(inner):"
        yield f"    v {'+' if of.combine == 'sum' else '*'}= {call}"
    else:  # as whole numbers in the same order, since maxima of floats aren't vectorised; a NaN is noted
        yield f"top, strange = ordered(float_bits(F32({IDENTITY[of.combine]}))), I32(0)"
        yield "for j in range(inner):"
        yield f"    u = {call}"
        yield f"    top = {of.combine}(top, ordered(float_bits(u)))"
        yield "    strange |= I32(u != u)"
        yield "v = F32(np.nan) if strange else bits_float(ordered(top))"
    if not varies[z]:
        yield f"old = load_f32(b{z}, 0)"
        yield f"store_f32(b{z}, 0, {combined(of.combine)})"


def combined(how: str) -> str:
    """The sum, product, largest or smallest of v and old; NaN if either is."""
    if how in ("sum", "prod"):
        return f"old {'+' if how == 'sum' else '*'} v"
    return f"select((v {'>' if how == 'max' else '<'} old) | (v != v), v, old)"
