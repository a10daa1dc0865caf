"""Denormal numbers: results between 0 and the least normal number, 1.2e-38, become 0 while the machine runs.

Arithmetic with denormal numbers takes a hundred times as long, and Adam's moments of a weight whose gradient stays 0
would end there, and remain there.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from thalweg.engine.native.compiler.llvm import BYTES, I32, I64, architecture, declare

FLUSH = {"x86_64": 1 << 15, "amd64": 1 << 15, "aarch64": 1 << 24, "arm64": 1 << 24}  # of MXCSR, of FPCR


@intrinsic
def flush_denormals(typing):
    """From now on, denormal results of this thread become 0; returns the argument of `restore_denormals`."""

    def codegen(context, builder, signature, args):
        bit = ir.Constant(I64, FLUSH.get(architecture(), 0))
        before = read_mode(builder)
        write_mode(builder, builder.or_(before, bit))
        return before

    return types.int64(), codegen


@intrinsic
def restore_denormals(typing, before):
    """Sets how this thread treats denormal numbers to what it was before `flush_denormals`."""

    def codegen(context, builder, signature, args):
        write_mode(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


def read_mode(builder):
    """Emits a read of the register that controls this thread's floating-point arithmetic; 0 if it isn't known."""
    if architecture() in ("aarch64", "arm64"):
        return builder.call(declare(builder, "llvm.aarch64.get.fpcr", I64, []), [])
    if architecture() not in FLUSH:
        return ir.Constant(I64, 0)
    place = word_on_stack(builder)
    builder.call(declare(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [BYTES]), [builder.bitcast(place, BYTES)])
    return builder.zext(builder.load(place), I64)


def write_mode(builder, mode):
    """Emits a write of that register."""
    if architecture() in ("aarch64", "arm64"):
        builder.call(declare(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [I64]), [mode])
    elif architecture() in FLUSH:
        place = word_on_stack(builder)
        builder.store(builder.trunc(mode, I32), place)
        builder.call(declare(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [BYTES]), [builder.bitcast(place, BYTES)])


def word_on_stack(builder):
    with builder.goto_entry_block():
        return builder.alloca(I32)
