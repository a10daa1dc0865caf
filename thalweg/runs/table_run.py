"""Runs: from a table to a trained network in a folder, and back.

A run folder holds model.safetensors (weights and their description), columns.json (what the columns were understood
as), history.jsonl (a line for each epoch) and run.json (the exact command, options, versions, scores). It is written at
the end, as a whole; an existing folder is never touched.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import thalweg
from thalweg import layers, losses, optimizers, regularizers, utils
from thalweg.callbacks import EarlyStopping, History
from thalweg.support.checks import whole
from thalweg.experiments.comparison import finite
from thalweg.data.cells import magnitude
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, BadRowsError, DataError, ModelFileError
from thalweg.support.files import explained
from thalweg.models.sequential import Sequential
from thalweg.runs.folder import COLUMNS, HISTORY, MODEL, RUN, read_folder
from thalweg.tabular.features import Features, Target, split_rows, without_bad_rows
from thalweg.support.untrusted import readable

Array = NDArray[Any]
Scores = dict[str, float]

LOSSES = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}
OUTPUTS = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}


@dataclass(frozen=True)
class Options:
    """What can be chosen about training on a table; the defaults are what `thalweg train` uses."""

    target: str
    task: str | None = None
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    layers: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    initial_weights: str = "he_normal"
    loss: str | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    batch_size: int = 64
    epochs: int = 200
    dropout: float = 0.1
    l2: float = 0.0
    test_share: float = 0.2
    validation_share: float = 0.1
    early_stopping: int = 20
    seed: int | None = None
    lanes: int | None = None
    skip_bad: bool = False  # leave out rows that can't be used, such as those with an infinite number


@dataclass
class Run:
    """A trained network with the columns it was trained on, and how it did."""

    model: Sequential
    features: Features
    history: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)  # run.json: command, options, versions, scores

    @property
    def target(self) -> Target:
        """What is predicted."""
        assert self.features.target is not None
        return self.features.target


@dataclass(frozen=True)
class Parts:
    """The rows of a table: to learn from, to stop by, to judge by."""

    train: Table
    validation: Table | None
    test: Table
    skipped: Sequence[str] = ()  # what was wrong with each of the rows that are left out


def sound(table: Table, options: Options) -> tuple[Table, list[str]]:
    """The rows that can be used, and what is wrong with the others; without `skip_bad` all, which may raise later."""
    return without_bad_rows(table, partial(fit_all, options=options)) if options.skip_bad else (table, [])


def fit_all(table: Table, options: Options) -> None:
    """Fits target and columns on all rows, to see whether they can be used."""
    target = Target.of(table, options.target, options.task)
    Features.fit(table, target, ignore=options.ignore, categories=options.categories)


def understand(table: Table, options: Options) -> tuple[Target, Parts, Features]:
    """The target in all rows, the rows of each part, and the columns, fitted on the training rows."""
    table, skipped = sound(table, options)
    target = Target.of(table, options.target, options.task)
    parts = replace(divide(table, target, options), skipped=skipped)
    try:
        features = Features.fit(parts.train, target, ignore=options.ignore, categories=options.categories)
    except BadRowsError:
        fit_all(table, options)  # names the bad rows of all parts
        raise
    return target, parts, features


def divide(table: Table, target: Target, options: Options) -> Parts:
    """Splits the rows by class where there are classes; rows without a target are in no part."""
    seed = (options.seed or 0) % 2**32
    learn, test = split_rows(table[target.name], target.task, options.test_share, seed)
    if not options.validation_share:
        return Parts(table.take(learn), None, table.take(test))
    labels = table[target.name][learn]
    first, second = split_rows(labels, target.task, options.validation_share, seed)
    return Parts(table.take(learn[first]), table.take(learn[second]), table.take(test))


def build(features: Features, options: Options) -> Sequential:
    """The network for these columns: hidden layers as asked, an output layer that fits the task."""
    target = features.target
    assert target is not None
    penalty = regularizers.L2(options.l2) if options.l2 else None
    stack: list[layers.Layer] = [layers.Input((len(features.feature_names),))]
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
    stack.append(layers.Dense(target.outputs, OUTPUTS[target.task], kernel_regularizer=penalty))
    model = Sequential(stack, seed=options.seed)
    optimizer = optimizers.get(options.optimizer)
    if options.learning_rate is not None:
        optimizer.learning_rate = options.learning_rate
    model.compile(
        optimizer=optimizer,
        loss=losses.get(options.loss or LOSSES[target.task]),
        metrics=["r2"] if target.task == "regression" else ["accuracy"],
    )
    return model


def targets(features: Features, model: Sequential, table: Table) -> Array:
    """What the network learns from these rows, one-hot where its loss wants that."""
    y = features.targets(table)
    target = features.target
    if target is not None and target.task == "multiclass" and model.loss.target_shape((target.outputs,)) != (1,):
        return utils.to_categorical(y, target.outputs)
    return y


def train(table: Table, options: Options, announce: Callable[[Parts, Features, Sequential], None] | None = None) -> Run:
    """Divides the rows, fits the columns on the training rows, trains, and scores on the held-out rows.

    `announce` is called before training begins, with all that is known then.
    """
    check(options)
    if options.l2 < 0:
        raise ArgumentError(f"l2 can't be negative, got {options.l2}")
    target, parts, features = understand(table, options)
    model = build(features, options)
    if announce is not None:
        announce(parts, features, model)
    held = parts.validation
    validation = None if held is None else (features.matrix(held), targets(features, model, held))
    stop = EarlyStopping("val_loss", patience=options.early_stopping, restore_best_weights=True)
    history = fit(
        model,
        features.matrix(parts.train),
        targets(features, model, parts.train),
        batch_size=options.batch_size,
        epochs=options.epochs,
        validation_data=validation,
        callbacks=[stop] if options.early_stopping else [],
        lanes=options.lanes,
    )
    run = Run(model, features, history.records())
    run.facts = {
        "options": asdict(options),
        "source": table.source,
        "rows": {
            "train": parts.train.rows,
            "validation": held.rows if held is not None else 0,
            "test": parts.test.rows,
            "without target": target.missing,
            "skipped": len(parts.skipped),
        },
        "seed": model.seed,
        "seconds": history.seconds,
        "interrupted": history.interrupted,
        "held-out": score(run, parts.test),
        "baseline": baseline(run, parts),
    }
    return run


def fit(model: Sequential, x: Array, y: Array, **more: Any) -> History:
    """`Sequential.fit` for a run: a training that Ctrl-C ends is kept."""
    try:
        return model.fit(x, y, **more)
    except KeyboardInterrupt:
        if model.history is None or not model.history.interrupted:  # it hadn't begun
            raise
        return model.history


class Chosen(Protocol):
    """The options that tables and images share."""

    @property
    def batch_size(self) -> int | None: ...
    @property
    def epochs(self) -> int | None: ...
    @property
    def test_share(self) -> float: ...
    @property
    def validation_share(self) -> float: ...
    @property
    def early_stopping(self) -> int: ...
    @property
    def lanes(self) -> int | None: ...


def check(options: Chosen) -> None:
    """What no layer or optimizer would notice."""
    for name in ("batch_size", "epochs"):
        if getattr(options, name) is not None:  # else they are chosen by the number of rows
            whole(name.replace("_", " "), getattr(options, name))
    for name, least, said in (("test_share", 1e-9, "above 0"), ("validation_share", 0.0, "not negative")):
        if not least <= getattr(options, name) < 1:
            given = getattr(options, name)
            raise ArgumentError(f"the {name.replace('_', ' ')} has to be {said} and below 1, got {given:g}")
    if options.lanes is not None:
        whole("lanes", options.lanes)
    whole("early stopping's patience", options.early_stopping, 0)
    if options.early_stopping and not options.validation_share:
        raise ArgumentError("early stopping needs validation rows: give a validation share, or --early-stopping 0")


def with_target(table: Table, target: Target) -> Table:
    """The rows whose target is known; an error if there is none."""
    known = np.flatnonzero(~table.column(target.name).missing())
    if not known.size:
        raise DataError(f"no row of {table.source} has a value in the target column {target.name!r}")
    return table.take(known)


def usable(run: Run, table: Table, with_targets: bool = False) -> tuple[Table, list[str]]:
    """The rows that the network can be given (and scored on, where that is asked), and why not the others."""

    def use(rows: Table) -> None:
        run.features.matrix(rows)
        if with_targets:
            run.features.targets(rows)

    return without_bad_rows(table, use)


def score(run: Run, table: Table) -> Scores:
    """How good the predictions for these rows are, in the target's own labels and units, by scikit-learn."""
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


