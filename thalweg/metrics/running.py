"""Means and sums of any values, for loops of one's own. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, ShapeError
from thalweg.metrics.metric import Array, Metric
from thalweg.ops.with_numpy import FloatResult

__all__ = ["Mean", "MeanMetricWrapper", "Sum"]


def by_row(
    values: ArrayLike, sample_weight: ArrayLike | None, reduce: Callable[..., Any]
) -> tuple[Array, Array | None]:
    """A weighted value for each row, and the weights, as Keras makes them: other axes are averaged, or summed."""
    v = np.asarray(values, np.float64)
    if sample_weight is None:
        return reduce(v, axis=tuple(range(1, v.ndim))), None
    w = np.asarray(sample_weight, np.float64)
    if w.ndim == v.ndim + 1 and w.shape[-1] == 1:
        w = w[..., 0]
    elif v.ndim == w.ndim + 1 and v.shape[-1] == 1:
        v = v[..., 0]
    own = tuple(range(1, w.ndim))
    if v.ndim > w.ndim:
        v = reduce(v, axis=tuple(range(w.ndim, v.ndim)))
    try:
        w = np.broadcast_to(w, v.shape)
    except ValueError:
        raise ShapeError(f"sample_weight has the shape {w.shape}, the values {v.shape}") from None
    return reduce(v * w, axis=tuple(range(1, v.ndim))), reduce(w, axis=own)


class Reduction(Metric):
    """Base of the running mean and the running sum of values."""

    reduce: Callable[..., Any]

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name or "")
        self.total, self.count = self.add_variable(name="total"), self.add_variable(name="count")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Adds values of any shape, each times its weight."""
        v, w = by_row(values, sample_weight, self.reduce)
        self.total.assign_add(v.sum())
        self.count.assign_add(v.size if w is None else w.sum())

    def __call__(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> float:  # type: ignore[override]
        """`update_state`, then `result`."""
        self.update_state(values, sample_weight)
        result: float = self.result()
        return result

    def unlogged(self) -> str | None:
        return "it reduces the values that a loop of your own gives it"

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Mean(Reduction):
    """The mean of the rows so far, each counted with its weight; 0 before the first. A row is the mean of its values.

    >>> losses = Mean(name="loss")
    >>> losses.update_state([1.0, 3.0])
    >>> losses.update_state(8.0)
    >>> losses.result()
    4.0
    """

    reduce = staticmethod(np.mean)
    formula = "Σ w·v/Σ w"
    range = "that of the values"
    use = "The loss of a training loop of your own."

    def result(self) -> float:
        return FloatResult(self.total / self.count if self.count else 0.0)


class Sum(Reduction):
    """The sum of all values so far, each times its weight.

    >>> Sum()([1.0, 3.0], sample_weight=[2.0, 1.0])
    5.0
    """

    reduce = staticmethod(np.sum)
    formula = "Σ w·v"
    range = "any number"
    use = "Counting, in a training loop of your own."

    def result(self) -> float:
        return FloatResult(self.total)


class MeanMetricWrapper(Metric):
    """The mean of what a function gives for each row: `fn(y_true, y_pred, **kwargs)`, in NumPy.

    >>> import numpy as np
    >>> within = MeanMetricWrapper(lambda y, p, most: np.abs(y - p) < most, "within", most=0.5)
    >>> within([1.0, 2.0], [1.2, 3.0])
    0.5
    """

    formula = "Σ w·fn(y, ŷ)/Σ w"
    range = "that of the function"
    use = "A score of your own, in a training loop of your own."

    def __init__(self, fn: Callable[..., ArrayLike], name: str | None = None, **kwargs: Any) -> None:
        if not callable(fn):
            raise ArgumentError(f"MeanMetricWrapper's fn is a function of y_true and y_pred, got {fn!r}")
        super().__init__(name=name or str(getattr(fn, "__name__", "")))
        self.mean, self.fn, self.arguments = Mean(), fn, kwargs

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self.mean.update_state(self.fn(np.asarray(y_true), np.asarray(y_pred), **self.arguments), sample_weight)

    def result(self) -> float:
        return self.mean.result()

    def reset_state(self) -> None:
        self.mean.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {"fn": self.fn, "name": self.name, **self.arguments}
