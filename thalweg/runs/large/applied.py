"""A run on rows that may be larger than memory: they are kept on a disk, and predicted or judged block by block.

What is predicted is the same to the bit as for the table in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.large_source import LargeSource, Shard
from thalweg.data.sources import file_of_rows
from thalweg.data.stored_rows import StoredRows, stored_rows
from thalweg.data.tables import Table
from thalweg.errors import DataError
from thalweg.runs.judging import Judgement, judgement_of, truth_of
from thalweg.runs.large.memory import READER, block_of, reader_of_predictions
from thalweg.runs.table_run import TableRun, predictions
from thalweg.support.files import own_folder
from thalweg.support.progress import stage
from thalweg.tabular.beside import BATCH

JUDGED, JUDGED_OUTPUT = 140, 4
"""Bytes of a row that is judged, and of each class's probability, while scores are computed."""


@dataclass(frozen=True)
class Applied:
    """Rows that a run is applied to.

    Attributes:
        stored: the rows.
        memory: bytes that the process may take.
        folder: for what is kept meanwhile.
    """

    run: TableRun
    stored: StoredRows
    memory: int
    folder: Path

    def blocks(self, kept: int = 0) -> Iterator[Table]:
        """The rows in order; `kept`: bytes of each that stay in memory."""
        inputs, outputs = len(self.run.features.feature_names), max(1, len(self.run.target.classes))
        yield from self.stored.blocks(block_of(self.memory, self.stored, inputs, outputs, kept), BATCH)

    def predict(self, path: Path, prepare: Callable[[Table], Table], numbered: bool, ids: Sequence[str]) -> int:
        """Writes the predictions for all rows, each block `prepare`d; returns how many there are.

        `numbered`, `ids`: as in `predictions`.
        """
        rows = 0
        with file_of_rows(path, self.folder, READER) as append:
            for block in self.blocks():
                table = prepare(block)
                append(predictions(self.run, table, numbered, ids))
                rows += table.rows
            if not rows and self.stored.rows:
                raise DataError(f"no row of {self.stored.name} can be used")
        return rows

    def judge(self, prepare: Callable[[Table], Table]) -> tuple[list[int], Array, Judgement]:
        """The numbers of the rows that have a target, the predictions for them, and the judgement on these; in memory
        are targets, predictions, and what scores need of them.

        Args:
            prepare: takes a block's rows with targets, and gives those to judge by.
        """
        run, target, rows = self.run, self.run.target, self.stored.rows
        outputs = (len(target.classes),) if target.classes else ()
        predicted = np.empty((rows, *outputs), np.float32 if target.classes else np.float64)
        truth, numbers = np.empty(rows, np.int64 if target.classes else np.float64), np.empty(rows, np.int64)
        count = 0
        for block in self.blocks(kept=JUDGED + JUDGED_OUTPUT * len(target.classes)):
            table = prepare(block.take(np.flatnonzero(~target.missing_in(block))))
            here = slice(count, count + table.rows)
            predicted[here], truth[here] = run.predicted(table), truth_of(run.features, table)
            numbers[here] = [table.row_number(k) for k in range(table.rows)]
            count += table.rows
        if not count:
            raise DataError(f"no row of {self.stored.name} has a value in the target column {target.name!r}")
        found = judgement_of(target, truth[:count], predicted[:count], lambda row: int(numbers[row]))
        return numbers[:count].tolist(), predicted[:count], found


@contextmanager
def applied(
    run: TableRun,
    source: LargeSource,
    memory: int,
    verbatim: Collection[str] = (),
    shard: Shard | None = None,
    least_rows: int = 0,
) -> Iterator[Applied]:
    """The rows of a source, or of a shard of it, for a run; `verbatim`, `least_rows`: as in `read_table`.

    Raises:
        ArgumentError: the limit of memory is below the least. DataError: a file or the disk has a problem (see
            `stored_rows`).
    """
    limit, text = reader_of_predictions(memory), run.features.kept
    with own_folder("thalweg-rows-") as folder, ExitStack() as held:
        with stage(f"reading {source.name}"):
            stored = held.enter_context(
                stored_rows(source, folder, limit, READER, text, verbatim=verbatim, shard=shard, least_rows=least_rows)
            )
        yield Applied(run, stored, memory, folder)
