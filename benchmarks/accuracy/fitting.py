"""One fit in a process of its own: `python -m benchmarks.accuracy.fitting METHOD TABLE SEED`.

The last line of its output is a record as JSON. The library is imported before the clock starts. What thalweg compiles
is stated (`compile_wall`); compiled code is kept on disk, so a second process measures the fit without it.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import thalweg
from benchmarks.accuracy.methods import METHODS, Asked, Fitted, Method
from benchmarks.accuracy.scores import of_classes, of_numbers
from benchmarks.accuracy.tables import TABLES, Table, split
from benchmarks.memory import memory

Record = dict[str, Any]


def processor_seconds() -> float:
    """CPU seconds of this process, its threads and the processes that it has started and waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def timed(record: Record, name: str) -> Iterator[None]:
    """Adds wall and CPU seconds of what is inside, as name_wall and name_cpu."""
    wall, processor = time.perf_counter(), processor_seconds()
    yield
    record[f"{name}_wall"] = round(time.perf_counter() - wall, 4)
    record[f"{name}_cpu"] = round(processor_seconds() - processor, 4)


def release(package: str) -> str:
    """The version that is compared; a checkout of thalweg that isn't installed has one too."""
    return thalweg.__version__ if package == "thalweg" else version(package)


def measured(method: Method, table: Table, seed: int) -> Record:
    """The record of a fit on the training rows and a prediction of the test rows."""
    from thalweg.support.stopwatch import compiling

    frame, y = table.load()
    rows = split(y, table.task, seed)
    train, test = frame.iloc[rows.train].reset_index(drop=True), frame.iloc[rows.test].reset_index(drop=True)
    record: Record = {"method": method.name, "table": table.name, "split": seed, "task": table.task}
    record |= {"version": release(method.package), "machine": platform.machine()}
    record |= {"rows": len(train), "test_rows": len(test), "columns": frame.shape[1]}
    method.make(Asked(train, table.task, seed))  # imports the library
    before, load = memory().now, os.getloadavg()[0]
    with timed(record, "fit"):
        fitted = Fitted(method, table.task, seed, train, y[rows.train])
    fitted.predict(test)  # the first time loads what later ones use
    with timed(record, "predict"):
        predicted = fitted.predict(test)
    peak, record["compile_wall"] = memory().peak, round(compiling.seconds, 4)
    record |= {"peak_mib": round(peak / 2**20, 1), "above_mib": round((peak - before) / 2**20, 1)}
    record |= (of_classes if table.task == "classes" else of_numbers)(y[rows.test], predicted)
    return record | {"load": round(load, 2)}


def main() -> None:
    warnings.filterwarnings("ignore")
    method, table, seed = METHODS[sys.argv[1]], TABLES[sys.argv[2]], int(sys.argv[3])
    print(json.dumps(measured(method, table, seed)))


if __name__ == "__main__":
    main()
