"""How many lanes a step is worth, how many rows a block has, and whether all rows of a batch stay until the finish."""

from __future__ import annotations

from thalweg.engine.contract import Job
from thalweg.engine.native.scheduling.schedule import Schedule, schedule_of
from thalweg.engine.native.scheduling.traits import scattered
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.ir.alignment import ALIGNMENT, align
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.ir.program import Program

# A second lane costs the meetings of a step; below this many FLOPs per lane it doesn't pay (docs/measurements.md). A
# lane of fewer rows than a vector has elements needs more: what each lane does once weighs more against its rows.
LEAST_FLOPS_A_LANE = 1_000_000
LEAST_FLOPS_OF_FEW_ROWS = 16_000_000

WORKSPACE_BYTES = 1 << 20  # a block's activations are kept to about the size of a core's own cache
FORWARD_SHARE = 4  # without a backward phase (no gradient to add to for every block), to this fraction (1/4) of it
LEAST_BLOCK = 64  # rows of a product: below this it loses more than the cache gains
UNEVEN = 1.05  # times its even share: more isn't given to a lane for the sake of whole vectors
SHARED_BYTES = 8 << 20  # of a lane's activations: more are not kept until the finish


def positions(program: Program) -> int:
    """Rows of a product per row of the batch, on average: 1 for dense layers, more for images and sequences."""
    products = products_of(program)
    rows = sum(i.flops(1) / 2 for i in products) / max(1, sum(i.matrix_size for i in products))
    return max(1, int(rows))


def products_of(program: Program) -> list[Instruction]:
    """The products with weights; none in programs with a scan, whose products are of one step at a time."""
    if any(isinstance(i, Scan) for i in program.forward):
        return []
    return [i for i in program.forward if i.matrix_size]


def arithmetic(program: Program, rows: int) -> int:
    """Floating-point operations of one step over a batch of `rows`, without those that wait for memory."""
    return sum(i.flops(rows) for i in program if not scattered(i))


def full_rows(program: Program) -> bool:
    """Whether single rows fill the vector: most of the arithmetic is in products with so many rows for each of them."""
    products = products_of(program)
    full = sum(i.flops(1) for i in products if i.flops(1) >= 2 * ALIGNMENT * i.matrix_size)
    return full > sum(i.flops(1) for i in products) / 2


def most_lanes(program: Program, rows: int) -> int:
    """The lanes that gain by a step over a batch of `rows`: each has enough to compute."""
    work = arithmetic(program, rows)
    few = min(work // LEAST_FLOPS_OF_FEW_ROWS, rows) if full_rows(program) else 0
    return min(work // LEAST_FLOPS_A_LANE, max(rows // ALIGNMENT, few))


def shared_gradients(schedule: Schedule, batch: int, lanes: int) -> list[Buffer]:
    """The wide weight gradients, if the lanes share them in the finish, for which all activations have to be kept."""
    rows = align(-(-batch // lanes))
    return schedule.wide_gradients if 4 * rows * schedule.plan.row <= SHARED_BYTES else []


def block_of(job: Job) -> int:
    return block_for(schedule_of(job.program), job.batch, job.lanes)


def block_for(schedule: Schedule, batch: int, lanes: int) -> int:
    """Rows per block: equal for all blocks of a batch, with as many blocks for every lane.

    It is a multiple of the vector, unless that leaves a lane with less to do, and single rows fill the vector. If lanes
    meet between instructions, or share a gradient in the finish, a lane has one block.
    """
    blocks = lanes
    if not (schedule.meetings or shared_gradients(schedule, batch, lanes)):
        least = align(-(-LEAST_BLOCK // positions(schedule.program)))
        share = 1 if schedule.program.backward else FORWARD_SHARE
        most = max(least, WORKSPACE_BYTES // share // (4 * max(1, schedule.plan.row)))
        blocks = lanes * -(-batch // (lanes * most))
    rows = -(-batch // blocks)
    uneven = longest(align(rows), batch, lanes) > UNEVEN * longest(rows, batch, lanes)
    return rows if uneven and full_rows(schedule.program) else align(rows)


def longest(block: int, batch: int, lanes: int) -> int:
    """Rows of the first lane, which has the most."""
    count = -(-batch // block)
    whole = -(-count // lanes) * block
    return whole if (count - 1) % lanes else whole - (count * block - batch)  # without the last block, or with it
