"""The options of a training on images, and what follows from them: batches, epochs, augmentation, learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg import layers, optimizers
from thalweg.callbacks import Callback, EarlyStopping, History
from thalweg.data.recipe import recipe
from thalweg.data.target import split_rows
from thalweg.models.sequential import Sequential
from thalweg.recordings.timetable import RECORDING_SECONDS
from thalweg.runs.run import Array, TrainingOptions, balanced_weights
from thalweg.schedules import CosineDecay
from thalweg.support.checks import number

RECIPE = recipe("multiclass")
SCHEDULES = ("cosine", "constant")
# of the cosine, as a multiple of the optimizer's own learning rate; over all steps the mean is half the peak
PEAK = 3.0
BATCHES, LEAST_STEPS_AN_EPOCH = (128, 64, 32, 16), 20
EPOCHS, MOST_EPOCHS, LEAST_STEPS = 15, 100, 600
WARM_UP = 0.1  # share of the steps in which it rises to the peak: Adam's first means are over few gradients


@dataclass(frozen=True, kw_only=True)
class ImageOptions(TrainingOptions):
    """The options for training on images, with the defaults of `thalweg train`."""

    optimizer: str = "adam"
    validation_share: float = 0.1
    early_stopping: int = 0
    model: str = "convnet"
    size: tuple[int, int] | None = None
    channels: int | None = None
    fit: str | None = None
    flip: str | None = None
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    schedule: str = "cosine"

    def check_own(self) -> None:
        for name in ("shift", "rotate", "zoom", "contrast"):
            number(name, getattr(self, name))

    def make_optimizer(self) -> optimizers.Optimizer:
        """The optimizer, at the learning rate asked for."""
        optimizer = optimizers.get(self.optimizer)
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        return optimizer

    def split(self, y: Array, test_apart: bool = False) -> tuple[Array, Array | None, Array]:
        """Row numbers to train on, to validate on (None if none are asked for) and to test on, split by class.

        `test_apart`: the test rows are elsewhere, so none are taken here.
        """
        learn, test = np.arange(len(y)), np.arange(0)
        if not test_apart:
            learn, test = split_rows(y, RECIPE.task, self.test_share, self.split_seed)
        if not self.validation_share:
            return learn, None, test
        first, second = split_rows(y[learn], RECIPE.task, self.validation_share, self.split_seed)
        return learn[first], learn[second], test

    def train_network(
        self,
        model: Sequential,
        train: tuple[Array, Array],
        validation: tuple[Array, Array] | None,
        callbacks: Sequence[Callback] = (),
    ) -> tuple[History, BestEpoch | None]:
        """`Sequential.fit`, recorded, and the epoch whose weights are kept: the best by the validation rows, if any.

        A training that Ctrl-C ends is kept too.
        """
        assert self.epochs is not None
        best = None if validation is None else BestEpoch(len(validation[1]))
        stop = EarlyStopping(RECIPE.monitor, patience=self.early_stopping or 0) if self.early_stopping else None
        weights = balanced_weights(train[1]) if self.class_weight else None
        try:
            history = model.fit(
                *train,
                batch_size=self.batch_size,
                epochs=self.epochs,
                validation_data=validation,
                callbacks=[*(one for one in (best, stop) if one is not None), *callbacks],
                class_weight=None if weights is None else dict(enumerate(weights.tolist())),
                lanes=self.lanes,
                record=RECORDING_SECONDS,
            )
        except KeyboardInterrupt:
            if model.history is None or not model.history.interrupted:  # training hadn't begun
                raise
            history = model.history
        return history, best


def course(rows: int, options: ImageOptions) -> ImageOptions:
    """The options with batch size and epochs: as asked for, or by the number of training images.

    A network learns in steps, not in epochs: 86 images in batches of 128 would be one step an epoch. So a batch is 128
    images if that gives 20 steps an epoch, otherwise half as many, down to 16; and epochs are 15, or as many as give
    600 steps, up to 100.

    >>> [(o.batch_size, o.epochs) for o in (course(rows, ImageOptions()) for rows in (54_000, 1000, 86))]
    [(128, 15), (32, 19), (16, 100)]
    """
    batch, epochs = options.batch_size, options.epochs
    if batch is None:
        batch = next((b for b in BATCHES if b * LEAST_STEPS_AN_EPOCH <= rows), BATCHES[-1])
    if epochs is None:
        epochs = min(max(EPOCHS, -(-LEAST_STEPS // -(-rows // batch))), MOST_EPOCHS)
    return replace(options, batch_size=batch, epochs=epochs)


def describe_course(rows: int, asked: ImageOptions, chosen: ImageOptions) -> str:
    """A line on batch size and epochs, with the reason if what wasn't asked for isn't the usual.

    >>> asked = ImageOptions(batch_size=32)
    >>> describe_course(86, asked, course(86, asked))
    'batches of 32, 100 epochs: 300 steps (with 86 images, the usual 15 epochs would be only 45 steps)'
    """
    assert chosen.batch_size is not None
    assert chosen.epochs is not None
    batch, epochs, usual = chosen.batch_size, chosen.epochs, []
    line = f"batches of {batch:,}, {epochs:,} epochs: {epochs * -(-rows // batch):,} steps"
    if asked.batch_size is None and batch != BATCHES[0]:
        batch = BATCHES[0]
        usual.append(f"batches of {batch}")
    if asked.epochs is None and epochs != EPOCHS:
        epochs = EPOCHS
        usual.append(f"{epochs} epochs")
    if not usual:
        return line
    steps = epochs * -(-rows // batch)
    return f"{line} (with {rows:,} images, the usual {' and '.join(usual)} would be only {steps:,} steps)"


def augmentation(options: ImageOptions, top: float) -> list[layers.Layer]:
    """The layers that change the images in training; `top` is the greatest pixel."""
    stack: list[layers.Layer] = []
    if options.flip is not None:
        stack.append(layers.RandomFlip(options.flip))
    if options.shift:
        stack.append(layers.RandomTranslation(options.shift, options.shift))
    if options.rotate:
        stack.append(layers.RandomRotation(options.rotate))
    if options.zoom:
        stack.append(layers.RandomZoom(options.zoom))
    if options.contrast:
        stack.append(layers.RandomContrast(options.contrast, (0, top)))
    return stack


def warm_cosine(peak: float, steps: int) -> CosineDecay:
    """Rises linearly to the peak in the first tenth of the steps, then falls along half a cosine to 0.

    A gradual warm-up (Goyal et al. 2017), then SGDR's first period (Loshchilov and Hutter, ICLR 2017).
    """
    warm = int(WARM_UP * steps)
    return CosineDecay(peak / (warm + 1), steps - warm, warmup_target=peak, warmup_steps=warm)


# --- the epoch that is kept ---------------------------------------------------------------------------------------


class BestEpoch(Callback):
    """Restores at the end the weights of the latest epoch that is as good as the best, as far as can be told.

    That is the latest whose validation accuracy is within one standard error, √(p (1 − p) / rows), of the highest p.
    The highest alone, or the lowest loss, is often an early epoch's by luck: of 80 rows, one more is right, while the
    learning rate was still high (cf. the one-standard-error rule: Breiman, Friedman, Olshen, Stone 1984).

    Args:
        rows: how many there are to validate on.

    Attributes:
        epoch: the epoch kept, the first being 1; 0 before the first has ended.
        score: its validation accuracy.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.highest = 0.0
        self.candidates: list[tuple[int, float, list[Any]]] = []  # epoch, accuracy, weights; accuracies fall

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        accuracy = float((logs or {})[f"val_{RECIPE.metric}"])
        self.highest = max(self.highest, accuracy)
        least = self.highest - standard_error(self.highest, self.rows)
        better = [one for one in self.candidates if one[1] > accuracy]  # a later one that is as good replaces others
        self.candidates = [one for one in [*better, (epoch + 1, accuracy, self.model.get_weights())] if one[1] >= least]

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.candidates:
            self.model.set_weights(self.candidates[-1][2])

    @property
    def epoch(self) -> int:
        return self.candidates[-1][0] if self.candidates else 0

    @property
    def score(self) -> float:
        return self.candidates[-1][1] if self.candidates else math.nan


def standard_error(share: float, rows: int) -> float:
    """√(p (1 − p) / rows), with a right and a wrong row more (Laplace), so that it isn't 0 where all are right.

    >>> round(standard_error(1.0, 18), 3), round(standard_error(0.9, 80), 3)
    (0.051, 0.035)
    """
    p = (share * rows + 1) / (rows + 2)
    return math.sqrt(p * (1 - p) / rows)
