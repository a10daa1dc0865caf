"""Trainings that run side by side, and can be stopped at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from thalweg.experiments.ledger import Ledger
from thalweg.experiments.population import side_by_side
from thalweg.experiments.trial_storage import OutageError
from thalweg.models.model import Model

if TYPE_CHECKING:
    from optuna import Trial

LOOK = 0.1  # seconds from one look at the clock to the next
WAIT = 0.5  # and at what other processes train


class Running:
    """The trainings that run now, so that they can be stopped at once."""

    def __init__(self) -> None:
        self.stopped = Event()
        self.models: set[Model] = set()

    @contextmanager
    def follow(self, model: Model) -> Iterator[None]:
        """While this context is open, the model is among them."""
        self.models.add(model)
        try:
            yield
        finally:
            self.models.discard(model)

    def stop(self) -> None:
        """Ends all trainings after their running chunk of steps."""
        self.stopped.set()
        for model in list(self.models):
            model.stop_training = True


def on_lanes(work: Callable[[], None], lanes: int, running: Running, look: Callable[[], bool]) -> None:
    """`work` on several threads at once. Now and then `look` is called: if it returns True, the trainings end.

    Raises:
        the first error of a thread, or KeyboardInterrupt, after all have ended.
    """
    ended = Event()

    def watch() -> None:
        while not ended.wait(LOOK):
            if look():
                running.stop()

    def guarded() -> None:
        try:
            work()
        except BaseException:
            running.stop()
            raise

    watcher = Thread(target=watch, name="thalweg-watch", daemon=True)
    watcher.start()
    try:
        side_by_side([guarded] * lanes, lanes, running.stop)
    finally:
        ended.set()
        watcher.join()


def share(
    ledger: Ledger, budget: int | None, work: Callable[[], None], lanes: int, running: Running, look: Callable[[], bool]
) -> None:
    """`work` on several threads, until `budget` trials of all processes are done, or the trainings end; takes over the
    trials of processes that die meanwhile."""
    ledger.stopped = running.stopped
    while True:
        on_lanes(work, lanes, running, look)
        if running.stopped.is_set() or ledger.over(budget):
            return
        running.stopped.wait(WAIT)


@contextmanager
def given_back(ledger: Ledger, trial: Trial) -> Iterator[None]:
    """An error within this context gives the trial back."""
    try:
        yield
    except BaseException:
        with suppress(OutageError):  # then the others take this process for dead
            ledger.give_back(trial)
        raise
