"""Intersection over union of classes, from a table that counts them. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, ShapeError
from thalweg.metrics.metric import Array, Metric
from thalweg.ops.with_numpy import FloatResult
from thalweg.support.checks import number, whole

__all__ = ["BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]
EPSILON = 1e-7  # beside what is divided by, as in Keras


class Overlap(Metric):
    """Base of the metrics of overlap: a table of how often each class was taken for each."""

    formula = "mean of TP/(TP + FP + FN) over the classes that occur"
    range = "0 to 1; 1 is perfect"
    use = "Pixels of segmented images: how well the areas of a class coincide."
    higher_is_better = True

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int] | None,
        name: str | None,
        ignore_class: int | None,
        sparse_y_true: bool,
        sparse_y_pred: bool,
        axis: int,
    ) -> None:
        super().__init__(name=name or "")
        kind = type(self).__name__
        self.num_classes = whole(f"{kind}'s num_classes", num_classes)
        every = range(self.num_classes) if target_class_ids is None else target_class_ids
        self.target_class_ids = [whole(f"{kind}'s target_class_ids", k, 0) for k in every]
        if max(self.target_class_ids, default=0) >= self.num_classes:
            raise ArgumentError(
                f"{kind}'s target_class_ids has {max(self.target_class_ids)}, of {self.num_classes} classes from 0"
            )
        self.ignore_class = ignore_class
        self.sparse_y_true, self.sparse_y_pred, self.axis = sparse_y_true, sparse_y_pred, axis
        self.total_cm = self.add_variable((self.num_classes, self.num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Counts classes. Those that are out of range, or `ignore_class` among the targets, don't count."""
        y = np.asarray(y_true) if self.sparse_y_true else np.argmax(y_true, self.axis)
        p = self.classes(np.asarray(y_pred))
        y, p = (np.trunc(a).astype(np.int64).reshape(-1) for a in (y, p))
        if len(y) != len(p):
            raise ShapeError(
                f"{type(self).__name__} got {len(y)} classes in y_true and {len(p)} in y_pred: sparse_y_pred=False and "
                "sparse_y_true=False say that there is a probability for each class"
            )
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64).reshape(-1)
        weights = np.broadcast_to(weights, y.shape)
        kept = (y >= 0) & (y < self.num_classes) & (p >= 0) & (p < self.num_classes)
        if self.ignore_class is not None:
            kept &= y != self.ignore_class
        places = y[kept] * self.num_classes + p[kept]
        counts = np.bincount(places, weights[kept], self.num_classes**2)
        self.total_cm.assign_add(counts.reshape(self.num_classes, self.num_classes))

    def classes(self, y_pred: Array) -> Array:
        """The class numbers of the predictions."""
        return y_pred if self.sparse_y_pred else y_pred.argmax(self.axis)

    def result(self) -> float:
        """The mean over the target classes that have occurred, in targets or predictions; 0 if none has."""
        table = np.asarray(self.total_cm)[:]
        both = np.diag(table)
        either = (table.sum(0) + table.sum(1) - both)[self.target_class_ids]
        there = either > 1e-9
        shares = np.where(there, both[self.target_class_ids] / (either + EPSILON), 0.0)
        return FloatResult(shares.sum() / (there.sum() + EPSILON))

    def get_config(self) -> dict[str, Any]:
        config = {
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "name": self.name,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }
        return {key: value for key, value in config.items() if key not in self.fixed}

    fixed: tuple[str, ...] = ()
    """What the class decides."""


class IoU(Overlap):
    """Intersection over union of some classes, given as class numbers: the mean of TP/(TP + FP + FN).

    Args:
        num_classes: how many classes there are.
        target_class_ids: those that are looked at.
        name: the key in the history.
        ignore_class: a class of the targets that doesn't count, such as 255 for "no class".
        sparse_y_true, sparse_y_pred: whether they are class numbers; if False, a number for each class, along `axis`.
        axis: the axis of the classes.

    Source: Jaccard 1912.

    >>> round(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, ignore_class, sparse_y_true, sparse_y_pred, axis)


class BinaryIoU(Overlap):
    """Intersection over union of two classes, given as one probability or logit: class 1 from `threshold` on.

    Args:
        target_class_ids: (0,), (1,), or both, whose mean is taken.
        threshold: where class 1 begins.
        name: the key in the history.

    >>> round(BinaryIoU((0, 1), threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
    0.3333
    """

    fixed = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5, name: str | None = None
    ) -> None:
        super().__init__(2, target_class_ids, name, None, True, True, -1)
        self.threshold = number("BinaryIoU's threshold", threshold, -np.inf)

    def classes(self, y_pred: Array) -> Array:
        return y_pred >= self.threshold

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"threshold": self.threshold}


class MeanIoU(Overlap):
    """The mean intersection over union of all classes.

    Args:
        num_classes, name, ignore_class, sparse_y_true, sparse_y_pred, axis: see `IoU`.

    >>> round(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    fixed = ("target_class_ids",)

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, None, name, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(Overlap):
    """Intersection over union of some classes, of one-hot targets.

    Args:
        num_classes, target_class_ids, name, ignore_class, sparse_y_pred, axis: see `IoU`.

    >>> round(OneHotIoU(2, [1])([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]), 4)
    0.5
    """

    fixed = ("sparse_y_true",)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(Overlap):
    """The mean intersection over union of all classes, of one-hot targets.

    Args:
        num_classes, name, ignore_class, sparse_y_pred, axis: see `IoU`.

    >>> round(OneHotMeanIoU(2)([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]), 4)
    0.25
    """

    fixed = ("target_class_ids", "sparse_y_true")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, None, name, ignore_class, False, sparse_y_pred, axis)
