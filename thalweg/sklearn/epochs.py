"""The training of a perceptron: by batches through the model's `fit`, or by L-BFGS on all rows at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from thalweg import optimizers
from thalweg.callbacks import Callback, Logs
from thalweg.errors import ArgumentError, DataError, DivergedError
from thalweg.models.sequential import Sequential
from thalweg.sklearn.aim import Aim
from thalweg.sklearn.epoch_order import Shuffled
from thalweg.sklearn.flat import Objective, minimize
from thalweg.sklearn.layered import kernels_and_biases
from thalweg.sklearn.sparse_rows import Parts, dense, pieces
from thalweg.sklearn.stopping import Watch, mean_one

Array = NDArray[Any]


@dataclass
class Rows:
    """Some rows: inputs, dense or sparse, encoded targets (rows, outputs), weights, and the targets as given."""

    x: Any
    y: Array
    weights: Array | None
    given: Any = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def taken(self, rows: Array) -> Rows:
        """Those rows of it."""
        given = None if self.given is None else self.given[rows]
        return Rows(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows], given)


class Whole(Callback):
    """Passes the ends of epochs on to others where an epoch comes in several parts, with the mean of their logs."""

    def __init__(self, others: Sequence[Callback], parts: int, rows: Sequence[int]) -> None:
        self.others, self.parts, self.rows = list(others), parts, rows
        self.seen: list[Logs] = []

    def set_model(self, model: Any) -> None:
        self.model = model
        for other in self.others:
            other.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params | {"epochs": params["epochs"] // self.parts}
        for other in self.others:
            other.set_params(self.params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        for other in self.others:
            other.on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        for other in self.others:
            other.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch % self.parts == 0:
            for other in self.others:
                other.on_epoch_begin(epoch // self.parts, {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.seen.append(dict(logs or {}))
        if len(self.seen) == self.parts:
            whole = {key: float(np.average([s[key] for s in self.seen], weights=self.rows)) for key in self.seen[0]}
            self.seen = []
            for other in self.others:
                other.on_epoch_end(epoch // self.parts, whole)


class Stochastic:
    """The training of an estimator's model by batches."""

    def __init__(self, estimator: Any, aim: Aim, train: Rows, held: Rows | None, once: bool) -> None:
        self.estimator, self.aim, self.train, self.held, self.once = estimator, aim, train, held, once
        self.model: Sequential = estimator.model_
        self.batch = batch_size(estimator.batch_size, len(train))
        self.usual = estimator._usual_batch
        self.total = len(train) if train.weights is None else float(train.weights.sum())
        self.squares = squares(self.model)

    def run(self) -> None:
        """Trains until scikit-learn's rules say that it is enough."""
        e, model, rows = self.estimator, self.model, len(self.train)
        kind, scale = model.dtype, self.aim.scale
        y, weights = self.aim.targets(self.train.y), self.train.weights
        order = Shuffled(e._random_state, rows, self.batch, e.shuffle, weights, scale, self.penalty_factor())
        score = None if self.held is None else self.scoring(self.held)
        watch = Watch(e, rows, self.losses, score, self.once)
        callbacks: list[Callback] = [watch, *(e.callbacks or [])]
        validation = None
        if self.held is not None and not sparse.issparse(self.held.x):
            validation = (dense(self.held.x, kind), self.aim.targets(self.held.y), mean_one(self.held.weights))
        epochs = 1 if self.once else e.max_iter
        e.n_iter_ = 0
        arguments = {"verbose": 0, "shuffle": order, "validation_data": validation, "lanes": e._lanes()}
        try:
            if sparse.issparse(self.train.x):
                parts = Parts(self.train.x, y, order, self.batch, weights is not None, kind)
                self.check_parts(parts)
                sizes = [min(self.batch * parts.batches, rows - n) for n in range(0, rows, self.batch * parts.batches)]
                arguments |= {"shuffle": parts, "steps_per_epoch": parts.batches}
                callbacks = [Whole(callbacks, parts.parts, sizes)]
                model.fit(iter(parts), epochs=epochs * parts.parts, callbacks=callbacks, **arguments)
            else:
                x = dense(self.train.x, kind)
                model.fit(x, y, self.batch, epochs, sample_weight=weights, callbacks=callbacks, **arguments)
        except DivergedError as error:
            raise DataError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to "
                f"be preprocessed. In {type(e).__name__}: {error}"
            ) from error
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        else:
            if not self.once and e.n_iter_ == e.max_iter and not watch.converged:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and the optimization hasn't "
                    "converged yet.",
                    ConvergenceWarning,
                    stacklevel=4,
                )

    def check_parts(self, parts: Parts) -> None:
        """Raises if a callback wants to hear of batches, which then aren't those of an epoch."""
        events = ("on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end")
        for callback in self.estimator.callbacks or []:
            if any(callback.listens(event) for event in ("on_train_batch_begin", "on_train_batch_end")):
                raise ArgumentError(
                    f"{type(callback).__name__} follows every batch, but sparse rows are trained on in parts: it may "
                    f"use {', '.join(events)}, or X may be dense"
                )

    def penalty_factor(self) -> float:
        """What the penalty in the network is multiplied by to be that of one row, for this alpha."""
        return float(self.usual * self.estimator.alpha / (self.estimator._alpha or 1.0))

    def losses(self, logs: Logs) -> tuple[float, float | None]:
        """scikit-learn's training loss, and the same on the validation rows."""
        penalty, at_end = 0.0, 0.0
        if self.aim.shown != 1:  # then the penalty has to be told from the loss: it hardly changes in an epoch
            before, self.squares = self.squares, squares(self.model)
            at_end = self.squares * self.estimator._alpha / (2 * self.usual)
            penalty = (before + self.squares) / 2 * self.penalty_factor() * self.estimator._alpha / (2 * self.usual)
            penalty *= -(-len(self.train) // self.batch) / self.total
        if self.held is not None and sparse.issparse(self.held.x):
            logs["val_loss"] = self.evaluated(self.held)
        validation = logs.get("val_loss")
        shown = None if validation is None else self.aim.reported(validation, at_end)
        return self.aim.reported(logs["loss"], penalty), shown

    def evaluated(self, held: Rows) -> float:
        """The loss on sparse rows, in pieces."""
        y, weights = self.aim.targets(held.y), mean_one(held.weights)
        first, total = 0, 0.0
        for x in pieces(held.x, self.model.dtype):
            own = slice(first, first + len(x))
            given = None if weights is None else weights[own]
            total += len(x) * float(self.model.evaluate(x, y[own], verbose=0, sample_weight=given))
            first += len(x)
        return total / len(held)

    def scoring(self, held: Rows) -> Callable[[], float]:
        """The score on the validation rows, as it is after each epoch."""
        made = list(pieces(held.x, self.model.dtype))

        def score() -> float:
            outputs = np.concatenate([self.model.predict(x, verbose=0, lanes=self.estimator._lanes()) for x in made])
            if not np.isfinite(outputs).all():
                return float("nan")
            return float(self.estimator._score_of(outputs, held.given, held.weights))

        return score


def batch_size(given: Any, rows: int) -> int:
    """The rows of a batch: at most 200 if "auto", and at most all."""
    if isinstance(given, str):
        return min(200, rows)
    if given > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=2
        )
    return int(min(given, rows))


def squares(model: Sequential) -> float:
    """‖W‖² of all Dense layers."""
    return sum(float(np.vdot(W, W)) for W in kernels_and_biases(model)[0])


def by_lbfgs(estimator: Any, aim: Aim, rows: Rows) -> None:
    """Trains an estimator's model by L-BFGS."""
    model, e = estimator.model_, estimator
    model.compile(optimizers.SGD(0.0), aim.loss, loss_weights=[aim.scale])
    e._given_optimizer = None  # a fit by batches compiles anew
    x, y = dense(rows.x, np.float64), aim.targets(rows.y)
    total = len(rows) if rows.weights is None else float(rows.weights.sum())
    weights = None if rows.weights is None else rows.weights * (len(rows) / total)
    objective = Objective(model, x, y, weights, e._usual_batch * e.alpha / (e._alpha or 1.0) / total)

    def told(number: int, loss: float) -> None:
        print(f"Iteration {number}, loss = {loss:.8f}")

    result, e.n_iter_ = minimize(objective, e.max_iter, e.max_fun, e.tol, told if e.verbose else None)
    e.loss_ = aim.reported(float(result.fun), 0.5 * e.alpha * squares(model) / total)
