"""What MLPClassifier and MLPRegressor share: scikit-learn's parameters, fit, partial_fit, and prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from thalweg import optimizers
from thalweg.errors import ArgumentError, DataError
from thalweg.sklearn.aim import SCIKIT_LEARN, Aim
from thalweg.sklearn.compatible import validate_data
from thalweg.sklearn.epochs import Rows, Stochastic, batch_size, by_lbfgs
from thalweg.sklearn.layered import Hidden, draw_weights, hidden_layers, kernels_and_biases, network
from thalweg.sklearn.sparse_rows import dense, in_pieces
from thalweg.support.arguments import Checked, arguments
from thalweg.support.naming import suggesting

Array = NDArray[Any]
STRATEGIES = ("constant", "invscaling", "adaptive")
FROM_0, ABOVE_0 = Interval(Real, 0, None, closed="left"), Interval(Real, 0, None, closed="neither")
FROM_1, BELOW_1 = Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="left")
SMALL = 100  # rows: up to here, and if they are one batch, training is in float64, which takes twice the time


@dataclass(frozen=True)
class Allowed:
    """What scikit-learn's `_validate_params` lets a parameter be when `fit` begins; until then it is kept as given."""

    values: tuple[Any, ...]

    def __call__(self, what: str, value: Any) -> Any:
        return value


def of(*values: Any) -> Checked:
    return Checked(Allowed(values))


def stochastic(estimator: Any) -> bool:
    """Whether the solver takes batches; otherwise there is no `partial_fit`."""
    if estimator._by_lbfgs():
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


