"""The compact local store: matrix and targets of a large table, as two files of numbers that are memory-mapped.

`matrix` holds float32 (rows, inputs) and `targets` float32 or int32 (rows,), in the source's order, without the rows to
judge by. They are written block by block; `blocks.jsonl` has a line for each complete block, with its checksums, so
that an interrupted conversion goes on. `store.json` says of what they were made.
"""

from __future__ import annotations

import json
import math
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.batches.on_disk import give_back
from thalweg.data.stored_rows import StoredRows
from thalweg.data.target import Target
from thalweg.errors import DataError
from thalweg.runs.large.roles import Array, Roles
from thalweg.support.files import explained, to_json, writing
from thalweg.tabular.features import Features
from thalweg.tabular.preparation import encoded

MATRIX, TARGETS, BLOCKS, ABOUT = "matrix", "targets", "blocks.jsonl", "store.json"
BLOCK_CELLS = 1_500_000
MOST_BLOCK = 1 << 17
MADE_OF = "made of"


@dataclass
class Converted:
    """A store that is complete, or is being written.

    Attributes:
        folder: where it lies.
        features: the columns, with the target.
        rows: how many there are.
        held: the numbers among them of the rows that networks hold out.
        low, high: of the targets, standardised for a regression.
        missing: rows without a target, which are in neither part.
        source: rows of the source that were looked at.
    """

    folder: Path
    features: Features
    rows: int = 0
    held: list[int] = field(default_factory=list)
    low: float = np.inf
    high: float = -np.inf
    missing: int = 0
    source: int = 0

    @property
    def target(self) -> Target:
        """The target."""
        assert self.features.target is not None
        return self.features.target

    @property
    def width(self) -> int:
        """Inputs of a row."""
        return len(self.features.feature_names)

    @property
    def kind(self) -> np.dtype[Any]:
        """The type of the targets."""
        return np.dtype("<i4" if self.target.task == "multiclass" else "<f4")

    @property
    def row_bytes(self) -> int:
        """Of a row in both files."""
        return 4 * self.width + self.kind.itemsize

    def matrix(self) -> Any:
        """The matrix, memory-mapped: (rows, inputs)."""
        return np.memmap(self.folder / MATRIX, "<f4", "r", shape=(self.rows, self.width))

    def targets(self) -> Any:
        """The targets, memory-mapped: (rows,)."""
        return np.memmap(self.folder / TARGETS, self.kind, "r", shape=(self.rows,))

    def take(self, line: dict[str, Any]) -> None:
        """Counts a block, by its line."""
        self.held += [self.rows + at for at in line["held"]]
        self.rows += line["rows"]
        self.missing += line["missing"]
        self.source = line["after"]
        if line["rows"]:
            self.low, self.high = min(self.low, line["low"]), max(self.high, line["high"])


