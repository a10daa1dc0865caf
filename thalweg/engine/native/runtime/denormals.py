"""Denormal numbers, between 0 and the least normal one of 1.2e-38: in the machine, results that would be such become 0.

Processors take up to a hundred times as long for them, and they stay: Adam's moments of a weight whose gradient is 0
shrink to multiples of 1.4e-45 that rounding keeps from shrinking further. The setting belongs to a thread, and is
restored when the thread leaves the machine, as NumPy computes with denormal numbers.
"""

from llvmlite import ir

from thalweg.engine.native.compiler.llvm import BYTES, I32, I64, architecture, invoke
from thalweg.engine.native.language.callables import emitted
from thalweg.engine.native.language.types import int64

X86, ARM = ("x86_64", "amd64"), ("aarch64", "arm64")
FLUSH_ON_X86, FLUSH_ON_ARM = 1 << 15, 1 << 24  # bits of MXCSR and FPCR; on other processors nothing is set


def read(builder):
    """Emits a read of the register that controls this thread's floating-point arithmetic; 0 where it isn't known."""
    if architecture() in ARM:
        return invoke(builder, "llvm.aarch64.get.fpcr", I64)
    if architecture() not in X86:
        return ir.Constant(I64, 0)
    place = word(builder)
    invoke(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), builder.bitcast(place, BYTES))
    return builder.zext(builder.load(place), I64)


def write(builder, mode):
    """Emits a write of that register."""
    if architecture() in ARM:
        invoke(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), mode)
    elif architecture() in X86:
        place = word(builder)
        builder.store(builder.trunc(mode, I32), place)
        invoke(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), builder.bitcast(place, BYTES))


def word(builder):
    """Reserves 32 bits on the stack."""
    with builder.goto_entry_block():
        return builder.alloca(I32)


@emitted(int64)
def flush_denormals(builder):
    """From now on, denormal results of this thread become 0; returns the argument of `restore_denormals`."""
    before = read(builder)
    write(builder, builder.or_(before, ir.Constant(I64, FLUSH_ON_ARM if architecture() in ARM else FLUSH_ON_X86)))
    return before


@emitted()
def restore_denormals(builder, before):
    """Sets how this thread treats denormal numbers to what it was before `flush_denormals`."""
    write(builder, before)
