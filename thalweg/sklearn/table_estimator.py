"""What TabularClassifier and TabularRegressor share: from a table to an ensemble of networks, and back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from thalweg.batches.arrays import memory_there
from thalweg.data.fitted import LeftOut
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.engine.lanes import cores
from thalweg.errors import ArgumentError, DataError, ThalwegWarning
from thalweg.sklearn.folds import CrossValidation, splits, summary
from thalweg.sklearn.intake import (
    array_names,
    column_names,
    is_frame,
    known_columns,
    known_row,
    per_row,
    table_of,
    targets_of,
)
from thalweg.sklearn.newcomers import understood
from thalweg.sklearn.table_sources import (
    IN_MEMORY,
    check_name,
    classes_of,
    is_mapped,
    is_source,
    labels_of,
    read_whole,
    slices,
    with_target,
)
from thalweg.support.arguments import arguments
from thalweg.support.checks import number, whole
from thalweg.support.naming import suggesting
from thalweg.support.printing import out
from thalweg.tabular import canonical
from thalweg.tabular.beside import joined, predicted_in_batches
from thalweg.tabular.clock import Clock
from thalweg.tabular.ensemble import Ensemble
from thalweg.tabular.features import Features, at_least_one
from thalweg.tabular.judge import Judge
from thalweg.tabular.preparation import prepare
from thalweg.tabular.qualities import OF_MEMBERS, Settings, settings_of
from thalweg.tabular.scoring import shown
from thalweg.tabular.trees import NETWORKS

Array = NDArray[Any]


@arguments
class TableEstimator(BaseEstimator):
    """Base of the two estimators for tables; see `TabularClassifier`."""

    quality: str = "balanced"
    _: KW_ONLY
    metric: str | None = None
    time_limit: float | None = None
    members: int | str | None = None
    layers: Sequence[int] | int | None = None
    activation: Any = None
    initial_weights: Any = None
    loss: Any = None
    optimizer: Any = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    dropout: float | None = None
    categories: Sequence[str | int] = ()
    numbers: Sequence[str | int] = ()
    ignore: Sequence[str | int] = ()
    class_weight: Any = None
    random_state: Any = None
    n_jobs: int | None = None
    verbose: int = 0
    memory: str | int | None = None
    cache: str | Path | None = None

    @suggesting
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, time: Any = None) -> Self:
        """Learns from a table.

        Args:
            X: a pandas, Polars or Arrow frame, a dict of columns, a list of rows, each a dict, a `Table`, or an array
                (rows, columns); or a path, a glob, a SQL query, an Arrow dataset. With `memory` or `cache` it is one of
                the latter, a folder of files or a `numpy.memmap`, of any number of rows.
            y: (rows,) labels or numbers, without missing ones; for a path, a query or a dataset the column's name.
            sample_weight: (rows,) a weight for each row; rows of weight 0 are left out.
            groups: (rows,) such as a customer's number: rows of a group are held out together.
            time: (rows,) dates or numbers: the latest eighth of the rows is held out, as what has to be predicted will
                come later too.

        Raises:
            DataError: what is wrong with the data, with row and column. ArgumentError: an argument that can't be
                honoured, such as a time limit that was over before the training began.
        """
        clock = Clock(None if self.time_limit is None else number("time_limit", self.time_limit, 1e-9))
        settings = self._settings()
        if self.memory is not None or self.cache is not None:
            return self._fit_on_disk(clock, settings, X, y, sample_weight=sample_weight, groups=groups, time=time)
        if is_source(X):
            X, y = with_target(read_whole(X), y, self._task_is_regression())
        if is_mapped(X) and 4 * X.size > memory_there():
            raise DataError(
                f"the matrix of X takes {4 * X.size / 1e9:,.1f} GB or more, and this machine has less memory: give "
                f'{type(self).__name__}(memory="500MB"), which learns from a disk'
            )
        return self._fit_in_memory(clock, settings, X, y, sample_weight, groups, time)

    def _fit_on_disk(self, clock: Clock, settings: Settings, X: Any, y: Any, **per_row: Any) -> Self:
        """Learns from rows that may be larger than memory."""
        from thalweg.sklearn.large_tables import found_rows

        given = next((name for name, values in per_row.items() if values is not None), None)
        if given is not None:
            raise ArgumentError(IN_MEMORY.format(given))
        seed, regression = int(check_random_state(self.random_state).randint(2**31 - 1)), self._task_is_regression()
        with found_rows(self, X, y, seed, clock, regression) as found:
            if isinstance(found.rows, Table):
                table, y = with_target(found.rows, found.target, regression)
                X = table if is_source(X) else np.asarray(X)
                return self._fit_in_memory(clock, settings, X, y, None, None, None)
            prepared, missing = found.rows.prepared, found.rows.store.missing
            if missing:
                raise DataError(f"Input y contains NaN: {missing:,} rows have no value in {found.target!r}")
            self.n_features_in_ = len(found.names)
            if is_source(X):
                self.feature_names_in_ = np.array(found.names, dtype=object)
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            if not regression:
                assert prepared.features.target is not None
                self.classes_ = classes_of(prepared.features.target)
            warn_of_text(prepared.features)
            ended = prepared.train(clock, self._lanes(), tell if self.verbose else None)
            self._keep(prepared.features, ended, prepared.judge)
            at_hand = prepared.rows.on_disk
            assert at_hand is not None
            del self.out_of_fold_  # of a few rows
            self.members_ = [replace(m, held_out=at_hand.at_hand[m.held_out]) for m in ended.members]
        warn_of_the_end(ended)
        return self

    def _fit_in_memory(
        self, clock: Clock, settings: Settings, X: Any, y: Any, sample_weight: Any, groups: Any, time: Any
    ) -> Self:
        """Learns from a table, or what can be read as one."""
        table = table_of(X, self, least_rows=2)
        labels = targets_of(y, table.rows, self._task_is_regression(), self)
        weights = None if sample_weight is None else _check_sample_weight(
            sample_weight, labels, dtype=np.float64, ensure_non_negative=True
        )  # fmt: skip
        groups, time = per_row(groups, table.rows, "groups"), per_row(time, table.rows, "time")
        if groups is not None and time is not None:
            raise ArgumentError("groups and time both say which rows to hold out: give one of them")
        self._remember_columns(X, table)
        rows = table.rows
        check_sortable(labels)
        used, weights = used_rows(table, labels, weights)
        if used is not None:
            table, labels = table.take(used), labels[used]
            groups, time = (None if v is None else v[used] for v in (groups, time))
        target, numbers = self._understand(labels, getattr(y, "name", None), table, weights)
        self._fit_table(clock, settings, table, target, numbers, weights, groups, time)
        if used is not None:
            self._place(used, rows)
        return self

    @suggesting
    def cross_validate(
        self, X: Any, y: Any, folds: int = 5, *, sample_weight: Any = None, groups: Any = None, time: Any = None
    ) -> CrossValidation:
        """Scores of fits to all folds but one, on the one left out, by `metric` (log-loss, or RMSE of numbers).

        Args:
            X, y, sample_weight, groups, time: as in `fit`. Groups stay together; with `time` every part is predicted by
                the rows before it.
            folds: how many.

        Returns:
            `scores`, `mean` and `spread`, the standard deviation. This estimator itself stays unfitted.
        """
        if self.memory is not None or self.cache is not None:
            raise ArgumentError(IN_MEMORY.format("cross_validate"))
        if is_source(X):
            X, y = with_target(read_whole(X), y, self._task_is_regression())
        table = table_of(X, self, least_rows=2)
        labels = targets_of(y, table.rows, self._task_is_regression(), self)
        extra = {"groups": per_row(groups, table.rows, "groups"), "time": per_row(time, table.rows, "time")}
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, labels, dtype=np.float64)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        scores: list[float] = []
        for learn, test in splits(labels, not self._task_is_regression(), folds, **extra, seed=seed):
            chosen = {name: None if values is None else values[learn] for name, values in extra.items()}
            fitted = clone(self).fit(
                table.take(learn), labels[learn], None if weights is None else weights[learn], **chosen
            )
            scores.append(
                fitted._score_by_metric(table.take(test), labels[test], None if weights is None else weights[test])
            )
        return summary(fitted.metric_, scores)

    def _score_by_metric(self, table: Table, labels: Array, weights: Array | None) -> float:
        """The score by the estimator's metric."""
        judge = replace(self._judge, y=self._numbers(labels), weights=weights)
        return shown(self.metric_, judge.of_predictions(np.arange(len(labels)), self._predicted(table), weights))

    def _numbers(self, labels: Array) -> Array:
        """Class numbers, or standardised numbers, of labels as in the fit."""
        raise NotImplementedError

    def _fit_table(
        self,
        clock: Clock,
        settings: Settings,
        table: Table,
        target: Target,
        numbers: Array,
        weights: Array | None,
        groups: Array | None,
        time: Array | None,
    ) -> None:
        """Fits columns and networks. `numbers`: class numbers (rows,), or standardised numbers."""
        listed = ("ignore", "categories", "numbers")
        ignore, categories, numeric = (column_names(table, getattr(self, name), name) for name in listed)
        prepared = prepare(
            table,
            target,
            settings,
            numbers=numbers,
            weights=weights,
            class_factors=self._class_weights(numbers, weights),
            metric=self.metric,
            groups=groups,
            time=time,
            ignore=ignore,
            categories=categories,
            numeric=numeric,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        warn_of_text(prepared.features)
        found = prepared.train(clock, self._lanes(), tell if self.verbose else None)
        self._keep(prepared.features, found, replace(prepared.judge, weights=weights))
        warn_of_the_end(found)

    def _keep(self, features: Features, found: Ensemble, judge: Judge) -> None:
        """Sets the fitted attributes. The score doesn't count class weights."""
        self.features_ = features
        self.model_ = found.model
        self.members_ = found.members
        self.temperature_ = found.temperature
        self.history_ = [record for member in found.members for record in member.records]
        self.trees_ = found.trees
        self.ensemble_ = joined(found.model, found.trees)
        self.shares_ = {NETWORKS: 1 - sum(kind.weight for kind in found.trees)}
        self.shares_ |= {kind.name: kind.weight for kind in found.trees}
        self.metric_ = judge.metric
        self._judge = replace(judge, y=judge.y[:0], weights=None)
        networks = found.out_of_fold[:, 0] if judge.task == "regression" else found.out_of_fold
        predicted = networks if found.together is None else found.together
        self.out_of_fold_: Array = predicted
        both = networks + predicted
        self.validation_score_ = validation(judge, predicted, both)
        self.networks_score_ = validation(judge, networks, both)
        if found.diverged:
            warnings.warn(
                f"{found.diverged} of {found.diverged + len(found.members)} networks diverged and were left out: try a "
                "lower learning_rate",
                ThalwegWarning,
                stacklevel=4,
            )

    def _place(self, used: Array, rows: int) -> None:
        """Says which rows of X those are that were used."""
        of_used = self.out_of_fold_
        self.out_of_fold_ = np.full((rows, *of_used.shape[1:]), np.nan)
        self.out_of_fold_[used] = of_used
        self.members_ = [replace(m, held_out=np.unique(used[m.held_out])) for m in self.members_]

    @suggesting
    def export(
        self,
        filepath: str | Path,
        format: str | None = None,
        overwrite: bool = False,
        opset: int | None = None,
        int8: bool = False,
    ) -> None:
        """Writes the fitted ensemble in another form, with its columns and its trees: arguments as in `Model.export`.

        Such a file takes cells as a table has them, and needs no thalweg.

        Raises:
            ArgumentError: an unknown format, one that can't say how columns are read, or a file that exists.
        """
        from thalweg.exchange import targets

        check_is_fitted(self)
        name = {"rmse": "RMSE", "mae": "MAE"}.get(self.metric_, self.metric_)  # as a run calls it
        told: dict[str, Any] = {"features": self.features_, "scores": {name: self.validation_score_}}
        targets.export(self.ensemble_, filepath, format, overwrite, opset=opset, int8=int8, **told)

    def _predicted(self, X: Any) -> Array:
        """Probabilities (rows, classes) or numbers (rows,) for these rows."""
        check_is_fitted(self)
        if is_source(X):
            return self._of_source(X)[0]
        if is_mapped(X):
            return np.concatenate([self._predicted(some) for some in slices(X)])
        x, rows = self.features_.of_row(known_row(self, X), familiar=True), 1
        if x is None:
            table = known_columns(self, X, table_of(X, self, least_rows=0))
            table = understood(self.features_, table)
            x, rows = at_least_one(self.features_.matrix(table)), table.rows
        lanes = None if self.n_jobs in (None, -1) else self._lanes()  # of all, as many as are worthwhile
        return self._of_graph(predicted_in_batches(self.ensemble_, x, lanes))[:rows]

    def _of_source(self, X: Any, y: Any = None) -> tuple[Array, Array]:
        """The same for the rows of a source, and what its column `y` holds, if one is named."""
        if y is not None:
            check_name(y)
        names = list(getattr(self, "feature_names_in_", ())) or array_names(self.n_features_in_)
        target, parts, truth = self.features_.target, [], []
        assert target is not None
        with self._blocks(X, max(1, len(target.classes))) as tables:
            for table in tables:
                if y is not None:
                    truth.append(labels_of(replace(target, name=y), table))
                parts.append(self._predicted(table.only(names)))
        return np.concatenate(parts), np.concatenate(truth) if truth else np.zeros(0)

    def _blocks(self, X: Any, outputs: int) -> AbstractContextManager[Iterator[Table]]:
        """The rows of a source; within the limit of memory, if there is one."""
        if self.memory is None:
            return nullcontext(iter([read_whole(X, self.features_.kept, least_rows=0)]))
        from thalweg.sklearn.large_tables import blocks

        return blocks(self.memory, X, self.features_, outputs)

    def _of_graph(self, outputs: Array) -> Array:
        """Probabilities (rows, classes) or numbers (rows,) from the graph's outputs."""
        raise NotImplementedError

    def _settings(self) -> Settings:
        return settings_of(self.quality, **{name: getattr(self, name) for name in OF_MEMBERS if hasattr(self, name)})

    def _lanes(self) -> int:
        if self.n_jobs is None or self.n_jobs == -1:
            return cores()
        return whole("n_jobs", self.n_jobs)

    def _remember_columns(self, X: Any, table: Table) -> None:
        self.n_features_in_ = len(table.names)
        if is_frame(X):
            self.feature_names_in_ = np.array(table.names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _task_is_regression(self) -> bool:
        raise NotImplementedError

    def _understand(self, labels: Array, name: str | None, table: Table, weights: Array | None) -> tuple[Target, Array]:
        """The target, and class numbers (rows,) or standardised numbers (rows,)."""
        raise NotImplementedError

    def _class_weights(self, numbers: Array, weights: Array | None) -> Array | None:
        """A factor for each row's weight."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        return tags


def used_rows(table: Table, labels: Array, weights: Array | None) -> tuple[Array | None, Array | None]:
    """The rows to learn from, None for all as they are, and their weights.

    Rows of weight 0 are left out; few rows are put in an order of their own, and repeated if their weights are whole.
    """
    chosen: Array | None = None
    if weights is not None:
        if not weights.any():
            raise DataError("sample_weight is 0 for every row: there is nothing to learn from")
        chosen = canonical.repetitions(weights)
        if chosen is not None:
            weights = None
        elif (weights == 0).any():
            chosen = np.flatnonzero(weights)
    if (table.rows if chosen is None else len(chosen)) <= canonical.FEW_ROWS:
        chosen = np.arange(table.rows) if chosen is None else chosen
        chosen = chosen[canonical.order(table.take(chosen), labels[chosen])]
    return chosen, None if weights is None else weights if chosen is None else weights[chosen]


def validation(judge: Judge, predicted: Array, where: Array) -> float:
    """The score of out-of-fold predictions, in the rows in which `where` has some; NaN if there are none."""
    rows = np.flatnonzero(~np.isnan(where.reshape(len(where), -1)[:, 0]))
    weights = None if judge.weights is None else judge.weights[rows]
    return shown(judge.metric, judge.of_predictions(rows, predicted[rows], weights)) if len(rows) else np.nan


def check_sortable(labels: Array) -> None:
    """Raises for labels of types that can't be compared, such as text and numbers."""
    kinds = {type(label) for label in labels.tolist()} if labels.dtype.kind == "O" else set()
    if str in kinds and len(kinds) > 1:
        listed = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(f"y mixes labels of the types {listed}, which can't be sorted: use one type")


def tell(member: int, epoch: int, epochs: int, logs: dict[str, Any]) -> None:
    """Prints a line for an epoch."""
    numbers = ", ".join(f"{key} {value:.4g}" for key, value in logs.items())
    out(f"member {member + 1}, epoch {epoch}/{epochs}: {numbers}")


def target_name(name: object, table: Table) -> str:
    """The target's name, one that no column has."""
    chosen = name if isinstance(name, str) and name else "target"
    while chosen in table:
        chosen += "_"
    return chosen


def warn_of_the_end(found: Ensemble) -> None:
    """Warns if Ctrl-C ended the training."""
    if found.interrupted:
        warnings.warn("Ctrl-C ended the training: what was learned until then is kept", ThalwegWarning, stacklevel=5)


def warn_of_text(features: Features) -> None:
    """Warns of columns that are left out although their values vary."""
    left = [c.name for c in features.columns if isinstance(c, LeftOut) and "free text" in c.reason]
    if left:
        listed = ", ".join(map(repr, left[:5])) + (", …" if len(left) > 5 else "")
        warnings.warn(
            f"{listed}: text that differs in nearly every row is left out; name it in categories= if its values are "
            "categories, in numbers= if they are numbers, or in ignore= to leave it out silently",
            ThalwegWarning,
            stacklevel=4,
        )
