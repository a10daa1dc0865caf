"""Callbacks that watch a number in the logs, and stop the training or change the learning rate."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Annotated, Any

from thalweg.callbacks.callback import Callback, Logs, Model
from thalweg.errors import ArgumentError
from thalweg.support.arguments import Checked, arguments
from thalweg.support.checks import Amount, Function, Index, Share, number, one_of
from thalweg.support.printing import out

MODES = ("auto", "min", "max")
Mode = Annotated[str, Checked(one_of(*MODES))]


def improvement(monitor: str, mode: str, model: Model) -> Callable[[float, float], bool]:
    """(new, best) → whether new is better; with "auto" the model's metric of that name decides."""
    if mode == "auto":
        name = monitor.removeprefix("val_")
        higher = any(named.metric.higher_is_better for named in model.metrics if named.key == name)
        mode = "max" if higher or "accuracy" in name else "min"
    return (lambda new, best: new > best) if mode == "max" else (lambda new, best: new < best)


def monitored(callback: str, monitor: str, logs: Logs | None) -> float:
    """The monitored number; a name that isn't logged raises and lists those that are."""
    logs = logs or {}
    if monitor not in logs:
        validated = any(name.startswith("val_") for name in logs)
        hint = " (give fit validation data)" if monitor.startswith("val_") and not validated else ""
        raise ArgumentError(f"{callback} monitors {monitor!r}, which isn't logged{hint}; logged: {', '.join(logs)}")
    return float(logs[monitor])


@arguments
class EarlyStopping(Callback):
    """Stops when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    Args:
        monitor: a name in the logs.
        min_delta: what counts as an improvement.
        patience: epochs to wait.
        verbose: 1 reports when it stops.
        mode: "min", "max", or "auto": as the metric of that name says; for anything else, less is better.
        baseline: a value that an improvement also has to beat.
        restore_best_weights: whether to restore the weights of the best epoch at the end.
        start_from_epoch: the number of epochs to ignore first.
    """

    monitor: str = "val_loss"
    min_delta: Annotated[float, Checked(lambda what, value: abs(number(what, value, -math.inf)))] = 0
    patience: Index = 0
    verbose: int = 0
    mode: Mode = "auto"
    baseline: float | None = None
    restore_best_weights: bool = False
    start_from_epoch: Index = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.better = improvement(self.monitor, self.mode, self.model)
        self.sign = 1.0 if self.better(0.0, 1.0) else -1.0  # +1 when lower is better
        self.wait = 0
        self.stopped_epoch = 0
        self.best = self.sign * math.inf
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch < self.start_from_epoch:
            return
        current = monitored("EarlyStopping", self.monitor, logs)
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.better(current + self.sign * self.min_delta, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(current + self.sign * self.min_delta, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            out(f"Epoch {self.stopped_epoch + 1}: early stopping; the best epoch was {self.best_epoch + 1}")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


@arguments
class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` if `monitor` hasn't improved by over `min_delta` for `patience` epochs.

    new rate = max(min_lr, factor·rate). The rate of each epoch is logged as "learning_rate".

    Args:
        monitor: a name in the logs.
        factor: less than 1.
        patience: epochs without an improvement to wait.
        verbose: 1 reports each reduction.
        mode: "min", "max", or "auto": as the metric of that name says; for anything else, less is better.
        min_delta: what counts as an improvement.
        cooldown: epochs after a reduction before it counts again.
        min_lr: the least rate.

    Raises:
        ArgumentError: the optimizer follows a schedule, so its rate can't be set.

    >>> ReduceLROnPlateau("loss", factor=0.5, patience=3).factor
    0.5
    """

    monitor: str = "val_loss"
    factor: Share = 0.1
    patience: Index = 10
    verbose: int = 0
    mode: Mode = "auto"
    min_delta: Amount = 1e-4
    cooldown: Index = 0
    min_lr: Amount = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.better = improvement(self.monitor, self.mode, self.model)
        self.sign = 1.0 if self.better(0.0, 1.0) else -1.0  # +1 when lower is better
        self.best: float | None = None
        self.wait = 0
        self.cooling = 0  # epochs of the cooldown that are left

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = monitored("ReduceLROnPlateau", self.monitor, logs)
        rate = self.model.optimizer.learning_rate
        if logs is not None:
            logs["learning_rate"] = rate
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        if self.best is None or self.better(current + self.sign * self.min_delta, self.best):
            self.best, self.wait = current, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.model.optimizer.learning_rate = new = max(self.min_lr, rate * self.factor)
                self.cooling, self.wait = self.cooldown, 0
                if self.verbose:
                    out(f"Epoch {epoch + 1}: the learning rate goes from {rate:g} to {new:g}")


@arguments
class LearningRateScheduler(Callback):
    """Sets the learning rate to schedule(epoch, rate) before every epoch, and logs it as "learning_rate".

    `thalweg.schedules` change the rate in every step.

    Args:
        schedule: a function of the epoch, counted from 0, and the current rate, or of the epoch alone.
        verbose: 1 reports the rate of every epoch.

    Raises:
        ArgumentError: the schedule returns no number, or the optimizer follows a schedule of its own.

    >>> halve = LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate / 2)
    """

    schedule: Function
    verbose: int = 0

    def __post_init__(self) -> None:
        self.of_epoch_alone = not takes(self.schedule, 2)
        if self.of_epoch_alone and not takes(self.schedule, 1):
            raise ArgumentError("LearningRateScheduler's schedule takes the epoch and the learning rate")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        arguments = (epoch,) if self.of_epoch_alone else (epoch, optimizer.learning_rate)
        optimizer.learning_rate = number("what LearningRateScheduler's schedule returns", self.schedule(*arguments))
        if self.verbose:
            out(f"Epoch {epoch + 1}: the learning rate is {optimizer.learning_rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether the function can be called with `count` positional arguments; assumed for one without a signature."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


@arguments
class TerminateOnNaN(Callback):
    """Ends the training with a message instead of `DivergedError`; the history and the last finite weights are kept.

    thalweg always stops when a number is no longer finite; with this callback that is no error.

    Args:
        raise_error: True raises the error after all, as without this callback.
    """

    raise_error: bool = False
