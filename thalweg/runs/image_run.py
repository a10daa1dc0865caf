"""Runs on images: from pictures to a trained network in a folder, and back.

The folder is a table run's, with images.json (classes, size, channels, scale) in place of columns.json, and with
kernels.npz, the kernels of the first convolution after every epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thalweg
from thalweg import layers, optimizers
from thalweg.runs import table_run as runs
from thalweg.callbacks import Callback, EarlyStopping
from thalweg.support.checks import number
from thalweg.data.images import Images, read_picture
from thalweg.data.target import split_rows
from thalweg.errors import BadRowsError, DataError, ModelFileError, NotFoundError
from thalweg.models.sequential import Sequential
from thalweg.support.naming import choose
from thalweg.views.plots import KernelHistory, kernels_of
from thalweg.runs.presets import hidden_layers
from thalweg.runs.folder import MODEL, is_number, is_text, is_whole, read_folder
from thalweg.schedules import CosineDecay
from thalweg.support.untrusted import Npz, readable

Array = NDArray[Any]
IMAGES, KERNELS = "images.json", "kernels.npz"
DESCRIPTION: dict[str, Callable[[Any], bool]] = {  # what images.json holds
    "classes": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "height": is_whole,
    "width": is_whole,
    "channels": is_whole,
    "scale": lambda value: value is not None and is_number(value) and 0 < value <= 1,
}
SCHEDULES = ("cosine", "constant")
PEAK = 3.0  # of the cosine, in the optimizer's own learning rate: over all steps the mean is half of the peak
BATCHES, LEAST_STEPS_AN_EPOCH = (128, 64, 32, 16), 20
EPOCHS, MOST_EPOCHS, LEAST_STEPS = 15, 100, 600
USUAL = (BATCHES[0], EPOCHS)
WARM_UP = 0.1  # share of the steps in which it rises to the peak: Adam's first means are of few gradients


@dataclass(frozen=True)
class ImageOptions:
    """What can be chosen about training on images; the defaults are what `thalweg train` uses."""

    model: str = "convnet"
    size: tuple[int, int] | None = None
    channels: int | None = None
    flip: str | None = None
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    optimizer: str = "adam"
    learning_rate: float | None = None
    schedule: str = "cosine"
    batch_size: int | None = None  # by default 128, and fewer where there are few images: see `course`
    epochs: int | None = None
    test_share: float = 0.2
    validation_share: float = 0.1
    early_stopping: int = 0
    seed: int | None = None
    lanes: int | None = None
    skip_bad: bool = False  # leave out pictures that can't be read


@dataclass
class ImageRun:
    """A trained network with its classes, and how it did."""

    model: Sequential
    classes: tuple[str, ...]
    scale: float  # the pixels are multiplied by it, in the network's first layer
    history: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    kernels: list[Array] = field(default_factory=list)  # of the first convolution: before, and after every epoch

    def pixels(self, picture: Path) -> Array:
        """A picture from a file as the network takes it."""
        height, width, channels = self.model.input_shape
        x = read_picture(picture, (height, width), channels)
        return x if self.scale != 1 else (x / 255).astype(np.float32)  # it has learned from 0 … 1


@dataclass(frozen=True)
class Parts:
    """The images to learn from, to watch by, to judge by."""

    train: Images
    validation: Images | None
    test: Images


def course(rows: int, options: ImageOptions) -> ImageOptions:
    """The options with batch size and epochs: as asked for, or by the number of images to learn from.

    A network learns in steps, not in epochs: 86 images in batches of 128 would be one step an epoch. So a batch is 128
    images where these are 20 steps, else half of that, down to 16; and epochs are 15, or as many more, up to 100, as
    600 steps take.

    >>> [(o.batch_size, o.epochs) for o in (course(rows, ImageOptions()) for rows in (54_000, 1000, 86))]
    [(128, 15), (32, 19), (16, 100)]
    """
    batch, epochs = options.batch_size, options.epochs
    if batch is None:
        batch = next((b for b in BATCHES if b * LEAST_STEPS_AN_EPOCH <= rows), BATCHES[-1])
    if epochs is None:
        epochs = min(max(EPOCHS, -(-LEAST_STEPS // -(-rows // batch))), MOST_EPOCHS)
    return replace(options, batch_size=batch, epochs=epochs)


def said(rows: int, asked: ImageOptions, chosen: ImageOptions) -> str:
    """A line on batch size and epochs, with the reason where they aren't the usual ones or those asked for."""
    assert chosen.batch_size is not None
    assert chosen.epochs is not None
    steps, usual = (epochs * -(-rows // batch) for batch, epochs in ((chosen.batch_size, chosen.epochs), USUAL))
    line = f"batches of {chosen.batch_size:,}, {chosen.epochs:,} epochs: {steps:,} steps"
    if (chosen.batch_size, chosen.epochs) in (USUAL, (asked.batch_size, asked.epochs)):
        return line
    return f"{line} (the usual {USUAL[0]} and {USUAL[1]} would be {usual:,}, too few for {rows:,} images)"


def divide(images: Images, options: ImageOptions) -> Parts:
    """Splits by class; what the source keeps for testing is the test."""
    seed = (options.seed or 0) % 2**32
    learn, test = np.arange(len(images.y)), images.test
    if test is None:
        learn, rows = split_rows(images.y, "multiclass", options.test_share, seed)
        test = some(images, rows)
    if not options.validation_share:
        return Parts(some(images, learn), None, test)
    first, second = split_rows(images.y[learn], "multiclass", options.validation_share, seed)
    return Parts(some(images, learn[first]), some(images, learn[second]), test)


def some(images: Images, rows: Array) -> Images:
    """Some of the rows; all of them without a copy."""
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


def falling(peak: float, steps: int) -> CosineDecay:
    """Up to the peak in a straight line over the first tenth of the steps, then along half a cosine to 0.

    A gradual warm-up (Goyal et al. 2017), then SGDR's first period (Loshchilov and Hutter, ICLR 2017).
    """
    warm = int(WARM_UP * steps)
    return CosineDecay(peak / (warm + 1), steps - warm, warmup_target=peak, warmup_steps=warm)


def build(images: Images, options: ImageOptions, steps: int) -> tuple[Sequential, float]:
    """Augmentation, the pixels brought to 0 … 1, the hidden layers, an output for each class; and that scale.

    It is compiled for so many steps of training.
    """
    scale = 1.0 if images.x.dtype != np.uint8 and float(images.x.max()) <= 1 else 1 / 255
    stack = [layers.Input(images.shape), *augmentation(options, 1 / scale), layers.Rescaling(scale)]
    hidden = hidden_layers(options.model, images.shape)
    model = Sequential([*stack, *hidden, layers.Dense(len(images.classes), "softmax")], seed=options.seed)
    optimizer = optimizers.get(options.optimizer)
    cosine = choose("schedule", options.schedule, SCHEDULES) == "cosine"
    if options.learning_rate is not None:
        optimizer.learning_rate = options.learning_rate
    elif cosine:
        optimizer.learning_rate *= PEAK
    if cosine:
        optimizer.learning_rate = falling(optimizer.learning_rate, steps)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    if model.output_shape is None:
        model.build()
    if model.output_shape != (len(images.classes),):
        shape = model.layers[-1].input_shape
        raise DataError(f"{options.model} ends in the shape {shape}: end with Flatten or GlobalAveragePooling2D")
    return model, scale


def train(
    images: Images, options: ImageOptions, announce: Callable[[Parts, Sequential, str], None] | None = None
) -> ImageRun:
    """Divides the images, trains, and scores on those held out. `announce` is called before training begins."""
    runs.check(options)
    for name in ("shift", "rotate", "zoom", "contrast"):
        number(name, getattr(options, name))
    parts = divide(images, options)
    rows, asked = len(parts.train.y), options
    options = course(rows, asked)
    assert options.batch_size is not None
    assert options.epochs is not None
    model, scale = build(images, options, options.epochs * -(-rows // options.batch_size))
    if announce is not None:
        announce(parts, model, said(rows, asked, options))
    callbacks: list[Callback] = []
    if options.early_stopping:
        callbacks.append(EarlyStopping("val_loss", patience=options.early_stopping, restore_best_weights=True))
    recorder = KernelHistory() if kernels_of(model) else None
    held = parts.validation
    history = runs.fit(
        model,
        parts.train.x,
        parts.train.y,
        batch_size=options.batch_size,
        epochs=options.epochs,
        validation_data=None if held is None else (held.x, held.y),
        callbacks=[*callbacks, *([recorder] if recorder else [])],
        lanes=options.lanes,
    )
    run = ImageRun(model, images.classes, scale, history.records(), kernels=recorder.kernels if recorder else [])
    answer = int(np.bincount(parts.train.y).argmax())
    run.facts = {
        "options": asdict(options),
        "source": images.source,
        "rows": {
            "train": len(parts.train.y),
            "validation": 0 if held is None else len(held.y),
            "test": len(parts.test.y),
            "skipped": len(images.skipped),
        },
        "seed": model.seed,
        "seconds": history.seconds,
        "interrupted": history.interrupted,
        "held-out": score(run, parts.test),
        "baseline": {
            "answer": images.classes[answer],
            "scores": {"accuracy": float((parts.test.y == answer).mean())},
        },
    }
    return run


def score(run: ImageRun, images: Images) -> dict[str, float]:
    """Accuracy and mean log loss."""
    loss, accuracy = run.model.evaluate(images.x, images.y, verbose=0)
    return {"accuracy": accuracy, "log loss": loss}


def fitting(run: ImageRun, images: Images) -> Images:
    """The images with the run's class numbers; an error where a class or the shape is another one."""
    if images.shape != run.model.input_shape:
        raise DataError(f"{images.source} has images of {images.shape}, the network takes {run.model.input_shape}")
    if unknown := sorted(set(images.classes) - set(run.classes)):
        raise DataError(f"{images.source} has the class {unknown[0]!r}, which the network has never met")
    numbers = np.array([run.classes.index(name) for name in images.classes])
    return replace(images, y=numbers[images.y], classes=run.classes)


def predictions(run: ImageRun, pictures: Sequence[Path], skip_bad: bool = False) -> tuple[dict[str, Array], list[str]]:
    """Columns: the file, the likeliest class, the probability of each class; and what was wrong with those left out."""
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
    columns: dict[str, Array] = {"file": np.array([str(picture) for picture in x], object)}
    columns["prediction"] = np.array([run.classes[k] for k in shares.argmax(axis=1)], object)
    for number_of, name in enumerate(run.classes):
        columns[f"probability of {name}"] = shares[:, number_of]
    return columns, list(bad.values())


# --- the folder ------------------------------------------------------------------------------------------------------


def is_image_run(folder: Path) -> bool:
    """Whether the run folder is of images."""
    return (folder / IMAGES).is_file()


def save(run: ImageRun, folder: Path, command: Sequence[str]) -> None:
    """Writes the run folder."""
    height, width, channels = run.model.input_shape
    about = {
        "classes": list(run.classes),
        "height": height,
        "width": width,
        "channels": channels,
        "scale": run.scale,
    }
    descriptions: dict[str, Any] = {IMAGES: about}
    if run.kernels:
        descriptions[KERNELS] = {"kernels": np.stack(run.kernels)}
    runs.write_folder(folder, command, run.model, descriptions, run.history, run.facts)


def load(folder: Path) -> ImageRun:
    """A run from its folder."""
    about, history, facts = read_folder(folder, IMAGES)
    if not isinstance(about, dict) or not all(
        name in about and check(about[name]) for name, check in DESCRIPTION.items()
    ):
        raise ModelFileError(f"{folder / IMAGES} is damaged: it needs {', '.join(DESCRIPTION)}")
    classes, scale = tuple(about["classes"]), float(about["scale"])
    shape = tuple(about[name] for name in ("height", "width", "channels"))
    model = thalweg.load_model(folder / MODEL)
    if (model.input_shape, model.output_shape) != (shape, (len(classes),)):
        raise ModelFileError(f"{folder}: the model and {IMAGES} don't belong together")
    kernels: list[Array] = []
    if (folder / KERNELS).is_file():
        with readable(ModelFileError, f"{folder / KERNELS} is damaged"), Npz(folder / KERNELS) as archive:
            recorded = archive["kernels"]
        if recorded.ndim != 5 or recorded.dtype.kind != "f" or not recorded.size:
            raise ModelFileError(f"{folder / KERNELS} is damaged: it holds no kernels of a convolution")
        kernels = list(recorded)
    return ImageRun(model, classes, scale, history, facts, kernels)
