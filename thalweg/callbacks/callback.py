"""The base of all callbacks, the history of a fit, and callbacks made of functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError
from thalweg.layers import Layer
from thalweg.layers.variables import Parameter
from thalweg.losses import Loss
from thalweg.metrics import Named
from thalweg.optimizers import Optimizer
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Request
from thalweg.support import hooks
from thalweg.support.jupyter import cell

Logs = dict[str, Any]
Columns = Callable[[], dict[str, list[float]]]


class Model(Protocol):
    """What a callback may rely on in its model; `Sequential` has more, but without that promise."""

    name: str
    seed: int
    optimizer: Optimizer
    loss: Loss
    history: History | None
    recording: Any  # a Recording, after a fit with record=True
    initial_epoch: int  # may be set in on_train_begin
    stop_training: bool  # these may be set at any time
    stop_evaluating: bool
    stop_predicting: bool

    @property
    def layers(self) -> list[Layer]: ...
    @property
    def metrics(self) -> list[Named]: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def build(self) -> None: ...
    def named_parameters(self) -> list[tuple[str, Parameter]]: ...
    def get_weights(self) -> list[NDArray[Any]]: ...
    def set_weights(self, weights: Sequence[ArrayLike]) -> None: ...
    def use_average(self) -> None: ...
    def predict(
        self, x: ArrayLike, batch_size: int | None = None, verbose: int | str = "auto", *, lanes: int | None = None
    ) -> NDArray[Any]: ...
    def evaluate(
        self, x: ArrayLike, y: ArrayLike, batch_size: int | None = None, verbose: int | str = "auto", *,
        return_dict: bool = False,
    ) -> Any: ...  # fmt: skip
    def lower(self, request: Request) -> tuple[Program, int]: ...
    def save(self, filepath: str | Path, overwrite: bool = True) -> None: ...
    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None: ...
    def load_weights(self, filepath: str | Path) -> None: ...
    def load_state(self, path: str | Path) -> None: ...


class Callback(hooks.Hooked):
    """Base of all callbacks: override the events you want. `self.model` and `self.params` are set before them.

    >>> class Report(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    """

    uncalled, lacking = hooks.CALLBACK, hooks.CALLBACK_LACKS

    model: Model
    params: dict[str, Any]
    first_rank_only: bool = False
    """Whether, of several ranks that train together, only the first calls it: it writes files or prints."""

    def set_model(self, model: Model) -> None:
        """Called once before the first event."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """`params` holds epochs, steps and verbose."""
        self.params = params

    def listens(self, event: str) -> bool:
        """Whether this callback does anything at an event such as "on_epoch_end"; other events may be skipped."""
        old = event.replace("on_train_batch", "on_batch")
        return any(getattr(type(self), n, None) is not getattr(Callback, n, None) for n in (event, old))

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
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch; `logs` holds the means over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`, which calls it."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`, which calls it."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation, the validation of an epoch included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation; `logs` holds loss and metrics."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation; `logs` holds loss and metrics of the rows so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of a prediction; `logs` holds its "outputs"."""


def checked(callbacks: Sequence[Callback] | None) -> list[Callback]:
    """The callbacks as a list; anything else raises."""
    if callbacks is not None and not isinstance(callbacks, (list, tuple)):
        raise ArgumentError(f"callbacks is a list of thalweg.callbacks, got {callbacks!r}")
    for callback in callbacks or []:
        if not isinstance(callback, Callback):
            raise ArgumentError(f"callbacks is a list of thalweg.callbacks, got {callback!r} in it")
    return list(callbacks or [])


def introduced(callbacks: Sequence[Callback] | None, model: Model, steps: int | None) -> list[Callback]:
    """The callbacks of one evaluation or prediction, with their model set."""
    result = checked(callbacks)
    for callback in result:
        callback.set_model(model)
        callback.set_params({"epochs": 1, "steps": steps, "verbose": 0})
    return result


def listened(callbacks: Sequence[Callback], events: Sequence[str]) -> bool:
    """Whether any of the callbacks listens to any of the events."""
    return any(callback.listens(event) for callback in callbacks for event in events)


def notify(callbacks: Sequence[Callback], event: str, *arguments: Any) -> None:
    """Calls an event of every callback, in their order."""
    for callback in callbacks:
        getattr(callback, event)(*arguments)


class History(Callback):
    """The record of a fit: `history.history["loss"]` is a list with a number for each epoch in `history.epoch`.

    `fit` keeps and returns one; there is no need to add it to `callbacks`.
    """

    def __init__(self) -> None:
        self._history: dict[str, list[float]] = {}
        self._epoch: list[int] = []
        self._places: dict[str, list[int]] = {}  # of the epochs that a number belongs to: not all are validated
        self._unread: list[tuple[range, Columns]] = []  # epochs whose numbers nobody has asked for yet
        self.interrupted = False  # whether Ctrl-C ended the training
        self.drawn_in: int | None = None  # the notebook's cell in which `fit` has left the curves
        self.seconds = 0.0  # of training, without compiling kernels

    @property
    def history(self) -> dict[str, list[float]]:
        """The numbers by their names."""
        self.read()
        return self._history

    @property
    def epoch(self) -> list[int]:
        """The epochs they belong to."""
        self.read()
        return self._epoch

    def append(self, epoch: int, logs: Logs) -> None:
        """Adds the record of an epoch."""
        self.epoch.append(epoch)
        for key, value in logs.items():
            self.history.setdefault(key, []).append(value)
            self._places.setdefault(key, []).append(len(self._epoch) - 1)

    def extend(self, epochs: range, columns: Columns) -> None:
        """Adds the records of epochs; the lists are made when they are read, because a step may take less time."""
        self._unread.append((epochs, columns))

    def read(self) -> None:
        """Makes the lists."""
        unread, self._unread = self._unread, []
        for epochs, columns in unread:
            places = range(len(self._epoch), len(self._epoch) + len(epochs))
            self._epoch.extend(epochs)
            for key, values in columns().items():
                if values:
                    self._history.setdefault(key, []).extend(values)
                    self._places.setdefault(key, []).extend(places)

    def records(self) -> list[Logs]:
        """One record for each epoch: {"epoch": 0, "loss": …}."""
        records: list[Logs] = [{"epoch": epoch} for epoch in self.epoch]
        for key, values in self.history.items():
            for place, value in zip(self._places.get(key, range(len(values))), values, strict=False):
                records[place][key] = value
        return records

    def _repr_html_(self) -> str:
        """The curves, for notebooks."""
        from thalweg.views.chart import by_epoch, by_name, sentence
        from thalweg.views.web.html_parts import block, line
        from thalweg.views.web.svg import inline

        columns = by_name(self.records())
        if not columns:
            return block(line("no epoch has ended yet"))
        if self.drawn_in is not None and self.drawn_in == cell():  # one picture of it is enough
            return block(line(sentence(columns)))
        charts = by_epoch({"": columns}, end="interrupted" if self.interrupted else "")
        return block(inline(charts), line(sentence(columns)))


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
        on_test_begin: Callable[[Logs], None] | None = None,
        on_test_end: Callable[[Logs], None] | None = None,
        on_test_batch_begin: Callable[[int, Logs], None] | None = None,
        on_test_batch_end: Callable[[int, Logs], None] | None = None,
        on_predict_begin: Callable[[Logs], None] | None = None,
        on_predict_end: Callable[[Logs], None] | None = None,
        on_predict_batch_begin: Callable[[int, Logs], None] | None = None,
        on_predict_batch_end: Callable[[int, Logs], None] | None = None,
    ) -> None:
        self.functions = {name: given for name, given in locals().items() if name.startswith("on_")}
        for event, function in self.functions.items():
            if function is not None:
                if not callable(function):
                    raise ArgumentError(f"LambdaCallback: {event} has to be a function, got {function!r}")
                setattr(self, event, function)

    def listens(self, event: str) -> bool:
        return self.functions.get(event) is not None
