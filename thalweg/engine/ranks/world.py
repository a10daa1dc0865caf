"""The ranks that train together: who they are, what they have to agree on, and how they end."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from itertools import pairwise
from types import TracebackType
from typing import Any

import numpy as np

from thalweg.engine.contract import Array
from thalweg.engine.lanes import cores
from thalweg.engine.ranks.exchange import complete
from thalweg.errors import ArgumentError, RanksError
from thalweg.support.extras import need

# How launchers say how many processes they have started: MPICH and what derives from it, Open MPI, SLURM's srun.
LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
WHOLE = 64 << 20  # bytes of an array that are compared between ranks; of a larger one as many, in PARTS parts
PARTS = 1024
TOGETHER = 1.0  # seconds within which ranks with the same error find it
_current: ContextVar[Ranks | None] = ContextVar("ranks", default=None)


def launched() -> int:
    """How many processes the launcher says that it has started; 0 without one."""
    return max((int(os.environ[name]) for name in LAUNCHED if os.environ.get(name, "").isdigit()), default=0)


def current() -> Ranks | None:
    """The ranks among which this thread's trainings are divided, if there are."""
    return _current.get()


class Ranks:
    """The processes that `mpiexec` has started: within this context, `fit` trains one network on all of them.

    Every process calls `fit` with the same model, data and arguments. Each computes its share of every batch's rows,
    and all make the same update; what comes out has the same bits on any number of ranks, if the lanes are as many
    (`fit(…, lanes=8)`: 8 lanes in all). Where `first` is true is the place to print and to save. An error on any rank
    ends all of them.

    Args:
        comm: a communicator of mpi4py; by default MPI.COMM_WORLD.
        fast_sums: whether MPI sums the gradients, which sends less where ranks have several lanes; then the bits depend
            on the number of ranks.

    Raises:
        MissingPackageError: mpi4py isn't installed. RanksError: mpi4py's library isn't there, or isn't that of the
            launcher.
    """

    def __init__(self, comm: Any = None, fast_sums: bool = False) -> None:
        need("mpi4py", "mpi", "training on several ranks")
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise RanksError(
                f"mpi4py finds no MPI ({' '.join(str(error).split())}): install one beside it (pip install mpich), or "
                "load the cluster's (module load openmpi)"
            ) from None

        self.comm = (MPI.COMM_WORLD if comm is None else comm).Dup()
        self.number: int = self.comm.rank
        """This process's rank, from 0."""
        self.size: int = self.comm.size
        """How many ranks there are."""
        if comm is None and self.size == 1 and launched() > 1:
            library = MPI.Get_library_version().split("\n")[0].split(",")[0].strip()
            raise RanksError(
                f"the launcher started {launched()} processes, but mpi4py's library, {library}, finds one: install the "
                "MPI of the launcher, or use the mpiexec of that library"
            )
        self.fast_sums = fast_sums
        self.ending = self.comm.Dup()  # for what ranks say when they have failed
        self.common = False  # whether all ranks know of the error that ends them
        self.token: Token[Ranks | None] | None = None

    def __enter__(self) -> Ranks:
        self.token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.token is not None
        _current.reset(self.token)
        if error is None or self.size == 1:
            return
        if isinstance(error, SystemExit) and not error.code:
            return
        if not self.common and not self.all_have_failed():
            self.end(error)
        if not self.first:  # which says it for all, and whose exit code counts
            raise SystemExit(0) from None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within this context every rank's `fit` is its own."""
        token = _current.set(None)
        try:
            yield
        finally:
            _current.reset(token)

    @property
    def first(self) -> bool:
        """Whether this is the rank that prints and writes."""
        return self.number == 0

    def all_have_failed(self) -> bool:
        """Whether all ranks come here within a second, as when all have called something with a wrong argument."""
        request, until = self.ending.Ibarrier(), time.perf_counter() + TOGETHER
        while not (done := request.Test()) and time.perf_counter() < until:
            time.sleep(0.01)
        return bool(done)

    def end(self, error: BaseException) -> None:
        """Ends all ranks, which don't know of this error, with one sentence."""
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        sys.stdout.flush()
        said = f"rank {self.number} of {self.size} has failed, and with it all ranks: {said}"
        print(said, file=sys.__stderr__, flush=True)  # others than the first are silent in commands
        self.comm.Abort(1)

    def lanes(self, total: int) -> list[range]:
        """The lanes of each rank."""
        if total < self.size:
            raise ArgumentError(f"{total} lanes are too few for {self.size} ranks, each of which has one at least")
        places = [total * rank // self.size for rank in range(self.size + 1)]
        return [range(first, after) for first, after in pairwise(places)]

    def cores(self) -> int:
        """The cores of all ranks together; those of a machine are divided among its ranks, one each at least."""
        from mpi4py import MPI

        self.gather()
        everyones = self.comm.allgather((MPI.Get_processor_name(), cores()))
        machines = [name for name, _ in everyones]
        each: list[int] = [max(1, count // machines.count(name)) for name, count in everyones]
        return self.size * min(each)

    def gather(self) -> None:
        """Waits for all ranks, so that what they tell each other next takes no time."""
        complete(self.comm, self.comm.Ibarrier())

    def compare(self, facts: Mapping[str, Any]) -> None:
        """Raises, on every rank, unless all have brought the same facts; they are named in the sentence."""
        self.gather()
        everyones = self.comm.allgather(dict(facts))
        for rank, others in enumerate(everyones):
            for name, value in everyones[0].items():
                if others.get(name) != value:
                    self.common = True
                    shown = f" ({others.get(name)}, not {value})" if len(f"{value}") < 24 else ""
                    raise RanksError(
                        f"the {name} of rank {rank} differs from that of rank 0{shown}: all ranks call fit with the "
                        "same model, data and arguments"
                    )

    def agree(self, numbers: Any) -> Array:
        """(ranks, numbers): what every rank has brought, float64."""
        own = np.array(numbers, np.float64)
        everyones = np.empty((self.size, own.size))
        complete(self.comm, self.comm.Iallgather(own, everyones))
        return everyones

    def spread(self, *arrays: Array) -> None:
        """Gives every rank the first one's arrays, in place."""
        self.gather()
        for array in arrays:
            self.comm.Bcast(array.view(np.uint8) if array.size else np.empty(0, np.uint8))

    def told(self, value: Any) -> Any:
        """What the first rank has brought."""
        self.gather()
        return self.comm.bcast(value)


def digest(array: Array) -> str:
    """A short text that says what is in an array: of one of more than 64 MB, in 1,024 parts of it."""
    mark = hashlib.blake2b(f"{array.shape} {array.dtype}".encode(), digest_size=12)
    flat = np.ascontiguousarray(array).reshape(-1) if array.nbytes <= WHOLE else array.reshape(-1)
    if array.nbytes <= WHOLE:
        mark.update(flat.view(np.uint8).data)
    else:
        each = WHOLE // array.itemsize // PARTS
        for part in range(PARTS):
            first = (flat.size - each) * part // (PARTS - 1)
            mark.update(np.ascontiguousarray(flat[first : first + each]).view(np.uint8).data)
    return mark.hexdigest()
