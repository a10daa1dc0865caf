"""How Python enters the machine to predict: a method that is compiled code itself.

ctypes takes 0.7 µs for a call with two objects, a method of this kind some ten nanoseconds. It gets what any method
written in C gets, and reads and makes NumPy's arrays as C does.
"""

import numba

from thalweg.engine.native.compiler.llvm import FLAGS, INNER, fetch_add, hold, integers, leave, new_array, reenter
from thalweg.engine.native.layouts import job as m
from thalweg.engine.native.layouts import predict_frame as t
from thalweg.engine.native.layouts.state import BATCH_ROWS, FIRST_ROW, ROWS, STATE
from thalweg.engine.native.runtime.machine import execute


@numba.njit(inline="always", **FLAGS)
def word(address):
    return integers(address, 1)[0]


@numba.njit(inline="always", **FLAGS)
def fits(x, ticket):
    """Whether the machine can read an object as it is."""
    if word(x + t.CLASS) != ticket[t.ARRAY]:
        return False
    axes = word(x + t.COUNT) & 0xFF  # an int, and so are the flags; what lies in the other half is anything
    if word(x + t.KIND) != ticket[t.FLOATS] or axes != ticket[t.X_AXES] or word(x + t.HOW) & t.READY != t.READY:
        return False
    shape = integers(word(x + t.DIMENSIONS), axes)
    same = 0 < shape[0] < ticket[t.MANY]
    for axis in range(1, axes):
        same &= shape[axis] == ticket[t.X_SHAPE + axis]
    return same


@numba.njit(inline="always", **FLAGS)
def point(cells, count, address):
    """Writes an address into cells of the table."""
    places = integers(cells, count)
    for i in range(count):
        integers(places[i], 1)[0] = address


@numba.njit(**INNER)
def predict(ticket, rows, x, y):
    """Fills y, block by block: the instructions read x and write y where they lie."""
    job = integers(ticket[t.JOB], m.JOB_SIZE)
    s = integers(job[m.JOB_STATE], STATE)
    s[BATCH_ROWS] = rows
    execute(job, 0, job[m.JOB_PREPARE])
    for first in range(0, rows, job[m.JOB_BLOCK]):
        s[FIRST_ROW], s[ROWS] = first, min(job[m.JOB_BLOCK], rows - first)
        point(ticket[t.X_CELLS], ticket[t.X_COUNT], x + first * ticket[t.X_BYTES])
        point(ticket[t.Y_CELLS], ticket[t.Y_COUNT], y + first * ticket[t.Y_BYTES])
        execute(job, ticket[t.FIRST], ticket[t.AFTER])


def enter(self, x):
    """enter(x) returns a new array, the outputs for x; None where x doesn't fit, or another thread is inside.

    self is the ticket's array, and what is returned counts as one more reference, as in any method written in C.
    """
    at = word(self + t.DATA)
    ticket = integers(at, t.SIZE)
    if not fits(x, ticket):
        return hold(ticket[t.NONE])
    if fetch_add(at + 8 * t.TAKEN, 1):
        fetch_add(at + 8 * t.TAKEN, -1)
        return hold(ticket[t.NONE])
    rows = word(word(x + t.DIMENSIONS))
    ticket[t.Y_SHAPE] = rows
    y = new_array(ticket[t.NEW], ticket[t.ARRAY], hold(ticket[t.FLOATS]), ticket[t.Y_AXES], at + 8 * t.Y_SHAPE)
    if y:  # otherwise NumPy has said why, and Python raises it
        if rows < ticket[t.LONG]:
            predict(ticket, rows, word(x + t.DATA), word(y + t.DATA))
        else:
            thread = leave()
            predict(ticket, rows, word(x + t.DATA), word(y + t.DATA))
            reenter(thread)
    fetch_add(at + 8 * t.TAKEN, -1)
    return y
