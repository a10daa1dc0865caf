"""The problem of a comparison: the rows to learn from and to judge by, and the network that learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.batches import arrays
from thalweg.data.recipe import TASKS, Recipe, recipe
from thalweg.data.tables import Table
from thalweg.data.target import Target, split_rows
from thalweg.errors import ArgumentError, DataError
from thalweg.losses import Loss
from thalweg.support.checks import whole
from thalweg.support.frames import as_array
from thalweg.support.naming import choose

Array = NDArray[Any]


@dataclass(frozen=True)
class Settings:
    """The network and its training, of which one knob is varied."""

    layers: tuple[int, ...] = (64, 64)
    activation: Any = "relu"
    loss: Any = None  # by the task
    learning_rate: float | None = None  # the optimizer's own
    initializer: Any = "glorot_uniform"
    optimizer: Any = "adam"
    batch_size: int = 64
    epochs: int = 20

    def __post_init__(self) -> None:
        for units in self.layers:
            whole("units of a hidden layer", units)
        whole("batch_size", self.batch_size)
        whole("epochs", self.epochs)


@dataclass(frozen=True)
class Rows:
    """x, and y as class numbers (rows,) or as standardised numbers (rows, 1)."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Problem:
    """Rows to learn from, rows to judge by, and the task."""

    recipe: Recipe
    classes: int  # 0 for regression
    train: Rows
    held: Rows

    @property
    def task(self) -> str:
        """Binary, multiclass or regression."""
        return self.recipe.task

    @property
    def units(self) -> int:
        """Units of the output layer."""
        return self.recipe.units(self.classes)

    def encoded(self, rows: Rows, loss: Loss) -> Array:
        """The targets as this loss takes them."""
        return self.recipe.encode(rows.y, self.units, loss)

    @property
    def chance(self) -> float:
        """The held-out score of always answering the mean, or the most frequent class, of the training rows."""
        if self.task == "regression":
            return 0.0
        return float((self.held.y == np.bincount(self.train.y).argmax()).mean())

    @property
    def noise(self) -> float:
        """How far above `chance` a score may lie by luck: two standard errors of a share; for R², 0.01."""
        if self.task == "regression":
            return 0.01
        return 2 * math.sqrt(max(self.chance * (1 - self.chance), 1e-9) / len(self.held.y))


def pose(x: ArrayLike, y: ArrayLike, task: str | None, held: Any, test_share: float, seed: int) -> Problem:
    """The problem that these arrays set, checked."""
    inputs, targets = arrays.to_array(x, "x"), as_array(np.asarray(y), "y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if inputs.ndim != 2 or targets.ndim != 1 or len(inputs) != len(targets):
        raise DataError(
            f"compare takes x of shape (rows, inputs) and one target a row, got {inputs.shape} and {np.shape(y)}"
        )
    task = Target.of(Table.of({"y": targets}), "y").task if task is None else choose("task", task, TASKS)
    if held is None:
        learn, test = split_rows(targets, task, test_share, seed)
        parts = (inputs[learn], targets[learn]), (inputs[test], targets[test])
    else:
        if not isinstance(held, (tuple, list)) or len(held) != 2:
            raise ArgumentError("validation_data is (x, y)")
        parts = (inputs, targets), (arrays.to_array(held[0], "x"), as_array(np.asarray(held[1]), "y").reshape(-1))
        arrays.same_rows(*parts[1])
    (x_train, y_train), (x_held, y_held) = parts
    if task == "regression":
        numbers = [np.asarray(part, np.float64) for part in (y_train, y_held)]
        mean, scale = numbers[0].mean(), numbers[0].std() or 1.0
        scaled = [((part - mean) / scale).astype(np.float32)[:, None] for part in numbers]
        return Problem(recipe(task), 0, Rows(x_train, scaled[0]), Rows(x_held, scaled[1]))
    classes = np.unique(y_train)
    if task == "binary" and len(classes) != 2:
        raise DataError(f"task='binary' needs a target of two classes, this one has {len(classes)}")
    unknown = ~np.isin(y_held, classes)
    if unknown.any():
        raise DataError(f"the held-out rows have the class {y_held[unknown][0]!r}, which the training rows lack")
    codes = [np.searchsorted(classes, part) for part in (y_train, y_held)]
    return Problem(recipe(task), len(classes), Rows(x_train, codes[0]), Rows(x_held, codes[1]))
