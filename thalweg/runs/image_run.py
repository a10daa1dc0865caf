"""Runs on images: from pictures to a trained network in a folder, and back.

The folder is like a table run's, with images.json (classes, size, channels, scale, and how pictures are read) in place
of columns.json, likeness.npz (what training's pictures looked like), and kernels.npz, the kernels of the first
convolution after every epoch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import layers, words
from thalweg.callbacks import Callback, History, LambdaCallback
from thalweg.data.images.image_arrays import has_idx
from thalweg.data.images.image_folders import grouped
from thalweg.data.images.image_folders import read_folder as read_pictures
from thalweg.data.images.image_set import BYTES, Images, Range
from thalweg.data.images.image_sources import is_one_picture, one_picture, read_images
from thalweg.data.images.likeness import Likeness
from thalweg.data.images.picture_files import FITS, TRANSPARENCY, Reading, read_picture
from thalweg.errors import (
    ArgumentError,
    BadRowsError,
    DataError,
    DivergedError,
    ModelFileError,
    NotFoundError,
    ThalwegWarning,
)
from thalweg.models.model import Model
from thalweg.models.sequential import Sequential
from thalweg.runs import evidence, judging
from thalweg.runs.baselines import same_answer
from thalweg.runs.facts import is_known, is_list, is_number, is_text, is_whole
from thalweg.runs.folder import IMAGES, read_folder
from thalweg.runs.image_options import (
    PEAK,
    RECIPE,
    SCHEDULES,
    BestEpoch,
    ImageOptions,
    augmentation,
    course,
    describe_course,
    warm_cosine,
)
from thalweg.runs.judging import Judgement
from thalweg.runs.mistakes import class_mistakes
from thalweg.runs.presets import hidden_layers
from thalweg.runs.run import Array, Cells, Parts, Run, Scores, load_network, prediction_columns
from thalweg.runs.scores import class_scores
from thalweg.support.interrupts import Kept
from thalweg.support.naming import choose
from thalweg.support.progress import stage
from thalweg.support.untrusted import Npz, readable
from thalweg.views.plots import KernelHistory, kernels_of

KERNELS, LIKENESS = "kernels.npz", "likeness.npz"
DESCRIPTION: dict[str, Callable[[Any], bool]] = {  # what images.json holds
    "classes": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "height": is_whole,
    "width": is_whole,
    "channels": is_whole,
    "scale": lambda value: value is not None and is_number(value) and 0 < value <= 1,
}
SINCE: dict[str, Callable[[Any], bool]] = {  # what those of older versions lack
    "range": lambda value: value is None or (is_list(value, is_known, 2) and value[0] < value[1]),
    "fit": lambda value: value in FITS,
    "transparency": lambda value: value in TRANSPARENCY,
}


@dataclass(kw_only=True)
class ImageRun(Run):
    """A network with the classes it tells apart.

    Attributes:
        classes: their names.
        scale: the pixels are multiplied by it, in the network's first layer.
        reading: how a picture file becomes pixels; its `invert` and `fit` may be set for pictures that differ.
        range: the network's numbers for black and white; None if they aren't known.
        likeness: what training's pictures looked like, if it is known.
        kernels: of the first convolution, before and after every epoch.
    """

    model: Sequential
    classes: tuple[str, ...]
    scale: float
    reading: Reading
    range: Range | None = BYTES
    likeness: Likeness | None = None
    kernels: list[Array] = field(default_factory=list)

    def predict(self, source: Any) -> Array:
        """The likeliest class of each picture, (rows,). `source`: paths of pictures, or one path."""
        names: Array = np.array(self.classes, object)[self.predict_proba(source).argmax(axis=1)]
        return names

    def predict_proba(self, source: Any) -> Array:
        """The probability of each class, (rows, classes), in the order of `classes`.

        Warns of pictures that don't look like those of training.
        """
        paths = [source] if isinstance(source, str | Path) else list(source)
        return self.shares(paths, [self.picture(Path(path)) for path in paths])

    def evaluate(self, source: Any) -> Scores:
        """Scores by name on images as `thalweg train` takes them; on the test images, if there are any."""
        images, _ = images_for(self, source)
        return score(self, images).values

    def recorded_network(self) -> Model:
        return self.model

    def descriptions(self) -> dict[str, Any]:
        """Classes, size, channels and scale, as images.json, and the recorded kernels, as kernels.npz."""
        height, width, channels = self.model.row_in
        about = {
            "classes": list(self.classes),
            "height": height,
            "width": width,
            "channels": channels,
            "scale": self.scale,
            "range": self.range,
            "fit": self.reading.fit,
            "transparency": self.reading.transparency,
        }
        likeness = {} if self.likeness is None else {LIKENESS: self.likeness.save}
        return {IMAGES: about} | likeness | ({KERNELS: {"kernels": np.stack(self.kernels)}} if self.kernels else {})

    @property
    def notes(self) -> tuple[str, ...]:
        """What the network takes, in sentences; none if it isn't known."""
        if self.range is None:
            return ()
        black, white = self.range
        return (f"Black is {black:g} in a picture, white {white:g}.",)

    def read_as(self, invert: bool, fit: str | None = None) -> None:
        """From now on, reads pictures inverted, or fitted otherwise than in training."""
        self.reading = replace(self.reading, invert=invert, fit=fit or self.reading.fit)

    def pixels(self, picture: Path) -> Array:
        """A picture from a file, as the network takes it; warns if it doesn't look like those of training."""
        x, stretched = self.picture(picture)
        self.compare(x[None], lambda row: str(picture), np.array([stretched]))
        return x

    def picture(self, file: Path) -> tuple[Array, float]:
        """A picture from a file, as the network takes it, and how much wider it was made."""
        x, stretched = read_picture(file, self.reading)
        return in_range(x, self.known_range()), stretched

    def known_range(self) -> Range:
        """Black and white, or an error if they aren't known."""
        if self.range is None:
            raise ArgumentError(
                "the network was trained on an array of numbers whose black and white aren't known, so it can't take "
                "picture files: train on bytes, or on numbers from 0 to 1 or from -1 to 1"
            )
        return self.range

    def compare(self, x: Array, name: Callable[[int], str], stretched: Array | None) -> None:
        """Warns of pictures (rows, height, width, channels) that don't look like those of training."""
        if self.likeness is not None and self.range is not None:
            for said in self.likeness.warnings(x, self.range, name, stretched, self.reading.invert):
                warnings.warn(said, ThalwegWarning, stacklevel=3)

    def shares(self, files: Sequence[Any], pictures: Sequence[tuple[Array, float]]) -> Array:
        """The probability of each class for pictures read from these files, (rows, classes)."""
        x = np.stack([pixels for pixels, _ in pictures])
        self.compare(x, lambda row: str(files[row]), np.array([stretched for _, stretched in pictures]))
        shares: Array = self.model.predict(x, verbose=0)
        return shares


