"""Runs on tables: from a table to a trained network in a folder, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import layers, losses, regularizers
from thalweg.data.cells import magnitude
from thalweg.data.recipe import recipe
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, BadRowsError, DataError, ModelFileError
from thalweg.models.sequential import Sequential
from thalweg.runs.folder import COLUMNS, read_folder
from thalweg.runs.run import (
    Array,
    Parts,
    Run,
    Scores,
    TrainingOptions,
    class_baseline,
    load_network,
    prediction_columns,
)
from thalweg.support.untrusted import readable
from thalweg.tabular.features import Features, Target, without_bad_rows


@dataclass(frozen=True, kw_only=True)
class TableOptions(TrainingOptions):
    """The options for training on a table, with the defaults of `thalweg train`."""

    target: str
    task: str | None = None
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    layers: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    initial_weights: str = "he_normal"
    loss: str | None = None
    batch_size: int = 64
    epochs: int = 200
    dropout: float = 0.1
    l2: float = 0.0
    early_stopping: int = 20


@dataclass(kw_only=True)
class TableRun(Run):
    """A network with the columns it was trained on."""

    features: Features

    @property
    def target(self) -> Target:
        """The target."""
        assert self.features.target is not None
        return self.features.target

    def descriptions(self) -> dict[str, Any]:
        """The columns, as columns.json."""
        return {COLUMNS: self.features.to_json()}


def usable_rows(table: Table, options: TableOptions) -> tuple[Table, list[str]]:
    """The usable rows, and what is wrong with the others; without `skip_bad` all rows, which may raise later."""
    return without_bad_rows(table, partial(fit_all, options=options)) if options.skip_bad else (table, [])


def fit_all(table: Table, options: TableOptions) -> None:
    """Fits target and columns on all rows, to find out whether they can be used."""
    target = Target.of(table, options.target, options.task)
    Features.fit(table, target, ignore=options.ignore, categories=options.categories)


def understand(table: Table, options: TableOptions) -> tuple[Target, Parts[Table], Features]:
    """The target of all rows, the parts, and the columns fitted on the training rows."""
    table, skipped = usable_rows(table, options)
    target = Target.of(table, options.target, options.task)
    parts = divide(table, target, options, skipped)
    try:
        features = Features.fit(parts.train, target, ignore=options.ignore, categories=options.categories)
    except BadRowsError:
        fit_all(table, options)  # names the bad rows of all parts
        raise
    return target, parts, features


def divide(table: Table, target: Target, options: TableOptions, skipped: Sequence[str] = ()) -> Parts[Table]:
    """Splits the rows, by class if there are classes; rows without a target are in no part."""
    learn, held, test = options.split(table[target.name], target.task)
    return Parts(table.take(learn), None if held is None else table.take(held), table.take(test), skipped)


def build(features: Features, options: TableOptions) -> Sequential:
    """The network for these columns: hidden layers as asked, an output layer that fits the task."""
    target = features.target
    assert target is not None
    wanted = recipe(target.task)
    penalty = regularizers.L2(options.l2) if options.l2 else None
    stack: list[layers.Layer | layers.Input] = [layers.Input((len(features.feature_names),))]
    for units in options.layers:
        stack.append(
            layers.Dense(
                units,
                options.activation,
                kernel_initializer=options.initial_weights,
                kernel_regularizer=penalty,
            )
        )
        if options.dropout:
            stack.append(layers.Dropout(options.dropout))
    stack.append(layers.Dense(target.outputs, wanted.activation, kernel_regularizer=penalty))
    model = Sequential(stack, seed=options.seed)
    loss = losses.get(options.loss or wanted.loss)
    model.compile(optimizer=options.make_optimizer(), loss=loss, metrics=[wanted.metric])
    return model


def encoded(features: Features, model: Sequential, table: Table) -> tuple[Array, Array]:
    """x and y of these rows, as the network and its loss take them."""
    target = features.target
    assert target is not None
    y = recipe(target.task).encode(features.targets(table), target.outputs, model.loss)
    return features.matrix(table), y


def train(
    table: Table,
    options: TableOptions,
    announce: Callable[[Parts[Table], Features, Sequential], None] | None = None,
) -> TableRun:
    """Divides the rows, fits the columns on the training rows, trains, and scores on the held-out rows.

    `announce` is called before training begins, with all that is known by then.
    """
    options.check()
    if options.l2 < 0:
        raise ArgumentError(f"l2 can't be negative, got {options.l2}")
    target, parts, features = understand(table, options)
    model = build(features, options)
    if announce is not None:
        announce(parts, features, model)
    held = parts.validation
    validation = None if held is None else encoded(features, model, held)
    history = options.fit(model, encoded(features, model, parts.train), validation, recipe(target.task))
    run = TableRun(model=model, features=features, history=history.records())
    rows = parts.count(lambda part: part.rows) | {"without target": target.missing}
    run.facts = options.facts(table.source, rows, model, history)
    run.facts |= {"held-out": score(run, parts.test), "baseline": baseline(run, parts)}
    return run


def with_target(table: Table, target: Target) -> Table:
    """The rows whose target is known; an error if there is none."""
    known = np.flatnonzero(~table.column(target.name).missing())
    if not known.size:
        raise DataError(f"no row of {table.source} has a value in the target column {target.name!r}")
    return table.take(known)


def usable(run: TableRun, table: Table, with_targets: bool = False) -> tuple[Table, list[str]]:
    """The rows that the network can take (and, if asked for, be scored on), and the problems of the others."""

    def use(rows: Table) -> None:
        run.features.matrix(rows)
        if with_targets:
            run.features.targets(rows)

    return without_bad_rows(table, use)


def score(run: TableRun, table: Table) -> Scores:
    """Scores of the predictions for these rows, in the target's own labels and units, by scikit-learn."""
    outputs = run.model.predict(run.features.matrix(table), verbose=0)
    if run.target.task == "regression":
        return regression_scores(run.target.numbers(table), run.features.decode(outputs))
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

    codes = run.features.targets(table).ravel().astype(int)
    shares = np.column_stack(list(run.features.probabilities(outputs).values())).astype(np.float64)
    guesses = shares.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(codes, guesses)),
        "balanced accuracy": float(balanced_accuracy_score(codes, guesses)) if len(set(codes)) > 1 else float("nan"),
        "log loss": float(log_loss(codes, shares / shares.sum(axis=1, keepdims=True), labels=range(shares.shape[1]))),
    }


