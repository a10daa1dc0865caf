"""The options of a training on images, and what follows from them: batches, epochs, augmentation, learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg import layers, optimizers
from thalweg.callbacks import Callback, EarlyStopping, History
from thalweg.data.recipe import recipe
from thalweg.data.target import split_rows
from thalweg.models.sequential import Sequential
from thalweg.recordings.timetable import RECORDING_SECONDS
from thalweg.runs.best_epoch import BestEpoch
from thalweg.runs.run import Array, TrainingOptions, balanced_weights
from thalweg.schedules import CosineDecay
from thalweg.support.checks import number

RECIPE = recipe("multiclass")
SCHEDULES = ("cosine", "constant")
PEAK = (
    3.0  # of the cosine, as a multiple of the optimizer's own learning rate; over all steps the mean is half the peak
)
BATCHES, LEAST_STEPS_AN_EPOCH = (128, 64, 32, 16), 20
EPOCHS, MOST_EPOCHS, LEAST_STEPS = 15, 100, 600
USUAL = (BATCHES[0], EPOCHS)
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
    """A line on batch size and epochs, with the reason if they are neither the usual ones nor those asked for."""
    assert chosen.batch_size is not None
    assert chosen.epochs is not None
    steps, usual = (epochs * -(-rows // batch) for batch, epochs in ((chosen.batch_size, chosen.epochs), USUAL))
    line = f"batches of {chosen.batch_size:,}, {chosen.epochs:,} epochs: {steps:,} steps"
    if (chosen.batch_size, chosen.epochs) in (USUAL, (asked.batch_size, asked.epochs)):
        return line
    return f"{line} (the usual {USUAL[0]} and {USUAL[1]} would be {usual:,}, too few for {rows:,} images)"


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
