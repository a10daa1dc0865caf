"""Trains one member: the epoch that predicts its held-out rows best is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.callbacks import Callback
from thalweg.callbacks.callback import Logs
from thalweg.models.model import Model
from thalweg.tabular.clock import Clock
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
        clock: the time that is left.
        lanes: cores to judge with.
        patience: epochs without a better one after which it ends; 0: never; None: by its best epoch.
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
        lanes: int,
        patience: int | None = None,
        progress: Callable[[int, Logs], None] | None = None,
        loss: Callable[[Array], float] | None = None,
    ) -> None:
        self.patience, self.progress, self.loss = patience, progress, loss
        self.losses: list[float] = []
        self.bare, self.x, self.rows, self.judge, self.clock, self.lanes = bare, x, rows, judge, clock, lanes
        self.best: tuple[float, ...] = (-np.inf,)
        self.best_epoch = 0  # counted from 1; 0: none was judged
        self.outputs: Array | None = None  # for the held-out rows, at the best epoch
        self.weights: Array | None = None
        self.judged = -1  # the steps done when it was judged last

    def on_train_begin(self, logs: Logs | None = None) -> None:
        network: Any = self.model
        self.vector: Array = network.vector
        self.clock.running.add(network)
        if self.clock.stopped:
            network.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        score = self.look(epoch + 1)
        if score is not None and logs is not None:
            logs[SCORE] = shown(self.judge.metric, score)
        if self.best_epoch and self.vain(epoch + 1):
            self.model.stop_training = True
        if self.progress is not None:
            self.progress(epoch + 1, dict(logs or {}))

    def vain(self, epoch: int) -> bool:
        """Whether to go on is unlikely to help."""
        if self.patience is not None:
            return 0 < self.patience <= epoch - self.best_epoch
        return epoch >= PATIENCE * self.best_epoch + GRACE

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.clock.running.discard(self.model)
        if self.model.optimizer.iterations != self.judged:  # stopped within an epoch
            self.look(self.best_epoch + 1)
        if self.weights is not None:
            self.vector[...] = self.weights

    def look(self, epoch: int) -> float | None:
        """Judges the network as it is; keeps the weights if they are the best so far."""
        self.judged = self.model.optimizer.iterations
        if not len(self.x):
            self.best_epoch = 0
            return None
        outputs = self.bare.predict(self.x, verbose=0, lanes=self.lanes)
        score = self.judge(self.rows, outputs)
        if self.loss is not None and len(self.losses) < epoch:
            self.losses.append(self.loss(outputs))
        if score > self.best or self.outputs is None:
            self.best, self.best_epoch, self.outputs = score, epoch, outputs
            self.weights = self.vector.copy()
        return score[0]
