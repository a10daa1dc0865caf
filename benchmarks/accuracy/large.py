"""Tables at the limits, at "fast": a million rows, and ten thousand columns. `python -m benchmarks --large`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.fitting import processor_seconds
from benchmarks.memory import memory


@dataclass(frozen=True)
class Large:
    """Standard normal numbers in float64; the class is the sign of the sum of ten of them and of a product."""

    name: str
    rows: int
    columns: int
    test: int

    def make(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        X = np.random.default_rng(1).standard_normal((self.rows + self.test, self.columns))
        a = X[:, :10]
        return X, a.sum(axis=1) + 2 * a[:, 0] * a[:, 1] > 0


LARGE = {
    large.name: large
    for large in (Large("rows", 1_000_000, 30, 20_000), Large("columns", 5_000, 10_000, 1_000))
}  # fmt: skip


def measured(table: Large) -> dict[str, Any]:
    """Seconds of the fit on all cores, and memory with the matrix in it, as parts of the matrix."""
    from thalweg.sklearn import TabularClassifier
    from thalweg.support.stopwatch import compiling

    before = memory().now
    X, y = table.make()
    train, test = slice(table.rows), slice(table.rows, None)
    matrix, made = X[train].nbytes, memory().peak
    wall, processor = time.perf_counter(), processor_seconds()
    estimator = TabularClassifier(quality="fast", random_state=1).fit(X[train], y[train])
    found = {"wall": time.perf_counter() - wall, "cpu": processor_seconds() - processor, "compile": compiling.seconds}
    found |= {"times_the_matrix": (memory().peak - before) / matrix, "data_alone": (made - before) / matrix}
    wall = time.perf_counter()
    found["accuracy"] = float((estimator.predict(X[test]) == y[test]).mean())
    return found | {"predict": time.perf_counter() - wall, "majority": float(max(y[test].mean(), 1 - y[test].mean()))}


def large() -> None:
    """Prints what each of the tables takes, each in a process of its own; raises if one fails."""
    for name, table in LARGE.items():
        command = [sys.executable, "-m", "benchmarks.accuracy.large", name]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{table.rows:,} × {table.columns:,}: the process ended with {done.returncode}")
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"{table.rows:,} × {table.columns:,}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()))


if __name__ == "__main__":
    print(json.dumps(measured(LARGE[sys.argv[1]])))
