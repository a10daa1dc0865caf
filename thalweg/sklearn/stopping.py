"""What scikit-learn's perceptrons do after an epoch: record, print, compare with the best, slow down, stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.callbacks import Callback, Logs

Array = NDArray[Any]
SMALLEST_RATE = 1e-6  # at which an adaptive learning rate stops the training


class Watch(Callback):
    """Follows the training of an estimator, whose attributes are the record.

    Args:
        estimator: the perceptron; its parameters say when to stop, its attributes are kept up to date.
        rows: of the training data.
        losses: turns the logs into scikit-learn's loss and, if there are validation rows, theirs.
        score: computes the score on the validation rows; None without them.
        once: whether this is one epoch of `partial_fit`.
    """

    def __init__(
        self,
        estimator: Any,
        rows: int,
        losses: Callable[[Logs], tuple[float, float | None]],
        score: Callable[[], float] | None,
        once: bool,
    ) -> None:
        self.estimator, self.rows, self.losses, self.score, self.once = estimator, rows, losses, score, once
        self.converged = False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        e = self.estimator
        e.loss_, validation_loss = self.losses(logs or {})
        e.n_iter_ += 1
        e.t_ += self.rows
        e.loss_curve_.append(e.loss_)
        if e.verbose:
            print(f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
        if validation_loss is not None:
            e.validation_loss_curve_.append(validation_loss)
        if self.score is not None:
            e.validation_scores_.append(self.score())
            if e.verbose:
                print(f"Validation score: {e.validation_scores_[-1]:f}")
        better = self.by_score() if e.early_stopping else self.by_loss()
        e._no_improvement_count = 0 if better else e._no_improvement_count + 1
        optimizer = self.model.optimizer
        if e._follows("invscaling"):
            optimizer.learning_rate = e._initial_rate() / (e.t_ + 1) ** e.power_t
        if e._no_improvement_count > e.n_iter_no_change:
            self.wait_no_longer()

    def by_loss(self) -> bool:
        """Whether the training loss is better than the best by `tol`; notes the best."""
        e = self.estimator
        better = not e.loss_ > e.best_loss_ - e.tol
        e.best_loss_ = min(e.best_loss_, e.loss_)
        return better

    def by_score(self) -> bool:
        """Whether the validation score is better than the best by `tol`; keeps the weights of the best."""
        e, score = self.estimator, self.estimator.validation_scores_[-1]
        better = not score < e.best_validation_score_ + e.tol
        if score > e.best_validation_score_:
            e.best_validation_score_ = score
            e._best_weights = self.model.get_weights()
        return better

    def wait_no_longer(self) -> None:
        """Stops, or lowers an adaptive learning rate."""
        e, optimizer = self.estimator, self.model.optimizer
        what = "Validation score" if e.early_stopping else "Training loss"
        said = f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} consecutive epochs."
        rate = optimizer.learning_rate
        if e._follows("adaptive") and rate > SMALLEST_RATE:
            optimizer.learning_rate = rate / 5.0
            e._no_improvement_count = 0
            if e.verbose:
                print(f"{said} Setting learning rate to {optimizer.learning_rate:f}")
            return
        small = " Learning rate too small." if e._follows("adaptive") else ""
        if e.verbose:
            print(f"{said}{small} Stopping.")
        self.converged = self.model.stop_training = True


def mean_one(weights: Array | None) -> Array | None:
    """Weights whose mean is 1, so that a mean over the rows is the weighted mean."""
    return None if weights is None else weights * (len(weights) / np.sum(weights))
