"""What a wheel's ready kernels are worth: python -m benchmarks.installs WHEEL [--before CHECKOUT] [--levels LIBRARIES]

In virtual environments made for it and with an empty HOME each time: what pip installs, package by package; how long
an import, `--help`, a first fit and a first training take, and how much memory. `--before` does the same with another
checkout, in turn. `--levels` compares the libraries of this machine's levels with kernels that are compiled here.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from thalweg.engine.native.compiler.levels import USABLE
from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[1]
ROUNDS = 5
FIT = """
import resource, time
import numpy as np
from thalweg import Sequential
from thalweg.layers import Dense
rng = np.random.default_rng(0)
x, y = rng.normal(size=(512, 30)).astype("f4"), rng.integers(0, 3, 512)
model = Sequential([Dense(64, "relu"), Dense(64, "relu"), Dense(3, "softmax")], seed=1)
model.compile("adam", "sparse_categorical_crossentropy")
history = model.fit(x, y, batch_size=32, epochs=3, verbose=0)
print(history.history["loss"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
STEPS = """
import json, time
import numpy as np
from thalweg import Sequential, layers as L
rng, result = np.random.default_rng(0), {}
nets = {
    "784-128-10, batch 128": ((784,), 6400, [L.Dense(128, "relu"), L.Dense(10, "softmax")]),
    "30-64-64-3, batch 128": ((30,), 6400, [L.Dense(64, "relu"), L.Dense(64, "relu"), L.Dense(10, "softmax")]),
    "convnet, batch 128": ((28, 28, 1), 640, [
        L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(64, 3, activation="relu"), L.MaxPooling2D(),
        L.Flatten(), L.Dense(10, "softmax")]),
}
for name, (shape, rows, net) in nets.items():
    model = Sequential([L.Input(shape), *net], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = rng.normal(size=(rows, *shape)).astype("f4"), np.arange(rows) % 10
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        loss = model.fit(x, y, batch_size=128, epochs=1, verbose=0, lanes=1).history["loss"]
        times.append(time.perf_counter() - begin)
    result[name] = min(times) / (rows / 128) * 1e6, loss
one = x[:1].copy()
model.predict(one)
times = []
for _ in range(20):
    begin = time.perf_counter()
    for _ in range(100):
        model.predict(one)
    times.append((time.perf_counter() - begin) / 100)
result["predict a row, convnet"] = min(times) * 1e6, model.predict(one).tolist()
print(json.dumps(result))
"""


def installed(place: Path, what: str) -> Path:
    """The interpreter of a new environment with a package, compiled to bytecode as pip does."""
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", what], check=True)
    return python


def sizes(python: Path) -> dict[str, int]:
    """Bytes of each distribution in an environment, pip and its kin left out."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    found = {}
    for listed in packages.glob("*.dist-info/RECORD"):
        files = [packages / row[0] for row in csv.reader(listed.read_text(encoding="utf-8").splitlines())]
        found[listed.parent.name.partition("-")[0]] = sum(file.stat().st_size for file in files if file.exists())
    return {name: size for name, size in found.items() if name not in ("pip", "setuptools")}


def timed(command: Iterable[Any], **settings: str) -> tuple[float, str]:
    """Seconds of a command in an empty HOME, and what it printed."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", **settings}
        begin = time.perf_counter()
        done = subprocess.run([*command], cwd=home, env=environment, capture_output=True, text=True, check=True)
        return time.perf_counter() - begin, done.stdout


def starts(python: Path) -> dict[str, tuple[float, str]]:
    """Seconds of what somebody does first, and its output where it says what was computed."""
    begin, _ = timed([python, "-c", "import numpy"])
    imports, _ = timed([python, "-c", "from thalweg import Sequential; from thalweg.layers import Dense"])
    command = python.with_name("thalweg")
    table = ROOT / "examples" / "penguins.csv"
    return {
        "import, above NumPy's": (imports - begin, ""),
        "thalweg --help": (timed([command, "--help"])[0], ""),
        "first fit, from the interpreter's start": timed([python, "-c", FIT]),
        "first thalweg train": (timed([command, "train", table, "--target", "target", "--seed", "1"])[0], ""),
    }


def compare(wheel: str, before: str | None) -> None:
    """Prints what both install and how both start."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {"before": before, "after": wheel} if before else {"after": wheel}
        pythons = {side: installed(Path(folder) / side, str(what)) for side, what in sides.items()}
        packages = {side: sizes(python) for side, python in pythons.items()}
        for name in sorted({*packages["after"], *packages.get("before", {})}):
            print(f"{name:24}", *(f"{packages[side].get(name, 0) / 1e6:10.1f} MB" for side in sides))
        print(f"{'all':24}", *(f"{sum(packages[side].values()) / 1e6:10.1f} MB" for side in sides))
        for python in pythons.values():
            subprocess.run([python, "-c", "import thalweg.models.model"], check=True)  # reads the files once
        runs: dict[str, list[Any]] = {side: [] for side in sides}
        for turn in range(ROUNDS):
            for side in list(sides)[:: 1 if turn % 2 else -1]:
                runs[side].append(starts(pythons[side]))
        for what in runs["after"][0]:
            medians = [statistics.median(run[what][0] for run in runs[side]) for side in sides]
            print(f"{what:40}", *(f"{median:8.2f} s" for median in medians))
        said = {side: runs[side][0]["first fit, from the interpreter's start"][1].split("]") for side in sides}
        assert len({losses for losses, _ in said.values()}) == 1, said
        print("the losses are equal; MB in memory:", *(memory.strip() for _, memory in said.values()))


def levels(libraries: str) -> None:
    """Prints a step's time with ready kernels and with those that are compiled here, level by level."""
    for level in USABLE:
        sides = {"ready": str(Path(libraries).absolute()), "compiled": "0"}
        kept: dict[str, list[Mapping[str, Any]]] = {side: [] for side in sides}
        with tempfile.TemporaryDirectory() as cache:
            for turn in range(ROUNDS + 1):
                for side in list(sides)[:: 1 if turn % 2 else -1]:
                    settings = {"THALWEG_LEVEL": level.name, "THALWEG_READY": sides[side], "THALWEG_CACHE_DIR": cache}
                    settings["PYTHONPATH"] = str(ROOT)
                    result = json.loads(timed([sys.executable, "-c", STEPS], **settings)[1])
                    if turn:  # in the first, kernels are compiled
                        kept[side].append(result)
        for name in kept["ready"][0]:
            ready, compiled = ([run[name] for run in kept[side]] for side in sides)
            assert {json.dumps(values) for _, values in (*ready, *compiled)} == {json.dumps(ready[0][1])}, name
            ratio = statistics.median(c[0] / r[0] for r, c in zip(ready, compiled, strict=True))
            print(f"{level.name} {name:26} {statistics.median(t for t, _ in ready):9.2f} µs, {ratio:.3f} times as fast")
    print("losses and predictions are equal bit for bit")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.installs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("wheel", nargs="?")
    parser.add_argument("--before", metavar="CHECKOUT")
    parser.add_argument(
        "--levels", metavar="LIBRARIES", help="a folder with libraries, such as build/ready/linux-x86_64"
    )
    told = parser.parse_args()
    if told.wheel:
        compare(told.wheel, told.before)
    if told.levels:
        levels(told.levels)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
