"""What compiled code writes down to request a micro-kernel."""

from __future__ import annotations

from thalweg.engine.native.layouts.record import Record

WAITING, MADE, FAILED = range(3)


class Request(Record):
    """A request, which lies on the stack of the thread that waits."""

    state: int
    family: int  # the address of its name
    key: int
    slot: int  # where the micro-kernel's address is to be written; 0 stands there until then
    thread: int  # Python's number of the one that waits
