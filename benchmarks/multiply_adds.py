"""Multiply-adds of vectors that touch nothing but registers, for `peak.py`: older versions may lack what they take."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from benchmarks.peak import CHAINS, UNROLLED
from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, I64
from thalweg.engine.native.language.callables import emitted
from thalweg.engine.native.language.types import float32, int64


@emitted(float32, int64, float32)
def chains(builder: Any, turns: Any, number: Any) -> Any:
    """Repeats s = s·factor + factor in every chain; returns one element of the sum of all chains."""
    vector = ir.VectorType(F32, VW)
    factor = ir.Constant(vector, ir.Undefined)
    for place in range(VW):
        factor = builder.insert_element(factor, number, ir.Constant(ir.IntType(32), place))
    entry = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    i = builder.phi(I64)
    totals = [builder.phi(vector) for _ in range(CHAINS)]
    values: list[Any] = list(totals)
    for _ in range(UNROLLED):
        products = [builder.fmul(v, factor, flags=("contract",)) for v in values]
        values = [builder.fadd(p, factor, flags=("contract",)) for p in products]
    following = builder.add(i, ir.Constant(I64, 1))
    i.add_incoming(ir.Constant(I64, 0), entry)
    i.add_incoming(following, loop)
    for k, (phi, value) in enumerate(zip(totals, values, strict=True)):
        phi.add_incoming(ir.Constant(vector, [float(k)] * VW), entry)  # unequal: else one chain
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, turns), loop, after)
    builder.position_at_end(after)
    total = values[0]
    for value in values[1:]:
        total = builder.fadd(total, value)
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
