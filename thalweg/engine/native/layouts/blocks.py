"""What fits a lane's caches: how many rows a block has, and whether all rows of a batch stay until the finish."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thalweg.engine.contract import Job
from thalweg.engine.native.instructions.updates import on_lanes
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.ir.memory import align
from thalweg.program.ir.program import Program

WORKSPACE_BYTES = 1 << 20  # a block's activations are kept to about the size of a core's own cache
FORWARD_SHARE = 4  # without a backward phase (no gradient to add to for every block), to this fraction (1/4) of it
LEAST_BLOCK = 64  # rows of a product: below this it loses more than the cache gains
SHARED_BYTES = 8 << 20  # of a lane's activations: more are not kept until the finish


def shared_gradients(program: Program, batch: int, lanes: int) -> list[Buffer]:
    """The wide weight gradients, if the lanes share them in the finish, for which all activations have to be kept."""
    rows = align(-(-batch // lanes))
    return program.wide_gradients if 4 * rows * program.workspace_row <= SHARED_BYTES else []


def parts(program: Program, batch: int, lanes: int) -> Callable[[Instruction], Sequence[Instruction]]:
    """What so many lanes execute of each instruction of a program: gradients that they share need no sum."""
    shared = shared_gradients(program, batch, lanes)
    return lambda i: on_lanes(i, lanes, shared)


def block_of(job: Job) -> int:
    """Rows per block: equal for all blocks of a batch, a multiple of the vector, with as many blocks for every lane.

    If lanes meet between instructions, or share a gradient in the finish, a lane has one block.
    """
    program = job.program
    if program.meetings or shared_gradients(program, job.batch, job.lanes):
        return align(-(-job.batch // job.lanes))
    row_bytes = 4 * max(1, program.workspace_row)
    least = align(-(-LEAST_BLOCK // program.positions))
    most = max(least, WORKSPACE_BYTES // (1 if program.backward else FORWARD_SHARE) // row_bytes)
    blocks = job.lanes * -(-job.batch // (job.lanes * most))
    return align(-(-job.batch // blocks))
