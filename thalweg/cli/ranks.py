"""Commands that `mpiexec` has started several times: one of them prints and writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec

from thalweg.engine.ranks.world import Ranks, launched
from thalweg.errors import ArgumentError


@contextmanager
def among_ranks(fast_sums: bool = False) -> Iterator[Ranks | None]:
    """The ranks, of which all but the first are silent; None in a process that no launcher has started.

    One process that a launcher has started is a rank, too, so that it computes what several would.
    """
    if not launched() or (launched() == 1 and find_spec("mpi4py") is None):
        if fast_sums:
            raise ArgumentError("--fast-sums is for several processes: mpiexec -n 4 thalweg train …")
        yield None
        return
    with Ranks(fast_sums=fast_sums) as ranks:
        if ranks.first:
            yield ranks
            return
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
            yield ranks
