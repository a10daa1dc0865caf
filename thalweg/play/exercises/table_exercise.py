"""A table as an exercise: columns to a matrix, and a plane over two of its columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.play.exercises.exercise import Exercise, Sight
from thalweg.play.exercises.uploads import Upload, suggested
from thalweg.play.requests.bounds import TABLE_FEATURES
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError
from thalweg.support.naming import choose
from thalweg.tabular import Features, split_rows

Array = NDArray[Any]


def tabular(state: State, upload: Upload) -> Exercise:
    """The rows of a table, divided, as numbers."""
    data, table = state.data, upload.table
    name = str(data["target"] or suggested(table, table.names))
    choose(f"column of {upload.name}", name, table.names)
    target = target_of(table, name, data["task"])
    ignored = [] if data["columns"] is None else left_out(upload, data["columns"], name)
    if data["share"]:
        train, held = split_rows(table[name], target.task, data["share"], data["seed"])
    else:
        train, held = np.flatnonzero(~table.column(name).missing()), np.arange(0)
    features = Features.fit(table.take(train), target, ignore=ignored)
    count = len(features.feature_names)
    if count > TABLE_FEATURES:
        raise RefusedError(
            "these columns become {count:,} inputs; {most:,} are the most: choose fewer",
            count=count,
            most=TABLE_FEATURES,
        )
    parts = [table.take(rows) for rows in (train, held)]
    x, held_x = (features.matrix(part) for part in parts)
    y, held_y = (targets(features, part) for part in parts)
    fitted = features.target
    assert fitted is not None
    numbers = fitted.task == "regression"
    return Exercise(
        task="numbers" if numbers else fitted.task,
        x=x,
        y=y,
        held_x=held_x,
        held_y=held_y,
        inputs=features.feature_names,
        targets=[name],
        classes=None if numbers else [str(label) for label in fitted.classes],
        sight=sight_of(state, features, *parts),
        code=program(upload, name, target.task, ignored, data),
        imports=["from thalweg.data import read_table", "from thalweg.tabular import Features, Target, split_rows"],
        target_scale=(fitted.mean, fitted.scale) if numbers else None,
    )


def target_of(table: Table, name: str, asked: str | None) -> Target:
    """The target, as the page asks for it or as the column suggests."""
    if asked == "numbers":
        return Target.of(table, name, "regression")
    found = Target.of(table, name)
    if asked == "classes" and found.task == "regression":
        two = len(np.unique(table[name][~table.column(name).missing()])) == 2
        return Target.of(table, name, "binary" if two else "multiclass")
    return found


def left_out(upload: Upload, columns: list[str], target: str) -> list[str]:
    """The columns that were not chosen."""
    for column in columns:
        choose(f"column of {upload.name}", column, upload.table.names)
    if not set(columns) - {target}:
        raise RefusedError("choose a column to learn from, besides the target")
    return [name for name in upload.table.names if name not in columns and name != target]


def targets(features: Features, table: Table) -> Array:
    """Class numbers (rows,), or numbers (rows, 1)."""
    y = features.targets(table) if len(table) else np.zeros((0, 1), np.float32)
    assert features.target is not None
    return y if features.target.task == "regression" else y.reshape(-1).astype(int)


def sight_of(state: State, features: Features, train: Table, held: Table) -> Sight | None:
    """The plane over two columns of numbers; the others stay at the median, or at what is most frequent."""
    used = [c.name for c in features.columns if c.features]
    numeric = [n for n in used if train.column(n).kind in ("number", "integer")]
    names = numeric[:2] if state.plane is None else state.plane
    if len(names) != 2 or (state.plane is None and len(numeric) < 2):
        if state.plane is not None:
            raise RefusedError("plane names two columns of numbers")
        return None
    for name in names:
        choose("column of numbers for the plane", name, numeric)
    usual = {name: representative(train, name) for name in used}
    ranges = [shown(train[name]) for name in names]

    def rows(points: Array) -> Array:
        cells = {n: train.column(n).take(np.full(len(points), usual[n])) for n in used}
        for place, name in enumerate(names):
            cells[name] = replace(cells[name], values=points[:, place].astype(np.float64), text=None)
        return features.matrix(Table(cells, train.source))

    data = [np.stack([part[name] for name in names], axis=1) for part in (train, held)]
    return Sight(list(names), ranges, rows, *data)


def representative(table: Table, name: str) -> int:
    """A row that holds the median of a column, or its most frequent value."""
    column = table.column(name)
    present = np.flatnonzero(~column.missing())
    if not len(present):
        return 0
    if column.kind in ("number", "integer", "date"):
        order = np.argsort(column.values[present], kind="stable")
        return int(present[order[(len(order) - 1) // 2]])
    values, first, counts = np.unique(column.values[present].astype(str), return_index=True, return_counts=True)
    return int(present[first[counts.argmax()]]) if len(values) else 0


def shown(values: Array) -> tuple[float, float]:
    """From the first to the last percent of a column, with some room."""
    low, high = np.nanpercentile(values, [1, 99]).tolist()
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def program(upload: Upload, target: str, task: str, ignored: list[str], data: dict[str, Any]) -> str:
    """Python that makes the same arrays from the file."""
    if upload.path != upload.name or upload.id == "source":
        where = ""
    else:
        where = "  # the file that the page was given: put it here"
    lines = [
        f"table = read_table({', '.join([repr(upload.path), *(f'{k}={v!r}' for k, v in upload.how.items())])}){where}",
        f"target = Target.of(table, {target!r}, {task!r})",
    ]
    if data["share"]:
        lines.append(f"train, held = split_rows(table[{target!r}], target.task, {data['share']}, seed={data['seed']})")
    else:
        lines.append(f"train, held = np.flatnonzero(~table.column({target!r}).missing()), []")
    lines += [
        f"features = Features.fit(table.take(train), target, ignore={ignored!r})",
        "x, x_held = (features.matrix(table.take(rows)) for rows in (train, held))",
        "y = features.targets(table.take(train))",
        "y_held = features.targets(table.take(held)) if len(held) else y[:0]",
    ]
    if task != "regression":
        lines.append("y, y_held = (part.reshape(-1).astype(int) for part in (y, y_held))")
    return "\n".join(lines)
