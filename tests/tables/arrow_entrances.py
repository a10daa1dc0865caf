"""Every place at which Arrow's data come in, with an offset that leads out of its buffer: `arrow_entrances.py RUN`.

Says for each whether it was refused; one that isn't may end the process.
"""

import struct
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import arrow_streams
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from thalweg.data import read_table
from thalweg.data.large_source import LargeSource
from thalweg.data.stored_rows import stored_rows
from thalweg.errors import DataError
from thalweg.models.lengths.ragged import listed
from thalweg.runs.anywhere.batch_predictor import BatchPredictor
from thalweg.series.given_series import Roles, read_series
from thalweg.sklearn.intake import per_row, table_of, targets_of
from thalweg.sklearn.table_sources import read_whole
from thalweg.support.frames import as_array, as_texts
from thalweg.tabular.single_row import row_of

ONE = {name: cells[:1] for name, cells in arrow_streams.ROWS.items()} | {"key": ["K-000000001"]}
LETTERS = len(ONE["key"][0])


def ending_at(end, content=None, kind="<ii"):
    """A stream of one row, or some content, where the key ends there, it says; `kind`: of the offsets."""
    content = arrow_streams.written(pa.table(ONE)) if content is None else content
    offsets = struct.pack(kind, 0, LETTERS)
    place = content.rindex(offsets)
    return content[:place] + struct.pack(kind, 0, end) + content[place + len(offsets) :]


def large(source):
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = stack.enter_context(stored_rows(LargeSource.of(source), folder, 1 << 28, 1 << 28))
        return rows.table(0, rows.rows)


def entrances(run, folder):
    """What reads, by name."""
    stream = ending_at(100_000_000)
    frame = pa.ipc.open_stream(stream).read_all()
    batch, key = frame.to_batches()[0], frame["key"]
    column = pd.Series(pd.arrays.ArrowExtensionArray(key))
    text = column.to_frame("key")
    longer = pa.table({"key": pa.array(ONE["key"], pa.large_string())})
    longer = pa.ipc.open_stream(ending_at(100_000_000, arrow_streams.written(longer), "<qq")).read_all()
    strings = pd.DataFrame({"key": pd.arrays.ArrowStringArray(longer["key"])})
    for name in ("a.arrow", "b.feather"):
        (folder / name).write_bytes(stream)
    with pa.OSFile(str(folder / "c.arrow"), "wb") as file, pa.ipc.new_file(file, frame.schema) as writer:
        writer.write_table(pa.table(ONE))
    (folder / "c.arrow").write_bytes(ending_at(100_000_000, (folder / "c.arrow").read_bytes()))
    predictor = BatchPredictor(run)
    return {
        "a table": lambda: read_table(frame),
        "a dict of columns": lambda: read_table({"key": key}),
        "a dict of arrays": lambda: read_table({"key": key.chunk(0)}),
        "pandas with Arrow's types": lambda: read_table(text),
        "pandas with text": lambda: read_table(strings),
        "a single row of pandas": lambda: row_of(strings),
        "a stream's file": lambda: read_table(str(folder / "a.arrow")),
        "a file": lambda: read_table(str(folder / "c.arrow")),
        "a large stream": lambda: large(str(folder / "b.feather")),
        "a large file": lambda: large(str(folder / "c.arrow")),
        "a large table": lambda: large(frame),
        "a large dataset": lambda: large(ds.dataset(frame)),
        "a large reader": lambda: large(pa.ipc.open_stream(stream)),
        "a dataset of an estimator": lambda: read_whole(ds.dataset(frame)),
        "a reader of an estimator": lambda: read_whole(pa.ipc.open_stream(stream)),
        "X": lambda: table_of(frame, None),
        "y": lambda: targets_of(key, 1, False, None),
        "y in pandas": lambda: targets_of(column, 1, False, None),
        "groups": lambda: per_row(key, 1, "groups"),
        "BatchPredictor, a table": lambda: predictor(frame),
        "BatchPredictor, a batch": lambda: predictor(batch),
        "BatchPredictor, batches": lambda: list(predictor.batches(iter([batch]))),
        "a series": lambda: read_series(key, Roles()),
        "a series in a dict": lambda: read_series({"a": key}, Roles()),
        "series in a table": lambda: read_series(frame, Roles(target="size")),
        "a series' index": lambda: read_series(pd.Series([1.0], pd.Index(column.array)), Roles()),
        "numbers": lambda: as_array(frame, "x"),
        "a column of numbers": lambda: as_array(key, "x"),
        "texts": lambda: as_texts(key, "x"),
        "texts in pandas": lambda: as_texts(column, "x"),
        "rows of different lengths": lambda: listed(key),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for name, read in entrances(sys.argv[1], Path(place)).items():
            print(f"{name}: ", end="", flush=True)
            try:
                read()
                print("not refused", flush=True)
            except DataError as error:
                print("refused" if "damaged" in str(error) and "100000000" in str(error) else error, flush=True)
