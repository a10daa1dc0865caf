"""MLPClassifier."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from thalweg.errors import ArgumentError, DataError
from thalweg.sklearn.aim import Aim, aim_of_classes
from thalweg.sklearn.compatible import validate_data
from thalweg.sklearn.intake import whole_labels
from thalweg.sklearn.perceptron import Perceptron, of, partial
from thalweg.support.arguments import Before, arguments
from thalweg.support.naming import suggesting

Array = NDArray[Any]


def of_probabilities(estimator: Any) -> bool:
    """Whether the outputs are probabilities: those of a hinge loss aren't."""
    return "_aim" not in vars(estimator) or not estimator._aim.margin


@arguments
class MLPClassifier(ClassifierMixin, Perceptron):
    """scikit-learn's MLPClassifier, five and more times as fast, and with what its users asked for.

    The parameters up to max_fun are scikit-learn's, with its defaults and meanings; the loss curve is the same. See
    docs/sklearn-differences.md. X may be sparse: it is made dense some batches at a time.

    Args:
        hidden_layer_sizes: the units of each hidden layer.
        activation: "identity", "logistic", "tanh", "relu", or any activation of thalweg; or a list, one for each layer.
        solver: "adam", "sgd", "lbfgs" (SciPy's, in float64, on all rows at once), or an optimizer of thalweg: its name,
            or one with its own learning rate.
        alpha: the penalty ½·alpha·‖W‖²/rows of the batch on the weights, not on the biases.
        batch_size: rows of a step; "auto" is min(200, rows).
        learning_rate: "constant"; "invscaling": learning_rate_init/t^power_t after t rows; "adaptive": a fifth whenever
            the stopping rule would stop. These three mean nothing to "adam", as in scikit-learn. Or one of
            `thalweg.schedules`, or a function of the step, for every solver.
        learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon: of "sgd" and "adam".
        max_iter: the most epochs; of "lbfgs" iterations. max_fun: the most calls of the loss by "lbfgs".
        shuffle: whether every epoch takes the rows in another order.
        random_state: initial weights, order and validation rows are those of scikit-learn for the same number.
        tol, n_iter_no_change: training stops when the loss (with early_stopping, the validation score) hasn't improved
            by tol for more than n_iter_no_change epochs.
        verbose: prints each epoch.
        warm_start: whether `fit` goes on from the last one; the optimizer keeps its state.
        early_stopping, validation_fraction: keeps a share of the rows for validation, and the weights that do best on
            them.
        loss: "log_loss", or any loss of thalweg that fits classes: a name, an object, a formula, a function of `ops`.
        dropout: the share of each hidden layer's outputs that is dropped in training, a number or a list.
        batch_normalization: whether hidden layers are normalized before their activation.
        class_weight: a dict from class to weight, or "balanced"; for several labels a list of dicts.
        validation_data: (X, y) or (X, y, sample_weight), validated on after each epoch; early_stopping then uses it.
        callbacks: a list of `thalweg.callbacks`.
        dtype: "float32" (the compiled engine), "float64" (NumPy), or "auto": float64 up to 100 rows in one batch, where
            it takes little time and equals scikit-learn to rounding; else float32.
        n_jobs: the number of cores; None: one for a small network, otherwise all.

    Attributes:
        model_: the network, a `thalweg.Sequential`. classes_: the classes, sorted.
        loss_curve_, validation_loss_curve_, validation_scores_: of each epoch; None without validation rows.
        loss_, best_loss_, best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, out_activation_, n_features_in_,
            feature_names_in_: as scikit-learn's. coefs_, intercepts_: views of the network's weights.
        stopped_: whether `partial_fit` with early stopping has ended.

    Raises:
        ArgumentError: parameters that don't go together. DataError: weights that stop being finite, classes unknown.

    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(n_samples=100, random_state=1)
    >>> model = MLPClassifier((20, 10), ["relu", "tanh"], random_state=1, max_iter=300, tol=1e-3, dropout=0.1).fit(X, y)
    >>> model.predict_proba(X[:1]).shape, model.score(X, y) > 0.9
    ((1, 2), True)
    """

    _: KW_ONLY
    loss: Annotated[Any, Before("dropout")] = "log_loss"
    class_weight: Annotated[Any, of(dict, list, str, None), Before("validation_data")] = None

    def _read(self, X: Any, y: Any, reset: bool, incremental: bool) -> tuple[Any, Array]:
        options = {"accept_sparse": ["csr", "csc"], "multi_output": True, "reset": reset}
        X, y = validate_data(self, X, whole_labels(y), dtype=(np.float64, np.float32), **options)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return X, y
        classes = unique_labels(y)
        if self.warm_start and not incremental and set(classes) != set(self.classes_):
            raise DataError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise DataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        return X, y

    def _encode(self, y: Array) -> Array:
        encoded: Array = self._label_binarizer.transform(y)
        return encoded

    def _multilabel(self) -> bool:
        return str(self._label_binarizer.y_type_).startswith("multilabel")

    def _aim_for(self, outputs: int) -> Aim:
        return aim_of_classes(self.loss, outputs, self._multilabel())

    def _by_class(self, y: Array, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return None
        if incremental and isinstance(self.class_weight, str):
            raise ArgumentError(
                "class_weight='balanced' needs all rows, and partial_fit sees some: give a dict from class to weight, "
                "sklearn.utils.class_weight.compute_class_weight makes one"
            )
        weights: Array = compute_sample_weight(self.class_weight, y)
        return weights

    def _stratified(self, y: Array, encoded: Array) -> Array | None:
        return encoded.astype(bool) if encoded.shape[1] == 1 else None

    def _score_of(self, outputs: Array, y: Array, weights: Array | None) -> float:
        return float(accuracy_score(y, self._labels(outputs), sample_weight=weights))

    def _labels(self, outputs: Array) -> Array:
        """The classes, or the indicator matrix of the labels, that the outputs stand for."""
        if outputs.shape[1] == 1:
            outputs = outputs.ravel()
        threshold = 0.0 if self._aim.margin else 0.5
        labels: Array = self._label_binarizer.inverse_transform(outputs, threshold)
        return labels

    def predict(self, X: Any) -> Array:
        """The predicted classes, (rows,), or labels, (rows, labels)."""
        return self._labels(self._outputs(X))

    @available_if(of_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, (rows, classes), or of each label."""
        p = self._outputs(X)
        if p.shape[1] == 1:
            return np.hstack([1 - p, p])
        return p if self._multilabel() else p / p.sum(axis=1, keepdims=True)

    @available_if(of_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    @partial
    @suggesting
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, validation_data: Any = None
    ) -> Self:
        """Trains one epoch more on these rows; weights, optimizer and records go on from the last call.

        classes: all classes of all calls, for the first one. With `early_stopping`, the score on validation_data, or
        else on a share of these rows, decides after each call whether to go on; when it hasn't improved for more than
        `n_iter_no_change` calls, the best weights are restored, `stopped_` is True, and further calls change nothing.
        """
        if _check_partial_fit_first_call(self, classes):
            multilabel = str(type_of_target(y)).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        return self._fit(X, y, sample_weight, validation_data, incremental=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
