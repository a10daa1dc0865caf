"""Programs that will probably run soon. If kernels have to be compiled, those of these programs are compiled along with
them: several at once, and by processes that have already started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from thalweg.errors import ThalwegError
from thalweg.program.ir.program import Program


@dataclass(frozen=True, eq=False)
class Expected:
    """What makes the programs, which is only called if something has to be compiled.

    watched: whether the training is recorded.
    """

    programs: Callable[[], Iterable[Program]]
    watched: bool = False


_all: list[Expected] = []


@contextmanager
def expecting(programs: Callable[[], Iterable[Program]], watched: bool = False) -> Iterator[None]:
    """Within it, programs are expected by all threads."""
    entry = Expected(programs, watched)
    _all.append(entry)
    try:
        yield
    finally:
        _all.remove(entry)


def expected() -> tuple[list[Program], bool]:
    """The programs, and whether a training is recorded."""
    entries, programs = list(_all), list[Program]()
    for entry in entries:
        try:
            programs += entry.programs()
        except ThalwegError:  # whoever runs it is told
            continue
    return programs, any(entry.watched for entry in entries)