@arguments
class Perceptron(BaseEstimator, ABC):
    """Base of the two estimators."""

    hidden_layer_sizes: Annotated[Any, of("array-like", FROM_1)] = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    solver: Any = "adam"
    alpha: Annotated[float, of(FROM_0)] = 0.0001
    batch_size: Annotated[int | str, of(StrOptions({"auto"}), FROM_1)] = "auto"
    learning_rate: Annotated[Any, of(StrOptions(set(STRATEGIES)), callable)] = "constant"
    learning_rate_init: Annotated[float, of(ABOVE_0)] = 0.001
    power_t: Annotated[float, of(FROM_0)] = 0.5
    max_iter: Annotated[int, of(FROM_1)] = 200
    shuffle: Annotated[bool, of("boolean")] = True
    random_state: Annotated[Any, of("random_state")] = None
    tol: Annotated[float, of(FROM_0)] = 1e-4
    verbose: Annotated[bool, of("verbose")] = False
    warm_start: Annotated[bool, of("boolean")] = False
    momentum: Annotated[float, of(Interval(Real, 0, 1, closed="both"))] = 0.9
    nesterovs_momentum: Annotated[bool, of("boolean")] = True
    early_stopping: Annotated[bool, of("boolean")] = False
    validation_fraction: Annotated[float, of(BELOW_1)] = 0.1
    beta_1: Annotated[float, of(BELOW_1)] = 0.9
    beta_2: Annotated[float, of(BELOW_1)] = 0.999
    epsilon: Annotated[float, of(ABOVE_0)] = 1e-8
    n_iter_no_change: Annotated[float, of(FROM_1, Options(Real, {np.inf}))] = 10
    max_fun: Annotated[int, of(FROM_1)] = 15000
    dropout: Any = 0.0
    batch_normalization: Annotated[bool, of("boolean")] = False
    validation_data: Annotated[Any, of(tuple, list, None)] = None
    callbacks: Annotated[Any, of(list, tuple, None)] = None
    dtype: Annotated[str, of(StrOptions({"auto", "float32", "float64"}))] = "auto"
    n_jobs: Annotated[int | None, of(Integral, None)] = None

    if TYPE_CHECKING:
        loss: Any  # which each of the two declares at another place

    @property
    def _parameter_constraints(self) -> dict[str, Any]:
        checks = {name: argument.rule.check for name, argument in getattr(self, "declared_arguments", {}).items()}
        return {name: check.values for name, check in checks.items() if isinstance(check, Allowed)}

    # --- what the two do differently -----------------------------------------------------------------------------

    @abstractmethod
    def _read(self, X: Any, y: Any, reset: bool, incremental: bool) -> tuple[Any, Array]:
        """X and y, checked by scikit-learn's rules; y as it was given."""

    @abstractmethod
    def _encode(self, y: Array) -> Array:
        """Targets as numbers (rows, outputs)."""

    @abstractmethod
    def _aim_for(self, outputs: int) -> Aim:
        """What the network is trained for."""

    @abstractmethod
    def _by_class(self, y: Array, incremental: bool) -> Array | None:
        """The weights of the rows by their classes, or None."""

    @abstractmethod
    def _stratified(self, y: Array, encoded: Array) -> Array | None:
        """The classes by which a validation set is chosen, or None."""

    @abstractmethod
    def _score_of(self, outputs: Array, y: Array, weights: Array | None) -> float:
        """The score of the network's outputs."""

    # --- fitting -------------------------------------------------------------------------------------------------

    @suggesting
    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Self:
        """Trains on all rows.

        Args:
            X: (rows, columns) of numbers: an array, a data frame, or a sparse matrix.
            y: the targets, (rows,) or (rows, outputs).
            sample_weight: a weight for each row.
            validation_data: (X, y) or (X, y, sample_weight), in place of the parameter of that name.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any, incremental: bool) -> Self:
        self._validate_params()
        validation_data = self.validation_data if validation_data is None else validation_data
        fresh = not hasattr(self, "model_") or not (self.warm_start or incremental)
        hidden = hidden_layers(self.hidden_layer_sizes, self.activation, self.dropout, self.batch_normalization)
        X, y = self._read(X, y, fresh, incremental)
        if incremental and not fresh and self.stopped_:
            return self
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
        by_class = self._by_class(y, incremental)
        if by_class is not None:
            weights = by_class if weights is None else weights * by_class
        rows = Rows(X, self._encode(y), weights, y)
        self._check(rows, validation_data)
        built: tuple[Any, ...] = (hidden, self.loss, self.dtype)
        if not fresh and built != self._built:
            raise ArgumentError(
                f"{type(self).__name__} goes on with a network that was made with other values of hidden_layer_sizes, "
                "activation, dropout, batch_normalization, loss or dtype: give them as they were, or begin a new fit"
            )
        self._built: tuple[Any, ...] = built
        self._random_state = check_random_state(self.random_state)
        if fresh:
            self._begin(rows, hidden, incremental)
        if rows.y.shape[1] != self.n_outputs_:
            raise DataError(f"y has {rows.y.shape[1]} outputs, in the fit before it had {self.n_outputs_}")
        if self._by_lbfgs():
            by_lbfgs(self, self._aim, rows)
        else:
            self._by_batches(rows, validation_data, incremental)
        return self

    def _check(self, rows: Rows, validation_data: Any) -> None:
        """Raises for what doesn't go together."""
        if self._by_lbfgs():
            unused = {
                "dropout": bool(np.any(self.dropout)),
                "batch_normalization": self.batch_normalization,
                "callbacks": bool(self.callbacks),
                "validation_data": validation_data is not None,
            }
            for name, given in unused.items():
                if given:
                    raise ArgumentError(f"solver='lbfgs' trains on all rows at once, without {name}: use 'adam'")
            if self.dtype == "float32" or (
                hasattr(self, "model_") and self.warm_start and self.model_.dtype != np.float64
            ):
                raise ArgumentError("solver='lbfgs' computes in float64: set dtype='float64' from the first fit on")
        if rows.weights is not None and not rows.weights.sum() > 0:
            raise DataError("the weights of all rows are 0 (sample_weight, class_weight): at least one has to count")
        if hasattr(self, "_alpha") and self.warm_start and self._alpha == 0 and self.alpha > 0:
            raise ArgumentError("alpha was 0 in the first fit and can't be raised by a warm start: begin a new fit")

    def _begin(self, rows: Rows, hidden: list[Hidden], incremental: bool) -> None:
        """Makes the network, with scikit-learn's initial weights, and empty records."""
        outputs, count = rows.y.shape[1], len(rows)
        aim = self._aim = self._aim_for(outputs)
        self._usual_batch = float(count if self._by_lbfgs() else batch_size(self.batch_size, count))
        self._alpha = float(self.alpha)
        dtype = self.dtype
        if dtype == "auto":
            small = count <= min(SMALL, self._usual_batch) and not incremental
            dtype = "float64" if small or self._by_lbfgs() else "float32"
        self.n_iter_, self.t_, self.stopped_, self.n_outputs_ = 0, 0, False, outputs
        l2 = self._alpha / (2 * self._usual_batch)
        columns = rows.x.shape[1]
        random = any(h.dropout for h in hidden)
        model = network(columns, hidden, outputs, aim.activation, l2, 0, dtype)
        draw_weights(model, hidden, self._random_state, rows.x.dtype)
        if random:
            model._compiled.seed = int(self._random_state.randint(np.iinfo(np.int32).max))
        self.model_ = model
        self._given_optimizer: Any = None
        self.n_layers_ = len(hidden) + 2
        self.out_activation_ = SCIKIT_LEARN.get(aim.activation, aim.activation)
        self._forget()

    def _forget(self) -> None:
        """Empties the records of training by batches."""
        for name in ("loss_curve_", "validation_loss_curve_", "best_loss_", "validation_scores_"):
            if hasattr(self, name):
                delattr(self, name)
        self._best_weights: list[Array] | None = None
        if not self._by_lbfgs():
            self.loss_curve_: list[float] = []
            self.validation_loss_curve_: list[float] | None = None
            self.validation_scores_: list[float] | None = None
            self._no_improvement_count = 0
            self.best_loss_ = None if self.early_stopping else np.inf
            self.best_validation_score_ = -np.inf if self.early_stopping else None

    def _by_batches(self, rows: Rows, validation_data: Any, incremental: bool) -> None:
        """Training by batches, with early stopping if asked for."""
        if not hasattr(self, "loss_curve_"):  # the fit before was by L-BFGS
            self._forget()
        train, held = self._divided(rows, validation_data)
        if held is not None and self.validation_scores_ is None:
            self.validation_loss_curve_, self.validation_scores_ = [], []
        self._compile(incremental)
        Stochastic(self, self._aim, train, held, incremental).run()
        if not self.early_stopping or self._best_weights is None:
            return
        self.stopped_ = incremental and self._no_improvement_count > self.n_iter_no_change
        if not incremental or self.stopped_:
            self.model_.set_weights(self._best_weights)

    def _divided(self, rows: Rows, validation_data: Any) -> tuple[Rows, Rows | None]:
        """The rows to train on, and those to validate on."""
        if validation_data is not None:
            return rows, self._validation_rows(validation_data)
        if not self.early_stopping:
            return rows, None
        train, held = train_test_split(
            np.arange(len(rows)),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=self._stratified(rows.given, rows.y),
        )
        if len(held) < 2:
            raise DataError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return rows.taken(train), rows.taken(held)

    def _validation_rows(self, given: Any) -> Rows:
        """validation_data, checked like the rows of the fit."""
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ArgumentError("validation_data is (X, y) or (X, y, sample_weight)")
        X, y = self._read(given[0], given[1], False, True)
        weights = None if len(given) == 2 else _check_sample_weight(given[2], X, dtype=np.float64)
        return Rows(X, self._encode(y), weights, y)

    # --- the optimizer -------------------------------------------------------------------------------------------

    def _by_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    def _follows(self, strategy: str) -> bool:
        """Whether the learning rate follows one of scikit-learn's strategies, which mean nothing to Adam."""
        named = isinstance(self.learning_rate, str) and self.learning_rate == strategy
        return named and not (isinstance(self.solver, str) and self.solver == "adam")

    def _initial_rate(self) -> float:
        """The learning rate at the start: an optimizer that was given brings its own."""
        rate = getattr(self.solver, "learning_rate", None)
        return float(self.learning_rate_init if rate is None else rate)

    def _optimizer(self) -> optimizers.Optimizer:
        """A new optimizer; one that was given stays as it is."""
        rate = self.learning_rate_init if isinstance(self.learning_rate, str) else self.learning_rate
        if isinstance(self.solver, optimizers.Optimizer):
            config = self.solver.get_config()
            if not isinstance(self.learning_rate, str):
                config["learning_rate"] = rate
            made = type(self.solver).from_config(config)
            made.not_decayed = self.solver.not_decayed
            return made
        if self.solver == "adam":
            return optimizers.Adam(rate, self.beta_1, self.beta_2, self.epsilon)
        if self.solver == "sgd":
            momentum = min(self.momentum, float(np.nextafter(1.0, 0.0)))  # 1 is allowed here, and the same in float32
            return optimizers.SGD(rate, momentum, self.nesterovs_momentum)
        made = optimizers.get(self.solver)
        made.set_learning_rate(rate)
        return made

    def _compile(self, incremental: bool) -> None:
        """Compiles the model, unless it goes on: then its optimizer keeps its state."""
        optimizer = self._optimizer()
        given = (type(optimizer), {k: v for k, v in optimizer.get_config().items() if k != "learning_rate"})
        if self._given_optimizer != given:
            self.model_.compile(optimizer, self._aim.loss, loss_weights=[self._aim.scale])
            self._given_optimizer = given
        elif not incremental:
            self.model_.optimizer.set_learning_rate(optimizer.schedule or self._initial_rate())

    def _lanes(self) -> int | None:
        return None if self.n_jobs is None or self.n_jobs < 1 else int(self.n_jobs)

    # --- the fitted network --------------------------------------------------------------------------------------

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each layer, (inputs, units), as views: changing their elements changes the network."""
        return self._weights(0)

    @coefs_.setter
    def coefs_(self, given: Any) -> None:
        replace(self._weights(0), given, "coefs_")

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each layer, (units,), as views."""
        return self._weights(1)

    @intercepts_.setter
    def intercepts_(self, given: Any) -> None:
        replace(self._weights(1), given, "intercepts_")

    def _weights(self, which: int) -> list[Array]:
        if "model_" not in vars(self):
            name = ("coefs_", "intercepts_")[which]
            raise AttributeError(f"{type(self).__name__} has no {name} before fit")
        return kernels_and_biases(self.model_)[which]

    def _outputs(self, X: Any) -> Array:
        """The network's outputs, (rows, outputs), in the float type of X."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        model, lanes = self.model_, self._lanes()

        def predict(x: Array) -> Array:
            outputs: Array = model.predict(x, verbose=0, lanes=lanes)
            return outputs

        outputs = in_pieces(predict, X, model.dtype) if sparse.issparse(X) else predict(dense(X, model.dtype))
        return outputs.astype(X.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def replace(arrays: list[Array], given: Any, what: str) -> None:
    """Copies new values into weights, if all have the right shape."""
    made = [np.asarray(values) for values in given]
    if [m.shape for m in made] != [a.shape for a in arrays]:
        raise DataError(f"{what} has the shapes {[a.shape for a in arrays]}, got {[m.shape for m in made]}")
    for array, values in zip(arrays, made, strict=True):
        array[...] = values


partial: Callable[[Any], Any] = available_if(stochastic)
"""Decorates a method that solvers by batches have."""

__all__ = ["Perceptron", "of", "partial"]
