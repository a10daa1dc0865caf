"""How Python enters the machine to predict: through a method that is itself compiled code.

ctypes takes 0.7 µs for a call with two objects, a method of this kind some ten nanoseconds. It is called like any
method written in C, and reads and creates NumPy arrays as C does.
"""

from thalweg.engine.native.compiler.llvm import fetch_add, hold, integers, leave, new_array, reenter
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.layouts import job as m
from thalweg.engine.native.layouts import predict_frame as t
from thalweg.engine.native.layouts.state import BATCH_ROWS, FIRST_ROW, ROWS, STATE
from thalweg.engine.native.runtime.denormals import flush_denormals, restore_denormals
from thalweg.engine.native.runtime.machine import execute


@inlined
def word(address):
    return integers(address, 1)[0]


@inlined
def fits(x, frame):
    """Whether the machine can read an object without conversion."""
    if word(x + t.CLASS) != frame[t.ARRAY]:
        return False
    axes = word(x + t.COUNT) & 0xFF  # a 32-bit int, like the flags; the word's other half may hold anything
    if word(x + t.KIND) != frame[t.FLOATS] or axes != frame[t.X_AXES] or word(x + t.HOW) & t.READY != t.READY:
        return False
    shape = integers(word(x + t.DIMENSIONS), axes)
    same = 0 < shape[0] < frame[t.MANY]
    for axis in range(1, axes):
        same &= shape[axis] == frame[t.X_SHAPE + axis]
    return same


@inlined
def point(cells, count, address):
    """Writes an address into cells of the table."""
    places = integers(cells, count)
    for i in range(count):
        integers(places[i], 1)[0] = address


@compiled
def predict(frame, rows, x, y):
    """Fills y, block by block: the instructions read x and write y in place."""
    job = integers(frame[t.JOB], m.JOB_SIZE)
    s = integers(job[m.JOB_STATE], STATE)
    s[BATCH_ROWS] = rows
    before = flush_denormals()
    execute(job, 0, job[m.JOB_PREPARE])
    for first in range(0, rows, job[m.JOB_BLOCK]):
        s[FIRST_ROW], s[ROWS] = first, min(job[m.JOB_BLOCK], rows - first)
        point(frame[t.X_CELLS], frame[t.X_COUNT], x + first * frame[t.X_BYTES])
        point(frame[t.Y_CELLS], frame[t.Y_COUNT], y + first * frame[t.Y_BYTES])
        execute(job, frame[t.FIRST], frame[t.AFTER])
    restore_denormals(before)


def enter(self, x):
    """enter(x) returns a new array, the outputs for x; None if x doesn't fit, or if another thread is inside.

    self is the frame's array. The result is a new reference, as from any method written in C.
    """
    at = word(self + t.DATA)
    frame = integers(at, t.SIZE)
    if not fits(x, frame):
        return hold(frame[t.NONE])
    if fetch_add(at + 8 * t.TAKEN, 1):
        fetch_add(at + 8 * t.TAKEN, -1)
        return hold(frame[t.NONE])
    rows = word(word(x + t.DIMENSIONS))
    frame[t.Y_SHAPE] = rows
    y = new_array(frame[t.NEW], frame[t.ARRAY], hold(frame[t.FLOATS]), frame[t.Y_AXES], at + 8 * t.Y_SHAPE)
    if y:  # otherwise NumPy has set an error, which Python raises
        if rows < frame[t.LONG]:
            predict(frame, rows, word(x + t.DATA), word(y + t.DATA))
        else:
            thread = leave()
            predict(frame, rows, word(x + t.DATA), word(y + t.DATA))
            reenter(thread)
    fetch_add(at + 8 * t.TAKEN, -1)
    return y
