"""Which epoch's weights a training on images keeps."""

from __future__ import annotations

import math
from typing import Any

from thalweg.callbacks import Callback

MONITOR = "val_accuracy"


class BestEpoch(Callback):
    """Restores at the end the weights of the latest epoch that is as good as the best, as far as can be told.

    That is the latest whose validation accuracy is within one standard error, √(p (1 − p) / rows), of the highest p.
    The highest alone, or the lowest loss, is often an early epoch's by luck: of 80 rows, one more is right, while the
    learning rate was still high (cf. the one-standard-error rule: Breiman, Friedman, Olshen, Stone 1984).

    Args:
        rows: how many there are to validate on.

    Attributes:
        epoch: the epoch kept, the first being 1; 0 before the first has ended.
        score: its validation accuracy.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.highest = 0.0
        self.candidates: list[tuple[int, float, list[Any]]] = []  # epoch, accuracy, weights; accuracies fall

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        accuracy = float((logs or {})[MONITOR])
        self.highest = max(self.highest, accuracy)
        least = self.highest - standard_error(self.highest, self.rows)
        better = [one for one in self.candidates if one[1] > accuracy]  # a later one that is as good replaces others
        self.candidates = [one for one in [*better, (epoch + 1, accuracy, self.model.get_weights())] if one[1] >= least]

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.candidates:
            self.model.set_weights(self.candidates[-1][2])

    @property
    def epoch(self) -> int:
        return self.candidates[-1][0] if self.candidates else 0

    @property
    def score(self) -> float:
        return self.candidates[-1][1] if self.candidates else math.nan


def standard_error(share: float, rows: int) -> float:
    """√(p (1 − p) / rows), with a right and a wrong row more (Laplace), so that it isn't 0 where all are right.

    >>> round(standard_error(1.0, 18), 3), round(standard_error(0.9, 80), 3)
    (0.051, 0.035)
    """
    p = (share * rows + 1) / (rows + 2)
    return math.sqrt(p * (1 - p) / rows)
