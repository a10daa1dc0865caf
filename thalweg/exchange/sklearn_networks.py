"""scikit-learn's multilayer perceptrons as models."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input
from thalweg.models.sequential import Sequential
from thalweg.support.extras import need
from thalweg.support.naming import choose, suggesting

ACTIVATIONS = {
    "identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "softmax": "softmax",
    "exp": "exponential",
}  # fmt: skip
"""What scikit-learn calls them, and what they are called here."""


@suggesting
def from_sklearn(mlp: Any, dtype: str | None = None) -> Sequential:
    """The network of a fitted `MLPClassifier` or `MLPRegressor` of scikit-learn's, with its weights.

    Its outputs are probabilities, column k that of `mlp.classes_[k]`; of two classes there is one column, that of the
    second. Of several yes-no targets, and of a regression, there is a column for each. It isn't compiled.

    Args:
        mlp: the estimator. What it does to its inputs beforehand, such as scaling in a pipeline, isn't part of it.
        dtype: "float32", to which the weights are rounded, for the native engine; "float64", for the reference engine.
            None: the type of the estimator's weights, which then are the same to the bit.

    Raises:
        ArgumentError: it is something else, or isn't fitted.

    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> x = np.arange(8.0).reshape(4, 2)
    >>> mlp = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", random_state=0).fit(x, x[:, 0])
    >>> model = from_sklearn(mlp)
    >>> bool(np.allclose(model.predict(x)[:, 0], mlp.predict(x)))
    True
    """
    need("sklearn", "", "a network of scikit-learn's")
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    if not isinstance(mlp, (MLPClassifier, MLPRegressor)):
        raise ArgumentError(f"from_sklearn takes an MLPClassifier or an MLPRegressor of scikit-learn's, got {mlp!r}")
    if not hasattr(mlp, "coefs_"):
        raise ArgumentError(f"this {type(mlp).__name__} isn't fitted, so it has no weights: call its fit first")
    kind = np.result_type(*mlp.coefs_).name if dtype is None else choose("dtype", dtype, ("float32", "float64"))
    hidden = [mlp.activation] * (len(mlp.coefs_) - 1)
    layers = [
        Dense(W.shape[1], ACTIVATIONS[name]) for W, name in zip(mlp.coefs_, [*hidden, mlp.out_activation_], strict=True)
    ]
    engine = "native" if kind == "float32" else "reference"
    model = Sequential([Input((mlp.n_features_in_,)), *layers], engine=engine, dtype=kind)
    model.build()
    model.set_weights([a for pair in zip(mlp.coefs_, mlp.intercepts_, strict=True) for a in pair])
    return model