def in_range(x: Array, black_white: Range) -> Array:
    """Bytes as numbers between the network's black and white."""
    if black_white == BYTES:
        return x
    black, white = black_white
    numbers: Array = (x * ((white - black) / 255) + black).astype(np.float32)
    return numbers


def divide(images: Images, options: ImageOptions) -> Parts[Images]:
    """Splits by class; if the source has test images, they are the test part."""
    learn, held, test = options.split(images.y, test_apart=images.test is not None)
    validation = None if held is None else images.take(held)
    return Parts(images.take(learn), validation, images.test or images.take(test), images.skipped)


def build(images: Images, options: ImageOptions, steps: int) -> tuple[Sequential, float]:
    """The network and the scale of its pixels: augmentation, scaling to 0 … 1, hidden layers, an output for each class.

    It is compiled for that many steps of training.
    """
    scale = 1 / float(abs(images.x).max() if images.range is None else images.range[1])
    stack: list[Any] = [layers.Input(images.shape), *augmentation(options, 1 / scale), layers.Rescaling(scale)]
    stack += hidden_layers(options.model, images.shape)
    stack.append(layers.Dense(RECIPE.units(len(images.classes)), RECIPE.activation))
    model = Sequential(stack, seed=options.seed)
    optimizer = options.make_optimizer()
    if choose("schedule", options.schedule, SCHEDULES) == "cosine":
        peak = optimizer.learning_rate * (PEAK if options.learning_rate is None else 1)
        optimizer.learning_rate = warm_cosine(peak, steps)
    model.compile(optimizer, RECIPE.loss, metrics=[RECIPE.metric])
    if model.row_out is None:
        model.build()
    if model.row_out != (len(images.classes),):
        shape = model.inside[-1].row_in
        raise DataError(f"{options.model} ends in the shape {shape}: end with Flatten or GlobalAveragePooling2D")
    return model, scale


