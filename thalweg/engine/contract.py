"""What an engine can do, what it is given and what it returns: the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg.program.ir.alignment import ALIGNMENT
from thalweg.program.ir.instruction import FIRST_METRIC, LOSS, PENALTY, ROWS, Buffer, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Pass, Request

Array = NDArray[Any]


class Plan(NamedTuple):
    """How an engine runs a program: what is executed, in order, each with its phase, and some numbers by name."""

    instructions: Sequence[tuple[str, Instruction]]
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Engine:
    """An engine by what models and lowering have to know of it. `thalweg.engine.ENGINES` has all of them, by name."""

    executor: Callable[[Job], Executor]  # binds it to a job
    passes: Sequence[Pass]  # in the order they run
    dtypes: Sequence[str]  # of the weights, in which it computes
    predictor: Callable[..., Any] | None = None  # prepares the prediction of a few rows, if it can do that
    most_lanes: Callable[[Program, int], int] | None = None  # that gain by a step of so many rows; None: has one lane
    small_batch: int = 1  # batches of fewer rows get another program
    splits: Callable[[Program, Request], bool] = lambda program, request: False  # whether lanes share a layer's inputs
    plan: Callable[[Program, int, int], Plan] | None = None  # how a batch is run by lanes; None: in the program's order
    origin: Callable[[Instruction], str] | None = None  # how what computes an instruction is made, and why so
    package: str = ""  # the one it needs, which is the extra of the same name
    stores_at_once: bool = True  # whether a step sees what the one before it has stored in the data
    steps_together: Callable[[], int | None] = lambda: None  # steps of a chunk, if that mustn't depend on the clock

    def common(self, request: Request, lower: Callable[[Request], Program]) -> Request:
        """The request that represents all with the same program: few batch sizes and lane counts make a difference.

        Whether lanes share the first layer's inputs is decided from the program in which they don't.
        """
        common = replace(request, batch=1 if request.batch < self.small_batch else self.small_batch, lanes=1)
        return request if request.lanes > 1 and self.splits(lower(common), request) else common


class States(dict[str, Array]):
    """What the rows of a batch begin with, by the names under which a program knows it; updated in place.

    Args:
        states: (rows, …) each. owner: who keeps them, in messages.
    """

    def __init__(self, states: Mapping[str, Array] | None = None, owner: str = "") -> None:
        super().__init__(states or {})
        self.owner = owner
        self.before: list[Array] = []

    @property
    def rows(self) -> int:
        """The rows of a batch."""
        return len(next(iter(self.values())))

    def note(self) -> None:
        """Notes what they are now."""
        self.before = [np.copy(array) for array in self.values()]

    def undo(self) -> None:
        """Goes back to what was noted: the last run didn't count."""
        for array, before in zip(self.values(), self.before, strict=False):
            array[...] = before


class Ranks(Protocol):
    """Processes that run a job together, each some of its lanes; see `thalweg.engine.ranks`."""

    number: int  # of this process, from 0
    size: int

    def lanes(self, total: int) -> list[range]:
        """The lanes of each process."""
        ...

    def cores(self) -> int:
        """The cores of all of them together, one for each process at least."""
        ...


