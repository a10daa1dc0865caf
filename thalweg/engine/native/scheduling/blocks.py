"""What fits a lane's caches: how many rows a block has, and whether all rows of a batch stay until the finish."""

from __future__ import annotations

from thalweg.engine.contract import Job
from thalweg.engine.native.scheduling.schedule import Schedule, schedule_of
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import Buffer

WORKSPACE_BYTES = 1 << 20  # a block's activations are kept to about the size of a core's own cache
FORWARD_SHARE = 4  # without a backward phase (no gradient to add to for every block), to this fraction (1/4) of it
LEAST_BLOCK = 64  # rows of a product: below this it loses more than the cache gains
SHARED_BYTES = 8 << 20  # of a lane's activations: more are not kept until the finish


def shared_gradients(schedule: Schedule, batch: int, lanes: int) -> list[Buffer]:
    """The wide weight gradients, if the lanes share them in the finish, for which all activations have to be kept."""
    rows = align(-(-batch // lanes))
    return schedule.wide_gradients if 4 * rows * schedule.plan.row <= SHARED_BYTES else []


def block_of(job: Job) -> int:
    """Rows per block of a job."""
    return block_for(schedule_of(job.program), job.batch, job.lanes)


def block_for(schedule: Schedule, batch: int, lanes: int) -> int:
    """Rows per block: equal for all blocks of a batch, a multiple of the vector, with as many blocks for every lane.

    If lanes meet between instructions, or share a gradient in the finish, a lane has one block.
    """
    if schedule.meetings or shared_gradients(schedule, batch, lanes):
        return align(-(-batch // lanes))
    row_bytes = 4 * max(1, schedule.plan.row)
    least = align(-(-LEAST_BLOCK // schedule.positions))
    most = max(least, WORKSPACE_BYTES // (1 if schedule.program.backward else FORWARD_SHARE) // row_bytes)
    blocks = lanes * -(-batch // (lanes * most))
    return align(-(-batch // blocks))