def train(
    images: Images,
    options: ImageOptions,
    announce: Callable[[Parts[Images], Sequential, str], None] | None = None,
    kept: Kept | None = None,
) -> ImageRun:
    """Divides the images, trains, and scores on those held out.

    `announce` is called before training begins; from then on `kept`, if given, has Ctrl-C end it.
    """
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
    recorders: list[Callback] = [recorder] if recorder is not None else []
    if kept is not None:
        stop = partial(setattr, model, "stop_training", True)
        recorders.append(LambdaCallback(on_train_begin=lambda logs: kept.begin(stop)))
    try:
        history, best = options.train_network(model, (parts.train.x, parts.train.y), validation, recorders)
    except DivergedError as error:
        error.model = model
        raise
    height, width, channels = images.shape
    reading = Reading((height, width), channels, options.fit or "stretch")
    run = ImageRun(
        model=model, classes=images.classes, scale=scale, reading=reading, range=images.range, history=history.records()
    )
    run.likeness = None if images.range is None else Likeness.of(parts.train)
    run.kernels = recorder.kernels if recorder is not None else []
    run.recording = model.recording
    counts = parts.count(lambda part: len(part.y))
    run.facts = options.facts(images.source, counts, model.seed, history.seconds, history.interrupted)
    run.facts |= kept_epoch(history, best, model.seed)
    with stage("judging by the images held out"):
        shares = model.predict(parts.test.x, verbose=0)
        run.facts |= comparison(shares, parts)
        run.evidence = evidence.of_images(parts.test.x, parts.test.y, shares)
    return run


def comparison(shares: Array, parts: Parts[Images]) -> dict[str, Any]:
    """What run.json says of predictions for the images held out: scores, mistakes, a simpler answer, warnings."""
    test, trained = parts.test, parts.train.y
    watched = 0 if parts.validation is None else len(parts.validation.y)
    found = judged(test, shares)
    always = same_answer(trained, test.y, test.classes)
    warnings = [
        *judging.beaten(found, always, None, False, words.Said("pictures")),
        *judging.few_pictures(trained, watched, len(test.y), test.classes),
    ]
    return found.facts() | {"baseline": always, "warnings": warnings}


def kept_epoch(history: History, best: BestEpoch | None, seed: int) -> dict[str, Any]:
    """What run.json says of the epoch whose weights were kept, as of a table's networks; {} without validation rows."""
    if best is None or not best.epoch:
        return {}
    how_far = {"best epoch": best.epoch, "epochs": len(history.epoch), "held out": best.rows}
    return {"members": [{**how_far, "score": best.score, "seed": seed}], "metric": "accuracy"}


def score(run: ImageRun, images: Images) -> Judgement:
    """The judgement on the network's predictions."""
    return judged(images, run.model.predict(images.x, verbose=0))


def judged(images: Images, shares: Array) -> Judgement:
    """The judgement on predicted probabilities (rows, classes)."""
    return Judgement(class_scores(images.y, shares), class_mistakes(images.y, shares, images.classes))


def images_for(run: ImageRun, source: str | Path, skip_bad: bool = False) -> tuple[Images, Sequence[str]]:
    """The images of a source (its test images, if it has any) as the network takes them, and what was left out.

    Warns of those that don't look like those of training.
    """
    path = Path(source)
    if path.is_dir() and not has_idx(path):
        images = read_pictures(path, run.reading, skip_bad)
    elif is_one_picture(path):
        raise ArgumentError(f"{one_picture(path)}; thalweg predict takes pictures whose class isn't known")
    else:
        images = turned(run, read_images(path, skip_bad=skip_bad))
    found = fitting(run, images.test or images)
    run.compare(found.x, found.name, found.stretched)
    return found, images.skipped


