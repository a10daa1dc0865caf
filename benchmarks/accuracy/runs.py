"""Runs the fits that are still missing, one at a time and each in a process of its own with one thread."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.accuracy.methods import METHODS, Method
from benchmarks.accuracy.records import Key, Record, append, missing, read
from benchmarks.accuracy.tables import SPLITS, TABLES, Table
from benchmarks.worker import environment

ROOT = Path(__file__).parents[2]
LONGEST = 3600.0  # seconds for one fit


def plan(methods: list[Method], tables: list[Table] | None, splits: int) -> list[Key]:
    """Every method, table and split: all methods on the first split before any on the second.

    A slow method has tables and splits of its own, unless tables are named.
    """
    keys = []
    for number, seed in enumerate(SPLITS[:splits]):
        for method in methods:
            if tables is None and number >= (method.splits or splits):
                continue
            names = [t.name for t in tables] if tables is not None else list(method.tables or TABLES)
            keys += [(method.name, name, seed) for name in names if TABLES[name].present]
    return keys


def fit(one: Key) -> Record:
    """The record of one fit, or of its failure. If kernels were compiled, a second process measures it without that."""
    record = child(one)
    if record.get("compile_wall"):
        compiled = record["compile_wall"]
        record = child(one)
        if "failed" not in record:
            record["compile_wall"] = compiled
    return record


def child(one: Key) -> Record:
    method, table, seed = one
    command = [sys.executable, "-m", "benchmarks.accuracy.fitting", method, table, str(seed)]
    lost: Record = {"method": method, "table": table, "split": seed}
    with environment(method, 1):
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return lost | {"failed": f"no result in {LONGEST:.0f} seconds"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
        return lost | {"failed": reason[:300]}
    found: Record = json.loads(lines[-1])
    return found


def measure(keys: list[Key], path: Path, again: bool = False) -> None:
    """Appends the missing records to the file; with `again` all. Two runs may share a file, and the work."""
    waiting = list(keys) if again else missing(keys, read(path))
    for number, one in enumerate(waiting, 1):
        if not again and not missing([one], read(path)):
            continue  # another run has done it meanwhile
        record = fit(one)
        append(path, record)
        print(f"{number}/{len(waiting)} {shown(record)}", flush=True)


def shown(record: Record) -> str:
    begin = f"{record['method']}, {record['table']}, split {record['split']}: "
    if "failed" in record:
        return begin + f"failed: {record['failed']}"
    scores = [f"{name} {record[name]:.4f}" for name in ("error", "log_loss", "auc", "nrmse") if name in record]
    return begin + f"{', '.join(scores)}; {record['fit_cpu']:.1f} CPU s, {record['fit_wall']:.1f} s"


def chosen(names: list[str] | None) -> list[Method]:
    """The methods that are asked for, or all; those whose library isn't installed are named and left out."""
    wanted = [METHODS[name] for name in names or METHODS]
    absent = [m.name for m in wanted if not m.present]
    if absent:
        print(f"not installed and left out: {', '.join(absent)}; pip install 'thalweg[bench]'", flush=True)
    return [m for m in wanted if m.present]