def convert(
    rows: StoredRows,
    roles: Roles,
    features: Features,
    folder: Path,
    made_of: dict[str, Any],
    tell: Callable[[int], None] | None = None,
    allowed: Callable[[Converted], float] | None = None,
) -> Converted:
    """Writes the store of a table's rows, or what of it isn't there yet.

    Args:
        made_of: what the store depends on: one that was made of something else is written anew.
        tell: is told how many rows of the source have been looked at.
        allowed: the share of the next block's rows to learn from that is kept, beside those that networks hold out, by
            what is there already; 0: no more blocks. By default all are.

    Raises:
        DataError: a cell can't be used (named, with its row); the disk is full, or is too small; or what is there isn't
            what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = Converted(folder, features)
    lines = begun(folder, description(features, made_of, allowed is None))
    check(store, lines)
    for line in lines:
        store.take(line)
    learned = 1.0 if allowed is None else allowed(store)
    room(store, math.ceil((rows.rows - store.source) * learned))
    block = max(1024, min(MOST_BLOCK, BLOCK_CELLS // max(rows.columns, store.width)))
    with (
        explained(folder, DataError),
        (folder / MATRIX).open("ab") as matrix,
        (folder / TARGETS).open("ab") as targets,
        (folder / BLOCKS).open("a", encoding="utf-8") as journal,
    ):
        for first in range(store.source, rows.rows, block):
            if not learned:
                break
            line, x, y = part(rows, roles, store, first, min(first + block, rows.rows), learned)
            for file, array in ((matrix, x), (targets, y)):
                file.write(array.data)
                file.flush()
            journal.write(json.dumps(line) + "\n")
            journal.flush()
            store.take(line)
            if tell is not None:
                tell(store.source)
            if allowed is not None and store.source < rows.rows:
                learned = allowed(store)
    if not store.rows:
        raise DataError(f"no row of {rows.name} has a value in the target column {store.target.name!r}")
    return store


def part(
    rows: StoredRows, roles: Roles, store: Converted, first: int, after: int, learned: float
) -> tuple[dict[str, Any], Array, Array]:
    """A block: its line in the journal, its rows of the matrix, and their targets."""
    table, draws = rows.table(first, after), roles.draws(first, after)
    missing = store.target.missing_in(table)
    held = (draws >= roles.test) & (draws < roles.test + roles.held)
    kept = held | (draws >= 1 - learned * (1 - roles.test - roles.held))
    chosen = np.flatnonzero(kept & ~missing)
    table = table.take(chosen)
    x = store.features.matrix(table)
    y = encoded(store.target, table).astype(store.kind)
    line = {
        "after": after,
        "rows": len(chosen),
        "missing": int(missing.sum()),
        "held": np.flatnonzero(held[chosen]).tolist(),
        "low": float(y.min()) if len(y) else None,
        "high": float(y.max()) if len(y) else None,
        "matrix": zlib.crc32(x.data),
        "targets": zlib.crc32(y.data),
    }
    return line, x, y


def description(features: Features, made_of: dict[str, Any], whole: bool) -> dict[str, Any]:
    """What a store is of, as its file says it."""
    about: dict[str, Any] = json.loads(to_json({MADE_OF: made_of, "columns": features.to_json(), "all rows": whole}))
    return about


def is_whole(folder: Path, features: Features, made_of: dict[str, Any], rows: int) -> bool:
    """Whether the store of so many rows is there, complete."""
    try:
        known = json.loads((folder / ABOUT).read_text("utf-8"))
        last = json.loads((folder / BLOCKS).read_text("utf-8").splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return False
    return bool(known == description(features, made_of, True) and last["after"] == rows)


def begun(folder: Path, about: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of the blocks that are there already; none, after all was removed, if they are of something else."""
    described, journal = folder / ABOUT, folder / BLOCKS
    try:
        known = json.loads(described.read_text("utf-8"))
        lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines(keepends=True) if line[-1:] == "\n"]
    except (OSError, ValueError):
        known, lines = None, []
    if known != about:
        for name in (MATRIX, TARGETS, BLOCKS):
            (folder / name).unlink(missing_ok=True)
        with writing(described, DataError) as new:
            new.write_text(to_json(about), "utf-8")
        return []
    with explained(journal, DataError):
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return lines


def check(store: Converted, lines: list[dict[str, Any]]) -> None:
    """Compares what is there with its checksums, and cuts off what comes after the last complete block."""
    for name, row in ((MATRIX, 4 * store.width), (TARGETS, store.kind.itemsize)):
        path = store.folder / name
        with explained(path, DataError):
            path.touch()
            with path.open("r+b") as file:
                for line in lines:
                    content = file.read(line["rows"] * row)
                    if len(content) < line["rows"] * row or zlib.crc32(content) != line[name]:
                        raise DataError(
                            f"{path} isn't what was written there: remove {store.folder}, and convert again"
                        )
                file.truncate(file.tell())


def room(store: Converted, rows: int) -> None:
    """Raises if the disk is too small for so many more rows."""
    needed, free = rows * store.row_bytes, shutil.disk_usage(store.folder).free
    if needed > free:
        raise DataError(
            f"{store.folder} needs {needed / 1e9:.1f} GB for the converted rows, and its disk has {free / 1e9:.1f} GB "
            "left: make room there, or give another --cache"
        )


def rows_of(store: Converted, numbers: Array) -> tuple[Array, Array]:
    """Matrix and targets of these rows, sorted, in memory."""
    x, y = np.empty((len(numbers), store.width), np.float32), np.empty(len(numbers), store.kind)
    matrix, targets = store.matrix(), store.targets()
    for some in stretches(numbers):
        first, after = int(numbers[some][0]), int(numbers[some][-1]) + 1
        x[some], y[some] = matrix[numbers[some]], targets[numbers[some]]
        give_back(matrix, first, after)
        give_back(targets, first, after)
    return x, y


def stretches(numbers: Array, size: int = 128) -> Iterator[slice]:
    """The numbers, some at a time: of rows far from one another, each has 64 kB of either file mapped."""
    for first in range(0, len(numbers), size):
        yield slice(first, first + size)