def turned(run: ImageRun, images: Images) -> Images:
    """The arrays, which have to be in the network's numbers; inverted if that is asked for."""
    check_range(run, images.x, images.source)
    test = None if images.test is None else turned(run, images.test)
    if not run.reading.invert:
        return images
    return replace(images, x=(sum(run.known_range()) - images.x).astype(images.x.dtype), test=test)


def check_range(run: ImageRun, x: Array, source: str) -> None:
    """Raises for arrays in other numbers than those that the network learned from."""
    if run.range is None or not len(x):
        return
    least, most = float(x.min()), float(x.max())
    fractions = x.dtype != np.uint8 and not (x == np.rint(x)).all()
    if least < run.range[0] or most > run.range[1] or (fractions and most <= 1 < run.range[1]):
        black, white = run.range
        raise DataError(
            f"{source} holds numbers from {least:g} to {most:g}, and the network learned from {black:g} (black) "
            f"to {white:g} (white): bring them to that"
        )


def fitting(run: ImageRun, images: Images) -> Images:
    """The images with the run's class numbers; an error for an unknown class or another shape."""
    if images.shape != run.model.row_in:
        raise DataError(f"{images.source} has images of {images.shape}, the network takes {run.model.row_in}")
    if unknown := sorted(set(images.classes) - set(run.classes)):
        raise DataError(f"{images.source} has the class {unknown[0]!r}, which the network has never met")
    numbers = np.array([run.classes.index(name) for name in images.classes])
    if images.files is not None:
        images = replace(images, x=in_range(images.x, run.known_range()))
    return replace(images, y=numbers[images.y], classes=run.classes)


def predictions(run: ImageRun, pictures: Sequence[Path], skip_bad: bool = False) -> tuple[dict[str, Cells], list[str]]:
    """Columns (file, likeliest class, probability of each class), and what was wrong with the pictures left out.

    Warns of pictures that don't look like those of training.
    """
    files: list[Path] = []
    read: list[tuple[Array, float]] = []
    bad: dict[Path, str] = {}
    for picture in pictures:
        try:
            read.append(run.picture(picture))
            files.append(picture)
        except NotFoundError:
            raise
        except DataError as error:
            bad[picture] = str(error)
    if bad and not (skip_bad and read):
        raise BadRowsError(bad, said="; ".join(grouped(bad)))
    shares = run.shares(files, read)
    guesses = np.array([run.classes[k] for k in shares.argmax(axis=1)], object)
    columns = prediction_columns(
        {"file": np.array(list(map(str, files)), object)}, guesses, dict(zip(run.classes, shares.T, strict=True))
    )
    return columns, list(bad.values())


# --- the folder ------------------------------------------------------------------------------------------------------


def load(folder: Path) -> ImageRun:
    """Reads a run from its folder."""
    about, history, facts = read_folder(folder, IMAGES)
    if not isinstance(about, dict) or not all(
        name in about and check(about[name]) for name, check in DESCRIPTION.items()
    ):
        raise ModelFileError(f"{folder / IMAGES} is damaged: it needs {', '.join(DESCRIPTION)}")
    if wrong := [name for name, check in SINCE.items() if name in about and not check(about[name])]:
        raise ModelFileError(f"{folder / IMAGES} is damaged: {wrong[0]!r} is not what a training writes")
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
    run = ImageRun(
        model=model,
        classes=classes,
        scale=scale,
        reading=Reading(shape[:2], shape[2], about.get("fit", "stretch"), about.get("transparency", "dropped")),
        range=range_of(about),
        history=history,
        facts=facts,
        kernels=kernels,
        folder=folder,
    )
    if (folder / LIKENESS).is_file():
        run.likeness = Likeness.load(folder / LIKENESS, shape)
    return run


def range_of(about: dict[str, Any]) -> Range | None:
    """Black and white by images.json; older ones have 0 and what the scale makes 1."""
    found = about.get("range", (0.0, BYTES[1] if about["scale"] != 1 else 1.0))
    return None if found is None else (float(found[0]), float(found[1]))
