"""Runs on images: from pictures to a trained network in a folder, and back.

The folder is like a table run's, with images.json (classes, size, channels, scale) in place of columns.json, and
kernels.npz, the kernels of the first convolution after every epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import layers, optimizers
from thalweg.callbacks import Callback, EarlyStopping, History
from thalweg.data.images import Images, has_idx, read_images, read_picture
from thalweg.data.recipe import recipe
from thalweg.data.target import split_rows
from thalweg.errors import BadRowsError, DataError, DivergedError, ModelFileError, NotFoundError
from thalweg.models.model import Model
from thalweg.models.sequential import Sequential
from thalweg.recordings.timetable import RECORDING_SECONDS
from thalweg.runs import evidence
from thalweg.runs.facts import is_number, is_text, is_whole
from thalweg.runs.folder import read_folder, read_recording
from thalweg.runs.presets import hidden_layers
from thalweg.runs.run import (
    Array,
    Cells,
    Parts,
    Run,
    Scores,
    TrainingOptions,
    class_baseline,
    load_network,
    prediction_columns,
)
from thalweg.schedules import CosineDecay
from thalweg.support.checks import number
from thalweg.support.naming import choose
from thalweg.support.untrusted import Npz, readable
from thalweg.views.plots import KernelHistory, kernels_of

RECIPE = recipe("multiclass")
IMAGES, KERNELS = "images.json", "kernels.npz"
DESCRIPTION: dict[str, Callable[[Any], bool]] = {  # what images.json holds
    "classes": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "height": is_whole,
    "width": is_whole,
    "channels": is_whole,
    "scale": lambda value: value is not None and is_number(value) and 0 < value <= 1,
}
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

    def fit(
        self,
        model: Sequential,
        train: tuple[Array, Array],
        validation: tuple[Array, Array] | None,
        callbacks: Sequence[Callback] = (),
    ) -> History:
        """`Sequential.fit`, recorded, with early stopping if asked for; a training that Ctrl-C ends is kept."""
        assert self.epochs is not None
        patience = self.early_stopping
        stop = [EarlyStopping(RECIPE.monitor, patience=patience, restore_best_weights=True)] if patience else []
        try:
            return model.fit(
                *train,
                batch_size=self.batch_size,
                epochs=self.epochs,
                validation_data=validation,
                callbacks=[*stop, *callbacks],
                lanes=self.lanes,
                record=RECORDING_SECONDS,
            )
        except KeyboardInterrupt:
            if model.history is None or not model.history.interrupted:  # training hadn't begun
                raise
            return model.history


@dataclass(kw_only=True)
class ImageRun(Run):
    """A network with the classes it tells apart."""

    model: Sequential
    classes: tuple[str, ...]
    scale: float  # the pixels are multiplied by it, in the network's first layer
    kernels: list[Array] = field(default_factory=list)  # of the first convolution: before, and after every epoch

    def predict(self, source: Any) -> Array:
        """The likeliest class of each picture, (rows,). `source`: paths of pictures, or one path."""
        names: Array = np.array(self.classes, object)[self.predict_proba(source).argmax(axis=1)]
        return names

    def predict_proba(self, source: Any) -> Array:
        """The probability of each class, (rows, classes), in the order of `classes`."""
        paths = [source] if isinstance(source, str | Path) else list(source)
        shares: Array = self.model.predict(np.stack([self.pixels(Path(path)) for path in paths]), verbose=0)
        return shares

    def evaluate(self, source: Any) -> Scores:
        """Accuracy and log loss on images as `thalweg train` takes them; on the test images, if there are any."""
        images, _ = images_for(self, source)
        return score(self, images)

    def recorded_network(self) -> Model:
        return self.model

    def descriptions(self) -> dict[str, Any]:
        """Classes, size, channels and scale, as images.json, and the recorded kernels, as kernels.npz."""
        height, width, channels = self.model.input_shape
        about = {
            "classes": list(self.classes),
            "height": height,
            "width": width,
            "channels": channels,
            "scale": self.scale,
        }
        return {IMAGES: about} | ({KERNELS: {"kernels": np.stack(self.kernels)}} if self.kernels else {})

    def pixels(self, picture: Path) -> Array:
        """A picture from a file, as the network takes it."""
        height, width, channels = self.model.input_shape
        x = read_picture(picture, (height, width), channels)
        return x if self.scale != 1 else (x / 255).astype(np.float32)  # the network has learned from 0 … 1


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


def divide(images: Images, options: ImageOptions) -> Parts[Images]:
    """Splits by class; if the source has test images, they are the test part."""
    learn, held, test = options.split(images.y, test_apart=images.test is not None)
    validation = None if held is None else take(images, held)
    return Parts(take(images, learn), validation, images.test or take(images, test), images.skipped)


def take(images: Images, rows: Array) -> Images:
    """The images with these rows; no copy if these are all."""
    if len(rows) == len(images.y):
        return images
    return replace(images, x=images.x[rows], y=images.y[rows])


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


def build(images: Images, options: ImageOptions, steps: int) -> tuple[Sequential, float]:
    """The network and the scale of its pixels: augmentation, scaling to 0 … 1, hidden layers, an output for each class.

    It is compiled for that many steps of training.
    """
    scale = 1.0 if images.x.dtype != np.uint8 and float(images.x.max()) <= 1 else 1 / 255
    stack: list[Any] = [layers.Input(images.shape), *augmentation(options, 1 / scale), layers.Rescaling(scale)]
    stack += hidden_layers(options.model, images.shape)
    stack.append(layers.Dense(RECIPE.units(len(images.classes)), RECIPE.activation))
    model = Sequential(stack, seed=options.seed)
    optimizer = options.make_optimizer()
    if choose("schedule", options.schedule, SCHEDULES) == "cosine":
        peak = optimizer.learning_rate * (PEAK if options.learning_rate is None else 1)
        optimizer.learning_rate = warm_cosine(peak, steps)
    model.compile(optimizer, RECIPE.loss, metrics=[RECIPE.metric])
    if model.output_shape is None:
        model.build()
    if model.output_shape != (len(images.classes),):
        shape = model.layers[-1].input_shape
        raise DataError(f"{options.model} ends in the shape {shape}: end with Flatten or GlobalAveragePooling2D")
    return model, scale


def train(
    images: Images, options: ImageOptions, announce: Callable[[Parts[Images], Sequential, str], None] | None = None
) -> ImageRun:
    """Divides the images, trains, and scores on those held out. `announce` is called before training begins."""
    options.check()
    parts = divide(images, options)
    rows, asked = len(parts.train.y), options
    options = course(rows, asked)
    assert options.batch_size is not None
    assert options.epochs is not None
    model, scale = build(images, options, options.epochs * -(-rows // options.batch_size))
    if announce is not None:
        announce(parts, model, describe_course(rows, asked, options))
    recorder = KernelHistory() if kernels_of(model) else None
    held = parts.validation
    validation = None if held is None else (held.x, held.y)
    recorders = [recorder] if recorder is not None else []
    try:
        history = options.fit(model, (parts.train.x, parts.train.y), validation, recorders)
    except DivergedError as error:
        error.model = model
        raise
    run = ImageRun(model=model, classes=images.classes, scale=scale, history=history.records())
    run.kernels = recorder.kernels if recorder is not None else []
    run.recording = model.recording
    counts = parts.count(lambda part: len(part.y))
    run.facts = options.facts(images.source, counts, model.seed, history.seconds, history.interrupted)
    run.facts["held-out"] = score(run, parts.test)
    shares = model.predict(parts.test.x, verbose=0)
    run.evidence = evidence.of_images(parts.test.x, parts.test.y, shares)
    run.facts["baseline"] = class_baseline(parts.train.y, parts.test.y, images.classes)
    return run


def score(run: ImageRun, images: Images) -> Scores:
    """Accuracy and mean log loss."""
    loss, accuracy = run.model.evaluate(images.x, images.y, verbose=0)
    return {"accuracy": accuracy, "log loss": loss}


def images_for(run: ImageRun, source: str | Path, skip_bad: bool = False) -> tuple[Images, Sequence[str]]:
    """The images of a source (its test images, if it has any) as the network takes them, and what was left out."""
    height, width, channels = run.model.input_shape
    pictures = Path(source).is_dir() and not has_idx(Path(source))
    size, kind = ((height, width), channels) if pictures else (None, None)
    images = read_images(source, size, kind, skip_bad)
    return fitting(run, images.test or images), images.skipped


def fitting(run: ImageRun, images: Images) -> Images:
    """The images with the run's class numbers; an error for an unknown class or another shape."""
    if images.shape != run.model.input_shape:
        raise DataError(f"{images.source} has images of {images.shape}, the network takes {run.model.input_shape}")
    if unknown := sorted(set(images.classes) - set(run.classes)):
        raise DataError(f"{images.source} has the class {unknown[0]!r}, which the network has never met")
    numbers = np.array([run.classes.index(name) for name in images.classes])
    return replace(images, y=numbers[images.y], classes=run.classes)


