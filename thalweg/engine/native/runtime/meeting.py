"""How the threads that run the lanes come together: one calls the others in, all meet, and the others are dismissed.

Nothing here knows what they compute between. tests/engine/test_machine.py tries the orders in which their reads and
writes of what they share may follow each other.
"""

from thalweg.engine.native.compiler.llvm import (
    call,
    fetch_add,
    load_acquire,
    nap,
    pause,
    sched_yield,
    store_release,
    ticks,
)
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.layouts.job import CALL, CLOSED, COME, DISMISSED, HERE, MET
from thalweg.engine.native.layouts.record import LINE

# Turns of the spin loop before the thread yields its core, and of yielding before it sleeps: the scheduler may leave a
# thread that has just woken on the core of one that yields, for some milliseconds, while another core is idle.
SPINS, YIELDS = 500, 200


@inlined
def wait(turns):
    """One turn of a loop that waits for another thread: first it spins, then it yields the core, then it sleeps."""
    if turns < SPINS:
        pause()
    elif turns < SPINS + YIELDS:
        sched_yield()
    else:
        nap()


@compiled
def barrier(job, threads):
    """Waits until every thread has arrived as often as this one, and counts the ticks of long waits."""
    if threads == 1:
        return
    met = job.shared + 8 * MET
    goal = (fetch_add(met, 1) // threads + 1) * threads
    turns, begin = 0, 0
    while load_acquire(met) < goal:
        turns += 1
        if turns == SPINS:
            begin = ticks()
        wait(turns)
    if turns >= SPINS:
        waited = ticks() - begin
        job.ticks_together -= waited
        job.account -= waited


@compiled
def meet(job, threads, number):
    """A meeting of all lanes, those of other processes too: how many have been in the step."""
    barrier(job, threads)
    if job.elsewhere:
        if job.lane == job.first_lane:
            call(job.elsewhere, number, 0, 0, 0)
        barrier(job, threads)


@inlined
def place_of(job, lane):
    """Where it stands whether the thread of a lane, counted from the process's first, has come."""
    return job.shared + 8 * (COME + LINE * lane)


@compiled
def come(job):
    """On every thread but the first: reports that it has come; returns the step at which it begins, −1 if dismissed."""
    if fetch_add(place_of(job, job.lane - job.first_lane), HERE) == CLOSED:
        return -1
    turns, said = 0, 0
    while said == 0:
        said = load_acquire(job.shared + 8 * CALL)
        if said == 0:
            turns += 1
            wait(turns)
    return -1 if said == DISMISSED else said - 1


@compiled
def all_here(job):
    """On the first thread: whether the others have come. In each call, it waits for `patience` ticks at most."""
    begin = ticks()
    for lane in range(1, job.threads):
        while load_acquire(place_of(job, lane)) != HERE:
            if ticks() - begin >= job.patience:
                job.patience = 0
                return False
            pause()
    return True


@inlined
def call_in(job, step):
    """Lets those that have come begin at this step."""
    store_release(job.shared + 8 * CALL, step + 1)


@inlined
def dismiss(job):
    """Tells the others that nobody waits for them any more."""
    store_release(job.shared + 8 * CALL, DISMISSED)


@inlined
def dismissed(job):
    """Whether the first thread goes on alone."""
    return load_acquire(job.shared + 8 * CALL) == DISMISSED


@compiled
def close(job):
    """At the end of a call, if the others aren't inside: dismisses those that have come, and those that will."""
    for lane in range(1, job.threads):
        fetch_add(place_of(job, lane), CLOSED)
    dismiss(job)
