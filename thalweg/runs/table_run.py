"""Runs on tables: from a table to an ensemble of networks in a folder, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from thalweg import layers, losses, words
from thalweg.data.cells import text_column
from thalweg.data.recipe import recipe
from thalweg.data.sources import nearest
from thalweg.data.tables import Table, read_table
from thalweg.errors import ArgumentError, DataError, ModelFileError
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.runs.divisions import Division
from thalweg.runs.folder import COLUMNS, read_folder
from thalweg.runs.judging import Judgement, judge
from thalweg.runs.run import Array, Cells, Parts, Run, Scores, TrainingOptions, load_network, prediction_columns
from thalweg.runs.stored_trees import TREES, load_trees, save_trees
from thalweg.support.checks import number, whole
from thalweg.support.untrusted import readable
from thalweg.tabular.beside import Trees, joined, predicted_in_batches
from thalweg.tabular.features import Features, Target, at_least_one, with_numbers, without_bad_rows
from thalweg.tabular.qualities import OF_MEMBERS, Settings, settings_of
from thalweg.tabular.single_row import row_of
from thalweg.words import Text

FIRST = "member_1_output"
"""The last layer of the first network, by its name in the ensemble's graph."""


@dataclass(frozen=True, kw_only=True)
class TableOptions(TrainingOptions):
    """The options for training on a table, with the defaults of `thalweg train`. None: as the quality has it."""

    target: str
    task: str | None = None
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    id: str | None = None
    group: str | None = None
    time: str | None = None
    keep_time: bool = False
    folds: int | None = None
    quality: str = "balanced"
    time_limit: float | None = None
    metric: str | None = None
    members: int | None = None
    trees: bool = True  # beside the networks, where they help
    layers: tuple[int, ...] | None = None
    activation: str | None = None
    initial_weights: str | None = None
    loss: str | None = None
    dropout: float | None = None
    l2: float | None = None

    def check_own(self) -> None:
        if self.folds is not None:
            whole("folds", self.folds, 2)
        if self.time_limit is not None:
            number("time limit", self.time_limit, 1e-9)
        if self.keep_time and self.time is None:
            raise ArgumentError("--keep-time goes with --time COLUMN")
        apart = [name for name in (self.target, self.id, self.group, self.time) if name is not None]
        if self.target in apart[1:]:
            raise ArgumentError(f"the target {self.target!r} can't be the column of --id, --group or --time too")

    @property
    def settings(self) -> Settings:
        """The quality's settings, and what is given instead of them."""
        given = {name: getattr(self, name) for name in OF_MEMBERS}
        stop = {"patience": self.early_stopping, "held_share": self.validation_share}
        chosen = settings_of(self.quality, **given, **stop)
        return chosen if self.trees else replace(chosen, trees=())

    @property
    def division(self) -> Division:
        """How rows are held out."""
        return Division(self.test_share, self.group, self.time, self.split_seed)

    @property
    def no_inputs(self) -> tuple[str, ...]:
        """The columns that aren't inputs, besides the target."""
        apart = (self.id, self.group, None if self.keep_time else self.time)
        return tuple(dict.fromkeys([*self.ignore, *(name for name in apart if name is not None)]))

    @property
    def inputs_as_numbers(self) -> tuple[str, ...]:
        """The inputs to take as numbers; the target may be among `numbers` too."""
        return tuple(name for name in self.numbers if name != self.target)


