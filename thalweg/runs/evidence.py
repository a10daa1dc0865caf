"""What a run folder keeps for its report: held-out rows with truth and prediction, and the inputs of some of them.

evidence.npz holds arrays: `rows` (their numbers in the source), `truth`, `predicted`, `at` (which of these rows the
inputs are of), and `x`, the inputs as the network takes them. evidence.json says how many rows there were, how many
inputs were drawn at random (the others belong to the worst mistakes), and has the cells of a table's columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.cells import Array
from thalweg.errors import ModelFileError
from thalweg.runs.facts import holds, is_list, is_number, is_text, is_whole
from thalweg.support.files import to_json
from thalweg.support.untrusted import Npz, read_json, readable
from thalweg.views.report.subject import Held
from thalweg.views.report.worst_rows import worst_of

if TYPE_CHECKING:
    from thalweg.data.tables import Table
    from thalweg.tabular.features import Features

EVIDENCE, CELLS = "evidence.npz", "evidence.json"
MOST_ROWS, MOST_INPUTS = 20_000, 2_000
MOST_NUMBERS = 1_000_000
"""Of predictions, float32, and of inputs, in bytes four times as many: 4 MB each."""
MOST_CELLS = 100_000
NEARLY_ALL = 0.99
LONGEST = 200
"""Letters of a cell that are kept."""
MIDNIGHT = "T00:00:00"
ARRAYS = ("rows", "truth", "predicted", "at", "x")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Held-out rows, as the module's docstring says.

    Attributes:
        held: the rows, with truth and prediction.
        at: places among them, (inputs,); first those drawn at random, then the worst.
        random: how many were drawn at random.
        x: the inputs, (inputs, …).
        cells: by column, what the source has there: numbers or None, or text or None.
    """

    held: Held
    at: Array
    random: int
    x: Array
    cells: dict[str, list[Any]] = field(default_factory=dict)

    def write_arrays(self, path: Path) -> None:
        """Writes evidence.npz."""
        held = self.held
        np.savez_compressed(path, rows=held.rows, truth=held.truth, predicted=held.predicted, at=self.at, x=self.x)

    def write_cells(self, path: Path) -> None:
        """Writes evidence.json."""
        path.write_text(to_json({"held": self.held.of, "random": self.random, "cells": self.cells}), encoding="utf-8")

    def files(self) -> dict[str, Any]:
        """What writes each file, by its name."""
        return {EVIDENCE: self.write_arrays, CELLS: self.write_cells}