def baseline(run: Run, parts: Parts) -> dict[str, Any]:
    """The score of not looking at the columns: always the most frequent class of the training rows, or their mean."""
    if run.target.task == "regression":
        mean = run.target.mean
        truth = run.target.numbers(parts.test)
        return {"answer": mean, "scores": regression_scores(truth, np.full(len(truth), mean))}
    codes = run.features.targets(parts.train).ravel().astype(int)
    answer = int(np.bincount(codes).argmax())
    test = run.features.targets(parts.test).ravel().astype(int)
    return {"answer": run.target.classes[answer], "scores": {"accuracy": float((test == answer).mean())}}


# --- comparing -------------------------------------------------------------------------------------------------------

COMPARISON = ("comparison.json", "comparison.png", "comparison.svg")


def compare(
    knob: str,
    table: Table,
    options: Options,
    entries: Sequence[Any] | None,
    seeds: int,
    progress: Callable[[int, int], None] | None = None,
) -> thalweg.Comparison:
    """`thalweg.compare` on a table, whose columns are fitted on the training rows."""
    check(options)
    target, parts, features = understand(table, options)
    shared: dict[str, Any] = {
        "activation": options.activation,
        "loss": options.loss,
        "learning_rate": options.learning_rate,
        "initializer": options.initial_weights,
        "optimizer": options.optimizer,
    }
    shared.pop(knob, None)
    return thalweg.compare(
        knob,
        features.matrix(parts.train),
        features.targets(parts.train).ravel(),
        entries=entries,
        seeds=seeds,
        task=target.task,
        validation_data=(features.matrix(parts.test), features.targets(parts.test).ravel()),
        lanes=options.lanes,
        progress=progress,
        layers=options.layers,
        batch_size=options.batch_size,
        epochs=options.epochs,
        **shared,
    )


