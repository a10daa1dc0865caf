"""The layout of the tables that the machine reads: a program's rows and constants, and a lane's job."""

ROW_WIDTH = 24  # int64 in a row of the table: three cache lines
CONSTANTS = 12  # float64 in a row of the constants

# Indices in a job. PREPARE … COLLECT count the instructions of each phase; the gathers come first among the rows.
# PREPARED: whether the lanes share something that is prepared. SEGMENTS: the address of three numbers for each segment
# of the finish: instructions, whether sliced, whether due. SLICES: the address of (first, after, back) for each slice
# of the parameter vector that this lane finishes at a time; its gradient lies `back` floats before its regular place.
# CELLS: the address of the addresses of the table's operands that point to gradients. LINES: the address of the
# addresses of the cache lines of weights that this lane updates; EACH of them are requested from the other cores before
# every instruction of the rows phase from index FREE in the table on, from where no lane reads weights.
# TOTALS_SIZE counts a lane's running sums with the gap to the next lane's, SUMS without.
# THREADS: how many threads may run the lanes in this call. The first waits PATIENCE ticks for the others. It has an
# ACCOUNT of ticks: each step together adds GAIN, up to MOST, and long waits (their total: WAITED) are deducted; when it
# is overdrawn, the first dismisses the others. It reports steps and ticks TOGETHER, and ticks ALONE.
# OWN lanes from FIRST_LANE on are run by this process: all, unless other processes run the rest. Then ELSEWHERE is the
# address of a function that the first thread calls with the number of the meeting when all of the process's lanes have
# come, and which returns when they have what the others have computed. Every process prepares what lanes share, and
# finishes the step, for all lanes.
# LOSSES: the address of two float64 for each step, this lane's running sums of loss and penalty after it; 0 for none.
(
    JOB_TABLE, JOB_CONSTANTS, JOB_STATE, JOB_REALS, JOB_PREPARE, JOB_GATHERS, JOB_ROWS, JOB_COLLECT, JOB_SEGMENTS,
    JOB_SEGMENT_COUNT, JOB_EVERY, JOB_LANE, JOB_LANES, JOB_DATA_ROWS, JOB_BATCH, JOB_BLOCK, JOB_EPOCH,
    JOB_FIRST_BATCH, JOB_STEPS, JOB_ITERATION, JOB_SEED, JOB_SHUFFLE, JOB_ORDER, JOB_TOTALS, JOB_TOTALS_SIZE,
    JOB_RECORDS, JOB_SLICES, JOB_BARRIER, JOB_DONE, JOB_FINITE, JOB_LOSS, JOB_COUNTED, JOB_SELF, JOB_THREADS,
    JOB_MEETINGS, JOB_CUTS, JOB_SLICE_COUNT, JOB_STRIDE, JOB_PREPARED, JOB_CELLS, JOB_CELL_COUNT,
    JOB_LINES, JOB_LINE_COUNT, JOB_EACH, JOB_FREE, JOB_SUMS, JOB_PATIENCE, JOB_ACCOUNT, JOB_GAIN, JOB_MOST,
    JOB_WAITED, JOB_TOGETHER, JOB_TICKS_TOGETHER, JOB_TICKS_ALONE, JOB_LOSSES, JOB_PENALTY, JOB_FIRST_LANE,
    JOB_OWN, JOB_ELSEWHERE,
) = range(59)  # fmt: skip
JOB_SIZE = 64  # whole cache lines

# What the threads share at BARRIER, each number in a cache line of its own: a count of arrivals at meetings, the call
# of the first thread, and for each other lane's thread whether it has come.
WORD = 8  # int64 from one number to the next
MET, CALL, COME = 0, 8, 8  # COME + 8·lane
DISMISSED = -1  # CALL: 0 (wait), step + 1 (begin at this step), or DISMISSED
HERE, CLOSED = 1, 2  # COME: added by the thread when it comes, and by the first when it no longer waits for it
