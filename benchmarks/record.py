"""What `fit(..., record=True)` costs: the same fits with and without a recording, in turn, round after round.

Every fit begins with a new model, so that what recording needs once, some milliseconds, is counted too: of the shortest
fit, which takes ten, it is a large part, and for it alone the limit doesn't hold. The weights have to be the same
bits with and without before a ratio is printed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import ROOT
from thalweg import Input, Sequential, layers
from thalweg.runs.presets import hidden_layers

Array = NDArray[Any]
LIMIT = 1.05
"""What a recorded fit may take, as a multiple of the same fit without."""
MNIST = ROOT / "shared" / "data" / "mnist.npz"


@dataclass(frozen=True)
class Fit:
    """A fit to measure: its name, how its model is made, its rows, and for how many epochs it runs."""

    name: str
    make: Callable[[], Sequential]
    data: Callable[[], tuple[Array, Array]]
    epochs: int

    def run(self, rows: tuple[Array, Array], record: bool) -> tuple[float, float, Sequential]:
        """Seconds, seconds of the processor, and the trained model."""
        model = self.make()
        begin, busy = time.perf_counter(), time.process_time()
        model.fit(*rows, epochs=self.epochs, verbose=0, lanes=1, record=record)
        return time.perf_counter() - begin, time.process_time() - busy, model


def dense() -> Sequential:
    model = Sequential(
        [Input((30,)), layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(3, "softmax")], seed=0
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def convnet() -> Sequential:
    shape = (28, 28, 1)
    stack = [Input(shape), layers.Rescaling(1 / 255), *hidden_layers("convnet", shape), layers.Dense(10, "softmax")]
    model = Sequential(stack, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def table(rows: int) -> tuple[Array, Array]:
    draw = np.random.default_rng(0)
    return draw.standard_normal((rows, 30), np.float32), draw.integers(0, 3, rows)


def images(rows: int) -> tuple[Array, Array]:
    """Images of MNIST, or random ones of the same size."""
    if MNIST.exists():
        with np.load(MNIST) as archive:
            return archive["x_train"][:rows, ..., None], archive["y_train"][:rows].astype(np.int64)
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (rows, 28, 28, 1)).astype(np.uint8), draw.integers(0, 10, rows)


FITS = (
    Fit("30-64-64-3, 1,000 rows, 20 epochs", dense, lambda: table(1000), 20),
    Fit("30-64-64-3, 1,000 rows, 500 epochs", dense, lambda: table(1000), 500),
    Fit("30-64-64-3, 10,000 rows, 50 epochs", dense, lambda: table(10_000), 50),
    Fit("30-64-64-3, 10,000 rows, 250 epochs", dense, lambda: table(10_000), 250),
    Fit("convnet, 10,000 images, 1 epoch", convnet, lambda: images(10_000), 1),
)


def record(only: str | None = None, rounds: int = 15) -> None:
    """Prints the table; raises if recording changes the weights."""
    print(f"median of {rounds} rounds, seconds; ratio: recorded / plain, of each round (wall clock, and processor)")
    print(f"{'':38} {'plain':>7} {'recorded':>8} {'ratio':>6} {'(cpu)':>6} {'samples':>7}")
    for fit in FITS:
        if only is not None and only not in fit.name:
            continue
        rows = fit.data()
        vectors = [fit.run(rows, record)[2].vector for record in (False, True)]  # the first round warms up
        if not np.array_equal(*vectors):
            raise SystemExit(f"{fit.name}: recording changes the weights")
        seconds: list[list[tuple[float, float]]] = [[], []]
        samples = 0
        for number in range(rounds):
            for place in (0, 1) if number % 2 else (1, 0):
                elapsed, busy, model = fit.run(rows, bool(place))
                seconds[place].append((elapsed, busy))
                samples = max(samples, len(model.recording)) if model.recording is not None else samples
        wall = [statistics.median(s[0] for s in of) for of in seconds]
        ratios = [statistics.median(r[k] / p[k] for p, r in zip(*seconds, strict=True)) for k in (0, 1)]
        late = "" if ratios[0] <= LIMIT else f"  above {LIMIT}"
        print(
            f"{fit.name:38} {wall[0]:7.3f} {wall[1]:8.3f} {ratios[0]:6.3f} {ratios[1]:6.3f} {samples:7}{late}",
            flush=True,
        )