def predictions(run: ImageRun, pictures: Sequence[Path], skip_bad: bool = False) -> tuple[dict[str, Cells], list[str]]:
    """Columns (file, likeliest class, probability of each class), and what was wrong with the pictures left out."""
    x: dict[Path, Array] = {}
    bad: dict[Path, str] = {}
    for picture in pictures:
        try:
            x[picture] = run.pixels(picture)
        except NotFoundError:
            raise
        except DataError as error:
            bad[picture] = str(error)
    if bad and not (skip_bad and x):
        raise BadRowsError(bad)
    shares = run.model.predict(np.stack(list(x.values())), verbose=0)
    files = np.array([str(picture) for picture in x], object)
    guesses = np.array([run.classes[k] for k in shares.argmax(axis=1)], object)
    columns = prediction_columns({"file": files}, guesses, dict(zip(run.classes, shares.T, strict=True)))
    return columns, list(bad.values())


# --- the folder ------------------------------------------------------------------------------------------------------


def is_image_run(folder: Path) -> bool:
    """Whether the folder holds a run on images."""
    return (folder / IMAGES).is_file()


def load(folder: Path) -> ImageRun:
    """Reads a run from its folder."""
    about, history, facts = read_folder(folder, IMAGES)
    if not isinstance(about, dict) or not all(
        name in about and check(about[name]) for name, check in DESCRIPTION.items()
    ):
        raise ModelFileError(f"{folder / IMAGES} is damaged: it needs {', '.join(DESCRIPTION)}")
    classes, scale = tuple(about["classes"]), float(about["scale"])
    shape = tuple(about[name] for name in ("height", "width", "channels"))
    model = load_network(folder, (shape, (len(classes),)), IMAGES)
    if not isinstance(model, Sequential):
        raise ModelFileError(f"{folder}: the model is no chain of layers, as one for images is")
    kernels: list[Array] = []
    if (folder / KERNELS).is_file():
        with readable(ModelFileError, f"{folder / KERNELS} is damaged"), Npz(folder / KERNELS) as archive:
            recorded = archive["kernels"]
        if recorded.ndim != 5 or recorded.dtype.kind != "f" or not recorded.size:
            raise ModelFileError(f"{folder / KERNELS} is damaged: it holds no kernels of a convolution")
        kernels = list(recorded)
    run = ImageRun(model=model, classes=classes, scale=scale, history=history, facts=facts, kernels=kernels)
    run.recording = read_recording(folder)
    return run
