"""What fits the caches of a lane: how many rows a block has, and whether all of a batch stay until the finish."""

from __future__ import annotations

from thalweg.engine.contract import Job
from thalweg.program.ir.instruction import Buffer
from thalweg.program.ir.memory import align
from thalweg.program.ir.program import Program

WORKSPACE_BYTES = 1 << 20  # a block's activations are kept to about the size of a core's own cache; …
FORWARD_SHARE = 4  # … to so much less of it where no gradient has to be added to for every block
LEAST_BLOCK = 64  # rows of a product: below this it loses more than the cache gains
SHARED_BYTES = 8 << 20  # of activations of a lane: more are not kept until the finish


def shared_gradients(program: Program, batch: int, lanes: int) -> list[Buffer]:
    """The wide weight gradients, where the lanes share them in the finish: all activations have to be there then."""
    rows = align(-(-batch // lanes))
    return program.wide_gradients if 4 * rows * program.workspace_row <= SHARED_BYTES else []


def block_of(job: Job) -> int:
    """Rows a block holds: all blocks of a batch alike, a multiple of the vector, as many for every lane.

    Where lanes meet between instructions, or share a gradient in the finish, a lane has one block.
    """
    program = job.program
    if program.meetings or shared_gradients(program, job.batch, job.lanes):
        return align(-(-job.batch // job.lanes))
    row_bytes = 4 * max(1, program.workspace_row)
    least = align(-(-LEAST_BLOCK // program.positions))
    most = max(least, WORKSPACE_BYTES // (1 if program.backward else FORWARD_SHARE) // row_bytes)
    blocks = job.lanes * -(-job.batch // (job.lanes * most))
    return align(-(-job.batch // blocks))