@dataclass(kw_only=True)
class TableRun(Run):
    """Networks with the columns they were trained on."""

    features: Features
    trees: list[Trees] = field(default_factory=list)  # beside the networks, which are the model

    told: ClassVar[Mapping[str, Text]] = {
        rule: words.text("the run looks at all rows for it; see its warnings")
        for rule in ("leaking column", "shared rows", "imbalance", "no better than a linear model")
    }

    @property
    def target(self) -> Target:
        """The target."""
        assert self.features.target is not None
        return self.features.target

    @property
    def id(self) -> str | None:
        """The column that names the rows, which predictions carry."""
        name = self.facts["options"].get("id")
        return name if isinstance(name, str) else None

    def predicted(self, table: Table, alone: bool = False, lanes: int | None = None) -> Array:
        """Probabilities (rows, classes), or numbers (rows,) in the target's unit; `alone`: by the networks only."""
        return self.of_matrix(at_least_one(self.features.matrix(table)), alone, lanes)[: table.rows]

    def of_matrix(self, x: Array, alone: bool = False, lanes: int | None = None) -> Array:
        """The same for a matrix of at least a row, which `features` has made."""
        y_pred = predicted_in_batches(self.model if alone else self.ensemble, x, lanes)
        if self.target.task == "regression":
            return self.features.decode(y_pred)
        return np.column_stack(list(self.features.probabilities(y_pred).values()))

    @cached_property
    def ensemble(self) -> Model:
        """Networks and trees as one graph: the matrix → the prediction, as `model` gives the networks' alone."""
        return joined(self.model, self.trees)

    def labels(self, predicted: Array) -> Array:
        """The likeliest classes, or the numbers."""
        return predicted if self.target.task == "regression" else self.features.decode(predicted)

    def predict(self, frame: Any) -> Array:
        """The likeliest class of each row, in the labels of the training table, or its number: (rows,).

        Args:
            frame: a pandas, Polars or Arrow frame, a dict of columns, a row as a dict, a list of such rows, a path, a
                glob or a SQL query, with the columns of the training (the target need not be there; order and further
                columns don't matter). No rows have no predictions.

        Raises:
            DataError: a column is missing or of another kind, or a cell can't be used (named, with its row).
        """
        return self.labels(self._predicted(frame))

    def predict_proba(self, frame: Any) -> Array:
        """The probability of each class, (rows, classes), in the order of `target.classes`; raises for a number."""
        if self.target.task == "regression":
            raise ArgumentError(f"the target {self.target.name!r} is a number, which has no probabilities: use predict")
        return self._predicted(frame)

    def _predicted(self, frame: Any) -> Array:
        x = self.features.of_row(row_of(frame))
        return self.predicted(self.read(frame, least_rows=0)) if x is None else self.of_matrix(x)

    def evaluate(self, frame: Any) -> Scores:
        """Scores by name, of the rows whose target is known: of `predict` and `predict_proba`."""
        return self.judge(with_target(self.read(frame), self.target)).values

    def read(self, frame: Any, least_rows: int = 1) -> Table:
        """A table whose columns can be read as those of the training were."""
        return read_table(frame, text=self.features.kept, least_rows=least_rows)

    def judge(self, table: Table, alone: bool = False) -> Judgement:
        """The judgement on predictions for rows whose target is known."""
        return judge(self.features, self.predicted(table, alone), table)

    def first_network(self) -> Model:
        """The first network by itself, compiled as it was trained, except for its learning rate."""
        if FIRST not in [layer.name for layer in self.model.inside]:  # a single network
            return self.model
        task, options = recipe(self.target.task), self.facts["options"]
        loss = losses.get(options.get("loss") or task.loss)
        tensor: Any = self.model.get_layer(FIRST).output
        activation = task.activation_for(loss)
        if activation != "linear":
            tensor = layers.Activation(activation)(tensor)
        network = Functional(self.model.input, tensor, seed=0)
        network.compile(options.get("optimizer") or "adam", loss)
        return network

    def recorded_network(self) -> Model:
        return self.first_network()

    def descriptions(self) -> dict[str, Any]:
        """The columns, as columns.json, and the trees, if there are any."""
        trees = {TREES: partial(save_trees, self.trees)} if self.trees else {}
        return {COLUMNS: self.features.to_json(), **trees}


def usable_rows(table: Table, options: TableOptions) -> tuple[Table, list[str]]:
    """The usable rows, and what is wrong with the others; without `skip_bad` all rows, which may raise later."""
    return without_bad_rows(table, partial(fit_all, options=options)) if options.skip_bad else (table, [])


def fit_all(table: Table, options: TableOptions) -> None:
    """Fits target and columns on all rows, to find out whether they can be used."""
    table = with_numbers(table, options.numbers, options.categories)
    target = Target.of(table, options.target, options.task)
    Features.fit(
        table, target, ignore=options.no_inputs, categories=options.categories, numbers=options.inputs_as_numbers
    )
    options.division.once(table, target)


