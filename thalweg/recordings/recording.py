"""What was measured while a network trained: numbers by layer and time, losses, the path of the weights, facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.errors import ArgumentError, ModelFileError
from thalweg.support.files import to_json, writing
from thalweg.support.untrusted import Npz, read_json, readable

Array = NDArray[Any]

STATISTICS = (
    *("weight_norm", "gradient_norm", "update_norm", "weight_mean_abs", "update_mean_abs", "update_ratio"),
    *("activation_mean", "activation_std", "dead", "saturated", "equal_units"),
)
HISTOGRAMS = ("weights", "gradients", "updates", "activations")
BINS = 32
SAMPLE = ("x", "y", "held_x", "held_y")
VECTORS = ("iterations", "epochs", "batch_losses", "batch_iterations", "learning_rates", "path_iterations")
SINCE = ("batch_rates",)
"""Vectors that older files lack."""


def no_numbers() -> Array:
    return np.zeros(0)


def no_steps() -> Array:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Histograms:
    """A histogram for each sample and layer: 32 bins of equal width from `low` to `high`.

    Attributes:
        counts: int64 (samples, layers, 32); all 0 where nothing could be counted.
        low, high: (samples, layers), the least and the greatest value that was counted; NaN where there is none.
            Values that aren't finite are left out.
    """

    counts: Array
    low: Array
    high: Array

    def __iter__(self) -> Iterator[Array]:
        """counts, low, high: `counts, low, high = recording.histograms["weights"]`."""
        return iter((self.counts, self.low, self.high))

    @classmethod
    def empty(cls, layers: int = 0) -> Histograms:
        return cls(np.zeros((0, layers, BINS), np.int64), np.zeros((0, layers)), np.zeros((0, layers)))


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows of the data, evenly spaced: of those trained and of those validated on. None where there are none."""

    x: Array | None = None
    y: Array | None = None
    held_x: Array | None = None
    held_y: Array | None = None


