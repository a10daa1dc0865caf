"""How fast the page's engine trains in Node, beside the native engine on one lane: python -m benchmarks.page_engine

The losses of the first steps are compared before a ratio is printed. Both are timed in turn, round after round, in
bursts of steps, by the processor time that each process uses; medians. The last network is also timed after half of its
units have died, whose moments then shrink to denormal numbers.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from thalweg import layers
from thalweg.layers import Input
from thalweg.models.bursts import Bursts
from thalweg.models.sequential import Sequential
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.play.webassembly.module import webassembly
from thalweg.support.printing import lasting_streams

ROWS, BATCH, STEPS = 1920, 64, 20
ROUNDS, SECONDS = 7, 0.3
CONV = {"kernel_size": 3, "padding": "same", "activation": "relu"}


class Case(NamedTuple):
    """A network: a row's shape, its layers for JavaScript and for Python, and its classes."""

    name: str
    input: tuple[int, ...]
    hidden: list[dict[str, Any]]
    made: list[Any]
    classes: int


def dense(units: int, activation: str) -> tuple[dict[str, Any], Any]:
    return {"kind": "dense", "units": units, "activation": activation}, layers.Dense(units, activation)


def chain(name: str, inputs: int, *widths: int, activation: str = "relu", classes: int) -> Case:
    both = [dense(units, activation) for units in widths]
    return Case(name, (inputs,), [spec for spec, _ in both], [layer for _, layer in both], classes)


def cases() -> list[Case]:
    images: list[dict[str, Any]] = [{"kind": "conv2d", "filters": 8, **CONV}, {"kind": "max_pool", "pool_size": 2}]
    images += [{"kind": "conv2d", "filters": 16, **CONV}, {"kind": "max_pool", "pool_size": 2}, {"kind": "flatten"}]
    of_images = [layers.Conv2D(8, **CONV), layers.MaxPooling2D(2), layers.Conv2D(16, **CONV), layers.MaxPooling2D(2)]
    return [
        chain("2-8-8-2 tanh, as the page begins", 2, 8, 8, activation="tanh", classes=2),
        chain("784-128-10", 784, 128, classes=10),
        Case("8 × 8 images, 8 and 16 filters", (8, 8, 1), images, [*of_images, layers.Flatten()], 10),
        chain("30-64-64-3", 30, 64, 64, classes=3),
    ]


def trained(case: Case) -> tuple[Bursts, dict[str, Any], np.ndarray]:
    """A training by the native engine, the same for JavaScript, and the losses of its first steps."""
    draw = np.random.default_rng(1)
    y = draw.integers(0, case.classes, ROWS)
    x = draw.normal(size=(ROWS, *case.input)).astype(np.float32)
    x.reshape(ROWS, -1)[np.arange(ROWS), y % x[0].size] += 2
    model = Sequential([Input(case.input), *case.made, layers.Dense(case.classes, "softmax")], seed=7)
    model.build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    spec = {
        "input": case.input,
        "layers": [*case.hidden, {"kind": "dense", "units": case.classes, "activation": "softmax"}],
        "loss": "sparse_categorical_crossentropy", "metric": "accuracy", "batch": BATCH, "seed": 7, "shuffle": True,
        "optimizer": {"name": "adam"},
    }  # fmt: skip
    flat = [np.asarray(a, np.float32).ravel().tolist() for a in (x, y, *model.get_weights())]
    given = {"name": case.name, "spec": spec, "x": flat[0], "y": flat[1], "weights": flat[2:], "rows": ROWS}
    bursts = Bursts(model, x, y, BATCH)
    bursts.job.by_step = True
    losses = bursts.executor.run(bursts.chunk(STEPS)).losses
    assert losses is not None
    bursts.job.by_step = False
    return bursts, given | {"rate": 0.001, "first": STEPS}, losses.sum(axis=1) / BATCH


def native_speed(bursts: Bursts) -> float:
    """Rows a second of one burst of about SECONDS."""
    steps, begin = 0, time.process_time()
    while (passed := time.process_time() - begin) < SECONDS:
        bursts.run(bursts.steps_per_epoch)
        steps += bursts.steps_per_epoch
    return steps * BATCH / passed


def main() -> None:
    node = shutil.which("node")
    if node is None:
        sys.exit("this compares with Node, which isn't installed")
    catalogue = Catalogue()
    module = webassembly(catalogue)
    described = json.dumps(catalogue.to_json()).encode()
    for name, content in (("thalweg.wasm", module), ("the catalogue", described)):
        print(f"{name}: {len(content):,} bytes, {len(gzip.compress(content, 9)):,} packed by gzip")
    runs = [trained(case) for case in cases()]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "thalweg.wasm").write_bytes(module)
        given = {"catalogue": catalogue.to_json(), "seconds": SECONDS, "cases": [given for _, given, _ in runs]}
        (place / "cases.json").write_text(json.dumps(given))
        command = [node, str(Path(__file__).with_name("page_engine.mjs")), "cases.json", "thalweg.wasm"]
        with subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None

            def ask(number: int, what: str) -> Any:
                assert other.stdin is not None
                assert other.stdout is not None
                print(json.dumps([number, what]), file=other.stdin, flush=True)
                return json.loads(other.stdout.readline())

            for number, (bursts, case, losses) in enumerate(runs):
                away = float(np.abs(np.array(ask(number, "losses")) - losses).max())
                if away > 1e-5:
                    sys.exit(f"{case['name']}: losses differ by {away:.1e}")
                rounds = [(native_speed(bursts), ask(number, "speed")) for _ in range(ROUNDS)]
                native, page = (median(speeds) for speeds in zip(*rounds, strict=True))
                print(
                    f"{case['name']}: native {native:,.0f} rows/s, WebAssembly {page:,.0f} rows/s, "
                    f"{page / native:.2f} times; losses of {STEPS} steps within {away:.0e}"
                )
            ask(number, "kill units")
            after = [ask(number, "speed") for _ in range(3 * ROUNDS)]
            print(f"{case['name']}, half of the units dead: {median(after[ROUNDS:]):,.0f} rows/s")
            other.stdin.close()


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
