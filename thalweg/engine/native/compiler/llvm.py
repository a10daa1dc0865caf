"""Memory, threads and single LLVM instructions, for kernels.

Functions take raw addresses: int64, in bytes. An address is data, so compiled code never contains one and can be kept
on disk and reused by another process. Nothing here checks bounds; the callers are lowered from checked programs.
"""

import functools
import os
import time

import llvmlite.binding as binding
from llvmlite import ir

from thalweg.engine.native.compiler.system import CLOCK, HOLD, LEAVE, NAP, REENTER, YIELD
from thalweg.engine.native.language.callables import Special, View, emitted, inlined
from thalweg.engine.native.language.number_operators import cast, together
from thalweg.engine.native.language.things import Value
from thalweg.engine.native.language.types import boolean, float32, float64, int32, int64, uint8

I32, I64, F32, F64 = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()
BYTES = ir.IntType(8).as_pointer()
LINUX_MONOTONIC, MACOS_MONOTONIC = 1, 6  # CLOCK_MONOTONIC


# --- Memory ------------------------------------------------------------------------------------------------------


def pointer(builder, address, to):
    """Emits the conversion of an int64 address to a pointer to the LLVM type `to`."""
    return builder.inttoptr(address, to.as_pointer())


floats, doubles, integers, words_of, bytes_of = map(View, (float32, float64, int64, int32, uint8))
float_rows = View(float32, 2)


@emitted(float32)
def load_f32(builder, address, index):
    """The float at address + 4·index."""
    item = builder.load(builder.gep(pointer(builder, address, F32), [index]))
    item.align = 4
    return item


@emitted(None, int64, int64, float32)
def store_f32(builder, address, index, value):
    """Writes the float at address + 4·index."""
    builder.store(value, builder.gep(pointer(builder, address, F32), [index])).align = 4


@functools.cache
def apart(k: int, count: int):
    """Returns the intrinsics (address, index) and (address, index, value) that load and store an element of array k.

    They tell LLVM that the `count` arrays don't overlap, so that what is the same each time around a loop is read ahead
    of it, though the loop writes. An `independent` loop needs no such accesses to become vectors.
    """

    def access(builder, instruction):
        instruction.align = 4
        add = builder.module.add_metadata
        word = functools.partial(ir.MetaDataString, builder.module)
        scopes = [add([word(f"array {n}"), add([word("arrays apart")])]) for n in range(count)]
        instruction.set_metadata("alias.scope", add([scopes[k]]))
        instruction.set_metadata("noalias", add([scope for n, scope in enumerate(scopes) if n != k]))
        return instruction

    @emitted(float32)
    def load(builder, address, index):
        return access(builder, builder.load(builder.gep(pointer(builder, address, F32), [index], inbounds=True)))

    @emitted(None, int64, int64, float32)
    def store(builder, address, index, value):
        place = builder.gep(pointer(builder, address, F32), [index], inbounds=True)
        access(builder, builder.store(value, place))

    return load, store


@emitted()
def fetch(builder, address):
    """Prefetches the cache line at an address that is read soon, into L2; an invalid address has no effect."""
    how = (ir.Constant(I32, n) for n in (0, 2, 1))
    invoke(builder, "llvm.prefetch.p0", ir.VoidType(), builder.inttoptr(address, BYTES), *how)


@emitted()
def take(builder, address):
    """Takes the cache line at an address from other cores, by writing a number back unchanged. The processor continues
    meanwhile. A prefetch for writing doesn't take a line that others hold too. Atomic, or LLVM would remove it."""
    p = pointer(builder, address, I32)
    builder.store_atomic(builder.load_atomic(p, "monotonic", 4), p, "monotonic", 4)


@emitted(int64)
def allocate(builder, size):
    """The address of `size` bytes from C's malloc."""
    if architecture() == "wasm32":
        size = builder.trunc(size, I32)
    return builder.ptrtoint(invoke(builder, "malloc", BYTES, size), I64)


@emitted()
def release(builder, address):
    """Frees memory from `allocate`; 0 has no effect."""
    invoke(builder, "free", ir.VoidType(), builder.inttoptr(address, BYTES))


def stack(n: int):
    """Returns the intrinsic () -> address of n floats on the caller's stack, at the start of a cache line."""

    @emitted(int64)
    def memory(builder):
        with builder.goto_entry_block():  # reserved once, however often a loop around this call runs
            array = builder.alloca(ir.ArrayType(F32, n))
        array.align = 64
        return builder.ptrtoint(array, I64)

    return memory


@emitted()
def call(builder, address, o, c, s, f):
    """Calls the C function `void (int64_t *o, double *c, int64_t *s, double *f)` at an address."""
    parameters = [I64.as_pointer(), F64.as_pointer(), I64.as_pointer(), F64.as_pointer()]
    function = pointer(builder, address, ir.FunctionType(ir.VoidType(), parameters))
    builder.call(function, [builder.inttoptr(a, p) for a, p in zip((o, c, s, f), parameters, strict=True)])


# --- Lanes that meet ---------------------------------------------------------------------------------------------


@emitted(int64)
def fetch_add(builder, address, value):
    """Adds to the int64 at an address atomically and returns its previous value."""
    return builder.atomic_rmw("add", pointer(builder, address, I64), value, "seq_cst")


@emitted(int64)
def load_acquire(builder, address):
    """The int64 at an address; what another thread wrote before its fetch_add can be read after this."""
    return builder.load_atomic(pointer(builder, address, I64), "acquire", 8)


@emitted()
def store_release(builder, address, value):
    """Writes the int64 at an address; a thread that reads it by `load_acquire` sees what this one wrote before."""
    builder.store_atomic(value, pointer(builder, address, I64), "release", 8)


