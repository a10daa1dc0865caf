"""Losses of one's own: functions of `y_true` and `y_pred`, written in `thalweg.ops`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.losses.loss import Loss


@dataclass(frozen=True)
class FunctionLoss(Loss):
    """A function of y_true and y_pred, written in `thalweg.ops`: one number a row, or the mean over all.

    >>> from thalweg import ops
    >>> FunctionLoss(lambda y_true, y_pred: ops.square(y_true - y_pred))([[1.0]], [[3.0]])
    4.0
    """

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ArgumentError(f"a loss is a function of y_true and y_pred, got {self.function!r}")

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", "loss"))

    @property
    def call(self) -> Callable[..., Any]:
        """The function."""
        return self.function

    def get_config(self) -> dict[str, Any]:
        return {"function": self.name, "reduction": self.reduction}
