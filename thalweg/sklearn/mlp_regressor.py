"""MLPRegressor."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d

from thalweg.errors import DataError
from thalweg.sklearn.aim import Aim, aim_of_numbers
from thalweg.sklearn.compatible import validate_data
from thalweg.sklearn.perceptron import Perceptron, partial
from thalweg.support.arguments import Before, arguments
from thalweg.support.naming import suggesting

Array = NDArray[Any]


@arguments
class MLPRegressor(RegressorMixin, Perceptron):
    """scikit-learn's MLPRegressor, five and more times as fast, and with what its users asked for.

    As `MLPClassifier`, without class_weight and what else is about classes, except for:

    Args:
        loss: "squared_error" (½ of it); "poisson" (½ deviance, for targets from 0, with exp after the output layer); or
            any loss of thalweg for numbers: a name, an object, a formula, a function of `ops`. It comes first.

    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> model = MLPRegressor(activation=["silu"], random_state=1, max_iter=2000, tol=0.1).fit(X, y)
    >>> model.predict(X).shape, model.score(X, y) > 0.9
    ((200,), True)
    """

    loss: Annotated[Any, Before("hidden_layer_sizes")] = "squared_error"

    def _read(self, X: Any, y: Any, reset: bool, incremental: bool) -> tuple[Any, Array]:
        options = {"accept_sparse": ["csr", "csc"], "multi_output": True, "y_numeric": True, "reset": reset}
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), **options)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if isinstance(self.loss, str) and self.loss == "poisson" and (y < 0).any():
            raise DataError(f"loss='poisson' needs targets of 0 or more, got {float(y.min()):g}")
        return X, y

    def _encode(self, y: Array) -> Array:
        return y.reshape(len(y), -1).astype(np.float64, copy=False)

    def _aim_for(self, outputs: int) -> Aim:
        return aim_of_numbers(self.loss, outputs)

    def _by_class(self, y: Array, incremental: bool) -> Array | None:
        return None

    def _stratified(self, y: Array, encoded: Array) -> Array | None:
        return None

    def _score_of(self, outputs: Array, y: Array, weights: Array | None) -> float:
        return float(r2_score(y, outputs, sample_weight=weights))

    def predict(self, X: Any) -> Array:
        """The predicted numbers, (rows,) or (rows, outputs)."""
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    @partial
    @suggesting
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Self:
        """Trains one epoch more on these rows; weights, optimizer and records go on from the last call.

        With `early_stopping`, the score on validation_data, or else on a share of these rows, decides after each call
        whether to go on; when it hasn't improved for more than `n_iter_no_change` calls, the best weights are restored,
        `stopped_` is True, and further calls change nothing.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=True)
