"""Tables of 10 to 200 rows: every method on the same draws, paired with the linear model on each of them.

`python -m benchmarks.accuracy.small METHOD TABLE DRAWS ROWS…` fits a method to each draw of so many rows, all in one
process; each line of its output is a record as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.fitting import release
from benchmarks.accuracy.methods import METHODS, Fitted, Method
from benchmarks.accuracy.records import Record, append, read
from benchmarks.accuracy.runs import ROOT
from benchmarks.accuracy.scores import of_classes, of_numbers
from benchmarks.accuracy.tables import SMALL_TABLES, TABLES, Split
from benchmarks.worker import environment
from thalweg.support.printing import lasting_streams

RESULTS = Path(__file__).parent / "small.jsonl"
SIZES = (10, 20, 40, 60, 100, 200)
DRAWS = 5
NAMES = ("adult", "bank_marketing", "telco_churn", "spambase", "wine_quality", "breast_cancer", "penguins",
         "kc_house", "bike_hour", "reg_cpu_act", "abalone", "diabetes")  # fmt: skip
COMPARED = ("majority or mean", "linear", "HistGradientBoosting", "CatBoost", "thalweg fast", "thalweg balanced",
            "thalweg balanced, networks")  # fmt: skip
TEST = 2000  # rows at most
KNOWN = TABLES | SMALL_TABLES

Key = tuple[str, str, int]


def key(record: Record) -> Key:
    """Method, table and number of rows."""
    return record["method"], record["table"], record["rows"]


def draw(y: NDArray[Any], task: str, rows: int, number: int) -> Split:
    """So many rows to learn from, and the test rows; the rows of a smaller size are among those of a larger one.

    At least two classes are among the first ten rows. Test rows of a class that no row learned from has are left out.
    """
    random = np.random.default_rng([number, len(y)])
    while True:
        order = random.permutation(len(y))
        if task == "numbers" or len(np.unique(y[order[: min(SIZES)]])) > 1:
            break
    train, test = order[:rows], order[max(SIZES) :][:TEST]
    return Split(train, test[np.isin(y[test], y[train])] if task == "classes" else test)


def measured(method: Method, name: str, rows: int, draws: int) -> Record:
    """The scores of a method on each draw of so many rows, in lists."""
    table = KNOWN[name]
    frame, y = table.load()
    scores: dict[str, list[float]] = {}
    begin = time.process_time()
    for number in range(draws):
        split = draw(y, table.task, rows, number)
        seen, codes = y[split.train], y[split.train]
        if table.task == "classes":  # numbered among those drawn, as every library asks for
            seen, codes = np.unique(seen, return_inverse=True)
        train, test = (frame.iloc[part].reset_index(drop=True) for part in (split.train, split.test))
        predicted = Fitted(method, table.task, number, train, codes).predict(test)
        if table.task == "classes":
            found = of_classes(np.searchsorted(seen, y[split.test]), predicted)
            found.pop("auc", None)
            found["sure"] = float(predicted.max(axis=1).mean())
        else:
            found = of_numbers(y[split.test], predicted)
        for score, value in found.items():
            scores.setdefault(score, []).append(round(value, 5))
    seconds = round((time.process_time() - begin) / draws, 3)
    about: Record = {"method": method.name, "table": name, "rows": rows, "task": table.task}
    return about | {"version": release(method.package), "cpu": seconds} | scores


def fits(method: str, table: str, sizes: list[int], draws: int) -> Iterator[Record]:
    """The record of each size, all from one process; what is missing at its end has failed."""
    command = [sys.executable, "-m", "benchmarks.accuracy.small", method, table, *map(str, [draws, *sizes])]
    waiting = list(sizes)
    with (
        environment(method, 1),
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            record: Record = json.loads(line)
            waiting.remove(record["rows"])
            yield record
        process.wait()
        said.seek(0)
        reason = (said.read().strip().splitlines() or [f"the process ended with {process.returncode}"])[-1]
    for rows in waiting:
        yield {"method": method, "table": table, "rows": rows, "failed": reason[:300]}


def measure(methods: list[Method], tables: list[str], path: Path, again: bool = False, draws: int = DRAWS) -> None:
    """Appends the records that are missing; with `again` all."""
    found = read(path, key)
    for table in (name for name in tables if KNOWN[name].present):
        for method in methods:
            lacking = [n for n in SIZES if again or "failed" in found.get((method.name, table, n), {"failed": ""})]
            for record in fits(method.name, table, lacking, draws) if lacking else ():
                append(path, record)
                score = record.get("failed") or f"{np.mean(record.get('log_loss') or record.get('nrmse') or []):.4f}"
                print(f"{method.name}, {table}, {record['rows']} rows: {score}", flush=True)


def main() -> None:
    warnings.filterwarnings("ignore")
    method, table, draws, *sizes = sys.argv[1:]
    for rows in sizes:
        print(json.dumps(measured(METHODS[method], table, int(rows), int(draws))), flush=True)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
