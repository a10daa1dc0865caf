"""Arrow's files (.arrow, .feather, .ipc), read by pyarrow, or by Polars where that isn't installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.errors import DataError
from thalweg.support.arrow import checked, table_of
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
    streamed = is_streamed(path)
    with readable(DataError, f"can't read {path}: it is no Arrow file, or is damaged"):
        if find_spec("pyarrow") is not None:
            return _by_pyarrow(path, streamed)
        need("polars", "excel", f"reading {path.suffix} files")
        import polars as pl

        frame = pl.read_ipc_stream(path) if streamed else pl.read_ipc(path)
        if frame.estimated_size() > allowed(path):
            raise too_large(str(path), allowed(path), int(frame.estimated_size()))
        return frame


def is_streamed(path: Path) -> bool:
    """Whether a file is in the stream format."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) != _MAGIC


def _by_pyarrow(path: Path, streamed: bool) -> Any:
    import pyarrow as pa

    def allow(size: int) -> None:
        if size > allowed(path):
            raise too_large(str(path), allowed(path))

    with pa.OSFile(str(path)) as source:
        reader = pa.ipc.open_stream(source) if streamed else pa.ipc.open_file(source)
        batches = reader if streamed else map(reader.get_batch, range(reader.num_record_batches))
        return table_of(batches, reader.schema, str(path), allow)


class CheckedBatches:
    """What DuckDB scans, as often as it has to: record batches of a file, or of a dataset, table or reader of Arrow's,
    each checked before it is read.

    Raises:
        DataError: the file is damaged. MissingPackageError: pyarrow isn't installed.
    """

    def __init__(self, source: Any, name: str) -> None:
        need("pyarrow", "", "Arrow data")
        self.source, self.name = source, name
        self.opened()

    def opened(self) -> Any:
        """What has a schema and batches."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        if not isinstance(self.source, Path):
            return self.source
        with readable(DataError, f"can't read {self.name}: it is no Arrow file, or is damaged"):
            path = str(self.source)
            return pa.ipc.open_stream(pa.OSFile(path)) if is_streamed(self.source) else ds.dataset(path, format="ipc")

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        import pyarrow as pa

        source = self.opened()
        schema = getattr(source, "projected_schema", None) or source.schema
        batches = source.to_batches() if hasattr(source, "to_batches") else source
        reader = pa.RecordBatchReader.from_batches(schema, (checked(batch, "its data") for batch in batches))
        return reader.__arrow_c_stream__(requested_schema)