def kept_rows(truth: Array, predicted: Array, numbers: Array, seed: int = 0) -> Held:
    """The rows that are kept: all, or as many as fit the size, drawn at random. `numbers` are theirs in the source."""
    count = len(truth)
    width = predicted.shape[1] if predicted.ndim == 2 else 1
    most = min(MOST_ROWS, max(1, MOST_NUMBERS // width))
    chosen = np.arange(count)
    if count > most:
        chosen = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    kind = np.float32 if predicted.ndim == 2 else np.float64
    return Held(rows=numbers[chosen], truth=truth[chosen], predicted=predicted[chosen].astype(kind), of=count)


def chosen_inputs(held: Held, most: int, seed: int = 0) -> tuple[Array, int]:
    """Places among the held rows of which inputs are kept, and how many of them were drawn at random."""
    drawn = np.random.default_rng(seed).permutation(len(held.truth))[: max(1, most)]
    worst = worst_of(held)
    return np.concatenate([drawn, worst[~np.isin(worst, drawn)]]), len(drawn)


def of_table(features: Features, predicted: Array, table: Table) -> Evidence:
    """The evidence on held-out rows of a table, whose target is known, and their predictions."""
    target = features.target
    assert target is not None
    regression = target.task == "regression"
    truth = target.numbers(table) if regression else features.targets(table).ravel().astype(np.int64)
    places = np.arange(table.rows)
    held = kept_rows(truth, predicted, places)
    used = [column.name for column in features.columns if column.features]
    most = min(MOST_INPUTS, MOST_NUMBERS // len(features.feature_names), MOST_CELLS // len(used))
    at, random = chosen_inputs(held, most)
    part = table.take(held.rows[at])
    cells = {name: cells_of(part, name) for name in used}
    numbers = np.array([table.row_number(int(row)) for row in held.rows], np.int64)
    named = Held(rows=numbers, truth=held.truth, predicted=held.predicted, of=held.of)
    return Evidence(named, at, random, features.matrix(part), cells)


def cells_of(table: Table, name: str) -> list[Any]:
    """The cells of a column: numbers, or text for anything else; None for a missing one."""
    column = table.column(name)
    if column.kind in ("number", "integer") and not column.written:
        return [None if np.isnan(value) else value for value in column.values.tolist()]
    cells = [cell if cell is None else cell[:LONGEST] for cell in column.as_text().tolist()]
    if column.kind != "date":
        return cells
    days = all(cell is None or cell.endswith(MIDNIGHT) for cell in cells)
    return [cell and (cell.removesuffix(MIDNIGHT) if days else cell.replace("T", " ")) for cell in cells]


def of_images(x: Array, y: Array, predicted: Array) -> Evidence:
    """The evidence on held-out pictures (rows, height, width, channels), their classes and predictions."""
    held = kept_rows(y, predicted, np.arange(len(y)))
    most = min(MOST_INPUTS, 4 * MOST_NUMBERS // max(1, x[:1].nbytes))
    at, random = chosen_inputs(held, most)
    named = Held(rows=held.rows + 1, truth=held.truth, predicted=held.predicted, of=held.of)
    return Evidence(named, at, random, np.ascontiguousarray(x[held.rows[at]]))


def are_of_training(held: Held, numbers: Sequence[int], predicted: Callable[[list[int]], Array]) -> bool:
    """Whether rows of these numbers, whose target is known, are those of the training: the ones held out there are
    among others, at their places, and predicted as they were. `predicted` gives the predictions for places."""
    places = {number: place for place, number in enumerate(numbers)}
    if not len(held.rows) or len(numbers) <= held.of or not places.keys() >= set(held.rows.tolist()):
        return False
    found = predicted([places[number] for number in held.rows.tolist()])
    return bool(np.isclose(found, held.predicted, 1e-3, 1e-4).mean() > NEARLY_ALL)


# --- reading ---------------------------------------------------------------------------------------------------------


DESCRIPTION: dict[str, Callable[[Any], bool]] = {
    "held": is_whole,
    "random": is_whole,
    "cells": lambda value: holds(value, lambda column: is_list(column, lambda cell: is_text(cell) or is_number(cell))),
}


def load_evidence(folder: Path, input_shape: tuple[int, ...], classes: int) -> Evidence | None:
    """The evidence in a run folder; None in folders of older versions, which have none.

    Args:
        folder: the run folder.
        input_shape: of a row, as the network takes it.
        classes: their number; 0 for a regression.

    Raises:
        ModelFileError: it is damaged, or doesn't belong to this network.
    """
    if not (folder / EVIDENCE).is_file() and not (folder / CELLS).is_file():
        return None
    problem = f"{folder / EVIDENCE} is damaged"
    about = read_json(folder / CELLS, ModelFileError)
    if not isinstance(about, dict) or not all(
        name in about and check(about[name]) for name, check in DESCRIPTION.items()
    ):
        raise ModelFileError(f"{folder / CELLS} is damaged: it needs {', '.join(DESCRIPTION)}")
    with readable(ModelFileError, problem), Npz(folder / EVIDENCE) as archive:
        found = {name: archive[name] for name in ARRAYS}
    rows, truth, predicted, at, x = (found[name] for name in ARRAYS)
    count = len(rows)
    sound = (
        rows.shape == truth.shape == (count,)
        and rows.dtype.kind == at.dtype.kind == "i"
        and predicted.shape == ((count, classes) if classes else (count,))
        and predicted.dtype.kind == "f"
        and truth.dtype.kind == ("i" if classes else "f")
        and (not classes or not count or (truth.min() >= 0 and truth.max() < classes))
        and at.ndim == 1
        and (not len(at) or (at.min() >= 0 and at.max() < count))
        and x.shape == (len(at), *input_shape)
        and x.dtype.kind in "fiu"
        and about["random"] <= len(at)
        and count <= about["held"]
        and all(len(column) == len(at) for column in about["cells"].values())
    )
    if not sound:
        raise ModelFileError(f"{problem}: its arrays don't belong together, or not to this network")
    held = Held(rows=rows, truth=truth, predicted=predicted, of=about["held"])
    return Evidence(held, at, about["random"], x, about["cells"])
