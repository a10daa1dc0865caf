"""A network on a table as its exports see it: from the columns' values to the answer.

To read a cell is the export's own work: a number, a date's seconds, a category's number. All else is the program's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg.data.columns import BooleanColumn, CategoryColumn, FittedColumn, NumberColumn
from thalweg.data.dates import DateColumn
from thalweg.data.target import Target
from thalweg.errors import ArgumentError
from thalweg.export.exported_network import Network, network_of
from thalweg.export.identifiers import identifiers
from thalweg.program.graphs.simplified import simplified
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Assignment, Prepared, Statement
from thalweg.program.graphs.traced_values import Value, named
from thalweg.program.graphs.value_functions import Tracing
from thalweg.program.ir.instruction import DOUBLE, Buffer

KINDS: Mapping[type[FittedColumn], str] = {
    NumberColumn: "number", BooleanColumn: "boolean", CategoryColumn: "category", DateColumn: "date"
}  # fmt: skip
"""What the values of a column are: see `Column`."""


@dataclass(frozen=True)
class Column:
    """A column that predictions need.

    Attributes:
        name: the table's.
        kind: "number", "boolean" (1, 0), "category" (its number, −1 for an unknown one, −2 for none) or "date" (seconds
            since 1970-01-01); NaN for none.
        value: the array of its values, float64 (rows,).
        fitted: what training learned of it.
    """

    name: str
    kind: str
    value: Buffer
    fitted: Any


@dataclass(frozen=True)
class TableNetwork:
    """What predicts rows of a table.

    Attributes:
        columns: what is read of each row.
        network: from the columns' values to the probability of each class, (rows, classes), or to numbers in the
            target's unit, (rows,).
        target: what is predicted.
    """

    columns: tuple[Column, ...]
    network: Network
    target: Target


def table_network(model: Any, features: Any, rows: int = ROWS) -> TableNetwork:
    """What a model computes of the columns of a table.

    model: from the matrix that `features` makes, to the answer before `features.decode`.
    """
    inner = network_of(model, rows)
    (x,), (y_pred,) = inner.inputs, inner.outputs
    text = next((c.name for c in features.used.values() if type(c) not in KINDS), None)
    if text is not None:
        raise ArgumentError(
            f"the column {text!r} is free text, which only thalweg itself can read: use the run as it is, serve it, or "
            "train without this column"
        )
    columns = tuple(Column(c.name, KINDS[type(c)], Buffer(c.name, (), dtype=DOUBLE), c) for c in features.used.values())
    before = list(arranged(columns, x, rows))
    target = features.target
    after = list(decoded(target, y_pred, rows))
    outputs = (after[-1].assignments[0].buffer,) if after else (y_pred,)
    statements = (*before, *inner.statements, *after)
    network = replace(inner, inputs=tuple(c.value for c in columns), outputs=outputs, statements=statements)
    return TableNetwork(columns, network, target)


def arranged(columns: tuple[Column, ...], x: Buffer, rows: int) -> Iterator[Statement]:
    """What makes the matrix of the columns' values."""
    parts = []
    for column in columns:
        value = named(column.value, (rows,), np.float64)
        parts.append(part := Buffer(f"x of {column.name}", (len(column.fitted.features),)))
        made: Any = np.stack(list(column.fitted.arranged(Tracing(), value)), axis=1).astype(np.float32)
        yield made_of(f"{column.name}: {column.fitted.understood}", part, made)
    matrix: Any = np.concatenate([named(part, (rows, *part.shape), np.float32) for part in parts], axis=1)
    yield made_of(f"{x} = all columns side by side", x, matrix)


def decoded(target: Target, y_pred: Buffer, rows: int) -> Iterator[Statement]:
    """What makes the answer of a network's output."""
    y: Any = named(y_pred, (rows, *y_pred.shape), np.float32)
    if target.task == "regression":
        number = y.reshape(-1).astype(np.float64) * target.scale + target.mean
        yield made_of(
            f"{target.name} = {target.scale:g}·{y_pred} + {target.mean:g}", Buffer("y_pred", (), dtype=DOUBLE), number
        )
    elif y_pred.shape[-1] == 1:
        both: Any = np.concatenate([1 - y, y], axis=1)
        yield made_of(f"the probabilities of {', '.join(map(str, target.classes))}", Buffer("y_pred", (2,)), both)


def made_of(formula: str, buffer: Buffer, value: Value) -> Statement:
    (value,) = simplified([value])
    return Statement(Prepared(formula), (Assignment(buffer, value, False),))


def values_told(table: TableNetwork) -> list[str]:
    """What the values of each column are, and what the answer is, for a form that can't read cells: a line each."""
    names = identifiers(table.network.inputs)
    lines = [f"{names[c.value]}: {c.name}, {value_told(c)}" for c in table.columns]
    if any(c.kind == "category" for c in table.columns):
        lines.append("Cells are read by the caller; thalweg itself takes other notations too: 7.0 for 7, TRUE for yes.")
    if table.target.task == "regression":
        return [*lines, f"The answer is {table.target.name}."]
    return [*lines, f"The answer is the probabilities of {', '.join(map(str, table.target.classes))}."]


def value_told(column: Column) -> str:
    """What the value of a column is."""
    if column.kind == "category":
        known = ", ".join(f"{place} for {name!r}" for place, name in enumerate(column.fitted.categories))
        return f"{known}, -1 for another, -2 for none"
    unit = f" in {column.fitted.unit}" if getattr(column.fitted, "unit", "") else ""
    meaning = {"number": f"a number{unit}", "boolean": "1 for yes, 0 for no", "date": "seconds since 1970-01-01T00:00"}
    return f"{meaning[column.kind]}, NaN for none"
