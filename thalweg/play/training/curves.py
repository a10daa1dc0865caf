"""Loss and metric by epoch, as a page draws them: the newest points, and never too many."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST = 2_000


class Curves:
    """Points by epoch. When there are too many, every other one is dropped and the page begins again.

    >>> curves = Curves("accuracy")
    >>> curves.add(0, {"loss": 1.0, "accuracy": 0.5}, None)
    >>> curves.unsent()["from"], curves.unsent()
    (0, None)
    """

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.points: list[tuple[float, ...]] = []
        self.sent = 0  # points that the page has

    def add(self, epoch: float, train: dict[str, Any], held: dict[str, Any] | None) -> None:
        """A point, from the scores of training and validation."""
        logs = [train, held or {}]
        values = [float(log.get(key, np.nan)) for log in logs for key in ("loss", self.metric)]
        self.points.append((epoch, *values))
        if len(self.points) > MOST:
            self.points = self.points[::2]
            self.sent = 0

    def unsent(self) -> dict[str, Any] | None:
        """What the page lacks; None if nothing."""
        first, self.sent = self.sent, len(self.points)
        if first == self.sent:
            return None
        epochs, loss, metric, held_loss, held_metric = np.array(self.points[first:], np.float32).T
        found = {"from": first, "epochs": epochs, "loss": loss, "metric": metric, "metric_name": self.metric}
        if not np.isnan(held_loss).all():
            found |= {"val_loss": held_loss, "val_metric": held_metric}
        return found

    def history(self, begun: int) -> dict[str, list[Any]]:
        """The points of the epochs after the first `begun`, as the history of a fit."""
        rows = [point for point in self.points if point[0] > begun]
        found: dict[str, list[Any]] = {"epoch": [int(point[0]) - begun - 1 for point in rows]}
        keys = ("loss", self.metric, "val_loss", f"val_{self.metric}")
        for place, key in enumerate(keys, start=1):
            values = [point[place] for point in rows]
            if not all(np.isnan(value) for value in values):
                found[key] = values
        return found
