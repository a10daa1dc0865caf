"""Predictions anywhere: a function from Arrow batch to Arrow batch, for engines that send it to their processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from thalweg.errors import ArgumentError
from thalweg.runs import table_run
from thalweg.runs.folder import COLUMNS
from thalweg.runs.run import prediction_columns
from thalweg.runs.table_run import TableRun
from thalweg.support.checks import whole
from thalweg.support.extras import need
from thalweg.support.naming import suggesting

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = 4  # runs that a process keeps
_one_by_one = Lock()


class BatchPredictor:
    """Predicts with the run of a table, from Arrow batch to Arrow batch.

    It is a path and little more: it can be pickled, and each process of Spark, Ray, Dask or any other engine loads the
    run when it first predicts. Rows are predicted each for itself, however they are divided into batches.

    Args:
        run: a run folder, which every process has to see.
        ids: columns that are passed on as they stand, before the predictions.
        lanes: the cores that one call uses; by default as many as pay. 1 where an engine has a process for each core.

    Raises:
        ArgumentError: one of `ids` is called as a column of the predictions.
        MissingPackageError: pyarrow isn't installed.

    >>> import pyarrow as pa
    >>> predictor = BatchPredictor("runs/penguins", ids=["id"])  # doctest: +SKIP
    >>> predictor(pa.table({"id": [7], "species": ["Adelie"], "mass": [3700]})).column_names  # doctest: +SKIP
    ['id', 'prediction', 'probability of female', 'probability of male']
    """

    @suggesting
    def __init__(self, run: str | Path, ids: Sequence[str] = (), lanes: int | None = None) -> None:
        need("pyarrow", "arrow", "predictions from Arrow batches")
        self.folder, self.ids = str(Path(run).absolute()), tuple(ids)
        self.lanes = None if lanes is None else whole("lanes", lanes)
        taken = next((name for name in self.ids if name in self.predicted_schema().names), None)
        if taken is not None:
            raise ArgumentError(f"the column {taken!r} can't name the rows: the predictions have a column of that name")

    @property
    def run(self) -> TableRun:
        """The run, read when this process first needs it, and again if its folder was made anew."""
        with _one_by_one:
            return _loaded(self.folder, (Path(self.folder) / COLUMNS).stat().st_mtime_ns)

    @property
    def columns(self) -> list[str]:
        """The columns that it needs, besides `ids`; others are passed over."""
        return list(self.run.features.used)

    def schema(self, given: pa.Schema) -> pa.Schema:
        """That of the results for batches with this schema, of which only the types of `ids` matter."""
        import pyarrow as pa

        return pa.schema([*(given.field(name) for name in self.ids), *self.predicted_schema()])

    def predicted_schema(self) -> pa.Schema:
        """The columns that are predicted: "prediction", and "probability of …" for each class."""
        import pyarrow as pa

        classes = self.run.target.classes
        if not classes:
            return pa.schema([("prediction", pa.float64())])
        shares = [(f"probability of {label}", pa.float32()) for label in classes]
        return pa.schema([("prediction", pa.array(list(classes)).type), *shares])

    def __call__(self, batch: pa.Table | pa.RecordBatch) -> Any:
        """The predictions for a batch, of its kind and its number of rows.

        Raises:
            DataError: a column is missing, or a cell can't be used (named, with its row in the batch).
        """
        import pyarrow as pa

        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        run, schema = self.run, self.schema(table.schema)
        arrays = self.arrays(run, run.predicted(run.read(table, least_rows=0), lanes=self.lanes))
        columns = {name: table.column(name) for name in self.ids}
        columns |= {name: pa.array(array.tolist(), schema.field(name).type) for name, array in arrays.items()}
        made = pa.table(columns, schema=schema)
        if isinstance(batch, pa.Table):
            return made
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in made.columns], schema=schema)

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The predictions for one batch after the other, as Spark's mapInArrow wants it."""
        return map(self, batches)

    def arrays(self, run: TableRun, predicted: NDArray[Any]) -> dict[str, Any]:
        """What is predicted, by column."""
        shares = dict(zip(run.target.classes, predicted.T, strict=True)) if run.target.classes else {}
        return dict(prediction_columns({}, run.labels(predicted), shares))


@lru_cache(KEPT)
def _loaded(folder: str, made: int) -> TableRun:
    """The run that a folder holds since that moment."""
    return table_run.load(folder)
