"""What runs on tables and on images share: options, split, training, scores, predictions and the folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from thalweg.data.verbatim import Verbatim
from thalweg.doctor import Diagnosis, diagnose
from thalweg.doctor.budget import SECONDS
from thalweg.errors import ArgumentError, DataError, ModelFileError
from thalweg.models.loading import load_model
from thalweg.models.model import Model
from thalweg.recordings import Recording
from thalweg.runs.evidence import Evidence
from thalweg.runs.folder import MODEL, RECORDING, read_recording, write_folder
from thalweg.support.checks import whole
from thalweg.support.naming import choose
from thalweg.support.progress import stage
from thalweg.words import Text

Array = NDArray[Any]
Cells = Array | Verbatim
Scores = dict[str, float]
Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(ABC):
    """Base of the options for tables and for images, which add their own. None: chosen by the rows, or by quality."""

    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    test_share: float = 0.2
    validation_share: float | None = None
    early_stopping: int | None = None
    class_weight: str | None = None  # "balanced"
    seed: int | None = None
    lanes: int | None = None
    skip_bad: bool = False  # leave out rows and pictures that can't be used

    def check(self) -> None:
        """Raises ArgumentError for wrong values that no layer or optimizer would notice."""
        for name in ("batch_size", "epochs", "lanes"):
            if getattr(self, name) is not None:
                whole(name.replace("_", " "), getattr(self, name))
        if self.seed is not None:
            whole("seed", self.seed, 0)
        for name, least, wanted in (("test_share", 1e-9, "above 0"), ("validation_share", 0.0, "not negative")):
            given = getattr(self, name)
            if given is not None and not least <= given < 1:
                raise ArgumentError(f"the {name.replace('_', ' ')} has to be {wanted} and below 1, got {given:g}")
        if self.class_weight is not None:
            choose("class weight", self.class_weight, ["balanced"])
        if self.early_stopping is not None:
            whole("early stopping's patience", self.early_stopping, 0)
        if self.early_stopping and self.validation_share == 0:
            raise ArgumentError("early stopping needs validation rows: give a validation share, or --early-stopping 0")
        self.check_own()

    @abstractmethod
    def check_own(self) -> None:
        """Raises for wrong values of the options that only these have."""

    @property
    def split_seed(self) -> int:
        """The seed of the split."""
        return (self.seed or 0) % 2**32

    def facts(self, source: str, rows: dict[str, int], seed: int, seconds: float, interrupted: bool) -> dict[str, Any]:
        """The content of run.json, except for the scores."""
        how = {"seed": seed, "seconds": seconds, "interrupted": interrupted}
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
    folder: Path | None = None  # that it was read from
    evidence: Evidence | None = None  # what the folder keeps for the report, of a run that was just trained
    examined: Diagnosis | None = None  # what the doctor has said of it, who is asked once

    told: ClassVar[Mapping[str, Text]] = {}  # rules of the doctor that are left out, and why

    @abstractmethod
    def predict(self, source: Any) -> Array:
        """The likeliest class, or the number, for each row or picture: (rows,)."""

    @abstractmethod
    def predict_proba(self, source: Any) -> Array:
        """The probability of each class, (rows, classes)."""

    @abstractmethod
    def evaluate(self, source: Any) -> Scores:
        """Scores by name, on rows or images whose target is known."""

    @abstractmethod
    def descriptions(self) -> dict[str, Any]:
        """The files, by name, that only this kind of run has in its folder."""

    @cached_property
    def recording(self) -> Recording | None:
        """What was recorded of the training, of several networks of the first one's; read when it is asked for."""
        return None if self.folder is None else read_recording(self.folder)

    @abstractmethod
    def recorded_network(self) -> Model:
        """The network that the recording is of."""

    def diagnose(self, seconds: float = SECONDS) -> Diagnosis | None:
        """What is wrong with the training, of several networks with the first one's; None if nothing was recorded.

        Of tables, what `suspicions` finds in the whole table isn't looked for again in the recorded rows.

        Args:
            seconds: that it may take, unless it was asked for before.
        """
        if self.examined is None and self.recording is not None:
            network = self.recorded_network()
            predict = partial(network.predict, verbose=0)
            with stage("the doctor examines the training"):
                self.examined = diagnose(self.recording, predict, seconds=seconds, skip=self.told)
        return self.examined

    def save(self, folder: Path, command: Sequence[str]) -> None:
        """Writes the run folder."""
        further = self.descriptions() | (self.evidence.files() if self.evidence is not None else {})
        further |= {} if self.recording is None else {RECORDING: self.recording.save}
        write_folder(folder, command, self.model, further, self.history, self.facts)


def balanced_weights(codes: Array) -> Array:
    """A weight for each class number, (classes,), so that the rows of all classes have the same sum; 0 without rows.

    >>> balanced_weights(np.array([0, 0, 0, 1]))
    array([0.66666667, 2.        ])
    """
    counts = np.bincount(codes)
    weights: Array = len(codes) / (np.count_nonzero(counts) * np.maximum(counts, 1)) * (counts > 0)
    return weights


def prediction_columns(first: Mapping[str, Cells], guesses: Array, shares: Mapping[Any, Array]) -> dict[str, Cells]:
    """What `thalweg predict` writes: the first columns, the prediction, and the probability of each class."""
    columns: dict[str, Cells] = {**first, "prediction": guesses}
    for label, share in shares.items():
        name = f"probability of {label}"
        if name in columns:
            raise DataError(f"two classes are both written {label!r}")
        columns[name] = share
    return columns


def load_network(folder: Path, expected: tuple[tuple[int, ...], tuple[int, ...]], description: str) -> Model:
    """The model of a run folder; ModelFileError unless it has the input and output shapes of the description."""
    model = load_model(folder / MODEL)
    if (model.row_in, model.row_out) != expected:
        raise ModelFileError(f"{folder}: the model and {description} don't belong together")
    return model