def save_comparison(comparison: thalweg.Comparison, folder: Path) -> list[Path]:
    """Writes the numbers and, where matplotlib is installed, the picture; returns what was written."""
    refuse_existing(folder)
    with explained(folder):
        folder.mkdir(parents=True)
    pictures = find_spec("matplotlib") is not None
    paths = [folder / name for name in COMPARISON if name.endswith(".json") or pictures]
    try:
        for path in paths:
            comparison.save(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return paths


# --- the folder ------------------------------------------------------------------------------------------------------


def free_folder(stem: str, parent: str = "runs") -> Path:
    """runs/penguins, or runs/penguins-2, … : the first that isn't there."""
    return free_path(Path(parent) / stem)


def free_path(path: Path) -> Path:
    """The path, or the first of filters-2.png, filters-3.png, … that isn't there."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def refuse_existing(path: Path) -> None:
    """Nothing is overwritten."""
    if path.exists():
        raise ArgumentError(f"{path} exists already and is not overwritten: give another --out")


def refuse_unwritable(folder: Path) -> None:
    """Raises before a training whose folder could not be written after it; nothing is left behind."""
    try:
        refuse_existing(folder)
        parent = next(p for p in folder.absolute().parents if p.exists())
        os.rmdir(tempfile.mkdtemp(dir=parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise ArgumentError(f"{folder} can't be made: {error.strerror}; give another --out") from None


def save(run: Run, folder: Path, command: Sequence[str]) -> None:
    """Writes the run folder."""
    write_folder(folder, command, run.model, {COLUMNS: run.features.to_json()}, run.history, run.facts)


def write_folder(
    folder: Path,
    command: Sequence[str],
    model: Sequential,
    descriptions: dict[str, Any],
    history: list[dict[str, Any]],
    facts: dict[str, Any],
) -> None:
    """Writes a run folder beside its place first, then moves it there: it is either whole or not there.

    `descriptions` are further files, by name: JSON, or arrays by name for one that ends in .npz.
    """
    refuse_existing(folder)
    packages = ("numpy", "numba", "duckdb", "safetensors")
    versions = {"thalweg": thalweg.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in packages}
    facts = {"command": list(command), **facts, "versions": versions}
    with explained(folder, ModelFileError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            model.save(temporary / MODEL)
            for name, content in descriptions.items():
                if name.endswith(".npz"):
                    np.savez(temporary / name, **content)
                else:
                    write_json(temporary / name, content)
            lines = [json.dumps(finite(record), ensure_ascii=False, allow_nan=False) + "\n" for record in history]
            (temporary / HISTORY).write_text("".join(lines), encoding="utf-8")
            write_json(temporary / RUN, facts)
            temporary.chmod(0o755)
            refuse_existing(folder)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def load(folder: str | Path) -> Run:
    """A run from its folder."""
    folder = Path(folder)
    description, history, facts = read_folder(folder, COLUMNS)
    with readable(ModelFileError, f"{folder / COLUMNS} is damaged"):
        features = Features.from_json(description)
    if features.target is None:
        raise ModelFileError(f"{folder / COLUMNS} names no target")
    model = thalweg.load_model(folder / MODEL)
    expected = (len(features.feature_names),), (features.target.outputs,)
    if (model.input_shape, model.output_shape) != expected:
        raise ModelFileError(f"{folder}: the model and the columns don't belong together")
    return Run(model, features, history, facts)


def predictions(run: Run, table: Table, numbered: bool = False) -> dict[str, Array]:
    """A column "prediction", and for classes the probability of each: what `thalweg predict` writes.

    `numbered` puts a column "row" first, each row's number in its source, where some of that were left out.
    """
    outputs = run.model.predict(run.features.matrix(table), verbose=0)
    columns: dict[str, Array] = {"row": np.array([table.row_number(k) for k in range(table.rows)])} if numbered else {}
    columns["prediction"] = run.features.decode(outputs)
    if run.target.task != "regression":
        for label, share in run.features.probabilities(outputs).items():
            name = f"probability of {label}"
            if name in columns:
                raise DataError(f"two classes are both written {label!r}")
            columns[name] = share
    return columns
