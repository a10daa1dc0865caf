"""Callbacks: functions that training calls at its events. Names, arguments and defaults are Keras's.

A callback that listens to batches makes training run batch by batch; one that listens to epochs, epoch by epoch; with
neither, as many epochs as fit into a tenth of a second run in one native call.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.errors import ArgumentError
from thalweg.naming import choose

if TYPE_CHECKING:
    from thalweg.model import Sequential

Logs = dict[str, Any]


class Callback:
    """Base of all callbacks: override the events you want. `self.model` and `self.params` are set before the first.

    >>> class Report(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    """

    model: Sequential
    params: dict[str, Any]

    def set_model(self, model: Sequential) -> None:
        """Called once before training begins."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """`params` holds epochs, steps and verbose."""
        self.params = params

    def listens(self, event: str) -> bool:
        """Whether this callback does anything at an event such as "on_epoch_end"."""
        return getattr(type(self), event) is not getattr(Callback, event)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch and its validation; `logs` holds loss, metrics, val_loss, …"""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch; `logs` holds the means over the epoch so far."""


class History(Callback):
    """What happened: `history.history["loss"]` is a list with a number for each epoch in `history.epoch`.

    `fit` keeps and returns one; it needs no place in `callbacks`.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.interrupted = False  # whether Ctrl-C ended the training
        self.seconds = 0.0  # that it took, without compiling kernels

    def append(self, epoch: int, logs: Logs) -> None:
        """Adds the record of an epoch."""
        self.epoch.append(epoch)
        for key, value in logs.items():
            self.history.setdefault(key, []).append(value)

    def records(self) -> list[Logs]:
        """One record for each epoch: {"epoch": 0, "loss": …}."""
        return [
            {"epoch": epoch} | {key: values[place] for key, values in self.history.items() if place < len(values)}
            for place, epoch in enumerate(self.epoch)
        ]


def improvement(monitor: str, mode: str) -> Callable[[float, float], bool]:
    """(new, best) → whether new is better; "auto" knows accuracies and R² as better when higher."""
    choose("mode", mode, ("auto", "min", "max"))
    if mode == "auto":
        name = monitor.removeprefix("val_")
        mode = "max" if name == "acc" or "accuracy" in name or name in ("r2", "R2", "r2_score", "R2Score") else "min"
    return (lambda new, best: new > best) if mode == "max" else (lambda new, best: new < best)


def monitored(callback: str, monitor: str, logs: Logs | None) -> float:
    """The monitored number; a name that isn't logged raises and lists those that are."""
    logs = logs or {}
    if monitor not in logs:
        hint = " (give fit validation data)" if monitor.startswith("val_") else ""
        raise ArgumentError(f"{callback} monitors {monitor!r}, which isn't logged{hint}; logged: {', '.join(logs)}")
    return float(logs[monitor])


class EarlyStopping(Callback):
    """Stops when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    Args:
        monitor: a name in the logs.
        min_delta: what counts as an improvement.
        patience: epochs to wait.
        verbose: 1 says when it stops.
        mode: "min", "max" or "auto" (by the name).
        baseline: a value that has to be beaten at all.
        restore_best_weights: whether the weights of the best epoch come back at the end.
        start_from_epoch: epochs to let pass first.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor = monitor
        self.min_delta = abs(min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.better = improvement(monitor, mode)
        self.sign = 1.0 if self.better(0.0, 1.0) else -1.0  # +1 when lower is better

    def on_train_begin(self, logs: Logs | None = None) -> None:
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
            print(f"Epoch {self.stopped_epoch + 1}: early stopping; the best epoch was {self.best_epoch + 1}")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(Callback):
    """Saves the model, after every epoch or when `monitor` improved; the file's name may hold {epoch} and log names.

    Args:
        filepath: such as "best.safetensors" or "model-{epoch:03d}-{val_loss:.3f}.safetensors" (epoch counts from 1).
        monitor: a name in the logs, for `save_best_only`.
        verbose: 1 says when it saves.
        save_best_only: whether only an improvement is saved.
        save_weights_only: whether the description and the optimizer are left out (see `Sequential.load_weights`).
        mode: "min", "max" or "auto" (by the name).
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: the value to beat at first.
    """

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        self.filepath = str(filepath)
        self.monitor = monitor
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.better = improvement(monitor, mode)
        if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 1):
            raise ArgumentError(f"ModelCheckpoint: save_freq is 'epoch' or a number of batches, got {save_freq!r}")
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.batches = 0
        self.epoch = 0

    def listens(self, event: str) -> bool:
        if event == "on_train_batch_end":
            return self.save_freq != "epoch"
        return super().listens(event)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.batches += 1
        if isinstance(self.save_freq, int) and self.batches % self.save_freq == 0:
            self.save(self.epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self.save(epoch, logs)

    def save(self, epoch: int, logs: Logs | None) -> None:
        """Saves, if it is time to."""
        if self.save_best_only:
            current = monitored("ModelCheckpoint", self.monitor, logs)
            if self.best is not None and not self.better(current, self.best):
                return
            self.best = current
        try:
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        except KeyError as missing:
            raise ArgumentError(
                f"ModelCheckpoint's filepath {self.filepath!r} names {missing}, which isn't logged; "
                f"logged: epoch, {', '.join(logs or {})}"
            ) from None
        except (IndexError, ValueError) as error:
            raise ArgumentError(f"ModelCheckpoint's filepath {self.filepath!r} can't be filled in: {error}") from None
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")


class TerminateOnNaN(Callback):
    """Ends the training quietly where it would raise `DivergedError`: with a message, the history, the last weights.

    thalweg always stops when a number is no longer finite; this only says that it is no error.
    """


class LambdaCallback(Callback):
    """A callback from functions.

    >>> report = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], None] | None = None,
        on_epoch_end: Callable[[int, Logs], None] | None = None,
        on_train_begin: Callable[[Logs], None] | None = None,
        on_train_end: Callable[[Logs], None] | None = None,
        on_train_batch_begin: Callable[[int, Logs], None] | None = None,
        on_train_batch_end: Callable[[int, Logs], None] | None = None,
    ) -> None:
        self.functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for event, function in self.functions.items():
            if function is not None:
                if not callable(function):
                    raise ArgumentError(f"LambdaCallback: {event} has to be a function, got {function!r}")
                setattr(self, event, function)

    def listens(self, event: str) -> bool:
        return self.functions.get(event) is not None