@emitted()
def pause(builder):
    """Tells the core that this is a spin loop: it waits a few dozen cycles, in which its other thread runs."""
    if architecture() in ("x86_64", "i686", "amd64"):
        invoke(builder, "llvm.x86.sse2.pause", ir.VoidType())
    elif architecture() in ("aarch64", "arm64"):  # isb waits longer than yield, which most ARM cores ignore
        invoke(builder, "llvm.aarch64.isb", ir.VoidType(), ir.Constant(I32, 15))


@emitted()
def sched_yield(builder):
    """Lets the operating system run another thread on this core: POSIX sched_yield, or Windows' SwitchToThread."""
    invoke(builder, YIELD, I32)


@emitted()
def nap(builder):
    """Sleeps for the shortest possible time: some 50 µs, on Windows 1 ms."""
    invoke(builder, NAP, I32, ir.Constant(I32, 1))


@emitted(int64)
def ticks(builder):
    """A monotonic clock, in nanoseconds; on Windows in units of 1/`system.ticks_a_second` seconds."""
    with builder.goto_entry_block():
        place = builder.alloca(ir.ArrayType(I64, 2))
    address = builder.bitcast(place, I64.as_pointer())
    if "windows" in triple():
        invoke(builder, CLOCK, I32, address)
        return builder.load(address)
    invoke(builder, CLOCK, I32, ir.Constant(I32, monotonic()), address)
    rest = builder.load(builder.gep(address, [ir.Constant(I64, 1)]))
    return builder.add(builder.mul(builder.load(address), ir.Constant(I64, 10**9)), rest)


def triple() -> str:
    """LLVM's name of the system that code is made for: this one, unless THALWEG_TRIPLE says otherwise."""
    return os.environ.get("THALWEG_TRIPLE") or str(binding.get_process_triple())


def monotonic() -> int:
    """The number of the monotonic clock, of POSIX's clock_gettime."""
    if "THALWEG_TRIPLE" in os.environ:
        return MACOS_MONOTONIC if "macos" in triple() else LINUX_MONOTONIC
    return time.CLOCK_MONOTONIC


def architecture() -> str:
    """The processor's, as LLVM calls it: x86_64, aarch64 …"""
    return triple().split("-")[0]


def invoke(builder, name: str, result, *arguments):
    """Emits the call of the function with this name, which the module declares; result: its type."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(builder.module.globals.get(name) or ir.Function(builder.module, kind, name), arguments)


# --- Python ------------------------------------------------------------------------------------------------------


@emitted(int64)
def hold(builder, thing):
    """Adds a reference to the Python object at an address; returns the address."""
    invoke(builder, HOLD, ir.VoidType(), builder.inttoptr(thing, BYTES))
    return thing


@emitted(int64)
def new_array(builder, create, array, kind, axes, shape):
    """A new NumPy array, or 0 if there is no memory, by PyArray_NewFromDescr, which steals the reference to kind."""
    given = [BYTES, BYTES, I32, I64.as_pointer(), I64.as_pointer(), BYTES, I32, BYTES]
    function = pointer(builder, create, ir.FunctionType(BYTES, given))
    things = [builder.inttoptr(array, BYTES), builder.inttoptr(kind, BYTES), builder.trunc(axes, I32)]
    dimensions, absent = builder.inttoptr(shape, I64.as_pointer()), [ir.Constant(t, None) for t in given[4:]]
    return builder.ptrtoint(builder.call(function, [*things, dimensions, *absent]), I64)


@emitted(int64)
def leave(builder):
    """Lets other Python threads run; returns the argument of `reenter`."""
    return builder.ptrtoint(invoke(builder, LEAVE, BYTES), I64)


@emitted()
def reenter(builder, thread):
    """Waits until this thread may use Python's objects again."""
    invoke(builder, REENTER, ir.VoidType(), builder.inttoptr(thread, BYTES))


# --- Arithmetic --------------------------------------------------------------------------------------------------


@Special
def multiply_add(builder, a, b, c):
    """a·b + c, in one instruction if the processor has it, and in this order.

    Other operations may be reordered: LLVM would simplify a range reduction, (x·c + large) − large, to x·c.
    """
    kind, u, v = together(builder, a, b)
    product = builder.fmul(u, v, flags=("contract",))
    return Value(kind, (builder.fadd(product, cast(builder, c, kind), flags=("contract",)),))


@emitted(float32, boolean, float32, float32)
def select(builder, condition, a, b):
    """a where the condition holds, otherwise b; both are computed.

    The same as `a if condition else b`, which LLVM may however turn into a branch around a store of a, if b is
    the value already there. Then the loop is not vectorised.
    """
    return builder.select(condition, a, b)


@emitted(float32, float32)
def unknown(builder, x):
    """x, as a value about which LLVM knows nothing.

    On AVX2, LLVM turns "store either x or the value already there" into a masked store of x, which takes some
    processors six times as long. Multiplying by a 1 that LLVM doesn't know to be one hides the value already there.
    """
    same = builder.asm(ir.FunctionType(I32, [I32]), "", "=r,0", [builder.bitcast(x, I32)], False)
    return builder.bitcast(same, F32)


@emitted(int32, float32)
def float_bits(builder, x):
    """The 32 bits of a float as an int32: sign, 8 bits of exponent + 127, 23 bits of fraction."""
    return builder.bitcast(x, I32)


@emitted(float32, int32)
def bits_float(builder, bits):
    """The float that these 32 bits stand for."""
    return builder.bitcast(bits, F32)


@inlined
def power_of_two(k):
    """2ᵏ as a float, for an int32 k in −126…127 (and infinity at 128), by writing the exponent's bits."""
    return bits_float((k + int32(127)) << int32(23))