def divide(table: Table, options: TableOptions) -> tuple[Table, Target, Parts[Table]]:
    """The usable rows, their target, and the parts; rows without a target are in no part."""
    for name in (options.id, options.group, options.time):
        if name is not None:
            table.column(name)
    table, skipped = usable_rows(table, options)
    table = with_numbers(table, options.numbers, options.categories)
    target = Target.of(table, options.target, options.task)
    learn, test = options.division.once(table, target)
    return table, target, Parts(table.take(learn), None, table.take(test), skipped)


def with_target(table: Table, target: Target) -> Table:
    """The rows whose target is known; an error if there is none."""
    known = np.flatnonzero(~target.missing_in(table))
    if not known.size:
        raise DataError(f"no row of {table.source} has a value in the target column {target.name!r}")
    return table.take(known)


def usable(run: TableRun, table: Table, with_targets: bool = False, least_rows: int = 1) -> tuple[Table, list[str]]:
    """The rows that the network can take (and, if asked for, be scored on), and the problems of the others."""

    def use(rows: Table) -> None:
        run.features.matrix(rows)
        if with_targets:
            run.features.targets(rows)

    return without_bad_rows(table, use, least_rows)


def load(folder: str | Path) -> TableRun:
    """Reads a run from its folder."""
    folder = Path(folder)
    description, history, facts = read_folder(folder, COLUMNS)
    with readable(ModelFileError, f"{folder / COLUMNS} is damaged"):
        features = Features.from_json(description)
    if features.target is None:
        raise ModelFileError(f"{folder / COLUMNS} names no target")
    shapes = (len(features.feature_names),), (features.target.outputs,)
    model = load_network(folder, shapes, "the columns")
    trees = load_trees(folder, features, {kind["name"]: kind["weight"] for kind in facts.get("trees") or []})
    return TableRun(model=model, features=features, history=history, facts=facts, trees=trees, folder=folder)


def with_columns(run: TableRun, table: Table, values: Mapping[str, str]) -> Table:
    """The table with further columns, each of one value, which is read as a cell of a file is.

    Raises:
        ArgumentError: the table has such a column, or the model doesn't, or can't use the value.
    """
    used, added = run.features.used, {}
    for name, value in values.items():
        if name not in used:
            raise ArgumentError(
                f"the model uses no column {name!r}{nearest(name, list(used))}: there is nothing to fill"
            )
        if name in table:
            raise ArgumentError(f"{table.source} has a column {name!r}: only one that isn't there can be filled")
        one = Table({name: text_column([value])}, "the value")
        try:
            used[name].write(one.column(name), one, np.zeros((1, len(used[name].features)), np.float32))
        except DataError:
            kind = next(column.kind for column in run.features.describe() if column.name == name)
            raise ArgumentError(f"{value!r} can't fill the column {name!r}, a {kind} in training") from None
        added[name] = one.column(name).take(np.zeros(table.rows, np.intp))
    return Table({name: table.column(name) for name in table.names} | added, table.source) if added else table


def predictions(run: TableRun, table: Table, numbered: bool = False, ids: Sequence[str] = ()) -> dict[str, Cells]:
    """A column "prediction", and for classes the probability of each: what `thalweg predict` writes.

    `numbered` puts a column "row" first, the row's number in its source: some rows may have been left out. The columns
    `ids`, which the table was read with verbatim, come before the prediction.
    """
    predicted = run.predicted(table)
    first: dict[str, Cells] = {}
    if numbered:
        first["row"] = np.array([table.row_number(k) for k in range(table.rows)], np.int64)
    for name in ids:
        if name in ("prediction", "row")[: 1 + numbered]:
            raise ArgumentError(f"the column {name!r} can't name the rows: the predictions have a column of that name")
        column = table.column(name)
        if column.verbatim is None:
            raise DataError(f"the column {name!r} holds {column.holds} values, which can't name rows")
        first[name] = column.verbatim
    classes = run.target.classes
    return prediction_columns(
        first, run.labels(predicted), dict(zip(classes, predicted.T, strict=True)) if classes else {}
    )
