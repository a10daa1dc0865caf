"""A callback that evaluates the moving average of the weights instead of the weights."""

from __future__ import annotations

from typing import Any

from thalweg.callbacks.callback import Callback, Logs
from thalweg.errors import ArgumentError


class SwapEMAWeights(Callback):
    """During evaluation, validation and prediction the moving average of the weights takes their place.

    The optimizer has to keep the average: use_ema=True. Before its first update there is none, and the weights stay.

    Args:
        swap_on_epoch: whether the average also stays in the model from the end of an epoch to the start of the next,
            for the callbacks after this one, such as ModelCheckpoint.

    >>> import thalweg
    >>> model = thalweg.Sequential([thalweg.Input((1,)), thalweg.layers.Dense(1, use_bias=False)], seed=0)
    >>> model.compile(thalweg.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    >>> swap = SwapEMAWeights()
    >>> history = model.fit([[1.0]], [1.0], epochs=3, verbose=0, validation_data=([[1.0]], [1.0]), callbacks=[swap])
    >>> model.evaluate([[1.0]], [1.0], verbose=0) == history.history["val_loss"][-1]  # fit ends with the average
    True
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = bool(swap_on_epoch)
        self.weights: list[Any] | None = None  # the model's own, while the average is in it

    def listens(self, event: str) -> bool:
        if event in ("on_epoch_begin", "on_epoch_end"):
            return self.swap_on_epoch
        return super().listens(event)

    def swap(self) -> None:
        """Puts the average into the model."""
        optimizer = self.model.optimizer
        if not optimizer.use_ema:
            raise ArgumentError(f"SwapEMAWeights needs an optimizer with use_ema=True, unlike this {optimizer.kind}")
        if self.weights is None and optimizer.iterations >= optimizer.every:
            self.weights = self.model.get_weights()
            self.model.use_average()

    def swap_back(self) -> None:
        """Puts the weights back."""
        if self.weights is not None:
            self.model.set_weights(self.weights)
            self.weights = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.weights = None

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.weights = None  # `fit` has put the average into the model for good

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self.swap_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self.swap()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self.swap()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self.swap_back()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self.swap()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self.swap_back()
