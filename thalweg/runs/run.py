"""What runs on tables and on images share: options, split, training, scores, predictions and the folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from thalweg import optimizers
from thalweg.callbacks import Callback, EarlyStopping, History
from thalweg.data.recipe import Recipe
from thalweg.data.target import split_rows
from thalweg.errors import ArgumentError, DataError, ModelFileError
from thalweg.models.loading import load_model
from thalweg.models.model import Model
from thalweg.runs.folder import MODEL, write_folder
from thalweg.support.checks import whole

Array = NDArray[Any]
Scores = dict[str, float]
Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(ABC):
    """Base of the options for tables and for images, which add their own defaults and options."""

    optimizer: str = "adam"
    learning_rate: float | None = None  # the optimizer's own
    batch_size: int | None
    epochs: int | None
    test_share: float = 0.2
    validation_share: float = 0.1
    early_stopping: int
    seed: int | None = None
    lanes: int | None = None
    skip_bad: bool = False  # leave out rows and pictures that can't be used

    def check(self) -> None:
        """Raises ArgumentError for wrong values that no layer or optimizer would notice."""
        for name in ("batch_size", "epochs"):
            if getattr(self, name) is not None:  # otherwise they are chosen by the number of rows
                whole(name.replace("_", " "), getattr(self, name))
        for name, least, wanted in (("test_share", 1e-9, "above 0"), ("validation_share", 0.0, "not negative")):
            given = getattr(self, name)
            if not least <= given < 1:
                raise ArgumentError(f"the {name.replace('_', ' ')} has to be {wanted} and below 1, got {given:g}")
        if self.lanes is not None:
            whole("lanes", self.lanes)
        whole("early stopping's patience", self.early_stopping, 0)
        if self.early_stopping and not self.validation_share:
            raise ArgumentError("early stopping needs validation rows: give a validation share, or --early-stopping 0")

    def make_optimizer(self) -> optimizers.Optimizer:
        """The optimizer, at the learning rate asked for."""
        optimizer = optimizers.get(self.optimizer)
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        return optimizer

    def split(self, y: Array, task: str, test_apart: bool = False) -> tuple[Array, Array | None, Array]:
        """Row numbers to train on, to validate on (None if none are asked for) and to test on, split by class.

        `test_apart`: the test rows are elsewhere, so none are taken here.
        """
        seed = (self.seed or 0) % 2**32
        learn, test = np.arange(len(y)), np.arange(0)
        if not test_apart:
            learn, test = split_rows(y, task, self.test_share, seed)
        if not self.validation_share:
            return learn, None, test
        first, second = split_rows(y[learn], task, self.validation_share, seed)
        return learn[first], learn[second], test

    def fit(
        self,
        model: Model,
        train: tuple[Array, Array],
        validation: tuple[Array, Array] | None,
        recipe: Recipe,
        callbacks: Sequence[Callback] = (),
    ) -> History:
        """`Sequential.fit`, with early stopping if asked for; a training that Ctrl-C ends is kept."""
        assert self.epochs is not None
        patience = self.early_stopping
        stop = [EarlyStopping(recipe.monitor, patience=patience, restore_best_weights=True)] if patience else []
        try:
            return model.fit(
                *train,
                batch_size=self.batch_size,
                epochs=self.epochs,
                validation_data=validation,
                callbacks=[*stop, *callbacks],
                lanes=self.lanes,
            )
        except KeyboardInterrupt:
            if model.history is None or not model.history.interrupted:  # training hadn't begun
                raise
            return model.history

    def facts(self, source: str, rows: dict[str, int], model: Model, history: History) -> dict[str, Any]:
        """The content of run.json, except for the scores."""
        how = {"seed": model.seed, "seconds": history.seconds, "interrupted": history.interrupted}
        return {"options": asdict(self), "source": source, "rows": rows, **how}


@dataclass(frozen=True)
class Parts(Generic[Data]):
    """The rows to train on, to validate on (None without a validation share) and to test on."""

    train: Data
    validation: Data | None
    test: Data
    skipped: Sequence[str] = ()  # what was wrong with each row left out

    def count(self, size: Callable[[Data], int]) -> dict[str, int]:
        """The number of rows in each part."""
        held = 0 if self.validation is None else size(self.validation)
        return {"train": size(self.train), "validation": held, "test": size(self.test), "skipped": len(self.skipped)}


@dataclass(kw_only=True)
class Run(ABC):
    """A trained network, with a description of its data and its results."""

    model: Model
    history: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)  # run.json: command, options, versions, scores

    @abstractmethod
    def descriptions(self) -> dict[str, Any]:
        """The files, by name, that only this kind of run has in its folder."""

    def save(self, folder: Path, command: Sequence[str]) -> None:
        """Writes the run folder."""
        write_folder(folder, command, self.model, self.descriptions(), self.history, self.facts)


def class_baseline(trained: Array, tested: Array, classes: Sequence[Any]) -> dict[str, Any]:
    """The score of always giving the most frequent class of the training rows; both are class numbers (rows,)."""
    answer = int(np.bincount(trained).argmax())
    return {"answer": classes[answer], "scores": {"accuracy": float((tested == answer).mean())}}


def prediction_columns(first: dict[str, Array], guesses: Array, shares: Mapping[Any, Array]) -> dict[str, Array]:
    """What `thalweg predict` writes: the first columns, the prediction, and the probability of each class."""
    columns = {**first, "prediction": guesses}
    for label, share in shares.items():
        name = f"probability of {label}"
        if name in columns:
            raise DataError(f"two classes are both written {label!r}")
        columns[name] = share
    return columns


def load_network(folder: Path, expected: tuple[tuple[int, ...], tuple[int, ...]], description: str) -> Model:
    """The model of a run folder; ModelFileError unless it has the input and output shapes of the description."""
    model = load_model(folder / MODEL)
    if not isinstance(model, Model) or (model.input_shape, model.output_shape) != expected:
        raise ModelFileError(f"{folder}: the model and {description} don't belong together")
    return model