def regression_scores(truth: Array, guess: Array) -> Scores:
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    unit = magnitude(truth)  # the squares of large numbers would overflow
    truth, guess = truth / unit, guess / unit
    return {
        "R²": float(r2_score(truth, guess)) if len(truth) > 1 else float("nan"),
        "RMSE": float(root_mean_squared_error(truth, guess)) * unit,
        "MAE": float(mean_absolute_error(truth, guess)) * unit,
    }


def baseline(run: TableRun, parts: Parts[Table]) -> dict[str, Any]:
    """The score of an answer without looking: always the most frequent class of the training rows, or their mean."""
    if run.target.task == "regression":
        mean = run.target.mean
        truth = run.target.numbers(parts.test)
        return {"answer": mean, "scores": regression_scores(truth, np.full(len(truth), mean))}
    trained, tested = (run.features.targets(part).ravel().astype(int) for part in (parts.train, parts.test))
    return class_baseline(trained, tested, run.target.classes)


def load(folder: str | Path) -> TableRun:
    """Reads a run from its folder."""
    folder = Path(folder)
    description, history, facts = read_folder(folder, COLUMNS)
    with readable(ModelFileError, f"{folder / COLUMNS} is damaged"):
        features = Features.from_json(description)
    if features.target is None:
        raise ModelFileError(f"{folder / COLUMNS} names no target")
    shapes = (len(features.feature_names),), (features.target.outputs,)
    return TableRun(model=load_network(folder, shapes, "the columns"), features=features, history=history, facts=facts)


def predictions(run: TableRun, table: Table, numbered: bool = False) -> dict[str, Array]:
    """A column "prediction", and for classes the probability of each: what `thalweg predict` writes.

    `numbered` puts a column "row" first, the row's number in its source: some rows may have been left out.
    """
    outputs = run.model.predict(run.features.matrix(table), verbose=0)
    first: dict[str, Array] = {"row": np.array([table.row_number(k) for k in range(table.rows)])} if numbered else {}
    shares = {} if run.target.task == "regression" else run.features.probabilities(outputs)
    return prediction_columns(first, run.features.decode(outputs), shares)