@dataclass
class Job:
    """A program with everything it works on, for any number of chunks.

    `data` maps the names of the DATA buffers (X, Y, weights, Y_pred) to contiguous arrays of shape (rows, …) and of the
    engine's float type; X may be bytes, if the program gathers bytes. They may hold a stretch of an epoch's rows, from
    its place `first` on; then no chunk leaves it, and rows come as they lie. `parameters` and `slots` are updated in
    place.
    """

    program: Program
    data: Mapping[str, Array]
    rows: int
    batch: int
    parameters: Array
    slots: Array
    totals: int = FIRST_METRIC
    seed: int = 0
    shuffle: bool = False
    ordered: bool = False  # whether its chunks say in which order the rows of their epochs come
    lanes: int = 1
    by_step: bool = False  # whether outcomes hold the loss of each step
    ranks: Ranks | None = None  # the processes among which the lanes are divided
    first: int = 0  # the place in the epoch of the first row of the data
    states: States = field(default_factory=lambda: States())  # with which the first batch begins

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the last one possibly smaller."""
        return -(-self.rows // self.batch)

    @property
    def one_batch(self) -> bool:
        """Whether every batch is the whole data set: then its order doesn't matter and isn't drawn."""
        return self.steps_per_epoch == 1


@dataclass(frozen=True)
class Chunk:
    """A run of steps, starting at batch `batch` of epoch `epoch`; it may extend across epochs."""

    epoch: int
    batch: int
    steps: int
    iteration: int  # optimizer steps done before
    learning_rates: Array  # one per step, float64; of a step of several programs, a row with one for each
    penalties: Array | None = None  # the factor of the l1 and l2 penalties on weights in each step; 1 if None
    order: Array | None = None  # the row numbers (int64) of the epoch, which the chunk then doesn't leave
    watched: bool = False  # whether the gradients of its last step are kept, for `Executor.gradient`

    def part(self, first: int, after: int) -> Chunk:
        """Its steps first … after − 1 on their own; epoch and batch are still those of the first step."""
        penalties = None if self.penalties is None else self.penalties[first:after]
        return replace(
            self,
            steps=after - first,
            iteration=self.iteration + first,
            learning_rates=self.learning_rates[first:after],
            penalties=penalties,
        )

    def numbers(self) -> Array:
        """(steps, 2): the learning rate and the factor of the penalties in each step."""
        result = np.ones((self.steps, 2))
        if len(self.learning_rates):
            result[:, 0] = self.learning_rates
        if self.penalties is not None:
            result[:, 1] = self.penalties
        return result


@dataclass
class Outcome:
    """What a chunk did. If `finite` is false, it stopped *before* the update of a step whose loss was not finite."""

    steps: int
    records: Array  # (epochs that ended in the chunk, totals): their running sums
    finite: bool
    totals: Array  # the running sums of the current epoch
    losses: Array | None = None  # (steps, 2), what each step added to LOSS and PENALTY, if the job asks for it


class Executor(Protocol):
    """An engine bound to a job."""

    def run(self, chunk: Chunk) -> Outcome:
        """Executes a chunk."""
        ...

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Mapping[Buffer, Array]]]:
        """Executes the first step of a chunk one instruction and one block at a time, the update included.

        Yields each instruction once it is done, with a mapping from buffers to their values.
        """
        ...

    def gradient(self) -> Array:
        """The gradients of the last step of a watched chunk, laid out like the parameters: a view.

        They are as the optimizer got them: with penalties, and clipped if it clips.
        """
        ...

    def rebind(self, job: Job) -> bool:
        """Switches to a job that differs only in its data and numbers of rows; returns False if it can't."""
        ...

    def restart(self) -> None:
        """Forgets the running sums of the current epoch, so that another stretch of it can begin."""
        ...

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        """Seconds each instruction of the program takes in the first step of a chunk: the least of `repeats` runs."""
        ...


def added(running: Array, before: Array, batch: int, per_epoch: int) -> Array:
    """What each step added to running sums (steps, sums) that start over with every epoch.

    before: the sums (sums,) before the first step, which is batch `batch` of its epoch.
    """
    earlier = np.concatenate([before[None], running[:-1]])[: len(running)]
    earlier[(batch + np.arange(len(running))) % per_epoch == 0] = 0
    result: Array = running - earlier
    return result


def mean_loss(totals: Array) -> Array:
    """The mean loss over the counted rows, penalties included; totals: (sums, …)."""
    result: Array = (totals[LOSS] + totals[PENALTY]) / totals[ROWS]
    return result


def aligned(elements: int, dtype: Any = np.float32) -> Array:
    """Zeros that start at a cache line."""
    itemsize = np.dtype(dtype).itemsize
    line = ALIGNMENT * 4
    raw = np.zeros(elements * itemsize + line, np.uint8)
    start = -raw.ctypes.data % line
    return raw[start : start + elements * itemsize].view(dtype)
