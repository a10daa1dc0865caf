"""What a family does where the micro-kernel that is called isn't made yet; see `compiler/on_demand.py`."""

from llvmlite import ir

from thalweg.engine.native.compiler.llvm import I32, I64, invoke, leave, load_acquire, nap, reenter, stack, triple
from thalweg.engine.native.compiler.on_demand import BEGIN, HOLDS, REQUEST, SERVE, THREAD
from thalweg.engine.native.compiler.shared import Shared
from thalweg.engine.native.language.callables import emitted
from thalweg.engine.native.language.types import int64
from thalweg.engine.native.layouts.request import MADE, WAITING, Request

PATIENCE = 10_000  # naps, half a second and more, until the thread makes it itself

memory = stack(2 * Request.size)


@emitted()
def hand_in(builder, request):
    """Leaves a request, and begins a thread that serves it, if the system has one."""
    invoke(builder, REQUEST, ir.VoidType(), request)
    invoke(builder, BEGIN, ir.VoidType())


@emitted()
def serve(builder):
    """Serves requests on this thread."""
    invoke(builder, SERVE, ir.VoidType())


@emitted(int64)
def holds(builder):
    """Whether this thread may use Python's objects now."""
    return builder.zext(invoke(builder, HOLDS, I32), I64)


@emitted(int64)
def thread(builder):
    """Python's number of this thread, of C's type unsigned long."""
    long = I32 if "windows" in triple() else I64
    return builder.zext(invoke(builder, THREAD, long), I64)


def await_member(family, key, slot):
    """Requests a micro-kernel, whose address is then in the slot, and waits for it. If it fails, the slot stays 0."""
    place = memory()
    request = Request(place)
    request.state, request.family, request.key, request.slot, request.thread = WAITING, family, key, slot, thread()
    held = holds()
    python = leave() if held else 0  # whoever makes it needs Python
    hand_in(place)
    turns = 0
    while load_acquire(place) == WAITING:  # not until the slot is filled: by another's request it may be before
        nap()
        turns += 1
        if turns % PATIENCE == 0:
            serve()
    while request.state == MADE and load_acquire(slot) == 0:  # the two numbers may be seen in any order
        nap()
    if held:
        reenter(python)


AWAITED = Shared("AWAITED", await_member)