@dataclass(frozen=True, repr=False, eq=False)
class Recording:
    """What `fit(..., record=True)` measured. Without samples, such as `Recording(facts=…)`, it holds facts alone.

    A sample describes one step of the training: the weights w before it, the gradient of its batch, the update Δw that
    it made, and the activations that the network had before it on at most 256 rows of those trained. A number that
    can't be had is NaN: a gradient of a layer that isn't trained, dead units of an activation that can't die. If the
    training diverged, the last sample is the step that failed, which made no update.

    Attributes:
        layers: the names of the layers with weights, in order.
        iterations: int64 (samples,), the steps done before each sample; rising.
        epochs: (samples,), the same in epochs, 2.5 being the middle of the third.
        statistics: by the names below, (samples, layers).
        histograms: by name ("weights", "gradients", "updates", "activations").
        batch_losses, batch_iterations: (n,), the loss of a batch before its step, penalties included, and the number of
            steps done before it; from the first step, evenly thinned beyond 20,000.
        learning_rates: (samples,); batch_rates: (n,), of the steps of `batch_losses`. Empty in older files.
        path: float32 (k, weights), all weights at some times, each time the arrays of `get_weights` one after the
            other (see `weights_at`): the first are those before the training, the last those that it left. None if
            they are too many for 4 MB.
        path_iterations: int64 (k,), steps done before.
        sample: at most 2,000 rows each of those trained and of those validated on; None for several inputs.
        facts: plain JSON on model, data and training; see docs/recording.md.

    The statistics of a layer at a sample:

    - weight_norm, gradient_norm, update_norm: √Σv² over the layer's weights that are trained (if none are, over
      all of them). The gradient is that of the loss and the penalties, as the optimizer has it.
    - weight_mean_abs, update_mean_abs: mean |w| and mean |Δw|; update_ratio: the second over the first.
    - activation_mean, activation_std: of what leaves the layer, after its activation, also if that is a layer
      of its own (Activation, ReLU) right behind it.
    - dead: the share of units (channels) whose greatest pre-activation is ≤ 0; NaN unless the activation is 0
      for all such values.
    - saturated: the share of pre-activations with |h| ≥ 5; NaN unless the activation is almost flat there on
      both sides.
    - equal_units: the share of units that have a twin with the same weights and bias; NaN for layers without a
      matrix product.

    >>> Recording(facts={"steps": 20})
    <Recording: 0 samples of 20 steps, 0 layers>
    """

    layers: list[str] = field(default_factory=list)
    iterations: Array = field(default_factory=no_steps)
    epochs: Array = field(default_factory=no_numbers)
    statistics: dict[str, Array] = field(default_factory=lambda: dict.fromkeys(STATISTICS, np.zeros((0, 0))))
    histograms: dict[str, Histograms] = field(default_factory=lambda: dict.fromkeys(HISTOGRAMS, Histograms.empty()))
    batch_losses: Array = field(default_factory=no_numbers)
    batch_iterations: Array = field(default_factory=no_steps)
    learning_rates: Array = field(default_factory=no_numbers)
    batch_rates: Array = field(default_factory=no_numbers)
    path: Array | None = None
    path_iterations: Array = field(default_factory=no_steps)
    sample: Sample = field(default_factory=Sample)
    facts: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        steps = int(self.facts.get("steps") or len(self.batch_losses))
        return f"<Recording: {len(self)} samples of {steps:,} steps, {len(self.layers)} layers>"

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.iterations)

    @property
    def course_of_rates(self) -> tuple[Array, Array]:
        """Steps done, and the learning rate of the step after them: of each batch, or in older files of the samples."""
        known = len(self.batch_rates) > 0
        return (self.batch_iterations, self.batch_rates) if known else (self.iterations, self.learning_rates)

    def of(self, layer: str) -> dict[str, Array]:
        """The statistics of a layer, each (samples,)."""
        if layer not in self.layers:
            raise ArgumentError(f"no layer {layer!r} was recorded: {', '.join(self.layers) or 'none was'}")
        place = self.layers.index(layer)
        return {name: values[:, place] for name, values in self.statistics.items()}

    def with_facts(self, **facts: Any) -> Recording:
        """The same with further facts, or others."""
        return replace(self, facts=self.facts | facts)

    def weights_at(self, k: int) -> list[Array]:
        """The weights at place k of the path, as `set_weights` takes them."""
        if self.path is None:
            raise ArgumentError("the recording has no path: the network has too many weights, or none were recorded")
        if not -len(self.path) <= k < len(self.path):
            raise ArgumentError(f"the path has the places 0 to {len(self.path) - 1}, got {k!r}")
        arrays, at = [], 0
        for _, shape in self.facts["weights"]:
            size = math.prod(shape)
            arrays.append(self.path[k, at : at + size].reshape(shape))
            at += size
        return arrays

    # --- the file ------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, Array]:
        """Everything as arrays by name, the facts as bytes of JSON."""
        result = {
            "layers": np.array(self.layers, np.str_),
            "facts": np.frombuffer(to_json(words.kept(self.facts)).encode(), np.uint8),
        }
        result |= {name: getattr(self, name) for name in (*VECTORS, *SINCE)}
        result |= {f"statistics/{name}": values for name, values in self.statistics.items()}
        for name, histograms in self.histograms.items():
            for part, values in zip(("counts", "low", "high"), histograms, strict=True):
                result[f"histograms/{name}/{part}"] = values
        if self.path is not None:
            result["path"] = self.path
        return result | {f"sample/{n}": v for n in SAMPLE if (v := getattr(self.sample, n)) is not None}

    def save(self, path: str | Path) -> None:
        """Writes an .npz file, of 8 MB at most for networks of up to some hundred layers."""
        path = Path(path)
        with writing(path, ModelFileError) as new, new.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self.arrays())

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Reads what `save` wrote. ModelFileError: the file is damaged, or is no recording."""
        path = Path(path)
        with readable(ModelFileError, f"{path} is damaged"), Npz(path) as archive:
            arrays = {name: archive[name] for name in archive.members}
            recording = made(path, arrays)
            if problem := recording.problem():
                raise ModelFileError(f"{path} is damaged: {problem}")
            return recording

    def problem(self) -> str | None:
        """What doesn't fit together, if anything."""
        samples, layers = len(self.iterations), len(self.layers)
        expected: list[tuple[str, Array, tuple[int, ...]]] = [
            ("iterations", self.iterations, (samples,)),
            ("epochs", self.epochs, (samples,)),
            ("learning_rates", self.learning_rates, (samples,)),
            ("batch_losses", self.batch_losses, (len(self.batch_iterations),)),
            ("batch_iterations", self.batch_iterations, (len(self.batch_iterations),)),
            ("batch_rates", self.batch_rates, (len(self.batch_rates) and len(self.batch_iterations),)),
        ]
        by_layer = (samples, layers) if samples else None
        for name, values in self.statistics.items():
            expected.append((name, values, by_layer or values.shape))
        for name, (counts, low, high) in self.histograms.items():
            expected += [(f"the {name}' {part}", v, by_layer or v.shape) for part, v in (("low", low), ("high", high))]
            expected.append((f"the {name}' counts", counts, (samples, layers, BINS) if samples else counts.shape))
        if self.path is not None:
            sizes = [math.prod(shape) for _, shape in self.facts["weights"]]
            expected.append(("path", self.path, (len(self.path_iterations), sum(sizes))))
        for name, values, shape in expected:
            if values.shape != shape or values.dtype.kind not in "fiu":
                return f"{name} has the shape {values.shape} of {values.dtype}, where {shape} numbers were expected"
        return None


