"""Trains one member: the epoch that predicts its held-out rows best is kept, or one that all members have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.callbacks import Callback
from thalweg.callbacks.callback import Logs
from thalweg.models.model import Model
from thalweg.tabular.clock import Clock
from thalweg.tabular.course import Course
from thalweg.tabular.judge import Judge
from thalweg.tabular.scoring import shown

Array = NDArray[Any]

PATIENCE, GRACE = 2.5, 4
"""A training ends once its epoch, counted from 1, is at least PATIENCE·best + GRACE."""
SCORE = "held_out"
"""The name of the score in the records."""


class BestEpoch(Callback):
    """Judges the network after every epoch, and puts back the weights of the best one at the end.

    Args:
        bare: the network without the output's activation; it shares its weights.
        x: the held-out rows; without any the last weights stay.
        judge: scores outputs for them; `rows` are their numbers.
        clock: the time that is left. course: when this training has to end.
        lanes: cores to judge with.
        patience: epochs without a better one after which it ends; 0: never; None: by its best epoch.
        together: whether `agree` will choose the epoch, of those that are a power of two, or one and a half, and the
            last; then it doesn't end early unless patience says so.
        progress: called after each epoch with its number from 1, and the logs.
        loss: of outputs for the held-out rows, kept by epoch in `losses`; None: it isn't wanted.
    """

    def __init__(
        self,
        bare: Model,
        x: Array,
        rows: Array,
        judge: Judge,
        clock: Clock,
        course: Course,
        lanes: int,
        patience: int | None = None,
        together: bool = False,
        progress: Callable[[int, Logs], None] | None = None,
        loss: Callable[[Array], float] | None = None,
    ) -> None:
        self.patience, self.together, self.progress, self.loss = patience, together, progress, loss
        self.losses: list[float] = []
        self.bare, self.x, self.rows, self.judge, self.lanes = bare, x, rows, judge, lanes
        self.clock, self.course = clock, course
        self.best: tuple[float, ...] = (-np.inf,)
        self.best_epoch = 0  # counted from 1; 0: none was judged
        self.outputs: Array | None = None  # for the held-out rows, at the best epoch
        self.weights: Array | None = None
        self.latest: Array | None = None  # outputs for the held-out rows, the last time that they were judged
        self.ended = 0  # epochs
        self.judged = -1  # the steps done when it was judged last
        self.seen: dict[int, tuple[Array | None, Array]] = {}  # by epoch, to choose of: outputs and weights

    def on_train_begin(self, logs: Logs | None = None) -> None:
        network: Any = self.model
        self.vector: Array = network.vector
        self.clock.running.add(self.course)
        if self.clock.stopped:
            network.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        score = self.look(epoch + 1)
        self.ended = epoch + 1
        if self.together and is_milestone(epoch + 1):
            self.see()
        if score is not None and logs is not None:
            logs[SCORE] = shown(self.judge.metric, score)
        if self.best_epoch and self.vain(epoch + 1):
            self.model.stop_training = True
        if self.progress is not None:
            self.progress(epoch + 1, dict(logs or {}))

    def alone(self) -> None:
        """Lets go of what only the process in which it was trained has, so that it can be sent to another."""
        self.progress = self.loss = None
        self.clock = Clock(None)

    def vain(self, epoch: int) -> bool:
        """Whether to go on is unlikely to help."""
        if self.patience is not None:
            return 0 < self.patience <= epoch - self.best_epoch
        return not self.together and epoch >= PATIENCE * self.best_epoch + GRACE

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.clock.running.discard(self.course)
        if self.model.optimizer.iterations != self.judged:  # stopped within an epoch
            self.look(self.ended + 1, whole=False)
            self.ended += 1
        if self.together:
            self.see()
        if self.weights is not None:
            self.vector[...] = self.weights

    def look(self, epoch: int, whole: bool = True) -> float | None:
        """Judges the network as it is; keeps the weights if they are the best so far. whole: if the epoch has ended."""
        self.judged = self.model.optimizer.iterations
        if not len(self.x):
            self.best_epoch = 0
            return None
        outputs = self.latest = self.bare.predict(self.x, verbose=0, lanes=self.lanes)
        score = self.judge(self.rows, outputs)
        if self.loss is not None and whole:
            self.losses.append(self.loss(outputs))
        if score > self.best or self.outputs is None:
            self.best, self.best_epoch, self.outputs = score, epoch, outputs
            self.weights = self.vector.copy()
        return score[0]

    def see(self) -> None:
        """Remembers the network as it is."""
        self.seen[self.ended] = self.latest, self.vector.copy()

    def take(self, epoch: int) -> None:
        """Puts back the weights of this epoch, or of the last one before it that is remembered."""
        epoch = max((seen for seen in self.seen if seen <= epoch), default=min(self.seen))
        self.outputs, weights = self.seen[epoch]
        self.best_epoch = epoch
        self.best = (np.nan,) if self.outputs is None else self.judge(self.rows, self.outputs)
        self.vector[...] = weights


def is_milestone(epoch: int) -> bool:
    """Whether it is a power of two, or one and a half.

    >>> [epoch for epoch in range(1, 33) if is_milestone(epoch)]
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    """
    return any(part & (part - 1) == 0 for part in (epoch, *([epoch // 3] if epoch % 3 == 0 else [])))


def agree(watchers: Sequence[BestEpoch]) -> None:
    """All networks take one epoch: the one at which the rows that they hold out are predicted best, all together.

    A network that ended before takes its last one.
    """
    judge = watchers[0].judge
    epochs = sorted({epoch for watcher in watchers for epoch in watcher.seen})

    def score(epoch: int) -> tuple[float, ...]:
        for watcher in watchers:
            watcher.take(epoch)
        told = [(w.rows, w.outputs) for w in watchers if w.outputs is not None]
        if not told:
            return (float(epoch),)  # nothing is held out: the last
        return judge(np.concatenate([rows for rows, _ in told]), np.concatenate([z for _, z in told]))

    best = max(epochs, key=score)
    for watcher in watchers:
        watcher.take(best)
