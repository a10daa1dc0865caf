"""A training in cycles: each sees twice as many rows, and ends at a learning rate of 0, where networks compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from thalweg.callbacks import LambdaCallback
from thalweg.models.model import Model
from thalweg.schedules import FlatCos, LearningRateSchedule, Rates
from thalweg.tabular.blueprint import FLAT, RATE
from thalweg.tabular.qualities import Settings

FIRST_VISITS = 10_000  # rows seen in the first cycle, if there are enough …
MOST_EPOCHS = 4  # … and otherwise so many epochs
LEAST_CYCLES, MOST_CYCLES = 4, 6
FULL_EPOCHS = 5  # all cycles together should see each row as often, unless they would be more than MOST_CYCLES


@dataclass(frozen=True)
class Cycles:
    """How many rows are seen in the first cycle, and how many cycles there are.

    >>> cycles = Cycles.of(30_000)
    >>> [cycles.rows_and_epochs(number, 30_000) for number in range(cycles.count)]
    [(10000, 1), (20000, 1), (30000, 1), (30000, 3)]
    >>> Cycles.of(200)
    Cycles(visits=800, count=4)
    """

    visits: int
    count: int

    @classmethod
    def of(cls, rows: int) -> Cycles:
        """The cycles for so many training rows."""
        visits = max(1, min(FIRST_VISITS, MOST_EPOCHS * rows))
        wanted = math.ceil(math.log2(FULL_EPOCHS * rows / visits + 1))
        return cls(visits, min(max(wanted, LEAST_CYCLES), MOST_CYCLES))

    def rows_and_epochs(self, number: int, rows: int) -> tuple[int, int]:
        """The rows that this cycle sees, of so many, and how often."""
        visits = self.visits << number
        seen = min(rows, visits)
        return seen, max(1, round(visits / seen))


class Cycle(LearningRateSchedule):
    """The learning rates of one cycle, whose first step is `first`."""

    def __init__(self, learning_rate: float, first: int, steps: int) -> None:
        self.course, self.first = FlatCos(learning_rate, steps, flat=FLAT), first

    def value(self, step: Rates) -> Any:
        return self.course.value(step - self.first)


def train(
    model: Model, settings: Settings, x: NDArray[Any], y: NDArray[Any], cycles: Cycles, stopped: Callable[[], bool]
) -> Iterator[list[dict[str, Any]]]:
    """Trains cycle by cycle, and yields the records of its epochs after each; ends early once `stopped`.

    The learning rate of a cycle is flat for half of its steps, then falls to 0 along half a cosine. Rows are taken from
    the start: they should be in random order.
    """

    def begin(logs: Any) -> None:
        if stopped():
            model.stop_training = True

    watch = [LambdaCallback(on_train_begin=begin)]
    for number in range(cycles.count):
        rows, epochs = cycles.rows_and_epochs(number, len(x))
        batch = settings.batch_of(rows)
        optimizer, steps = model.optimizer, epochs * math.ceil(rows / batch)
        optimizer.set_learning_rate(Cycle(settings.learning_rate or RATE, optimizer.iterations, steps))
        history = model.fit(x[:rows], y[:rows], batch, epochs, verbose=0, lanes=1, callbacks=watch)
        if stopped():
            return
        yield history.records()
