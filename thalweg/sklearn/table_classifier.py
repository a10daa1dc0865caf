"""TabularClassifier: classes from a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets

from thalweg.data.recipe import Task
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError, DataError
from thalweg.sklearn.table_estimator import TableEstimator, target_name
from thalweg.sklearn.table_sources import is_source
from thalweg.support.naming import choose

Array = NDArray[Any]


class TabularClassifier(ClassifierMixin, TableEstimator):
    """Predicts classes from a table: an ensemble of small networks, with defaults that need no tuning.

    P(class) = (1 − Σ w)·mean over networks of softmax(z/√T) + Σ w·P of models of one kind

    Columns may be numbers, text, categories, truth values and dates, with missing cells (`thalweg.tabular.Features`).
    Each network holds out an eighth of the rows and keeps the epoch that predicts them best; with those rows T and the
    weights w of trees are found. Of few rows, at most 256 different ones, every row is held out by a network, all
    networks keep the epoch that predicts these rows best, and logistic or ridge regression may join them. What each
    part is worth: docs/tables.md. Tables of at most 1,000 rows are put in an order of their own, and whole sample
    weights mean repetitions there.

    Args:
        quality: "fast" (two networks), "balanced" (four), "best" (eight, twice as wide); of few rows eight, eight and
            sixteen.
        metric: on which the epoch is chosen, and which is reported: "log_loss" (default), "accuracy",
            "balanced_accuracy", "auc", "f1", "brier".
        time_limit: seconds for `fit`, preprocessing included: fewer networks and epochs are trained if they have to be.
            What begins before that is over, a step or a tree, is finished.
        members: how many networks; "networks": as many as the quality has, without other models beside them.
        layers: units of the hidden layers. activation: a name, formula or function, or a list with one for each layer.
        initial_weights: of the kernels, with biases of 0; by default N(0, 1/inputs) and N(0, 1).
        loss: cross-entropy by default, or another that fits the task.
        optimizer: a name or one of `thalweg.optimizers`, with its own learning rate in all layers; by default Adam at
            0.04, multiplied by 1/√inputs for kernels and 0.1 for biases. learning_rate: another base rate. Either falls
            to 0 as half a cosine in the second half of the steps.
        batch_size: rows a step; by default 256, fewer for tables below 4,096 rows.
        epochs: at most; a network ends once its epoch ≥ 2.5·best + 4.
        dropout: share of hidden units; 0.15 by default.
        categories: columns to take as categories whatever they hold. numbers: columns to take as numbers, in which a
            cell that is none is missing. ignore: columns to leave out. By name or position.
        class_weight: "balanced", or a dict from label to weight.
        random_state: a seed; the same seed gives the same network, bit for bit, on the same machine.
        n_jobs: cores; None and -1: all.
        verbose: 1 prints a line for each epoch.
        memory: such as "500MB": X of `fit` and of predictions is a path, a folder, a glob, a query, an Arrow dataset
            or a `numpy.memmap` of any number of rows, y the name of its column to predict (of a memmap an array). As
            for `thalweg train --memory` (docs/tables.md): rows are kept on a disk, networks alone learn, and
            `out_of_fold_` isn't there; no row is set apart, other than those that networks hold out.
        cache: a folder that keeps what was read and converted, for the next fit; alone, it allows 4 GB.

    Attributes:
        classes_: the labels, sorted.
        n_features_in_, feature_names_in_: the columns; names only of frames.
        features_: the fitted columns; `features_.describe()` says how each was understood.
        model_: all networks as one graph: `features_.matrix(X)` → probabilities.
        members_: each network, with its held-out rows, best epoch, score and records.
        temperature_: T, of a single network; several are divided by √T each, as averaging softens too.
        trees_: models beside the networks, with their weights; `shares_`: the weights by name, with the networks'.
        ensemble_: networks and trees as one graph, which predicts.
        out_of_fold_: for each row, what those that didn't learn from it predict; NaN where there is none.
        validation_score_: of out-of-fold predictions; `networks_score_` of the networks'; `metric_` names the metric.
        history_: a record for each epoch of each member.

    >>> import pandas as pd
    >>> penguins = pd.read_csv("examples/penguins.csv")
    >>> species = penguins.pop("target")
    >>> model = TabularClassifier("fast", members=1, epochs=4, random_state=0).fit(penguins, species)
    >>> model.score(penguins, species) > 0.9, model.predict_proba(penguins.head(2)).shape
    (True, (2, 3))
    """

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, float64 (rows, classes), in the order of `classes_`."""
        return self._predicted(X)

    def _of_graph(self, outputs: Array) -> Array:
        outputs = outputs.astype(np.float64)
        shares = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
        result: Array = shares / shares.sum(axis=1, keepdims=True)
        return result

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, (rows,)."""
        shares = self.predict_proba(X)
        result: Array = self.classes_[shares.argmax(axis=1)]
        return result

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The accuracy; of a path, a query or an Arrow dataset, y is the column's name."""
        if not is_source(X):
            return float(super().score(X, y, sample_weight))
        shares, labels = self._of_source(X, y)
        return float(accuracy_score(labels, self.classes_[shares.argmax(axis=1)], sample_weight=sample_weight))

    def predict_log_proba(self, X: Any) -> Array:
        """log(predict_proba(X))."""
        with np.errstate(divide="ignore"):
            result: Array = np.log(self.predict_proba(X))
        return result

    def _task_is_regression(self) -> bool:
        return False

    def _understand(self, labels: Array, name: str | None, table: Table, weights: Array | None) -> tuple[Target, Array]:
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"y holds one class only, {self.classes_.tolist()[0]!r}: a classifier needs rows of two classes or more"
            )
        task: Task = "binary" if len(self.classes_) == 2 else "multiclass"
        called = target_name(name, table)
        return Target(called, task, tuple(self.classes_.tolist()), why="as given to a classifier"), numbers

    def _numbers(self, labels: Array) -> Array:
        numbers = np.searchsorted(self.classes_, labels)
        unknown = self.classes_[np.minimum(numbers, len(self.classes_) - 1)] != labels
        if unknown.any():
            raise DataError(f"y holds {labels[unknown][0]!r}, a class that no row learned from has")
        return numbers

    def _class_weights(self, numbers: Array, weights: Array | None) -> Array | None:
        given, count = self.class_weight, len(self.classes_)
        if given is None:
            return None
        if isinstance(given, str):
            choose("class_weight", given, ["balanced"])
            totals = np.bincount(numbers, weights, minlength=count)
            balanced: Array = (totals.sum() / (count * totals))[numbers]
            return balanced
        if not isinstance(given, Mapping):
            raise ArgumentError(f"class_weight is 'balanced' or a dict from label to weight, got {given!r}")
        unknown = [label for label in given if label not in self.classes_.tolist()]
        if unknown:
            raise ArgumentError(
                f"class_weight names {unknown[0]!r}, which is no class of y: {', '.join(map(str, self.classes_))}"
            )
        return np.array([float(given.get(label, 1.0)) for label in self.classes_.tolist()])[numbers]
