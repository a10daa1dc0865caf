"""A table's run in every form that reads its columns: python -m benchmarks.exported_runs RUN TABLE

For 1,000 rows of the table as a CSV file: what `thalweg predict` answers, the largest difference of each form's
probabilities (or numbers, as a share of their standard deviation), how many rows get another class, the size of the
files, and microseconds for one row and for each of the rows. C is compiled by `gcc -O2`.
"""

from __future__ import annotations

import csv
import ctypes
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.exports import in_node, microseconds, there
from thalweg import load_run
from thalweg.export.exported_tables import table_network
from thalweg.support.printing import lasting_streams

ROWS = 1000
Answer = Callable[[Any], Any]


def main(folder: str, table: str) -> None:
    run: Any = load_run(folder)
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        rows = str(here / "rows.csv")
        source = f"SELECT * FROM '{table}' USING SAMPLE reservoir({ROWS} ROWS) REPEATABLE (0)"
        duckdb.sql(f"COPY ({source}) TO '{rows}'")
        want = answers_of_the_command(run, folder, rows, here)
        spread = want.std() if want.ndim == 1 else 1.0
        print(f"{folder}: {len(want):,} rows")
        print(f"{'form':12} {'kB':>8} {'difference':>12} {'classes':>8} {'one row':>10} {'of all':>10}   µs a row")
        answer = run.predict if run.target.task == "regression" else run.predict_proba
        many = cells_of(rows)
        times = microseconds(answer, many[:1]), microseconds(answer, many) / len(want)
        print(f"{'thalweg':12} {'':8} {'':12} {'':8} {times[0]:10.1f} {times[1]:10.2f}")
        for form, found, size, times in forms(run, folder, rows, here):
            far = np.abs(found - want).max() / spread
            other = 0 if want.ndim == 1 else int((found.argmax(axis=1) != want.argmax(axis=1)).sum())
            shown = " ".join("" if time is None else f"{time:10.{2 - (time is times[0])}f}" for time in times)
            print(f"{form:12} {size / 1e3:8.0f} {far:12.1e} {other:8} {shown}")
        for options in ((), ("--int8",)):
            size = exported(folder, here / f"page{len(options)}.html", *options)
            print(f"{' '.join(('html', *options)):12} {size / 1e3:8.0f}   tests/pages opens such pages")


def cells_of(path: str) -> list[dict[str, Any]]:
    """The rows of a CSV file, as text."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def answers_of_the_command(run: Any, folder: str, rows: str, here: Path) -> Any:
    """What `thalweg predict` writes: probabilities (rows, classes), or numbers (rows,)."""
    out = here / "predictions.parquet"
    command = [sys.executable, "-m", "thalweg", "predict", folder, rows, "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    columns = duckdb.sql(f"SELECT * FROM '{out}'").fetchnumpy()
    if run.target.task == "regression":
        return np.asarray(columns[next(reversed(columns))], float)
    return np.stack([np.asarray(values, float) for values in list(columns.values())[-len(run.target.classes) :]], 1)


def forms(run: Any, folder: str, rows: str, here: Path) -> Iterator[tuple[str, Any, int, tuple[float, float | None]]]:
    """Each form, its answers, the size of its files, and its times."""
    for form, (ending, made, needed) in FORMS.items():
        if needed is not None and not there(needed):
            print(f"{form:12} {needed} isn't installed")
            continue
        path = here / f"{form}{ending}"
        size = exported(folder, path)
        predict, every, one = made(run, path, rows)
        found = np.array(predict(every), float)
        yield form, found, size, (microseconds(predict, one), microseconds(predict, every) / len(found))
    if there("node"):
        size = exported(folder, path := here / "javascript.js")
        found, each = javascript(run, path, rows)
        yield "javascript", found, size, (each, None)


def exported(folder: str, path: Path, *options: str) -> int:
    """The size of the files of a form."""
    command = [sys.executable, "-m", "thalweg", "export", folder, "--out", str(path), *options]
    subprocess.run(command, check=True, capture_output=True)
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.stem}.*"))


def values_of(run: Any, rows: str) -> list[Any]:
    """The values of each column: numbers and, of categories, their places; see `exported_tables.Column`."""
    table, found = run.read(rows), []
    for column in table_network(run.ensemble, run.features, 1).columns:
        cells = table.column(column.name)
        if column.kind == "category":
            found.append(column.fitted.codes(cells).astype(float))
        elif column.kind == "number":
            found.append(column.fitted.numbers(cells, table)[0])
        else:
            raise SystemExit(f"{column.name!r} is a {column.kind}: this script times numbers and categories")
    return found


def of_numpy(run: Any, path: Path, rows: str) -> tuple[Answer, Any, Any]:
    file = runpy.run_path(str(path))
    many = cells_of(rows)
    return file["predict" if run.target.task == "regression" else "predict_proba"], many, many[:1]


def of_onnx(run: Any, path: Path, rows: str) -> tuple[Answer, Any, Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    table, given = run.read(rows), {}
    columns = table_network(run.ensemble, run.features, 1).columns
    for place, column in zip(session.get_inputs(), columns, strict=True):
        cells = table.column(column.name)
        if column.kind == "category":
            given[place.name] = np.array(["" if cell is None else cell for cell in cells.as_text()], object)
        else:
            given[place.name] = column.fitted.numbers(cells, table)[0]
    answer = session.get_outputs()[0].name
    return lambda some: session.run([answer], some)[0], given, {name: cells[:1] for name, cells in given.items()}


def of_c(run: Any, path: Path, rows: str) -> tuple[Answer, Any, Any]:
    library = path.with_suffix(".so")
    command = ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", str(path), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    function = getattr(ctypes.CDLL(str(library)), f"{path.stem}_predict_rows")
    number = run.target.task == "regression"
    kind, shape = (np.float64, ()) if number else (np.float32, (len(run.target.classes),))
    answers = np.zeros((ROWS, *shape), kind)

    def predict(values: Any) -> Any:
        pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (*values, answers))
        assert function(*pointers, ctypes.c_size_t(len(values[0]))) == 0
        return answers[: len(values[0])]

    many = [np.ascontiguousarray(values) for values in values_of(run, rows)]
    return predict, many, [values[:1].copy() for values in many]


def javascript(run: Any, path: Path, rows: str) -> tuple[Any, float]:
    """The answers of the JavaScript form, and its time for one row."""
    number = run.target.task == "regression"
    answers, one = in_node(path, "predict" if number else "predict_proba", cells_of(rows))
    return answers.reshape(-1) if number else answers, one


FORMS = {"numpy": (".py", of_numpy, None), "onnx": (".onnx", of_onnx, "onnxruntime"), "c": (".c", of_c, "gcc")}

if __name__ == "__main__":
    with lasting_streams(ends=True), threadpool_limits(1):  # NumPy's products
        main(*sys.argv[1:])
