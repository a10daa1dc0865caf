"""Arrow's files (.arrow, .feather, .ipc), read by pyarrow, or by Polars where that isn't installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.errors import DataError
from thalweg.support.extras import need
from thalweg.support.untrusted import allowed, readable, too_large

ENDINGS = (".arrow", ".feather", ".ipc")
_MAGIC = b"ARROW1"


def read_arrow(path: Path) -> Any:
    """The frame in a file, in Arrow's file format (Feather's second version) or its stream format.

    Raises:
        DataError: the file is damaged, or larger than is allowed.
        MissingPackageError: neither pyarrow nor Polars is installed.
    """
    with path.open("rb") as file:
        streamed = file.read(len(_MAGIC)) != _MAGIC
    with readable(DataError, f"can't read {path}: it is no Arrow file, or is damaged"):
        if find_spec("pyarrow") is not None:
            return _by_pyarrow(path, streamed)
        need("polars", "excel", f"reading {path.suffix} files")
        import polars as pl

        frame = pl.read_ipc_stream(path) if streamed else pl.read_ipc(path)
        if frame.estimated_size() > allowed(path):
            raise too_large(str(path), allowed(path), int(frame.estimated_size()))
        return frame


def _by_pyarrow(path: Path, streamed: bool) -> Any:
    import pyarrow as pa

    limit, size, batches = allowed(path), 0, []
    with pa.OSFile(str(path)) as source:
        reader = pa.ipc.open_stream(source) if streamed else pa.ipc.open_file(source)
        numbers = None if streamed else range(reader.num_record_batches)
        for batch in reader if numbers is None else map(reader.get_batch, numbers):
            batch.validate(full=True)  # otherwise damaged offsets would be followed wherever they lead
            size += batch.nbytes
            if size > limit:
                raise too_large(str(path), limit)
            batches.append(batch)
        return pa.Table.from_batches(batches, schema=reader.schema)


def scannable(path: Path) -> Any:
    """The file as pyarrow reads it batch by batch: a dataset, or a reader of its stream format.

    Raises:
        DataError: the file is damaged. MissingPackageError: pyarrow isn't installed.
    """
    need("pyarrow", "", f"reading {path.suffix} files in parts")
    import pyarrow as pa
    import pyarrow.dataset as ds

    with path.open("rb") as file:
        streamed = file.read(len(_MAGIC)) != _MAGIC
    with readable(DataError, f"can't read {path}: it is no Arrow file, or is damaged"):
        return pa.ipc.open_stream(pa.OSFile(str(path))) if streamed else ds.dataset(str(path), format="ipc")
