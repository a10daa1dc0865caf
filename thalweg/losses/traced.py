"""Losses of one's own: functions of `y_true` and `y_pred`, written in `thalweg.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg.losses.loss import Loss
from thalweg.support.arguments import arguments
from thalweg.support.checks import Function


@arguments
class FunctionLoss(Loss):
    """A function of y_true and y_pred, written in `thalweg.ops`: one number a row, or the mean over all.

    >>> from thalweg import ops
    >>> FunctionLoss(lambda y_true, y_pred: ops.square(y_true - y_pred))([[1.0]], [[3.0]])
    4.0
    """

    function: Function

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", "loss"))

    @property
    def call(self) -> Callable[..., Any]:
        """The function."""
        return self.function