def made(path: Path, arrays: Mapping[str, Array]) -> Recording:
    """The recording in a file's arrays."""
    facts = words.restored(read_json(path, ModelFileError, arrays["facts"].astype(np.uint8).tobytes().decode()))
    if not isinstance(facts, dict):
        raise ModelFileError(f"{path} is damaged: its facts are no JSON object")
    wrong = next(
        (name for name, right in FACTS.items() if facts.get(name) is not None and not right(facts[name])), None
    )
    if wrong is not None:
        raise ModelFileError(f"{path} is damaged: its facts have no usable {wrong!r}, but {str(facts[wrong])[:40]}")
    return Recording(
        layers=[str(name) for name in arrays["layers"]],
        statistics={name: arrays[f"statistics/{name}"] for name in STATISTICS},
        histograms={
            name: Histograms(*(arrays[f"histograms/{name}/{part}"] for part in ("counts", "low", "high")))
            for name in HISTOGRAMS
        },
        path=arrays.get("path"),
        sample=Sample(**{name: arrays.get(f"sample/{name}") for name in SAMPLE}),
        facts=facts,
        **{name: arrays[name] for name in VECTORS},
        **{name: arrays[name] for name in SINCE if name in arrays},
    )


def count(value: Any) -> bool:
    """Whether this is a number of things."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def numbers(values: Any) -> bool:
    """Whether these are numbers, some of which may be missing."""
    return isinstance(values, list) and all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values
    )


def shapes(values: Any) -> bool:
    """Whether these are the names of arrays of weights with their shapes, [["dense/W", [4, 8]], …]."""
    return isinstance(values, list) and all(
        isinstance(item, list)
        and len(item) == 2
        and isinstance(item[0], str)
        and isinstance(item[1], list)
        and all(map(count, item[1]))
        for item in values
    )


FACTS: dict[str, Callable[[Any], bool]] = {
    "weights": shapes,
    **dict.fromkeys(("epochs", "steps", "rows", "held_rows", "kept_epoch"), count),
    "initial_penalty": lambda value: numbers([value]),
    **dict.fromkeys(("class_counts", "target_mean", "target_std"), numbers),
    "columns": lambda values: isinstance(values, list) and all(isinstance(name, str) for name in values),
    "twins": lambda value: isinstance(value, dict) and all(count(value.get(key)) for key in ("equal", "looked_at")),
    "history": lambda value: (
        isinstance(value, dict) and all(numbers(value.get(key, [])) for key in ("epoch", "loss", "val_loss"))
    ),
    "architecture": lambda values: (
        isinstance(values, list)
        and all(isinstance(layer, dict) and {"name", "kind"} <= layer.keys() for layer in values)
    ),
}
"""What those facts of a file have to be with which something is computed, if they are there."""

__all__ = ["BINS", "HISTOGRAMS", "SAMPLE", "STATISTICS", "Histograms", "Recording", "Sample"]
